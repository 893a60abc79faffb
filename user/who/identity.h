/* SPDX-License-Identifier: GPL-2.0-only */
/* identity.h - whose end of a handshake is ours, and which workload it belongs to. */
#ifndef ALPNSCOPE_IDENTITY_H
#define ALPNSCOPE_IDENTITY_H

#include "event.h"

#define IDENTITY_PORTS_MAX 4096 /* places where somebody listens that are remembered */

struct identity;

/** Is the address (network order, IPv4 mapped) one of this host's, where it was seen on
 * @ifindex? What a mirror port shows is somebody else's traffic. */
typedef bool (*identity_local_fn)(const void *arg, unsigned int ifindex, const uint8_t addr[16]);

/**
 * identity_new - knows nothing yet.
 * @is_local: NULL for a capture: nobody is at home there, every role is transit
 * Returns NULL when out of memory.
 */
struct identity *identity_new(identity_local_fn is_local, const void *arg);

void identity_free(struct identity *identity);

/**
 * struct identity_listener - who listens at an address and port of this host.
 * @addr: 16 bytes in network order, IPv4 mapped
 * @port: host byte order
 */
struct identity_listener {
	const uint8_t *addr;
	uint16_t port;
	const struct workload *work;
};

/** Told of each listener that a look finds (@l is valid during the call only), and, with @l NULL,
 * once before the first one of each look. */
typedef void (*identity_listener_fn)(void *arg, const struct identity_listener *l);

/** identity_on_listener - have @fn called by identity_look(). */
void identity_on_listener(struct identity *identity, identity_listener_fn fn, void *arg);

/**
 * identity_look - find out who listens now, so that a server has a name before it first answers. It
 * is done again when a server without a known name is met, every second at the most, and
 * ever more seldom, to every 64 s, while that does not help.
 */
void identity_look(struct identity *identity);

/**
 * identity_sides - fill in ev->side_count and each side's role, workload and service.
 *
 * An end is ours when a socket of this host sent its hello (in any network namespace), or
 * when its address is ours (and not one that NAT put there or took away). Its workload is that of
 * the process that held the socket, as far as that is not known of the cgroup that made the socket;
 * for a server that sent nothing in this handshake, of the process that last answered, or listens,
 * on the same address and port. The service is called as workload_name() says, else "unknown".
 */
void identity_sides(struct identity *identity, struct event *ev);

#endif
