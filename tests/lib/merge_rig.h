/* SPDX-License-Identifier: GPL-2.0-only */
/* merge_rig.h - records of one connection by where they were seen, and what comes of them. */
#ifndef TESTS_MERGE_RIG_H
#define TESTS_MERGE_RIG_H

#include <string.h>

#include "merge.h"

#define MS 1000000ULL
#define SECOND (1000 * MS)
#define T0 (5000 * SECOND)

enum what { ANSWERED, UNANSWERED, ORPHAN };

/* Tuples of one connection: as the client has it, behind SNAT, behind DNAT. */
enum place { ORIGINAL, SNAT, DNAT };

/** struct rig - a struct merge, the ledger of what went in, and the last event. */
struct rig {
	struct merge *m;
	uint64_t received, events;
	struct merged last;
	uint64_t client_ports; /* sum over events: tells which tuples were shown */
};

static inline void on_merged(void *arg, const struct merged *m)
{
	struct rig *r = arg;

	merged_copy(&r->last, m);
	r->client_ports += m->hs.client_port;
	r->events++;
}

static inline int setup(void **state)
{
	static struct rig rig;

	rig = (struct rig){0};
	rig.m = merge_new(on_merged, &rig);
	*state = &rig;
	return rig.m ? 0 : -1;
}

static inline int teardown(void **state)
{
	struct rig *r = *state;

	merge_free(r->m);
	return 0;
}

static inline void check_ledger(const struct rig *r)
{
	assert_int_equal(r->received, r->events + merge_merged(r->m) + merge_held(r->m));
}

static inline void add(struct rig *r, const struct as_handshake *hs, uint64_t now)
{
	r->received++;
	merge_add(r->m, hs, now);
	check_ledger(r);
}

/* All that is held; the number of events so far. */
static inline uint64_t flush(struct rig *r)
{
	merge_flush(r->m);
	check_ledger(r);
	assert_int_equal(merge_held(r->m), 0);
	return r->events;
}

static inline void names(struct as_handshake *hs, const char *sni, const char *alpn,
			 const char *selected)
{
	hs->sni_len = (__u16)strlen(sni);
	hs->alpn_len = (__u16)strlen(alpn);
	hs->selected_len = (__u16)strlen(selected);
	memcpy(hs->names, sni, hs->sni_len);
	memcpy(hs->names + hs->sni_len, alpn, hs->alpn_len);
	memcpy(hs->names + hs->sni_len + hs->alpn_len, selected, hs->selected_len);
	hs->size = (__u16)(offsetof(struct as_handshake, names) + hs->sni_len + hs->alpn_len +
			   hs->selected_len);
}

static inline void place(struct as_handshake *hs, enum place at)
{
	memset(hs->client_addr, at == SNAT ? 2 : 1, 16);
	memset(hs->server_addr, at == DNAT ? 4 : 3, 16);
	hs->client_port = at == SNAT ? 60001 : 50001;
	hs->server_port = at == DNAT ? 8443 : 443;
	hs->ifindex = 10 + at;
}

/* A handshake at @at, of which all was seen at the time @ns. */
static inline struct as_handshake seen(enum what what, enum place at, uint64_t ns)
{
	struct as_handshake hs = {.abi = AS_ABI, .kind = AS_KIND_HANDSHAKE, .family = 4};

	place(&hs, at);
	hs.hello_ns = hs.end_ns = ns;
	if (what != UNANSWERED) {
		hs.flags = AS_F_SERVER_HELLO;
		hs.end = AS_END_SERVER_HELLO;
		hs.server_ns = ns;
		hs.server_version = 0x0303;
		memset(hs.server_random, 0xbb, 32);
	} else {
		hs.end = AS_END_RST;
	}
	if (what == ORPHAN) {
		hs.kind = AS_KIND_ORPHAN;
		names(&hs, "", "", "\2h2");
		return hs;
	}
	hs.client_seq = 4711;
	hs.client_ack = 815;
	hs.client_ext = AS_X_ALPN | AS_X_SERVER_NAME;
	memset(hs.client_random, 0xaa, 32);
	names(&hs, "a.example", "\2h2\x08http/1.1", what == ANSWERED ? "\2h2" : "");
	return hs;
}

/* One of many handshakes, each with randoms of its own. */
static inline struct as_handshake numbered(uint32_t i, enum place at)
{
	struct as_handshake hs = seen(ANSWERED, at, T0 + i);

	memcpy(hs.client_random, &i, sizeof(i));
	memcpy(hs.server_random, &i, sizeof(i));
	return hs;
}

/* A socket of this host, and who holds it. */
static inline struct as_owner owner(uint64_t cookie, const char *comm)
{
	struct as_owner o = {.cookie = cookie, .pid = (uint32_t)cookie * 10};

	memcpy(o.comm, comm, strlen(comm));
	return o;
}

#endif
