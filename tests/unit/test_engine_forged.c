// SPDX-License-Identifier: GPL-2.0-only
/* engine: pieces of hellos that somebody else sends on a connection that is not his. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

/* A segment of the connection by one who knows its addresses and ports only. */
static void forged(struct rig *r, const struct craft_conn *c, bool client, uint8_t flags,
		   const void *data, size_t len)
{
	rig_segment(r, c,
		    &(struct craft_segment){.from_client = client,
					    .flags = flags,
					    .seq = 0xdeadbeef,
					    .ack = 0x12345678,
					    .data = data,
					    .len = len});
}

/* The handshake goes on and ends as it should; besides its own counters, @counter is @n. */
static void goes_on(struct rig *r, struct craft_conn *c, uint32_t counter)
{
	assert_int_equal(r->count, 0);
	rig_server_hello(r, c, 1);
	assert_int_equal(rig_only(r)->end, AS_END_SERVER_HELLO);
	assert_int_equal(rig_only(r)->flags, AS_F_SERVER_HELLO);
	RIG_NAMES(rig_only(r), "a.example", "\x02h2\x08http/1.1", "\x02h2");
	rig_wait(r, RIG_UNFINISHED_NS);
	assert_true(native_counters(r->native)[counter] > 0);
	assert_int_equal(native_counters(r->native)[AS_ORPHANS], 0);
	rig_free(r);
}

/* A ServerHello that can be read nowhere: too long for any slot. */
static void test_server_hello_too_long(void **state)
{
	(void)state;
	for (int client = 0; client < 2; client++) {
		struct craft_conn c;
		struct rig *r = rig_begin(&c);

		forged(r, &c, client, AS_TCP_ACK,
		       BYTES("\x16\x03\x03\x00\x10\x02\x00\xff\xff\x03\x03"));
		goes_on(r, &c, AS_ERR_OUT_OF_WINDOW);
	}
}

/* A ClientHello too short to have a random, in records too short to tell. */
static void test_client_hello_without_random(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	forged(r, &c, true, AS_TCP_ACK,
	       BYTES("\x16\x03\x01\x00\x05\x01\x00\x00\x04\x03\x16\x03\x01\x00\x03\x03\x00\x00"));
	goes_on(r, &c, AS_LOST_MALFORMED);
}

/* The beginning of a hello in a segment that resets. */
static void test_reset_with_hello(void **state)
{
	struct craft_conn c;
	struct rig *r = rig_begin(&c);

	(void)state;
	forged(r, &c, true, AS_TCP_RST | AS_TCP_ACK, rig_hello(2)->at, 11);
	goes_on(r, &c, AS_LOST_UNFINISHED);
}

/* One byte, anywhere, while a hello is put together. */
static void test_byte_between_pieces(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	uint32_t len = rig_hello(1)->len;

	(void)state;
	rig_connect(r, &c);
	rig_client(r, &c, rig_hello(1)->at, 60);
	forged(r, &c, true, AS_TCP_ACK, "\x16", 1);
	rig_client(r, &c, rig_hello(1)->at + 60, len - 60);
	goes_on(r, &c, AS_ERR_HELLO_PREFIX);
}

/* ---- not forged: what is missing in the capture does not take a whole hello along ---- */

static void test_whole_behind_hole(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	rig_connect(r, &c);
	c.client_seq += 10;
	rig_client(r, &c, BYTES("EHLO a.example\r\n"));
	rig_client_hello(r, &c, 1);
	goes_on(r, &c, AS_ERR_GAP);
}

static void test_whole_behind_prefix(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	rig_client(r, &c, "\x16", 1);
	c.client_seq += 10;
	rig_client_hello(r, &c, 1);
	goes_on(r, &c, AS_ERR_HELLO_PREFIX);
}

/* The tuple is used anew while the old handshake waits, and the new hello is split. */
static void test_split_on_used_tuple(void **state)
{
	struct craft_conn c, next = craft_ipv4(1);
	struct rig *r = rig_begin(&c);
	uint32_t len = rig_hello(2)->len;

	(void)state;
	next.client_seq += 0x30000000;
	next.server_seq += 0x20000000;
	rig_connect(r, &next);
	rig_client(r, &next, rig_hello(2)->at, 60);
	rig_client(r, &next, rig_hello(2)->at + 60, len - 60);
	rig_server_hello(r, &next, 2);
	assert_int_equal(r->count, 2);
	assert_int_equal(r->rec[0].end, AS_END_REUSED);
	assert_int_equal(r->rec[1].end, AS_END_SERVER_HELLO);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 2);
	rig_free(r);
}

/* The hash is secret: no change of an address makes another tuple fall on the same place
 * whatever the secret is. The top bits of neighbouring words, which a product keeps. */
static void test_hash_not_aimed(void **state)
{
	uint32_t same = 0;

	(void)state;
	for (uint32_t i = 0; i < 2000; i++) {
		struct as_tuple a = {.lo_addr = {i * 0x9e3779b97f4a7c15, i}, .family = 6}, b = a;
		uint64_t seed[AS_SEEDS];

		for (uint32_t n = 0; n < AS_SEEDS; n++)
			seed[n] = (AS_SEEDS * i + n + 1) * 0xd1342543de82ef95;
		b.lo_addr[0] ^= 1ULL << 63;
		b.lo_addr[1] ^= 1ULL << 63 | 1ULL << 31;
		same += native_hash(&a, seed) == native_hash(&b, seed);
	}
	assert_int_equal(same, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_hello_too_long),
		cmocka_unit_test(test_client_hello_without_random),
		cmocka_unit_test(test_reset_with_hello),
		cmocka_unit_test(test_byte_between_pieces),
		cmocka_unit_test(test_whole_behind_hole),
		cmocka_unit_test(test_whole_behind_prefix),
		cmocka_unit_test(test_split_on_used_tuple),
		cmocka_unit_test(test_hash_not_aimed),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
