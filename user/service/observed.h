/* SPDX-License-Identifier: GPL-2.0-only */
/* observed.h - the best protocol that each service has itself chosen; for service.c. */
#ifndef ALPNSCOPE_OBSERVED_H
#define ALPNSCOPE_OBSERVED_H

#include "service.h"

struct observed_entry;
struct observed_share;

/**
 * struct observed - all zero is an empty one.
 * @limit: the most entries, each for one service_key
 * @refused: times that one more was not taken
 * @changes: grows with each change
 * @shares: how many entries each name has; no more than it leaves free: half of @limit for one
 */
struct observed {
	size_t limit;
	uint64_t refused, changes;
	struct observed_entry *entries;
	struct observed_share *shares;
};

/** observed_clear - forget all, give the memory back. */
void observed_clear(struct observed *o);

/**
 * observed_add - @key has chosen @chosen; kept when it is of a better HTTP family than before.
 * Returns 0, -EINVAL for what is no HTTP or too long for an expectation, -ENOSPC, counted, when
 * there is no room for the key.
 */
int observed_add(struct observed *o, const struct service_key *key, const struct alpn_name *chosen);

/** observed_find - the expectation of @key; @out is left as it is when there is none. */
void observed_find(const struct observed *o, const struct service_key *key,
		   struct expectation *out);

/** observed_forget - remove all entries of the name @name: how many. */
unsigned int observed_forget(struct observed *o, const char *name);

/** observed_each - call @fn for each; it must not change @o. */
void observed_each(const struct observed *o, service_each_fn fn, void *arg);

#endif
