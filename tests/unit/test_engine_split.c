// SPDX-License-Identifier: GPL-2.0-only
/* engine: hellos over several segments and records, in every order, and the bounds. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

/* What is promised: records of a hello, and bytes with the record headers. */
#define RECORDS 64
#define STREAM 16384

static struct craft part, hello;

/* Send @from..@to-1 of @all, whose first byte has the number @seq. */
static void piece(struct rig *r, const struct craft_conn *c, bool client, const struct craft *all,
		  uint32_t from, uint32_t to)
{
	rig_segment(r, c,
		    &(struct craft_segment){.from_client = client,
					    .flags = AS_TCP_ACK,
					    .seq = (client ? c->client_seq : c->server_seq) + from,
					    .ack = client ? c->server_seq : c->client_seq,
					    .data = all->at + from,
					    .len = to - from});
}

/* @one cut into records of @size bytes. */
static const struct craft *records(const struct craft *one, uint32_t size)
{
	part.len = 0;
	for (uint32_t at = AS_REC_HLEN; at < one->len; at += size) {
		craft_put(&part, one->at, 3);
		craft_vector(&part, 2, one->at + at, one->len - at < size ? one->len - at : size);
	}
	return &part;
}

/* The record is that of hello and answer 1. */
static void whole(const struct rig *r, uint32_t flags)
{
	const struct as_handshake *hs = rig_only(r);

	assert_int_equal(hs->kind, AS_KIND_HANDSHAKE);
	assert_int_equal(hs->end, AS_END_SERVER_HELLO);
	assert_int_equal(hs->flags, AS_F_SERVER_HELLO | flags);
	assert_memory_equal(hs->client_random, craft_random(1), 32);
	assert_memory_equal(hs->server_random, craft_random(0x80000001), 32);
	RIG_NAMES(hs, "a.example", "\x02h2\x08http/1.1", "\x02h2");
}

/* The hello in two segments, cut at every byte, in both orders; the answer likewise. */
static void test_two_segments(void **state)
{
	(void)state;
	for (uint32_t late = 0; late < 2; late++) {
		for (uint32_t cut = 1; cut < rig_hello(1)->len; cut++) {
			struct rig *r = rig_new(RIG_FLOWS);
			struct craft_conn c = craft_ipv4(1);
			uint32_t len = rig_hello(1)->len, from = late ? cut : 0, seq;
			uint64_t first;

			rig_connect(r, &c);
			seq = c.client_seq;
			first = r->now + RIG_STEP_NS;
			piece(r, &c, true, rig_hello(1), from, late ? len : cut);
			assert_int_equal(native_in_flight(r->native), 0);
			piece(r, &c, true, rig_hello(1), cut - (late ? cut : 0), late ? cut : len);
			assert_int_equal(native_in_flight(r->native), 1);
			c.client_seq += len;
			len = rig_answer(1)->len;
			if (cut < len) {
				from = late ? cut : 0;
				piece(r, &c, false, rig_answer(1), from, late ? len : cut);
				assert_int_equal(r->count, 0);
				piece(r, &c, false, rig_answer(1), cut - from, late ? cut : len);
			} else {
				rig_server_hello(r, &c, 1);
			}
			whole(r, 0);
			assert_int_equal(r->rec[0].client_seq, seq);
			assert_int_equal(r->rec[0].hello_ns, first);
			RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
			rig_free(r);
		}
	}
}

/* A byte a segment, forth and back, on both sides; sequence numbers wrap around. */
static void test_bytes(void **state)
{
	(void)state;
	for (uint32_t back = 0; back < 2; back++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = craft_ipv6(1);
		uint32_t n = rig_hello(1)->len;

		c.client_seq = 0xffffffff - n / 2;
		c.server_seq = 0xffffffff - 20;
		rig_connect(r, &c);
		for (uint32_t i = 0; i < n; i++) {
			uint32_t at = back ? n - 1 - i : i;

			piece(r, &c, true, rig_hello(1), at, at + 1);
		}
		c.client_seq += n;
		n = rig_answer(1)->len;
		for (uint32_t i = 0; i < n; i++) {
			uint32_t at = back ? n - 1 - i : i;

			piece(r, &c, false, rig_answer(1), at, at + 1);
		}
		whole(r, 0);
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
		rig_free(r);
	}
}

/* RFC 8446 section 5.1: a message may be fragmented over records. One byte each goes as far as
 * 64 records, and no further. */
static void test_records(void **state)
{
	(void)state;
	for (uint32_t size = 1; size < 60; size++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = craft_ipv4(size);
		const struct craft *one = records(rig_hello(1), size);
		bool fits = rig_hello(1)->len - AS_REC_HLEN <= RECORDS * size;

		rig_connect(r, &c);
		rig_client(r, &c, one->at, one->len);
		if (!fits) {
			RIG_COUNTS(r, AS_HELLOS, 1, AS_LOST_TOO_MANY_RECORDS, 1);
			rig_free(r);
			continue;
		}
		one = records(rig_answer(1), size + 1);
		rig_server(r, &c, one->at, one->len);
		whole(r, 0);
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
		rig_free(r);
	}
}

/* Records over segments: both cut at odd places, the segments last first. */
static void test_records_and_segments(void **state)
{
	(void)state;
	for (uint32_t size = 3; size < 40; size++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = craft_ipv4(size);
		const struct craft *one = records(rig_hello(1), size);

		rig_connect(r, &c);
		for (uint32_t end = one->len; end; end -= end < 7 ? end : 7)
			piece(r, &c, true, one, end < 7 ? 0 : end - 7, end);
		c.client_seq += one->len;
		rig_server_hello(r, &c, 1);
		whole(r, 0);
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
		rig_free(r);
	}
}

/* Segments that overlap and come again: the same bytes are no conflict. */
static void test_overlap(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	uint32_t len = rig_hello(1)->len;

	(void)state;
	rig_connect(r, &c);
	piece(r, &c, true, rig_hello(1), 20, 50);
	piece(r, &c, true, rig_hello(1), 0, 30);
	piece(r, &c, true, rig_hello(1), 0, 30); /* its beginning, once more */
	piece(r, &c, true, rig_hello(1), 10, 60);
	piece(r, &c, true, rig_hello(1), 40, len);
	c.client_seq += len;
	rig_server_hello(r, &c, 1);
	whole(r, 0);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 1, AS_REPEAT_AGAIN, 1);
	rig_free(r);
}

/* Bytes that were said before, and differ: the first copy counts, and it is told. */
static void test_conflict(void **state)
{
	(void)state;
	for (uint32_t at = 12; at < 60; at++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = craft_ipv4(1);
		uint32_t len = rig_hello(1)->len;

		rig_connect(r, &c);
		piece(r, &c, true, rig_hello(1), 0, 60);
		hello = *rig_hello(1);
		hello.at[at] ^= 1;
		piece(r, &c, true, &hello, 10, len);
		c.client_seq += len;
		rig_server_hello(r, &c, 1);
		whole(r, AS_F_OVERLAP_CONFLICT);
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
		rig_free(r);
	}
}

/* 16 KiB with the record headers fit; the last byte may come first. */
static void test_longest(void **state)
{
	const uint32_t most = STREAM - AS_REC_HLEN;

	(void)state;
	for (uint32_t over = 0; over < 2; over++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = craft_ipv4(1);
		uint32_t end = most + over + AS_REC_HLEN;

		rig_long_hello(&hello, most + over);
		rig_connect(r, &c);
		for (uint32_t at = end; at; at -= at < 1000 ? at : 1000)
			piece(r, &c, true, &hello, at < 1000 ? 0 : at - 1000, at);
		if (!over)
			assert_int_equal(native_in_flight(r->native), 1);
		RIG_COUNTS(r, AS_HELLOS, 1, AS_LOST_TOO_LONG, over);
		rig_free(r);
	}
}

/* One hello more than there are slots, all incomplete: its reason is told, and after a second
 * the oldest make way. */
static void test_slots_full(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	const uint32_t many = 4 * AS_SLOTS_DEFAULT;
	uint64_t full;

	(void)state;
	for (uint32_t i = 0; i < many; i++) {
		struct craft_conn c = craft_ipv4(i);

		rig_client(r, &c, rig_hello(i)->at, 60);
		r->now -= RIG_STEP_NS;
	}
	full = native_counters(r->native)[AS_LOST_REASSEMBLY_FULL];
	assert_in_range(full, many - AS_SLOTS_DEFAULT, many - AS_SLOTS_DEFAULT / 2);
	rig_wait(r, AS_SLOT_OLD_NS + 1);
	for (uint32_t i = 0; i < 8; i++) {
		struct craft_conn c = craft_ipv4(many + i);
		uint32_t len = rig_hello(many + i)->len;

		piece(r, &c, true, rig_hello(many + i), 0, 60);
		piece(r, &c, true, rig_hello(many + i), 60, len);
	}
	assert_int_equal(native_in_flight(r->native), 8);
	full = native_counters(r->native)[AS_LOST_REASSEMBLY_FULL];
	rig_wait(r, RIG_UNFINISHED_NS);
	RIG_COUNTS(r, AS_HELLOS, many + 8, AS_RECORDS, 8, AS_LOST_REASSEMBLY_FULL, (uint32_t)full,
		   AS_LOST_UNFINISHED, many - (uint32_t)full);
	rig_free(r);
}

/* HAProxy's proxy-protocol.txt: the header ahead of the hello, in its segment or its own. */
static void test_proxy(void **state)
{
	static const struct {
		const char *bytes;
		uint32_t len;
	} header[] = {
		{BYTES("PROXY TCP4 192.0.2.1 192.0.2.22 56324 443\r\n")},
		{BYTES("PROXY UNKNOWN\r\n")},
		{BYTES("\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\xdc\4\1\xbb")},
		{BYTES("\r\n\r\n\0\r\nQUIT\n\x20\0\0\0")},
	};

	(void)state;
	for (size_t i = 0; i < 4 * sizeof(header) / sizeof(header[0]); i++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = craft_ipv4(1);
		struct craft all = {0};
		uint32_t cut[] = {0, header[i / 4].len, header[i / 4].len + 60};

		craft_put(&all, header[i / 4].bytes, header[i / 4].len);
		craft_put(&all, rig_hello(1)->at, rig_hello(1)->len);
		rig_connect(r, &c);
		if (i % 4 == 3) { /* the first segment comes last */
			piece(r, &c, true, &all, cut[2], all.len);
			piece(r, &c, true, &all, 0, cut[2]);
		} else {
			if (cut[i % 4])
				piece(r, &c, true, &all, 0, cut[i % 4]);
			piece(r, &c, true, &all, cut[i % 4], all.len);
		}
		c.client_seq += all.len;
		rig_server_hello(r, &c, 1);
		whole(r, 0);
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
		rig_free(r);
	}
}

/* After a STARTTLS command the first segment of the hello comes last, too. */
static void test_late_after_text(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	uint32_t len = rig_hello(1)->len;

	(void)state;
	rig_connect(r, &c);
	rig_server(r, &c, BYTES("220 mail.example ESMTP\r\n"));
	rig_client(r, &c, BYTES("EHLO a.example\r\n"));
	rig_client(r, &c, BYTES("STARTTLS\r\n"));
	rig_server(r, &c, BYTES("220 go on\r\n"));
	piece(r, &c, true, rig_hello(1), 70, len);
	piece(r, &c, true, rig_hello(1), 0, 70);
	c.client_seq += len;
	rig_server_hello(r, &c, 1);
	whole(r, 0);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* Bytes that come early and turn out to be no hello leave no trace. */
static void test_early_text(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	struct craft text = {0};

	(void)state;
	craft_put(&text, BYTES("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n"));
	rig_connect(r, &c);
	piece(r, &c, true, &text, 16, text.len);
	piece(r, &c, true, &text, 0, 16);
	rig_wait(r, RIG_UNFINISHED_NS);
	RIG_COUNTS(r, AS_HELLOS, 0);
	rig_free(r);
	/* And if what is missing never comes, that is counted. */
	r = rig_new(RIG_FLOWS);
	rig_connect(r, &c);
	piece(r, &c, true, &text, 16, text.len);
	rig_wait(r, RIG_UNFINISHED_NS);
	RIG_COUNTS(r, AS_ERR_GAP, 1);
	rig_free(r);
}

/* A certificate in the record of the ServerHello (RFC 5246 section 7.4), over segments; and a
 * ServerHello whose ClientHello was not seen. */
static void test_answer_with_certificate(void **state)
{
	(void)state;
	for (uint32_t orphan = 0; orphan < 2; orphan++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = craft_ipv4(1);
		struct craft all = *rig_answer(1);

		craft_put(&all, BYTES("\x0b\0\x0b\xb8\0\x0b\xb5"));
		craft_zero(&all, 3000 - 3);
		craft_number_at(&all, 3, all.len - AS_REC_HLEN, 2);
		if (!orphan)
			rig_client_hello(r, &c, 1);
		piece(r, &c, false, &all, 0, 40);
		piece(r, &c, false, &all, 40, 1440);
		piece(r, &c, false, &all, 1440, all.len);
		if (!orphan) {
			whole(r, 0);
			RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
		} else {
			RIG_NAMES(rig_only(r), "", "", "\x02h2");
			RIG_COUNTS(r, AS_ORPHANS, 1, AS_ORPHAN_RECORDS, 1);
		}
		rig_free(r);
	}
}

/* A split hello on two interfaces: its segments twice, interleaved or one after the other. */
static void test_seen_twice(void **state)
{
	(void)state;
	for (uint32_t apart = 0; apart < 2; apart++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = craft_ipv4(1);
		uint32_t len = rig_hello(1)->len, order[2][4] = {{0, 0, 1, 1}, {0, 1, 0, 1}};

		rig_connect(r, &c);
		for (int i = 0; i < 4; i++)
			piece(r, &c, true, rig_hello(1), order[apart][i] ? 60 : 0,
			      order[apart][i] ? len : 60);
		assert_int_equal(native_in_flight(r->native), 1);
		c.client_seq += len;
		rig_server_hello(r, &c, 1);
		whole(r, 0);
		RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 1, AS_REPEAT_AGAIN, 1);
		rig_free(r);
	}
}

/* A fatal alert in two segments: RFC 8446 section 6. */
static void test_alert_split(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	part.len = 0;
	craft_alert(&part, AS_ALERT_FATAL, AS_ALERT_NO_APPLICATION_PROTOCOL);
	piece(r, &c, false, &part, 0, 3);
	piece(r, &c, false, &part, 3, part.len);
	assert_int_equal(rig_only(r)->end, AS_END_ALERT);
	assert_int_equal(rig_only(r)->alert_desc, AS_ALERT_NO_APPLICATION_PROTOCOL);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_segments), cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_records),	     cmocka_unit_test(test_records_and_segments),
		cmocka_unit_test(test_overlap),	     cmocka_unit_test(test_conflict),
		cmocka_unit_test(test_longest),	     cmocka_unit_test(test_slots_full),
		cmocka_unit_test(test_proxy),	     cmocka_unit_test(test_late_after_text),
		cmocka_unit_test(test_early_text),   cmocka_unit_test(test_answer_with_certificate),
		cmocka_unit_test(test_seen_twice),   cmocka_unit_test(test_alert_split),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
