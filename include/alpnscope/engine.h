/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * engine.h - a packet's way to a record: the gate, then the flow it belongs to.
 *
 * docs/DESIGN.md tells the algorithm; port.h lists what a target provides.
 */
#ifndef ALPNSCOPE_ENGINE_H
#define ALPNSCOPE_ENGINE_H

#include "assemble.h"
#include "client.h"
#include "gate.h"
#include "mark.h"
#include "server.h"
#include "track.h"

/* SYN and ACK of another number: the server took a new connection on the tuple. A SYN alone
 * proves nothing: on a connection that lives it is answered with a challenge ACK (RFC 5961). */
AS_INLINE void as_on_accept(const struct as_scratch *s, struct as_flow *f, int client)
{
	if (client || !(s->pkt.flags & AS_TCP_ACK))
		return;
	as_lock(&f->lock);
	if (as_is_open(f, &s->pkt.key) && !as_in_window(s->pkt.ack, f->rec.client_seq)) {
		f->next_seq = s->pkt.ack;
		f->next_known = 1;
	}
	if (as_is_open(f, &s->pkt.key) && !f->server_seq_known &&
	    as_in_window(f->rec.client_seq, s->pkt.ack)) { /* the hello came with the SYN */
		f->server_seq = s->pkt.seq;
		f->server_next = s->pkt.seq;
		f->server_seq_known = 1;
		f->server_side.ahead = s->pkt.seq;
	}
	as_unlock(&f->lock);
}

/* Something of the flow that as_advance() shall know, and no hello. */
AS_INLINE void as_on_bytes(const struct as_scratch *s, struct as_flow *f, int client)
{
	as_lock(&f->lock);
	if (as_is_open(f, &s->pkt.key))
		as_advance(s, f, client);
	as_unlock(&f->lock);
}

/* A segment of a handshake in progress, not a ClientHello. Returns enum as_end, 0 while
 * it goes on. */
AS_INLINE __u32 as_on_flow(AS_ENV *env, struct as_scratch *s, __u32 hook, struct as_flow *f)
{
	int client = as_from_client(f, &s->pkt);
	__u32 end = 0;

	if (s->pkt.flags & AS_TCP_SYN) {
		as_on_accept(s, f, client);
		return 0;
	}
	if (!as_plausible(f, &s->pkt, client)) {
		if (s->rec.begin != AS_BEGIN_OTHER || (s->pkt.flags & (AS_TCP_RST | AS_TCP_FIN)))
			as_count(env, AS_ERR_OUT_OF_WINDOW);
		return 0;
	}
	if (as_is_followed(&f->rec)) /* as_follow_flow() sees to it */
		return 0;
	s->end_flags = client ? AS_F_END_CLIENT : 0;
	if (s->rec.begin == AS_BEGIN_SERVER_HELLO && !client)
		return as_on_server_hello(env, s, hook, f);
	as_on_bytes(s, f, client);
	if (s->rec.begin == AS_BEGIN_ALERT && as_alert_ends(&s->rec))
		end = as_on_alert(env, s, f, client);
	return end ? end : as_on_flags(s, f, client);
}

/* Look behind what may come ahead of a hello in its segment. */
AS_INLINE void as_skip_ahead(AS_ENV *env, struct as_scratch *s)
{
	__u32 end = s->pkt.payload + s->pkt.avail;
	struct as_frame frame = {};

	as_frame(env, &frame);
	frame.how = AS_LOADED;
	if (s->rec.begin == AS_BEGIN_PROXY)
		as_skip_proxy(env, &frame, s, 0, s->pkt.payload, end);
	as_skip_prelude(&frame, s, end);
}

/* Where the sender's next bytes are expected, while a hello of his is awaited. */
AS_INLINE void as_set_gap(struct as_scratch *s, const struct as_flow *f)
{
	s->in_flow = !!f;
	if (!f)
		return;
	if (as_from_client(f, &s->pkt)) {
		s->gap_seq = f->client_next;
		s->gap_known = f->rec.flags & AS_F_RETRY;
	} else {
		s->gap_seq = f->server_seq_known ? f->server_next : s->pkt.seq;
		s->gap_known = f->server_seq_known;
	}
}

/* May there be a slot that it has a piece for? To be asked behind as_set_gap(): what another CPU put
 * into a slot moves on where the next bytes are expected, and then nothing but the slot tells that
 * they belong to a hello. */
AS_INLINE void as_set_slots(AS_ENV *env, struct as_scratch *s)
{
	as_order();
	s->slots = as_gate(env, s->hash)->slots > 0;
}

/* Is it one that can belong to the flow? */
AS_INLINE int as_is_due(const struct as_scratch *s, const struct as_flow *f)
{
	return !(s->pkt.flags & AS_TCP_SYN) && as_plausible(f, &s->pkt, as_from_client(f, &s->pkt));
}

/* May it be put together with other packets? */
AS_INLINE int as_may_collect(const struct as_scratch *s, const struct as_flow *f)
{
	if (!s->pkt.avail || (f && s->rec.begin != AS_BEGIN_CLIENT_HELLO && !as_is_due(s, f)))
		return 0;
	return s->slots || s->gap_known || (as_is_start(s) && !s->whole) ||
	       s->rec.begin == AS_BEGIN_PART;
}

/* The hello at hand as it is in this packet. Returns 0, or minus the counter of why it cannot
 * be read here or elsewhere. */
AS_INLINE int as_meet(AS_ENV *env, struct as_scratch *s, struct as_flow *f)
{
	int err;

	s->hello_seq = s->pkt.seq + (s->rec.off - s->pkt.payload);
	s->hello_end = s->hello_seq + AS_REC_HLEN + s->rec.len;
	s->hello_flags = 0;
	s->hello_ns = 0;
	s->random_known = 0;
	s->relation = AS_NEW;
	s->flat = 0;
	s->whole = 0;
	if (s->rec.begin == AS_BEGIN_CLIENT_HELLO) {
		err = as_read_random(env, s);
		if (err)
			return -err;
		s->relation = (__u32)as_know(env, s, f);
	} else if (s->rec.begin != AS_BEGIN_SERVER_HELLO) {
		return 0;
	}
	err = as_whole(s);
	s->whole = !err;
	return err == AS_SPLIT ? 0 : -err;
}

/* A segment of a flow of which only the records are awaited. Returns AS_FOLLOWED. */
AS_INLINE int as_on_followed(AS_ENV *env, struct as_scratch *s, __u32 hook, struct as_flow *f)
{
	int client = as_from_client(f, &s->pkt);

	if (as_plausible(f, &s->pkt, client))
		as_follow_flow(env, s, hook, f, client);
	else if (s->pkt.flags & (AS_TCP_RST | AS_TCP_FIN))
		as_count(env, AS_ERR_OUT_OF_WINDOW);
	return AS_FOLLOWED;
}

/* A packet that passed the gate: what is it to the flow of its tuple? Returns AS_WAIT when it
 * may be a piece of a hello, else another of enum as_got or minus the counter of why its hello is lost. */
AS_STAGE int as_look(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_flow *f;
	int err;

	if (!s)
		return AS_ALONE;
	s->now = 0;
	s->heads.ready = 0;
	s->seen_from = s->pkt.seq;
	s->seen_end = s->pkt.seq + s->pkt.payload_len;
	f = as_flow_find(env, &s->pkt.key);
	if (f || s->rec.begin == AS_BEGIN_EMPTY || s->rec.begin == AS_BEGIN_PROXY)
		as_skip_ahead(env, s);
	as_set_gap(s, f);
	as_set_slots(env, s);
	if (f && as_is_followed(&f->rec) && !f->next_known &&
	    s->rec.begin != AS_BEGIN_CLIENT_HELLO) { /* no hello is awaited */
		s->rec.begin = AS_BEGIN_OTHER;
		return s->pkt.flags & AS_TCP_SYN ? AS_ALONE : as_on_followed(env, s, hook, f);
	}
	err = as_meet(env, s, f);
	if (f && s->random_known && s->relation == AS_NEW && !s->whole) {
		/* Another connection's, in pieces: the old numbers do not hold for them. */
		as_close(env, f, &s->pkt.key, s->hash, AS_END_REUSED, 0, as_now(env, s), 0);
		f = 0;
		s->in_flow = 0;
	}
	if (as_is_piece(env, s, hook) && (!f || as_is_due(s, f)))
		return AS_WAIT;
	if (s->relation == AS_SAME || s->relation == AS_CONFLICT || s->relation == AS_RACE) {
		as_count(env, AS_HELLOS);
		as_on_known_hello(env, s->relation);
		return AS_DONE;
	}
	if (err)
		return err;
	return as_may_collect(s, f) ? AS_WAIT : AS_ALONE;
}

/* A hello that cannot be read, for the reason @lost. Returns enum as_end, 0 when that is no
 * end of @f. */
AS_INLINE __u32 as_on_lost(AS_ENV *env, struct as_scratch *s, const struct as_flow *f, __u32 lost)
{
	if (s->rec.begin == AS_BEGIN_CLIENT_HELLO) {
		as_count(env, AS_HELLOS);
		if (f && s->relation == AS_SECOND) /* the first hello's offer stands */
			as_count(env, AS_REPEAT_RETRY);
		else
			as_lose(env, s, lost);
		return 0;
	}
	if (f && (as_from_client(f, &s->pkt) || !as_is_due(s, f))) { /* nor may this one decide */
		as_count(env, AS_ERR_OUT_OF_WINDOW);
		return 0;
	}
	as_count(env, AS_ERR_SERVER_HELLO_SPLIT);
	if (!f) {
		as_count(env, AS_ORPHANS);
		as_count(env, AS_ORPHAN_LOST_UNREADABLE);
		return 0;
	}
	if (as_is_followed(&f->rec))
		return 0;
	s->end_flags = AS_F_SERVER_UNREADABLE;
	return AS_END_SERVER_HELLO;
}

/* A piece of a hello, of the flow @f. Returns enum as_end, 0 while it goes on. */
AS_INLINE __u32 as_on_piece(struct as_scratch *s, struct as_flow *f, int got)
{
	int client = as_from_client(f, &s->pkt);

	/* A ClientHello may be another connection's. */
	if (as_is_followed(&f->rec) || !as_is_due(s, f))
		return 0;
	s->end_flags = client ? AS_F_END_CLIENT : 0;
	if (got == AS_WAIT)
		as_on_bytes(s, f, client);
	return as_on_flags(s, f, client);
}

/* Are there bytes behind the ClientHello at hand? */
AS_INLINE int as_is_more(const struct as_scratch *s)
{
	return s->heads.ready || s->hello_end != s->pkt.seq + s->pkt.payload_len;
}

/* What follows for the flow of the packet's tuple; @got: as_look() and those after it say.
 * Returns not 0 when the flow goes on and may have more in the packet. */
AS_STAGE int as_settle(AS_ENV *env, __u32 hook, int got)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_flow *f;
	__u32 end = 0;
	int hello;

	if (!s)
		return 0;
	f = s->in_flow ? as_flow_find(env, &s->pkt.key) : 0;
	s->end_flags = 0;
	if (got == AS_ALONE && as_is_hello(s) && !s->whole) /* a part of one that was read before */
		s->rec.begin = AS_BEGIN_OTHER;
	hello = got >= 0 && got != AS_WAIT && got != AS_DROPPED &&
		s->rec.begin == AS_BEGIN_CLIENT_HELLO;
	if (hello) {
		as_count(env, AS_HELLOS);
		s->relation = (__u32)as_know(env, s, f);
		if (f && s->relation == AS_NEW)
			end = AS_END_REUSED;
	} else if (got < 0) {
		end = as_on_lost(env, s, f, (__u32)-got);
	} else if (f) {
		end = got == AS_ALONE || got == AS_MESSAGE ? as_on_flow(env, s, hook, f)
							   : as_on_piece(s, f, got);
	}
	if (f && end)
		as_close(env, f, &s->pkt.key, s->hash, end, s->end_flags, as_now(env, s), 0);
	if (hello)
		as_on_client_hello(env, s, hook, end ? 0 : f, (int)s->relation);
	else if (!f && (got == AS_ALONE || got == AS_MESSAGE) &&
		 s->rec.begin == AS_BEGIN_SERVER_HELLO)
		as_orphan(env, s, hook);
	return hello ? as_is_more(s) : f && !end;
}

/* A packet that passed the gate; it is in scratch. Returns 0. */
AS_STAGE int as_on_gated(AS_ENV *env, __u32 hook)
{
	int got = as_look(env, hook);

	if (got == AS_WAIT)
		got = as_choose_slot(env, hook);
	if (got == AS_WAIT)
		got = as_collect(env, hook);
	if (got == AS_WAIT)
		got = as_merge(env, hook);
	if (got == AS_WAIT)
		got = as_read_slot(env, hook);
	if (got == AS_HELLO)
		got = as_unpack(env, hook);
	if (got != AS_FOLLOWED && (got == AS_DONE || as_settle(env, hook, got)))
		as_follow(env, hook);
	return 0;
}

/* May a payload that begins so be news on a tuple without a flow? */
AS_INLINE int as_may_open(__u32 begin)
{
	return begin == AS_BEGIN_CLIENT_HELLO || begin == AS_BEGIN_SERVER_HELLO ||
	       begin == AS_BEGIN_EMPTY || begin == AS_BEGIN_PREFIX || begin == AS_BEGIN_PROXY;
}

/* One TCP segment, s->pkt. */
AS_INLINE void as_on_packet(AS_ENV *env, const struct as_frame *fr, struct as_scratch *s,
			    __u32 hook)
{
	const struct as_packet *p = &s->pkt;
	struct as_record rec = {};
	struct as_gate *gate;
	__u32 hash, early;

	if (p->avail)
		as_record_at(fr, p->payload, p->avail, &rec);
	else if (!(p->flags & (AS_TCP_SYN | AS_TCP_RST | AS_TCP_FIN)))
		return;
	hash = as_tuple_hash(&p->key, as_seed(env));
	gate = as_gate(env, hash);
	early = (__u32)as_is_early(env, hash, p, rec.begin);
	if (p->flags & (AS_TCP_RST | AS_TCP_FIN))
		as_on_end(env, hash, p);
	as_order(); /* as in as_is_quiet() */
	if (!gate->count && !gate->slots && !early && !as_may_open(rec.begin))
		return;
	s->rec = rec;
	s->hash = hash;
	s->gap_known = early;
	s->gap_seq = gate->next;
	as_on_gated(env, hook);
	if (gate->slots > 0 && (p->flags & (AS_TCP_RST | AS_TCP_FIN))) {
		as_abort(env, hook, 0);
		as_abort(env, hook, 1);
	}
}

/* One header of such a frame, in a stage of its own for the verifier's sake. */
AS_STAGE int as_on_header(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);

	return s ? as_walk_header(env, &s->walk, &s->pkt) : AS_NOT_TCP;
}

/* A frame that is not plain: walk to its innermost TCP segment, into scratch. Returns enum
 * as_parsed. Its frame on the stack is gone before a segment is looked at. */
AS_STAGE int as_on_tunnel(AS_ENV *env, __u32 hook, __u32 ethertype, __u32 off)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_frame frame = {};
	int parsed = AS_MORE;

	if (!s)
		return AS_NOT_TCP;
	as_frame(env, &frame);
	as_walk_begin(&frame, &s->walk, ethertype, off);
	for (__u32 i = 0; i < AS_HEADERS_MAX && parsed == AS_MORE; i++)
		parsed = as_on_header(env, hook);
	if (parsed == AS_MORE)
		as_count(env, AS_ERR_TOO_MANY_HEADERS);
	return parsed == AS_PARSED ? as_walk_end(&frame, &s->walk, &s->pkt) : parsed;
}

/**
 * as_on_frame - take one frame that as_is_idle() did not turn away.
 * @s: pkt is what an as_parse*() made of it
 * @parsed: what the as_parse*() returned
 * @hook: enum as_hook, whose scratch memory @s is
 */
AS_INLINE void as_on_frame(AS_ENV *env, const struct as_frame *fr, struct as_scratch *s, int parsed,
			   __u32 hook)
{
	if (parsed == AS_TUNNEL)
		parsed = as_on_tunnel(env, hook, s->pkt.ethertype, s->pkt.payload);
	if (parsed == AS_PARSED)
		as_on_packet(env, fr, s, hook);
	else if (parsed == AS_FRAGMENT)
		as_count(env, AS_ERR_IP_FRAGMENT);
}

/* Was the flow closed long ago? Its delete failed then: on some kernels the table's bucket
 * can be busy. Nobody holds a flow for a second between close and delete. */
AS_INLINE int as_is_dead(struct as_flow *f, const struct as_due *due, __u64 now)
{
	int dead;

	as_lock(&f->lock);
	dead = f->state == AS_CLOSED && as_tuple_equal(&f->key, &due->key) && f->due == due->due &&
	       now - f->rec.end_ns > AS_DEAD_NS;
	as_unlock(&f->lock);
	return dead;
}

/** as_expire - end the flow that @due names, if it is still that one. */
AS_INLINE void as_expire(AS_ENV *env, const struct as_due *due)
{
	struct as_flow *f = as_flow_find(env, &due->key);
	__u64 now = as_time(env);

	if (f && as_is_dead(f, due, now))
		as_flow_del(env, &due->key); /* as_close() did all the rest */
	else if (f)
		as_close(env, f, &due->key, as_tuple_hash(&due->key, as_seed(env)), due->end,
			 due->end == AS_END_TIMEOUT && due->due > now ? AS_F_PRESSURE : 0, now,
			 due->due);
}

#endif
