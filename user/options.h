/* SPDX-License-Identifier: GPL-2.0-only */
/* options.h - the command line: one table for parsing and for help. */
#ifndef ALPNSCOPE_OPTIONS_H
#define ALPNSCOPE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "attach.h"
#include "filter.h"
#include "output.h"

/* Exit codes of every subcommand. */
#define EXIT_OK 0
#define EXIT_ERROR 1
#define EXIT_USAGE 2
#define EXIT_FINDING 3 /* only with --fail-on */

#define OPTIONS_LIST_MAX 32

/* Which subcommands take an option. */
#define FOR_RUN 1U
#define FOR_WATCH 2U
#define FOR_READ 4U
#define FOR_DOCTOR 8U
#define FOR_VERSION 16U
#define FOR_CHECK_CONFIG 32U
#define FOR_SERVICES 64U
#define FOR_EXPLAIN 128U
#define FOR_GRPC_READY 256U

/**
 * struct options - what the command line said; strings point into it.
 * @interfaces, @any: -i; without either any, but for a --tap, which then is all there is
 * @taps: --tap
 * @form_set: -o was given
 * @duration_ms: 0 without end
 * @roles: --role: bits 1 << enum role, 0 for all
 * @fail_on_fallback: exit EXIT_FINDING when there was one
 * @fail_on_not_ready: likewise, a server that is not ready for gRPC
 * @library: ask TLS libraries
 * @config: --config
 * @state_dir: --state-dir
 * @forget: --forget
 * @web_config: --web.config.file, NULL without
 * @textfile: --textfile, NULL without
 * @service: the operand of `explain`
 * @file: the operand of `read` or `check-config`, or --read; NULL for `check-config` of a web
 *        configuration alone
 */
struct options {
	const char *interface[OPTIONS_LIST_MAX];
	unsigned int interfaces;
	bool any;
	const char *tap[OPTIONS_LIST_MAX];
	unsigned int taps;
	const char *expect[OPTIONS_LIST_MAX];
	unsigned int expects;
	struct event_filter filter;
	enum output_form form;
	bool form_set;
	uint64_t count;
	uint64_t duration_ms;
	unsigned int roles;
	bool fail_on_fallback;
	bool library;
	bool fail_on_not_ready;
	bool quiet, verbose;
	enum attach_hook hook;
	uint32_t flows;
	uint32_t slots;
	const char *listen_address;
	const char *telemetry_path;
	const char *web_config;
	const char *textfile;
	const char *socket;
	const char *config;
	const char *state_dir;
	const char *forget;
	const char *service;
	const char *file;
};

/** options_taps - is the interface given by --tap? */
bool options_taps(const struct options *o, const char *name);

/** options_observes - is the interface to be observed, by a tap or else? */
bool options_observes(const struct options *o, const char *name);

/** options_about - what the subcommand FOR_* does, in one line. */
const char *options_about(unsigned int command);

/**
 * options_parse - read the arguments of a subcommand.
 * @command: FOR_*; @name: as the user typed it
 * @operand: what it takes besides options ("FILE"), or NULL
 * @argv: from the subcommand's name on
 * Returns -1 to go on, or the exit code: help was printed, or an error said.
 */
int options_parse(struct options *o, unsigned int command, const char *name, const char *operand,
		  int argc, char **argv);

#endif
