// SPDX-License-Identifier: GPL-2.0-only
/*
 * engine: what stands around IP and TCP. The record has the innermost ends. Layouts are
 * those of the documents that wire.h names, see craft_frames.h.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "frame_rows.h"
#include "rig.h"

#define BIG_LEN 100000

static struct craft_stack stack;

/* A segment of @c inside @layers, which moves its sender on. */
static void send_in(struct rig *r, const struct craft_layer *layers, struct craft_conn *c,
		    bool from_client, const struct craft *data)
{
	uint32_t *here = from_client ? &c->client_seq : &c->server_seq;
	struct craft_segment seg = {.from_client = from_client,
				    .flags = AS_TCP_ACK,
				    .seq = *here,
				    .ack = from_client ? c->server_seq : c->client_seq,
				    .data = data->at,
				    .len = data->len};

	stack_build(&stack, layers, c, &seg);
	rig_bytes(r, stack.f.at, stack.f.len, false);
	*here += data->len;
}

/* The record is of connection @c, an IPv4 address mapped (RFC 4291 section 2.5.5.2). */
static void check_ends(const struct as_handshake *hs, const struct craft_conn *c)
{
	uint8_t mapped[2][16] = {{0}};

	for (int i = 0; i < 2; i++) {
		const uint8_t *addr = i ? c->server : c->client;

		memcpy(mapped[i], addr, 16);
		if (c->family == 4) {
			memset(mapped[i], 0, 10);
			memset(mapped[i] + 10, 0xff, 2);
			memcpy(mapped[i] + 12, addr, 4);
		}
	}
	assert_int_equal(hs->family, c->family);
	assert_memory_equal(hs->client_addr, mapped[0], 16);
	assert_memory_equal(hs->server_addr, mapped[1], 16);
	assert_int_equal(hs->client_port, c->client_port);
	assert_int_equal(hs->server_port, c->server_port);
}

/* A handshake of @c inside @layers gives the one record that it gives without them. */
/* Does an IP packet carry the segment's? */
static bool has_outer_ip(const struct craft_layer *layers)
{
	for (int i = 0; i < STACK_LAYERS; i++)
		if (layers[i].put == put_ipv4 || layers[i].put == put_ipv6)
			return true;
	return false;
}

static void check_inside(const char *name, const struct craft_layer *layers, struct craft_conn c)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn conn = c;

	send_in(r, layers, &conn, true, rig_hello(1));
	send_in(r, layers, &conn, false, rig_answer(1));
	if (r->count != 1)
		fail_msg("%s around IPv%d: %u records", name, c.family, r->count);
	check_ends(rig_only(r), &c);
	assert_int_equal(r->rec[0].end, AS_END_SERVER_HELLO);
	assert_int_equal(r->rec[0].flags,
			 AS_F_SERVER_HELLO | (has_outer_ip(layers) ? AS_F_TUNNEL : 0));
	RIG_NAMES(&r->rec[0], "a.example", "\x02h2\x08http/1.1", "\x02h2");
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

static void test_every_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < FRAME_ROWS; i++) {
		const struct frame_row *row = &frame_rows[i];

		if (row->family != 6)
			check_inside(row->name, row->layer, craft_ipv4(1));
		if (row->family != 4)
			check_inside(row->name, row->layer, craft_ipv6(1));
	}
}

/* Inner options, and an Ethernet trailer behind everything. */
static void test_inner_options(void **state)
{
	static const struct craft_layer vxlan[STACK_LAYERS] = {
		ETH, {put_vxlan, 8}, UDP_TO(4789), IP4, ETH};
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	c.ip_options = 40;
	c.tcp_options = 40;
	check_inside("VXLAN", vxlan, c);
	c.trailer = 40;
	check_inside("VXLAN with a trailer inside", vxlan, c);
}

/* An Ethernet address in a pseudowire may begin with any half byte. */
static void test_pseudowire_addresses(void **state)
{
	static const struct craft_layer wire[2][STACK_LAYERS] = {
		{ETH, {put_mpls, 1}, ETH}, {ETH, CONTROL_WORD, {put_mpls, 1}, ETH}};
	/* Where the inner Ethernet header stands: behind 14 bytes and a label. */
	static const uint32_t at[2] = {18, 22};

	(void)state;
	for (int word = 0; word < 2; word++) {
		struct rig *r = rig_new(RIG_FLOWS);

		for (uint32_t first = 0; first < 256; first++) {
			struct craft_conn c = craft_ipv4(first);
			const struct craft *hello = rig_hello(first);
			struct craft_segment seg = {.from_client = true,
						    .flags = AS_TCP_ACK,
						    .seq = c.client_seq,
						    .data = hello->at,
						    .len = hello->len};

			stack_build(&stack, wire[word], &c, &seg);
			stack.f.at[at[word]] = (uint8_t)first;
			stack.f.at[at[word] + 2] = stack.f.at[at[word] + 3] = 0xff;
			rig_bytes(r, stack.f.at, stack.f.len, false);
			RIG_COUNTS(r, AS_HELLOS, first + 1);
		}
		rig_free(r);
	}
}

/* Frame control, and whether the frame can be read (IEEE 802.11-2020 section 9.2.4.1). */
static const struct {
	uint16_t control;
	bool read;
} wlan_rows[] = {
	{0x0801, true}, /* data, to the distribution system */
	{0x0802, true}, /* from it */
	{0x0803, true}, /* between access points: four addresses */
	{0x0800, true}, /* ad hoc */
	{0x0809, true}, /* retried */
	{0x8801, true}, /* QoS data */
	{0x8883, true}, /* and HT control, four addresses */
	{0x0841, false}, /* protected */
	{0x0805, false}, /* more fragments */
	{0x4801, false}, /* null */
	{0x8001, false}, /* a beacon */
	{0xb401, false}, /* RTS */
};

/* Radio: 802.11 data frames, as capture.c hands them over. */
static void test_wlan(void **state)
{
	struct craft_layer layers[STACK_LAYERS] = {{put_snap, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(wlan_rows) / sizeof(wlan_rows[0]); i++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = craft_ipv6(1);
		const struct craft *hello = rig_hello(1);
		struct craft_segment seg = {.from_client = true,
					    .flags = AS_TCP_ACK,
					    .seq = c.client_seq,
					    .data = hello->at,
					    .len = hello->len};
		struct native_frame frame = {.ethertype = AS_NEXT_WLAN, .ns = r->now, .ifindex = 1};

		layers[1] = (struct craft_layer){put_wlan, wlan_rows[i].control};
		stack_build(&stack, layers, &c, &seg);
		frame.bytes = stack.f.at;
		frame.caplen = stack.f.len;
#ifdef RIG_TWIN
		twin.blind = true; /* a link type of captures only */
#endif
		native_frame(r->native, &frame);
		assert_int_equal(native_in_flight(r->native), wlan_rows[i].read);
		rig_free(r);
	}
}

/* One segment of 64 KiB, as GSO makes it, in a tunnel whose lengths just hold it. */
static void test_64k(void **state)
{
	static const struct craft_layer gre[STACK_LAYERS] = {{put_gre, 0}, IP4, ETH};
	static struct craft data;
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	data = *rig_hello(1);
	craft_zero(&data, 65535 - 20 - 4 - 20 - 20 - data.len);
	send_in(r, gre, &c, true, &data);
	assert_int_equal(stack.f.len, 65535 + 14);
	send_in(r, gre, &c, false, rig_answer(1));
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* BIG TCP: longer than IP's length field, which is 0 then (RFC 2675; Linux commit
 * b1a78b9b9886 for IPv4). IPv6 has a hop-by-hop header with the length. */
static void test_big_tcp(void **state)
{
	static const struct craft_layer rows[][STACK_LAYERS] = {
		{ETH}, {{put_extension, 0x100 | 0}, IP6, ETH}, {TAG_Q, TAG_AD, ETH}};
	static uint8_t big[BIG_LEN];

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = i == 1 ? craft_ipv6(1) : craft_ipv4(1);
		const struct craft *hello = rig_hello(1);
		struct craft_segment seg = {.from_client = true,
					    .flags = AS_TCP_ACK,
					    .seq = c.client_seq,
					    .data = hello->at,
					    .len = hello->len};

		stack_build(&stack, rows[i], &c, &seg);
		memcpy(big, stack.f.at, stack.f.len);
		/* The length of IP: 14 bytes, tags, and 2 or 4 into the header. */
		memset(big + (i == 0 ? 16 : i == 1 ? 18 : 24), 0, 2);
		if (i == 1) /* and that of the IPv6 header behind the extension */
			memset(big + 14 + 40 + 8 + 4, 0, 2);
		rig_bytes(r, big, BIG_LEN, false);
		RIG_COUNTS(r, AS_HELLOS, 1);
		rig_end(r);
		check_ends(rig_only(r), &c);
		RIG_NAMES(&r->rec[0], "a.example", "\x02h2\x08http/1.1", "");
		rig_free(r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row),
		cmocka_unit_test(test_inner_options),
		cmocka_unit_test(test_pseudowire_addresses),
		cmocka_unit_test(test_wlan),
		cmocka_unit_test(test_64k),
		cmocka_unit_test(test_big_tcp),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
