// SPDX-License-Identifier: GPL-2.0-only
/* engine: the records around a ServerHello of TLS 1.3, 
 * when some are not seen, hellos come again, or the connection ends. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

#include "flight_rig.h"

/* ---- what is missing ---- */

/* A header is not seen: what follows it is not told, and that it is so. */
static void test_gap(void **state)
{
	struct craft_conn c;
	struct rig *r = begin(&c);
	const struct as_handshake *hs;

	(void)state;
	send_record(r, &c, true, 53);
	c.server_seq += 100;
	send_record(r, &c, false, 77);
	send_record(r, &c, true, 54);
	rig_quiet(r);
	hs = ended(r, AS_END_QUIET, AS_F_GAP);
	WANT(&hs->server_flight, FLIGHT);
	WANT(&hs->client_flight, {23, 53, 4}, {23, 54, 4});
	rig_free(r);
}

/* The client's likewise; a retransmission of all of it helps. */
static void test_gap_filled(void **state)
{
	(void)state;
	for (int filled = 0; filled < 2; filled++) {
		struct craft_conn c, late;
		struct rig *r = begin(&c);
		const struct as_handshake *hs;

		late = c;
		c.client_seq += 5 + 53;
		send_record(r, &c, true, 60);
		if (filled) {
			put_record(&out, 23, 53);
			put_record(&out, 23, 60);
			send_out(r, &late, true);
		}
		rig_quiet(r);
		hs = ended(r, AS_END_QUIET, filled ? 0 : AS_F_GAP);
		if (filled)
			WANT(&hs->client_flight, {23, 53, 4}, {23, 60, 4});
		else
			assert_int_equal(hs->client_flight.count, 0);
		rig_free(r);
	}
}

/* In the place of a header stands something else. */
static void test_broken(void **state)
{
	static const char *const heads[] = {"\x19\x03\x03\0\x20", "\x13\x03\x03\0\x20",
					    "\x17\x02\x03\0\x20", "\x17\x03\x03\x41\x01",
					    "\x16\x04\x03\0\x20"};

	(void)state;
	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++) {
		struct craft_conn c;
		struct rig *r = begin(&c);

		put_record(&out, 23, 40);
		craft_put(&out, heads[i], 5);
		craft_zero(&out, 32);
		send_out(r, &c, false);
		send_record(r, &c, false, 50);
		rig_quiet(r);
		WANT(&ended(r, AS_END_QUIET, AS_F_GAP)->server_flight, FLIGHT, {23, 40, 0});
		rig_free(r);
	}
}

/* Sixteen headers of a segment are read. */
static void test_many_heads(void **state)
{
	(void)state;
	for (uint32_t more = 0; more < 2; more++) {
		struct craft_conn c;
		struct rig *r = begin(&c);

		for (uint32_t i = 0; i < 15 + more; i++)
			put_ccs(&out);
		put_record(&out, 23, 40);
		send_out(r, &c, true);
		rig_quiet(r);
		assert_int_equal(ended(r, AS_END_QUIET, more ? AS_F_GAP : 0)->client_flight.count,
				 1 - more);
		rig_free(r);
	}
}

/* The capture holds the beginning of each frame only. */
static void test_snaplen(void **state)
{
	struct craft_conn c;
	struct rig *r = begin(&c);

	(void)state;
	put_record(&out, 23, 40);
	put_record(&out, 23, 50);
	craft_frame(&r->frame, &c,
		    &(struct craft_segment){.from_client = true,
					    .flags = AS_TCP_ACK,
					    .seq = c.client_seq,
					    .ack = c.server_seq,
					    .data = out.at,
					    .len = out.len});
	rig_bytes(r, r->frame.at, r->frame.len - 54, false);
	rig_quiet(r);
	WANT(&ended(r, AS_END_QUIET, AS_F_GAP)->client_flight, {23, 40, 4});
	rig_free(r);
}

/* ---- hellos ---- */

/* After a HelloRetryRequest the client's flight begins behind its second hello. */
static void test_retry(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);
	const struct as_handshake *hs;

	(void)state;
	out.len = ext.len = 0;
	send_record(r, &c, true, 500); /* early data, in vain */
	craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, "\x03\x04", 2);
	craft_ext(&ext, AS_EXT_KEY_SHARE, BYTES("\x00\x17"));
	craft_server_hello(
		&out, &(struct craft_hello){.random = craft_retry, .cipher = 0x1301, .ext = &ext});
	put_ccs(&out);
	send_out(r, &c, false);
	put_ccs(&out);
	craft_put(&out, rig_hello(1)->at, rig_hello(1)->len);
	send_out(r, &c, true);
	put_flight();
	send_out(r, &c, false);
	send_record(r, &c, true, 53);
	rig_quiet(r);
	hs = rig_only(r);
	assert_int_equal(hs->end, AS_END_QUIET);
	assert_int_equal(hs->flags, AS_F_SERVER_HELLO | AS_F_RETRY | AS_F_HELLO_AGAIN);
	WANT(&hs->server_flight, FLIGHT);
	WANT(&hs->client_flight, {23, 53, 4});
	RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 1, AS_REPEAT_RETRY, 1);
	rig_free(r);
}

/* A ClientHello in two segments, early data in the second, which comes first. */
static void test_split_hello(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1), last;

	(void)state;
	rig_connect(r, &c);
	out.len = 0;
	craft_put(&out, rig_hello(1)->at, rig_hello(1)->len);
	put_record(&out, 23, 111);
	last = c;
	last.client_seq += 60;
	rig_client(r, &last, out.at + 60, out.len - 60);
	rig_client(r, &c, out.at, 60);
	c = last;
	out.len = 0;
	put_flight();
	send_out(r, &c, false);
	rig_quiet(r);
	WANT(&ended(r, AS_END_QUIET, 0)->client_flight, {23, 111, 0});
	rig_free(r);
}

/* The server's segments change places while its hello is incomplete. */
static void test_split_answer(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	out.len = 0;
	put_flight();
	send_part(r, c, 60, out.len);
	send_part(r, c, 0, 60);
	rig_quiet(r);
	WANT(&ended(r, AS_END_QUIET, 0)->server_flight, FLIGHT);
	rig_free(r);
}

/* Hellos that come again while records are awaited change nothing. */
static void test_hellos_again(void **state)
{
	struct craft_conn c, again;
	struct rig *r = begin(&c);
	const struct as_handshake *hs;

	(void)state;
	again = c;
	again.client_seq -= rig_hello(1)->len;
	rig_client_hello(r, &again, 1);
	put_flight();
	again = c;
	again.server_seq -= out.len;
	send_out(r, &again, false);
	send_record(r, &c, true, 53);
	rig_quiet(r);
	hs = rig_only(r);
	assert_int_equal(hs->flags, AS_F_SERVER_HELLO);
	WANT(&hs->server_flight, FLIGHT);
	WANT(&hs->client_flight, {23, 53, 4});
	RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 1, AS_REPEAT_AGAIN, 1);
	rig_free(r);
}

/* The tuple is taken for another connection, which ends with what was seen of the first. */
static void test_reuse(void **state)
{
	struct craft_conn c, next = craft_ipv4(1);
	struct rig *r = begin(&c);

	(void)state;
	next.client_seq += 0x30000000;
	next.server_seq += 0x20000000;
	rig_connect(r, &next);
	rig_client_hello(r, &next, 2);
	assert_int_equal(rig_only(r)->end, AS_END_REUSED);
	WANT(&rig_only(r)->server_flight, FLIGHT);
	put_flight();
	send_out(r, &next, false);
	rig_quiet(r);
	assert_int_equal(r->count, 2);
	WANT(&r->rec[1].server_flight, FLIGHT);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 2);
	rig_free(r);
}

/* ---- ends ---- */

/* One end closes, in its place, and then the other one. */
static void test_fin(void **state)
{
	(void)state;
	for (int client = 0; client < 2; client++) {
		struct craft_conn c;
		struct rig *r = begin(&c);

		put_record(&out, 23, 53);
		rig_send(r, &c, client, AS_TCP_FIN | AS_TCP_ACK, out.at, out.len);
		assert_int_equal(r->count, 0);
		rig_send(r, &c, !client, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
		ended(r, AS_END_FIN, client ? 0 : AS_F_END_CLIENT);
		if (client)
			WANT(&rig_only(r)->client_flight, {23, 53, 4});
		else
			WANT(&rig_only(r)->server_flight, FLIGHT, {23, 53, 0});
		rig_free(r);
	}
}

/* With the ServerHello's own segment. */
static void test_fin_at_once(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	out.len = 0;
	put_flight();
	rig_send(r, &c, false, AS_TCP_FIN | AS_TCP_ACK, out.at, out.len);
	rig_send(r, &c, true, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
	WANT(&ended(r, AS_END_FIN, AS_F_END_CLIENT)->server_flight, FLIGHT);
	rig_free(r);
}

/* Behind a hole it tells that something is missing, and no more. */
static void test_fin_ahead(void **state)
{
	struct craft_conn c, late;
	struct rig *r = begin(&c);

	(void)state;
	late = c;
	c.client_seq += 5 + 53;
	rig_send(r, &c, true, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
	assert_int_equal(r->count, 0);
	send_record(r, &late, true, 53);
	rig_quiet(r);
	WANT(&ended(r, AS_END_QUIET, 0)->client_flight, {23, 53, 4});
	rig_free(r);
}

/* A client that half-closed before the answer gets it all the same. */
static void test_fin_before(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	rig_send(r, &c, true, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
	out.len = 0;
	put_flight();
	send_out(r, &c, false);
	rig_quiet(r);
	WANT(&ended(r, AS_END_QUIET, AS_F_CLIENT_FIN)->server_flight, FLIGHT);
	rig_free(r);
}

/* RFC 9293 section 3.5.3. */
static void test_rst(void **state)
{
	(void)state;
	for (int client = 0; client < 2; client++) {
		struct craft_conn c;
		struct rig *r = begin(&c);

		rig_send(r, &c, client, AS_TCP_RST | AS_TCP_ACK, NULL, 0);
		WANT(&ended(r, AS_END_RST, client ? AS_F_END_CLIENT : 0)->server_flight, FLIGHT);
		rig_free(r);
	}
}

/* A blind one: a number that is not in the window, and no ACK. */
static void test_rst_blind(void **state)
{
	struct craft_conn c, far;
	struct rig *r = begin(&c);

	(void)state;
	far = c;
	far.client_seq += 0x20000000;
	rig_send(r, &far, true, AS_TCP_RST, NULL, 0);
	rig_send(r, &far, true, AS_TCP_RST | AS_TCP_ACK, NULL, 0);
	rig_send(r, &far, true, AS_TCP_FIN | AS_TCP_ACK, "\x17\x03\x03\0\x1", 5);
	assert_int_equal(r->count, 0);
	rig_quiet(r);
	assert_int_equal(rig_only(r)->end, AS_END_QUIET);
	assert_int_equal(rig_only(r)->client_flight.count, 0);
	assert_int_equal(rig_only(r)->flags, AS_F_SERVER_HELLO);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1, AS_ERR_OUT_OF_WINDOW, 3);
	rig_free(r);
}

/* An alert in clear, cut at every place: RFC 8446 section 6.2. */
static void test_alert(void **state)
{
	(void)state;
	for (uint32_t n = 0; n < 2 * 7; n++) {
		struct craft_conn c;
		struct rig *r = begin(&c);
		bool client = n & 1;
		struct craft alert = {0};
		const struct as_handshake *hs;

		craft_alert(&alert, AS_ALERT_FATAL, client ? 47 : 80);
		rig_send(r, &c, client, AS_TCP_ACK, alert.at, n / 2);
		assert_int_equal(r->count, 0);
		rig_send(r, &c, client, AS_TCP_ACK, alert.at + n / 2, 7 - n / 2);
		hs = ended(r, AS_END_ALERT, client ? AS_F_END_CLIENT : 0);
		assert_int_equal(hs->alert_level, AS_ALERT_FATAL);
		assert_int_equal(hs->alert_desc, client ? 47 : 80);
		if (client)
			WANT(&hs->client_flight, {21, 2, 4});
		else
			WANT(&hs->server_flight, FLIGHT, {21, 2, 0});
		rig_free(r);
	}
}

/* user_canceled is a warning, an alert that is longer than one is none (section 6.1, 5.1). */
static void test_alert_no_end(void **state)
{
	struct craft_conn c;
	struct rig *r = begin(&c);
	const struct as_handshake *hs;

	(void)state;
	craft_alert(&out, AS_ALERT_WARNING, 90);
	put_record(&out, 21, 26);
	send_out(r, &c, true);
	rig_quiet(r);
	hs = ended(r, AS_END_QUIET, 0);
	assert_int_equal(hs->alert_level | hs->alert_desc, 0);
	WANT(&hs->client_flight, {21, 2, 4}, {21, 26, 4});
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_gap),	     cmocka_unit_test(test_gap_filled),
		cmocka_unit_test(test_broken),	     cmocka_unit_test(test_many_heads),
		cmocka_unit_test(test_snaplen),	     cmocka_unit_test(test_retry),
		cmocka_unit_test(test_split_hello),  cmocka_unit_test(test_split_answer),
		cmocka_unit_test(test_hellos_again), cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_fin),	     cmocka_unit_test(test_fin_at_once),
		cmocka_unit_test(test_fin_ahead),    cmocka_unit_test(test_fin_before),
		cmocka_unit_test(test_rst),	     cmocka_unit_test(test_rst_blind),
		cmocka_unit_test(test_alert),	     cmocka_unit_test(test_alert_no_end),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
