// SPDX-License-Identifier: GPL-2.0-only
#include "buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Room for @more bytes and a terminator. */
static bool reserve(struct buf *b, size_t more)
{
	size_t need = b->len + more + 1;
	size_t size = b->size ? b->size : 256;
	char *data;

	if (b->failed)
		return false;
	if (need <= b->size)
		return true;
	while (size < need)
		size *= 2;
	data = realloc(b->data, size);
	if (!data) {
		b->failed = true;
		return false;
	}
	b->data = data;
	b->size = size;
	return true;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
	if (!len || !reserve(b, len))
		return;
	memcpy(b->data + b->len, bytes, len);
	b->len += len;
	b->data[b->len] = '\0';
}

void buf_puts(struct buf *b, const char *text)
{
	buf_add(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *format, ...)
{
	va_list args;
	int len;

	va_start(args, format);
	len = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (len < 0 || !reserve(b, (size_t)len))
		return;
	va_start(args, format);
	vsnprintf(b->data + b->len, (size_t)len + 1, format, args);
	va_end(args);
	b->len += (size_t)len;
}

void buf_escaped(struct buf *b, const uint8_t *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t c = bytes[i];

		if (c > 0x20 && c < 0x7f && c != '\\')
			buf_add(b, &c, 1);
		else if (c == ' ')
			buf_add(b, " ", 1);
		else
			buf_printf(b, "\\x%02x", c);
	}
}

void buf_cut(struct buf *b, const char *text, size_t room)
{
	size_t len = strlen(text), keep = room - 1;

	if (len <= room) {
		buf_add(b, text, len);
		return;
	}
	for (size_t i = 1; i <= 3 && i <= keep; i++)
		if (text[keep - i] == '\\')
			keep -= i;
	buf_add(b, text, keep);
	buf_puts(b, "~");
}

void buf_clear(struct buf *b)
{
	b->len = 0;
	b->failed = false;
	if (b->data)
		b->data[0] = '\0';
}

void buf_free(struct buf *b)
{
	free(b->data);
	*b = (struct buf){0};
}
