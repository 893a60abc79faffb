/* SPDX-License-Identifier: GPL-2.0-only */
/* cgroup.h - the path of a cgroup, by its id or by a process that lives in it. */
#ifndef ALPNSCOPE_CGROUP_H
#define ALPNSCOPE_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CGROUP_PATHS_MAX 4096 /* ids whose path is remembered, also once the cgroup is gone */
#define CGROUP_PATH_MAX 4096 /* bytes of a path, terminator included */

struct cgroups;

/**
 * struct cgroup_process - a process, and when it was seen.
 * @pid: thread group leader, 0 when not known
 * @seen_ns: CLOCK_MONOTONIC; a process that began later only has the same number
 */
struct cgroup_process {
	uint32_t pid;
	uint64_t seen_ns;
};

/** cgroups_new - look for the hierarchies among this process' mounts. NULL when out of memory; that
 * no hierarchy is mounted is no error. */
struct cgroups *cgroups_new(void);

/** cgroups_free - forget all; NULL is fine. */
void cgroups_free(struct cgroups *c);

/**
 * cgroups_path - where a cgroup is, below its root.
 * @id: in the cgroup2 hierarchy; 0 when not known
 * @process: lives in it; asked when the id does not tell: without CAP_DAC_READ_SEARCH, and on hosts
 *           that use cgroup version 1, where systemd's hierarchy names the place
 *
 * Returns hostile bytes ("/" for the root), valid until the next call; NULL when it cannot be known.
 * An id is never used again, so what was found once stays true.
 */
const char *cgroups_path(struct cgroups *c, uint64_t id, const struct cgroup_process *process);

/** cgroup_same_process - does @process still live, and is not another one with its number? */
bool cgroup_same_process(const struct cgroup_process *process);

#endif
