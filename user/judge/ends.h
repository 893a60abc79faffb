/* SPDX-License-Identifier: GPL-2.0-only */
/* ends.h - the two ends of a handshake as one place on its way saw them. */
#ifndef ALPNSCOPE_ENDS_H
#define ALPNSCOPE_ENDS_H

#include <stdint.h>
#include <string.h>

#include "alpnscope/handshake.h"

/**
 * struct ends - addresses and ports.
 * @family: 4 or 6
 * @client_addr, @server_addr: network order, IPv4 as ::ffff:a.b.c.d
 * @client_port, @server_port: host byte order
 */
struct ends {
	uint8_t family;
	uint8_t client_addr[16], server_addr[16];
	uint16_t client_port, server_port;
};

/** ends_of - those that @hs was seen with. */
static inline struct ends ends_of(const struct as_handshake *hs)
{
	struct ends e = {.family = hs->family,
			 .client_port = hs->client_port,
			 .server_port = hs->server_port};

	memcpy(e.client_addr, hs->client_addr, sizeof(e.client_addr));
	memcpy(e.server_addr, hs->server_addr, sizeof(e.server_addr));
	return e;
}

#endif
