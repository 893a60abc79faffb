/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * differ_cut.h - sends a random handshake (differ.h) whole, or cut into records and
 * segments, out of order, and with pieces said again.
 */
#ifndef TESTS_DIFFER_CUT_H
#define TESTS_DIFFER_CUT_H

#include "differ.h"

#define DIFFER_WIRE (2 * DIFFER_ROOM)
#define DIFFER_PIECES (2 * DIFFER_WIRE)
#define DIFFER_STEP_NS 1000 /* from frame to frame: no hello takes a second */
#define DIFFER_WAIT_NS UINT64_C(30000000000) /* after it nothing is waited for */
#define DIFFER_SEGMENT_MAX 60000
#define DIFFER_TELLING 64 /* that many bytes tell which hello it is */

/* How a case is spoilt, so that it is known what must be told of it. */
enum differ_spoil {
	SPOIL_NONE,
	SPOIL_CONFLICT, /* bytes said again are others, while the hello is incomplete */
	SPOIL_RECORDS, /* the hello is in more than 64 records */
	SPOIL_LONG, /* its message is longer than 16 KiB */
	SPOIL_MISSING, /* one segment never comes */
	SPOIL_NAME, /* a byte of the hello is another: for the test of the test */
	SPOILS
};

typedef void (*differ_fn)(void *arg, const uint8_t *bytes, uint32_t len, uint64_t ns);

/* Bytes off..off+len-1 of a run; @wrong: some of them are not what they are. */
struct differ_piece {
	uint32_t off;
	uint32_t len;
	bool wrong;
};

/**
 * struct differ_run - one way of sending a case.
 * @fn, @arg: take the frames
 * @cut: in pieces
 * @now: ns; goes on from case to case
 * @segment: no longer segment is sent
 * @wire, @wire_len: what one side says until the other does: a turn
 * @first: so many bytes of it must come in one segment, before all others
 * @base: place of wire[0] in its stream
 * @hello_seq: sequence number of the last ClientHello
 * @in_order: the first piece of the turn comes first
 * @fast_open: it comes with the SYN
 * @spoilt: it could be, as @spoil says
 * @cut_hello: the ClientHello went in several pieces or records
 * @answer_again: some of what the server said was said again
 * @enough: 0, or bytes of the turn that tell that a bound is passed; no more are sent, for
 *          the rest of a hello that was given up can look like another
 */
struct differ_run {
	differ_fn fn;
	void *arg;
	bool cut;
	uint64_t now;
	uint32_t segment;
	enum differ_spoil spoil;
	bool spoilt, cut_hello, answer_again;
	uint32_t said[2];
	uint32_t hello_seq;
	uint32_t first;
	uint32_t enough;
	uint32_t base;
	bool in_order;
	bool fast_open;
	uint32_t wire_len;
	uint8_t wire[DIFFER_WIRE];
	struct differ_piece piece[DIFFER_PIECES];
	uint32_t pieces;
	uint64_t frames;
};

/* Send by @fn, to @arg, no segment longer than @segment. */
static inline void differ_side(struct differ_run *r, differ_fn fn, void *arg, uint32_t segment)
{
	r->fn = fn;
	r->arg = arg;
	r->segment = segment;
	r->now = UINT64_C(1000000000);
}

/* ---- frames ---- */

static inline void differ_frame(struct differ_run *r, const struct differ_case *c, bool from_client,
				uint8_t flags, uint32_t seq, const void *data, size_t len)
{
	static struct craft frame;
	struct craft_conn conn = c->number % 4 ? craft_ipv4(c->number) : craft_ipv6(c->number);
	uint32_t other = from_client;

	r->now += DIFFER_STEP_NS;
	craft_frame(&frame, &conn,
		    &(struct craft_segment){.from_client = from_client,
					    .flags = flags,
					    .seq = seq,
					    .ack = c->isn[other] + 1 + r->said[other],
					    .data = data,
					    .len = len});
	r->fn(r->arg, frame.at, frame.len, r->now);
	r->frames++;
}

static inline void differ_send(struct differ_run *r, const struct differ_case *c, bool from_client,
			       const struct differ_piece *p)
{
	static uint8_t copy[DIFFER_SEGMENT_MAX];
	uint32_t seq = c->isn[!from_client] + 1 + r->base + p->off;

	memcpy(copy, r->wire + p->off, p->len);
	for (uint32_t i = 0; p->wrong && i < p->len; i++)
		copy[i] ^= 0x55;
	if (r->fast_open && p == r->piece) { /* RFC 7413: with the SYN, which is one before */
		differ_frame(r, c, true, AS_TCP_SYN, seq - 1, copy, p->len);
		differ_frame(r, c, false, AS_TCP_SYN | AS_TCP_ACK, c->isn[1], NULL, 0);
	} else {
		differ_frame(r, c, from_client, AS_TCP_ACK, seq, copy, p->len);
	}
}

/* ---- records ---- */

/* Cut points: @count different ones of 1..@len-1, in order, as marks in @mark. */
static inline void differ_marks(struct dice *d, uint8_t *mark, uint32_t len, uint32_t count)
{
	memset(mark, 0, len);
	while (count && len > 1) {
		uint32_t at = dice_range(d, 1, len - 1);

		if (!mark[at])
			count--;
		mark[at] = 1;
	}
}

/* Into how many records a message of @len bytes goes. */
static inline uint32_t differ_records(struct differ_run *r, struct dice *d, bool hello,
				      uint32_t len)
{
	uint32_t most = len < DIFFER_RECORDS_MAX ? len : DIFFER_RECORDS_MAX;

	if (len > AS_REC_MAX) /* one is more by the longest record there is */
		most--;

	if (hello && r->spoil == SPOIL_RECORDS && len > DIFFER_RECORDS_MAX &&
	    len < DIFFER_HELLO_MAX - 200 * AS_REC_HLEN) {
		r->spoilt = true;
		return dice_range(d, DIFFER_RECORDS_MAX + 1, len < 200 ? len : 200);
	}
	if (!r->cut || dice_chance(d, 60))
		return 1;
	if (dice_chance(d, 20))
		return most;
	return dice_range(d, 1, dice_chance(d, 50) && most > 4 ? 4 : most);
}

/* @number records of a ClientHello are in wire[], and with them @have bytes of the message:
 * is that enough to tell that a bound is passed? */
static inline void differ_enough(struct differ_run *r, uint32_t number, uint32_t have)
{
	bool records = r->spoil == SPOIL_RECORDS && number > DIFFER_RECORDS_MAX;
	bool length = r->spoil == SPOIL_LONG && have >= AS_HS_HLEN + 2;

	if (!r->enough && (records || length))
		r->enough = r->wire_len;
}

/* Put a part behind what is in wire[], in records if it is a handshake message. */
static inline void differ_wire(struct differ_run *r, struct differ_case *c,
			       const struct differ_part *p)
{
	static uint8_t mark[DIFFER_ROOM + 1];
	const uint8_t *from = c->bytes + p->at;
	uint32_t records, start = 0, number = 0;

	if (!p->handshake) {
		memcpy(r->wire + r->wire_len, from, p->len);
		r->wire_len += p->len;
		return;
	}
	records = differ_records(r, &c->dice, p->hello, p->len);
	if (p->hello && records > 1)
		r->cut_hello = true;
	differ_marks(&c->dice, mark, p->len, records - 1);
	mark[p->len] = 1;
	if (p->len > AS_REC_MAX)
		mark[AS_REC_MAX] = 1;
	for (uint32_t i = 1; i <= p->len; i++) {
		uint8_t *to = r->wire + r->wire_len;
		uint32_t len = i - start;

		if (!mark[i])
			continue;
		memcpy(to, "\x16\x03\x01", 3);
		to[3] = (uint8_t)(len >> 8);
		to[4] = (uint8_t)len;
		memcpy(to + AS_REC_HLEN, from + start, len);
		r->wire_len += AS_REC_HLEN + len;
		start = i;
		if (p->hello)
			differ_enough(r, ++number, i);
	}
}

/* ---- segments ---- */

/* How long segments are about to be: whole, some, as on Ethernet, tiny, one byte each. */
static inline uint32_t differ_mean(struct dice *d, uint32_t len)
{
	switch (dice_range(d, 0, 9)) {
	case 0:
		return len;
	case 1:
		return 1460;
	case 2:
		return len > 700 && !dice_chance(d, 2) ? 1400 : 1;
	case 3:
		return dice_range(d, 2, 20) + len / 200;
	default:
		return len / dice_range(d, 1, 12) + 1;
	}
}

static inline void differ_pieces(struct differ_run *r, struct dice *d)
{
	uint32_t mean = r->cut ? differ_mean(d, r->wire_len) : r->wire_len, at = 0;

	r->pieces = 0;
	while (at < r->wire_len) {
		uint32_t len = mean == 1 || !r->cut ? mean : dice_range(d, 1, 2 * mean);

		if (at < r->first && len < r->first - at)
			len = r->first - at;
		if (len > r->segment)
			len = r->segment;
		if (len > r->wire_len - at)
			len = r->wire_len - at;
		r->piece[r->pieces++] = (struct differ_piece){.off = at, .len = len};
		at += len;
	}
}

static inline void differ_swap(struct differ_run *r, uint32_t i, uint32_t j)
{
	struct differ_piece p = r->piece[i];

	r->piece[i] = r->piece[j];
	r->piece[j] = p;
}

/* Put the pieces out of order; those before @from stay. */
static inline void differ_shuffle(struct differ_run *r, struct dice *d, uint32_t from)
{
	uint32_t n = r->pieces;

	if (n - from < 2)
		return;
	switch (dice_range(d, 0, 5)) {
	case 0: /* any order */
		for (uint32_t i = n - 1; i > from; i--)
			differ_swap(r, i, dice_range(d, from, i));
		break;
	case 1: /* the first comes last */
		for (uint32_t i = from; i + 1 < n; i++)
			differ_swap(r, i, i + 1);
		break;
	case 2: /* backwards */
		for (uint32_t i = from, j = n - 1; i < j; i++, j--)
			differ_swap(r, i, j);
		break;
	case 3: /* neighbours */
		for (uint32_t i = from; i + 1 < n; i += 2)
			differ_swap(r, i, i + 1);
		break;
	default:
		break;
	}
}

/* Say some bytes again, other cuts, at any time after the first @from pieces. Returns
 * how often. */
static inline uint32_t differ_again(struct differ_run *r, struct dice *d, uint32_t from)
{
	uint32_t more = dice_chance(d, 60) ? 0 : dice_range(d, 1, 4);

	for (uint32_t i = 0; i < more; i++) {
		uint32_t off = dice_range(d, 0, r->wire_len - 1);
		uint32_t left = r->wire_len - off, place = dice_range(d, from, r->pieces);

		if (left > r->segment)
			left = r->segment;
		memmove(r->piece + place + 1, r->piece + place,
			(r->pieces - place) * sizeof(r->piece[0]));
		r->piece[place] = (struct differ_piece){.off = off, .len = dice_range(d, 1, left)};
		r->pieces++;
	}
	return more;
}

/* ---- what is spoilt ---- */

/* The pieces are in order and the last is kept back: what stands in the middle, behind the
 * random, is said again as something else. */
static inline void differ_conflict(struct differ_run *r, struct dice *d)
{
	uint32_t last = r->pieces - 1, i = last / 2;

	if (last < 2 || r->piece[i].off < r->first + DIFFER_TELLING)
		return;
	r->piece[last + 1] = r->piece[last];
	r->piece[last] = (struct differ_piece){
		.off = r->piece[i].off, .len = dice_range(d, 1, r->piece[i].len), .wrong = true};
	r->pieces++;
	r->spoilt = true;
}

/* One piece of several does not come. The first stays: it tells that there is a hello. */
static inline void differ_lose(struct differ_run *r, struct dice *d)
{
	uint32_t i;

	if (r->pieces < 2 || r->piece[0].len < r->first + DIFFER_TELLING)
		return;
	i = dice_range(d, 1, r->pieces - 1);
	memmove(r->piece + i, r->piece + i + 1, (r->pieces - i - 1) * sizeof(r->piece[0]));
	r->pieces--;
	r->spoilt = true;
}

/* ---- turns ---- */

static inline void differ_turn(struct differ_run *r, struct differ_case *c, bool from_client,
			       bool hello, bool handshake)
{
	uint32_t side = !from_client, stays = r->first || r->in_order || r->fast_open;

	r->base = r->said[side];
	differ_pieces(r, &c->dice);
	if (hello && r->pieces > 1)
		r->cut_hello = true;
	if (hello && r->spoil == SPOIL_CONFLICT) {
		differ_conflict(r, &c->dice);
	} else if (hello && r->spoil == SPOIL_MISSING) {
		differ_lose(r, &c->dice);
	} else if (r->enough) {
		while (r->piece[r->pieces - 1].off >= r->enough)
			r->pieces--;
	} else if (r->cut && handshake) {
		differ_shuffle(r, &c->dice, stays);
		r->answer_again |= differ_again(r, &c->dice, stays) && !from_client;
	}
	for (uint32_t i = 0; i < r->pieces; i++)
		differ_send(r, c, from_client, &r->piece[i]);
	r->said[side] += r->wire_len;
	r->fast_open = false;
}

/* The turn that begins with part @i; returns the next part. A part that is not glued ends
 * its turn, and so does every part when nothing is cut. */
static inline uint32_t differ_next(struct differ_run *r, struct differ_case *c, uint32_t i)
{
	bool from_client = c->part[i].from_client, hello = false, handshake = false, on;

	r->wire_len = r->first = r->enough = 0;
	do {
		const struct differ_part *p = &c->part[i++];

		if (p->hello)
			r->hello_seq = c->isn[0] + 1 + r->said[0] + r->wire_len;
		hello |= p->hello;
		handshake |= p->handshake;
		differ_wire(r, c, p);
		on = r->cut && p->glued && i < c->parts;
		/* A lead that is no TLS comes whole, and with a byte of the hello. */
		if (on && !p->handshake && c->bytes[p->at] != AS_REC_CHANGE_CIPHER_SPEC)
			r->first = r->wire_len + 1;
	} while (on);
	differ_turn(r, c, from_client, hello, handshake);
	return i;
}

/* Nothing is known of a stream whose SYN was not seen, nor of where TLS begins behind other
 * bytes: the first piece of the hello comes first then. */
static inline bool differ_is_blind(const struct differ_case *c, bool syn, uint32_t i)
{
	return !syn || (i && c->part[i].hello && c->lead != LEAD_NONE);
}

/**
 * differ_go - send the case.
 * @r: fn, arg, cut, now, segment and spoil are set
 * @dice: of the cuts: another gives other cuts
 */
static inline void differ_go(struct differ_run *r, struct differ_case *c, uint64_t dice)
{
	bool syn = r->cut ? dice % 8 != 0 : true, first = true;

	c->dice.state = dice;
	r->said[0] = r->said[1] = 0;
	r->spoilt = r->cut_hello = r->answer_again = false;
	r->fast_open = r->cut && syn && c->lead == LEAD_NONE && dice % 16 == 1;
	if (syn && !r->fast_open) {
		differ_frame(r, c, true, AS_TCP_SYN, c->isn[0], NULL, 0);
		differ_frame(r, c, false, AS_TCP_SYN | AS_TCP_ACK, c->isn[1], NULL, 0);
		differ_frame(r, c, true, AS_TCP_ACK, c->isn[0] + 1, NULL, 0);
	}
	for (uint32_t i = 0; i < c->parts;) {
		r->in_order = first && c->part[i].from_client && differ_is_blind(c, syn, i);
		i = differ_next(r, c, i);
		first &= !c->part[i - 1].hello;
	}
}

#endif
