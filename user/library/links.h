/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * links.h - lets go of uprobes, which takes the kernel 0.1 to 0.2 s for each: in a thread of its
 * own, for the agent must not stand still as long as that.
 */
#ifndef ALPNSCOPE_LINKS_H
#define ALPNSCOPE_LINKS_H

#include <stdbool.h>

struct bpf_link;
struct links;

/** links_new - start the thread; NULL when out of memory or threads. */
struct links *links_new(void);

/**
 * links_let_go - have @link destroyed soon; those handed over first go first.
 * @left: how many of its kind are still to be destroyed: 1 more now, 1 less then. The caller's,
 *        until links_free() has returned; read it with links_are_gone()
 *
 * Without memory, or with @l NULL, the link is destroyed at once.
 */
void links_let_go(struct links *l, struct bpf_link *link, unsigned int *left);

/** links_are_gone - all that were handed over with @left are destroyed. */
bool links_are_gone(const unsigned int *left);

/** links_free - wait until all are destroyed, end the thread; NULL is fine. */
void links_free(struct links *l);

#endif
