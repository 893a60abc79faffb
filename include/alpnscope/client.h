/* SPDX-License-Identifier: GPL-2.0-only */
/* client.h - a ClientHello: is it new, and what becomes of it. */
#ifndef ALPNSCOPE_CLIENT_H
#define ALPNSCOPE_CLIENT_H

#include "assemble.h"

/* What a ClientHello is to the flow of its tuple. */
enum as_relation {
	AS_SAME, /* seen before: retransmitted, or on another hook */
	AS_SECOND, /* the client's second, after a retry */
	AS_CONFLICT, /* another hello at the same place: two tenants with one tuple */
	AS_NEW, /* another connection */
	AS_RACE, /* the flow opens or closes at this moment on another CPU */
};

AS_INLINE int as_relate(const struct as_scratch *s, struct as_flow *f)
{
	const struct as_handshake *hs = &f->rec;
	__u32 seq = s->hello_seq;
	int is = AS_RACE;

	as_lock(&f->lock);
	if (as_tuple_equal(&f->key, &s->pkt.key)) {
		/* AS_INIT too: all 32 bytes are not equal by chance */
		if (as_random_equal(hs->client_random, s->random))
			/* RFC 8446 section 4.1.2: after a retry, the same random again */
			is = (hs->flags & (AS_F_RETRY | AS_F_SERVER_HELLO)) == AS_F_RETRY &&
					     seq != hs->client_seq &&
					     as_in_window(hs->client_seq, seq)
				     ? AS_SECOND
				     : AS_SAME;
		else if (f->state == AS_OPEN)
			is = f->next_known && as_in_window(f->next_seq, seq) ? AS_NEW : AS_CONFLICT;
	}
	as_unlock(&f->lock);
	return is;
}

/* A ClientHello that ends here: count why, and know it when it comes by again. */
AS_INLINE void as_lose(AS_ENV *env, const struct as_scratch *s, __u32 reason)
{
	struct as_gate *gate = as_gate(env, s->hash);

	as_count(env, reason);
	as_unmark(env, s->hash);
	if (s->random_known)
		gate->client = as_identity(s->random, s->hash);
}

/* Read the random of the ClientHello at hand, as far as it is there; 0, or the counter of
 * why it can have none. */
AS_INLINE int as_read_random(AS_ENV *env, struct as_scratch *s)
{
	__u32 at = s->rec.off + AS_REC_HLEN + AS_HS_HLEN + 2;

	s->random_known = 0;
	if (!s->rec.v2_version && !as_is_weak(s) &&
	    s->rec.message_len < AS_HS_HLEN + 2 + AS_RANDOM_LEN) {
		as_count(env, AS_ERR_HELLO_OVERRUN);
		return AS_LOST_MALFORMED;
	}
	if (s->rec.v2_version) {
		s->flat = !as_whole(s) && !as_take_whole(env, s);
		if (s->flat)
			as_flat_random(s);
	} else if (s->rec.len >= AS_HS_HLEN + 2 + AS_RANDOM_LEN &&
		   at + AS_RANDOM_LEN <= s->pkt.payload + s->pkt.avail &&
		   !as_load(env, at, s->random, AS_RANDOM_LEN)) {
		s->random_known = 1;
	}
	return 0;
}

/* What the ClientHello at hand is, as far as its random tells. */
AS_INLINE int as_know(AS_ENV *env, const struct as_scratch *s, struct as_flow *f)
{
	if (!s->random_known)
		return AS_NEW;
	if (f)
		return as_relate(s, f);
	return as_gate(env, s->hash)->client == as_identity(s->random, s->hash) ? AS_SAME : AS_NEW;
}

/* Parse the ClientHello into scratch.flow; 0, or the counter of where it ended. */
AS_STAGE int as_read_client_hello(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_handshake *hs;
	int err;

	if (!s)
		return AS_LOST_RACED;
	hs = &s->flow.rec;
	AS_MEMSET(&s->flow, 0, __builtin_offsetof(struct as_flow, rec.names));
	if (!s->flat && as_take_whole(env, s))
		return AS_LOST_CUT;
	if (s->rec.v2_version) { /* neither extensions nor, here, a session id */
		hs->client_version = s->rec.v2_version;
		AS_MEMCPY(hs->client_random, s->random, AS_RANDOM_LEN);
		AS_MEMSET(s->hello.session_id, 0, AS_SESSION_ID_MAX);
		err = 0;
	} else {
		err = as_client_hello(&s->bytes, &s->hello, hs);
	}
	if (err) {
		as_count(env, (__u32)err);
		return AS_LOST_MALFORMED;
	}
	hs->abi = AS_ABI;
	hs->kind = AS_KIND_HANDSHAKE;
	hs->client_seq = s->hello_seq;
	hs->flags |= s->hello_flags | (s->pkt.tunnel ? AS_F_TUNNEL : 0);
	hs->ifindex = as_ifindex(env);
	as_set_ends(hs, &s->pkt, 1);
	return 0;
}

/* Put scratch.flow into the table. */
AS_INLINE void as_open(AS_ENV *env, struct as_scratch *s)
{
	struct as_flow *n = &s->flow, *f;
	struct as_gate *gate = as_gate(env, s->hash);
	int rc;

	n->key = s->pkt.key;
	n->due = as_now(env, s) + AS_ANSWER_NS;
	n->rec.hello_ns = s->hello_ns ? s->hello_ns : s->now;
	n->rec.client_ack = s->pkt.ack;
	n->server_seq = s->pkt.ack;
	n->server_next = s->pkt.ack;
	n->server_seq_known = s->pkt.flags & AS_TCP_ACK;
	n->client_next = s->hello_end;
	n->client_side.on = 1;
	n->client_side.place = s->hello_end;
	n->client_side.ahead = s->hello_end;
	n->server_side.ahead = s->pkt.ack;
	if (s->pkt.flags & AS_TCP_FIN)
		n->rec.flags |= AS_F_CLIENT_FIN;
	AS_MEMCPY(n->session_id, s->hello.session_id, AS_SESSION_ID_MAX);
	as_owner(env, &n->rec.client);
	as_raise(env, s->hash, &gate->count); /* first: the answer may come by before the insert */
	as_order();
	as_unmark(env, s->hash);
	rc = as_flow_add(env, &n->key, n);
	f = as_flow_find(env, &n->key);
	if (!rc && f) {
		as_lock(&f->lock);
		if (f->state == AS_INIT && as_tuple_equal(&f->key, &n->key))
			f->state = AS_OPEN;
		as_unlock(&f->lock);
		as_stir(env);
		return;
	}
	as_lower(env, s->hash, &gate->count);
	if (rc == -AS_EEXIST && f && as_relate(s, f) == AS_SAME)
		as_count(env, AS_REPEAT_AGAIN); /* another CPU saw it first */
	else
		as_lose(env, s, rc == -AS_E2BIG ? AS_LOST_TABLE_FULL : AS_LOST_RACED);
}

/* The second hello of a retry, parsed with result @err: its offer counts. */
AS_INLINE void as_second_hello(AS_ENV *env, const struct as_scratch *s, struct as_flow *f, int err)
{
	const struct as_handshake *hs = &s->flow.rec;

	as_count(env, AS_REPEAT_RETRY);
	if (err) /* the first hello's offer stands */
		return;
	as_lock(&f->lock);
	if (as_is_open(f, &s->pkt.key)) {
		AS_MEMSET(&f->rec.client_flight, 0, sizeof(f->rec.client_flight));
		AS_MEMSET(&f->client_side, 0, sizeof(f->client_side));
		f->client_side.on = 1;
		f->client_side.place = s->hello_end;
		f->client_side.ahead = s->hello_end;
		f->rec.client_seq = hs->client_seq;
		f->client_next = s->hello_end;
		f->rec.client_ext = hs->client_ext;
		f->rec.flags |= hs->flags | AS_F_HELLO_AGAIN;
		f->rec.sni_len = hs->sni_len;
		f->rec.alpn_len = hs->alpn_len;
		AS_MEMCPY(f->rec.names, hs->names, AS_NAMES_MAX);
	}
	as_unlock(&f->lock);
}

/* A ClientHello that leads to nothing, by its relation to the flow of its tuple. */
AS_INLINE void as_on_known_hello(AS_ENV *env, __u32 relation)
{
	as_count(env, relation == AS_SAME	? AS_REPEAT_AGAIN
		      : relation == AS_CONFLICT ? AS_LOST_TUPLE_CONFLICT
						: AS_LOST_RACED);
}

/* A ClientHello, @relation to the flow @f of its tuple, or without one. */
AS_INLINE void as_on_client_hello(AS_ENV *env, struct as_scratch *s, __u32 hook, struct as_flow *f,
				  int relation)
{
	int err;

	if (relation == AS_SAME || relation == AS_CONFLICT || relation == AS_RACE) {
		as_on_known_hello(env, (__u32)relation);
	} else {
		err = as_read_client_hello(env, hook);
		if (relation == AS_SECOND && f)
			as_second_hello(env, s, f, err);
		else if (err)
			as_lose(env, s, (__u32)err);
		else
			as_open(env, s);
	}
}

#endif
