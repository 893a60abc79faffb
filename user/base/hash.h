/* SPDX-License-Identifier: GPL-2.0-only */
/* hash.h - uthash with a hash that takes 16 bytes at a time: our keys are long. */
#ifndef ALPNSCOPE_HASH_H
#define ALPNSCOPE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Drawn at random when the program starts, so that nobody can choose keys that meet. */
extern uint64_t hash_secret[2];

/* Both halves of a product depend on all bits of both factors. */
static inline uint64_t hash_fold(uint64_t a, uint64_t b)
{
	__uint128_t product = (__uint128_t)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/**
 * hash_bytes - a hash of @len bytes that differs from one run of the program to the next.
 *
 * Multiply and fold, as in wyhash (Wang Yi, public domain).
 */
static inline uint64_t hash_bytes(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	uint64_t h = hash_secret[0] ^ len, word[2];

	for (; len > sizeof(word); len -= sizeof(word), at += sizeof(word)) {
		memcpy(word, at, sizeof(word));
		h = hash_fold(word[0] ^ hash_secret[1], word[1] ^ h);
	}
	word[0] = word[1] = 0;
	memcpy(word, at, len);
	h = hash_fold(word[0] ^ hash_secret[1], word[1] ^ h);
	return hash_fold(h ^ hash_secret[0], hash_secret[1]);
}

#define HASH_FUNCTION(key, len, value) ((value) = (unsigned int)hash_bytes(key, len))
#include <uthash.h>

#endif
