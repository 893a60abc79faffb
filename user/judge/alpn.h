/* SPDX-License-Identifier: GPL-2.0-only */
/* alpn.h - protocol names as they stand on the wire, and what they mean. */
#ifndef ALPNSCOPE_ALPN_H
#define ALPNSCOPE_ALPN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ALPN_NAMES_MAX 256 /* the most that as_handshake keeps: 256 empty names */

/** struct alpn_name - one protocol name; bytes are hostile and not terminated. */
struct alpn_name {
	const uint8_t *bytes;
	uint8_t len;
};

/** struct alpn_list - names in the order of the wire, GREASE (RFC 8701) left out. */
struct alpn_list {
	unsigned int count;
	struct alpn_name name[ALPN_NAMES_MAX];
};

/** enum alpn_family - names that speak the same protocol; a higher one is better. */
enum alpn_family {
	ALPN_OTHER, /* not HTTP: never better or worse than another */
	ALPN_HTTP1_0, /* http/1.0, http/0.9, istio-http/1.0 */
	ALPN_HTTP1_1, /* http/1.1, istio-http/1.1 */
	ALPN_HTTP2, /* h2 and its drafts (h2-16), h2c, istio-h2, grpc-exp */
	ALPN_HTTP3, /* h3 and its drafts (h3-29) */
};

/**
 * alpn_parse - cut a ProtocolNameList (RFC 7301 section 3.1) into names.
 * @bytes, @len: the list without its own two bytes of length; NULL with 0
 * @list: filled; its names point into @bytes
 *
 * An empty name, which the RFC forbids, is kept: it was on the wire. A name that
 * runs past the end is left out (the list was truncated), as is all that follows
 * the first ALPN_NAMES_MAX names.
 */
void alpn_parse(const uint8_t *bytes, size_t len, struct alpn_list *list);

/**
 * alpn_grease - @name is one of the 16 reserved two-byte values of RFC 8701
 * section 2, which nobody may negotiate.
 */
bool alpn_grease(const struct alpn_name *name);

/** alpn_contains - @list has a name of exactly the bytes of @name. */
bool alpn_contains(const struct alpn_list *list, const struct alpn_name *name);

/** alpn_family - the family of @name; names are case-sensitive (RFC 7301 section 6). */
enum alpn_family alpn_family(const struct alpn_name *name);

/**
 * alpn_registered - the name as an IANA "TLS ALPN Protocol ID", if it is one.
 *
 * Returns a static printable string that a metric label may carry, or NULL. Names
 * that only a family knows (h3-29, istio-h2, grpc-exp) are not registered.
 */
const char *alpn_registered(const struct alpn_name *name);

/** alpn_equal - the same bytes. */
bool alpn_equal(const struct alpn_name *a, const struct alpn_name *b);

/** alpn_is - @name is exactly the bytes of the string @text. */
bool alpn_is(const struct alpn_name *name, const char *text);

#endif
