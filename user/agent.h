/* SPDX-License-Identifier: GPL-2.0-only */
/* agent.h - the live observer, put together for `run`, and for `watch` without one. */
#ifndef ALPNSCOPE_AGENT_H
#define ALPNSCOPE_AGENT_H

#include <stdbool.h>

#include "options.h"

/**
 * agent_run - observe until a signal, --count or --duration ends it.
 * @daemon: serve metrics and the socket
 * Returns an exit code; errors have been said.
 */
int agent_run(const struct options *options, bool daemon);

#endif
