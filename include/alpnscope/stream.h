/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stream.h - one direction's handshake bytes, put in order.
 *
 * A hello that lies in one segment is copied out of the frame, so that the parser
 * reads flat memory: through offsets into packet data it would cost the verifier ten
 * to a hundred times as many instructions. A hello in several segments or records is
 * collected in a slot by sequence number first.
 */
#ifndef ALPNSCOPE_STREAM_H
#define ALPNSCOPE_STREAM_H

#include "counters.h"
#include "packet.h"

#define AS_HELLO_MAX AS_REC_MAX /* bytes of a hello */
#define AS_STREAM_MAX AS_FLAT_MAX /* bytes that are put in order, record headers included */
#define AS_RECORDS_MAX 64 /* over which a hello may be spread */
#define AS_CHUNK 256
#define AS_GROUP 64 /* bytes that are merged at once, a bit each in as_slot.present */
#define AS_GROUPS (AS_STREAM_MAX / AS_GROUP)

/**
 * struct as_bytes - a handshake message of @len bytes, or a segment on its way to a slot.
 * The slack lets the verifier see that a chunk at any offset below AS_HELLO_MAX fits.
 * @from, @to: the segment's bytes are at[from..to-1], at the place they have in the slot
 * @mask, @differ: see as_slot_merge()
 */
struct as_bytes {
	__u32 len;
	__u32 from;
	__u32 to;
	__u32 pad;
	__u64 mask;
	__u64 differ;
	union {
		__u8 at[AS_HELLO_MAX + AS_CHUNK];
		__u64 word[(AS_HELLO_MAX + AS_CHUNK) / 8];
	};
};

/* What a slot's bytes begin with, as far as is known. */
enum as_kind_of_slot { AS_SLOT_UNKNOWN, AS_SLOT_CLIENT_HELLO, AS_SLOT_SERVER_HELLO };

/**
 * struct as_slot - one direction of one connection, while its hello is incomplete.
 * The table of slots is an array: a place is looked for at AS_SLOT_PROBES numbers from
 * the tuple's hash on. All but `at` below `have` is read and written under the lock.
 * @taken: 0 when it is free
 * @from_lo: the direction: the `lo` end of the tuple sends
 * @base: sequence number of at[0]
 * @have: at[0..have-1] are there
 * @kind: enum as_kind_of_slot
 * @orphan: a server's, and no ClientHello was seen
 * @cut: the capture has not all of a segment
 * @empty: nothing was merged yet, `present` is not yet cleared
 * @flags: AS_F_OVERLAP_CONFLICT
 * @since: when its first segment came
 * @present: which bytes of `at` are there; bit n of group g is byte 64 * g + n
 */
struct as_slot {
	AS_LOCK lock;
	__u32 taken;
	struct as_tuple key;
	__u64 since;
	__u32 hash;
	__u32 base;
	__u32 have;
	__u32 flags;
	__u8 from_lo;
	__u8 kind;
	__u8 orphan;
	__u8 cut;
	__u32 empty;
	__u64 present[AS_GROUPS];
	union {
		__u8 at[AS_STREAM_MAX + AS_CHUNK];
		__u64 word[(AS_STREAM_MAX + AS_CHUNK) / 8];
	};
};

/**
 * struct as_cursor - how far as_flatten() came, in scratch memory (see AS_FRESH).
 * @at, @end: what of the slot is left to read
 * @left: what of the record is left
 * @records: how many began
 * @message: length of the message, or 0 when that stands in its header
 */
struct as_cursor {
	__u32 at;
	__u32 end;
	__u32 left;
	__u32 records;
	__u32 message;
};

/* The target's, see port.h. */
AS_INLINE void as_move(void *dst, const void *src, __u32 len);
AS_INLINE void as_room(struct as_bytes *b, __u32 len);

/**
 * as_take - copy a piece of the frame, at frame offset @off, to @to->at[from..to-1].
 * Returns 0, or negative when the frame does not hold it.
 */
AS_INLINE int as_take(AS_ENV *env, __u32 off, struct as_bytes *to)
{
	for (__u32 i = 0; i < AS_HELLO_MAX / AS_CHUNK; i++) {
		__u32 at = AS_FRESH(to->from) + i * AS_CHUNK, end = AS_FRESH(to->to), n;

		if (at >= end)
			break;
		n = as_min(end - at, AS_CHUNK) - 1;
		/* clang 14 and 19 differ in what they fold here; in this form every
		 * verifier from 5.10 on sees 1 <= n + 1 <= AS_CHUNK. */
		as_barrier(n);
		n &= AS_CHUNK - 1;
		as_barrier(at);
		if (at >= AS_HELLO_MAX)
			break;
		if (as_load(env, off + i * AS_CHUNK, to->at + at, n + 1))
			return -1;
	}
	return 0;
}

/* Eight bits as eight bytes of 0xff or 0: bit n is the n-th byte in memory. */
AS_INLINE __u64 as_widen(__u64 bits)
{
	__u64 x = ((bits & 0xff) * 0x0101010101010101ULL) & 0x8040201008040201ULL;

	x = ((x + 0x7f7f7f7f7f7f7f7fULL) >> 7 & 0x0101010101010101ULL) * 0xff;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	x = __builtin_bswap64(x);
#endif
	return x;
}

/* Copy those bytes of group @g whose bit in @fresh is set; returns not 0 when a byte whose
 * bit in @again is set was something else before. */
AS_INLINE __u64 as_merge_group(struct as_slot *t, const struct as_bytes *in, __u32 g, __u64 fresh,
			       __u64 again)
{
	const __u64 *from = in->word + (__u64)g * (AS_GROUP / 8);
	__u64 *to = t->word + (__u64)g * (AS_GROUP / 8), differ = 0;

	if (fresh == ~0ULL) {
		for (__u32 i = 0; i < AS_GROUP / 8; i++)
			to[i] = from[i];
		return 0;
	}
	for (__u32 i = 0; i < AS_GROUP / 8; i++) {
		__u64 mask = as_widen(fresh >> 8 * i);

		differ |= (to[i] ^ from[i]) & as_widen(again >> 8 * i);
		to[i] = (to[i] & ~mask) | (from[i] & mask);
	}
	return differ;
}

/* Merge the segment in->at[from..to-1] into @t, under its lock: the first copy of a byte
 * stays (as a receiver that got it has done). Notes go into @in for the verifier's sake. */
AS_INLINE void as_slot_merge(struct as_slot *t, struct as_bytes *in)
{
	AS_FRESH(in->differ) = 0;
	for (__u32 i = 0; i < AS_GROUPS && AS_FRESH(t->empty); i++)
		AS_FRESH(t->present[i]) = 0; /* clang takes no memset of this size */
	t->empty = 0;
	for (__u32 i = 0; i < AS_GROUPS; i++) {
		__u32 from = AS_FRESH(in->from), to = AS_FRESH(in->to);
		__u32 g = from / AS_GROUP + i, start = i ? 0 : from % AS_GROUP;
		__u64 all, was;

		as_barrier(g);
		if (g >= AS_GROUPS || g * AS_GROUP >= to)
			break;
		AS_FRESH(in->mask) = (~0ULL >> (AS_GROUP - as_min(to - g * AS_GROUP, AS_GROUP))) &
				     ~0ULL << start;
		all = AS_FRESH(in->mask);
		was = t->present[g];
		t->present[g] = was | all;
		AS_FRESH(in->differ) |= as_merge_group(t, in, g, all & ~was, all & was);
	}
	if (AS_FRESH(in->differ))
		t->flags |= AS_F_OVERLAP_CONFLICT;
}

/* The number of zeros below the lowest set bit of @x, which is not 0. BPF has no instruction for
 * it; without branches, for each would double the verifier's work. */
AS_INLINE __u32 as_lowest(__u64 x)
{
	x = (x & -x) - 1; /* those zeros as ones, to be counted */
	x -= x >> 1 & 0x5555555555555555ULL;
	x = (x & 0x3333333333333333ULL) + (x >> 2 & 0x3333333333333333ULL);
	x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (__u32)(x * 0x0101010101010101ULL >> 56);
}

/* Move `have` on over all that is there, under the lock. */
AS_INLINE void as_slot_advance(struct as_slot *t)
{
	__u32 g;

	for (__u32 i = 0; i < AS_GROUPS; i++) {
		g = AS_FRESH(t->have) / AS_GROUP;
		as_barrier(g);
		if (g >= AS_GROUPS || ~t->present[g])
			break;
		AS_FRESH(t->have) = (g + 1) * AS_GROUP;
	}
	g = AS_FRESH(t->have) / AS_GROUP;
	as_barrier(g);
	if (g < AS_GROUPS)
		AS_FRESH(t->have) = g * AS_GROUP + as_lowest(~t->present[g]);
}

/* Read the record header at w->at; 0, or the counter of what is wrong with it. */
AS_INLINE int as_flatten_header(const struct as_slot *t, struct as_cursor *w)
{
	__u32 at = AS_FRESH(w->at), len;

	as_barrier(at);
	if (at > AS_STREAM_MAX)
		return AS_LOST_TOO_LONG;
	/* RFC 8446 section 5.1: no other record comes in between. */
	if (t->at[at] != AS_REC_HANDSHAKE || t->at[at + 1] != 3)
		return AS_LOST_MALFORMED;
	len = as_be16(t->at + at + 3);
	if (len > AS_REC_MAX)
		return AS_LOST_MALFORMED;
	AS_FRESH(w->records)++;
	if (AS_FRESH(w->records) > AS_RECORDS_MAX)
		return AS_LOST_TOO_MANY_RECORDS;
	AS_FRESH(w->left) = len;
	AS_FRESH(w->at) = at + AS_REC_HLEN;
	return 0;
}

#define AS_UNREADY (-1)

/* Is the message, of which to->len bytes were read, complete? 0, AS_UNREADY, or a counter. */
AS_INLINE int as_flatten_done(struct as_bytes *to, const struct as_cursor *w)
{
	__u32 len = AS_FRESH(to->len), message = AS_FRESH(w->message);

	if (len < AS_HS_HLEN + 2) /* less is too little to believe its length */
		return AS_UNREADY;
	if (!message)
		message = AS_HS_HLEN + as_be24(to->at + 1);
	if (message > AS_HELLO_MAX)
		return AS_LOST_TOO_LONG;
	if (len < message)
		return AS_UNREADY;
	AS_FRESH(to->len) = message;
	return 0;
}

/**
 * as_flatten - copy the message whose first record's header is at w->at to @to, the other
 * headers left out.
 * @w: at, end and message are set, the rest 0; w->at + w->left is then where its last record ends
 * Returns 0, AS_UNREADY when more must come, or the counter of why it cannot be read.
 */
AS_INLINE int as_flatten(const struct as_slot *t, struct as_cursor *w, struct as_bytes *to)
{
	AS_FRESH(to->len) = 0;
	for (__u32 i = 0; i < 2 * AS_RECORDS_MAX + AS_STREAM_MAX / AS_CHUNK + 2; i++) {
		__u32 at = AS_FRESH(w->at), ready = AS_FRESH(w->end) - at, n;
		__u32 len = AS_FRESH(to->len);
		int err = as_flatten_done(to, w);

		if (err != AS_UNREADY)
			return err;
		if (!AS_FRESH(w->left)) {
			if (ready < AS_REC_HLEN)
				break;
			err = as_flatten_header(t, w);
			if (err)
				return err;
			continue;
		}
		n = as_min(as_min(AS_FRESH(w->left), ready), AS_CHUNK);
		if (!n)
			break;
		AS_FRESH(w->at) = at + n;
		AS_FRESH(w->left) -= n;
		AS_FRESH(to->len) = len + n;
		n--;
		as_barrier(n);
		n &= AS_CHUNK - 1;
		as_barrier(at);
		as_barrier(len);
		if (at > AS_STREAM_MAX || len > AS_HELLO_MAX)
			return AS_LOST_TOO_LONG;
		as_move(to->at + len, t->at + at, n + 1);
	}
	return AS_FRESH(w->end) >= AS_STREAM_MAX ? AS_LOST_TOO_LONG : AS_UNREADY;
}

#endif
