// SPDX-License-Identifier: GPL-2.0-only
/* engine: what is a repeat of a handshake, what belongs to it, and what begins another. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

static struct craft ext, hello;

/* ---- the same again ---- */

/* Retransmitted, or seen on a second interface: before the answer, and after it. */
static void test_again(void **state)
{
	struct craft_conn c, again;
	struct rig *r = rig_begin(&c);

	(void)state;
	again = craft_ipv4(1);
	again.client_seq++;
	again.server_seq++;
	rig_client_hello(r, &again, 1);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_REPEAT_AGAIN, 1);
	rig_server_hello(r, &c, 1);
	again.client_seq -= rig_hello(1)->len;
	rig_client_hello(r, &again, 1);
	RIG_COUNTS(r, AS_HELLOS, 3, AS_REPEAT_AGAIN, 2, AS_RECORDS, 1);
	rig_server_hello(r, &again, 1); /* a repeated answer is no orphan */
	RIG_COUNTS(r, AS_HELLOS, 3, AS_REPEAT_AGAIN, 2, AS_RECORDS, 1);
	rig_only(r);
	rig_free(r);
}

/* Clients with a random that is always the same are connections of their own: no tuple is known by
 * the place of its hash alone, which some sixty of these share. */
static void test_same_random(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);

	(void)state;
	for (uint32_t i = 1; i <= 2000; i++) {
		struct craft_conn c = craft_ipv4(i);

		rig_connect(r, &c);
		rig_client_hello(r, &c, 1);
		rig_server_hello(r, &c, 1);
	}
	RIG_COUNTS(r, AS_HELLOS, 2000, AS_RECORDS, 2000);
	rig_free(r);
}

/* ---- HelloRetryRequest, RFC 8446 section 4.1.4 ---- */

static void retry_request(struct rig *r, struct craft_conn *c)
{
	hello.len = ext.len = 0;
	craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, BYTES("\x03\x04"));
	craft_ext(&ext, AS_EXT_KEY_SHARE, BYTES("\x00\x17"));
	craft_server_hello(&hello, &(struct craft_hello){
					   .random = craft_retry, .cipher = 0x1301, .ext = &ext});
	craft_put(&hello, "\x14\x03\x03\x00\x01\x01", 6);
	rig_server(r, c, hello.at, hello.len);
}

/* The second hello: the same random, and an offer of its own to tell them apart. */
static const struct craft *second(void)
{
	hello.len = ext.len = 0;
	craft_sni(&ext, BYTES("b.example"));
	craft_alpn(&ext, BYTES("\x02h3"));
	craft_ext(&ext, AS_EXT_KEY_SHARE, BYTES("\0\0"));
	craft_client_hello(&hello, &(struct craft_hello){.random = craft_random(1), .ext = &ext});
	return &hello;
}

static void tls13_answer(struct rig *r, struct craft_conn *c)
{
	hello.len = ext.len = 0;
	craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, BYTES("\x03\x04"));
	craft_ext(&ext, AS_EXT_KEY_SHARE, BYTES("\x00\x17\0\1x"));
	craft_server_hello(
		&hello,
		&(struct craft_hello){.random = craft_random(9), .cipher = 0x1301, .ext = &ext});
	rig_server(r, c, hello.at, hello.len);
}

static void retried(struct rig *r, uint32_t seq)
{
	const struct as_handshake *hs;

	rig_quiet(r);
	hs = rig_only(r);
	assert_int_equal(hs->end, AS_END_QUIET);
	assert_int_equal(hs->flags, AS_F_SERVER_HELLO | AS_F_RETRY | AS_F_HELLO_AGAIN);
	assert_int_equal(hs->server_version, AS_TLS13);
	assert_int_equal(hs->group, 0x0017);
	assert_int_equal(hs->client_seq, seq);
	assert_int_equal(hs->client_ext, AS_X_SERVER_NAME | AS_X_ALPN | AS_X_KEY_SHARE);
	assert_memory_equal(hs->server_random, craft_random(9), 32);
	RIG_NAMES(hs, "b.example", "\x02h3", "");
}

static void test_retry(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);
	uint32_t seq = c.client_seq;

	(void)state;
	retry_request(r, &c);
	assert_int_equal(r->count, 0);
	rig_client(r, &c, second()->at, second()->len);
	tls13_answer(r, &c);
	retried(r, seq);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 1, AS_REPEAT_RETRY, 1);
	rig_free(r);
}

/* RFC 8446 appendix D.4: in compatibility mode a change_cipher_spec comes right before
 * the second hello; both go out at once. */
static void test_retry_after_ccs(void **state)
{
	struct craft_conn c, again;
	struct rig *r = rig_begin(&c);
	uint32_t seq = c.client_seq + 6;
	struct craft flight = {0};

	(void)state;
	retry_request(r, &c);
	craft_put(&flight, "\x14\x03\x03\x00\x01\x01", 6);
	craft_put(&flight, second()->at, second()->len);
	again = c;
	rig_client(r, &c, flight.at, flight.len);
	rig_client(r, &again, flight.at, flight.len); /* retransmitted */
	tls13_answer(r, &c);
	retried(r, seq);
	RIG_COUNTS(r, AS_HELLOS, 3, AS_RECORDS, 1, AS_REPEAT_RETRY, 1, AS_REPEAT_AGAIN, 1);
	rig_free(r);
}

/* Each of the four messages twice. */
static void test_retry_repeated(void **state)
{
	struct craft_conn c, before;
	struct rig *r = rig_begin(&c);
	uint32_t seq = c.client_seq;

	(void)state;
	before = c;
	before.client_seq -= rig_hello(1)->len;
	rig_client_hello(r, &before, 1);
	retry_request(r, &c);
	before.client_seq -= rig_hello(1)->len;
	rig_client_hello(r, &before, 1); /* the first, on its way again */
	retry_request(r, &before);
	RIG_COUNTS(r, AS_HELLOS, 3, AS_REPEAT_AGAIN, 2);
	before = c;
	rig_client(r, &c, second()->at, second()->len);
	rig_client(r, &before, second()->at, second()->len);
	RIG_COUNTS(r, AS_HELLOS, 5, AS_REPEAT_AGAIN, 3, AS_REPEAT_RETRY, 1);
	before = c;
	tls13_answer(r, &c);
	tls13_answer(r, &before);
	retried(r, seq);
	RIG_COUNTS(r, AS_HELLOS, 5, AS_REPEAT_AGAIN, 3, AS_REPEAT_RETRY, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* The first hello, late: the second one's offer stands. */
static void test_retry_first_late(void **state)
{
	struct craft_conn c, before;
	struct rig *r = rig_begin(&c);
	uint32_t seq = c.client_seq;

	(void)state;
	before = c;
	before.client_seq -= rig_hello(1)->len;
	retry_request(r, &c);
	rig_client(r, &c, second()->at, second()->len);
	rig_client_hello(r, &before, 1);
	tls13_answer(r, &c);
	retried(r, seq);
	RIG_COUNTS(r, AS_HELLOS, 3, AS_RECORDS, 1, AS_REPEAT_RETRY, 1, AS_REPEAT_AGAIN, 1);
	rig_free(r);
}

/* The second hello in two segments, the ChangeCipherSpec ahead of it in its own; in order, and
 * with the last segment first. */
static void test_retry_split(void **state)
{
	(void)state;
	for (int late = 0; late < 2; late++) {
		struct craft_conn c, last;
		struct rig *r = rig_begin(&c);
		uint32_t len = second()->len;

		retry_request(r, &c);
		last = c;
		last.client_seq += 6 + 60;
		if (late)
			rig_client(r, &last, second()->at + 60, len - 60);
		rig_client(r, &c, "\x14\x03\x03\0\1\1", 6);
		rig_client(r, &c, second()->at, 60);
		if (!late)
			rig_client(r, &last, second()->at + 60, len - 60);
		c.client_seq += len - 60;
		tls13_answer(r, &c);
		retried(r, c.client_seq - len);
		RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 1, AS_REPEAT_RETRY, 1);
		rig_free(r);
	}
}

/* A second hello that cannot be read is a repeat all the same: the first offer stands. */
static void test_retry_unreadable(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	retry_request(r, &c);
	second();
	craft_number_at(&hello, 6, 0x8000, 3); /* longer than a hello may be */
	rig_client(r, &c, hello.at, hello.len);
	tls13_answer(r, &c);
	rig_quiet(r);
	assert_int_equal(rig_only(r)->flags, AS_F_SERVER_HELLO | AS_F_RETRY);
	RIG_NAMES(rig_only(r), "a.example", "\x02h2\x08http/1.1", "");
	RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 1, AS_REPEAT_RETRY, 1);
	rig_free(r);
}

/* ---- the tuple comes back ---- */

/* The server took another connection: its SYN and ACK prove it, the next hello begins it. */
static void test_reuse(void **state)
{
	struct craft_conn c, next = craft_ipv4(1);
	struct rig *r = rig_begin(&c);

	(void)state;
	next.client_seq += 0x30000000;
	next.server_seq += 0x20000000;
	rig_connect(r, &next);
	assert_int_equal(r->count, 0);
	rig_client_hello(r, &next, 2);
	rig_ended(r, AS_END_REUSED, 0);
	assert_memory_equal(r->rec[0].client_random, craft_random(1), 32);
	rig_server_hello(r, &next, 2);
	assert_int_equal(r->count, 2);
	assert_int_equal(r->rec[1].end, AS_END_SERVER_HELLO);
	assert_memory_equal(r->rec[1].client_random, craft_random(2), 32);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 2);
	rig_free(r);
}

/* A SYN of this very connection, retransmitted and late. */
static void test_late_syn(void **state)
{
	struct craft_conn c, late = craft_ipv4(1);
	struct rig *r = rig_begin(&c);

	(void)state;
	rig_send(r, &late, true, AS_TCP_SYN, NULL, 0);
	rig_send(r, &late, false, AS_TCP_SYN | AS_TCP_ACK, NULL, 0);
	assert_int_equal(r->count, 0);
	rig_server_hello(r, &c, 1);
	assert_int_equal(rig_only(r)->end, AS_END_SERVER_HELLO);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* Two at one place and time: the first is not disturbed, the other is counted. */
static void test_conflict(void **state)
{
	struct craft_conn c, other;
	struct rig *r = rig_begin(&c);

	(void)state;
	other = c;
	rig_client_hello(r, &other, 2);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_LOST_TUPLE_CONFLICT, 1);
	rig_server_hello(r, &c, 1);
	assert_memory_equal(rig_only(r)->client_random, craft_random(1), 32);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_LOST_TUPLE_CONFLICT, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* A server that sends a ClientHello of its own making cannot end its client's handshake. */
static void test_hello_from_server(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);
	const struct craft *two = rig_hello(2);

	(void)state;
	rig_server(r, &c, two->at, two->len);
	rig_server_hello(r, &c, 1);
	assert_memory_equal(rig_only(r)->client_random, craft_random(1), 32);
	assert_int_equal(rig_only(r)->end, AS_END_SERVER_HELLO);
	assert_int_equal(rig_only(r)->client_port, 40000);
	rig_free(r);
}

/* One connection after the other between the same ends. */
static void test_next_connection(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);

	(void)state;
	for (uint32_t i = 0; i < 9; i++) {
		struct craft_conn c = craft_ipv4(1);

		c.client_seq += i * 100000;
		c.server_seq += i * 100000;
		rig_connect(r, &c);
		rig_client_hello(r, &c, i);
		rig_server_hello(r, &c, i);
		rig_send(r, &c, true, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
		rig_send(r, &c, false, AS_TCP_FIN | AS_TCP_ACK, NULL, 0);
		assert_int_equal(r->count, i + 1);
		assert_int_equal(r->rec[i].end, AS_END_SERVER_HELLO);
	}
	RIG_COUNTS(r, AS_HELLOS, 9, AS_RECORDS, 9);
	rig_free(r);
}

/* ---- ServerHello without ClientHello: a ledger of its own ---- */

static void test_orphan(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1), again;
	const struct as_handshake *hs;

	(void)state;
	c.client_seq += 500;
	again = c;
	rig_server_hello(r, &c, 1);
	hs = rig_only(r);
	assert_int_equal(hs->kind, AS_KIND_ORPHAN);
	assert_int_equal(hs->end, AS_END_SERVER_HELLO);
	assert_int_equal(hs->flags, AS_F_SERVER_HELLO);
	assert_memory_equal(hs->client_addr + 12, c.client, 4);
	assert_memory_equal(hs->server_addr + 12, c.server, 4);
	assert_int_equal(hs->client_port, 40000);
	assert_int_equal(hs->server_port, 443);
	assert_int_equal(hs->client_version | hs->client_ext, 0);
	assert_int_equal(hs->server_version, AS_TLS12);
	assert_int_equal(hs->hello_ns, r->now);
	RIG_NAMES(hs, "", "", "\x02h2");
	rig_server_hello(r, &again, 1); /* retransmitted */
	RIG_COUNTS(r, AS_ORPHANS, 1, AS_ORPHAN_RECORDS, 1);
	rig_free(r);
}

/* A HelloRetryRequest whose hello was not seen: the second hello makes the handshake. */
static void test_orphan_retry(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	retry_request(r, &c);
	rig_client(r, &c, second()->at, second()->len);
	tls13_answer(r, &c);
	rig_quiet(r);
	assert_int_equal(rig_only(r)->kind, AS_KIND_HANDSHAKE);
	assert_int_equal(rig_only(r)->flags, AS_F_SERVER_HELLO);
	RIG_NAMES(rig_only(r), "b.example", "\x02h3", "");
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_again),		cmocka_unit_test(test_same_random),
		cmocka_unit_test(test_retry),		cmocka_unit_test(test_retry_after_ccs),
		cmocka_unit_test(test_retry_repeated),	cmocka_unit_test(test_retry_first_late),
		cmocka_unit_test(test_retry_split),	cmocka_unit_test(test_retry_unreadable),
		cmocka_unit_test(test_reuse),		cmocka_unit_test(test_late_syn),
		cmocka_unit_test(test_conflict),	cmocka_unit_test(test_hello_from_server),
		cmocka_unit_test(test_next_connection), cmocka_unit_test(test_orphan),
		cmocka_unit_test(test_orphan_retry),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
