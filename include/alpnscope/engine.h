/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * engine.h - a packet's way to a record: the gate, then the flow it belongs to.
 *
 * docs/DESIGN.md tells the algorithm; port.h lists what a target provides.
 */
#ifndef ALPNSCOPE_ENGINE_H
#define ALPNSCOPE_ENGINE_H

#include "client.h"
#include "server.h"
#include "track.h"

/* RFC 8446 section 6: in TLS 1.3 every error alert ends the connection; before it, a
 * warning (unrecognized_name, say) may come ahead of the ServerHello. */
AS_INLINE int as_alert_ends(const struct as_record *r)
{
	return r->level != AS_ALERT_WARNING || r->desc == AS_ALERT_CLOSE_NOTIFY ||
	       r->desc == AS_ALERT_NO_APPLICATION_PROTOCOL;
}

/* May a hello follow the record in the same segment? A warning alert comes ahead of a
 * ServerHello, and in middlebox compatibility mode (RFC 8446 appendix D.4) a
 * ChangeCipherSpec ahead of the second ClientHello. */
AS_INLINE int as_is_prelude(const struct as_record *r)
{
	return r->begin == AS_BEGIN_CHANGE_CIPHER_SPEC || r->begin == AS_BEGIN_EMPTY ||
	       (r->begin == AS_BEGIN_ALERT && !as_alert_ends(r));
}

#define AS_PRELUDE_MAX 4
#define AS_RST_WINDOW 0x10000 /* an RST without ACK stands where the next byte would */

/* Step over such records to the one behind them. */
AS_INLINE void as_skip_prelude(AS_ENV *env, struct as_scratch *s)
{
	__u32 end = s->pkt.payload + s->pkt.avail;
	struct as_frame frame;

	as_frame(env, &frame);
	for (__u32 i = 0; i < AS_PRELUDE_MAX && as_is_prelude(&s->rec); i++) {
		__u32 off = AS_FRESH(s->rec.off) + AS_REC_HLEN + AS_FRESH(s->rec.len);

		s->rec.begin = AS_BEGIN_OTHER;
		if (off < end)
			as_record_at(&frame, off, end - off, &s->rec);
	}
}

/* Is the segment where this handshake's next bytes can be? A blind RST, FIN, alert or
 * ServerHello must not decide. */
AS_INLINE int as_plausible(const struct as_flow *f, const struct as_packet *p, int client)
{
	__u32 mine = client ? f->rec.client_seq : f->server_seq;
	__u32 theirs = client ? f->server_seq : f->rec.client_seq;

	/* RFC 9293 section 3.10.7.4: without ACK only an RST counts, and only at its place. */
	if (!(p->flags & AS_TCP_ACK))
		return (p->flags & AS_TCP_RST) && f->server_seq_known &&
		       p->seq - mine < AS_RST_WINDOW;
	if (!f->server_seq_known) /* the one number that is known is the client's */
		return as_in_window(f->rec.client_seq, client ? p->seq : p->ack);
	return as_in_window(mine, p->seq) && as_in_window(theirs, p->ack);
}

/* SYN and ACK of another number: the server took a new connection on the tuple. A SYN alone
 * proves nothing: on a connection that lives it is answered with a challenge ACK (RFC 5961). */
AS_INLINE void as_on_accept(const struct as_scratch *s, struct as_flow *f, int client)
{
	if (client || !(s->pkt.flags & AS_TCP_ACK))
		return;
	as_lock(f);
	if (as_is_open(f, &s->pkt.key) && !as_in_window(s->pkt.ack, f->rec.client_seq)) {
		f->next_seq = s->pkt.ack;
		f->next_known = 1;
	}
	as_unlock(f);
}

/* How far the server's bytes were seen without a hole. */
AS_INLINE void as_on_bytes(const struct as_scratch *s, struct as_flow *f)
{
	__u32 end = s->pkt.seq + s->pkt.payload_len;

	as_lock(f);
	if (as_is_open(f, &s->pkt.key) && as_in_window(s->pkt.seq, f->server_next) &&
	    as_in_window(f->server_next, end))
		f->server_next = end;
	as_unlock(f);
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
	s->end_flags = client ? AS_F_END_CLIENT : 0;
	if (!client)
		as_on_bytes(s, f);
	if (s->rec.begin == AS_BEGIN_SERVER_HELLO && !client)
		return as_on_server_hello(env, s, hook, f);
	if (s->rec.begin == AS_BEGIN_PREFIX && !client) {
		as_count(env, AS_ERR_SERVER_HELLO_SPLIT);
		s->end_flags = AS_F_SERVER_UNREADABLE;
		return AS_END_SERVER_HELLO;
	}
	if (s->rec.begin == AS_BEGIN_ALERT && as_alert_ends(&s->rec))
		end = as_on_alert(env, s, f, client);
	return end ? end : as_on_flags(s, f, client);
}

/* A packet that passed the gate; it is in scratch. Returns 0. */
AS_STAGE int as_on_gated(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	int hello, relation = AS_NEW, err;
	struct as_flow *f;
	__u32 end = 0;

	if (!s)
		return 0;
	f = as_flow_find(env, &s->pkt.key);
	s->end_flags = 0;
	if (f || s->rec.begin == AS_BEGIN_EMPTY)
		as_skip_prelude(env, s);
	hello = s->rec.begin == AS_BEGIN_CLIENT_HELLO;
	if (hello) {
		as_count(env, AS_HELLOS);
		err = as_read_random(env, s);
		if (err) {
			as_count(env, (__u32)err);
			return 0;
		}
		if (f)
			relation = as_relate(s, f);
	}
	if (f && hello && relation == AS_NEW)
		end = AS_END_REUSED;
	else if (f && !hello)
		end = as_on_flow(env, s, hook, f);
	if (f && end)
		as_close(env, f, &s->pkt.key, s->hash, end, s->end_flags, 0);
	if (hello)
		as_on_client_hello(env, s, hook, end ? 0 : f, relation);
	else if (!f && s->rec.begin == AS_BEGIN_SERVER_HELLO)
		as_orphan(env, s, hook);
	else if (!f && s->rec.begin == AS_BEGIN_PREFIX)
		as_count(env, AS_ERR_HELLO_PREFIX);
	return 0;
}

/* May a payload that begins so be news on a tuple without a flow? */
AS_INLINE int as_may_open(__u32 begin)
{
	return begin == AS_BEGIN_CLIENT_HELLO || begin == AS_BEGIN_SERVER_HELLO ||
	       begin == AS_BEGIN_EMPTY || begin == AS_BEGIN_PREFIX;
}

/* One TCP segment. Nearly all of them leave here, for the price of a hash and one load. */
AS_INLINE void as_on_packet(AS_ENV *env, const struct as_frame *fr, const struct as_packet *p,
			    __u32 hook)
{
	struct as_record rec = {};
	struct as_scratch *s;
	__s32 *gate;
	__u32 hash;

	if (p->avail)
		as_record_at(fr, p->payload, p->avail, &rec);
	else if (!(p->flags & (AS_TCP_SYN | AS_TCP_RST | AS_TCP_FIN)))
		return;
	hash = as_tuple_hash(&p->key, as_seed(env));
	gate = as_gate(env, hash);
	if (!gate || (!*gate && !as_may_open(rec.begin)))
		return;
	s = as_scratch(env, hook);
	if (!s)
		return;
	s->pkt = *p;
	s->rec = rec;
	s->hash = hash;
	as_on_gated(env, hook);
}

/* A frame that is not plain: walk to its innermost TCP segment, into scratch. Returns enum
 * as_parsed. Its frame on the stack is gone before a segment is looked at. */
AS_STAGE int as_on_tunnel(AS_ENV *env, __u32 hook, __u32 ethertype, __u32 off)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_frame frame;
	int parsed;

	if (!s)
		return AS_NOT_TCP;
	as_frame(env, &frame);
	parsed = as_walk(&frame, &s->walk, ethertype, off, &s->pkt);
	if (parsed == AS_TUNNEL)
		as_count(env, AS_ERR_TOO_MANY_HEADERS);
	return parsed;
}

/**
 * as_on_frame - take one frame: the engine's entrance.
 * @p: what an as_parse*() made of it; changed when that was AS_TUNNEL
 * @parsed: what the as_parse*() returned
 * @hook: enum as_hook, which scratch memory is ours
 */
AS_INLINE void as_on_frame(AS_ENV *env, const struct as_frame *fr, struct as_packet *p, int parsed,
			   __u32 hook)
{
	if (parsed == AS_NOT_TCP)
		return;
	if (parsed == AS_TUNNEL) {
		struct as_scratch *s = as_scratch(env, hook);

		if (!s)
			return;
		parsed = as_on_tunnel(env, hook, p->ethertype, p->payload);
		*p = s->pkt;
	}
	if (parsed == AS_PARSED)
		as_on_packet(env, fr, p, hook);
	else if (parsed == AS_FRAGMENT)
		as_count(env, AS_ERR_IP_FRAGMENT);
}

/* Was the flow closed long ago? Its delete failed then: on some kernels the table's bucket
 * can be busy. Nobody holds a flow for a second between close and delete. */
AS_INLINE int as_is_dead(AS_ENV *env, struct as_flow *f, const struct as_due *due)
{
	__u64 now = as_time(env);
	int dead;

	as_lock(f);
	dead = f->state == AS_CLOSED && as_tuple_equal(&f->key, &due->key) && f->due == due->due &&
	       now - f->rec.end_ns > AS_DEAD_NS;
	as_unlock(f);
	return dead;
}

/** as_expire - end the flow that @due names, if it is still that one. */
AS_INLINE void as_expire(AS_ENV *env, const struct as_due *due, __u32 end)
{
	struct as_flow *f = as_flow_find(env, &due->key);

	if (f && as_is_dead(env, f, due))
		as_flow_del(env, &due->key); /* as_close() did all the rest */
	else if (f)
		as_close(env, f, &due->key, as_tuple_hash(&due->key, as_seed(env)), end, 0,
			 due->due);
}

#endif
