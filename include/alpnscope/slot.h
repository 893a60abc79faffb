/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * slot.h - the slots in which hellos are collected: finding, taking and giving one up.
 */
#ifndef ALPNSCOPE_SLOT_H
#define ALPNSCOPE_SLOT_H

#include "track.h"

/* Does it have bytes for the slot from @base on? */
AS_INLINE int as_in_slot(const struct as_scratch *s, __u32 base)
{
	return s->pkt.seq - base < AS_STREAM_MAX || base - s->pkt.seq < s->pkt.avail;
}

/* Is it the slot of the packet's sender, or with @other of its receiver? A place may change
 * hands at any time: what matters is decided under the lock. */
AS_INLINE int as_slot_is(const struct as_slot *t, const struct as_scratch *s, __u32 other)
{
	return t->taken && t->from_lo == (s->pkt.from_lo ^ other) &&
	       as_tuple_equal(&t->key, &s->pkt.key) && (other || as_in_slot(s, t->base));
}

/* Find that slot: 1 + its probe, or 0. */
AS_STAGE int as_slot_find(AS_ENV *env, __u32 hook, __u32 other)
{
	const struct as_scratch *s = as_scratch(env, hook);

	for (__u32 i = 0; s && i < AS_SLOT_PROBES; i++) {
		const struct as_slot *t = as_slot(env, AS_FRESH(s->hash) + i);

		if (t && as_slot_is(t, s, other))
			return (int)i + 1;
	}
	return 0;
}

/* struct as_slot_end - what is left to say of a slot that was freed. */
struct as_slot_end {
	__u32 kind;
	__u32 orphan;
	__u32 begun;
	__u32 cut;
	__u32 hash;
};

/* Count a hello that ends incomplete, by what was seen of it. */
AS_INLINE void as_slot_lost(AS_ENV *env, __u32 kind, __u32 orphan, __u32 begun, __u32 lost)
{
	if (kind == AS_SLOT_CLIENT_HELLO) {
		as_count(env, AS_HELLOS);
		as_count(env, lost);
	} else if (kind == AS_SLOT_SERVER_HELLO) {
		as_count(env, AS_ERR_SERVER_HELLO_SPLIT);
		if (orphan) {
			as_count(env, AS_ORPHANS);
			as_count(env, AS_ORPHAN_LOST_UNREADABLE);
		}
	} else {
		as_count(env, begun ? AS_ERR_HELLO_PREFIX : AS_ERR_GAP);
	}
}

/* Free a slot, under its lock; @end: for as_slot_settle(). */
AS_INLINE void as_slot_clear(struct as_slot *t, struct as_slot_end *end)
{
	t->taken = 0;
	end->kind = t->kind;
	end->orphan = t->orphan;
	end->begun = !t->empty && t->present[0] & 1;
	end->cut = t->cut;
	end->hash = t->hash;
}

/* The slot was freed, and its hello is lost for the reason @lost, or is not if that is 0. */
AS_INLINE void as_slot_settle(AS_ENV *env, const struct as_slot_end *end, __u32 lost)
{
	as_lower(env, end->hash, &as_gate(env, end->hash)->slots);
	if (lost == AS_LOST_UNFINISHED && end->cut)
		lost = AS_LOST_CUT;
	if (lost)
		as_slot_lost(env, end->kind, end->orphan, end->begun, lost);
}

/**
 * as_slot_free - give a slot up.
 * @key, @base: whose it must be, else nothing is done
 * @lost: counter of a ClientHello that is lost by it; 0 when nothing is
 * Returns not 0 when it was this call that did it.
 */
AS_INLINE int as_slot_free(AS_ENV *env, struct as_slot *t, const struct as_tuple *key, __u32 base,
			   __u32 lost)
{
	struct as_slot_end end = {};
	int mine;

	as_lock(&t->lock);
	mine = t->taken && t->base == base && as_tuple_equal(&t->key, key);
	if (mine)
		as_slot_clear(t, &end);
	as_unlock(&t->lock);
	if (mine)
		as_slot_settle(env, &end, lost);
	return mine;
}

/** as_slot_give_up - as as_slot_free(), whose ever it is, if it was taken @age ns ago or before. */
AS_INLINE int as_slot_give_up(AS_ENV *env, struct as_slot *t, __u64 age, __u32 lost)
{
	__u64 now = as_time(env);
	struct as_slot_end end = {};
	int mine;

	as_lock(&t->lock);
	mine = t->taken && now - t->since >= age;
	if (mine)
		as_slot_clear(t, &end);
	as_unlock(&t->lock);
	if (mine)
		as_slot_settle(env, &end, lost);
	return mine;
}

/* Take the slot from s->base on, if it is free: 1; 2 when it is this direction's, for another
 * CPU was faster; else 0. */
AS_INLINE int as_slot_try(AS_ENV *env, const struct as_scratch *s, struct as_slot *t)
{
	__u64 now = as_time(env);
	int is = 0;

	as_lock(&t->lock);
	if (!t->taken) {
		is = 1;
		t->key = s->pkt.key;
		t->from_lo = s->pkt.from_lo;
		t->hash = s->hash;
		t->base = s->base;
		t->have = 0;
		t->flags = 0;
		t->kind = AS_SLOT_UNKNOWN;
		t->orphan = !s->in_flow;
		t->cut = 0;
		t->since = now;
		t->empty = 1;
		as_order(); /* as_slot_find() looks without the lock */
		t->taken = 1;
	} else if (as_slot_is(t, s, 0)) {
		is = 2;
	}
	as_unlock(&t->lock);
	return is;
}

/* Which hellos as_sweep() gives up. */
enum as_sweep_of {
	AS_SWEEP_DUE, /* what will never be complete */
	AS_SWEEP_ALL, /* any: it is the end */
	AS_SWEEP_OLD, /* what another hello may have the place of */
};

/**
 * as_sweep - give up the hello that slot @number collects, if it is one of @which.
 * Returns not 0 when it goes on.
 */
AS_STAGE int as_sweep(AS_ENV *env, __u32 number, int which)
{
	struct as_slot *t = as_slot(env, number);

	if (!t || !t->taken)
		return 0;
	if (which == AS_SWEEP_OLD)
		return !as_slot_give_up(env, t, AS_SLOT_OLD_NS, AS_LOST_REASSEMBLY_FULL);
	return !as_slot_give_up(env, t, which == AS_SWEEP_ALL ? 0 : AS_SLOT_NS, AS_LOST_UNFINISHED);
}

/* Try the place of round @i; in a second round, also one whose hello has been incomplete for long.
 * Returns as as_slot_try(). A stage, so that a round of the loop has one way through: before Linux
 * 6.x the verifier keeps no states in rounds of less than 100 instructions, and walks 16 of them in
 * all combinations. */
AS_STAGE int as_slot_probe(AS_ENV *env, __u32 hook, __u32 i)
{
	struct as_scratch *s = as_scratch(env, hook);
	__u32 number = s ? s->hash + i % AS_SLOT_PROBES : 0;
	struct as_slot *t = as_slot(env, number);

	if (!s || !t)
		return 0;
	if (i >= AS_SLOT_PROBES)
		as_sweep(env, number, AS_SWEEP_OLD);
	return as_slot_try(env, s, t);
}

/* Take a slot for what begins at s->base: 1 + its probe, or 0. */
AS_INLINE __u32 as_slot_take(AS_ENV *env, struct as_scratch *s, __u32 hook)
{
	struct as_gate *gate = as_gate(env, s->hash);
	int is = 0;

	as_raise(env, s->hash, &gate->slots); /* first: more may come by before it is taken */
	for (__u32 i = 0; i < 2 * AS_SLOT_PROBES; i++) {
		is = as_slot_probe(env, hook, i);
		if (is == 1) {
			as_order();
			as_unmark(env, s->hash); /* only now: till then a piece is early */
			as_stir(env);
			return i % AS_SLOT_PROBES + 1;
		}
		if (is == 2) { /* if it is free again by now, its hello was read: see as_merge() */
			as_lower(env, s->hash, &gate->slots);
			return i % AS_SLOT_PROBES + 1;
		}
	}
	as_lower(env, s->hash, &gate->slots);
	return 0;
}

#endif
