/* SPDX-License-Identifier: GPL-2.0-only */
/* server.h - what ends a handshake: ServerHello, alert, RST, FIN. */
#ifndef ALPNSCOPE_SERVER_H
#define ALPNSCOPE_SERVER_H

#include "track.h"

/* Parse the ServerHello into scratch.answer; 0, or negative when it cannot be read. */
AS_STAGE int as_read_server_hello(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_answer *a;
	int err;

	if (!s)
		return -1;
	a = &s->answer;
	if (!s->flat && (as_whole(s) || as_take_whole(env, s))) {
		as_count(env, AS_ERR_SERVER_HELLO_SPLIT);
		return -1;
	}
	AS_MEMSET(a, 0, __builtin_offsetof(struct as_answer, selected));
	AS_MEMSET(&a->owner, 0, sizeof(a->owner));
	err = as_server_hello(&s->bytes, &s->hello, a);
	if (err) {
		as_count(env, (__u32)err);
		return -1;
	}
	as_owner(env, &a->owner);
	return 0;
}

/* Write the answer into a record, its names behind those of the offer. */
AS_INLINE void as_set_answer(struct as_handshake *hs, const struct as_answer *a, __u64 now)
{
	__u32 at = (__u32)hs->sni_len + hs->alpn_len;

	hs->server_ns = now;
	hs->server_version = a->version;
	hs->cipher = a->cipher;
	hs->group = a->group;
	hs->server_ext = a->ext;
	hs->flags |= a->flags | AS_F_SERVER_HELLO;
	AS_MEMCPY(hs->server_random, a->random, AS_RANDOM_LEN);
	hs->server = a->owner;
	hs->selected_len = a->selected_len;
	as_barrier(at);
	if (at <= AS_NAMES_MAX - AS_ALPN_MAX)
		as_copy(hs->names + at, a->selected, AS_ALPN_MAX);
}

/* The client's session id came back, and it is not empty. */
AS_INLINE int as_session_echoed(const __u8 *client, const __u8 *server)
{
	return as_random_equal(client, server) &&
	       (as_random8(client) | as_random8(client + 8) | as_random8(client + 16) |
		as_random8(client + 24));
}

/* Move on what comes next of one side, if no hole is before what was seen. Under the flow's lock. */
AS_INLINE void as_advance(const struct as_scratch *s, struct as_flow *f, int client)
{
	__u32 *next = client ? &f->client_next : &f->server_next;

	if (as_in_window(s->seen_from, *next) && as_in_window(*next, s->seen_end))
		*next = s->seen_end;
}

/* The server's records begin behind its hello. Under the flow's lock. */
AS_INLINE void as_begin_flight(struct as_flow *f, const struct as_scratch *s, __u64 now)
{
	struct as_side *side = &f->server_side;

	f->due = now + AS_RECORDS_NS;
	side->on = 1;
	side->place = s->hello_end;
	if (!f->server_seq_known || !as_in_window(side->place, side->ahead))
		side->ahead = side->place;
}

/* The answer of a flow. Returns enum as_end, 0 while the handshake goes on. */
AS_INLINE __u32 as_on_server_hello(AS_ENV *env, struct as_scratch *s, __u32 hook, struct as_flow *f)
{
	const struct as_answer *a = &s->answer;
	__u64 now = as_now(env, s);
	int goes_on = 0;

	if (as_read_server_hello(env, hook)) {
		s->end_flags = AS_F_SERVER_UNREADABLE;
		return AS_END_SERVER_HELLO;
	}
	as_lock(&f->lock);
	if (as_is_open(f, &s->pkt.key)) {
		as_advance(s, f, 0);
		if (a->retry) {
			f->rec.flags |= AS_F_RETRY;
		} else if (!(f->rec.flags & AS_F_SERVER_HELLO)) {
			as_set_answer(&f->rec, a, now);
			f->rec.flags |= s->hello_flags;
			if (as_session_echoed(f->session_id, s->hello.session_id))
				f->rec.flags |= AS_F_SESSION_ID_ECHOED;
			goes_on = as_is_followed(&f->rec);
			if (goes_on)
				as_begin_flight(f, s, now);
		}
	}
	as_unlock(&f->lock);
	if (goes_on)
		as_redue(env, f);
	return a->retry || goes_on ? 0 : AS_END_SERVER_HELLO;
}

/* A ServerHello whose ClientHello was not seen: a record in a ledger of its own. */
AS_INLINE void as_orphan(AS_ENV *env, struct as_scratch *s, __u32 hook)
{
	struct as_gate *gate = as_gate(env, s->hash);
	struct as_handshake *hs = &s->flow.rec;
	int err = as_read_server_hello(env, hook);

	if (!err && gate->server == as_identity(s->answer.random, s->hash))
		return; /* of a handshake that was reported */
	if (!err && s->answer.retry)
		return; /* the hello that follows begins a flow */
	as_count(env, AS_ORPHANS);
	if (err) {
		as_count(env, AS_ORPHAN_LOST_UNREADABLE);
		return;
	}
	AS_MEMSET(hs, 0, __builtin_offsetof(struct as_handshake, names));
	hs->abi = AS_ABI;
	hs->kind = AS_KIND_ORPHAN;
	hs->end = AS_END_SERVER_HELLO;
	hs->ifindex = as_ifindex(env);
	hs->end_ns = as_now(env, s);
	hs->hello_ns = s->hello_ns ? s->hello_ns : hs->end_ns;
	as_set_ends(hs, &s->pkt, 0);
	as_set_answer(hs, &s->answer, hs->end_ns);
	hs->flags |= s->hello_flags | (s->pkt.tunnel ? AS_F_TUNNEL : 0);
	gate->server = as_identity(s->answer.random, s->hash);
	as_submit(env, hs, AS_ORPHAN_RECORDS, AS_ORPHAN_LOST_RING_FULL);
}

/* An alert that ends the handshake. Returns enum as_end. */
AS_INLINE __u32 as_on_alert(AS_ENV *env, struct as_scratch *s, struct as_flow *f, int client)
{
	struct as_owner *owner = &s->answer.owner;

	AS_MEMSET(owner, 0, sizeof(*owner));
	as_owner(env, owner);
	as_lock(&f->lock);
	if (as_is_open(f, &s->pkt.key)) {
		f->rec.alert_level = s->rec.level;
		f->rec.alert_desc = s->rec.desc;
		if (!client)
			f->rec.server = *owner;
	}
	as_unlock(&f->lock);
	return AS_END_ALERT;
}

/* RST and FIN. Returns enum as_end, 0 while the handshake goes on. */
AS_INLINE __u32 as_on_flags(const struct as_scratch *s, struct as_flow *f, int client)
{
	if (s->pkt.flags & AS_TCP_RST)
		return AS_END_RST;
	if (!(s->pkt.flags & AS_TCP_FIN))
		return 0;
	/* Behind a hole it decides nothing: the answer may be in what is missing. */
	if (!client)
		return !f->server_seq_known || f->server_next == s->pkt.seq + s->pkt.payload_len
			       ? AS_END_FIN
			       : 0;
	/* Half closed: the server may still answer. */
	as_lock(&f->lock);
	if (as_is_open(f, &s->pkt.key))
		f->rec.flags |= AS_F_CLIENT_FIN;
	as_unlock(&f->lock);
	return 0;
}

#endif
