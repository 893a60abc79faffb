// SPDX-License-Identifier: GPL-2.0-only
/*
 * engine: input that is cut, changed or random. Nothing may be read beyond the frame,
 * nothing invented, and what is not understood is counted under its reason.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "reference.h"
#include "rig.h"

#define HELLO_MIN 11 /* a record header, a message header and a version */
#define PREFIX_MIN 3 /* a record's type and version */
#define RANDOM_FRAMES 200000

static struct craft hello, ext, shares;

/* A new engine whose frames end (0) or begin (1) at the guard. */
static struct rig *guarded(int front)
{
	struct rig *r = rig_new(RIG_FLOWS);

	r->front = front;
	return r;
}

/* A hello with something of everything that is looked into. */
static const struct craft *rich_hello(uint32_t number)
{
	hello.len = ext.len = shares.len = 0;
	craft_sni(&ext, BYTES("a.example"));
	craft_share(&shares, AS_GROUP_X25519_MLKEM768, 8);
	craft_share(&shares, 0x001d, 32);
	craft_shares(&ext, &shares);
	craft_versions(&ext, BYTES("\x03\x04\x03\x03"));
	craft_alpn(&ext, BYTES("\x02h2\x08http/1.1"));
	craft_ext(&ext, AS_EXT_SESSION_TICKET, NULL, 0);
	craft_client_hello(&hello, &(struct craft_hello){.random = craft_random(number),
							 .session_id = "0123456789abcdef",
							 .session_id_len = 16,
							 .ext = &ext});
	return &hello;
}

static const struct craft *rich_answer(uint32_t number)
{
	hello.len = ext.len = 0;
	craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, BYTES("\x03\x04"));
	craft_ext(&ext, AS_EXT_KEY_SHARE, BYTES("\x00\x1d\0\x04k\1\2\3"));
	craft_alpn(&ext, BYTES("\x02h2"));
	craft_server_hello(&hello, &(struct craft_hello){.random = craft_random(number),
							 .session_id = "0123456789abcdef",
							 .session_id_len = 16,
							 .ext = &ext});
	return &hello;
}

/* Bytes of the body, of a client's hello or a server's, without its extensions. */
static uint32_t without_extensions(const struct craft *h)
{
	return h->len - ext.len - 2 - AS_REC_HLEN - AS_HS_HLEN;
}

/* ---- truncated at every byte ---- */

/* The segment ends at byte @n of a ClientHello. Below PREFIX_MIN nothing tells it from
 * other data. */
static void test_client_segment_ends(void **state)
{
	(void)state;
	for (int front = 0; front < 2; front++) {
		struct rig *r = guarded(front);
		uint32_t len = rich_hello(0)->len, hellos = 0, prefixes = 0;

		for (uint32_t n = PREFIX_MIN; n < len; n++) {
			struct craft_conn c = craft_ipv4(n);

			rig_client(r, &c, rich_hello(n)->at, n);
			*(n < HELLO_MIN ? &prefixes : &hellos) += 1;
			rig_wait(r, RIG_UNFINISHED_NS);
			RIG_COUNTS(r, AS_HELLOS, hellos, AS_LOST_UNFINISHED, hellos,
				   AS_ERR_HELLO_PREFIX, prefixes);
		}
		rig_free(r);
	}
}

/* The capture ends at byte @n of the hello; the segment was whole. */
static void test_client_cut(void **state)
{
	const uint32_t headers = AS_ETH_HLEN + AS_IPV4_HLEN + AS_TCP_HLEN;

	(void)state;
	for (int front = 0; front < 2; front++) {
		struct rig *r = guarded(front);
		uint32_t len = rich_hello(0)->len, hellos = 0;

		for (uint32_t n = 0; n < headers + len; n++) {
			struct craft_conn c = craft_ipv4(n);

			craft_frame(&r->frame, &c,
				    &(struct craft_segment){.from_client = true,
							    .flags = AS_TCP_ACK,
							    .data = rich_hello(n)->at,
							    .len = len});
			rig_bytes(r, r->frame.at, n, false);
			hellos += n >= headers + HELLO_MIN;
			assert_int_equal(native_counters(r->native)[AS_HELLOS], hellos);
			assert_int_equal(native_counters(r->native)[AS_LOST_CUT], hellos);
		}
		assert_int_equal(r->count, 0);
		rig_free(r);
	}
}

/* The message ends at byte @n of its body, by every length around it. */
static void test_client_message_ends(void **state)
{
	(void)state;
	for (int front = 0; front < 2; front++) {
		uint32_t len = rich_hello(0)->len - AS_REC_HLEN - AS_HS_HLEN;
		uint32_t bare = without_extensions(&hello);

		for (uint32_t n = 2; n <= len; n++) {
			struct rig *r = guarded(front);
			struct craft_conn c = craft_ipv4(n);

			rich_hello(n);
			craft_number_at(&hello, 3, AS_HS_HLEN + n, 2);
			craft_number_at(&hello, 6, n, 3);
			rig_client(r, &c, hello.at, AS_REC_HLEN + AS_HS_HLEN + n);
			if (n == bare || n == len)
				RIG_COUNTS(r, AS_HELLOS, 1);
			else
				RIG_COUNTS(r, AS_HELLOS, 1, AS_LOST_MALFORMED, 1,
					   n < bare ? AS_ERR_HELLO_OVERRUN
						    : AS_ERR_EXTENSION_OVERRUN,
					   1);
			rig_free(r);
		}
	}
}

/* The same of ServerHellos, each the answer to a hello of its own. */
static void test_server_segment_ends(void **state)
{
	(void)state;
	for (int front = 0; front < 2; front++) {
		struct rig *r = guarded(front);
		uint32_t len = rich_answer(0)->len, seen = 0;

		for (uint32_t n = HELLO_MIN; n < len; n++) {
			struct craft_conn c = craft_ipv4(n);

			rig_client_hello(r, &c, n);
			rig_server(r, &c, rich_answer(n)->at, n);
			seen++;
			rig_wait(r, RIG_UNFINISHED_NS);
			assert_int_equal(r->count, seen);
			assert_int_equal(r->rec[seen - 1].end, AS_END_TIMEOUT);
			RIG_COUNTS(r, AS_HELLOS, seen, AS_RECORDS, seen, AS_ERR_SERVER_HELLO_SPLIT,
				   seen);
		}
		rig_free(r);
	}
}

static void test_server_message_ends(void **state)
{
	(void)state;
	for (int front = 0; front < 2; front++) {
		uint32_t len = rich_answer(0)->len - AS_REC_HLEN - AS_HS_HLEN;
		uint32_t bare = without_extensions(&hello);

		for (uint32_t n = 2; n <= len; n++) {
			struct rig *r = guarded(front);
			struct craft_conn c = craft_ipv4(n);

			rig_client_hello(r, &c, n);
			rich_answer(n);
			craft_number_at(&hello, 3, AS_HS_HLEN + n, 2);
			craft_number_at(&hello, 6, n, 3);
			rig_server(r, &c, hello.at, AS_REC_HLEN + AS_HS_HLEN + n);
			rig_quiet(r);
			assert_int_equal(r->count, 1);
			if (n == bare || n == len) {
				assert_int_equal(r->rec[0].flags & ~AS_F_SESSION_ID_ECHOED,
						 AS_F_SERVER_HELLO);
				RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
			} else {
				assert_int_equal(r->rec[0].flags, AS_F_SERVER_UNREADABLE);
				RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1,
					   n < bare ? AS_ERR_HELLO_OVERRUN
						    : AS_ERR_EXTENSION_OVERRUN,
					   1);
			}
			rig_free(r);
		}
	}
}

/* ---- every byte changed ---- */

/* How: a byte is masked, then bits are turned over. */
static const struct {
	uint8_t mask, turn;
} changes[] = {{0xff, 0x01}, {0xff, 0x03}, {0xff, 0x20}, {0xff, 0x80}, {0xff, 0xff},
	       {0x00, 0x00}, {0x00, 0x16}, {0x00, 0x7f}, {0x00, 0xff}};

#define CHANGES (sizeof(changes) / sizeof(changes[0]))

static void change(uint32_t at, uint32_t how)
{
	hello.at[at] = (hello.at[at] & changes[how].mask) ^ changes[how].turn;
}

/* These bytes stand somewhere in the message. */
static void assert_within(const uint8_t *bytes, uint32_t len)
{
	if (len)
		assert_non_null(memmem(hello.at, hello.len, bytes, len));
}

/* The record of a changed ClientHello, or its absence, is what the reference says. */
static void check_client(const struct rig *r, uint32_t before, uint32_t at)
{
	struct ref_hello want = ref_hello(hello.at + AS_REC_HLEN + AS_HS_HLEN,
					  hello.len - AS_REC_HLEN - AS_HS_HLEN, true);
	const struct as_handshake *hs = &r->rec[before];

	if (at >= HELLO_MIN)
		assert_int_equal(r->count - before, !want.bad);
	if (r->count == before)
		return;
	assert_int_equal(r->count, before + 1);
	assert_within(as_sni(hs), hs->sni_len);
	assert_within(as_alpn(hs), hs->alpn_len);
	if (at < HELLO_MIN)
		return;
	assert_memory_equal(hs->client_random, want.random, AS_RANDOM_LEN);
	assert_int_equal(hs->sni_len, want.sni.left);
	assert_memory_equal(as_sni(hs), want.sni.at, want.sni.left);
	assert_int_equal(hs->alpn_len, want.alpn.left);
	assert_memory_equal(as_alpn(hs), want.alpn.at, want.alpn.left);
}

static void test_client_changed(void **state)
{
	(void)state;
	for (int front = 0; front < 2; front++) {
		struct rig *r = guarded(front);
		uint32_t len = rich_hello(0)->len, number = 0;

		for (uint32_t at = 0; at < len; at++) {
			for (uint32_t i = 0; i < CHANGES; i++) {
				struct craft_conn c = craft_ipv4(++number);
				uint32_t before = r->count;

				rich_hello(number);
				change(at, i);
				rig_client(r, &c, hello.at, hello.len);
				rig_send(r, &c, true, AS_TCP_RST, NULL, 0);
				check_client(r, before, at);
			}
		}
		assert_true(r->count > len); /* most changes do no harm */
		assert_true(native_counters(r->native)[AS_LOST_MALFORMED] > len / 2);
		rig_free(r);
	}
}

/* The same of the answer: each ends its handshake, read or unreadable. */
static void check_server(const struct rig *r, uint32_t at)
{
	struct ref_hello want = ref_hello(hello.at + AS_REC_HLEN + AS_HS_HLEN,
					  hello.len - AS_REC_HLEN - AS_HS_HLEN, false);
	const struct as_handshake *hs = &r->rec[r->count - 1];

	assert_int_equal(hs->sni_len, 9);
	assert_int_equal(hs->alpn_len, 12);
	assert_memory_equal(hs->names, "a.example\x02h2\x08http/1.1", 21);
	assert_within(as_selected(hs), hs->selected_len);
	if (at < HELLO_MIN || hello.at[AS_REC_HLEN + AS_HS_HLEN] == AS_TLS13_DRAFT)
		return;
	/* After TLS 1.3 it is the RST behind it that ends the handshake. */
	assert_int_equal(hs->end, as_goes_on(hs) ? AS_END_RST : AS_END_SERVER_HELLO);
	assert_int_equal(hs->flags & AS_F_SERVER_UNREADABLE, want.bad ? AS_F_SERVER_UNREADABLE : 0);
	if (want.bad)
		return;
	assert_memory_equal(hs->server_random, want.random, AS_RANDOM_LEN);
	assert_int_equal(hs->selected_len, want.alpn.left);
	assert_memory_equal(as_selected(hs), want.alpn.at, want.alpn.left);
}

static void test_server_changed(void **state)
{
	(void)state;
	for (int front = 0; front < 2; front++) {
		struct rig *r = guarded(front);
		uint32_t len = rich_answer(0)->len, number = 0;

		for (uint32_t at = 0; at < len; at++) {
			for (uint32_t i = 0; i < CHANGES; i++) {
				struct craft_conn c = craft_ipv4(++number);

				rig_client_hello(r, &c, number);
				rich_answer(number);
				change(at, i);
				rig_server(r, &c, hello.at, hello.len);
				rig_send(r, &c, false, AS_TCP_RST, NULL, 0);
				assert_int_equal(r->count, number);
				check_server(r, at);
			}
		}
		rig_free(r);
	}
}

/* ---- random ---- */

/* xorshift64*: the same frames in every run. */
static uint32_t dice(uint32_t sides)
{
	static uint64_t x = 0x9e3779b97f4a7c15;

	x ^= x >> 12;
	x ^= x << 25;
	x ^= x >> 27;
	return (uint32_t)((x * 0x2545f4914f6cdd1d) >> 32) % sides;
}

/* A frame of one of 128 connections: a hello or an answer with some bytes thrown. Each
 * connection says the same for a while, so that there are repeats. */
static void random_frame(struct rig *r, uint32_t n)
{
	uint32_t place = dice(64), from = dice(3) ? AS_ETH_HLEN + AS_IPV4_HLEN + AS_TCP_HLEN : 0;
	bool client = dice(3), ipv4 = dice(2);
	struct craft_conn c = ipv4 ? craft_ipv4(place) : craft_ipv6(place);
	uint32_t number = n / 2048 * 128 + place * 2 + ipv4;
	const struct craft *h = client ? rich_hello(number) : rich_answer(number);

	if (!client && !dice(3))
		memcpy(hello.at + HELLO_MIN, craft_retry, AS_RANDOM_LEN);
	c.tag = dice(8) ? 0 : AS_ETH_P_8021Q;
	craft_frame(&r->frame, &c,
		    &(struct craft_segment){.from_client = client,
					    .flags = dice(4) ? AS_TCP_ACK : (uint8_t)dice(256),
					    .seq = 0x10000000 + dice(0x180000),
					    .ack = 0x10000000 + dice(0x180000),
					    .data = h->at,
					    .len = dice(8) ? h->len : dice(h->len)});
	for (uint32_t i = r->frame.len > from ? dice(5) : 0; i; i--)
		r->frame.at[from + dice(r->frame.len - from)] = (uint8_t)dice(256);
	if (!dice(4))
		r->frame.len = dice(r->frame.len + 1);
	rig_bytes(r, r->frame.at, r->frame.len, false);
}

static void test_random(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);

	(void)state;
	for (uint32_t n = 0; n < RANDOM_FRAMES; n++) {
		r->front = n & 1;
		if (dice(8)) {
			random_frame(r, n);
			continue;
		}
		r->frame.len = dice(300);
		for (uint32_t i = 0; i < r->frame.len; i++)
			r->frame.at[i] = (uint8_t)dice(256);
		rig_bytes(r, r->frame.at, r->frame.len, dice(2));
	}
	rig_ledger(r);
	/* The dice reach nearly everything. */
	for (uint32_t i = 0; i < AS_COUNTER_COUNT; i++)
		if (rig_counter[i] && i != AS_LOST_RING_FULL && i != AS_LOST_TOO_MANY_RECORDS &&
		    i != AS_ERR_REASSEMBLY_FULL && i != AS_LOST_RACED && i != AS_LOST_TABLE_FULL &&
		    i != AS_ORPHAN_LOST_RING_FULL && i != AS_ERR_TOO_MANY_EXTENSIONS &&
		    i != AS_ERR_TOO_MANY_HEADERS && !native_counters(r->native)[i])
			fail_msg("no frame came to %s", rig_counter[i]);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_client_segment_ends),
		cmocka_unit_test(test_client_cut),
		cmocka_unit_test(test_client_message_ends),
		cmocka_unit_test(test_server_segment_ends),
		cmocka_unit_test(test_server_message_ends),
		cmocka_unit_test(test_client_changed),
		cmocka_unit_test(test_server_changed),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
