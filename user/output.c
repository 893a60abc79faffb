// SPDX-License-Identifier: GPL-2.0-only
#include "output.h"

#include <stdio.h>

#include "format.h"

/* One write a line: a reader behind a pipe sees it at once. */
static void print(struct output *out)
{
	if (out->line.len &&
	    (fwrite(out->line.data, 1, out->line.len, stdout) != out->line.len || fflush(stdout)))
		out->done = true;
	buf_clear(&out->line);
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

void output_event(struct output *out, const struct event *ev)
{
	struct format_style style = {.color = out->color};

	if (out->done || !filter_match(&out->filter, ev))
		return;
	out->fallbacks += cause_is_fallback(ev->side[0].cause);
	if (out->form == OUTPUT_NONE)
		return;
	output_header(out);
	if (out->form == OUTPUT_JSON)
		format_json(ev, &out->line);
	else
		format_columns(ev, &out->line, &style);
	print(out);
	out->shown++;
	if (out->limit && out->shown >= out->limit)
		out->done = true;
}
