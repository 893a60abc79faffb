/* SPDX-License-Identifier: GPL-2.0-only */
/* tap.h - a mirror port (SPAN): is this one, and how it gets to hear all of it. */
#ifndef ALPNSCOPE_TAP_H
#define ALPNSCOPE_TAP_H

#include <stddef.h>

/**
 * tap_check - may every frame that @name receives be dropped?
 * @error: when not, one line: the interface, why not, the next step
 *
 * No while this host lives by them: it has an address (other than an IPv6 link-local one, which
 * every interface has), a default route goes out there, it is a port of a bridge or bond, or a
 * VLAN or macvlan device of this network namespace is on top of it.
 * Returns 0 or -errno, -EBUSY for such an interface.
 */
int tap_check(unsigned int ifindex, const char *name, char *error, size_t error_size);

/** tap_promiscuous - have @ifindex take frames that are not addressed to it, as long as the
 * returned fd is open (a crash closes it too). -errno; -EPERM without CAP_NET_RAW. */
int tap_promiscuous(unsigned int ifindex);

#endif
