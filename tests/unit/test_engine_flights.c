// SPDX-License-Identifier: GPL-2.0-only
/* engine: the records around a ServerHello of TLS 1.3, by their headers (RFC 8446 section 5). */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

#include "flight_rig.h"

/* ---- enough ---- */

/* Six records of the client after the server's first flight. */
static void test_handshake(void **state)
{
	struct craft_conn c;
	struct rig *r = begin(&c);
	const struct as_handshake *hs;
	uint64_t answered = r->now;

	(void)state;
	put_ccs(&out);
	put_record(&out, 23, 53);
	put_record(&out, 23, 100);
	send_out(r, &c, true);
	send_record(r, &c, false, 250); /* a ticket */
	send_record(r, &c, false, 40);
	send_record(r, &c, true, 26);
	send_record(r, &c, true, 27);
	send_record(r, &c, true, 28);
	assert_int_equal(r->count, 0);
	send_record(r, &c, true, 29);
	hs = ended(r, AS_END_RECORDS, 0);
	assert_int_equal(hs->server_ns, answered);
	WANT(&hs->server_flight, FLIGHT, {23, 250, 2}, {23, 40, 2});
	WANT(&hs->client_flight, {23, 53, 4}, {23, 100, 4}, {23, 26, 6}, {23, 27, 6}, {23, 28, 6},
	     {23, 29, 6});
	send_record(r, &c, false, 1000); /* what comes later is nothing to us */
	assert_int_equal(r->count, 1);
	rig_free(r);
}

/* Twelve records of the server; more stand in the same segment. */
static void test_twelve(void **state)
{
	struct craft_conn c;
	struct rig *r = begin(&c);
	const struct as_handshake *hs;

	(void)state;
	send_record(r, &c, true, 53);
	for (int i = 0; i < 7; i++)
		put_record(&out, 23, 300 + (uint32_t)i);
	send_out(r, &c, false);
	assert_int_equal(r->count, 0);
	for (int i = 7; i < 10; i++)
		put_record(&out, 23, 300 + (uint32_t)i);
	send_out(r, &c, false);
	hs = ended(r, AS_END_RECORDS, 0);
	WANT(&hs->server_flight, FLIGHT, {23, 300, 1}, {23, 301, 1}, {23, 302, 1}, {23, 303, 1},
	     {23, 304, 1}, {23, 305, 1}, {23, 306, 1}, {23, 307, 1});
	WANT(&hs->client_flight, {23, 53, 4});
	rig_free(r);
}

/* RFC 8446 section 2.3: early data behind the ClientHello, and in segments of its own. */
static void test_early_data(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	const struct as_handshake *hs;

	(void)state;
	rig_connect(r, &c);
	out.len = 0;
	craft_put(&out, rig_hello(1)->at, rig_hello(1)->len);
	put_ccs(&out);
	put_record(&out, 23, 111);
	send_out(r, &c, true);
	send_record(r, &c, true, 112);
	put_answer("\x03\x04");
	put_record(&out, 23, 36);
	send_out(r, &c, false);
	send_record(r, &c, true, 113);
	send_record(r, &c, false, 69);
	rig_quiet(r);
	hs = ended(r, AS_END_QUIET, 0);
	WANT(&hs->client_flight, {23, 111, 0}, {23, 112, 0}, {23, 113, 1});
	WANT(&hs->server_flight, {23, 36, 2}, {23, 69, 3});
	rig_free(r);
}

/* More of it than is told: the answer is waited for, and so is one record after it. */
static void test_much_early_data(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);
	const struct as_handshake *hs;

	(void)state;
	for (uint32_t i = 0; i < 300; i++)
		send_record(r, &c, true, 1000 + i);
	put_answer("\x03\x04");
	send_out(r, &c, false);
	send_record(r, &c, false, 90);
	assert_int_equal(r->count, 0);
	send_record(r, &c, true, 53);
	hs = ended(r, AS_END_RECORDS, 0);
	assert_int_equal(hs->client_flight.count, AS_FLIGHT_MAX);
	for (uint32_t i = 0; i < AS_FLIGHT_MAX; i++)
		assert_int_equal(hs->client_flight.len[i], 1000 + i);
	WANT(&hs->server_flight, {23, 90, 255});
	rig_free(r);
}

/* 2 s after the ServerHello, records or not. */
static void test_quiet(void **state)
{
	struct craft_conn c;
	struct rig *r = begin(&c);
	uint64_t answered = r->now;
	const struct as_handshake *hs;

	(void)state;
	send_record(r, &c, true, 53);
	r->now = answered + AS_RECORDS_NS - RIG_STEP_NS - 1;
	send_record(r, &c, false, 200);
	assert_int_equal(r->count, 0);
	rig_wait(r, 1);
	hs = ended(r, AS_END_QUIET, 0);
	assert_int_equal(hs->server_ns, answered);
	WANT(&hs->server_flight, FLIGHT, {23, 200, 1});
	rig_free(r);
}

/* More than half of the table is in use: the client's first record is enough. */
static void test_pressure(void **state)
{
	struct craft_conn c;
	struct rig *r = begin(&c);
	const struct as_handshake *hs;

	(void)state;
	for (uint32_t i = 2; i <= RIG_FLOWS / 2 + 1; i++) {
		struct craft_conn other = craft_ipv4(i);

		rig_client_hello(r, &other, i);
	}
	send_record(r, &c, false, 250);
	assert_int_equal(r->count, 0);
	send_record(r, &c, true, 53);
	hs = rig_only(r);
	assert_int_equal(hs->end, AS_END_RECORDS);
	assert_int_equal(hs->flags, AS_F_SERVER_HELLO | AS_F_PRESSURE);
	WANT(&hs->server_flight, FLIGHT, {23, 250, 0});
	WANT(&hs->client_flight, {23, 53, 5});
	rig_free(r);
}

/* The capture ends. */
static void test_end_of_capture(void **state)
{
	struct craft_conn c;
	struct rig *r = begin(&c);

	(void)state;
	rig_end(r);
	WANT(&ended(r, AS_END_EOF, 0)->server_flight, FLIGHT);
	rig_free(r);
}

/* RFC 8446 before it was one: 0x7f00 and the number of the draft. */
static void test_draft(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	put_answer("\x7f\x1c");
	put_record(&out, 23, 32);
	send_out(r, &c, false);
	rig_quiet(r);
	WANT(&ended(r, AS_END_QUIET, 0)->server_flight, {23, 32, 0});
	rig_free(r);
}

/* TLS 1.2 says it all in clear, and nothing is told of its records. */
static void test_tls12(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	send_record(r, &c, true, 100);
	out.len = 0;
	craft_put(&out, rig_answer(1)->at, rig_answer(1)->len);
	put_record(&out, 22, 1000);
	send_out(r, &c, false);
	assert_int_equal(rig_only(r)->end, AS_END_SERVER_HELLO);
	assert_int_equal(rig_only(r)->client_flight.count, 0);
	assert_int_equal(rig_only(r)->server_flight.count, 0);
	rig_free(r);
}

/* ---- segments ---- */

/* The flight in two segments, cut at every place, the ServerHello too; @again: both twice. */
static void check_cut(bool again)
{
	out.len = 0;
	put_flight();
	for (uint32_t at = 1; at < out.len; at++) {
		struct craft_conn c;
		struct rig *r = rig_begin(&c);

		for (int i = 0; i < 1 + again; i++)
			send_part(r, c, 0, at);
		for (int i = 0; i < 1 + again; i++)
			send_part(r, c, at, out.len);
		rig_quiet(r);
		WANT(&ended(r, AS_END_QUIET, 0)->server_flight, FLIGHT);
		rig_free(r);
	}
}

static void test_cut(void **state)
{
	(void)state;
	check_cut(false);
}

/* As seen at two hooks, or retransmitted. */
static void test_cut_twice(void **state)
{
	(void)state;
	check_cut(true);
}

/* Every byte is a segment. */
static void test_bytes(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	out.len = 0;
	put_flight();
	for (uint32_t at = 0; at < out.len; at++)
		send_part(r, c, at, at + 1);
	rig_end(r);
	WANT(&rig_only(r)->server_flight, FLIGHT);
	assert_int_equal(rig_only(r)->flags, AS_F_SERVER_HELLO);
	rig_free(r);
}

/* Segments overlap, with other cuts than before. */
static void test_overlap(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	out.len = 0;
	put_flight();
	send_part(r, c, 0, 300);
	send_part(r, c, 100, 800);
	send_part(r, c, 50, 200);
	send_part(r, c, 700, out.len);
	rig_quiet(r);
	WANT(&ended(r, AS_END_QUIET, 0)->server_flight, FLIGHT);
	rig_free(r);
}

/* A record so long that segments hold nothing but its content; one of these is not seen. */
static void test_content_missing(void **state)
{
	struct craft_conn c;
	struct rig *r = begin(&c);

	(void)state;
	put_record(&out, 23, 16384 + 256);
	put_record(&out, 23, 77);
	send_part(r, c, 0, 1400);
	send_part(r, c, 2800, 4200);
	send_part(r, c, 15000, out.len);
	rig_quiet(r);
	WANT(&ended(r, AS_END_QUIET, 0)->server_flight, FLIGHT, {23, 16640, 0}, {23, 77, 0});
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),      cmocka_unit_test(test_twelve),
		cmocka_unit_test(test_early_data),     cmocka_unit_test(test_much_early_data),
		cmocka_unit_test(test_quiet),	       cmocka_unit_test(test_pressure),
		cmocka_unit_test(test_end_of_capture), cmocka_unit_test(test_draft),
		cmocka_unit_test(test_tls12),	       cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cut_twice),      cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_overlap),	       cmocka_unit_test(test_content_missing),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
