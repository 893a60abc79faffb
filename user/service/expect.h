/* SPDX-License-Identifier: GPL-2.0-only */
/* expect.h - an expectation as the operator writes it. */
#ifndef ALPNSCOPE_EXPECT_H
#define ALPNSCOPE_EXPECT_H

#include <stddef.h>

#include "verdict.h"

/**
 * expect_add - one protocol more, behind those that @e has.
 * @id: @len bytes
 * @error: on failure a sentence that names what is wrong with it
 * Returns 0 or -EINVAL; then @e is as it was.
 */
int expect_add(struct expectation *e, const char *id, size_t len, char *error, size_t error_size);

/** expect_registered - is @id an IANA ALPN ID, or one that a family knows? What is neither is most
 * often a slip, and then nothing can ever meet it. @len bytes, 0 to 255. */
bool expect_registered(const char *id, size_t len);

#endif
