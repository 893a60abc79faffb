/* SPDX-License-Identifier: GPL-2.0-only */
/* sample_event.h - a plain event for tests to vary. */
#ifndef ALPNSCOPE_SAMPLE_EVENT_H
#define ALPNSCOPE_SAMPLE_EVENT_H

#include <string.h>

#include "event.h"

/** struct sample - a handshake and its event; the event points into itself. */
struct sample {
	struct as_handshake hs;
	struct event ev;
};

/** name_of - the protocol name that is the string @text, which must live on. */
static inline struct alpn_name name_of(const char *text)
{
	return (struct alpn_name){(const uint8_t *)text, (uint8_t)strlen(text)};
}

/**
 * sample_init - a remote client offers h2 and http/1.1 over TLS 1.2 to nginx.service on
 * port 443, which chooses @chosen after 3 ms.
 */
static inline void sample_init(struct sample *s, const char *chosen)
{
	memset(s, 0, sizeof(*s));
	s->hs.kind = AS_KIND_HANDSHAKE;
	s->hs.server_port = 443;
	s->hs.hello_ns = 1000;
	s->hs.server_ns = 1000 + 3000000;
	s->ev.hs = &s->hs;
	s->ev.wall_ns = INT64_C(1700000000250000000);
	s->ev.verdict.outcome = OUTCOME_NEGOTIATED;
	s->ev.verdict.evidence = EVIDENCE_SERVER_HELLO;
	s->ev.verdict.has_offer = true;
	s->ev.verdict.offered.count = 2;
	s->ev.verdict.offered.name[0] = name_of("h2");
	s->ev.verdict.offered.name[1] = name_of("http/1.1");
	s->ev.verdict.has_chosen = true;
	s->ev.verdict.chosen = name_of(chosen);
	s->ev.verdict.version = 0x0303;
	s->ev.side_count = 1;
	s->ev.side[0].role = ROLE_SERVER;
	strcpy(s->ev.side[0].service, "nginx.service");
}

#endif
