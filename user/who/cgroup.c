// SPDX-License-Identifier: GPL-2.0-only
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <uthash.h>

#define ROOT_ID 1 /* of every kernfs, cgroup_root included */
#define HANDLE_KERNFS 0xfe /* FILEID_KERNFS, Linux 5.5 (33c5ac917ae2): the id, 8 bytes */
#define SECOND UINT64_C(1000000000)

struct known {
	uint64_t id;
	char *path; /* NULL: it was gone when we looked */
	UT_hash_handle hh;
};

struct cgroups {
	int root; /* the cgroup2 hierarchy's, -1 without one */
	char *mount; /* where it is mounted */
	bool v1; /* systemd keeps its own hierarchy of version 1 */
	struct known *known;
	char path[CGROUP_PATH_MAX]; /* what was returned last, unless it is remembered */
};

/* A mount of the whole hierarchy: below another directory, or in a cgroup namespace, paths would
 * begin elsewhere. */
static void take_mount(struct cgroups *c, const struct mntent *m)
{
	struct stat st;
	int fd;

	if (!strcmp(m->mnt_type, "cgroup") && hasmntopt(m, "name=systemd"))
		c->v1 = true;
	if (c->root >= 0 || strcmp(m->mnt_type, "cgroup2"))
		return;
	fd = open(m->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_ino == ROOT_ID && (c->mount = strdup(m->mnt_dir)))
		c->root = fd;
	else
		close(fd);
}

struct cgroups *cgroups_new(void)
{
	struct cgroups *c = calloc(1, sizeof(*c));
	struct mntent m;
	char line[4096];
	FILE *mounts;

	if (!c)
		return NULL;
	c->root = -1;
	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return c;
	while (getmntent_r(mounts, &m, line, sizeof(line)))
		take_mount(c, &m);
	endmntent(mounts);
	return c;
}

static void forget(struct cgroups *c, struct known *k)
{
	HASH_DEL(c->known, k);
	free(k->path);
	free(k);
}

void cgroups_free(struct cgroups *c)
{
	if (!c)
		return;
	while (c->known)
		forget(c, c->known);
	if (c->root >= 0)
		close(c->root);
	free(c->mount);
	free(c);
}

/* Remember what is in c->path for @id (@there), or that it is gone. */
static void remember(struct cgroups *c, uint64_t id, bool there)
{
	struct known *k;

	if (HASH_COUNT(c->known) >= CGROUP_PATHS_MAX)
		forget(c, c->known); /* the one that was found first */
	k = calloc(1, sizeof(*k));
	if (!k)
		return;
	k->id = id;
	k->path = there ? strdup(c->path) : NULL;
	if (there && !k->path)
		free(k);
	else
		HASH_ADD(hh, c->known, id, sizeof(k->id), k);
}

static int open_id(const struct cgroups *c, uint64_t id)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + sizeof(uint64_t)];
	} handle = {.h = {.handle_bytes = sizeof(id), .handle_type = HANDLE_KERNFS}};

	memcpy(handle.h.f_handle, &id, sizeof(id));
	return open_by_handle_at(c->root, &handle.h, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* c->path by the id; 0 or -errno. */
static int find_by_id(struct cgroups *c, uint64_t id)
{
	char link[64], full[CGROUP_PATH_MAX];
	size_t above = strlen(c->mount);
	ssize_t len;
	int fd = open_id(c, id), err;

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, full, sizeof(full) - 1);
	err = len < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	full[len] = '\0';
	if (strncmp(full, c->mount, above) || (full[above] && full[above] != '/'))
		return -EXDEV; /* it is mounted over */
	snprintf(c->path, sizeof(c->path), "%s", full[above] ? full + above : "/");
	return 0;
}

bool cgroup_same_process(const struct cgroup_process *process)
{
	struct timespec boot, mono;
	unsigned long long began;
	char name[32], line[1024];
	const char *at;
	uint64_t seen;
	FILE *f;
	bool got;

	snprintf(name, sizeof(name), "/proc/%u/stat", process->pid);
	f = fopen(name, "re");
	if (!f)
		return false;
	/* Field 2 is the name in parentheses and may hold anything; field 22 is when it began, in
	 * ticks since the machine was booted (proc_pid_stat(5)). */
	got = fgets(line, sizeof(line), f) && (at = strrchr(line, ')')) &&
	      sscanf(at + 1,
		     " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d"
		     " %llu",
		     &began) == 1;
	fclose(f);
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &boot); /* runs while the machine sleeps, too */
	seen = process->seen_ns + (uint64_t)(boot.tv_sec - mono.tv_sec) * SECOND +
	       (uint64_t)(boot.tv_nsec - mono.tv_nsec);
	return got && began <= seen / (SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* The path in a line of /proc/PID/cgroup (cgroups(7)), if it is of version 2's hierarchy or of
 * systemd's own, else NULL. */
static const char *path_in(char *line)
{
	static const char systemd[] = ":name=systemd:";
	const char *at = strchr(line, ':');

	line[strcspn(line, "\n")] = '\0'; /* a path has none */
	if (!strncmp(line, "0::", 3))
		return line + 3;
	return at && !strncmp(at, systemd, strlen(systemd)) ? at + strlen(systemd) : NULL;
}

/* c->path by /proc/PID/cgroup: where both hierarchies are in use a process may be in the root of
 * one, which tells nothing. */
static bool find_by_process(struct cgroups *c, const struct cgroup_process *process)
{
	char name[32], *line = NULL;
	size_t size = 0;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%u/cgroup", process->pid);
	f = fopen(name, "re");
	if (!f)
		return false;
	c->path[0] = '\0';
	while (getline(&line, &size, f) > 0) {
		const char *path = path_in(line);

		if (path && path[0] == '/' && (!c->path[0] || !strcmp(c->path, "/")))
			snprintf(c->path, sizeof(c->path), "%s", path);
	}
	free(line);
	fclose(f);
	/* asked last: it was that process then */
	return c->path[0] && cgroup_same_process(process);
}

const char *cgroups_path(struct cgroups *c, uint64_t id, const struct cgroup_process *process)
{
	struct known *k;
	int err;

	HASH_FIND(hh, c->known, &id, sizeof(id), k);
	if (k)
		return k->path;
	/* Where systemd uses version 1, everything may be in the root of version 2. */
	if (id && c->root >= 0 && !(c->v1 && id == ROOT_ID)) {
		err = find_by_id(c, id);
		if (!err || err == -ESTALE)
			remember(c, id, !err);
		if (!err)
			return c->path;
	}
	return process->pid && find_by_process(c, process) ? c->path : NULL;
}
