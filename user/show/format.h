/* SPDX-License-Identifier: GPL-2.0-only */
/* format.h - an event as a line of text. */
#ifndef ALPNSCOPE_FORMAT_H
#define ALPNSCOPE_FORMAT_H

#include "buf.h"
#include "event.h"

#define FORMAT_WIDTH 100 /* columns of a line for people, colour codes not counted */

/** struct format_style - how lines for people look. */
struct format_style {
	bool color; /* the caller knows of a terminal and of NO_COLOR */
};

/**
 * format_json - append @ev as one JSON object and a newline.
 *
 * docs/events.schema.json describes it, docs/EVENTS.md explains it. Pure ASCII
 * (RFC 8259); bytes of names from the wire that are not printable, and `\`, are
 * written \xNN inside the string.
 */
void format_json(const struct event *ev, struct buf *b);

/** format_header - append the line that names the columns. */
void format_header(struct buf *b, const struct format_style *style);

/**
 * format_columns - append @ev as one aligned line of at most FORMAT_WIDTH columns.
 *
 * The time is local. What does not fit is cut visibly: `~` stands for what is left
 * out, `+N` for N more names. SERVER is the name that the client asked for, else the
 * address; port 443 is left out. CHOSEN is `-` for none and `?` for unknown. RESULT
 * is the outcome, or why it fell short: `!` marks a fallback.
 */
void format_columns(const struct event *ev, struct buf *b, const struct format_style *style);

#endif
