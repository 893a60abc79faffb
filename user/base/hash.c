// SPDX-License-Identifier: GPL-2.0-only
#include "hash.h"

#include <sys/random.h>

/* Where the kernel gives no random bytes: digits of pi. */
uint64_t hash_secret[2] = {0x243f6a8885a308d3, 0x13198a2e03707345};

__attribute__((constructor)) static void draw_secret(void)
{
	uint64_t secret[2];

	if (getrandom(secret, sizeof(secret), 0) != (ssize_t)sizeof(secret))
		return;
	hash_secret[0] = secret[0];
	hash_secret[1] = secret[1] | 1;
}
