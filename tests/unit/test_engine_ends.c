// SPDX-License-Identifier: GPL-2.0-only
/* engine: how a handshake ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

#define SECOND_NS UINT64_C(1000000000)

static struct craft hello;

/* ---- alerts, RFC 8446 section 6 ---- */

static void test_alert(void **state)
{
	static const struct {
		bool client;
		uint8_t level, desc;
	} rows[] = {{false, 2, 120}, {false, 1, 120}, {false, 2, 40}, {true, 2, 70}, {true, 1, 0}};
	struct craft_conn c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *r = rig_begin(&c);
		const struct as_handshake *hs;

		hello.len = 0;
		craft_alert(&hello, rows[i].level, rows[i].desc);
		rig_send(r, &c, rows[i].client, AS_TCP_ACK, hello.at, hello.len);
		hs = rig_ended(r, AS_END_ALERT, rows[i].client ? AS_F_END_CLIENT : 0);
		assert_int_equal(hs->alert_level, rows[i].level);
		assert_int_equal(hs->alert_desc, rows[i].desc);
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
		rig_free(r);
	}
}

/* A server's FIN with the alert, and a client's RST after it, add nothing. */
static void test_alert_and_fin(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	hello.len = 0;
	craft_alert(&hello, 2, 120);
	rig_send(r, &c, false, AS_TCP_ACK | AS_TCP_FIN, hello.at, hello.len);
	rig_send(r, &c, true, AS_TCP_RST, NULL, 0);
	assert_int_equal(rig_only(r)->end, AS_END_ALERT);
	assert_int_equal(rig_only(r)->alert_desc, 120);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* RFC 6066 section 3: unrecognized_name as a warning, the ServerHello right behind it or
 * in a segment of its own. */
static void test_warning(void **state)
{
	struct craft_conn c;

	(void)state;
	for (int together = 0; together < 2; together++) {
		struct rig *r = rig_begin(&c);

		hello.len = 0;
		craft_alert(&hello, 1, 112);
		if (together)
			craft_put(&hello, rig_answer(1)->at, rig_answer(1)->len);
		rig_server(r, &c, hello.at, hello.len);
		if (!together)
			rig_server_hello(r, &c, 1);
		assert_int_equal(rig_only(r)->end, AS_END_SERVER_HELLO);
		assert_int_equal(rig_only(r)->alert_level | rig_only(r)->alert_desc, 0);
		RIG_NAMES(rig_only(r), "a.example", "\x02h2\x08http/1.1", "\x02h2");
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
		rig_free(r);
	}
}

/* ---- RST and FIN ---- */

static void test_rst(void **state)
{
	struct craft_conn c;

	(void)state;
	for (int client = 0; client < 2; client++) {
		for (int ack = 0; ack < 2; ack++) {
			struct rig *r = rig_begin(&c);

			rig_send(r, &c, client, (uint8_t)(AS_TCP_RST | (ack ? AS_TCP_ACK : 0)),
				 NULL, 0);
			rig_ended(r, AS_END_RST, client ? AS_F_END_CLIENT : 0);
			RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
			rig_free(r);
		}
	}
}

/* A blind sender does not know the numbers: RFC 5961 section 1. Each row is how far the
 * segment's number, and what it acknowledges, are off. */
static void test_out_of_window(void **state)
{
	static const struct {
		bool client;
		uint8_t flags;
		uint32_t seq, ack;
	} rows[] = {
		{false, AS_TCP_RST, 0x80000000, 0},
		{false, AS_TCP_RST, -1U, 0}, /* before the next byte */
		{false, AS_TCP_RST, 0x200000, 0},
		{false, AS_TCP_RST | AS_TCP_ACK, 0, 0x80000000},
		{false, AS_TCP_FIN | AS_TCP_ACK, 0x80000000, 0},
		{true, AS_TCP_RST, 0x80000000, 0},
		{true, AS_TCP_RST, 0x200000, 0},
		{true, AS_TCP_FIN | AS_TCP_ACK, 0x80000000, 0},
	};
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct craft_conn blind = c;

		*(rows[i].client ? &blind.client_seq : &blind.server_seq) += rows[i].seq;
		*(rows[i].client ? &blind.server_seq : &blind.client_seq) += rows[i].ack;
		rig_send(r, &blind, rows[i].client, rows[i].flags, NULL, 0);
		assert_int_equal(r->count, 0);
		RIG_COUNTS(r, AS_HELLOS, 1, AS_ERR_OUT_OF_WINDOW, (uint32_t)i + 1);
	}
	rig_server_hello(r, &c, 1);
	assert_int_equal(rig_only(r)->end, AS_END_SERVER_HELLO);
	rig_free(r);
}

/* A forged answer, and a forged alert, decide as little. */
static void test_out_of_window_data(void **state)
{
	struct craft_conn c, blind;
	struct rig *r = rig_begin(&c);

	(void)state;
	blind = c;
	blind.server_seq += 0x40000000;
	rig_server_hello(r, &blind, 2);
	hello.len = 0;
	craft_alert(&hello, 2, 120);
	rig_server(r, &blind, hello.at, hello.len);
	assert_int_equal(r->count, 0);
	rig_server_hello(r, &c, 1);
	assert_memory_equal(rig_only(r)->server_random, craft_random(0x80000001), 32);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1, AS_ERR_OUT_OF_WINDOW, 2);
	rig_free(r);
}

static void test_fin(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	rig_send(r, &c, false, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
	rig_ended(r, AS_END_FIN, 0);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* RFC 9293 section 3.6: who has sent FIN may still receive. */
static void test_client_fin(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	rig_send(r, &c, true, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
	assert_int_equal(r->count, 0);
	rig_server_hello(r, &c, 1);
	assert_int_equal(rig_only(r)->end, AS_END_SERVER_HELLO);
	assert_int_equal(rig_only(r)->flags, AS_F_SERVER_HELLO | AS_F_CLIENT_FIN);
	rig_free(r);
	r = rig_begin(&c);
	rig_send(r, &c, true, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
	rig_send(r, &c, false, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
	rig_ended(r, AS_END_FIN, AS_F_CLIENT_FIN);
	rig_free(r);
}

/* The FIN may ride on the hello itself. */
static void test_client_fin_with_hello(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	const struct craft *one = rig_hello(1);

	(void)state;
	rig_connect(r, &c);
	rig_send(r, &c, true, AS_TCP_ACK | AS_TCP_FIN, one->at, one->len);
	rig_server_hello(r, &c, 1);
	assert_int_equal(rig_only(r)->flags, AS_F_SERVER_HELLO | AS_F_CLIENT_FIN);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* ---- time ---- */

static void test_timeout(void **state)
{
	struct craft_conn c, other = craft_ipv4(2);
	struct rig *r = rig_begin(&c);
	uint64_t hello_ns = r->now;

	(void)state;
	r->now = hello_ns + 10 * SECOND_NS - 1 - RIG_STEP_NS;
	rig_send(r, &other, true, AS_TCP_ACK, NULL, 0);
	assert_int_equal(r->count, 0);
	r->now = hello_ns + 10 * SECOND_NS - RIG_STEP_NS;
	rig_send(r, &other, true, AS_TCP_ACK, NULL, 0); /* any frame tells the time */
	rig_ended(r, AS_END_TIMEOUT, 0);
	assert_int_equal(rig_only(r)->hello_ns, hello_ns);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* Many wait, each for its own 10 s; one was answered in between. */
static void test_timeouts(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c[5];

	(void)state;
	for (uint32_t i = 0; i < 5; i++) {
		c[i] = craft_ipv4(i);
		r->now += SECOND_NS - RIG_STEP_NS;
		rig_client_hello(r, &c[i], i);
	}
	rig_server_hello(r, &c[2], 2);
	for (uint32_t i = 0; i < 5; i++) {
		r->now = (12 + i) * SECOND_NS - RIG_STEP_NS;
		rig_send(r, &c[2], true, AS_TCP_ACK, NULL, 0);
		assert_int_equal(r->count, i < 2 ? 2 + i : 1 + i);
	}
	for (uint32_t i = 0; i < 5; i++)
		assert_int_equal(r->rec[i].end, i ? AS_END_TIMEOUT : AS_END_SERVER_HELLO);
	RIG_COUNTS(r, AS_HELLOS, 5, AS_RECORDS, 5);
	rig_free(r);
}

static void test_end_of_capture(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	rig_end(r);
	rig_ended(r, AS_END_EOF, 0);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_alert),
		cmocka_unit_test(test_alert_and_fin),
		cmocka_unit_test(test_warning),
		cmocka_unit_test(test_rst),
		cmocka_unit_test(test_out_of_window),
		cmocka_unit_test(test_out_of_window_data),
		cmocka_unit_test(test_fin),
		cmocka_unit_test(test_client_fin),
		cmocka_unit_test(test_client_fin_with_hello),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_end_of_capture),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
