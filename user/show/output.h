/* SPDX-License-Identifier: GPL-2.0-only */
/* output.h - events on stdout. */
#ifndef ALPNSCOPE_OUTPUT_H
#define ALPNSCOPE_OUTPUT_H

#include "buf.h"
#include "event.h"
#include "filter.h"

#define OUTPUT_BACKLOG_MAX (1U << 20) /* bytes that wait for a slow reader */
#define OUTPUT_END_MS 1000 /* how long a reader may read nothing in the end */

enum output_form { OUTPUT_NONE, OUTPUT_COLUMNS, OUTPUT_JSON };

/**
 * struct output - what to print, and what came of it.
 * @limit: lines to print, 0 without end
 * @gather: nobody waits for a line: many are written at once
 * @live: a slow reader must not hold us up: what stdout does not take waits, and beyond
 *   OUTPUT_BACKLOG_MAX events are left out; a line says how many
 * @color: stdout is a terminal and NO_COLOR is not set
 * @shown: lines printed so far
 * @fallbacks: fallbacks among them, whether or not printed
 * @undetermined, @incomplete: those among them of which no fallback can be told
 * @headed: the header was printed
 * @done: the limit is reached, or stdout is gone
 * @error: errno of the write that failed, 0 while stdout is well
 * @backlog: when live, what stdout has not taken; @sent: bytes of it that are gone
 * @dropped: events left out since there was room; @said: that there are such was said
 */
struct output {
	enum output_form form;
	struct event_filter filter;
	uint64_t limit;
	bool gather, live;
	bool color;
	uint64_t shown;
	uint64_t fallbacks;
	uint64_t undetermined, incomplete;
	bool headed;
	bool done;
	int error;
	struct buf line;
	struct buf backlog;
	size_t sent;
	uint64_t dropped;
	bool said;
};

/** output_header - the columns' names, when there are columns; once, and before the first
 * event anyway. */
void output_header(struct output *out);

/** output_flush - write what was gathered. */
void output_flush(struct output *out);

/** output_waits - is there something that stdout has not taken? Then output_go_on() when it can be
 * written again. */
bool output_waits(const struct output *out);

/** output_go_on - write what stdout takes without making us wait. */
void output_go_on(struct output *out);

/** output_end - write the rest, for as long as stdout takes something every OUTPUT_END_MS; says
 * what is lost. */
void output_end(struct output *out);

/** output_free - let go of the memory. */
void output_free(struct output *out);

/** output_failed - has stdout failed? Says so; that its reader left (EPIPE) is no failure. */
bool output_failed(const struct output *out);

/** output_event - print @ev if the filter lets it: one line, flushed unless they are
 * gathered. */
void output_event(struct output *out, const struct event *ev);

#endif
