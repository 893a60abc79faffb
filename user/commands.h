/* SPDX-License-Identifier: GPL-2.0-only */
/* commands.h - the subcommands: each takes its own argv and returns the exit code. */
#ifndef ALPNSCOPE_COMMANDS_H
#define ALPNSCOPE_COMMANDS_H

/** cmd_run - the agent: observe, serve metrics and the socket. */
int cmd_run(int argc, char **argv);

/** cmd_watch - show events, of the running agent when there is one. */
int cmd_watch(int argc, char **argv);

/** cmd_read - show the events of a capture. */
int cmd_read(int argc, char **argv);

/** cmd_doctor - what works on this kernel with these privileges. */
int cmd_doctor(int argc, char **argv);

/** cmd_services - have the running agent forget what a service was seen to choose. */
int cmd_services(int argc, char **argv);

/** cmd_check_config - what a configuration file says, or where it is wrong. */
int cmd_check_config(int argc, char **argv);

/** cmd_version - which alpnscope this is. */
int cmd_version(int argc, char **argv);

/** read_capture - `read` for others: the events of opt->file. Returns the exit code. */
struct options;
int read_capture(const struct options *opt);

#endif
