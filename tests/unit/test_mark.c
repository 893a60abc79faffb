// SPDX-License-Identifier: GPL-2.0-only
/* mark.h: what the gates and their blocks tell of connections that begin, speak and end. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"
#include "../../user/capture/native.c" /* the engine's own state is looked at */

#define LEFT 15 /* segments of a client that are watched */

static uint32_t hash_by(const struct craft_conn *c, const __u64 *secret)
{
	uint16_t from, to;
	uint8_t ports[4] = {(uint8_t)(c->client_port >> 8), (uint8_t)c->client_port,
			    (uint8_t)(c->server_port >> 8), (uint8_t)c->server_port};

	memcpy(&from, ports, 2);
	memcpy(&to, ports + 2, 2);
	return as_hash4(c->client, c->server, from, to, secret);
}

static uint32_t hash_of(const struct craft_conn *c)
{
	return hash_by(c, seed);
}

/* The first connection behind @after whose gate shares a byte with that of @c, and is another. */
static struct craft_conn neighbour(const struct craft_conn *c, uint32_t after)
{
	for (uint32_t number = after + 1;; number++) {
		struct craft_conn other = craft_ipv4(number);
		uint32_t differ = (hash_of(c) ^ hash_of(&other)) % AS_GATES;

		if (differ && differ < AS_BLOCK_PART)
			return other;
	}
}

static const struct as_block *block_of(const struct rig *r, const struct craft_conn *c)
{
	return as_block(r->native, hash_of(c));
}

/* Would a data packet of the connection be turned away by its block alone? */
static bool is_quiet(const struct rig *r, const struct craft_conn *c)
{
	const struct as_block none = {0};

	return !memcmp(block_of(r, c), &none, sizeof(none));
}

static void test_handshake(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	assert_true(is_quiet(r, &c));
	rig_connect(r, &c);
	assert_false(is_quiet(r, &c));
	assert_int_equal(block_of(r, &c)->busy, 0);
	rig_client_hello(r, &c, 1);
	assert_int_equal(block_of(r, &c)->busy, 1);
	rig_server_hello(r, &c, 1);
	assert_int_equal(r->count, 1);
	assert_true(is_quiet(r, &c));
	rig_free(r);
}

/* A hello in two segments, which is given up: the slot is in the block too. */
static void test_slot(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	rig_connect(r, &c);
	rig_client(r, &c, rig_hello(1)->at, 40);
	assert_int_equal(block_of(r, &c)->busy, 1);
	rig_wait(r, RIG_UNFINISHED_NS);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_LOST_UNFINISHED, 1);
	assert_true(is_quiet(r, &c));
	rig_free(r);
}

/* What a connection without TLS leaves behind: nothing, once it said enough, ended or was refused. */
static void test_plain(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	rig_connect(r, &c);
	for (int i = 0; i <= LEFT; i++) {
		assert_false(is_quiet(r, &c));
		rig_client(r, &c, BYTES("NOOP\r\n"));
	}
	assert_true(is_quiet(r, &c));

	c = craft_ipv4(2);
	rig_connect(r, &c);
	rig_client(r, &c, BYTES("QUIT\r\n"));
	rig_send(r, &c, false, AS_TCP_ACK | AS_TCP_FIN, NULL, 0);
	assert_true(is_quiet(r, &c));

	c = craft_ipv4(3);
	rig_connect(r, &c);
	rig_send(r, &c, true, AS_TCP_ACK | AS_TCP_FIN, BYTES("QUIT\r\n"));
	assert_true(is_quiet(r, &c));

	c = craft_ipv4(4);
	rig_send(r, &c, true, AS_TCP_SYN, NULL, 0);
	assert_false(is_quiet(r, &c));
	rig_send(r, &c, false, AS_TCP_ACK | AS_TCP_RST, NULL, 0);
	assert_true(is_quiet(r, &c));
	rig_free(r);
}

/* An RST or FIN that is not where the client is ends nothing: the second segment of its hello comes
 * first, and is kept. */
static void test_blind_end(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1), blind;
	uint32_t len = rig_hello(1)->len;

	(void)state;
	rig_connect(r, &c);
	blind = c;
	blind.client_seq += 1000;
	rig_send(r, &blind, true, AS_TCP_ACK | AS_TCP_FIN, NULL, 0);
	rig_send(r, &blind, true, AS_TCP_RST, NULL, 0);
	rig_send(r, &blind, false, AS_TCP_ACK | AS_TCP_RST, NULL, 0);
	assert_false(is_quiet(r, &c));
	blind = c;
	blind.client_seq += 40;
	rig_client(r, &blind, rig_hello(1)->at + 40, len - 40);
	rig_client(r, &c, rig_hello(1)->at, 40);
	c.client_seq += len - 40;
	rig_server_hello(r, &c, 1);
	assert_int_equal(r->count, 1);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	assert_true(is_quiet(r, &c));
	rig_free(r);
}

/* Two and three connections begin whose gates share a byte: when one's hello was read, the others'
 * segments are still known to be early. */
static void test_neighbours(void **state)
{
	(void)state;
	for (uint32_t number = 2; number <= 3; number++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c[3] = {craft_ipv4(1)}, later;
		uint32_t len = rig_hello(1)->len;

		c[1] = neighbour(&c[0], 1);
		c[2] = neighbour(&c[0], (uint32_t)c[1].client[1] << 16 |
						(uint32_t)c[1].client[2] << 8 | c[1].client[3]);
		for (uint32_t i = 0; i < number; i++)
			rig_connect(r, &c[i]);
		for (uint32_t i = number;
		     i--;) { /* the last is the one that is still known alone */
			assert_false(is_quiet(r, &c[0]));
			later = c[i];
			later.client_seq += 40;
			rig_client(r, &later, rig_hello(i + 1)->at + 40, len - 40);
			rig_client(r, &c[i], rig_hello(i + 1)->at, 40);
			c[i].client_seq += len - 40;
			rig_server_hello(r, &c[i], i + 1);
			assert_int_equal(r->count, number - i);
		}
		assert_true(is_quiet(r, &c[0]));
		RIG_COUNTS(r, AS_HELLOS, number, AS_RECORDS, number);
		rig_free(r);
	}
}

/* Randoms that differ in a number alone, which is counted up, of connections that follow each other
 * at a gate, whatever the hash's secret: none is taken for the one before. */
static void test_identity(void **state)
{
	static uint64_t last[AS_GATES];
	__u64 secret[AS_SEEDS] = {0};

	(void)state;
	for (uint32_t at = 0; at < 32; at += 4) {
		for (uint32_t turn = 0; turn < 10; turn++) {
			secret[0] = seed[turn % AS_SEEDS] * (2 * turn + 1); /* IPv4's */
			memset(last, 0, sizeof(last));
			for (uint32_t number = 1; number <= 100000; number++) {
				struct craft_conn c = craft_ipv4(number);
				uint32_t hash = hash_by(&c, secret);
				uint8_t random[32] = {0};
				uint64_t is;

				for (uint32_t i = 0; i < 4; i++)
					random[at + i] = (uint8_t)(number >> 8 * (3 - i));
				is = as_identity(random, hash);
				assert_int_not_equal(is, 0);
				assert_int_not_equal(is, last[hash % AS_GATES]);
				last[hash % AS_GATES] = is;
			}
		}
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),  cmocka_unit_test(test_slot),
		cmocka_unit_test(test_plain),	   cmocka_unit_test(test_blind_end),
		cmocka_unit_test(test_neighbours), cmocka_unit_test(test_identity),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
