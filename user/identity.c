// SPDX-License-Identifier: GPL-2.0-only
#include "identity.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#include "buf.h"

struct place {
	uint8_t addr[16];
	uint16_t port;
	uint16_t pad;
};

struct listener {
	struct place at;
	char name[SERVICE_NAME_MAX];
	UT_hash_handle hh;
};

struct identity {
	identity_local_fn is_local;
	const void *arg;
	struct listener *listeners;
};

struct identity *identity_new(identity_local_fn is_local, const void *arg)
{
	struct identity *id = calloc(1, sizeof(*id));

	if (!id)
		return NULL;
	id->is_local = is_local;
	id->arg = arg;
	return id;
}

void identity_free(struct identity *id)
{
	struct listener *l, *next;

	if (!id)
		return;
	HASH_ITER (hh, id->listeners, l, next) {
		HASH_DEL(id->listeners, l);
		free(l);
	}
	free(id);
}

/* A process chooses its own name: printable, or escaped. */
static void name_of(const struct as_owner *owner, char name[SERVICE_NAME_MAX])
{
	struct buf b = {0};

	/* At worst 16 bytes of 4 characters: one more than fits is cut, never overrun. */
	buf_escaped(&b, (const uint8_t *)owner->comm, strnlen(owner->comm, sizeof(owner->comm)));
	snprintf(name, SERVICE_NAME_MAX, "%s", b.data ? b.data : "unknown");
	buf_free(&b);
}

static struct listener *find(struct identity *id, const struct place *at)
{
	struct listener *l;

	HASH_FIND(hh, id->listeners, at, sizeof(*at), l);
	return l;
}

/* Remember who answers there; a full table forgets the one not heard of for longest. */
static void remember(struct identity *id, const struct place *at, const char *name)
{
	struct listener *l = find(id, at);

	if (l) {
		HASH_DEL(id->listeners, l);
	} else if (HASH_COUNT(id->listeners) >= IDENTITY_PORTS_MAX) {
		l = id->listeners;
		HASH_DEL(id->listeners, l);
	} else {
		l = calloc(1, sizeof(*l));
	}
	if (!l)
		return;
	l->at = *at;
	snprintf(l->name, sizeof(l->name), "%s", name);
	HASH_ADD(hh, id->listeners, at, sizeof(l->at), l);
}

static void server_name(struct identity *id, const struct as_handshake *hs, char *name)
{
	struct place at = {.port = hs->server_port};
	const struct listener *l;

	memcpy(at.addr, hs->server_addr, sizeof(at.addr));
	if (hs->server.pid) {
		name_of(&hs->server, name);
		remember(id, &at, name);
	} else if ((l = find(id, &at))) {
		memcpy(name, l->name, SERVICE_NAME_MAX);
	}
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
	for (unsigned int i = 0; i < 2; i++)
		snprintf(ev->side[i].service, sizeof(ev->side[i].service), "unknown");
	if (server) {
		ev->side[n].role = ROLE_SERVER;
		server_name(id, hs, ev->side[n++].service);
	}
	if (client) {
		ev->side[n].role = ROLE_CLIENT;
		if (hs->client.pid)
			name_of(&hs->client, ev->side[n].service);
		n++;
	}
	if (!n)
		ev->side[n++].role = ROLE_TRANSIT;
	ev->side_count = n;
}
