// SPDX-License-Identifier: GPL-2.0-only
/*
 * engine: nested headers that are cut, lie or do not end. Nothing may be read beyond the
 * frame or beyond what encloses it, and nothing invented.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "frame_rows.h"
#include "rig.h"

#define HELLO_MIN 11 /* a record header, a message header and a version */
#define FLIPS 150 /* of each row */
#define HEADERS_MAX 16 /* docs/DESIGN.md, step 1 */

static struct craft_stack stack;

/* The frame of a ClientHello of connection @number inside @layers. Returns where the hello
 * begins. */
static uint32_t build_hello(const struct craft_layer *layers, int family, uint32_t number)
{
	struct craft_conn c = family == 6 ? craft_ipv6(number) : craft_ipv4(number);
	const struct craft *hello = rig_hello(number);
	struct craft_segment seg = {.from_client = true,
				    .flags = AS_TCP_ACK,
				    .seq = c.client_seq,
				    .ack = c.server_seq,
				    .data = hello->at,
				    .len = hello->len};

	stack_build(&stack, layers, &c, &seg);
	return stack.f.len - hello->len;
}

static uint64_t counter(const struct rig *r, uint32_t id)
{
	return native_counters(r->native)[id];
}

/* ---- cut at every byte ---- */

static void check_cut(const struct frame_row *row, int front)
{
	struct rig *r = rig_new(RIG_FLOWS);
	uint32_t hellos = 0, headers;

	r->front = front;
	headers = build_hello(row->layer, row->family, 0);
	for (uint32_t n = 0; n < stack.f.len; n++) {
		build_hello(row->layer, row->family, n);
		rig_bytes(r, stack.f.at, n, false);
		hellos += n >= headers + HELLO_MIN;
		if (counter(r, AS_HELLOS) != hellos || counter(r, AS_LOST_CUT) != hellos)
			fail_msg("%s: %u bytes, %u of headers", row->name, n, headers);
	}
	assert_int_equal(r->count, 0);
	assert_int_equal(counter(r, AS_ERR_TOO_MANY_HEADERS) | counter(r, AS_ERR_IP_FRAGMENT), 0);
	rig_free(r);
}

static void test_cut(void **state)
{
	(void)state;
	for (size_t i = 0; i < FRAME_ROWS; i++)
		for (int front = 0; front < 2; front++)
			check_cut(&frame_rows[i], front);
}

/* ---- lengths that lie ---- */

/* Length field @k of the row's frame says @value. Returns whether a handshake began. */
static bool begins(struct rig *r, const struct frame_row *row, unsigned int k, uint32_t value)
{
	static uint32_t number;
	uint32_t before = native_in_flight(r->native);

	build_hello(row->layer, row->family, number++);
	craft_number_at(&stack.f, stack.f.len - stack.length[k], value, 2);
	rig_bytes(r, stack.f.at, stack.f.len, false);
	return native_in_flight(r->native) > before;
}

/* Every length that encloses the hello: one that is too short cuts it or the headers, one that
 * is too long is bounded by the next length outside it. 0 may stand for "to the end". */
static void check_lengths(struct rig *r, const struct frame_row *row)
{
	build_hello(row->layer, row->family, 1);
	for (unsigned int k = 0; k < stack.lengths; k++) {
		uint32_t at = stack.f.len - stack.length[k];
		uint32_t length = as_be16(stack.f.at + at), step = length < 64 ? 1 : 7;

		for (uint32_t value = stack.exact[k] ? 0 : 1; value < length; value += step)
			if (begins(r, row, k, value))
				fail_msg("%s: length %u says %u, not %u", row->name, k, value,
					 length);
		assert_false(begins(r, row, k, length - 1));
		assert_true(begins(r, row, k, length));
		/* IEEE 802.3 section 3.2.6: 1501 and more is no length. */
		if (row->layer[1].put == put_8023)
			continue;
		assert_true(begins(r, row, k, length + 1));
		assert_true(begins(r, row, k, 0xffff));
		if (!stack.exact[k])
			assert_true(begins(r, row, k, 0));
	}
}

static void test_lengths(void **state)
{
	(void)state;
	for (size_t i = 0; i < FRAME_ROWS; i++) {
		struct rig *r = rig_new(RIG_FLOWS);

		check_lengths(r, &frame_rows[i]);
		rig_end(r);
		for (uint32_t n = 0; n < r->count; n++)
			RIG_NAMES(&r->rec[n], "a.example", "\x02h2\x08http/1.1", "");
		rig_free(r);
	}
}

/* A TCP header that reaches out of what encloses it has no flags: an RST ends nothing. */
static void test_rst_outside(void **state)
{
	static const struct craft_layer gre[STACK_LAYERS] = {{put_gre, 0}, IP4, ETH};
	const uint32_t full = AS_IPV4_HLEN + 4 + AS_IPV4_HLEN + AS_TCP_HLEN;
	struct craft_conn c;
	struct rig *r = rig_begin(&c);
	struct craft_segment rst = {
		.flags = AS_TCP_RST | AS_TCP_ACK, .seq = c.server_seq, .ack = c.client_seq};

	(void)state;
	for (uint32_t len = 1; len <= full; len++) {
		assert_int_equal(r->count, 0);
		stack_build(&stack, gre, &c, &rst);
		craft_number_at(&stack.f, AS_ETH_HLEN + 2, len, 2);
		rig_bytes(r, stack.f.at, stack.f.len, false);
	}
	rig_ended(r, AS_END_RST, 0);
	rig_free(r);
}

/* ---- bytes that are changed ---- */

/* rig.h holds what comes out against its form; the twin says the same. */
static void test_flips(void **state)
{
	uint32_t x = 1;

	(void)state;
	for (size_t i = 0; i < FRAME_ROWS; i++) {
		struct rig *r = rig_new(RIG_FLOWS);

		for (uint32_t n = 0; n < FLIPS; n++) {
			uint32_t headers =
				build_hello(frame_rows[i].layer, frame_rows[i].family, n);

			for (int flips = 0; flips < 2; flips++) {
				x ^= x << 13;
				x ^= x >> 17;
				x ^= x << 5;
				stack.f.at[12 + x % (headers - 12)] ^=
					(uint8_t)(1 << (x >> 20 & 7));
			}
			rig_bytes(r, stack.f.at, stack.f.len, false);
		}
		rig_free(r);
	}
}

/* ---- how deep ---- */

/* @tags tags between Ethernet and IP. */
static void send_tags(struct rig *r, uint32_t tags)
{
	static const struct craft_layer ethernet[STACK_LAYERS] = {ETH};

	build_hello(ethernet, 4, tags);
	for (uint32_t i = 0; i < tags; i++) {
		memmove(stack.f.at + 16, stack.f.at + 12, stack.f.len - 12);
		memcpy(stack.f.at + 12, "\x81\0\0\1", 4);
		stack.f.len += 4;
	}
	rig_bytes(r, stack.f.at, stack.f.len, false);
}

static void test_depth(void **state)
{
	const uint32_t most = HEADERS_MAX - 3; /* besides Ethernet, IP and TCP */
	struct rig *r = rig_new(RIG_FLOWS);

	(void)state;
	for (uint32_t tags = 0; tags <= most; tags++) {
		send_tags(r, tags);
		RIG_COUNTS(r, AS_HELLOS, tags + 1);
	}
	for (uint32_t tags = 1; tags <= 10; tags++) {
		send_tags(r, most + tags);
		RIG_COUNTS(r, AS_HELLOS, most + 1, AS_ERR_TOO_MANY_HEADERS, tags);
	}
	rig_free(r);
}

/* Labels without a last one: the frame ends first, or the walk. */
static void test_endless(void **state)
{
	static const uint8_t address[12] = {2};
	struct rig *r = rig_new(RIG_FLOWS);
	uint8_t frame[14 + 4 * 100] = {0};

	(void)state;
	memcpy(frame, address, sizeof(address));
	frame[12] = 0x88;
	frame[13] = 0x47;
	for (uint32_t labels = 1; labels <= 100; labels++) {
		rig_bytes(r, frame, 14 + 4 * labels, false);
		RIG_COUNTS(r, AS_ERR_TOO_MANY_HEADERS,
			   labels < HEADERS_MAX - 1 ? 0 : labels - HEADERS_MAX + 2);
	}
	rig_free(r);
}

/* ---- fragments ---- */

/* The frame inside @layers counts as a fragment, or as nothing. @field: what the outermost
 * IPv4 header has for flags and offset. */
static void check_fragment(const struct craft_layer *layers, uint16_t field, bool counted)
{
	struct rig *r = rig_new(RIG_FLOWS);

	build_hello(layers, 4, 1);
	if (field)
		craft_number_at(&stack.f, 14 + 6, field, 2);
	rig_bytes(r, stack.f.at, stack.f.len, false);
	RIG_COUNTS(r, AS_ERR_IP_FRAGMENT, counted);
	rig_free(r);
}

#define FIRST 0x2000 /* RFC 791: more fragments */
#define LATER 0x2010
#define LAST 0x0010

static void test_fragments(void **state)
{
	static const struct craft_layer gre[STACK_LAYERS] = {{put_gre, 0}, IP4, ETH},
					vxlan[STACK_LAYERS] = {ETH,
							       {put_vxlan, 8},
							       UDP_TO(4789),
							       IP4,
							       ETH},
					dns[STACK_LAYERS] = {UDP_TO(53), IP4, ETH},
					tcp[STACK_LAYERS] = {TAG_Q, TAG_AD, ETH};
	static const uint16_t fields[] = {FIRST, LATER, LAST};

	(void)state;
	for (int i = 0; i < 3; i++) {
		check_fragment(gre, fields[i], true);
		/* Only the first one has ports. */
		check_fragment(vxlan, fields[i], i == 0);
		check_fragment(dns, fields[i], false);
	}
	/* The inner packet. */
	build_hello(tcp, 4, 1);
	for (int i = 0; i < 3; i++) {
		struct rig *r = rig_new(RIG_FLOWS);

		craft_number_at(&stack.f, 14 + 8 + 6, fields[i], 2);
		rig_bytes(r, stack.f.at, stack.f.len, false);
		RIG_COUNTS(r, AS_ERR_IP_FRAGMENT, 1);
		rig_free(r);
	}
}

/* RFC 8200 section 4.5. */
static void test_ipv6_fragments(void **state)
{
	static const uint16_t fields[] = {1, 8 | 1, 8};

	(void)state;
	for (int i = 0; i < 3; i++) {
		const struct craft_layer
			direct[STACK_LAYERS] = {{put_fragment, fields[i]}, IP6, ETH},
			options[STACK_LAYERS] = {{put_extension, 0x100 | 60},
						 {put_fragment, fields[i]},
						 IP6,
						 ETH},
			vxlan[STACK_LAYERS] = {ETH,	     {put_vxlan, 8},
					       UDP_TO(4789), {put_fragment, fields[i]},
					       IP6,	     ETH},
			dns[STACK_LAYERS] = {UDP_TO(53), {put_fragment, fields[i]}, IP6, ETH};

		check_fragment(direct, 0, true);
		check_fragment(options, 0, true);
		check_fragment(vxlan, 0, i == 0);
		check_fragment(dns, 0, false);
	}
}

/* ---- what is no tunnel ---- */

/* Nothing comes of a hello inside these. */
static void test_not_followed(void **state)
{
	static const struct frame_row rows[] = {
		{"another port", 4, {ETH, {put_vxlan, 8}, UDP_TO(4788), IP4, ETH}},
		{"from VXLAN's port", 4, {ETH, {put_vxlan, 8}, UDP_FROM(4789), IP4, ETH}},
		{"VXLAN without flag I", 4, {ETH, {put_vxlan, 0}, UDP_TO(4789), IP4, ETH}},
		{"Geneve version 1", 4, {ETH, {put_geneve, 0x40}, UDP_TO(6081), IP4, ETH}},
		{"GTP' (TS 32.295)", 4, {{put_bytes, 8}, UDP_TO(2152), IP4, ETH}},
		{"L2TP control", 4, {{put_ppp, 0}, {put_l2tp, 0xc800}, UDP_TO(1701), IP4, ETH}},
		{"L2TP version 3", 4, {{put_ppp, 0}, {put_l2tp, 1}, UDP_TO(1701), IP4, ETH}},
		{"CAPWAP keep alive", 4, {ETH, {put_capwap, 8}, UDP_TO(5247), IP4, ETH}},
		{"GRE with routes", 4, {{put_gre, 0x40}, IP4, ETH}},
		{"MPLS, no IP", 4, {{put_bytes, 20}, {put_mpls, 1}, ETH}},
		{"ERSPAN III, unknown", 4, {ETH, {put_erspan3, 1}, {put_gre, 0x10}, IP4, ETH}},
		{"LLC of another OUI", 4, {{put_snap, 0x0c}, {put_8023, 0}}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *r = rig_new(RIG_FLOWS);

		build_hello(rows[i].layer, rows[i].family, 1);
		rig_bytes(r, stack.f.at, stack.f.len, false);
		if (counter(r, AS_HELLOS))
			fail_msg("%s was followed", rows[i].name);
		RIG_COUNTS(r, AS_HELLOS, 0);
		rig_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rst_outside),    cmocka_unit_test(test_cut),
		cmocka_unit_test(test_lengths),	       cmocka_unit_test(test_flips),
		cmocka_unit_test(test_depth),	       cmocka_unit_test(test_endless),
		cmocka_unit_test(test_fragments),      cmocka_unit_test(test_not_followed),
		cmocka_unit_test(test_ipv6_fragments),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
