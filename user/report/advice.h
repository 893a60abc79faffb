/* SPDX-License-Identifier: GPL-2.0-only */
/* advice.h - what to do about a fallback: the configuration line for a program, and the commands
 * that show whether it helped. Knows no handshake and no store. */
#ifndef ALPNSCOPE_ADVICE_H
#define ALPNSCOPE_ADVICE_H

#include <stdbool.h>

#include "buf.h"

/**
 * advice_fix - append how to have a program negotiate HTTP/2, a few lines.
 * @name: of its process or service ("nginx", "nginx.service", "python3.11"); one that is not known
 *        gets what holds for all
 * @server: true for a server, false for a client
 * @port: the server's
 * @indent: put before each line
 */
void advice_fix(struct buf *out, const char *name, bool server, unsigned int port,
		const char *indent);

/** advice_title - which program advice_fix() speaks of, e.g. "nginx", or "this server". */
const char *advice_title(const char *name, bool server);

/**
 * struct advice_target - what to connect to.
 * @address: text, IPv6 without brackets
 * @sni: the server name, as escaped as it was seen; "" for none. One that a shell could
 *       misunderstand, or that is not one, is left out, and that is said.
 * @offer: names with commas; if they are no plain words, "h2,http/1.1" stands in
 */
struct advice_target {
	const char *address;
	unsigned int port;
	const char *sni;
	const char *offer;
};

/** advice_openssl - append the `openssl s_client -alpn` command line, without newline. */
void advice_openssl(struct buf *out, const struct advice_target *target);

/** advice_curl - append the `curl` command line, without newline; false (and nothing) when curl
 * cannot offer that: it knows "h2,http/1.1" and "http/1.1". */
bool advice_curl(struct buf *out, const struct advice_target *target);

/** advice_is_host - a server name that may stand in a command line. */
bool advice_is_host(const char *sni);

/** advice_offer - @target->offer, or what stands in for it. */
const char *advice_offer(const struct advice_target *target);

#endif
