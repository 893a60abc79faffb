/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * heads.h - the headers of TLS records that follow each other, out of a segment or a slot.
 *
 * A header may end in the next segment: what is there of it is kept. Nothing but headers is
 * looked at, and what an alert in clear says.
 */
#ifndef ALPNSCOPE_HEADS_H
#define ALPNSCOPE_HEADS_H

#include "record.h"
#include "stream.h"

#define AS_HEADS_MAX 16 /* that are read of one segment; a power of two */
#define AS_HEAD_LEN (AS_REC_HLEN + AS_ALERT_LEN) /* bytes of a header and of an alert's content */
#define AS_ENCRYPTED_MAX (AS_REC_MAX + 256) /* RFC 8446 section 5.2 */

/**
 * struct as_heads - record headers in scratch memory (see AS_FRESH), and how far they go.
 * @ready: they were read, from a slot
 * @place: sequence number of the first byte that was wanted
 * @had: bytes of a header that were there already; @part: that are there now
 * @head: these bytes, then room
 * @off: where the wanted byte is, in the frame or slot; @len: bytes from there on
 * @at: bytes from `place` to the next byte that is wanted; may be beyond `len`
 * @count: of headers, ChangeCipherSpec left out
 * @broken: what followed is no record
 * @alert: the last one is an alert that ends the connection, @level and @desc
 */
struct as_heads {
	__u32 ready;
	__u32 place;
	__u32 had;
	__u32 part;
	__u32 off;
	__u32 len;
	__u32 at;
	__u32 count;
	__u32 broken;
	__u32 alert;
	__u8 level;
	__u8 desc;
	__u8 head[16];
	__u8 type[AS_HEADS_MAX];
	__u16 size[AS_HEADS_MAX];
};

/* A complete record header: a type of RFC 8446 section 5.1 or RFC 6520, and not too long. */
AS_INLINE int as_is_head(const __u8 *b)
{
	return b[0] >= AS_REC_CHANGE_CIPHER_SPEC && b[0] <= AS_REC_HEARTBEAT && b[1] == 3 &&
	       as_be16(b + 3) <= AS_ENCRYPTED_MAX;
}

/* RFC 8446 section 6: in TLS 1.3 every error alert ends the connection; before it, a
 * warning (unrecognized_name, say) may come ahead of the ServerHello. */
AS_INLINE int as_is_end(__u8 level, __u8 desc)
{
	return level != AS_ALERT_WARNING || desc == AS_ALERT_CLOSE_NOTIFY ||
	       desc == AS_ALERT_NO_APPLICATION_PROTOCOL;
}

/* Note the header that is complete in h->head. Returns not 0 when another may follow. */
AS_INLINE int as_note_head(struct as_heads *h)
{
	__u32 n = AS_FRESH(h->count);
	__u8 type = h->head[0];

	if (type == AS_REC_CHANGE_CIPHER_SPEC)
		return 1;
	as_barrier(n);
	n &= AS_HEADS_MAX - 1;
	h->type[n] = type;
	h->size[n] = as_be16(h->head + 3);
	AS_FRESH(h->count) = n + 1;
	if (type != AS_REC_ALERT || as_be16(h->head + 3) != AS_ALERT_LEN)
		return 1;
	h->level = h->head[AS_REC_HLEN];
	h->desc = h->head[AS_REC_HLEN + 1];
	h->alert = (__u32)as_is_end(h->level, h->desc);
	return !h->alert;
}

/* Read one header, from slot @t or, if that is 0, the frame @fr. Returns not 0 when another may
 * follow. */
AS_INLINE int as_next_head(AS_ENV *env, const struct as_frame *fr, const struct as_slot *t,
			   struct as_heads *h)
{
	__u8 copy[AS_HEAD_LEN];
	const __u8 *b;

	__u32 at = AS_FRESH(h->at), part = AS_FRESH(h->part), off = AS_FRESH(h->off) + at, n, has;

	if (at >= AS_FRESH(h->len) || part >= AS_HEAD_LEN)
		return 0;
	n = as_min(AS_FRESH(h->len) - at, AS_HEAD_LEN - part) - 1;
	as_barrier(n);
	n &= 7;
	as_barrier(part);
	part &= 7;
	has = part + n + 1;
	if (t) {
		as_barrier(off);
		as_move(h->head + part, t->at + (off & (AS_STREAM_MAX - 1)), n + 1);
	} else if (n + 1 == AS_HEAD_LEN) { /* nearly always; a copy of variable size takes longer */
		b = as_view(fr, off, AS_HEAD_LEN, copy);
		if (!b)
			return 0;
		AS_MEMCPY(h->head, b, AS_HEAD_LEN);
	} else if (as_load(env, off, h->head + part, n + 1)) {
		return 0;
	}
	if (has < AS_REC_HLEN || (has < AS_HEAD_LEN && h->head[0] == AS_REC_ALERT &&
				  as_be16(h->head + 3) == AS_ALERT_LEN)) {
		AS_FRESH(h->part) = has;
		AS_FRESH(h->at) = at + n + 1;
		return 0;
	}
	if (!as_is_head(h->head)) {
		h->broken = 1;
		return 0;
	}
	AS_FRESH(h->part) = 0;
	AS_FRESH(h->at) = at + AS_REC_HLEN + as_be16(h->head + 3) - part;
	return as_note_head(h);
}

/* Read the headers that h->place, had, head, off and len tell of. */
AS_INLINE void as_walk_heads(AS_ENV *env, const struct as_frame *fr, const struct as_slot *t,
			     struct as_heads *h)
{
	AS_FRESH(h->part) = h->had;
	AS_FRESH(h->at) = 0;
	AS_FRESH(h->count) = 0;
	h->broken = 0;
	h->alert = 0;
	for (__u32 i = 0; i < AS_HEADS_MAX; i++)
		if (!as_next_head(env, fr, t, h))
			break;
}

#endif
