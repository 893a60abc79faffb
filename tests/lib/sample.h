/* SPDX-License-Identifier: GPL-2.0-only */
/* sample.h - one handshake as a starting point for tests: each changes what it tests. */
#ifndef TESTS_SAMPLE_H
#define TESTS_SAMPLE_H

#include <stdio.h>
#include <string.h>

#include "alpnscope/wire.h"
#include "event.h"

struct sample {
	struct as_handshake hs;
	struct event ev;
};

#define SAMPLE_WALL_NS 1767323045678901234 /* 2026-01-02T03:04:05.678901234Z */

/* The names of the record: host name, offered ProtocolNameList, chosen ProtocolNameList. */
static inline void sample_names(struct sample *s, const char *sni, size_t sni_len, const char *alpn,
				size_t alpn_len, const char *selected, size_t selected_len)
{
	struct as_handshake *hs = &s->hs;

	memcpy(hs->names, sni, sni_len);
	memcpy(hs->names + sni_len, alpn, alpn_len);
	memcpy(hs->names + sni_len + alpn_len, selected, selected_len);
	hs->sni_len = (__u16)sni_len;
	hs->alpn_len = (__u16)alpn_len;
	hs->selected_len = (__u16)selected_len;
}

/* As sample_names, of string literals. */
#define SAMPLE_NAMES(s, sni, alpn, selected)                                                       \
	sample_names(s, sni, sizeof(sni) - 1, alpn, sizeof(alpn) - 1, selected,                    \
		     sizeof(selected) - 1)

/* Judge the facts as they stand now. */
static inline void sample_judge(struct sample *s)
{
	verdict_outcome(&s->hs, &s->ev.verdict);
}

/* TLS 1.2, 10.0.0.1:50123 to 10.0.0.2:443, h2 of h2 and http/1.1, seen at the server. */
static inline void sample_init(struct sample *s)
{
	static const __u8 client[4] = {10, 0, 0, 1}, server[4] = {10, 0, 0, 2};
	struct as_handshake *hs = &s->hs;

	memset(s, 0, sizeof(*s));
	hs->abi = AS_ABI;
	hs->kind = AS_KIND_HANDSHAKE;
	hs->end = AS_END_SERVER_HELLO;
	hs->family = 4;
	hs->flags = AS_F_SERVER_HELLO;
	hs->hello_ns = 1000000;
	hs->server_ns = hs->end_ns = 1000000 + 1234567;
	memset(hs->client_addr + 10, 0xff, 2);
	memcpy(hs->client_addr + 12, client, 4);
	memset(hs->server_addr + 10, 0xff, 2);
	memcpy(hs->server_addr + 12, server, 4);
	hs->client_port = 50123;
	hs->server_port = 443;
	hs->client_ext = AS_X_SERVER_NAME | AS_X_ALPN;
	hs->server_ext = AS_X_ALPN;
	hs->client_version = hs->server_version = AS_TLS12;
	for (int i = 0; i < 32; i++)
		hs->client_random[i] = (__u8)i;
	SAMPLE_NAMES(s, "www.example.org", "\x02h2\x08http/1.1", "\x02h2");
	s->ev.hs = hs;
	s->ev.wall_ns = SAMPLE_WALL_NS;
	strcpy(s->ev.ifname, "eth0");
	s->ev.side_count = 1;
	s->ev.side[0].role = ROLE_SERVER;
	strcpy(s->ev.side[0].service, "nginx.service");
	sample_judge(s);
}

/* Expect @name of the first side, and the fallback @cause. */
static inline void sample_expect(struct sample *s, const char *name, enum cause cause)
{
	struct event_side *side = &s->ev.side[0];

	side->expect.source = EXPECT_CONFIGURED;
	side->expect.count = 1;
	snprintf(side->expect.name[0], sizeof(side->expect.name[0]), "%s", name);
	side->cause = cause;
}

#endif
