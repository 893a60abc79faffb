// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_frames - frames to records to lines. An input is a list of frames:
 *
 *   control (1)  FRAME_* below
 *   flags (1)    of the TCP segment
 *   delta (2)    signed, little endian: how far its sequence number is off what comes next,
 *                or with FRAME_ABSOLUTE off the first byte of the stream
 *   len (2)      bytes of payload, little endian; as many follow, but with FRAME_TEMPLATE 3:
 *                which message, and where in it the payload begins (2)
 *   wait (1)     only with FRAME_WAIT: quarters of a second
 *   cut (1)      only with FRAME_CUT: bytes that the capture has not
 *
 * Every record is held against its form (rig.h), the ledger must balance, and the lines
 * that are made of it must be printable.
 */
#include "small.h"

#include "format.h"

#define FRAMES_MAX 400
#define FRAME_CLIENT 1
#define FRAME_OTHER 2 /* of the second connection, IPv6 and a VLAN tag */
#define FRAME_RAW 4 /* the payload is the whole frame */
#define FRAME_ABSOLUTE 8
#define FRAME_TEMPLATE 16
#define FRAME_WAIT 32
#define FRAME_CUT 64
#define WAIT_NS 250000000
#define TEMPLATES 6

/* What is left of the input. */
struct input {
	const uint8_t *at;
	size_t left;
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint32_t take(struct input *in, unsigned int size)
{
	uint32_t value = 0;

	for (unsigned int i = 0; i < size && in->left; i++, in->at++, in->left--)
		value |= (uint32_t)*in->at << 8 * i;
	return value;
}

/* Hellos that fit together: a fuzzer does not guess 32 equal bytes. */
static const struct craft *template(uint32_t number)
{
	static struct craft made[TEMPLATES], ext;
	struct craft_hello h = {.random = craft_random(number % 2), .ext = &ext};
	struct craft *c = &made[number % TEMPLATES];

	if (c->len)
		return c;
	ext.len = 0;
	if (number % TEMPLATES == 2 || number % TEMPLATES == 3)
		craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, "\x03\x04", 2);
	if (number % TEMPLATES < 2) {
		craft_sni(&ext, BYTES("a.example"));
		craft_alpn(&ext, BYTES("\x02h2\x08http/1.1"));
		craft_ext(&ext, 0x5000, made, number % 2 ? 1500 : 0);
	}
	if (number % TEMPLATES == 4)
		craft_alpn(&ext, BYTES("\x02h2"));
	if (number % TEMPLATES == 3)
		h.random = craft_retry;
	if (number % TEMPLATES < 2)
		craft_client_hello(c, &h);
	else if (number % TEMPLATES < 5)
		craft_server_hello(c, &h);
	else
		craft_alert(c, AS_ALERT_FATAL, AS_ALERT_NO_APPLICATION_PROTOCOL);
	return c;
}

/* The payload of a frame: its length, and where it is. */
static const uint8_t *payload(struct input *in, uint32_t control, uint32_t *len)
{
	const uint8_t *at;

	if (control & FRAME_TEMPLATE) {
		const struct craft *c = template(take(in, 1));
		uint32_t from = take(in, 2);

		if (from > c->len)
			from = c->len;
		if (*len > c->len - from)
			*len = c->len - from;
		return c->at + from;
	}
	if (*len > in->left)
		*len = (uint32_t)in->left;
	at = in->at;
	in->at += *len;
	in->left -= *len;
	return at;
}

static void one_frame(struct rig *r, struct craft_conn *conns, struct input *in)
{
	uint32_t control = take(in, 1), flags = take(in, 1), delta = take(in, 2);
	uint32_t len = take(in, 2), *next, cut = 0;
	bool client = control & FRAME_CLIENT;
	struct craft_conn *c = &conns[!!(control & FRAME_OTHER)];
	const uint8_t *data = payload(in, control, &len);
	struct craft_segment s = {
		.from_client = client, .flags = (uint8_t)flags, .data = data, .len = len};

	if (control & FRAME_WAIT)
		r->now += (uint64_t)take(in, 1) * WAIT_NS;
	if (control & FRAME_CUT)
		cut = take(in, 1);
	if (control & FRAME_RAW) {
		rig_bytes(r, data, len, control & FRAME_ABSOLUTE);
		return;
	}
	next = client ? &c->client_seq : &c->server_seq;
	s.seq = (uint32_t)(int16_t)delta +
		(control & FRAME_ABSOLUTE ? client ? 0xfffffe00 : 0x50000000 : *next);
	s.ack = client ? c->server_seq : c->client_seq;
	craft_frame(&r->frame, c, &s);
	rig_bytes(r, r->frame.at, r->frame.len - (cut < r->frame.len ? cut : r->frame.len), false);
	*next = s.seq + len + !!(flags & (AS_TCP_SYN | AS_TCP_FIN));
}

/* What is shown of a record holds no byte that a terminal or a parser may act upon. */
static void lines_of(const struct as_handshake *hs)
{
	const struct format_style style = {.color = false};
	struct event ev = {.hs = hs, .side_count = 1, .side[0] = {.role = ROLE_TRANSIT}};
	struct buf b = {0};

	verdict_outcome(hs, &ev.verdict);
	format_json(&ev, &b);
	format_columns(&ev, &b, &style);
	CHECK(!b.failed);
	for (size_t i = 0; i < b.len; i++)
		CHECK(b.data[i] == '\n' || (b.data[i] >= ' ' && b.data[i] <= '~'));
	buf_free(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.at = data, .left = size};
	struct craft_conn conns[2] = {craft_ipv4(1), craft_ipv6(2)};
	struct rig *r = rig_new(SMALL_FLOWS);

	conns[0].client_seq = conns[1].client_seq = 0xfffffe00; /* it will pass 2^32 */
	conns[0].server_seq = conns[1].server_seq = 0x50000000;
	conns[1].tag = AS_ETH_P_8021Q;
	for (int i = 0; i < FRAMES_MAX && in.left; i++)
		one_frame(r, conns, &in);
	rig_end(r);
	for (uint32_t i = 0; i < r->count; i++)
		lines_of(&r->rec[i]);
	rig_free(r);
	return 0;
}
