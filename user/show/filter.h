/* SPDX-License-Identifier: GPL-2.0-only */
/* filter.h - which events a reader asked for; one rule set for options and socket. */
#ifndef ALPNSCOPE_FILTER_H
#define ALPNSCOPE_FILTER_H

#include "event.h"

#define FILTER_PORTS_MAX 16
#define FILTER_TEXT_MAX 256 /* bytes of a glob or a name, terminator included */

/**
 * struct event_filter - an event passes when it meets every condition that is set;
 * all zero lets every event through.
 * @port: server ports, host byte order; any of them, before or after address translation
 * @outcomes: bit set, 1 << enum outcome; any of them
 * @sni: glob on the escaped server name, "" for none
 * @alpn: escaped protocol name, offered or chosen, "" for none
 */
struct event_filter {
	unsigned int port_count;
	uint16_t port[FILTER_PORTS_MAX];
	unsigned int outcomes;
	char sni[FILTER_TEXT_MAX];
	char alpn[FILTER_TEXT_MAX];
	bool fallback_only;
};

/**
 * filter_set - add the condition that @key=@value names.
 * @key: "port" (1..65535, repeatable), "outcome" (as events name it: negotiated,
 *       ignored, ...; repeatable), "sni" (fnmatch(3) glob, letter case is ignored, no
 *       quoting by `\`), "alpn" (a protocol name as events write it), "fallback_only"
 *       ("1")
 * @error: on failure what is wrong with @value and what is right, without @key's name
 * Returns 0, -EINVAL for a bad value or a second "sni" or "alpn", -ENOENT for a key that is none of these.
 */
int filter_set(struct event_filter *f, const char *key, const char *value, char *error,
	       size_t error_size);

/**
 * filter_match - does @ev meet every condition of @f?
 *
 * A handshake without a server name matches no "sni"; "fallback_only" goes by the
 * first side's cause (alpn.fallback of the event).
 */
bool filter_match(const struct event_filter *f, const struct event *ev);

#endif
