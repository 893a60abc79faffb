// SPDX-License-Identifier: GPL-2.0-only
/* capture: files that are cut, damaged, mixed, or no captures at all. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "capture_file.h"

/* Each cut: the whole frames before it, then an error unless it is between frames. */
static void check_cuts(const struct bytes *b, const size_t *frame_end, unsigned int frames,
		       size_t first, const size_t *whole, unsigned int wholes)
{
	struct seen s = {0};

	for (size_t len = 0; len <= b->len; len++) {
		unsigned int expected = 0;
		bool clean = false;

		while (expected < frames && frame_end[expected] <= len)
			expected++;
		for (unsigned int i = 0; i < wholes; i++)
			clean |= whole[i] == len && len >= first;
		save(b, len);
		read_path(&s, path);
		assert_int_equal(s.count, expected);
		for (unsigned int i = 0; i < expected; i++) {
			assert_int_equal(s.frame[i].caplen, 5 + i);
			assert_memory_equal(s.data[i], "abcdefgh", 5 + i);
		}
		assert_int_equal(s.ret == 0, clean);
		if (!clean)
			assert_non_null(strstr(s.error, path));
		if (!clean && len > first)
			expect_error(&s, -EBADMSG, "is cut short");
	}
}

static void test_cut_pcap(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct bytes b = {.big = big};
		size_t end[4];

		pcap_header(&b, MAGIC_MICRO, LINK_ETHERNET);
		end[0] = b.len;
		for (uint32_t i = 0; i < 3; i++) {
			pcap_frame(&b, SEC, 0, "abcdefgh", 5 + i, 100);
			end[1 + i] = b.len;
		}
		check_cuts(&b, end + 1, 3, end[0], end, 4);
	}
}

static void test_cut_pcapng(void **state)
{
	(void)state;
	for (int big = 0; big < 2; big++) {
		struct bytes b = {.big = big};
		size_t end[4];

		section(&b);
		interface(&b, LINK_ETHERNET, 262144, 9);
		end[0] = b.len;
		for (uint32_t i = 0; i < 3; i++) {
			packet(&b, 0, SEC, "abcdefgh", 5 + i, 100);
			end[1 + i] = b.len;
		}
		check_cuts(&b, end + 1, 3, end[0], end, 4);
	}
}

/* Any byte, any value: no crash, and no frame reaches out of itself (see take). */
static void test_flipped_bytes(void **state)
{
	struct bytes good = {0};
	struct seen s = {0};

	(void)state;
	section(&good);
	interface(&good, LINK_ETHERNET, 262144, 9);
	packet(&good, 0, SEC, SLL("\x08\0") "E", 17, 100);
	packet(&good, 0, SEC, "x", 1, 1);
	for (size_t at = 0; at < good.len; at++) {
		static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff};

		for (size_t v = 0; v < sizeof(values); v++) {
			struct bytes b = good;

			b.at[at] = values[v];
			read_bytes(&s, &b);
			assert_true(s.count <= 2);
		}
	}
}

static void test_not_a_capture(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		int ret;
		const char *text;
	} rows[] = {
		{"", 0, -ENODATA, "is empty"},
		{"\x1f\x8b\x08\0\0\0", 6, -EPROTONOSUPPORT, "gzip -dc"},
		{"BZh91AY", 7, -EPROTONOSUPPORT, "bzip2 -dc"},
		{"\xfd"
		 "7zXZ\0",
		 6, -EPROTONOSUPPORT, "xz -dc"},
		{"\x28\xb5\x2f\xfd\0\0", 6, -EPROTONOSUPPORT, "zstd -dc"},
		{"\x04\x22\x4d\x18\0\0", 6, -EPROTONOSUPPORT, "lz4 -dc"},
		{"#!/bin/sh\necho hello\n", 21, -EPROTONOSUPPORT, "is not a capture"},
	};
	struct seen s = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes b = {0};

		put(&b, rows[i].bytes, rows[i].len);
		read_bytes(&s, &b);
		expect_error(&s, rows[i].ret, rows[i].text);
		expect_error(&s, rows[i].ret, path);
		assert_int_equal(s.count, 0);
	}
	read_path(&s, "/nonexistent/file.pcap");
	expect_error(&s, -ENOENT, "/nonexistent/file.pcap: No such file or directory");
	read_path(&s, dir);
	expect_error(&s, -EISDIR, "is a directory");
	expect_error(&s, -EISDIR, dir);
}

static void test_unread_link_type(void **state)
{
	struct bytes b = {0};
	struct seen s = {0};

	(void)state;
	pcap_header(&b, MAGIC_MICRO, 195);
	pcap_frame(&b, SEC, 0, "abcde", 5, 5);
	read_bytes(&s, &b);
	expect_error(&s, -EPROTONOSUPPORT, "link type IEEE802_15_4 (195)");
	expect_error(&s, -EPROTONOSUPPORT, "Linux cooked");
	assert_int_equal(s.count, 0);
}

static void test_mixed_interfaces(void **state)
{
	struct seen s = {0};

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct bytes b = {0};

		section(&b);
		interface(&b, LINK_ETHERNET, 262144, 0);
		packet(&b, 0, SEC, "abcde", 5, 5);
		interface(&b, i ? LINK_ETHERNET : 101, i ? 96 : 262144, 0);
		packet(&b, 1, SEC, "abcde", 5, 5);
		read_bytes(&s, &b);
		expect_error(&s, -EPROTONOSUPPORT,
			     i ? "different snapshot lengths" : "different link types");
		expect_error(&s, -EPROTONOSUPPORT, "after frame 1");
		expect_error(&s, -EPROTONOSUPPORT, i ? "editcap" : "capture each interface");
		assert_int_equal(s.count, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cut_pcap),	 cmocka_unit_test(test_cut_pcapng),
		cmocka_unit_test(test_flipped_bytes),	 cmocka_unit_test(test_not_a_capture),
		cmocka_unit_test(test_unread_link_type), cmocka_unit_test(test_mixed_interfaces),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
