// SPDX-License-Identifier: GPL-2.0-only
/*
 * capture: times, byte orders and link types. Link types are those of the registry
 * at tcpdump.org; times those of the pcap and pcapng drafts.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/wait.h>

#include "capture_file.h"

static void test_pcap(void **state)
{
	static const struct {
		uint32_t magic;
		int64_t ns;
	} magics[] = {{MAGIC_MICRO, 123456000}, {MAGIC_NANO, 123456}};
	struct seen s = {0};

	(void)state;
	for (int i = 0; i < 4; i++) {
		struct bytes b = {.big = i & 1};

		pcap_header(&b, magics[i / 2].magic, LINK_ETHERNET);
		pcap_frame(&b, SEC, 123456, "0123456789abcdef", 16, 16);
		pcap_frame(&b, SEC + 1, 0, "x", 1, 1500);
		read_bytes(&s, &b);
		assert_int_equal(s.ret, 0);
		assert_int_equal(s.count, 2);
		assert_int_equal(s.frame[0].wall_ns, SEC * INT64_C(1000000000) + magics[i / 2].ns);
		assert_int_equal(s.frame[0].caplen, 16);
		assert_int_equal(s.frame[0].len, 16);
		assert_int_equal(s.frame[0].ethertype, CAPTURE_ETHERNET);
		assert_int_equal(s.frame[0].offset, 0);
		assert_memory_equal(s.data[0], "0123456789abcdef", 16);
		assert_int_equal(s.frame[1].wall_ns, (SEC + 1) * INT64_C(1000000000));
		assert_int_equal(s.frame[1].caplen, 1);
		assert_int_equal(s.frame[1].len, 1500);
	}
}

/* Seconds have no sign: they last until 2106. */
static void test_late_seconds(void **state)
{
	struct bytes b = {0};
	struct seen s = {0};

	(void)state;
	pcap_header(&b, MAGIC_MICRO, LINK_ETHERNET);
	pcap_frame(&b, UINT32_MAX, 0, "x", 1, 1);
	read_bytes(&s, &b);
	assert_int_equal(s.frame[0].wall_ns, INT64_C(4294967295000000000));
}

static void test_pcapng(void **state)
{
	static const struct {
		uint8_t resolution;
		uint64_t time;
		int64_t wall_ns;
	} rows[] = {
		{0, UINT64_C(1700000000123456), INT64_C(1700000000123456000)}, /* 1e-6 */
		{9, UINT64_C(1700000000123456789), INT64_C(1700000000123456789)},
		{3, UINT64_C(1700000000123), INT64_C(1700000000123000000)},
		{0x80 | 10, UINT64_C(1700000000) * 1024 + 512, INT64_C(1700000000500000000)},
	};
	struct seen s = {0};

	(void)state;
	for (unsigned int i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct bytes b = {.big = i & 1};

		section(&b);
		interface(&b, LINK_ETHERNET, 262144, rows[i / 2].resolution);
		packet(&b, 0, rows[i / 2].time, "abcde", 5, 77);
		read_bytes(&s, &b);
		assert_int_equal(s.ret, 0);
		assert_int_equal(s.count, 1);
		assert_int_equal(s.frame[0].wall_ns, rows[i / 2].wall_ns);
		assert_int_equal(s.frame[0].caplen, 5);
		assert_int_equal(s.frame[0].len, 77);
		assert_memory_equal(s.data[0], "abcde", 5);
	}
}

/* Times beyond what 64 bits of nanoseconds hold must not become small ones. */
static void test_pcapng_far_future(void **state)
{
	struct bytes b = {0};
	struct seen s = {0};

	(void)state;
	section(&b);
	interface(&b, LINK_ETHERNET, 262144, 0x80); /* whole seconds: 2^-0 */
	packet(&b, 0, UINT64_C(1) << 60, "x", 1, 1);
	read_bytes(&s, &b);
	assert_int_equal(s.count, 1);
	assert_int_equal(s.frame[0].wall_ns, INT64_MAX);
}

struct link_row {
	uint32_t link;
	const char *bytes;
	uint32_t caplen;
	uint16_t ethertype;
	uint32_t offset;
};

static const struct link_row link_rows[] = {
	{LINK_ETHERNET, "\1\2\3\4\5\6\1\2\3\4\5\7\x08\0E", 15, CAPTURE_ETHERNET, 0},
	{LINK_ETHERNET, "\1", 1, CAPTURE_ETHERNET, 0},
	{LINK_ETHERNET, "", 0, CAPTURE_ETHERNET, 0},
	/* Linux cooked v1 */
	{113, SLL("\x08\0") "E", 17, 0x0800, 16},
	{113, SLL("\x86\xdd") "\x60", 17, 0x86dd, 16},
	{113, SLL("\x81\0") "\0\1\x08\0E", 21, 0x8100, 16},
	{113, SLL("\0\4") "\x42\x42\3", 19, CAPTURE_NOT_IP, 16}, /* IEEE 802.2 LLC */
	{113, SLL("\x08\0"), 16, CAPTURE_NOT_IP, 16},
	{113, SLL("\x08\0"), 15, CAPTURE_NOT_IP, 15},
	{113, "", 0, CAPTURE_NOT_IP, 0},
	/* Linux cooked v2 */
	{276, SLL2("\x08\0") "E", 21, 0x0800, 20},
	{276, SLL2("\x86\xdd") "\x60", 21, 0x86dd, 20},
	{276, SLL2("\x88\xa8") "\0\1", 22, 0x88a8, 20},
	{276, SLL2("\0\1") "\xff\xff", 22, CAPTURE_NOT_IP, 20},
	{276, SLL2("\x08\0"), 20, CAPTURE_NOT_IP, 20},
	{276, "\x08", 1, CAPTURE_NOT_IP, 1},
	/* Raw IP, as registered and as written by older systems */
	{101, "\x45\0", 2, 0x0800, 0},
	{101, "\x60\0", 2, 0x86dd, 0},
	{101, "\x50\0", 2, CAPTURE_NOT_IP, 0},
	{101, "", 0, CAPTURE_NOT_IP, 0},
	{12, "\x45\0", 2, 0x0800, 0},
	{14, "\x60\0", 2, 0x86dd, 0},
	{228, "\x45\0", 2, 0x0800, 0},
	{229, "\x60\0", 2, 0x86dd, 0},
	/* Null: the family in either byte order */
	{0, "\2\0\0\0E", 5, 0x0800, 4},
	{0, "\0\0\0\2E", 5, 0x0800, 4},
	{0, "\x0a\0\0\0\x60", 5, 0x86dd, 4},
	{0, "\x17\0\0\0\x60", 5, 0x86dd, 4},
	{0, "\x18\0\0\0\x60", 5, 0x86dd, 4},
	{0, "\0\0\0\x18\x60", 5, 0x86dd, 4},
	{0, "\x1c\0\0\0\x60", 5, 0x86dd, 4},
	{0, "\0\0\0\x1c\x60", 5, 0x86dd, 4},
	{0, "\x1e\0\0\0\x60", 5, 0x86dd, 4},
	{0, "\0\0\0\x1e\x60", 5, 0x86dd, 4},
	{0, "\7\0\0\0\x60", 5, CAPTURE_NOT_IP, 4}, /* OSI */
	{0, "\2\0\0", 3, CAPTURE_NOT_IP, 3},
	{0, "\2\0\0\0", 4, CAPTURE_NOT_IP, 4},
	/* Loop */
	{108, "\0\0\0\2E", 5, 0x0800, 4},
	{108, "\0\0\0\x18\x60", 5, 0x86dd, 4},
};

static void test_link_types(void **state)
{
	struct seen s = {0};

	(void)state;
	for (size_t i = 0; i < sizeof(link_rows) / sizeof(link_rows[0]); i++) {
		const struct link_row *row = &link_rows[i];
		struct bytes b = {.big = i & 1};

		pcap_header(&b, MAGIC_MICRO, row->link);
		pcap_frame(&b, SEC, 0, row->bytes, row->caplen, 1500);
		read_bytes(&s, &b);
		if (s.ret || s.count != 1 || s.frame[0].ethertype != row->ethertype ||
		    s.frame[0].offset != row->offset || s.frame[0].caplen != row->caplen)
			fail_msg("row %zu, link type %u: %d frames, ethertype 0x%x, offset %u: %s",
				 i, row->link, s.count, s.frame[0].ethertype, s.frame[0].offset,
				 s.error);
	}
}

/* The same interface twice is one link type: both are read. */
static void test_like_interfaces(void **state)
{
	struct bytes b = {0};
	struct seen s = {0};

	(void)state;
	section(&b);
	interface(&b, LINK_ETHERNET, 262144, 0);
	interface(&b, LINK_ETHERNET, 262144, 9);
	packet(&b, 0, UINT64_C(1000000), "abcde", 5, 5);
	packet(&b, 1, UINT64_C(1000000), "abcde", 5, 5);
	read_bytes(&s, &b);
	assert_int_equal(s.ret, 0);
	assert_int_equal(s.count, 2);
	assert_int_equal(s.frame[0].wall_ns, 1000000000);
	assert_int_equal(s.frame[1].wall_ns, 1000000);
}

static void test_stop(void **state)
{
	struct bytes b = {0};
	struct seen s = {.stop_at = 2};

	(void)state;
	pcap_header(&b, MAGIC_MICRO, LINK_ETHERNET);
	for (int i = 0; i < 3; i++)
		pcap_frame(&b, SEC, 0, "abcde", 5, 5);
	read_bytes(&s, &b);
	assert_int_equal(s.ret, 7);
	assert_int_equal(s.count, 2);
}

/* A pipe cannot be rewound, and gives its bytes a few at a time. */
static void test_pipe(void **state)
{
	struct bytes b = {0};
	struct seen s = {0};
	int ends[2], status;
	pid_t writer;

	(void)state;
	section(&b);
	interface(&b, LINK_ETHERNET, 262144, 9);
	packet(&b, 0, SEC, "abcde", 5, 5);
	assert_int_equal(pipe(ends), 0);
	writer = fork();
	assert_true(writer >= 0);
	if (!writer) {
		for (size_t i = 0; i < b.len; i++)
			if (write(ends[1], b.at + i, 1) != 1)
				_exit(1);
		_exit(0);
	}
	close(ends[1]);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	close(ends[0]);
	read_path(&s, "-");
	assert_int_equal(s.ret, 0);
	assert_int_equal(s.count, 1);
	assert_memory_equal(s.data[0], "abcde", 5);
	assert_int_equal(waitpid(writer, &status, 0), writer);
	assert_int_equal(status, 0);
	/* At its end now: an empty capture, called by its name. */
	read_path(&s, "-");
	expect_error(&s, -ENODATA, "standard input is empty");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pcap),	   cmocka_unit_test(test_late_seconds),
		cmocka_unit_test(test_pcapng),	   cmocka_unit_test(test_pcapng_far_future),
		cmocka_unit_test(test_link_types), cmocka_unit_test(test_like_interfaces),
		cmocka_unit_test(test_stop),	   cmocka_unit_test(test_pipe),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
