// SPDX-License-Identifier: GPL-2.0-only
/* engine: hellos that are never complete, or too long, each with its reason. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

static struct craft hello, part;

/* The second segment never comes; the answer is then one whose hello was not seen. */
static void test_unfinished(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	rig_connect(r, &c);
	rig_client(r, &c, rig_hello(1)->at, 60);
	c.client_seq += 20;
	rig_server_hello(r, &c, 1);
	assert_int_equal(rig_only(r)->kind, AS_KIND_ORPHAN);
	RIG_COUNTS(r, AS_ORPHANS, 1, AS_ORPHAN_RECORDS, 1);
	rig_wait(r, RIG_UNFINISHED_NS);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_LOST_UNFINISHED, 1, AS_ORPHANS, 1, AS_ORPHAN_RECORDS, 1);
	rig_free(r);
}

/* A segment that ends inside the random, and comes twice: one hello, and one again. */
static void test_unfinished_in_random(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1), again = c;

	(void)state;
	rig_client(r, &c, rig_hello(1)->at, 20);
	rig_client(r, &again, rig_hello(1)->at, 20);
	rig_wait(r, RIG_UNFINISHED_NS);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_REPEAT_AGAIN, 1, AS_LOST_UNFINISHED, 1);
	rig_free(r);
}

/* Too short to tell: what may begin a handshake record is counted, nothing else is. */
static void test_prefix(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);

	(void)state;
	for (uint32_t len = 1; len <= 10; len++) {
		struct craft_conn c = craft_ipv4(len), other = craft_ipv4(100 + len);

		rig_client(r, &c, rig_hello(1)->at, len);
		rig_client(r, &other, "GET / HTTP/1.1", len);
		rig_client(r, &other, "\x16\x05\x16\x16\x16\x16\x16\x16\x16\x16",
			   len == 1 ? 2 : len);
	}
	rig_wait(r, RIG_UNFINISHED_NS);
	RIG_COUNTS(r, AS_ERR_HELLO_PREFIX, 10);
	rig_free(r);
}

/* The rest of the answer never comes: no usable answer. */
static void test_answer_unfinished(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	const uint32_t all = rig_answer(0)->len - 1;

	(void)state;
	for (uint32_t len = 1; len <= all; len++) {
		struct craft_conn c = craft_ipv4(len);

		rig_client_hello(r, &c, len);
		rig_server(r, &c, rig_answer(len)->at, len);
	}
	assert_int_equal(r->count, 0);
	rig_wait(r, RIG_UNFINISHED_NS);
	assert_int_equal(r->count, all);
	for (uint32_t i = 0; i < all; i++)
		assert_true(r->rec[i].end == AS_END_TIMEOUT && !r->rec[i].flags);
	RIG_COUNTS(r, AS_HELLOS, all, AS_RECORDS, all, AS_ERR_SERVER_HELLO_SPLIT, all - 10,
		   AS_ERR_HELLO_PREFIX, 10);
	rig_free(r);
}

/* The longest hello is one record's worth: 2^14 bytes. */
static void test_longest(void **state)
{
	static const uint32_t lengths[] = {255, 256, 257, 511, 512, 513, 3600, 16383, 16384};

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = craft_ipv4(1);

		rig_long_hello(&hello, lengths[i]);
		rig_client(r, &c, hello.at, hello.len);
		rig_server_hello(r, &c, 1);
		RIG_NAMES(rig_only(r), "", "\x02h2", "\x02h2");
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
		rig_free(r);
	}
}

static void test_too_long(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	rig_long_hello(&hello, 16385);
	/* A record of 2^14 bytes, and one with the last byte. */
	part.len = 0;
	craft_put(&part, "\x16\x03\x01\x40\x00", 5);
	craft_put(&part, hello.at + AS_REC_HLEN, 16384);
	craft_put(&part, "\x16\x03\x01\x00\x01", 5);
	craft_put(&part, hello.at + AS_REC_HLEN + 16384, 1);
	rig_client(r, &c, part.at, part.len);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_LOST_TOO_LONG, 1);
	rig_free(r);
}

/* One that cannot be read, and no hello before: counted, and no record. */
static void test_orphan_unreadable(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	const struct craft *answer = rig_answer(1);

	(void)state;
	rig_server(r, &c, answer->at, answer->len - 1);
	rig_wait(r, RIG_UNFINISHED_NS);
	assert_int_equal(r->count, 0);
	RIG_COUNTS(r, AS_ORPHANS, 1, AS_ORPHAN_LOST_UNREADABLE, 1, AS_ERR_SERVER_HELLO_SPLIT, 1);
	rig_free(r);
}

/* TCP Fast Open, RFC 7413: the hello comes with the SYN, and again if the server took
 * only the SYN. */
static void test_fast_open(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	const struct craft *one = rig_hello(1);

	(void)state;
	rig_send(r, &c, true, AS_TCP_SYN, one->at, one->len);
	assert_int_equal(native_in_flight(r->native), 1);
	c.client_seq -= one->len;
	rig_send(r, &c, false, AS_TCP_SYN | AS_TCP_ACK, NULL, 0);
	rig_client(r, &c, one->at, one->len);
	rig_server_hello(r, &c, 1);
	assert_int_equal(rig_only(r)->end, AS_END_SERVER_HELLO);
	assert_int_equal(rig_only(r)->client_seq, craft_ipv4(1).client_seq + 1);
	RIG_NAMES(rig_only(r), "a.example", "\x02h2\x08http/1.1", "\x02h2");
	RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 1, AS_REPEAT_AGAIN, 1);
	rig_free(r);
}

/* The table holds no more: counted, and known when it comes by again. */
static void test_table_full(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c;

	(void)state;
	for (uint32_t i = 0; i < RIG_FLOWS + 3; i++) {
		c = craft_ipv4(i);
		rig_client_hello(r, &c, i);
	}
	assert_int_equal(native_in_flight(r->native), RIG_FLOWS);
	RIG_COUNTS(r, AS_HELLOS, RIG_FLOWS + 3, AS_LOST_TABLE_FULL, 3);
	c = craft_ipv4(RIG_FLOWS);
	rig_client_hello(r, &c, RIG_FLOWS);
	RIG_COUNTS(r, AS_HELLOS, RIG_FLOWS + 4, AS_LOST_TABLE_FULL, 3, AS_REPEAT_AGAIN, 1);
	c = craft_ipv4(1);
	c.client_seq += rig_hello(1)->len;
	rig_server_hello(r, &c, 1); /* makes room */
	c = craft_ipv4(5000);
	rig_client_hello(r, &c, 5000);
	RIG_COUNTS(r, AS_HELLOS, RIG_FLOWS + 5, AS_LOST_TABLE_FULL, 3, AS_REPEAT_AGAIN, 1,
		   AS_RECORDS, 1);
	rig_free(r);
}

/* The frame of hello 1 on @c, in r->frame. */
static void frame_of(struct rig *r, const struct craft_conn *c)
{
	const struct craft *one = rig_hello(1);

	craft_frame(&r->frame, c,
		    &(struct craft_segment){.from_client = true,
					    .flags = AS_TCP_ACK,
					    .seq = c->client_seq,
					    .ack = c->server_seq,
					    .data = one->at,
					    .len = one->len});
}

/* IP fragments are counted, not guessed; those of UDP are nothing to us. */
static void test_fragments(void **state)
{
	static const uint8_t fields[] = {0x20, 0x20, 0x00, 0x1f}; /* MF; MF; offset 0x0c, 0x1fff */
	static const uint8_t offsets[] = {0x00, 0x0c, 0x0c, 0xff};
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	for (uint32_t i = 0; i < 4; i++) {
		frame_of(r, &c);
		r->frame.at[AS_ETH_HLEN + 6] = fields[i];
		r->frame.at[AS_ETH_HLEN + 7] = offsets[i];
		rig_bytes(r, r->frame.at, r->frame.len, false);
		RIG_COUNTS(r, AS_ERR_IP_FRAGMENT, i + 1);
		r->frame.at[AS_ETH_HLEN + 9] = 17;
		rig_bytes(r, r->frame.at, r->frame.len, false);
		RIG_COUNTS(r, AS_ERR_IP_FRAGMENT, i + 1);
	}
	c = craft_ipv6(1);
	frame_of(r, &c);
	r->frame.at[AS_ETH_HLEN + 6] = 44; /* the fragment header's next is its first byte */
	r->frame.at[AS_ETH_HLEN + 40] = 6;
	rig_bytes(r, r->frame.at, r->frame.len, false);
	RIG_COUNTS(r, AS_ERR_IP_FRAGMENT, 5);
	r->frame.at[AS_ETH_HLEN + 40] = 17;
	rig_bytes(r, r->frame.at, r->frame.len, false);
	RIG_COUNTS(r, AS_ERR_IP_FRAGMENT, 5);
	rig_free(r);
}

/* Headers that are no TCP in IP: what byte is changed, and to what. */
static void test_bad_headers(void **state)
{
	static const struct {
		uint8_t at, is;
	} rows[] = {
		{12, 0x06}, /* ethertype below 1536: a length */
		{14, 0x55}, /* IP version 5 */
		{14, 0x44}, /* 16 bytes of IP header */
		{14, 0x4f}, /* 60 bytes, more than there are options: TCP elsewhere */
		{17, 19}, /* total length less than its header */
		{17, 39}, /* ... than both headers */
		{23, 17}, /* UDP */
		{46, 0x40}, /* 16 bytes of TCP header */
	};
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		frame_of(r, &c);
		assert_int_equal(r->frame.at[16], 0);
		r->frame.at[rows[i].at] = rows[i].is;
		rig_bytes(r, r->frame.at, r->frame.len, false);
		RIG_COUNTS(r, AS_HELLOS, 0);
	}
	rig_free(r);
}

/* Offloads hand over packets whose length no longer fits its field: it is 0 then. */
static void test_length_zero(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	frame_of(r, &c);
	r->frame.at[16] = r->frame.at[17] = 0;
	rig_bytes(r, r->frame.at, r->frame.len, false);
	c = craft_ipv6(1);
	frame_of(r, &c);
	r->frame.at[18] = r->frame.at[19] = 0;
	rig_bytes(r, r->frame.at, r->frame.len, false);
	assert_int_equal(native_in_flight(r->native), 2);
	RIG_COUNTS(r, AS_HELLOS, 2);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_unfinished),
		cmocka_unit_test(test_unfinished_in_random),
		cmocka_unit_test(test_prefix),
		cmocka_unit_test(test_answer_unfinished),
		cmocka_unit_test(test_longest),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_orphan_unreadable),
		cmocka_unit_test(test_fast_open),
		cmocka_unit_test(test_table_full),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_bad_headers),
		cmocka_unit_test(test_length_zero),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
