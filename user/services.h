/* SPDX-License-Identifier: GPL-2.0-only */
/* services.h - the book of services with all that fills it: --expect, the configuration file and
 * its reloading, the directory of what was observed. */
#ifndef ALPNSCOPE_SERVICES_H
#define ALPNSCOPE_SERVICES_H

#include "aggregate.h"
#include "identity.h"
#include "options.h"
#include "report.h"
#include "service.h"
#include "state.h"

/**
 * struct services - all zero until services_open().
 * @aggregate: gets the series of what is known; NULL without counters
 * @report: gets the configured services; NULL without reports
 * @path: of the configuration file, NULL without
 * @loaded: its last reading went well, or there is none
 * @loaded_ns: when one last did, CLOCK_REALTIME; 0 without a file
 */
struct services {
	struct service_book *book;
	struct config *config;
	struct state *state;
	struct aggregate *aggregate;
	struct report *report;
	const char *path;
	bool loaded;
	int64_t loaded_ns;
};

/**
 * services_open - do what --expect, --config and --state-dir say.
 * @loop: NULL for a capture
 * Returns 0, or -errno after an error that was said; services_close() then all the same.
 */
int services_open(struct services *s, const struct options *opt, struct aggregate *aggregate,
		  struct loop *loop);

/** services_report - have @report know the configured services, and requests for reports answered
 * from it; NULL for none. It must outlive @s. */
void services_report(struct services *s, struct report *report);

/** services_listener - of identity_on_listener(): who listens on this host has a place in the
 * metrics. */
void services_listener(struct services *s, const struct identity_listener *l);

/** services_reload - read the configuration file again. One that has an error is said, and the one
 * before stays in force. Without a file nothing. */
void services_reload(struct services *s);

/** services_note - after each event: what was learned is kept soon. */
void services_note(struct services *s);

/**
 * services_ask - answer a request of the control socket: a report's (report_query.h), or "forget
 * name=NAME", for the owner only.
 * @owner: root asks, or the agent's own user
 * As control_ask_fn.
 */
int services_ask(struct services *s, bool owner, char *line, struct buf *out, char *error,
		 size_t error_size);

/** services_close - keep what was learned, free all. */
void services_close(struct services *s);

#endif
