// SPDX-License-Identifier: GPL-2.0-only
#include "output.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "log.h"

static void give_up(struct output *out)
{
	out->error = errno;
	out->done = true;
}

/* One write a line: a reader behind a pipe sees it at once. */
static void print(struct output *out)
{
	if (out->line.len && (fwrite(out->line.data, 1, out->line.len, stdout) != out->line.len ||
			      (!out->gather && fflush(stdout))))
		give_up(out);
	buf_clear(&out->line);
}

void output_flush(struct output *out)
{
	if (!out->error && fflush(stdout))
		give_up(out);
}

void output_header(struct output *out)
{
	struct format_style style = {.color = out->color};

	if (out->form != OUTPUT_COLUMNS || out->headed)
		return;
	out->headed = true;
	format_header(&out->line, &style);
	print(out);
}

bool output_failed(const struct output *out)
{
	if (!out->error || out->error == EPIPE)
		return false;
	log_error("standard output: %s; free space, or write elsewhere", strerror(out->error));
	return true;
}

static void show(struct output *out, const struct event *ev)
{
	struct format_style style = {.color = out->color};

	output_header(out);
	if (out->form == OUTPUT_JSON)
		format_json(ev, &out->line);
	else
		format_columns(ev, &out->line, &style);
	print(out);
}

void output_event(struct output *out, const struct event *ev)
{
	if (out->done || !filter_match(&out->filter, ev))
		return;
	out->fallbacks += cause_is_fallback(ev->side[0].cause);
	out->undetermined += ev->verdict.outcome == OUTCOME_UNDETERMINED;
	out->incomplete += ev->verdict.outcome == OUTCOME_INCOMPLETE;
	if (out->form != OUTPUT_NONE)
		show(out, ev);
	out->shown++;
	if (out->limit && out->shown >= out->limit)
		out->done = true;
}
