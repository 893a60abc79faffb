/* SPDX-License-Identifier: GPL-2.0-only */
/* agent_privilege.h - what the live observer keeps of its privileges once it runs. */
#ifndef ALPNSCOPE_AGENT_PRIVILEGE_H
#define ALPNSCOPE_AGENT_PRIVILEGE_H

#include "attach.h"
#include "options.h"

/**
 * agent_privilege_drop - everything is open, loaded and attached: keep what following interfaces,
 * naming processes and what was asked for by @opt take (README, "Without root"), and say which
 * names will be missing. Returns 0 or -errno.
 */
int agent_privilege_drop(const struct options *opt, const struct attach *attach);

#endif
