/* SPDX-License-Identifier: GPL-2.0-only */
/* privilege.h - give up what is no longer needed. */
#ifndef ALPNSCOPE_PRIVILEGE_H
#define ALPNSCOPE_PRIVILEGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** PRIVILEGE - a capability (CAP_*) as a member of a set. */
#define PRIVILEGE(cap) (UINT64_C(1) << (cap))

/**
 * privilege_fix - nothing that this process starts or executes gets more than it has
 * (PR_SET_NO_NEW_PRIVS), and no other process of its user looks into its memory, nor does a core
 * dump take it along (PR_SET_DUMPABLE). For threads that begin later as well.
 */
void privilege_fix(void);

/** privilege_has - is @cap (CAP_*) in the calling thread's effective set? */
bool privilege_has(unsigned int cap);

/**
 * privilege_keep - give up, for good, all capabilities of the calling thread but some.
 * @keep: PRIVILEGE() of those; what the thread has not got is left out
 * The bounding set goes with them where CAP_SETPCAP is there; without it no_new_privs makes up for
 * it. Returns 0 or -errno.
 */
int privilege_keep(uint64_t keep);

/**
 * privilege_writes - can files be made in the directory @dir without the capabilities @without?
 * @without: PRIVILEGE() of what is about to be given up
 */
bool privilege_writes(const char *dir, uint64_t without);

#endif
