// SPDX-License-Identifier: GPL-2.0-only
#include "identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "hash.h"

#include "cgroup.h"
#include "container.h"
#include "listener.h"
#include "text.h"

#define LOOK_FIRST_NS UINT64_C(1000000000) /* between looks that find what was missed */
#define TOLD 32 /* paths that need not be taken apart again */
#define LOOK_LAST_NS UINT64_C(64000000000) /* and between those that do not */

struct place {
	uint8_t addr[16];
	uint16_t port;
	uint16_t pad;
};

/* Who answers, or listens, at a place. It lived at @alive_ns, CLOCK_MONOTONIC. */
struct server {
	struct place at;
	struct workload work;
	struct cgroup_process process;
	uint64_t alive_ns;
	UT_hash_handle hh;
};

/* What a cgroup's path told. */
struct told {
	char path[256];
	struct workload work;
};

struct identity {
	identity_local_fn is_local;
	const void *arg;
	struct cgroups *cgroups;
	struct container_names *containers;
	struct server *servers;
	identity_listener_fn listening; /* or NULL */
	void *listening_arg;
	uint64_t looked; /* ns, 0 never */
	uint64_t pause; /* before the next look, ns: none after the first */
	struct told told[TOLD];
};

struct identity *identity_new(identity_local_fn is_local, const void *arg)
{
	struct identity *id = calloc(1, sizeof(*id));

	if (!id)
		return NULL;
	id->is_local = is_local;
	id->arg = arg;
	id->cgroups = cgroups_new();
	id->containers = container_names_new("");
	if (id->cgroups && id->containers)
		return id;
	identity_free(id);
	return NULL;
}

static void forget(struct identity *id, struct server *s)
{
	HASH_DEL(id->servers, s);
	free(s);
}

void identity_free(struct identity *id)
{
	if (!id)
		return;
	while (id->servers)
		forget(id, id->servers);
	cgroups_free(id->cgroups);
	container_names_free(id->containers);
	free(id);
}

/* workload_place(), once for a path that comes again and again. */
static void place(struct identity *id, struct workload *w, const char *path)
{
	size_t len = path ? strlen(path) : 0;
	struct told *t = &id->told[len ? hash_bytes(path, len) % TOLD : 0];

	if (!len || len >= sizeof(t->path)) {
		workload_place(w, path);
		return;
	}
	if (strcmp(t->path, path) != 0) {
		memcpy(t->path, path, len + 1);
		workload_place(&t->work, path);
	}
	memcpy(w->cgroup, t->work.cgroup, sizeof(w->cgroup));
	memcpy(w->unit, t->work.unit, sizeof(w->unit));
	memcpy(w->container, t->work.container, sizeof(w->container));
	memcpy(w->container_id, t->work.container_id, sizeof(w->container_id));
}

/* All that is known of who sent a hello at @seen_ns. A process chooses its own name. What a tunnel
 * carries may have come from a veth: then the task at its outer frame is not the sender. */
static void describe(struct identity *id, const struct as_owner *owner, bool tunnel,
		     uint64_t seen_ns, struct workload *w)
{
	struct cgroup_process process = {tunnel ? 0 : owner->pid, seen_ns};

	memset(w, 0, sizeof(*w));
	w->pid = process.pid;
	if (w->pid)
		workload_text(w->process, sizeof(w->process), owner->comm,
			      strnlen(owner->comm, sizeof(owner->comm)));
	place(id, w, cgroups_path(id->cgroups, owner->cgroup, &process));
	if (w->container_id[0])
		text_copy(w->container, sizeof(w->container),
			  container_name_of(id->containers, w->container_id, seen_ns));
}

static void set_server(struct server *s, const struct workload *w, uint64_t seen_ns)
{
	s->work = *w;
	s->process = (struct cgroup_process){w->pid, seen_ns};
	s->alive_ns = seen_ns;
}

/* Remember who is there; a full table forgets the one not heard of for longest. */
static void remember(struct identity *id, const struct place *at, const struct workload *w,
		     uint64_t seen_ns)
{
	struct server *s;

	HASH_FIND(hh, id->servers, at, sizeof(*at), s);
	if (s && s->hh.next) {
		HASH_DEL(id->servers, s);
	} else if (s) {
		set_server(s, w, seen_ns);
		return;
	} else if (HASH_COUNT(id->servers) >= IDENTITY_PORTS_MAX) {
		s = id->servers;
		HASH_DEL(id->servers, s);
	} else {
		s = calloc(1, sizeof(*s));
	}
	if (!s)
		return;
	s->at = *at;
	set_server(s, w, seen_ns);
	HASH_ADD(hh, id->servers, at, sizeof(s->at), s);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Who was there at @seen_ns. One that has ended listens no more; who follows it has to be found.
 * One that lived later than that need not be looked at again. */
static const struct server *find(struct identity *id, const struct place *at, uint64_t seen_ns)
{
	uint64_t now;
	struct server *s;

	HASH_FIND(hh, id->servers, at, sizeof(*at), s);
	if (!s || (s->process.pid && seen_ns && seen_ns <= s->alive_ns))
		return s;
	now = now_ns();
	if (cgroup_same_process(&s->process)) {
		s->alive_ns = now;
		return s;
	}
	forget(id, s);
	return NULL;
}

/* Two namespaces may have the same address: nobody is known there then. */
static void on_listener(void *arg, const struct listener *l)
{
	struct identity *id = arg;
	struct place at = {.port = l->port};
	struct as_owner owner = {.pid = l->pid};
	struct workload w;
	struct server *s;

	memcpy(at.addr, l->addr, sizeof(at.addr));
	memcpy(owner.comm, l->comm, sizeof(owner.comm));
	describe(id, &owner, false, id->looked, &w);
	if (id->listening)
		id->listening(id->listening_arg, &(struct identity_listener){l->addr, l->port, &w});
	HASH_FIND(hh, id->servers, &at, sizeof(at), s);
	if (s && s->process.seen_ns == id->looked) {
		if (strcmp(s->work.process, w.process) != 0 ||
		    strcmp(s->work.cgroup, w.cgroup) != 0)
			s->process.pid = 0;
		return;
	}
	remember(id, &at, &w, id->looked);
}

void identity_on_listener(struct identity *id, identity_listener_fn fn, void *arg)
{
	id->listening = fn;
	id->listening_arg = arg;
}

void identity_look(struct identity *id)
{
	id->looked = now_ns();
	if (id->listening)
		id->listening(id->listening_arg, NULL);
	listener_scan(on_listener, id);
}

/* As find(), and looks again if nobody is known there. */
static const struct server *listening(struct identity *id, const struct place *at, uint64_t seen_ns)
{
	const struct server *s = find(id, at, seen_ns);

	if (s || !id->looked || now_ns() < id->looked + id->pause)
		return s;
	identity_look(id);
	s = find(id, at, seen_ns);
	if (s || !id->pause)
		id->pause = LOOK_FIRST_NS;
	else if (id->pause < LOOK_LAST_NS)
		id->pause *= 2;
	return s;
}

static void server_side(struct identity *id, const struct as_handshake *hs, struct event_side *side)
{
	uint64_t seen_ns = hs->server_ns ? hs->server_ns : hs->end_ns;
	struct place at = {.port = hs->server_port};
	struct workload *w = &side->work;
	const struct server *s;

	memcpy(at.addr, hs->server_addr, sizeof(at.addr));
	describe(id, &hs->server, hs->flags & AS_F_TUNNEL, seen_ns, w);
	workload_name(w, side->service, sizeof(side->service));
	if (w->pid) {
		remember(id, &at, w, seen_ns);
		return;
	}
	if (side->service[0])
		return;
	s = listening(id, &at, seen_ns);
	if (!s)
		return;
	workload_name(&s->work, side->service, sizeof(side->service));
	/* Of a socket that did answer more is known than that somebody listens. */
	if (!hs->server.cookie)
		*w = s->work;
}

static void client_side(struct identity *id, const struct as_handshake *hs, struct event_side *side)
{
	describe(id, &hs->client, hs->flags & AS_F_TUNNEL, hs->hello_ns, &side->work);
	workload_name(&side->work, side->service, sizeof(side->service));
}

static struct event_side *begin_side(struct event_side *side, enum role role)
{
	memset(side, 0, sizeof(*side));
	side->role = role;
	return side;
}

void identity_sides(struct identity *id, struct event *ev)
{
	const struct as_handshake *hs = ev->hs;
	bool server = hs->server.cookie, client = hs->client.cookie;
	unsigned int n = 0;

	/* Inside a tunnel the address proves nothing: anyone may send to its port. */
	if (id->is_local && !(hs->flags & AS_F_TUNNEL)) {
		server = server ||
			 (!ev->server_moved && id->is_local(id->arg, hs->ifindex, hs->server_addr));
		client = client ||
			 (!ev->client_moved && id->is_local(id->arg, hs->ifindex, hs->client_addr));
	}
	if (server)
		server_side(id, hs, begin_side(&ev->side[n++], ROLE_SERVER));
	if (client)
		client_side(id, hs, begin_side(&ev->side[n++], ROLE_CLIENT));
	if (!n)
		begin_side(&ev->side[n++], ROLE_TRANSIT);
	ev->side_count = n;
	for (unsigned int i = 0; i < n; i++)
		if (!ev->side[i].service[0])
			strcpy(ev->side[i].service, "unknown");
}
