/* SPDX-License-Identifier: GPL-2.0-only */
/* compat.h - what differs between kernels: how a program gets in front of an interface's
 * traffic. Each difference is one function, found by trying. */
#ifndef ALPNSCOPE_COMPAT_H
#define ALPNSCOPE_COMPAT_H

#include <stdbool.h>
#include <stdint.h>

enum compat_side { COMPAT_INGRESS, COMPAT_EGRESS };

/** compat_tcx_attach - attach @prog_fd at the head of @ifindex's chain by a tcx link
 * (Linux 6.6, e420bed02507). Returns the link's fd, -EOPNOTSUPP when the kernel has no tcx,
 * or another negative errno. The link ends when the fd is closed, by a crash too. */
int compat_tcx_attach(int prog_fd, unsigned int ifindex, enum compat_side side);

#define COMPAT_TCX_MAX 64 /* programs on one side of an interface: the kernel's own limit */

/** compat_tcx_list - the ids of the programs on @ifindex, in the order in which they run.
 * Returns how many; 0 also when there is no tcx or they may not be asked for. */
unsigned int compat_tcx_list(unsigned int ifindex, enum compat_side side,
			     uint32_t ids[COMPAT_TCX_MAX]);

/**
 * struct compat_clsact - our filters on one interface's clsact qdisc.
 * @created: the qdisc is an agent's: ours, or that of another, alive or crashed
 * @handle: of both filters
 * @side: by enum compat_side, where there is one
 */
struct compat_clsact {
	unsigned int ifindex;
	bool created;
	bool side[2];
	uint32_t handle;
};

/**
 * compat_clsact_attach - attach the programs as the first filters of a clsact qdisc.
 * @in_fd, @out_fd: -1 leaves that side out
 *
 * Filters that crashed agents left are removed. Returns 0 or -errno: -EEXIST when there is
 * an `ingress` qdisc, which has no egress side, in clsact's place (with @out_fd), -EADDRINUSE when a
 * filter of another kind or protocol has our priority.
 */
int compat_clsact_attach(int in_fd, int out_fd, unsigned int ifindex, struct compat_clsact *c);

/** compat_clsact_has_tap - is one of the agents' filters of arrivals on @ifindex a tap? A
 * crashed agent's too. */
bool compat_clsact_has_tap(unsigned int ifindex);

/** compat_clsact_clean - remove what crashed agents left on @ifindex, for an agent that came
 * in by tcx. */
void compat_clsact_clean(unsigned int ifindex);

/** compat_clsact_detach - remove our filters, and the qdisc if an agent created it and
 * nobody else has a filter there. */
void compat_clsact_detach(const struct compat_clsact *c);

#endif
