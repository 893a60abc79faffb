/* SPDX-License-Identifier: GPL-2.0-only */
/* listener.h - who listens on which TCP ports, in every network namespace, as /proc tells. */
#ifndef ALPNSCOPE_LISTENER_H
#define ALPNSCOPE_LISTENER_H

#include <stdint.h>

#define LISTENERS_MAX 4096

/**
 * struct listener - one address and port at which a socket listens. One that takes any address is
 * reported for each that its namespace has.
 * @addr: 16 bytes in network order, IPv4 mapped
 * @port: host byte order
 * @pid: the process that has the socket, the first of several of one name
 * @comm: that process' name, not always terminated
 */
struct listener {
	uint8_t addr[16];
	uint16_t port;
	uint32_t pid;
	char comm[16];
};

/**
 * listener_scan - report each listening socket that programs of one name have (systemd, which
 * hands sockets out, aside), LISTENERS_MAX sockets at the most. It reads the open files of
 * every process that we may look at: 30 ms with 100 processes, some 50 more with 20,000 files more.
 */
void listener_scan(void (*fn)(void *arg, const struct listener *l), void *arg);

#endif
