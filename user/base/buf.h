/* SPDX-License-Identifier: GPL-2.0-only */
/* buf.h - a growing text buffer. */
#ifndef ALPNSCOPE_BUF_H
#define ALPNSCOPE_BUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct buf - text under construction; all zero is an empty one.
 * @data: `len` bytes and a terminator, or NULL while empty
 * @failed: memory ran out once; the text is not whole
 */
struct buf {
	char *data;
	size_t len;
	size_t size;
	bool failed;
};

/** buf_add - append @len bytes. */
void buf_add(struct buf *b, const void *bytes, size_t len);

/** buf_puts - append a string. */
void buf_puts(struct buf *b, const char *text);

/** buf_printf - append formatted text. */
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** buf_escaped - append hostile bytes: printable ASCII as it is, all else and `\`
 * as \xNN (design: names from the wire are data, never control). */
void buf_escaped(struct buf *b, const uint8_t *bytes, size_t len);

/** buf_cut - append at most @room (1 or more) columns of a string; `~` stands for what is cut, and
 * no \xNN is cut in two. */
void buf_cut(struct buf *b, const char *text, size_t room);

/** buf_clear - empty it, keep its memory. */
void buf_clear(struct buf *b);

/** buf_free - give its memory back; it is empty then. */
void buf_free(struct buf *b);

#endif
