/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * capture_file.h - captures for the tests, written byte by byte as
 * draft-ietf-opsawg-pcap and draft-ietf-opsawg-pcapng say, and what reading gives.
 */
#ifndef TEST_CAPTURE_FILE_H
#define TEST_CAPTURE_FILE_H

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "capture.h"

#define MAGIC_MICRO 0xa1b2c3d4
#define MAGIC_NANO 0xa1b23c4d
#define LINK_ETHERNET 1
#define SEC 1700000000
#define FRAMES_MAX 16

/* Linux cooked headers, v1 and v2, of a frame of this protocol. */
#define SLL(protocol) "\0\0\0\1\0\6\2\0\0\0\0\1\0\0" protocol
#define SLL2(protocol) protocol "\0\0\0\0\0\3\0\1\0\6\2\0\0\0\0\1\0\0"

static char dir[] = "/tmp/alpnscope-test.XXXXXX";
static char path[64];

/* A file under construction. */
struct bytes {
	uint8_t at[4096];
	size_t len;
	bool big;
};

/* What came out. */
struct seen {
	unsigned int count;
	unsigned int stop_at;
	struct capture_frame frame[FRAMES_MAX];
	uint8_t data[FRAMES_MAX][64];
	uint64_t frames;
	int ret;
	char error[512];
};

static inline void put(struct bytes *b, const void *data, size_t len)
{
	assert_true(b->len + len <= sizeof(b->at));
	if (len)
		memcpy(b->at + b->len, data, len);
	b->len += len;
}

static inline void put_number(struct bytes *b, uint64_t value, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		b->at[b->len + i] = (uint8_t)(value >> 8 * (b->big ? size - 1 - i : i));
	b->len += size;
}

static inline void put16(struct bytes *b, uint16_t value)
{
	put_number(b, value, 2);
}

static inline void put32(struct bytes *b, uint32_t value)
{
	put_number(b, value, 4);
}

static inline void pcap_header(struct bytes *b, uint32_t magic, uint32_t link)
{
	put32(b, magic);
	put16(b, 2);
	put16(b, 4);
	put32(b, 0);
	put32(b, 0);
	put32(b, 65535);
	put32(b, link);
}

static inline void pcap_frame(struct bytes *b, uint32_t sec, uint32_t fraction, const void *data,
			      uint32_t caplen, uint32_t len)
{
	put32(b, sec);
	put32(b, fraction);
	put32(b, caplen);
	put32(b, len);
	put(b, data, caplen);
}

static inline void block(struct bytes *b, uint32_t type, const struct bytes *body)
{
	uint32_t len = (uint32_t)((body->len + 3) / 4 * 4 + 12);

	put32(b, type);
	put32(b, len);
	put(b, body->at, body->len);
	put(b, "\0\0\0", (4 - body->len % 4) % 4);
	put32(b, len);
}

static inline void section(struct bytes *b)
{
	struct bytes body = {.big = b->big};

	put32(&body, 0x1a2b3c4d);
	put16(&body, 1);
	put16(&body, 0);
	put_number(&body, UINT64_MAX, 8);
	block(b, 0x0a0d0d0a, &body);
}

/* @resolution: option if_tsresol, 0 leaves it out */
static inline void interface(struct bytes *b, uint16_t link, uint32_t snaplen, uint8_t resolution)
{
	struct bytes body = {.big = b->big};

	put16(&body, link);
	put16(&body, 0);
	put32(&body, snaplen);
	if (resolution) {
		put16(&body, 9);
		put16(&body, 1);
		put(&body, &resolution, 1);
		put(&body, "\0\0\0", 3);
		put32(&body, 0);
	}
	block(b, 1, &body);
}

static inline void packet(struct bytes *b, uint32_t ifc, uint64_t time, const void *data,
			  uint32_t caplen, uint32_t len)
{
	struct bytes body = {.big = b->big};

	put32(&body, ifc);
	put32(&body, (uint32_t)(time >> 32));
	put32(&body, (uint32_t)time);
	put32(&body, caplen);
	put32(&body, len);
	put(&body, data, caplen);
	block(b, 6, &body);
}

static inline void save(const struct bytes *b, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_non_null(f);
	assert_int_equal(fwrite(b->at, 1, len, f), len);
	assert_int_equal(fclose(f), 0);
}

static inline int take(void *arg, const struct capture_frame *f)
{
	struct seen *s = arg;
	size_t keep = f->caplen < sizeof(s->data[0]) ? f->caplen : sizeof(s->data[0]);

	assert_true(f->offset <= f->caplen);
	if (s->count < FRAMES_MAX) {
		s->frame[s->count] = *f;
		memcpy(s->data[s->count], f->bytes, keep);
	}
	s->count++;
	return s->count == s->stop_at ? 7 : 0;
}

static inline void read_path(struct seen *s, const char *from)
{
	unsigned int stop_at = s->stop_at;

	memset(s, 0, sizeof(*s));
	s->stop_at = stop_at;
	s->ret = capture_read(from, take, s, &s->frames, s->error, sizeof(s->error));
	assert_int_equal(s->frames, s->count);
	assert_int_equal(s->ret < 0, s->error[0] != 0);
	assert_null(strchr(s->error, '\n'));
}

static inline void read_bytes(struct seen *s, const struct bytes *b)
{
	save(b, b->len);
	read_path(s, path);
}

static inline void expect_error(const struct seen *s, int ret, const char *text)
{
	assert_int_equal(s->ret, ret);
	if (!strstr(s->error, text))
		fail_msg("\"%s\" is not in: %s", text, s->error);
}

static inline int make_dir(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/file", dir);
	return 0;
}

static inline int remove_dir(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(dir);
}

#endif
