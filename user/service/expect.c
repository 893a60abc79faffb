// SPDX-License-Identifier: GPL-2.0-only
#include "expect.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

int expect_add(struct expectation *e, const char *id, size_t len, char *error, size_t error_size)
{
	if (len == 0) {
		snprintf(error, error_size,
			 "a protocol name is empty; write them as in \"h2,http/1.1\"");
		return -EINVAL;
	}
	if (len >= EXPECT_NAME_MAX) {
		snprintf(error, error_size, "protocol name \"%.*s\" is longer than %d bytes",
			 (int)len, id, EXPECT_NAME_MAX - 1);
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++) {
		if (isgraph((unsigned char)id[i]))
			continue;
		snprintf(error, error_size,
			 "protocol name number %u has a blank or a byte that is not printable",
			 e->count + 1);
		return -EINVAL;
	}
	if (e->count == EXPECT_MAX) {
		snprintf(error, error_size, "there are more than %d protocol names", EXPECT_MAX);
		return -EINVAL;
	}
	memset(e->name[e->count], 0, EXPECT_NAME_MAX);
	memcpy(e->name[e->count++], id, len);
	return 0;
}

bool expect_registered(const char *id, size_t len)
{
	const struct alpn_name alpn = {(const uint8_t *)id, (uint8_t)len};

	return alpn_registered(&alpn) || alpn_family(&alpn) != ALPN_OTHER;
}
