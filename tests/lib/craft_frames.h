/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * craft_frames.h - frames around a frame: headers put one ahead of the other, from the
 * inside out. Layouts are typed from the documents that wire.h names.
 */
#ifndef TESTS_CRAFT_FRAMES_H
#define TESTS_CRAFT_FRAMES_H

#include "craft.h"

#define STACK_LAYERS 14
#define STACK_LENGTHS 8

/**
 * struct craft_stack - a frame, as far as it is built.
 * @type: ethertype of what stands in front; PPP's is 0x880b, Ethernet's 0x6558
 * @protocol: the IP protocol of the same
 * @length: the places of 2-byte length fields, counted from the frame's end, which enclose
 *          the inner packet
 * @exact: which of them say no less with 0
 */
struct craft_stack {
	struct craft f;
	uint16_t type;
	uint8_t protocol;
	uint32_t length[STACK_LENGTHS];
	bool exact[STACK_LENGTHS];
	unsigned int lengths;
};

/* One header of a stack: a function and what is special about it. */
struct craft_layer {
	void (*put)(struct craft_stack *s, uint32_t arg);
	uint32_t arg;
};

static inline void stack_front(struct craft_stack *s, const void *bytes, size_t len)
{
	memmove(s->f.at + len, s->f.at, s->f.len);
	memcpy(s->f.at, bytes, len);
	s->f.len += (uint32_t)len;
}

/* As stack_front, of a header under construction. */
static inline void stack_put(struct craft_stack *s, const struct craft *header)
{
	stack_front(s, header->at, header->len);
}

/* A length field stands at byte @at of the frame now. */
static inline void stack_length(struct craft_stack *s, uint32_t at, bool exact)
{
	s->exact[s->lengths] = exact;
	s->length[s->lengths++] = s->f.len - at;
}

/* ---- below IP ---- */

static inline void put_ethernet(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[14] = "\2\0\0\0\0\2\2\0\0\0\0\1";

	(void)arg;
	h[12] = (uint8_t)(s->type >> 8);
	h[13] = (uint8_t)s->type;
	stack_front(s, h, sizeof(h));
	s->type = 0x6558;
	s->protocol = 0;
}

/* Ethernet with a length where the type would be, around LLC. */
static inline void put_8023(struct craft_stack *s, uint32_t arg)
{
	(void)arg;
	s->type = (uint16_t)s->f.len;
	put_ethernet(s, 0);
	stack_length(s, 12, true);
}

/* A tag of @arg & 0xff bytes with ethertype @arg >> 8; the next ethertype is its end. */
static inline void put_tag(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[16] = "\0\x2a\0\1\0\2";
	uint32_t len = arg & 0xff;

	h[len - 2] = (uint8_t)(s->type >> 8);
	h[len - 1] = (uint8_t)s->type;
	stack_front(s, h, len);
	s->type = (uint16_t)(arg >> 8);
}

/* A tag that says no next ethertype: @arg as above. */
static inline void put_bytes(struct craft_stack *s, uint32_t arg)
{
	static const uint8_t zeros[64];

	stack_front(s, zeros, arg & 0xff);
	s->type = (uint16_t)(arg >> 8);
}

/* One label; @arg: the last one (RFC 3032 section 2.1). */
static inline void put_mpls(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[4] = {0, 1, arg ? 1 : 0, 64};

	stack_front(s, h, sizeof(h));
	s->type = 0x8847;
	s->protocol = 137;
}

/* RFC 1661; @arg: 0, 1 with address and control, 2 with the protocol compressed. */
static inline void put_ppp(struct craft_stack *s, uint32_t arg)
{
	uint16_t protocol = s->type == 0x0800 ? 0x21 : s->type == 0x86dd ? 0x57 : 0x281;
	uint8_t h[4] = {0xff, 3, (uint8_t)(protocol >> 8), (uint8_t)protocol};

	if (arg == 1)
		stack_front(s, h, 4);
	else if (arg == 2)
		stack_front(s, h + 3, 1);
	else
		stack_front(s, h + 2, 2);
	s->type = 0x880b;
}

/* RFC 2516 section 4. */
static inline void put_pppoe(struct craft_stack *s, uint32_t arg)
{
	static struct craft h;

	(void)arg;
	h.len = 0;
	craft_put(&h, "\x11\0\0\x2a", 4);
	craft_number(&h, s->f.len, 2);
	stack_put(s, &h);
	stack_length(s, 4, true);
	s->type = 0x8864;
}

/* SNAP (RFC 1042), or 802.1H with @arg. */
static inline void put_snap(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[8] = "\xaa\xaa\3\0\0";

	h[5] = (uint8_t)arg;
	h[6] = (uint8_t)(s->type >> 8);
	h[7] = (uint8_t)s->type;
	stack_front(s, h, sizeof(h));
}

/* IEEE 802.2 with IP's own service access point, 6. */
static inline void put_llc_ip(struct craft_stack *s, uint32_t arg)
{
	(void)arg;
	stack_front(s, "\6\6\3", 3);
}

/* RFC 8300 section 2.2 with @arg words of metadata in all, MD type 2. */
static inline void put_nsh(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[40] = {0, (uint8_t)(arg + 2), 2};

	h[3] = s->type == 0x0800 ? 1 : s->type == 0x86dd ? 2 : s->type == 0x6558 ? 3 : 5;
	stack_front(s, h, 8 + 4 * arg);
	s->type = 0x894f;
}

/* draft-foschiano-erspan-03 section 4.2. */
static inline void put_erspan2(struct craft_stack *s, uint32_t arg)
{
	(void)arg;
	stack_front(s, "\x10\1\0\1\0\0\0\0", 8);
	s->type = 0x88be;
}

/* Section 4.3; @arg: the frame type, and 0x100 for the 8 optional bytes. */
static inline void put_erspan3(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[20] = {0x20, 1, 0, 1};

	h[10] = (uint8_t)((arg & 31) << 2);
	h[11] = arg & 0x100 ? 1 : 0;
	stack_front(s, h, arg & 0x100 ? 20 : 12);
	s->type = 0x22eb;
}

/* IEEE 802.11 data around LLC; @arg: the frame control's two bytes, which add fields, and
 * 0x10000 to exchange them. */
static inline void put_wlan(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[40] = {(uint8_t)(arg >> 8), (uint8_t)arg};
	size_t len = 24;

	if (arg & 0x10000) {
		h[0] = (uint8_t)arg;
		h[1] = (uint8_t)(arg >> 8);
	}
	if ((arg & 3) == 3)
		len += 6;
	if (arg & 0x8000)
		len += arg & 0x80 ? 6 : 2;
	stack_front(s, h, len);
}

/* ---- IP ---- */

/* RFC 791, of 198.51.100.1 to 198.51.100.2; @arg: bytes of options. */
static inline void put_ipv4(struct craft_stack *s, uint32_t arg)
{
	static struct craft h;

	h.len = 0;
	craft_number(&h, 0x45 + arg / 4, 1);
	craft_number(&h, 0, 1);
	craft_number(&h, 20 + arg + s->f.len, 2);
	craft_number(&h, 0x4000, 4);
	craft_number(&h, 64, 1);
	craft_number(&h, s->protocol, 1);
	craft_put(&h, "\0\0\xc6\x33\x64\1\xc6\x33\x64\2", 10);
	memset(h.at + h.len, 1, arg);
	h.len += arg;
	stack_put(s, &h);
	stack_length(s, 2, false);
	s->type = 0x0800;
	s->protocol = 4;
}

/* RFC 8200, of 2001:db8:1::1 to 2001:db8:1::2. */
static inline void put_ipv6(struct craft_stack *s, uint32_t arg)
{
	static struct craft h;

	(void)arg;
	h.len = 0;
	craft_number(&h, 6U << 28, 4);
	craft_number(&h, s->f.len, 2);
	craft_number(&h, s->protocol, 1);
	craft_number(&h, 64, 1);
	craft_put(&h, "\x20\1\x0d\xb8\0\1\0\0\0\0\0\0\0\0\0\1", 16);
	craft_put(&h, "\x20\1\x0d\xb8\0\1\0\0\0\0\0\0\0\0\0\2", 16);
	stack_put(s, &h);
	stack_length(s, 4, false);
	s->type = 0x86dd;
	s->protocol = 41;
}

/* An extension header, @arg & 0xff, of (@arg >> 8) * 8 bytes (RFC 8200 section 4). */
static inline void put_extension(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[64] = {s->protocol, (uint8_t)((arg >> 8) - 1)};

	stack_front(s, h, (arg >> 8) * 8);
	s->protocol = (uint8_t)arg;
}

/* RFC 4302 section 2 with a check value of 12 bytes: 24 bytes are 6 words, less 2. */
static inline void put_ah(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[24] = {s->protocol, 4};

	(void)arg;
	stack_front(s, h, sizeof(h));
	s->protocol = 51;
}

/* RFC 8200 section 4.5; @arg: the field of offset and M flag. */
static inline void put_fragment(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[8] = {s->protocol, 0, (uint8_t)(arg >> 8), (uint8_t)arg};

	stack_front(s, h, sizeof(h));
	s->protocol = 44;
}

/* ---- in IP ---- */

/* RFC 2784 and 2890; @arg: the first byte, flags, and 0x100 for version 1 (RFC 2637) with
 * 0x200 for its acknowledgement number. */
static inline void put_gre(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[20] = {(uint8_t)arg, 0, (uint8_t)(s->type >> 8), (uint8_t)s->type};
	size_t len = 4;

	for (uint32_t flag = 0x80; flag >= 0x10; flag >>= 1)
		len += arg & flag ? 4 : 0;
	if (arg & 0x100) {
		h[1] = 1 | (arg & 0x200 ? 0x80 : 0);
		len += arg & 0x200 ? 4 : 0;
		h[4] = (uint8_t)(s->f.len >> 8);
		h[5] = (uint8_t)s->f.len;
	}
	stack_front(s, h, len);
	if (arg & 0x100)
		stack_length(s, 4, true);
	s->protocol = 47;
}

/* ERSPAN type I: GRE without a sequence number, and no header of its own. */
static inline void put_erspan1(struct craft_stack *s, uint32_t arg)
{
	s->type = 0x88be;
	put_gre(s, arg);
}

/* RFC 3378 section 3. */
static inline void put_etherip(struct craft_stack *s, uint32_t arg)
{
	(void)arg;
	stack_front(s, "\x30\0", 2);
	s->protocol = 97;
}

/* @arg: source port << 16 | destination port. */
static inline void put_udp(struct craft_stack *s, uint32_t arg)
{
	static struct craft h;

	h.len = 0;
	craft_number(&h, arg, 4);
	craft_number(&h, 8 + s->f.len, 2);
	craft_number(&h, 0, 2);
	stack_put(s, &h);
	stack_length(s, 4, false);
	s->protocol = 17;
}

/* RFC 7348 section 5; @arg: its flags. With 4 (VXLAN-GPE), the next protocol too. */
static inline void put_vxlan(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[8] = {(uint8_t)arg, 0, 0, 0, 0, 0, 42};

	if (arg & 4)
		h[3] = s->type == 0x0800   ? 1
		       : s->type == 0x86dd ? 2
		       : s->type == 0x6558 ? 3
		       : s->type == 0x894f ? 4
					   : 5;
	stack_front(s, h, sizeof(h));
}

/* RFC 8926 section 3.4; @arg: the first byte, a version and the words of options. */
static inline void put_geneve(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[8 + 4 * 63] = {(uint8_t)arg, 0, (uint8_t)(s->type >> 8), (uint8_t)s->type};

	stack_front(s, h, 8 + 4 * (arg & 0x3f));
}

/* 3GPP TS 29.281 section 5.1; @arg: its flags, and 0x100 per extension header. */
static inline void put_gtpu(struct craft_stack *s, uint32_t arg)
{
	static struct craft h;
	uint32_t extensions = arg >> 8, length;

	h.len = 0;
	craft_number(&h, 0x30 | (arg & 7), 1);
	craft_number(&h, 0xff, 1);
	length = craft_open(&h, 2);
	craft_number(&h, 42, 4); /* TEID */
	if (arg & 7) {
		craft_number(&h, 1, 3); /* sequence number, N-PDU number */
		craft_number(&h, extensions ? 0x85 : 0, 1);
	}
	for (; extensions; extensions--) { /* the first ones longer than the last */
		craft_number(&h, extensions, 1);
		craft_zero(&h, 4 * extensions - 2);
		craft_number(&h, extensions > 1 ? 0x85 : 0, 1);
	}
	craft_number_at(&h, length - 2, h.len - 8 + s->f.len, 2);
	stack_put(s, &h);
	stack_length(s, 2, true);
}

/* RFC 4380 section 5.1.1; @arg: 1 with origin, 2 with authentication. */
static inline void put_teredo(struct craft_stack *s, uint32_t arg)
{
	if (arg & 1)
		stack_front(s, "\0\0\x63\xbf\x39\xcc\x9b\xfd", 8);
	if (arg & 2) /* a client identifier of 3 bytes, a value of 2, nonce, confirmation */
		stack_front(s, "\0\1\3\2idx__01234567\0", 18);
}

/* RFC 2661 section 3.1; @arg: its flags, version 2. */
static inline void put_l2tp(struct craft_stack *s, uint32_t arg)
{
	static struct craft h;

	h.len = 0;
	craft_number(&h, arg | 2, 2);
	if (arg & 0x4000)
		craft_number(&h, 0, 2);
	craft_number(&h, 0x00480001, 4);
	if (arg & 0x0800)
		craft_number(&h, 0x00010001, 4);
	if (arg & 0x0200) {
		craft_number(&h, 3, 2);
		craft_zero(&h, 3);
	}
	if (arg & 0x4000)
		craft_number_at(&h, 2, h.len + s->f.len, 2);
	stack_put(s, &h);
	if (arg & 0x4000)
		stack_length(s, 2, true);
}

/* RFC 5415 section 4.3: preamble; header length in words, radio 1, binding 1, flag T; other
 * flags. @arg: flags T << 8 | F L W M K and what is reserved; a header of 4 words with M. */
static inline void put_capwap(struct craft_stack *s, uint32_t arg)
{
	uint8_t h[16] = {0, arg & 0x10 ? 4 << 3 : 2 << 3, 1 << 6 | 1 << 1};

	h[2] |= (uint8_t)(arg >> 8 & 1);
	h[3] = (uint8_t)arg;
	stack_front(s, h, arg & 0x10 ? 16 : 8);
}

/* Build the frame of segment @seg of @c inside @layers, the innermost first. */
static inline void stack_build(struct craft_stack *s, const struct craft_layer *layers,
			       const struct craft_conn *c, const struct craft_segment *seg)
{
	struct craft_conn bare = *c;

	bare.bare = true;
	craft_frame(&s->f, &bare, seg);
	s->type = c->family == 4 ? 0x0800 : 0x86dd;
	s->protocol = c->family == 4 ? 4 : 41;
	s->lengths = 0;
	for (int i = 0; i < STACK_LAYERS && layers[i].put; i++)
		layers[i].put(s, layers[i].arg);
}

#endif
