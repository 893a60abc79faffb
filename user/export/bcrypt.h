/* SPDX-License-Identifier: GPL-2.0-only */
/* bcrypt.h - passwords against bcrypt hashes, on a thread beside the agent's one. */
#ifndef ALPNSCOPE_BCRYPT_H
#define ALPNSCOPE_BCRYPT_H

#include <stdbool.h>
#include <stddef.h>

#include "loop.h"

#define BCRYPT_LEN 60 /* characters of a hash */
#define BCRYPT_COST_MAX 14 /* each step doubles the time; 10 is usual */
#define BCRYPT_PASSWORD_MAX 512 /* bytes, terminator included, that crypt(3) takes */
#define BCRYPT_WAITING_MAX 16

struct bcrypt;

/** Told of one password, on the loop's thread: was it @right? */
typedef void (*bcrypt_fn)(void *arg, bool right);

/**
 * bcrypt_is_hash - is @text a hash of bcrypt ($2a$, $2b$ or $2y$) of a cost that is taken?
 * @why: if not, what is right, a static string
 */
bool bcrypt_is_hash(const char *text, const char **why);

/**
 * bcrypt_new - a thread that waits for work. It has every signal blocked and a lower priority.
 * Returns NULL with errno set.
 */
struct bcrypt *bcrypt_new(struct loop *loop);

/**
 * bcrypt_ask - have @password (below BCRYPT_PASSWORD_MAX bytes) compared with @hash.
 * @fn: called once, never from within this call
 * Returns 0, -EBUSY when BCRYPT_WAITING_MAX wait already, or -ENOMEM.
 */
int bcrypt_ask(struct bcrypt *b, const char *hash, const char *password, bcrypt_fn fn, void *arg);

/** bcrypt_free - all that waits is told `false`; waits for the one that is at work, a second or
 * so at BCRYPT_COST_MAX. NULL is fine. */
void bcrypt_free(struct bcrypt *b);

#endif
