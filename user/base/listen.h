/* SPDX-License-Identifier: GPL-2.0-only */
/* listen.h - from the text of --web.listen-address to a listening TCP socket. */
#ifndef ALPNSCOPE_LISTEN_H
#define ALPNSCOPE_LISTEN_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct listener - a socket that listens.
 * @fd: non-blocking, closed on exec
 * @address: "HOST:PORT" with the real port, an IPv6 host in brackets
 * @loopback: only this host can reach it
 */
struct listener {
	int fd;
	char address[64];
	bool loopback;
};

/** listen_is_address - has @text the form that listen_on() takes? No name is looked up. */
bool listen_is_address(const char *text);

/**
 * listen_on - listen on @address: "HOST:PORT", "[IPV6]:PORT", or ":PORT" for every
 * address of both families. A host with addresses of both families gets its IPv4 one.
 * @error: on failure one line that names the option, the cause and the next step
 * Returns 0 or -1.
 */
int listen_on(const char *address, struct listener *listener, char *error, size_t error_size);

#endif
