/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * steady.h - an agent without kernel and ring, and records of services that it knows: the modules
 * in the order in which `alpnscope run` has them.
 */
#ifndef TESTS_STEADY_H
#define TESTS_STEADY_H

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "flights.h"
#include "pipeline.h"
#include "services.h"

#define GAP_NS 20000 /* 50,000 records a second */
#define ROUND_NS 10000000 /* how often the agent lets go of what it held */
#define KINDS 8

struct rig {
	struct pipeline p;
	struct services services;
	struct options opt;
	struct as_handshake kind[KINDS];
	uint64_t now; /* of the clock of its own */
	uint64_t seen; /* the real one: who sent a record has to live */
	uint32_t number;
	uint64_t events;
};

static inline bool is_local(const void *arg, unsigned int ifindex, const uint8_t addr[16])
{
	(void)arg, (void)ifindex;
	return addr[12] == 192;
}

static inline void on_event(void *arg, const struct event *ev)
{
	struct rig *r = arg;

	r->events += ev->side_count > 0;
}

static inline uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static inline void address(uint8_t addr[16], uint8_t first, uint32_t number)
{
	memset(addr, 0, 10);
	memset(addr + 10, 0xff, 2);
	addr[12] = first;
	addr[13] = (uint8_t)(number >> 16);
	addr[14] = (uint8_t)(number >> 8);
	addr[15] = (uint8_t)number;
}

/* TLS 1.2 of @hs: the choice is in clear. */
static inline void chooses(struct as_handshake *hs, const char *name)
{
	uint8_t *to = hs->names + hs->sni_len + hs->alpn_len;

	hs->server_version = AS_TLS12;
	memset(&hs->server_flight, 0, sizeof(hs->server_flight));
	memset(&hs->client_flight, 0, sizeof(hs->client_flight));
	to[0] = (uint8_t)strlen(name);
	memcpy(to + 1, name, to[0]);
	hs->selected_len = to[0] + 1;
	hs->server_ext |= AS_X_ALPN;
}

/* This process is the socket's owner. */
static inline void own(struct as_owner *o, bool process)
{
	struct stat st;

	o->cookie = 4711;
	if (!stat("/sys/fs/cgroup", &st))
		o->cgroup = st.st_ino;
	o->pid = process ? (uint32_t)getpid() : 0;
	strcpy(o->comm, process ? "bench" : "");
}

static const char *const kind_names[KINDS] = {
	"1.2, h2, server's process known",	"1.2, h2, listener by its port",
	"1.2, http/1.1 for h2, in transit",	"1.3, h2 exact, server's process known",
	"1.3, h2 exact, listener by its port",	"1.3, no answer known, in transit",
	"1.3, no ALPN, client's process known", "no answer",
};

static inline void make_kinds(struct as_handshake *hs)
{
	static const char flight[] = "32/0 700/0 281/0 69/0 100/1 60/2";

	for (int i = 0; i < KINDS; i++) {
		hs[i] = tls13(i == 6 ? NULL : "h2,http/1.1", SNI, i == 5 ? "1200/0 413/1" : flight,
			      i == 5 ? "69/1 86/1" : "69/4 70/4 44/4 80/4");
		hs[i].server_port = (__u16)(443 + i);
		address(hs[i].server_addr, 192, 1);
		hs[i].client_ack = 815;
		if (i < 3)
			chooses(&hs[i], i == 2 ? "http/1.1" : "h2");
	}
	own(&hs[0].server, true);
	own(&hs[3].server, true);
	own(&hs[6].client, true);
	address(hs[2].server_addr, 198, 1);
	address(hs[5].server_addr, 198, 1);
	hs[7].flags = 0;
	hs[7].server_version = 0;
	hs[7].end = AS_END_TIMEOUT;
	for (int i = 0; i < KINDS; i++)
		hs[i].size = (__u16)(offsetof(struct as_handshake, names) + hs[i].sni_len +
				     hs[i].alpn_len + hs[i].selected_len);
}

/* One more record of @kind, from a client that was not there before. */
static inline void record(struct rig *r, int kind)
{
	struct as_handshake *hs = &r->kind[kind];
	uint32_t n = ++r->number;

	address(hs->client_addr, 10, n);
	hs->client_port = (__u16)(1024 + n % 60000);
	hs->client_seq = n * 2654435761U;
	memcpy(hs->client_random, &n, sizeof(n));
	if (hs->flags & AS_F_SERVER_HELLO)
		memcpy(hs->server_random, &n, sizeof(n));
	hs->hello_ns = r->seen;
	hs->server_ns = hs->flags & AS_F_SERVER_HELLO ? r->seen + 1 : 0;
	hs->end_ns = r->seen + 2;
	r->now += GAP_NS;
	pipeline_record(&r->p, hs);
	if (n % (ROUND_NS / GAP_NS) == 0) {
		pipeline_time(&r->p, r->now);
		r->seen = clock_ns(CLOCK_MONOTONIC);
	}
}

static inline int begin(struct rig *r)
{
	r->p = (struct pipeline){.identity = identity_new(is_local, NULL),
				 .aggregate = aggregate_new(AGGREGATE_SERIES_DEFAULT),
				 .report = report_new(REPORT_SERVICES_MAX),
				 .sink = on_event,
				 .sink_arg = r};
	if (!r->p.identity || !r->p.aggregate || !r->p.report ||
	    services_open(&r->services, &r->opt, r->p.aggregate, NULL) || pipeline_merge(&r->p))
		return -ENOMEM;
	services_report(&r->services, r->p.report);
	r->p.book = r->services.book;
	r->now = r->seen = clock_ns(CLOCK_MONOTONIC);
	make_kinds(r->kind);
	return 0;
}

/* Somebody listens where two kinds have no process: they are this one's, as far as was seen. */
static inline void listen_there(struct rig *r)
{
	for (int kind = 0; kind < KINDS; kind++) {
		struct as_owner none = r->kind[kind].server;

		if (kind != 1 && kind != 4)
			continue;
		own(&r->kind[kind].server, true);
		record(r, kind);
		r->kind[kind].server = none;
	}
}

static inline void end(struct rig *r)
{
	identity_free(r->p.identity);
	services_close(&r->services);
	learn_free(r->p.learn);
	aggregate_free(r->p.aggregate);
	report_free(r->p.report);
	merge_free(r->p.merge);
}

#endif
