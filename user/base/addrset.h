/* SPDX-License-Identifier: GPL-2.0-only */
/* addrset.h - the addresses of this host's interfaces; netif fills it. */
#ifndef ALPNSCOPE_ADDRSET_H
#define ALPNSCOPE_ADDRSET_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct addrset_key - one address as one interface holds it.
 * @addr, @peer: network order, IPv4 as ::ffff:a.b.c.d; @peer all zero when there is none
 *
 * An interface may hold an address several times, with other prefixes or peers.
 */
struct addrset_key {
	uint8_t addr[16];
	uint8_t peer[16];
	unsigned int ifindex;
	unsigned int prefix_len;
};

struct addrset_entry;
struct addrset_local;

/** struct addrset - all zero is an empty one. */
struct addrset {
	struct addrset_entry *entries;
	struct addrset_local *locals;
};

/** addrset_seen - @key exists, as told in @round. Returns 0 or -ENOMEM. */
int addrset_seen(struct addrset *set, const struct addrset_key *key, unsigned int round);

/** addrset_gone - @key exists no more. */
void addrset_gone(struct addrset *set, const struct addrset_key *key);

/** addrset_link_gone - an interface took its addresses with it. */
void addrset_link_gone(struct addrset *set, unsigned int ifindex);

/** addrset_sweep - all that was not seen in @round exists no more. */
void addrset_sweep(struct addrset *set, unsigned int round);

/** addrset_has - does any interface hold @addr (16 bytes, network order)? */
bool addrset_has(const struct addrset *set, const uint8_t addr[16]);

/** addrset_clear - empty it and give its memory back. */
void addrset_clear(struct addrset *set);

#endif
