/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * assemble.h - a hello in pieces: which packets belong to it, and when it is complete.
 */
#ifndef ALPNSCOPE_ASSEMBLE_H
#define ALPNSCOPE_ASSEMBLE_H

#include "flight.h"
#include "slot.h"

/* What as_assemble() makes of a packet; or minus the counter of why its hello is lost. */
enum as_got {
	AS_ALONE, /* nothing: the packet is what it is by itself */
	AS_WAIT, /* kept, more must come */
	AS_MESSAGE, /* scratch.rec says which, a hello is in scratch.bytes */
	AS_DROPPED, /* might have been kept, but there was no room */
	AS_HELLO, /* the slot begins with a hello, see as_unpack() */
	AS_DONE, /* nothing is left to do but to follow the flow */
	AS_FOLLOWED, /* nothing at all */
};

#define AS_PRELUDE_MAX 4

AS_INLINE int as_alert_ends(const struct as_record *r)
{
	return as_is_end(r->level, r->desc);
}

/* May a hello follow the record? A warning alert comes ahead of a ServerHello, and in
 * middlebox compatibility mode (RFC 8446 appendix D.4) a ChangeCipherSpec ahead of the
 * second ClientHello. */
AS_INLINE int as_is_prelude(const struct as_record *r)
{
	return r->begin == AS_BEGIN_CHANGE_CIPHER_SPEC || r->begin == AS_BEGIN_EMPTY ||
	       (r->begin == AS_BEGIN_ALERT && !as_alert_ends(r));
}

/* Step over such records to the one behind them, up to offset @end. */
AS_INLINE void as_skip_prelude(const struct as_frame *fr, struct as_scratch *s, __u32 end)
{
	for (__u32 i = 0; i < AS_PRELUDE_MAX && as_is_prelude(&s->rec); i++) {
		__u32 off = AS_FRESH(s->rec.off) + AS_REC_HLEN + AS_FRESH(s->rec.len);

		s->rec.begin = AS_BEGIN_OTHER;
		if (off < end)
			as_record_at(fr, off, end - off, &s->rec);
		else
			s->rec.off = off;
	}
}

/* Length of the PROXY header that b->at[0..len-1] begin with; 0 for none, or more than
 * is there. */
AS_INLINE __u32 as_proxy_len(const struct as_bytes *b)
{
	const __u8 *p = b->at;

	if (p[0] == 'P') { /* "PROXY TCP4 192.0.2.1 192.0.2.2 50000 443\r\n" */
		if (p[1] != 'R' || p[2] != 'O' || p[3] != 'X' || p[4] != 'Y' || p[5] != ' ')
			return 0;
		for (__u32 i = 6; i < AS_PROXY1_MAX - 1; i++)
			if (i + 2 <= AS_FRESH(b->len) && p[i] == '\r' && p[i + 1] == '\n')
				return i + 2;
		return 0;
	}
	if (as_be32(p) != 0x0d0a0d0a || as_be32(p + 4) != 0x000d0a51 ||
	    as_be32(p + 8) != 0x5549540a || p[12] >> 4 != 2)
		return 0;
	return AS_PROXY2_HLEN + as_be16(p + 14);
}

/* The record behind a PROXY header, in a frame or a slot (@fr; @t, or 0 for the frame), whose
 * bytes are at off..end-1. */
AS_INLINE void as_skip_proxy(AS_ENV *env, const struct as_frame *fr, struct as_scratch *s,
			     const struct as_slot *t, __u32 off, __u32 end)
{
	struct as_bytes *b = &s->bytes;
	__u32 len = as_min(end - off, AS_CHUNK) - 1;

	s->rec.begin = AS_BEGIN_OTHER;
	if (end - off < AS_PROXY2_HLEN)
		return;
	as_room(b, AS_CHUNK);
	AS_MEMSET(b->at, 0, AS_CHUNK);
	as_barrier(len);
	len &= AS_CHUNK - 1;
	AS_FRESH(b->len) = len + 1;
	if (t)
		as_move(b->at, t->at, len + 1);
	else if (as_load(env, off, b->at, len + 1))
		return;
	AS_FRESH(b->len) = as_proxy_len(b);
	if (AS_FRESH(b->len) && AS_FRESH(b->len) < end - off)
		as_record_at(fr, off + AS_FRESH(b->len), end - off - AS_FRESH(b->len), &s->rec);
}

/* Is the byte at @seq one that the flow has seen? */
AS_INLINE int as_is_old(const struct as_scratch *s, __u32 seq)
{
	return s->gap_seq - seq - 1 < AS_WINDOW;
}

AS_INLINE int as_is_hello(const struct as_scratch *s)
{
	return s->rec.begin == AS_BEGIN_CLIENT_HELLO || s->rec.begin == AS_BEGIN_SERVER_HELLO;
}

/* Does it begin as a hello does? */
AS_INLINE int as_is_start(const struct as_scratch *s)
{
	return as_is_hello(s) || s->rec.begin == AS_BEGIN_PREFIX;
}

/* Is that no more than a likeness: a record of so few bytes that they may be of any message? */
AS_INLINE int as_is_weak(const struct as_scratch *s)
{
	return !as_is_hello(s) || s->rec.len < AS_HS_HLEN + 2;
}

/* Does the hello go on as one behind its random: a session id of at most 32 bytes, and then an
 * even number of bytes of cipher suites? As far as that is in the packet. */
AS_INLINE int as_goes_on(AS_ENV *env, const struct as_scratch *s)
{
	__u32 at = s->rec.off + AS_REC_HLEN + AS_HS_HLEN + 2 + AS_RANDOM_LEN, suites;
	__u32 end = s->pkt.payload + s->pkt.avail;
	__u8 b[2] = {};

	if (s->rec.v2_version || at + 1 > end || as_load(env, at, b, 1))
		return 1;
	if (b[0] > AS_SESSION_ID_MAX)
		return 0;
	at += 1 + b[0];
	if (s->rec.begin != AS_BEGIN_CLIENT_HELLO || at + 2 > end || as_load(env, at, b, 2))
		return 1;
	suites = as_be16(b);
	return suites && !(suites & 1) && suites < s->rec.message_len;
}

/* Where a slot that begins with it is based. Returns 0 when there is nothing to collect. */
AS_INLINE int as_slot_base(AS_ENV *env, const struct as_scratch *s, __u32 *base)
{
	__u32 ahead = s->pkt.seq - s->gap_seq;

	*base = s->gap_seq;
	if (s->gap_known && ahead && ahead < AS_STREAM_MAX &&
	    (as_is_weak(s) || !as_goes_on(env, s)))
		return s->rec.begin != AS_BEGIN_ALERT;
	if (s->in_flow && as_is_old(s, s->hello_seq)) /* is there news behind the old? */
		return !as_is_old(s, s->pkt.seq + s->pkt.avail - 1);
	*base = s->hello_seq;
	return as_is_start(s) || (s->rec.begin == AS_BEGIN_PART && s->in_flow);
}

/* Are there bytes for an open slot in the packet, where it counts more what they are there
 * than what they look like? A whole hello behind a hole is taken for what it is. */
AS_INLINE int as_is_piece(AS_ENV *env, const struct as_scratch *s, __u32 hook)
{
	int n = s->slots && s->pkt.avail ? as_slot_find(env, hook, 0) : 0;
	const struct as_slot *t = n ? as_slot(env, s->hash + (__u32)n - 1) : 0;

	return t && as_in_slot(s, t->base) &&
	       (t->kind != AS_SLOT_UNKNOWN || as_is_weak(s) || as_whole(s));
}

/* No slot is free. Returns enum as_got or minus a counter. */
AS_INLINE int as_no_slot(AS_ENV *env, const struct as_scratch *s)
{
	if (s->rec.begin == AS_BEGIN_CLIENT_HELLO)
		return -AS_LOST_REASSEMBLY_FULL;
	as_count(env, AS_ERR_REASSEMBLY_FULL);
	return s->rec.begin == AS_BEGIN_SERVER_HELLO ? -AS_ERR_SERVER_HELLO_SPLIT : AS_DROPPED;
}

/* Find or take the slot that the packet has a piece for. Returns AS_WAIT when there is one,
 * else another of enum as_got or minus a counter. */
AS_STAGE int as_choose_slot(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_slot *t = 0;
	__u32 n, base = 0;

	if (!s)
		return AS_ALONE;
	n = s->slots ? (__u32)as_slot_find(env, hook, 0) : 0;
	if (n)
		t = as_slot(env, s->hash + n - 1);
	if (t) {
		base = t->base;
		if (s->whole && t->kind == AS_SLOT_UNKNOWN) { /* see as_is_piece() */
			as_slot_free(env, t, &s->pkt.key, base,
				     s->hello_seq == base ? 0 : AS_LOST_UNFINISHED);
			t = 0;
		}
	}
	if (!t) {
		if (s->whole || !as_slot_base(env, s, &base))
			return AS_ALONE;
		s->base = base;
		n = as_slot_take(env, s, hook);
		if (!n)
			return as_no_slot(env, s);
		t = as_slot(env, s->hash + n - 1);
		if (t) /* another CPU may have taken it, from another place on */
			base = t->base;
	}
	s->probe = n - 1;
	s->base = base;
	return AS_WAIT;
}

/* Copy what the packet has for its slot to scratch.bytes. Returns AS_WAIT or AS_ALONE. */
AS_STAGE int as_collect(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	__u32 from, skip = 0;

	if (!s)
		return AS_ALONE;
	from = s->pkt.seq - s->base;
	if (from >= AS_STREAM_MAX) { /* it begins ahead of the slot */
		skip = s->base - s->pkt.seq;
		from = 0;
	}
	if (skip >= s->pkt.avail)
		return AS_ALONE;
	AS_FRESH(s->bytes.from) = from;
	AS_FRESH(s->bytes.to) = from + as_min(s->pkt.avail - skip, AS_STREAM_MAX - from);
	as_room(&s->bytes, sizeof(s->bytes.at));
	return as_take(env, s->pkt.payload + skip, &s->bytes) ? AS_ALONE : AS_WAIT;
}

/* Merge scratch.bytes into the packet's slot. Returns AS_WAIT or AS_ALONE. */
AS_STAGE int as_merge(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_slot *t = s ? as_slot(env, s->hash + s->probe) : 0;
	__u32 mine;

	if (!s || !t)
		return AS_ALONE;
	AS_FRESH(s->again) = 0;
	as_lock(&t->lock);
	mine = as_slot_is(t, s, 0) && t->base == s->base;
	if (mine) {
		AS_FRESH(s->again) = t->kind == AS_SLOT_CLIENT_HELLO && !AS_FRESH(s->bytes.from);
		as_slot_merge(t, &s->bytes);
		as_slot_advance(t);
		t->cut |= s->pkt.avail < s->pkt.payload_len;
		s->seen_from = s->base;
		s->seen_end = s->base + t->have;
		s->hello_flags = t->flags;
		s->hello_ns = t->since;
	}
	as_unlock(&t->lock);
	if (AS_FRESH(s->again)) { /* its first bytes once more */
		as_count(env, AS_HELLOS);
		as_count(env, AS_REPEAT_AGAIN);
	}
	return mine ? AS_WAIT : AS_ALONE;
}

/* It is known what the slot's bytes begin with. */
AS_INLINE void as_slot_set_kind(struct as_slot *t, const struct as_scratch *s)
{
	as_lock(&t->lock);
	if (as_slot_is(t, s, 0) && t->base == s->base)
		t->kind = s->rec.begin == AS_BEGIN_CLIENT_HELLO ? AS_SLOT_CLIENT_HELLO
								: AS_SLOT_SERVER_HELLO;
	as_unlock(&t->lock);
}

/**
 * as_v2_random - the random of a ClientHello in SSL 2.0 form: RFC 5246 appendix E.2.
 * @b: what follows its version; the lengths were checked by as_record_v2()
 * @to: the challenge, right-justified in AS_RANDOM_LEN bytes, zeros ahead of it; for the
 *      verifier twice as many must be there
 */
AS_INLINE void as_v2_random(const struct as_bytes *b, __u8 *to)
{
	__u32 at = 6 + as_word(b, 0) + as_word(b, 2);
	__u32 n = as_word(b, 4) - 1, zeros = AS_RANDOM_LEN - 1 - n;

	AS_MEMSET(to, 0, AS_RANDOM_LEN);
	as_barrier(at);
	as_barrier(n);
	as_barrier(zeros);
	if (at < AS_HELLO_MAX)
		as_move(to + (zeros & (AS_RANDOM_LEN - 1)), b->at + at,
			(n & (AS_RANDOM_LEN - 1)) + 1);
}

/* The random of the hello in scratch.bytes, as far as that is there. */
AS_INLINE void as_flat_random(struct as_scratch *s)
{
	const struct as_bytes *b = &s->bytes;

	s->random_known = 1;
	if (s->rec.v2_version)
		as_v2_random(b, s->random);
	else if (AS_FRESH(b->len) >= AS_HS_HLEN + 2 + AS_RANDOM_LEN)
		AS_MEMCPY(s->random, b->at + AS_HS_HLEN + 2, AS_RANDOM_LEN);
	else
		s->random_known = 0;
}

/* Is what stands in scratch.bytes, as far as it is there, a hello? Checked as in as_record_at(),
 * for there a record may be too short to tell. */
AS_INLINE int as_is_flat_hello(const struct as_scratch *s)
{
	const struct as_bytes *b = &s->bytes;

	return s->rec.v2_version ||
	       (AS_FRESH(b->len) >= AS_HS_HLEN + 2 && as_be24(b->at + 1) < AS_MESSAGE_MAX &&
		as_is_version(b->at[0], b->at + 4));
}

/* Read the hello in the packet's slot, whose first record is scratch.rec. Returns enum as_got or
 * minus a counter. */
AS_STAGE int as_unpack(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_slot *t = s ? as_slot(env, s->hash + s->probe) : 0;
	struct as_cursor *w;
	__u32 have;
	int err;

	if (!s || !t)
		return AS_WAIT;
	w = &s->cursor;
	have = s->seen_end - s->base;
	AS_FRESH(w->at) = s->rec.off;
	AS_FRESH(w->end) = have;
	AS_FRESH(w->left) = 0;
	AS_FRESH(w->records) = 0;
	AS_FRESH(w->message) = 0;
	if (s->rec.v2_version) { /* one record, so to say, of which the header is behind us */
		if (have < s->rec.off + AS_REC_HLEN)
			return AS_WAIT;
		AS_FRESH(w->at) = s->rec.off + AS_REC_HLEN;
		AS_FRESH(w->left) = s->rec.len;
		AS_FRESH(w->message) = s->rec.message_len;
	}
	as_room(&s->bytes, sizeof(s->bytes.at));
	err = as_flatten(t, w, &s->bytes);
	if (!as_is_flat_hello(s)) {
		if (err != AS_UNREADY)
			as_slot_free(env, t, &s->pkt.key, s->base, 0);
		return err == AS_UNREADY ? AS_WAIT : AS_ALONE;
	}
	as_slot_set_kind(t, s);
	if (err == AS_UNREADY)
		return AS_WAIT;
	s->hello_seq = s->base + s->rec.off;
	s->hello_end = s->base + w->at + w->left;
	as_flat_random(s);
	as_set_slot_heads(s, have);
	as_read_heads(env, hook, 1); /* while it is ours */
	/* Whoever frees it has the message: on another CPU it may have become complete too. */
	if (!as_slot_free(env, t, &s->pkt.key, s->base, 0))
		return AS_WAIT;
	if (!err && s->rec.begin == AS_BEGIN_CLIENT_HELLO && !s->random_known) {
		as_count(env, AS_ERR_HELLO_OVERRUN);
		err = AS_LOST_MALFORMED;
	}
	if (err)
		return -err;
	s->rec.message_len = AS_FRESH(s->bytes.len);
	as_room(&s->bytes, s->rec.message_len);
	s->flat = 1;
	return AS_MESSAGE;
}

/* Find the record that the slot begins with, PROXY header and preludes left out. */
AS_INLINE void as_slot_record(AS_ENV *env, struct as_scratch *s, struct as_slot *t, __u32 have)
{
	struct as_frame fr = {.env = env, .flat = t->at, .how = AS_FLAT, .len = have};

	as_record_at(&fr, 0, have, &s->rec);
	if (s->rec.begin == AS_BEGIN_PROXY)
		as_skip_proxy(env, &fr, s, t, 0, have);
	as_skip_prelude(&fr, s, have);
}

/* What does the packet's slot begin with? Returns enum as_got. */
AS_STAGE int as_read_slot(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_slot *t = s ? as_slot(env, s->hash + s->probe) : 0;
	__u32 have, begin;

	if (!s || !t)
		return AS_ALONE;
	have = s->seen_end - s->base;
	if (!have)
		return AS_WAIT;
	as_slot_record(env, s, t, have);
	begin = AS_FRESH(s->rec.begin);
	if (begin == AS_BEGIN_CLIENT_HELLO || begin == AS_BEGIN_SERVER_HELLO)
		return AS_HELLO;
	if (begin == AS_BEGIN_PREFIX || begin == AS_BEGIN_PART || AS_FRESH(s->rec.off) >= have)
		return AS_WAIT;
	return as_slot_free(env, t, &s->pkt.key, s->base, 0) && begin == AS_BEGIN_ALERT ? AS_MESSAGE
											: AS_ALONE;
}

/* RST, or FIN behind all that was sent: what is incomplete stays so. An RST must stand where
 * the stream is, in its own direction or (@other) by what it acknowledges. Returns 0. */
AS_STAGE int as_abort(AS_ENV *env, __u32 hook, __u32 other)
{
	struct as_scratch *s = as_scratch(env, hook);
	int n = as_slot_find(env, hook, other);
	struct as_slot *t;
	__u32 at;

	if (!s || !n)
		return 0;
	t = as_slot(env, s->hash + (__u32)n - 1);
	if (!t)
		return 0;
	at = (other ? s->pkt.ack : s->pkt.seq + s->pkt.payload_len) - t->base;
	if (s->pkt.flags & AS_TCP_RST ? at <= AS_STREAM_MAX : !other && at == AS_FRESH(t->have))
		as_slot_free(env, t, &s->pkt.key, t->base, AS_LOST_UNFINISHED);
	return 0;
}

#endif
