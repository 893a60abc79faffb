/* SPDX-License-Identifier: GPL-2.0-only */
/* identity.h - whose end of a handshake is ours, and which workload it belongs to. */
#ifndef ALPNSCOPE_IDENTITY_H
#define ALPNSCOPE_IDENTITY_H

#include "event.h"

#define IDENTITY_PORTS_MAX 4096 /* listening ports whose workload is remembered */

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
 * identity_sides - fill in ev->side_count and each side's role and service.
 *
 * An end is ours when a socket of this host sent its hello (in any network namespace), or
 * when its address is ours (and not one that NAT put there or took away). Its service is the name of the process that held the socket;
 * for a server that sent nothing in this handshake, of the process that last answered on
 * the same address and port; else "unknown".
 */
void identity_sides(struct identity *identity, struct event *ev);

#endif
