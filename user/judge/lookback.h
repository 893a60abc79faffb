/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lookback.h - handshakes of a capture that wait for what the rest of it teaches of their
 * servers (learn.h). Those behind one that waits wait too: their order is kept.
 */
#ifndef ALPNSCOPE_LOOKBACK_H
#define ALPNSCOPE_LOOKBACK_H

#include "learn.h"
#include "merge.h"

#define LOOKBACK_MAX 1024 /* that wait, 1.3 KiB each. Then the first one goes on as it is */

struct lookback;

/** Takes a judged handshake; both are valid during the call only. */
typedef void (*lookback_fn)(void *arg, const struct merged *m, const struct verdict *v);

/**
 * lookback_new - nothing waits.
 * @book: what judges; it must outlive this, and nobody else may ask for its losses
 * Returns NULL when out of memory.
 */
struct lookback *lookback_new(struct learn_book *book, lookback_fn fn, void *arg);

/** lookback_free - forget what waits (lookback_flush). NULL is fine. */
void lookback_free(struct lookback *l);

/**
 * lookback_add - judge a handshake, and hand over all that need not wait any more.
 * Without memory it is handed over at once, and all before it.
 */
void lookback_add(struct lookback *l, const struct merged *m);

/** lookback_flush - nothing more will be learned: hand over all. */
void lookback_flush(struct lookback *l);

#endif
