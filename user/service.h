/* SPDX-License-Identifier: GPL-2.0-only */
/* service.h - what is expected of a service: told by the operator, or observed. */
#ifndef ALPNSCOPE_SERVICE_H
#define ALPNSCOPE_SERVICE_H

#include "verdict.h"

struct service_book;

/**
 * struct service_key - one service: a workload, its port and one server name.
 * @name: the local workload (event_side.service)
 * @server_port: host byte order
 * @role: an end has expectations of its own
 * @sni: @sni_len hostile bytes, may be NULL with 0; host names do not differ by the
 *       case of ASCII letters (RFC 6066 section 3)
 * @other_port: the one on the other side of an address translation (what a client of a
 *       published port dialled), 0 for none; what is configured for it holds unless something
 *       is for @server_port. No part of the service.
 */
struct service_key {
	const char *name;
	uint16_t server_port;
	enum role role;
	const uint8_t *sni;
	size_t sni_len;
	uint16_t other_port;
};

/**
 * service_new - an empty book.
 * @limit: the most services whose observed expectation is kept; beyond it a new
 *         one is not learned (an invented SNI must not push out a real service)
 * Returns NULL when out of memory.
 */
struct service_book *service_new(size_t limit);

/** service_free - forget everything; NULL is fine. */
void service_free(struct service_book *book);

/**
 * service_expect - configure an expectation from the text of --expect.
 * @spec: "[PORT=]ID[,ID...]", best first, e.g. "h2" or "8443=h2,http/1.1"; without a
 *        port it holds for every server port that has none of its own. A second
 *        one for the same port is refused.
 * @error: on failure a sentence fragment naming what is wrong with @spec
 *
 * Returns 0, -EINVAL or -ENOMEM; on failure nothing is changed.
 */
int service_expect(struct service_book *book, const char *spec, char *error, size_t error_size);

/**
 * service_expectation - what @key should negotiate: configured before observed.
 *
 * What the operator configured is about servers: it holds for the roles server and
 * transit. A program of this host that calls somebody else's server (role client) is
 * held to what that server has shown only.
 * @out: filled whole; EXPECT_NONE when nothing is expected
 */
void service_expectation(const struct service_book *book, const struct service_key *key,
			 struct expectation *out);

/**
 * service_learn - remember that @key has itself chosen @v's protocol, when it is a
 * better HTTP family than any it chose before (evidence that is certain, or
 * inferred with GRADE_EXACT, only: a wrong lesson would stay). Other
 * outcomes and other protocols teach nothing.
 */
void service_learn(struct service_book *book, const struct service_key *key,
		   const struct verdict *v);

/** service_refused - how many times a service was not learned because the book was full
 * (or memory was). */
uint64_t service_refused(const struct service_book *book);

#endif
