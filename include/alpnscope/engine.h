/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * engine.h - a packet's way to a record: gate, table, repeats, one close.
 *
 * docs/DESIGN.md tells the algorithm; port.h lists what a target provides.
 */
#ifndef ALPNSCOPE_ENGINE_H
#define ALPNSCOPE_ENGINE_H

#include "counters.h"
#include "flow.h"
#include "handshake.h"
#include "hello.h"
#include "packet.h"
#include "record.h"
#include "stream.h"

#define AS_WINDOW 0x100000 /* 1 MiB: how far a sequence number may be off */

enum as_hook { AS_INGRESS, AS_EGRESS, AS_HOOKS };

/**
 * struct as_scratch - working memory of one hook on one CPU: a packet that passed the
 * gate, and what is made of it.
 * @rec: the record at hand
 * @random: of the ClientHello at hand
 * @end_flags: AS_F_* that go with the end of a flow
 */
struct as_scratch {
	struct as_packet pkt;
	struct as_record rec;
	__u32 hash;
	__u32 end_flags;
	__u8 random[AS_RANDOM_LEN];
	struct as_flow flow;
	struct as_answer answer;
	struct as_hello hello;
	struct as_bytes bytes;
};

/* The target's, see port.h. */
AS_INLINE void as_frame(AS_ENV *env, struct as_frame *frame);
AS_INLINE __u64 as_time(AS_ENV *env);
AS_INLINE __u32 as_ifindex(AS_ENV *env);
AS_INLINE __u64 as_seed(AS_ENV *env);
AS_INLINE void as_count(AS_ENV *env, __u32 counter);
AS_INLINE __s32 *as_gate(AS_ENV *env, __u32 hash);
AS_INLINE struct as_recent *as_recent(AS_ENV *env, __u32 hash);
AS_INLINE struct as_scratch *as_scratch(AS_ENV *env, __u32 hook);
AS_INLINE struct as_flow *as_flow_find(AS_ENV *env, const struct as_tuple *key);
AS_INLINE int as_flow_add(AS_ENV *env, const struct as_tuple *key, const struct as_flow *flow);
AS_INLINE void as_flow_del(AS_ENV *env, const struct as_tuple *key);
AS_INLINE void as_lock(struct as_flow *f);
AS_INLINE void as_unlock(struct as_flow *f);
AS_INLINE int as_emit(AS_ENV *env, const struct as_handshake *hs, __u32 size);
AS_INLINE void as_owner(AS_ENV *env, struct as_owner *owner);

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

/* What `recent` keeps of a random: never 0, which is an empty place. */
AS_INLINE __u64 as_identity(const __u8 *random)
{
	return as_random8(random) | 1;
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

/**
 * as_close - end a flow and hand over its record: the only place where one dies.
 * @key, @hash: what it was looked up by
 * @end: enum as_end; @end_flags: AS_F_* that go with it
 * @due: 0, or end it only if it is still the flow that was due then
 */
AS_INLINE void as_close(AS_ENV *env, struct as_flow *f, const struct as_tuple *key, __u32 hash,
			__u32 end, __u32 end_flags, __u64 due)
{
	__u64 now = as_time(env);
	struct as_recent *recent;
	__s32 *gate;
	int mine;

	as_lock(f);
	mine = as_is_open(f, key) && (!due || f->due == due);
	if (mine) {
		f->state = AS_CLOSED;
		f->rec.end = (__u8)end;
		f->rec.end_ns = now;
		f->rec.flags |= end_flags;
	}
	as_unlock(f);
	if (!mine)
		return;
	/* CLOSED and not yet deleted: nobody else writes to it. */
	as_submit(env, &f->rec, AS_RECORDS, AS_LOST_RING_FULL);
	recent = as_recent(env, hash);
	if (recent) {
		recent->client = as_identity(f->rec.client_random);
		recent->server = as_identity(f->rec.server_random);
	}
	as_flow_del(env, key);
	gate = as_gate(env, hash);
	if (gate)
		as_add(gate, -1);
}

/* ---- records ahead of a hello ---- */

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
	return r->begin == AS_BEGIN_CHANGE_CIPHER_SPEC ||
	       (r->begin == AS_BEGIN_ALERT && !as_alert_ends(r));
}

/* Step over such a record to the one behind it. */
AS_INLINE void as_skip_prelude(AS_ENV *env, struct as_scratch *s)
{
	__u32 end = s->pkt.payload + s->pkt.avail;
	struct as_frame frame;

	if (!as_is_prelude(&s->rec))
		return;
	s->rec.begin = AS_BEGIN_OTHER;
	s->rec.off += AS_REC_HLEN + s->rec.len;
	as_frame(env, &frame);
	if (s->rec.off < end)
		as_record_at(&frame, s->rec.off, end - s->rec.off, &s->rec);
}

/* ---- ClientHello ---- */

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
	int is = AS_RACE;

	as_lock(f);
	if (as_tuple_equal(&f->key, &s->pkt.key) && f->state != AS_INIT) {
		if (as_random_equal(hs->client_random, s->random))
			/* RFC 8446 section 4.1.2: after a retry, the same random again */
			is = (hs->flags & AS_F_RETRY) && hs->client_seq != s->pkt.seq ? AS_SECOND
										      : AS_SAME;
		else if (f->state == AS_OPEN)
			is = as_in_window(hs->client_seq, s->pkt.seq) ? AS_CONFLICT : AS_NEW;
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

/* Is the whole message in this one record and segment? 0, or the counter of why not. */
AS_INLINE int as_whole(const struct as_scratch *s)
{
	__u32 end = s->rec.off - s->pkt.payload + AS_REC_HLEN + s->rec.message_len;

	if (s->rec.message_len > AS_HELLO_MAX)
		return AS_LOST_TOO_LONG;
	if (s->rec.message_len > s->rec.len)
		return AS_LOST_SPLIT_RECORDS;
	if (end > s->pkt.payload_len)
		return AS_LOST_SPLIT_SEGMENTS;
	return end > s->pkt.avail ? AS_LOST_CUT : 0;
}

/* Read the random of the ClientHello at hand; 0, or the counter of why it is not there. */
AS_INLINE int as_read_random(AS_ENV *env, struct as_scratch *s)
{
	__u32 at = s->rec.off + AS_REC_HLEN + AS_HS_HLEN + 2;

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
	n->server_seq = s->pkt.ack;
	n->server_seq_known = s->pkt.flags & AS_TCP_ACK;
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

/* ---- ServerHello ---- */

/* Parse the ServerHello into scratch.answer; 0, or negative when it cannot be read. */
AS_STAGE int as_read_server_hello(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_answer *a;
	int err;

	if (!s)
		return -1;
	a = &s->answer;
	AS_FRESH(s->bytes.len) = s->rec.message_len;
	if (as_whole(s) || as_take(env, s->rec.off + AS_REC_HLEN, &s->bytes)) {
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
		AS_MEMCPY(hs->names + at, a->selected, AS_ALPN_MAX);
}

/* The client's session id came back, and it is not empty. */
AS_INLINE int as_session_echoed(const __u8 *client, const __u8 *server)
{
	return as_random_equal(client, server) &&
	       (as_random8(client) | as_random8(client + 8) | as_random8(client + 16) |
		as_random8(client + 24));
}

/* The answer of a flow. Returns enum as_end, 0 while the handshake goes on. */
AS_INLINE __u32 as_on_server_hello(AS_ENV *env, struct as_scratch *s, __u32 hook, struct as_flow *f)
{
	const struct as_answer *a = &s->answer;
	__u64 now = as_time(env);

	if (as_read_server_hello(env, hook)) {
		s->end_flags = AS_F_SERVER_UNREADABLE;
		return AS_END_SERVER_HELLO;
	}
	as_lock(f);
	if (as_is_open(f, &s->pkt.key)) {
		if (a->retry) {
			f->rec.flags |= AS_F_RETRY;
		} else {
			as_set_answer(&f->rec, a, now);
			if (as_session_echoed(f->session_id, s->hello.session_id))
				f->rec.flags |= AS_F_SESSION_ID_ECHOED;
		}
	}
	as_unlock(f);
	return a->retry ? 0 : AS_END_SERVER_HELLO;
}

/* A ServerHello whose ClientHello was not seen: a record in a ledger of its own. */
AS_INLINE void as_orphan(AS_ENV *env, struct as_scratch *s, __u32 hook)
{
	struct as_recent *recent = as_recent(env, s->hash);
	struct as_handshake *hs = &s->flow.rec;
	int err = as_read_server_hello(env, hook);

	if (!err && recent && recent->server == as_identity(s->answer.random))
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
	hs->hello_ns = as_time(env);
	hs->end_ns = hs->hello_ns;
	as_set_ends(hs, &s->pkt, 0);
	as_set_answer(hs, &s->answer, hs->hello_ns);
	if (recent)
		recent->server = as_identity(s->answer.random);
	as_submit(env, hs, AS_ORPHAN_RECORDS, AS_ORPHAN_LOST_RING_FULL);
}

/* ---- alerts, RST, FIN ---- */

/* An alert that ends the handshake. Returns enum as_end. */
AS_INLINE __u32 as_on_alert(AS_ENV *env, struct as_scratch *s, struct as_flow *f, int client)
{
	struct as_owner *owner = &s->answer.owner;

	AS_MEMSET(owner, 0, sizeof(*owner));
	as_owner(env, owner);
	as_lock(f);
	if (as_is_open(f, &s->pkt.key)) {
		f->rec.alert_level = s->rec.level;
		f->rec.alert_desc = s->rec.desc;
		if (!client)
			f->rec.server = *owner;
	}
	as_unlock(f);
	return AS_END_ALERT;
}

/* RST and FIN. Returns enum as_end, 0 while the handshake goes on. */
AS_INLINE __u32 as_on_flags(const struct as_scratch *s, struct as_flow *f, int client)
{
	if (s->pkt.flags & AS_TCP_RST)
		return AS_END_RST;
	if (!(s->pkt.flags & AS_TCP_FIN))
		return 0;
	if (!client)
		return AS_END_FIN;
	/* Half closed: the server may still answer. */
	as_lock(f);
	if (as_is_open(f, &s->pkt.key))
		f->rec.flags |= AS_F_CLIENT_FIN;
	as_unlock(f);
	return 0;
}

/* ---- a packet ---- */

/* Is the segment where this handshake's next bytes can be? A blind RST, FIN, alert or
 * ServerHello must not decide. */
AS_INLINE int as_plausible(const struct as_flow *f, const struct as_packet *p, int client)
{
	if (client)
		return as_in_window(f->rec.client_seq, p->seq);
	if ((p->flags & AS_TCP_ACK) && !as_in_window(f->rec.client_seq, p->ack))
		return 0;
	return !f->server_seq_known || as_in_window(f->server_seq, p->seq);
}

/* A segment of a handshake in progress, not a ClientHello. Returns enum as_end, 0 while
 * it goes on. */
AS_INLINE __u32 as_on_flow(AS_ENV *env, struct as_scratch *s, __u32 hook, struct as_flow *f)
{
	int client = as_from_client(f, &s->pkt);
	__u32 end = 0;

	if (s->pkt.flags & AS_TCP_SYN)
		return 0;
	if (!as_plausible(f, &s->pkt, client)) {
		if (s->rec.begin != AS_BEGIN_OTHER || (s->pkt.flags & (AS_TCP_RST | AS_TCP_FIN)))
			as_count(env, AS_ERR_OUT_OF_WINDOW);
		return 0;
	}
	s->end_flags = client ? AS_F_END_CLIENT : 0;
	if (s->rec.begin == AS_BEGIN_SERVER_HELLO && !client)
		return as_on_server_hello(env, s, hook, f);
	if (s->rec.begin == AS_BEGIN_ALERT)
		end = as_on_alert(env, s, f, client);
	return end ? end : as_on_flags(s, f, client);
}

/* Does the packet begin a new connection on the tuple of @f? */
AS_INLINE int as_is_reuse(const struct as_scratch *s, const struct as_flow *f, int relation)
{
	const struct as_packet *p = &s->pkt;

	if (s->rec.begin == AS_BEGIN_CLIENT_HELLO)
		return relation == AS_NEW;
	/* A retransmitted SYN of this connection is in the window before the hello. */
	return (p->flags & (AS_TCP_SYN | AS_TCP_ACK)) == AS_TCP_SYN && as_from_client(f, p) &&
	       !as_in_window(p->seq, f->rec.client_seq);
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
	if (f)
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
	if (f && as_is_reuse(s, f, relation))
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
	       begin == AS_BEGIN_PREFIX;
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

/**
 * as_on_frame - take one frame: the engine's entrance.
 * @parsed: what an as_parse*() returned for @p
 * @hook: enum as_hook, which scratch memory is ours
 */
AS_INLINE void as_on_frame(AS_ENV *env, const struct as_frame *fr, const struct as_packet *p,
			   int parsed, __u32 hook)
{
	if (parsed == AS_PARSED)
		as_on_packet(env, fr, p, hook);
	else if (parsed == AS_FRAGMENT)
		as_count(env, AS_ERR_IP_FRAGMENT);
}

/** as_expire - end the flow that @due names, if it is still that one. */
AS_INLINE void as_expire(AS_ENV *env, const struct as_due *due, __u32 end)
{
	struct as_flow *f = as_flow_find(env, &due->key);

	if (f)
		as_close(env, f, &due->key, as_tuple_hash(&due->key, as_seed(env)), end, 0,
			 due->due);
}

#endif
