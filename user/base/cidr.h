/* SPDX-License-Identifier: GPL-2.0-only */
/* cidr.h - networks as people write them. */
#ifndef ALPNSCOPE_CIDR_H
#define ALPNSCOPE_CIDR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CIDR_TEXT_MAX 50 /* bytes of a network as text, terminator included */

/**
 * struct cidr - a network (RFC 4632 section 3.1, RFC 4291 section 2.3).
 * @addr: network order, IPv4 as ::ffff:a.b.c.d
 * @bits: length of the prefix of @addr, so 96 to 128 for IPv4
 */
struct cidr {
	uint8_t addr[16];
	uint8_t bits;
};

/**
 * cidr_parse - read "192.0.2.7", "192.0.2.0/24", "2001:db8::/32"; an address is a network of one.
 * @error: on failure a sentence that names @text and says what is right; an address with bits
 *         behind the prefix is refused with the network it is in
 * Returns 0 or -EINVAL.
 */
int cidr_parse(const char *text, struct cidr *out, char *error, size_t error_size);

/** cidr_has - is @addr (network order, IPv4 mapped) in the network? ::/0 holds no IPv4 address. */
bool cidr_has(const struct cidr *net, const uint8_t addr[16]);

/** cidr_text - as cidr_parse() reads it. */
void cidr_text(const struct cidr *net, char out[CIDR_TEXT_MAX]);

#endif
