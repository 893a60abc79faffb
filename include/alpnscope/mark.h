/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mark.h - what gates and blocks (flow.h) are told: what is in progress, and which clients' first
 * segments are awaited.
 */
#ifndef ALPNSCOPE_MARK_H
#define ALPNSCOPE_MARK_H

#include "record.h"
#include "stream.h"

/* as_gate.mark: the upper bits of the tuple's hash, and below them how many segments may
 * still move `next` on, which end sends, and that there is a mark at all. */
#define AS_MARK_TUPLE (~(__u32)(AS_GATES - 1))
#define AS_MARK_LEFT (15U << 2)
#define AS_MARK_ONE (1U << 2)
#define AS_MARK_LO 2U
#define AS_MARK_SET 1U
#define AS_SEVERAL_MARKS (AS_BLOCK_PART + 1) /* as_block.marked: not only one, as_only_mark() */

/* The target's, see port.h. */
AS_INLINE struct as_gate *as_gate(AS_ENV *env, __u32 hash);
AS_INLINE struct as_block *as_block(AS_ENV *env, __u32 hash);

/* What goes before it in the program is read or written before what follows: the compiler keeps to
 * it, and x86 then does. */
AS_INLINE void as_order(void)
{
	__asm__ volatile("" ::: "memory");
}

/* One thing more is in progress behind a gate: @of, its count or slots. The block is raised first,
 * for it is read first. */
AS_INLINE void as_raise(AS_ENV *env, __u32 hash, __s32 *of)
{
	as_add(&as_block(env, hash)->busy, 1);
	as_add(of, 1);
}

/* One thing less. */
AS_INLINE void as_lower(AS_ENV *env, __u32 hash, __s32 *of)
{
	as_add(of, -1);
	as_add(&as_block(env, hash)->busy, -1);
}

/* The byte of a block that tells of marks at this gate and those that share it. */
AS_INLINE __u8 *as_marked(AS_ENV *env, __u32 hash)
{
	return as_block(env, hash)->marked + hash / AS_BLOCK_PART % (AS_BLOCK / AS_BLOCK_PART);
}

/* What that byte is when of those gates this one alone has a mark. */
AS_INLINE __u8 as_only_mark(__u32 hash)
{
	return 1 + hash % AS_BLOCK_PART;
}

/* Has any of those gates a mark? */
AS_INLINE int as_any_mark(AS_ENV *env, __u32 hash)
{
	const struct as_gate *g = as_gate(env, hash & ~(__u32)(AS_BLOCK_PART - 1));

	for (__u32 i = 0; i < AS_BLOCK_PART; i++)
		if (g[i].mark)
			return 1;
	return 0;
}

/* The sender of this tuple that @mark names sends @next next. */
AS_INLINE void as_mark(AS_ENV *env, __u32 hash, __u32 mark, __u32 next)
{
	struct as_gate *g = as_gate(env, hash);
	__u8 *marked = as_marked(env, hash), only = as_only_mark(hash);

	g->mark = mark;
	g->next = next;
	as_order();
	*marked = !*marked || *marked == only ? only : AS_SEVERAL_MARKS;
}

/* Take this tuple's mark away: its hello is being collected, or was read. The other gates are
 * looked at only where they must be: that is a cache miss. */
AS_INLINE void as_unmark(AS_ENV *env, __u32 hash)
{
	struct as_gate *g = as_gate(env, hash);
	__u8 *marked = as_marked(env, hash);

	if ((g->mark ^ hash) & AS_MARK_TUPLE)
		return;
	g->mark = 0;
	if (*marked == as_only_mark(hash) || !as_any_mark(env, hash))
		*marked = 0;
}

/* Is the packet ahead of what its sender, a client whose SYN was seen, sends next? Then its
 * hello may be among what is missing. Watched for a client's first 15 segments, for a hello
 * may follow a STARTTLS command or a PROXY header. CPUs may overwrite each other's mark, and
 * tuples that share a place: then the packet is not taken to be early. */
AS_INLINE int as_is_early(AS_ENV *env, __u32 hash, const struct as_packet *p, __u32 begin)
{
	struct as_gate *g = as_gate(env, hash);
	__u32 mark = (hash & AS_MARK_TUPLE) | (p->from_lo ? AS_MARK_LO : 0) | AS_MARK_SET;
	__u32 is, ahead;

	if ((p->flags & (AS_TCP_SYN | AS_TCP_ACK)) == AS_TCP_SYN)
		as_mark(env, hash, mark | AS_MARK_LEFT, p->seq);
	is = AS_FRESH(g->mark); /* before what is raised ahead of taking it away */
	if ((is & ~AS_MARK_LEFT) != mark || !p->payload_len)
		return 0;
	ahead = p->seq - g->next;
	if (ahead)
		return ahead < AS_STREAM_MAX;
	if (begin == AS_BEGIN_CLIENT_HELLO || begin == AS_BEGIN_PREFIX)
		return 0; /* as_slot_take() or as_open() ends it */
	if (!(is & AS_MARK_LEFT)) {
		as_unmark(env, hash);
	} else {
		g->mark = is - AS_MARK_ONE;
		g->next = p->seq + p->payload_len;
	}
	return 0;
}

/* Is it the end of a connection whose first segments are watched for, a client's without a hello or
 * one that was refused? Nothing of it can be early then. */
AS_INLINE void as_on_end(AS_ENV *env, __u32 hash, const struct as_packet *p)
{
	const struct as_gate *g = as_gate(env, hash);
	__u32 mine = !(g->mark & AS_MARK_LO) == !p->from_lo;

	if ((mine ? p->seq + p->payload_len : p->ack) == g->next)
		as_unmark(env, hash);
}

#endif
