/* SPDX-License-Identifier: GPL-2.0-only */
/* commands.h - the subcommands: each takes its own argv and returns the exit code. */
#ifndef ALPNSCOPE_COMMANDS_H
#define ALPNSCOPE_COMMANDS_H

#include <stdbool.h>

/** cmd_run - the agent: observe, serve metrics and the socket. */
int cmd_run(int argc, char **argv);

/** cmd_watch - show events, of the running agent when there is one. */
int cmd_watch(int argc, char **argv);

/** cmd_read - show the events of a capture. */
int cmd_read(int argc, char **argv);

/** cmd_doctor - what works on this kernel with these privileges. */
int cmd_doctor(int argc, char **argv);

/** cmd_services - what each service negotiates; or have the agent forget what one chose. */
int cmd_services(int argc, char **argv);

/** cmd_check_config - what a configuration file says, or where it is wrong. */
int cmd_check_config(int argc, char **argv);

/** cmd_version - which alpnscope this is. */
int cmd_version(int argc, char **argv);

/** cmd_explain - all that is known of one service. */
int cmd_explain(int argc, char **argv);

/** cmd_grpc_ready - servers of this host that a strict gRPC client refuses. */
int cmd_grpc_ready(int argc, char **argv);

struct options;
struct report;

/** read_capture - `read` for others: the events of opt->file, into @report too unless it is NULL.
 * Returns the exit code. */
int read_capture(const struct options *opt, struct report *report);

/** asks_for_own - is something asked for that a running agent has settled for itself? That another
 * one runs all the same is said. */
bool asks_for_own(const struct options *opt, const char *name);

/**
 * connect_agent - connect to the running agent.
 * Returns a blocking fd to close, -ENOENT when none runs and none was asked for by --socket, or
 * another -errno; it is said in each case.
 */
int connect_agent(const struct options *opt);

/** report_command - `services` (0), `explain` (1) or `grpc-ready` (2), enum report_kind: from the
 * running agent, a capture, or by observing. Returns the exit code. */
int report_command(const struct options *opt, int kind);

#endif
