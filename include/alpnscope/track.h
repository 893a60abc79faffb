/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * track.h - what following a handshake takes: working memory, the target's functions,
 * who is who in a packet, and the one way a flow ends.
 */
#ifndef ALPNSCOPE_TRACK_H
#define ALPNSCOPE_TRACK_H

#include "counters.h"
#include "flow.h"
#include "gate.h"
#include "handshake.h"
#include "heads.h"
#include "hello.h"
#include "packet.h"
#include "record.h"
#include "stream.h"
#include "tunnel.h"

#define AS_DEAD_NS 1000000000ULL
#define AS_WINDOW 0x100000 /* 1 MiB: how far a sequence number may be off */

enum as_hook { AS_INGRESS, AS_EGRESS, AS_HOOKS };

/**
 * struct as_scratch - working memory of one hook on one CPU: a packet that passed the
 * gate, and what is made of it.
 * @cursor, @walk: see as_flatten() and tunnel.h
 * @rec: the record at hand
 * @heads: the record headers in the packet at hand
 * @random: of the ClientHello at hand, if random_known; see as_v2_random() for its size
 * @end_flags: AS_F_* that go with the end of a flow
 * @flat: `bytes` hold the hello at hand already, from a slot
 * @hello_seq, @hello_end: sequence numbers of its first byte, and behind the record in
 *                         which it ends
 * @hello_flags: AS_F_* that it brings along
 * @hello_ns: when its first segment came
 * @now: as_time() of the packet at hand, 0 before as_now()
 * @gap_known, @gap_seq: where the sender's next bytes are expected, and more can follow
 * @seen_from, @seen_end: sequence numbers of what was seen without a hole, by a slot too
 * @base, @probe: the slot: sequence number of its first byte, place from the hash on
 * @slots: there is a slot with such a hash
 * @in_flow: the packet belongs to a flow
 * @whole: the hello at hand is in this one packet
 * @again: the slot had the packet's first bytes already, of a ClientHello
 * @relation: what the ClientHello at hand is, enum as_relation
 */
struct as_scratch {
	struct as_packet pkt;
	struct as_cursor cursor;
	struct as_record rec;
	__u32 hash;
	__u32 end_flags;
	__u32 random_known;
	__u32 flat;
	__u32 hello_seq;
	__u32 hello_end;
	__u32 hello_flags;
	__u32 gap_known;
	__u32 gap_seq;
	__u32 seen_from;
	__u32 seen_end;
	__u32 base;
	__u32 probe;
	__u32 slots;
	__u32 in_flow;
	__u32 whole;
	__u32 relation;
	__u32 again;
	__u64 hello_ns;
	__u64 now;
	__u8 random[2 * AS_RANDOM_LEN];
	struct as_heads heads;
	struct as_walk walk;
	struct as_flow flow;
	struct as_answer answer;
	struct as_hello hello;
	struct as_bytes bytes;
};

/* The target's, see port.h. */
AS_INLINE void as_frame(AS_ENV *env, struct as_frame *frame);
AS_INLINE __u64 as_time(AS_ENV *env);
AS_INLINE __u32 as_ifindex(AS_ENV *env);
AS_INLINE void as_count(AS_ENV *env, __u32 counter);
AS_INLINE struct as_gate *as_gate(AS_ENV *env, __u32 hash);
AS_INLINE struct as_slot *as_slot(AS_ENV *env, __u32 number);
AS_INLINE void as_stir(AS_ENV *env);
AS_INLINE void as_redue(AS_ENV *env, struct as_flow *f);
AS_INLINE int as_pressed(AS_ENV *env);
AS_INLINE struct as_scratch *as_scratch(AS_ENV *env, __u32 hook);
AS_INLINE struct as_flow *as_flow_find(AS_ENV *env, const struct as_tuple *key);
AS_INLINE int as_flow_add(AS_ENV *env, const struct as_tuple *key, const struct as_flow *flow);
AS_INLINE void as_flow_del(AS_ENV *env, const struct as_tuple *key);
AS_INLINE void as_lock(AS_LOCK *lock);
AS_INLINE void as_unlock(AS_LOCK *lock);
AS_INLINE int as_emit(AS_ENV *env, const struct as_handshake *hs, __u32 size);
AS_INLINE void as_owner(AS_ENV *env, struct as_owner *owner);

/* The time of the packet at hand: the clock is read once for each, for that takes long. */
AS_INLINE __u64 as_now(AS_ENV *env, struct as_scratch *s)
{
	if (!s->now)
		s->now = as_time(env);
	return s->now;
}

/* Is b at most AS_WINDOW after a, on the circle of sequence numbers? */
AS_INLINE int as_in_window(__u32 a, __u32 b)
{
	return b - a < AS_WINDOW;
}

AS_INLINE __u64 as_random8(const __u8 *random)
{
	__u64 v;

	AS_MEMCPY(&v, random, 8);
	return v;
}

/* What a gate keeps of a random: never 0, which is an empty place. Of all its bytes, and with the
 * tuple's hash in it: there are clients whose randoms all begin with the same bytes, or differ in a
 * few bits. Odd numbers, so that no bit is lost by them. */
AS_INLINE __u64 as_identity(const __u8 *random, __u32 hash)
{
	return (as_random8(random) * 0x9e3779b97f4a7c15ULL +
		as_random8(random + 8) * 0xbf58476d1ce4e5b9ULL +
		as_random8(random + 16) * 0x94d049bb133111ebULL +
		as_random8(random + 24) * 0xd6e8feb86659fd93ULL + hash * 0x2545f4914f6cdd1dULL) |
	       1;
}

AS_INLINE int as_random_equal(const __u8 *a, const __u8 *b)
{
	return as_random8(a) == as_random8(b) && as_random8(a + 8) == as_random8(b + 8) &&
	       as_random8(a + 16) == as_random8(b + 16) && as_random8(a + 24) == as_random8(b + 24);
}

/* Is the flow still that of the tuple? Only true under its lock. */
AS_INLINE int as_is_open(const struct as_flow *f, const struct as_tuple *key)
{
	return f->state == AS_OPEN && as_tuple_equal(&f->key, key);
}

/* Does the packet come from the flow's client? (both ends may share an address) */
AS_INLINE int as_from_client(const struct as_flow *f, const struct as_packet *p)
{
	__u64 a = as_random8(f->rec.client_addr), b = as_random8(f->rec.client_addr + 8);

	if (p->from_lo)
		return a == p->key.lo_addr[0] && b == p->key.lo_addr[1] &&
		       f->rec.client_port == p->key.lo_port;
	return a == p->key.hi_addr[0] && b == p->key.hi_addr[1] &&
	       f->rec.client_port == p->key.hi_port;
}

/* Fill in the ends; @client_sends says which of them sent the packet. */
AS_INLINE void as_set_ends(struct as_handshake *hs, const struct as_packet *p, int client_sends)
{
	hs->family = (__u8)p->key.family;
	if (client_sends == p->from_lo) {
		AS_MEMCPY(hs->client_addr, p->key.lo_addr, 16);
		AS_MEMCPY(hs->server_addr, p->key.hi_addr, 16);
		hs->client_port = p->key.lo_port;
		hs->server_port = p->key.hi_port;
	} else {
		AS_MEMCPY(hs->client_addr, p->key.hi_addr, 16);
		AS_MEMCPY(hs->server_addr, p->key.lo_addr, 16);
		hs->client_port = p->key.hi_port;
		hs->server_port = p->key.lo_port;
	}
}

/* Hand over a record; @ok and @lost are the counters of how that went. */
AS_INLINE void as_submit(AS_ENV *env, struct as_handshake *hs, __u32 ok, __u32 lost)
{
	__u32 names = (__u32)hs->sni_len + hs->alpn_len + hs->selected_len;
	__u32 size;

	as_barrier(names);
	size = __builtin_offsetof(struct as_handshake, names) + as_min(names, AS_NAMES_MAX);
	hs->size = (__u16)size;
	as_count(env, as_emit(env, hs, size) ? lost : ok);
}

/* Was a header missed? It was if bytes behind it were seen. */
AS_INLINE int as_has_gap(const struct as_side *side, const struct as_flight *flight)
{
	return flight->count < AS_FLIGHT_MAX && as_in_window(side->place, side->ahead - 1);
}

/* The last that is written of a flow's records: under its lock. */
AS_INLINE void as_end_flights(struct as_flow *f)
{
	struct as_handshake *hs = &f->rec;

	if (!as_is_followed(hs)) {
		AS_MEMSET(&hs->client_flight, 0, sizeof(hs->client_flight));
		AS_MEMSET(&hs->server_flight, 0, sizeof(hs->server_flight));
		return;
	}
	if (as_has_gap(&f->client_side, &hs->client_flight) ||
	    as_has_gap(&f->server_side, &hs->server_flight))
		hs->flags |= AS_F_GAP;
	if (hs->end == AS_END_TIMEOUT)
		hs->end = AS_END_QUIET;
}

/**
 * as_close - end a flow and hand over its record: the only place where one dies.
 * @key, @hash: what it was looked up by
 * @end: enum as_end; @end_flags: AS_F_* that go with it
 * @now: as_time()
 * @due: 0, or end it only if it is still the flow that was due then
 */
AS_INLINE void as_close(AS_ENV *env, struct as_flow *f, const struct as_tuple *key, __u32 hash,
			__u32 end, __u32 end_flags, __u64 now, __u64 due)
{
	struct as_gate *gate;
	int mine;

	as_lock(&f->lock);
	mine = as_is_open(f, key) && (!due || f->due == due);
	if (mine) {
		f->state = AS_CLOSED;
		f->rec.end = (__u8)end;
		f->rec.end_ns = now;
		f->rec.flags |= end_flags;
		as_end_flights(f);
	}
	as_unlock(&f->lock);
	if (!mine)
		return;
	/* CLOSED and not yet deleted: nobody else writes to it. */
	as_submit(env, &f->rec, AS_RECORDS, AS_LOST_RING_FULL);
	gate = as_gate(env, hash);
	gate->client = as_identity(f->rec.client_random, hash);
	gate->server = as_identity(f->rec.server_random, hash);
	as_flow_del(env, key);
	as_lower(env, hash, &gate->count);
}

#define AS_SPLIT (-1)

/* Is the whole message in this one record and segment? 0, AS_SPLIT, or the counter of why
 * it can be nowhere. */
AS_INLINE int as_whole(const struct as_scratch *s)
{
	__u32 end = s->rec.off - s->pkt.payload + AS_REC_HLEN + s->rec.message_len;
	int split = s->pkt.avail < s->pkt.payload_len ? AS_LOST_CUT : AS_SPLIT;

	if (s->rec.len < AS_HS_HLEN + 2) /* too little to believe the message's length */
		return split;
	if (s->rec.message_len > AS_HELLO_MAX)
		return AS_LOST_TOO_LONG;
	if (s->rec.message_len > s->rec.len)
		return split;
	return end > s->pkt.avail ? split : 0;
}

/* Copy the whole message of the record at hand out of the frame. */
AS_INLINE int as_take_whole(AS_ENV *env, struct as_scratch *s)
{
	struct as_bytes *b = &s->bytes;

	AS_FRESH(b->len) = s->rec.message_len;
	AS_FRESH(b->from) = 0;
	AS_FRESH(b->to) = s->rec.message_len;
	as_room(b, s->rec.message_len);
	return as_take(env, s->rec.off + AS_REC_HLEN, b);
}

#endif
