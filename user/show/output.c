// SPDX-License-Identifier: GPL-2.0-only
#include "output.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "format.h"
#include "log.h"

static void give_up(struct output *out)
{
	out->error = errno;
	out->done = true;
	buf_clear(&out->backlog);
	out->sent = 0;
	out->dropped = 0;
}

/* ---- live: without waiting ---- */

static size_t pending(const struct output *out)
{
	return out->backlog.len - out->sent;
}

bool output_waits(const struct output *out)
{
	return pending(out) || out->dropped;
}

/* False when it takes nothing for @wait_ms, or has failed. A pipe that can be written takes PIPE_BUF
 * bytes without a wait; its mode is not ours to change, others have it open too. */
static bool write_some(struct output *out, int wait_ms)
{
	struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};
	size_t len = pending(out) < PIPE_BUF ? pending(out) : PIPE_BUF;
	ssize_t n;

	if (poll(&fd, 1, wait_ms) <= 0)
		return false;
	n = write(STDOUT_FILENO, out->backlog.data + out->sent, len);
	if (n >= 0)
		out->sent += (size_t)n;
	else if (errno != EAGAIN && errno != EINTR)
		give_up(out);
	return n >= 0;
}

static void tell_dropped(struct output *out)
{
	if (out->form == OUTPUT_JSON)
		buf_printf(&out->backlog, "{\"alpnscope\":{\"dropped\":%" PRIu64 "}}\n",
			   out->dropped);
	else
		buf_printf(&out->backlog,
			   "# %" PRIu64 " events not shown: the reader was too slow\n",
			   out->dropped);
	out->dropped = 0;
}

/* What was written makes room; moving seldom keeps that cheap. */
static void compact(struct output *out)
{
	if (pending(out) && out->sent < OUTPUT_BACKLOG_MAX / 2)
		return;
	if (pending(out))
		memmove(out->backlog.data, out->backlog.data + out->sent, pending(out));
	out->backlog.len -= out->sent;
	out->sent = 0;
}

void output_go_on(struct output *out)
{
	for (;;) {
		/* Not at the first free byte, or every other line were such a notice. */
		if (out->dropped && pending(out) < OUTPUT_BACKLOG_MAX / 2)
			tell_dropped(out);
		if (!pending(out) || !write_some(out, 0))
			break;
	}
	compact(out);
}

static void leave_out(struct output *out)
{
	out->dropped++;
	if (!out->said)
		log_info("standard output: its reader is too slow; events are left out, and a line "
			 "among the others says how many");
	out->said = true;
}

static void enqueue(struct output *out)
{
	if (out->dropped || pending(out) + out->line.len > OUTPUT_BACKLOG_MAX)
		leave_out(out);
	else
		buf_add(&out->backlog, out->line.data, out->line.len);
	if (out->backlog.failed || out->line.failed) {
		errno = ENOMEM;
		give_up(out);
	}
	output_go_on(out);
}

void output_end(struct output *out)
{
	uint64_t lost = out->dropped;

	while (pending(out) && write_some(out, OUTPUT_END_MS))
		;
	for (size_t i = out->sent; i < out->backlog.len; i++)
		lost += out->backlog.data[i] == '\n';
	if (lost)
		log_error("standard output: nobody reads it; the last %" PRIu64 " events are lost",
			  lost);
}

void output_free(struct output *out)
{
	buf_free(&out->line);
	buf_free(&out->backlog);
}

/* ---- one line ---- */

/* One write a line: a reader behind a pipe sees it at once. */
static void print(struct output *out)
{
	if (out->live && out->line.len)
		enqueue(out);
	else if (out->line.len &&
		 (fwrite(out->line.data, 1, out->line.len, stdout) != out->line.len ||
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
