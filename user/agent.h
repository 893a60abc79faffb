/* SPDX-License-Identifier: GPL-2.0-only */
/* agent.h - the live observer, put together for `run`, and for `watch` without one. */
#ifndef ALPNSCOPE_AGENT_H
#define ALPNSCOPE_AGENT_H

#include <stdbool.h>

#include "options.h"
#include "report.h"

/**
 * agent_run - observe until a signal, --count or --duration ends it.
 * @daemon: serve metrics and the socket
 * @report: takes every event, and answers on the socket; NULL for none
 * Returns an exit code; errors have been said.
 */
int agent_run(const struct options *options, bool daemon, struct report *report);

#endif
