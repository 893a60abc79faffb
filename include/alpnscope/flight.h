/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flight.h - the records of both sides around a ServerHello of TLS 1.3, as their headers
 * tell, and when enough of them were seen.
 */
#ifndef ALPNSCOPE_FLIGHT_H
#define ALPNSCOPE_FLIGHT_H

#include "track.h"

#define AS_RST_WINDOW 0x10000 /* an RST without ACK stands where the next byte would */
#define AS_AFTER_MAX 6 /* the client's records after the server's first that are waited for */

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

/* Read the headers that scratch.heads tell of, of the frame, or (@flat) of the packet's slot.
 * Returns 0. */
AS_STAGE int as_read_heads(AS_ENV *env, __u32 hook, int flat)
{
	struct as_scratch *s = as_scratch(env, hook);
	const struct as_slot *t = 0;
	struct as_frame frame = {};

	if (!s)
		return 0;
	if (flat) {
		t = as_slot(env, s->hash + s->probe);
		if (!t)
			return 0;
	}
	as_frame(env, &frame);
	as_walk_heads(env, &frame, t, &s->heads);
	return 0;
}

/* What the packet at hand has of the side's next header. */
AS_INLINE void as_set_heads(struct as_scratch *s, const struct as_side *side)
{
	struct as_heads *h = &s->heads;
	__u32 from = side->place - s->pkt.seq;

	h->place = side->place;
	h->had = side->part;
	AS_MEMCPY(h->head, side->head, sizeof(side->head));
	h->off = s->pkt.payload + from;
	AS_FRESH(h->len) = side->on && from < s->pkt.avail ? s->pkt.avail - from : 0;
}

/* The same of the bytes behind the hello in the packet's slot, which hold up to @have. */
AS_INLINE void as_set_slot_heads(struct as_scratch *s, __u32 have)
{
	struct as_heads *h = &s->heads;
	__u32 off = s->hello_end - s->base;

	h->ready = 1;
	h->place = s->hello_end;
	h->had = 0;
	h->off = off;
	AS_FRESH(h->len) = off < have && have <= AS_STREAM_MAX ? have - off : 0;
}

/* Header @i of scratch.heads becomes one of the flight. Under the flow's lock. */
AS_INLINE void as_add_head(struct as_flow *f, const struct as_heads *h, __u32 i, int client)
{
	struct as_flight *flight = client ? &f->rec.client_flight : &f->rec.server_flight;
	struct as_side *side = client ? &f->client_side : &f->server_side;
	const struct as_side *other = client ? &f->server_side : &f->client_side;
	__u32 before = AS_FRESH(other->encrypted);
	__u32 n = AS_FRESH(flight->count);

	as_barrier(n);
	if (n < AS_FLIGHT_MAX) {
		flight->type[n] = h->type[i];
		flight->len[n] = h->size[i];
		flight->before[n] = (__u8)as_min(before, 255);
		AS_FRESH(flight->count) = (__u8)(n + 1);
	}
	if (h->type[i] != AS_REC_APPLICATION_DATA)
		return;
	AS_FRESH(side->encrypted)++;
	if (client && before)
		AS_FRESH(f->after)++;
}

/* Add what was read to the flight, if nobody else did meanwhile. Under the flow's lock. */
AS_INLINE void as_add_heads(struct as_flow *f, const struct as_scratch *s, int client)
{
	struct as_side *side = client ? &f->client_side : &f->server_side;
	const struct as_heads *h = &s->heads;
	__u32 end = s->pkt.seq + s->pkt.payload_len;

	if (s->pkt.payload_len && as_in_window(side->ahead, end))
		side->ahead = end;
	if (!side->on || side->place != h->place || side->part != h->had)
		return;
	for (__u32 i = 0; i < AS_HEADS_MAX; i++) {
		if (i >= AS_FRESH(h->count))
			break;
		as_add_head(f, h, i, client);
	}
	side->place += AS_FRESH(h->at);
	side->part = AS_FRESH(h->part);
	AS_MEMCPY(side->head, h->head, sizeof(side->head));
	if (h->broken) /* `place` stays before what `ahead` is behind */
		side->on = 0;
	if (h->alert && as_is_followed(&f->rec)) {
		f->rec.alert_level = h->level;
		f->rec.alert_desc = h->desc;
		f->alerted = 1;
	}
}

/* Is there nothing more to wait for? Returns enum as_end, 0 while there is. Under the flow's
 * lock. */
AS_INLINE __u32 as_is_enough(struct as_flow *f, const struct as_packet *p, int client, int pressed)
{
	const struct as_side *side = client ? &f->client_side : &f->server_side;
	__u32 after = AS_FRESH(f->after);

	if (!as_is_followed(&f->rec))
		return 0;
	if (f->alerted)
		return AS_END_ALERT;
	/* Of a client that sends much early data twelve records say nothing of the answer. */
	if (f->rec.server_flight.count == AS_FLIGHT_MAX || after >= AS_AFTER_MAX ||
	    (after && (pressed || f->rec.client_flight.count == AS_FLIGHT_MAX)))
		return AS_END_RECORDS;
	if (p->flags & AS_TCP_RST)
		return AS_END_RST;
	/* Behind a hole it decides nothing: there may be records in what is missing. And when one
	 * side has said all, the other may still say how it parts (GOAWAY, close_notify). */
	if (p->flags & AS_TCP_FIN &&
	    (!side->on || as_in_window(p->seq + p->payload_len, side->place)))
		f->fins |= client ? 2 : 1;
	return f->fins == 3 ? AS_END_FIN : 0;
}

/* Does the segment belong to the flow? The first one may be a SYN (RFC 7413). */
AS_INLINE int as_is_of(const struct as_scratch *s, const struct as_flow *f, int client)
{
	if (s->pkt.flags & AS_TCP_SYN)
		return client && s->pkt.payload_len && s->pkt.seq == f->rec.client_seq;
	return as_plausible(f, &s->pkt, client);
}

/* Read the record headers in a packet of the flow @f, and end the flow when enough of them were
 * seen. */
AS_INLINE void as_follow_flow(AS_ENV *env, struct as_scratch *s, __u32 hook, struct as_flow *f,
			      int client)
{
	__u32 end = 0, flags;
	int pressed;

	if (!s->heads.ready) {
		as_set_heads(s, client ? &f->client_side : &f->server_side);
		as_read_heads(env, hook, 0);
	}
	pressed = as_pressed(env);
	as_lock(&f->lock);
	if (as_is_open(f, &s->pkt.key)) {
		as_add_heads(f, s, client);
		end = as_is_enough(f, &s->pkt, client, pressed);
	}
	as_unlock(&f->lock);
	if (!end)
		return;
	flags = end != AS_END_RECORDS && client ? AS_F_END_CLIENT : 0;
	if (end == AS_END_RECORDS && pressed)
		flags |= AS_F_PRESSURE;
	as_close(env, f, &s->pkt.key, s->hash, end, flags, as_now(env, s), 0);
}

/* Whatever else the packet was to its flow: see as_follow_flow(). Returns 0. */
AS_STAGE int as_follow(AS_ENV *env, __u32 hook)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_flow *f = s ? as_flow_find(env, &s->pkt.key) : 0;
	int client;

	if (!s || !f)
		return 0;
	client = as_from_client(f, &s->pkt);
	if (as_is_of(s, f, client))
		as_follow_flow(env, s, hook, f, client);
	return 0;
}

#endif
