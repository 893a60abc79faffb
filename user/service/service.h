/* SPDX-License-Identifier: GPL-2.0-only */
/* service.h - what a service is called, and what is expected of it: told by the operator, or
 * observed. */
#ifndef ALPNSCOPE_SERVICE_H
#define ALPNSCOPE_SERVICE_H

#include "config.h"
#include "verdict.h"

struct service_book;

/**
 * struct service_key - one service: a workload, its port and one server name.
 * @name: the local workload (event_side.service)
 * @server_port: host byte order
 * @role: an end has expectations of its own
 * @sni: @sni_len hostile bytes, may be NULL with 0; host names do not differ by the
 *       case of ASCII letters (RFC 6066 section 3)
 *
 * The rest is no part of the service; rules ask for it. Addresses are 16 bytes in network order,
 * IPv4 mapped, NULL when not known.
 * @other_port: the one on the other side of an address translation (what a client of a
 *       published port dialled), 0 for none
 * @server_addr, @other_addr: likewise
 * @client_addr: as the client has it itself
 * @work: NULL when nothing is known
 */
struct service_key {
	const char *name;
	uint16_t server_port;
	enum role role;
	const uint8_t *sni;
	size_t sni_len;
	uint16_t other_port;
	const uint8_t *server_addr, *other_addr, *client_addr;
	const struct workload *work;
};

/**
 * service_new - an empty book.
 * @limit: the most services whose observed expectation is kept; beyond it a new
 *         one is not learned (an invented SNI must not push out a real service), nor are
 *         more for one name than it leaves free: half of them at the most
 * Returns NULL when out of memory.
 */
struct service_book *service_new(size_t limit);

/** service_free - forget everything; NULL is fine. A configuration stays its owner's. */
void service_free(struct service_book *book);

/**
 * service_expect - configure an expectation from the text of --expect: a rule behind those of the
 * configuration file, for the roles server and transit.
 * @spec: "[PORT=]ID[,ID...]", best first, e.g. "h2" or "8443=h2,http/1.1"; without a
 *        port it holds for every server port that has none of its own. A second
 *        one for the same port is refused.
 * @error: on failure a sentence fragment naming what is wrong with @spec
 *
 * Returns 0, -EINVAL or -ENOMEM; on failure nothing is changed.
 */
int service_expect(struct service_book *book, const char *spec, char *error, size_t error_size);

/** service_configure - @config takes the place of the one before; NULL for none. It must outlive
 * the book, or the next call. */
void service_configure(struct service_book *book, const struct config *config);

/**
 * struct service_facts - what the book says of one end of a handshake.
 * @name: the configured name, or that of the key; static, or as long as the configuration
 * @expect: EXPECT_NONE when nothing is expected
 * @reserved: the configuration has that name with that port
 * @exempt: no fallback is counted of this client
 */
struct service_facts {
	const char *name;
	struct expectation expect;
	bool reserved;
	bool exempt;
};

/**
 * service_find - what the operator says of @key, and, where that is nothing, what was observed.
 *
 * The first rule of the configuration that matches names it; it says what is expected, or, without
 * `expect`, --expect does, or what was observed under that name. What is observed of a client's or
 * router's handshakes is what that server has shown.
 * @out: filled whole
 */
void service_find(const struct service_book *book, const struct service_key *key,
		  struct service_facts *out);

/**
 * service_learn - remember that @key, by the name that service_find() gave, has itself chosen @v's
 * protocol, when it is a better HTTP family than any it chose before (evidence that is certain, or
 * inferred with GRADE_EXACT, only: a wrong lesson would stay). Other
 * outcomes and other protocols teach nothing.
 */
void service_learn(struct service_book *book, const struct service_key *key,
		   const struct verdict *v);

/** service_refused - how many times a service was not learned because the book was full
 * (or memory was). */
uint64_t service_refused(const struct service_book *book);

/** service_restore - @key has chosen @protocol in an earlier life; as if it were learned now.
 * Returns 0, -EINVAL for a protocol that no lesson can hold, -ENOSPC when there is no room. */
int service_restore(struct service_book *book, const struct service_key *key, const char *protocol);

/** service_forget - forget what was observed of all services called @name: of how many keys. */
unsigned int service_forget(struct service_book *book, const char *name);

/** service_changes - grows whenever what is observed changes. */
uint64_t service_changes(const struct service_book *book);

/** One service that is known without a handshake; @key has no more than its own four parts. */
typedef void (*service_each_fn)(void *arg, const struct service_key *key,
				const struct expectation *expect);

/** service_observed - call @fn for each service that something was observed of. */
void service_observed(const struct service_book *book, service_each_fn fn, void *arg);

/**
 * service_configured - call @fn for each service of the configuration that has a name and a port:
 * for each of its ports and roles, those that it names or else server. No server names.
 */
void service_configured(const struct service_book *book, service_each_fn fn, void *arg);

#endif
