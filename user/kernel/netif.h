/* SPDX-License-Identifier: GPL-2.0-only */
/* netif.h - this host's network interfaces and addresses, followed by rtnetlink. */
#ifndef ALPNSCOPE_NETIF_H
#define ALPNSCOPE_NETIF_H

#include <net/if.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loop.h"

struct netif;

/**
 * struct netif_link - one interface.
 * @index: the kernel's number for it
 * @arphrd: the hardware type, ARPHRD_* of <net/if_arp.h>
 * @up: IFF_UP, as the administrator set it
 */
struct netif_link {
	unsigned int index;
	char name[IF_NAMESIZE];
	uint16_t arphrd;
	bool up;
};

enum netif_event {
	NETIF_APPEARED, /* link->up tells whether it is up already */
	NETIF_VANISHED,
	NETIF_UP,
	NETIF_DOWN,
	NETIF_RENAMED, /* from old_name */
};

/**
 * struct netif_change - what happened to one interface.
 * @link: its state after the change; its last one when it vanished. Lasts until the
 *        callback returns.
 * @old_name: NULL unless it was renamed
 *
 * An interface that changes its hardware type vanishes and appears.
 */
struct netif_change {
	enum netif_event event;
	const struct netif_link *link;
	const char *old_name;
};

/** Told of a change, after the table has it (VANISHED: has it no more). It may ask
 * netif_* about other interfaces, but not call netif_free. */
typedef void (*netif_fn)(void *arg, const struct netif_change *change);

/**
 * netif_new - learn all interfaces and addresses, then follow them in @loop.
 * @fn: told NETIF_APPEARED for each interface there is before this returns, and of
 *      every change from then on; when the kernel lost messages, of the difference
 * @error: on failure one line: what failed, the cause, the next step
 *
 * It sees the network namespace it was made in. No privileges are needed.
 * Returns NULL on failure.
 */
struct netif *netif_new(struct loop *loop, netif_fn fn, void *arg, char *error, size_t error_size);

/** netif_free - stop following; before loop_free. @netif may be NULL. */
void netif_free(struct netif *netif);

/**
 * netif_is_local - is @addr this host's?
 * @addr: 16 bytes in network order, IPv4 as ::ffff:a.b.c.d
 *
 * True for an address of an interface, 127.0.0.0/8 (RFC 1122 section 3.2.1.3) and
 * ::1 (RFC 4291 section 2.5.3).
 */
bool netif_is_local(const struct netif *netif, const uint8_t addr[16]);

/** netif_name - the name of interface @ifindex, NULL when there is none. It lasts
 * until the loop runs next. */
const char *netif_name(const struct netif *netif, unsigned int ifindex);

/** netif_by_name - the interface called @name, NULL when there is none. It lasts
 * until the loop runs next. */
const struct netif_link *netif_by_name(const struct netif *netif, const char *name);

#endif
