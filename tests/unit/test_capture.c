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

#include "alpnscope/wire.h"
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
	{113, SLL("\0\4") "\x42\x42\3", 19, AS_NEXT_LLC, 16}, /* IEEE 802.2 LLC */
	{113, SLL("\0\1") "\xff\xff\0", 19, CAPTURE_NOT_IP, 16}, /* IPX without LLC */
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

/* Those that are seldom met. */
static const struct link_row other_rows[] = {
	/* PPP: as it is, in HDLC framing (RFC 1662), Cisco's HDLC (RFC 1547) */
	{9, "\0\x21\x45", 3, 0x880b, 0},
	{9, "\xff\3\0\x21\x45", 5, 0x880b, 0},
	{9, "", 0, CAPTURE_NOT_IP, 0},
	{50, "\xff\3\0\x21\x45", 5, 0x880b, 0},
	{50, "\x0f\0\x08\0\x45", 5, 0x0800, 4},
	{50, "\x8f\0\x86\xdd\x60", 5, 0x86dd, 4},
	{51, "\x11\0\0\1\0\6\0\x21\x45", 9, 0x8864, 0},
	{104, "\x0f\0\x08\0\x45", 5, 0x0800, 4},
	{104, "\x0f\0\x80\x35\0", 5, 0x8035, 4}, /* keep alive */
	{104, "\x0f\0\x08\0", 4, CAPTURE_NOT_IP, 4},
	{166, "\1\3\0\x21\x45", 5, 0x880b, 2},
	{166, "\0\x21\x45", 3, 0x880b, 1},
	{204, "\1\xff\3\0\x21\x45", 6, 0x880b, 1},
	{204, "\1", 1, CAPTURE_NOT_IP, 1},
	/* 802.11, and headers ahead of it */
	{105, "\x08\1", 2, AS_NEXT_WLAN, 0},
	{127, "\0\0\x08\0\0\0\0\0\x08\1", 10, AS_NEXT_WLAN, 8},
	{127, "\0\0\xff\xff\0\0\0\0\x08\1", 10, CAPTURE_NOT_IP, 10},
	{127, "\0\0\x08", 3, CAPTURE_NOT_IP, 0},
	{192, "\0\0\x08\0\x69\0\0\0\x08\1", 10, AS_NEXT_WLAN, 8},
	{192, "\0\0\x0c\0\x01\0\0\0....\1\2\3", 15, 0x6558, 12},
	{192, "\0\0\x08\0\x71\0\0\0" SLL("\x08\0") "E", 25, 0x0800, 24},
	{192, "\0\0\x08\0\xc0\0\0\0\0\0\x08\0", 12, CAPTURE_NOT_IP, 8},
	{192, "\0\0\xff\0\x01\0\0\0\1", 9, CAPTURE_NOT_IP, 9},
	{192, "\0\0\x08\0\xff\xff\xff\xff\1", 9, CAPTURE_NOT_IP, 8},
	/* The interface's own link type behind a header of macOS */
	{258, "\x10\0\0\0\1\0\0\0\x0c\0\0\0....\x45", 17, 0x0800, 16},
	{258, "\x10\0\0\0\1\0\0\0\x0c\0\0\0....", 16, CAPTURE_NOT_IP, 16},
	/* MPLS, LLC over ATM, FireWire, InfiniBand */
	{219, "\0\1\1\x40\x45", 5, 0x8847, 0},
	{100, "\xaa\xaa\3\0\0\0\x08\0\x45", 9, AS_NEXT_LLC, 0},
	{138, "0123456789abcdef\x08\0E", 19, 0x0800, 16 + 2},
	{242, "0123456789abcdef0123456789abcdef01234567\x86\xdd\0\0\x60", 45, 0x86dd, 44},
	/* OpenBSD's IPsec and packet filter */
	{109, "\0\0\0\2\0\0\0\0\0\0\0\0E", 13, 0x0800, 12},
	{109, "\x18\0\0\0\0\0\0\0\0\0\0\0\x60", 13, 0x86dd, 12},
	{117, "\5\2\0\0\0\0\0\0E", 9, 0x0800, 8},
	{117, "\x04\x18\0\0\x60", 5, 0x86dd, 4},
	{117, "\xff\2\0\0E", 5, CAPTURE_NOT_IP, 5},
};

static void check_links(const struct link_row *rows, size_t count)
{
	struct seen s = {0};

	for (size_t i = 0; i < count; i++) {
		const struct link_row *row = &rows[i];
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

static void test_link_types(void **state)
{
	(void)state;
	check_links(link_rows, sizeof(link_rows) / sizeof(link_rows[0]));
}

static void test_other_link_types(void **state)
{
	(void)state;
	check_links(other_rows, sizeof(other_rows) / sizeof(other_rows[0]));
}

/* LINKTYPE_NFLOG's attributes are in the byte order of the file. */
static void test_nflog(void **state)
{
	struct seen s = {0};

	(void)state;
	for (int big = 0; big < 2; big++) {
		struct bytes b = {.big = big}, log = {.big = big};

		put(&log, "\2\0\0\0", 4); /* AF_INET */
		put16(&log, 5); /* an attribute of 1 byte, and padding */
		put16(&log, 10);
		put(&log, "p\0\0\0", 4);
		put16(&log, 5);
		put16(&log, 9); /* NFULA_PAYLOAD */
		put(&log, "E", 1);
		pcap_header(&b, MAGIC_MICRO, 239);
		pcap_frame(&b, SEC, 0, log.at, (uint32_t)log.len, 1500);
		pcap_frame(&b, SEC, 0, log.at, 16, 1500);
		pcap_frame(&b, SEC, 0, log.at, 3, 1500);
		log.at[4] = log.at[5] = 0; /* an attribute shorter than its header */
		pcap_frame(&b, SEC, 0, log.at, (uint32_t)log.len, 1500);
		read_bytes(&s, &b);
		assert_int_equal(s.ret, 0);
		assert_int_equal(s.count, 4);
		assert_int_equal(s.frame[0].ethertype, 0x0800);
		assert_int_equal(s.frame[0].offset, 16);
		for (int i = 1; i < 4; i++)
			assert_int_equal(s.frame[i].ethertype, CAPTURE_NOT_IP);
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
		cmocka_unit_test(test_pcap),
		cmocka_unit_test(test_late_seconds),
		cmocka_unit_test(test_pcapng),
		cmocka_unit_test(test_pcapng_far_future),
		cmocka_unit_test(test_link_types),
		cmocka_unit_test(test_like_interfaces),
		cmocka_unit_test(test_other_link_types),
		cmocka_unit_test(test_nflog),
		cmocka_unit_test(test_stop),
		cmocka_unit_test(test_pipe),
	};

	return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
