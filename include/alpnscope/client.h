/* SPDX-License-Identifier: GPL-2.0-only */
/* client.h - a ClientHello: is it new, and what becomes of it. */
#ifndef ALPNSCOPE_CLIENT_H
#define ALPNSCOPE_CLIENT_H

#include "track.h"

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
	__u32 seq = s->pkt.seq + (s->rec.off - s->pkt.payload);
	int is = AS_RACE;

	as_lock(f);
	if (as_tuple_equal(&f->key, &s->pkt.key) && f->state != AS_INIT) {
		if (as_random_equal(hs->client_random, s->random))
			/* RFC 8446 section 4.1.2: after a retry, the same random again */
			is = (hs->flags & AS_F_RETRY) && seq != hs->client_seq &&
					     as_in_window(hs->client_seq, seq)
				     ? AS_SECOND
				     : AS_SAME;
		else if (f->state == AS_OPEN)
			is = f->next_known && as_in_window(f->next_seq, seq) ? AS_NEW : AS_CONFLICT;
	}
	as_unlock(f);
	return is;
}

/* A ClientHello that ends here: count why, and know it when it comes by again. */
AS_INLINE void as_lose(AS_ENV *env, const struct as_scratch *s, __u32 reason)
{
	struct as_recent *recent = as_recent(env, s->hash);

	as_count(env, reason);
	if (recent)
		recent->client = as_identity(s->random);
}

/* Read the random of the ClientHello at hand; 0, or the counter of why it is not there. */
AS_INLINE int as_read_random(AS_ENV *env, struct as_scratch *s)
{
	__u32 at = s->rec.off + AS_REC_HLEN + AS_HS_HLEN + 2;

	if (s->rec.len >= AS_HS_HLEN && s->rec.message_len < AS_HS_HLEN + 2 + AS_RANDOM_LEN) {
		as_count(env, AS_ERR_HELLO_OVERRUN);
		return AS_LOST_MALFORMED;
	}
	if (at + AS_RANDOM_LEN > s->pkt.payload + s->pkt.avail ||
	    as_load(env, at, s->random, AS_RANDOM_LEN))
		return s->pkt.avail < s->pkt.payload_len ? AS_LOST_CUT : AS_LOST_SPLIT_SEGMENTS;
	return 0;
}

/* Parse the ClientHello into scratch.flow; 0, or the counter of where it ended. */
AS_STAGE int as_read_client_hello(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_handshake *hs;
	int err;

	if (!s)
		return AS_LOST_RACED;
	err = as_whole(s);
	if (err)
		return err;
	hs = &s->flow.rec;
	AS_MEMSET(&s->flow, 0, __builtin_offsetof(struct as_flow, rec.names));
	AS_FRESH(s->bytes.len) = s->rec.message_len;
	if (as_take(env, s->rec.off + AS_REC_HLEN, &s->bytes))
		return AS_LOST_CUT;
	err = as_client_hello(&s->bytes, &s->hello, hs);
	if (err) {
		as_count(env, (__u32)err);
		return AS_LOST_MALFORMED;
	}
	hs->abi = AS_ABI;
	hs->kind = AS_KIND_HANDSHAKE;
	hs->client_seq = s->pkt.seq + (s->rec.off - s->pkt.payload);
	hs->ifindex = as_ifindex(env);
	as_set_ends(hs, &s->pkt, 1);
	return 0;
}

/* Put scratch.flow into the table. */
AS_INLINE void as_open(AS_ENV *env, struct as_scratch *s)
{
	struct as_flow *n = &s->flow, *f;
	__s32 *gate = as_gate(env, s->hash);
	int rc;

	if (!gate)
		return;
	n->key = s->pkt.key;
	n->rec.hello_ns = as_time(env);
	n->due = n->rec.hello_ns + AS_ANSWER_NS;
	n->rec.client_ack = s->pkt.ack;
	n->server_seq = s->pkt.ack;
	n->server_next = s->pkt.ack;
	n->server_seq_known = s->pkt.flags & AS_TCP_ACK;
	if (s->pkt.flags & AS_TCP_FIN)
		n->rec.flags |= AS_F_CLIENT_FIN;
	AS_MEMCPY(n->session_id, s->hello.session_id, AS_SESSION_ID_MAX);
	as_owner(env, &n->rec.client);
	as_add(gate, 1); /* raised first: the answer may come by before the insert */
	rc = as_flow_add(env, &n->key, n);
	f = as_flow_find(env, &n->key);
	if (!rc && f) {
		as_lock(f);
		if (f->state == AS_INIT && as_tuple_equal(&f->key, &n->key))
			f->state = AS_OPEN;
		as_unlock(f);
		return;
	}
	as_add(gate, -1);
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
	as_lock(f);
	if (as_is_open(f, &s->pkt.key)) {
		f->rec.client_seq = hs->client_seq;
		f->rec.client_ext = hs->client_ext;
		f->rec.flags |= hs->flags | AS_F_HELLO_AGAIN;
		f->rec.sni_len = hs->sni_len;
		f->rec.alpn_len = hs->alpn_len;
		AS_MEMCPY(f->rec.names, hs->names, AS_NAMES_MAX);
	}
	as_unlock(f);
}

/* A ClientHello whose random was read, on a tuple with the flow @f, or without one. */
AS_INLINE void as_on_client_hello(AS_ENV *env, struct as_scratch *s, __u32 hook, struct as_flow *f,
				  int relation)
{
	struct as_recent *recent = as_recent(env, s->hash);
	int err;

	if (!f && recent && recent->client == as_identity(s->random))
		relation = AS_SAME;
	if (relation == AS_SAME) {
		as_count(env, AS_REPEAT_AGAIN);
	} else if (relation == AS_CONFLICT) {
		as_count(env, AS_LOST_TUPLE_CONFLICT);
	} else if (relation == AS_RACE) {
		as_count(env, AS_LOST_RACED);
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
