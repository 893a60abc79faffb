/* SPDX-License-Identifier: GPL-2.0-only */
/* output.h - events on stdout. */
#ifndef ALPNSCOPE_OUTPUT_H
#define ALPNSCOPE_OUTPUT_H

#include "buf.h"
#include "event.h"
#include "filter.h"

enum output_form { OUTPUT_NONE, OUTPUT_COLUMNS, OUTPUT_JSON };

/**
 * struct output - what to print, and what came of it.
 * @limit: lines to print, 0 without end
 * @gather: nobody waits for a line: many are written at once
 * @color: stdout is a terminal and NO_COLOR is not set
 * @shown: lines printed so far
 * @fallbacks: fallbacks among them, whether or not printed
 * @undetermined, @incomplete: those among them of which no fallback can be told
 * @headed: the header was printed
 * @done: the limit is reached, or stdout is gone
 * @error: errno of the write that failed, 0 while stdout is well
 */
struct output {
	enum output_form form;
	struct event_filter filter;
	uint64_t limit;
	bool gather;
	bool color;
	uint64_t shown;
	uint64_t fallbacks;
	uint64_t undetermined, incomplete;
	bool headed;
	bool done;
	int error;
	struct buf line;
};

/** output_header - the columns' names, when there are columns; once, and before the first
 * event anyway. */
void output_header(struct output *out);

/** output_flush - write what was gathered. */
void output_flush(struct output *out);

/** output_failed - has stdout failed? Says so; that its reader left (EPIPE) is no failure. */
bool output_failed(const struct output *out);

/** output_event - print @ev if the filter lets it: one line, flushed unless they are
 * gathered. */
void output_event(struct output *out, const struct event *ev);

#endif
