/* SPDX-License-Identifier: GPL-2.0-only */
/* state_text.h - observed expectations as the text that is kept in a file. */
#ifndef ALPNSCOPE_STATE_TEXT_H
#define ALPNSCOPE_STATE_TEXT_H

#include "buf.h"
#include "service.h"

/*
 * Version 1, lines that end with a newline:
 *
 *   alpnscope-observed 1
 *   ROLE PORT PROTOCOL SERVICE SNI
 *   end N
 *
 * N is how many services stand between. SERVICE and SNI are escaped as names in events are
 * (buf.h), a blank as \x20; a service without a server name has "-", one that is called so \x2d.
 */
#define STATE_VERSION "1"

/**
 * struct state_read - what became of a text.
 * @services: that were taken
 * @refused: that found no room in the book
 * @damaged: lines that are none, or a text that does not begin or end as it should
 * @line, @why: the first damage, from 1; "" when there is none
 */
struct state_read {
	unsigned int services, refused, damaged;
	unsigned int line;
	const char *why;
};

/** state_write_text - append what @book has observed. */
void state_write_text(const struct service_book *book, struct buf *out);

/**
 * state_read_text - add to @book what a text says; whatever lines are right are taken, but nothing
 * of another version.
 * @text: @len hostile bytes
 */
struct state_read state_read_text(struct service_book *book, const char *text, size_t len);

#endif
