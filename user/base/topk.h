/* SPDX-License-Identifier: GPL-2.0-only */
/* topk.h - the most frequent addresses of a stream, in a fixed amount of memory. */
#ifndef ALPNSCOPE_TOPK_H
#define ALPNSCOPE_TOPK_H

#include <stdint.h>

#define TOPK_PLACES 32

/**
 * struct topk_entry - one address.
 * @addr: network order, IPv4 as ::ffff:a.b.c.d
 * @count: how often it came, or up to @over times less
 * @over: 0 for an address that never had to make way
 */
struct topk_entry {
	uint8_t addr[16];
	uint64_t count;
	uint64_t over;
};

/** struct topk - all zero is an empty one. */
struct topk {
	unsigned int used;
	struct topk_entry entry[TOPK_PLACES];
};

/**
 * topk_add - @addr came once more.
 *
 * When no place is free the rarest makes way, and its count is taken over ("space saving",
 * Metwally, Agrawal and El Abbadi 2005): whoever came more often than one time in TOPK_PLACES
 * has a place, whatever else came.
 */
void topk_add(struct topk *t, const uint8_t addr[16]);

/** topk_sort - most frequent first, equal ones by address; the counting goes on after it. */
void topk_sort(struct topk *t);

#endif
