/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * report_query.h - what is asked of a report, and the answer as text. A running agent is asked by a
 * line (control.h):
 *
 *   services   [output=columns|json] [color=1] [port=N]... [role=NAME]... [fallback_only=1]
 *   explain    service=NAME[:PORT] [port=N]... [role=NAME]...
 *   grpc-ready [output=columns|json] [color=1] [port=N]... [role=NAME]...
 *
 * values percent-encoded. The answer ends with the line "end finding=0" or "end finding=1".
 */
#ifndef ALPNSCOPE_REPORT_QUERY_H
#define ALPNSCOPE_REPORT_QUERY_H

#include "report_list.h"

#define REPORT_END "end finding="

/**
 * report_answer - append the answer to @q.
 * @finding: set to whether there is what --fail-on asks for: a fallback, or for REPORT_GRPC_READY a
 *           server that answers an offer of h2 with something else
 * @error: on failure one line: what is wrong, and what there is
 * Returns 0 or -errno.
 */
int report_answer(const struct report *report, const struct report_query *q, struct buf *out,
		  bool *finding, char *error, size_t error_size);

/** report_request - append the request line for @q, newline included. */
void report_request(const struct report_query *q, struct buf *line);

/**
 * report_ask - answer a request line of the control socket.
 * As control_ask_fn; -ENOENT leaves @line as it is.
 */
int report_ask(const struct report *report, char *line, struct buf *out, char *error,
	       size_t error_size);

/** report_set_role - add the role called @value to the bits @roles. 0, or -EINVAL with what is right
 * in @error. */
int report_set_role(unsigned int *roles, const char *value, char *error, size_t error_size);

#endif
