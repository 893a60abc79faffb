// SPDX-License-Identifier: GPL-2.0-only
#include "container.h"

#include <dirent.h>
#include <jansson.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "hash.h"

#include "workload.h"

#define SECOND UINT64_C(1000000000)
#define LOOKS_MAX 10

#define KUBERNETES_LOGS "/var/log/containers"
#define DOCKER_CONFIG "/var/lib/docker/containers/%s/config.v2.json"
#define PODMAN_LIST "/var/lib/containers/storage/overlay-containers/containers.json"
#define SWARM_SERVICE "com.docker.swarm.service.name"

struct named {
	char id[65];
	char name[CONTAINER_NAME_SIZE];
	unsigned int looks;
	uint64_t looked;
	UT_hash_handle hh;
};

struct container_names {
	const char *root;
	struct named *known;
};

struct container_names *container_names_new(const char *root)
{
	struct container_names *names = calloc(1, sizeof(*names));

	if (names)
		names->root = root;
	return names;
}

static void forget(struct container_names *names, struct named *n)
{
	HASH_DEL(names->known, n);
	free(n);
}

void container_names_free(struct container_names *names)
{
	if (!names)
		return;
	while (names->known)
		forget(names, names->known);
	free(names);
}

/* NAMESPACE/CONTAINER: a pod's own name ends with letters that are drawn anew. */
static void kubernetes_name(char *name, const char *space, int space_len, const char *container,
			    int len)
{
	char text[512];

	snprintf(text, sizeof(text), "%.*s/%.*s", space_len, space, len, container);
	workload_text(name, CONTAINER_NAME_SIZE, text, strlen(text));
}

/* The kubelet links POD_NAMESPACE_CONTAINER-ID.log to each container's log; none of the three
 * has a `_` in it. */
static bool from_kubernetes(const struct container_names *names, const char *id, char *name)
{
	char dir[PATH_MAX], tail[80];
	struct dirent *e;
	bool found = false;
	DIR *d;

	snprintf(dir, sizeof(dir), "%s" KUBERNETES_LOGS, names->root);
	snprintf(tail, sizeof(tail), "-%s.log", id);
	d = opendir(dir);
	while (d && !found && (e = readdir(d))) {
		const char *end = strstr(e->d_name, tail);
		const char *space = strchr(e->d_name, '_');
		const char *container = space ? strchr(space + 1, '_') : NULL;

		if (!end || !container || container >= end)
			continue;
		kubernetes_name(name, space + 1, (int)(container - space - 1), container + 1,
				(int)(end - container - 1));
		found = true;
	}
	if (d)
		closedir(d);
	return found;
}

/* A runtime's own name for it; those that a kubelet asked for are
 * k8s_CONTAINER_POD_NAMESPACE_UID_ATTEMPT. */
static bool take_name(const char *given, char *name)
{
	const char *part[4] = {given};

	if (!given || !given[0])
		return false;
	for (int i = 1; i < 4 && part[i - 1]; i++) {
		part[i] = strchr(part[i - 1], '_');
		part[i] += part[i] ? 1 : 0;
	}
	if (!strncmp(given, "k8s_", 4) && part[3])
		kubernetes_name(name, part[3], (int)strcspn(part[3], "_"), part[1],
				(int)(part[2] - part[1] - 1));
	else
		workload_text(name, CONTAINER_NAME_SIZE, given, strlen(given));
	return true;
}

static bool from_docker(const struct container_names *names, const char *id, char *name)
{
	char file[PATH_MAX];
	json_t *all, *service;
	const char *given;
	bool found;

	snprintf(file, sizeof(file), "%s" DOCKER_CONFIG, names->root, id);
	all = json_load_file(file, 0, NULL);
	service = json_object_get(json_object_get(json_object_get(all, "Config"), "Labels"),
				  SWARM_SERVICE);
	given = json_string_value(service);
	if (!given)
		given = json_string_value(json_object_get(all, "Name"));
	found = take_name(given && given[0] == '/' ? given + 1 : given, name);
	json_decref(all);
	return found;
}

static bool from_podman(const struct container_names *names, const char *id, char *name)
{
	char file[PATH_MAX];
	json_t *all, *one;
	bool found = false;
	size_t i;

	snprintf(file, sizeof(file), "%s" PODMAN_LIST, names->root);
	all = json_load_file(file, 0, NULL);
	json_array_foreach(all, i, one)
	{
		const char *its = json_string_value(json_object_get(one, "id"));
		json_t *list = json_object_get(one, "names");

		if (found || !its || strcmp(its, id) != 0)
			continue;
		found = take_name(json_string_value(json_array_get(list, 0)), name);
	}
	json_decref(all);
	return found;
}

const char *container_name_of(struct container_names *names, const char *id, uint64_t now)
{
	struct named *n;

	HASH_FIND_STR(names->known, id, n);
	if (n && (n->name[0] || n->looks >= LOOKS_MAX || now - n->looked < SECOND))
		return n->name;
	if (!n) {
		if (HASH_COUNT(names->known) >= CONTAINER_NAMES_MAX)
			forget(names, names->known); /* the one that was seen first */
		n = calloc(1, sizeof(*n));
		if (!n)
			return "";
		snprintf(n->id, sizeof(n->id), "%s", id);
		HASH_ADD_STR(names->known, id, n);
	}
	n->looks++;
	n->looked = now;
	if (!from_kubernetes(names, id, n->name) && !from_docker(names, id, n->name))
		from_podman(names, id, n->name);
	return n->name;
}
