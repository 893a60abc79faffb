// SPDX-License-Identifier: GPL-2.0-only
/* engine: packets of others on a handshake's tuple must not decide or hide it; and what a
 * server takes, however odd, is seen. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

static struct craft part;

/* The handshake of @c goes on as if nothing had been: h2 was chosen. */
static void unharmed(struct rig *r, struct craft_conn *c)
{
	assert_int_equal(r->count, 0);
	rig_server_hello(r, c, 1);
	assert_int_equal(rig_only(r)->end, AS_END_SERVER_HELLO);
	assert_memory_equal(rig_only(r)->client_random, craft_random(1), 32);
	RIG_NAMES(rig_only(r), "a.example", "\x02h2\x08http/1.1", "\x02h2");
}

/* RFC 5961 section 4: on a connection that lives a SYN is answered with a challenge ACK. */
static void test_stray_syn(void **state)
{
	struct craft_conn c, other = craft_ipv4(1);
	struct rig *r = rig_begin(&c);

	(void)state;
	other.client_seq += 0x30000000;
	rig_send(r, &other, true, AS_TCP_SYN, NULL, 0);
	unharmed(r, &c);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* A hello far away, with or without its SYN, that no server took. */
static void test_stray_hello(void **state)
{
	struct craft_conn c, other = craft_ipv4(1);
	struct rig *r = rig_begin(&c);

	(void)state;
	other.client_seq += 0x30000000;
	rig_send(r, &other, true, AS_TCP_SYN, NULL, 0);
	rig_client_hello(r, &other, 2);
	unharmed(r, &c);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 1, AS_LOST_TUPLE_CONFLICT, 1);
	rig_free(r);
}

/* RFC 9293 section 3.10.7.4: a segment without ACK is dropped, but for an RST in its place. */
static void test_without_ack(void **state)
{
	static const struct {
		bool client;
		uint8_t flags;
		uint32_t off;
	} rows[] = {{false, AS_TCP_RST, 0xffff0},
		    {true, AS_TCP_RST, 0xffff0},
		    {false, AS_TCP_FIN, 0},
		    {false, 0, 0}};
	struct craft_conn c;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *r = rig_begin(&c);
		struct craft_conn forged = c;
		const struct craft *answer = rig_answer(2);

		forged.client_seq += rows[i].off;
		forged.server_seq += rows[i].off;
		rig_send(r, &forged, rows[i].client, rows[i].flags,
			 rows[i].flags ? NULL : answer->at, rows[i].flags ? 0 : answer->len);
		unharmed(r, &c);
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1, AS_ERR_OUT_OF_WINDOW, 1);
		rig_free(r);
	}
}

/* After a hello in the SYN no number of the server's is known: no blind answer then. */
static void test_fast_open_forged(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1), forged;

	(void)state;
	rig_send(r, &c, true, AS_TCP_SYN, rig_hello(1)->at, rig_hello(1)->len);
	forged = c;
	forged.server_seq += 12345;
	rig_send(r, &forged, false, AS_TCP_RST, NULL, 0);
	rig_send(r, &forged, false, 0, rig_answer(2)->at, rig_answer(2)->len);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_ERR_OUT_OF_WINDOW, 2);
	c.server_seq++; /* its SYN and ACK */
	unharmed(r, &c);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1, AS_ERR_OUT_OF_WINDOW, 2);
	rig_free(r);
}

/* A client's RST whose ACK names nothing that the server sent. */
static void test_rst_wrong_ack(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);
	struct craft_conn forged = c;

	(void)state;
	forged.server_seq += 0x40000000;
	rig_send(r, &forged, true, AS_TCP_RST | AS_TCP_ACK, NULL, 0);
	unharmed(r, &c);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1, AS_ERR_OUT_OF_WINDOW, 1);
	rig_free(r);
}

/* The FIN overtakes the answer. */
static void test_fin_first(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);
	struct craft_conn early = c;

	(void)state;
	early.server_seq += rig_answer(1)->len;
	rig_send(r, &early, false, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
	unharmed(r, &c);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* Bytes that are no TLS, then the FIN: nothing is missing, so it decides. */
static void test_fin_after_other_bytes(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	rig_server(r, &c, "HTTP/1.1 400 Bad Request\r\n\r\n", 28);
	rig_send(r, &c, false, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
	rig_ended(r, AS_END_FIN, 0);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* Two warnings ahead of the ServerHello, in its segment. */
static void test_two_warnings(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	part.len = 0;
	craft_alert(&part, 1, 112);
	craft_alert(&part, 1, 112);
	craft_put(&part, rig_answer(1)->at, rig_answer(1)->len);
	rig_server(r, &c, part.at, part.len);
	assert_int_equal(rig_only(r)->end, AS_END_SERVER_HELLO);
	RIG_NAMES(rig_only(r), "a.example", "\x02h2\x08http/1.1", "\x02h2");
	rig_free(r);
}

/* RFC 8446 section 5.1: the record's version must be ignored; RFC 5246 appendix E.1: a
 * client may name a version that is not yet there. */
static void test_odd_versions(void **state)
{
	static const struct {
		uint8_t record_minor, major, minor;
	} rows[] = {{0, 3, 3}, {9, 3, 3}, {0xff, 3, 3}, {1, 3, 0xff}, {1, 4, 3}};
	struct rig *r = rig_new(RIG_FLOWS);

	(void)state;
	for (uint32_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct craft_conn c = craft_ipv4(i + 1);

		part.len = 0;
		craft_put(&part, rig_hello(i + 1)->at, rig_hello(i + 1)->len);
		part.at[2] = rows[i].record_minor;
		part.at[9] = rows[i].major;
		part.at[10] = rows[i].minor;
		rig_client(r, &c, part.at, part.len);
		rig_server_hello(r, &c, i + 1);
		assert_int_equal(r->count, i + 1);
		RIG_NAMES(&r->rec[i], "a.example", "\x02h2\x08http/1.1", "\x02h2");
	}
	rig_free(r);
}

/* OpenSSL takes an empty handshake record before the hello. */
static void test_empty_record(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	rig_connect(r, &c);
	part.len = 0;
	craft_put(&part, "\x16\x03\x01\x00\x00", 5);
	craft_put(&part, rig_hello(1)->at, rig_hello(1)->len);
	rig_client(r, &c, part.at, part.len);
	unharmed(r, &c);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* A message of 70,000 bytes over many records: it begins here, and is too long. */
static void test_very_long(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	part.len = 0;
	craft_put(&part, "\x16\x03\x01\x40\x00\x01\x01\x11\x70\x03\x03", 11);
	craft_zero(&part, 1200);
	rig_client(r, &c, part.at, part.len);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_LOST_TOO_LONG, 1);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stray_syn),
		cmocka_unit_test(test_stray_hello),
		cmocka_unit_test(test_without_ack),
		cmocka_unit_test(test_fast_open_forged),
		cmocka_unit_test(test_rst_wrong_ack),
		cmocka_unit_test(test_fin_first),
		cmocka_unit_test(test_fin_after_other_bytes),
		cmocka_unit_test(test_two_warnings),
		cmocka_unit_test(test_odd_versions),
		cmocka_unit_test(test_empty_record),
		cmocka_unit_test(test_very_long),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
