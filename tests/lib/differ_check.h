/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * differ_check.h - the differential test: a random handshake sent whole says what it was
 * made to say; cut, within the bounds of stream.h, it gives the same record, and beyond
 * them the reason why not.
 *
 * Include after rig.h. A difference is told by differ_compare(), not by ending.
 */
#ifndef TESTS_DIFFER_CHECK_H
#define TESTS_DIFFER_CHECK_H

#include "differ_cut.h"

#ifndef AS_F_OVERLAP_CONFLICT
#define AS_F_OVERLAP_CONFLICT (1U << 12)
#endif

/**
 * struct differ_side - an engine, the last records of it and its counters when they were
 * last looked at.
 */
struct differ_side {
	const struct native *native;
	struct as_handshake rec[4];
	uint32_t count;
	uint64_t before[AS_COUNTER_COUNT];
};

/* What the counters say since then. */
struct differ_ledger {
	uint64_t hellos, records, repeats, lost, orphans;
	uint64_t by[AS_COUNTER_COUNT];
};

static inline void differ_record(void *arg, const struct as_handshake *hs)
{
	struct differ_side *s = arg;

	rig_check_record(hs);
	if (s->count < 4) {
		memset(&s->rec[s->count], 0, sizeof(*hs));
		memcpy(&s->rec[s->count], hs, hs->size);
	}
	s->count++;
}

static inline struct differ_ledger differ_ledger(struct differ_side *s)
{
	const uint64_t *now = native_counters(s->native);
	struct differ_ledger l = {0};

	for (int i = 0; i < AS_COUNTER_COUNT; i++) {
		uint64_t n = l.by[i] = now[i] - s->before[i];
		const char *family = rig_family[i] ? rig_family[i] : "";

		s->before[i] = now[i];
		l.hellos += strcmp(family, "hellos") ? 0 : n;
		l.records += strcmp(family, "records") ? 0 : n;
		l.repeats += strcmp(family, "repeats") ? 0 : n;
		l.lost += strcmp(family, "lost") ? 0 : n;
		l.orphans += strcmp(family, "orphans") ? 0 : n;
	}
	return l;
}

/* The counter of lost{@reason}. */
static inline uint64_t differ_lost(const struct differ_ledger *l, const char *reason)
{
	static const char *const reasons[] = {
#define AS_COUNTER(id, number, family, why, help) [number] = why,
		AS_COUNTERS(AS_COUNTER)
#undef AS_COUNTER
	};

	for (int i = 0; i < AS_COUNTER_COUNT; i++)
		if (rig_family[i] && !strcmp(rig_family[i], "lost") && !strcmp(reasons[i], reason))
			return l->by[i];
	return 0;
}

/* Is the record of the handshake that was sent whole what it was made to say? Returns
 * what is not, or NULL. */
static inline const char *differ_truth(const struct as_handshake *hs, const struct differ_case *c)
{
	uint32_t flags = 0, end = AS_END_QUIET;

	if (c->answer == ANSWER_NONE || c->answer == ANSWER_TLS12)
		end = c->answer == ANSWER_NONE ? AS_END_TIMEOUT : AS_END_SERVER_HELLO;
	if (c->answer != ANSWER_NONE)
		flags |= AS_F_SERVER_HELLO;
	if (c->answer == ANSWER_RETRY)
		flags |= AS_F_RETRY | AS_F_HELLO_AGAIN;
	if (c->pq)
		flags |= AS_F_PQ;
	if (c->session_id_len && c->answer != ANSWER_NONE)
		flags |= AS_F_SESSION_ID_ECHOED;
	if (hs->flags != flags)
		return "flags";
	if (hs->end != end)
		return "end";
	if (memcmp(hs->client_random, c->client_random, AS_RANDOM_LEN))
		return "client_random";
	if (c->answer != ANSWER_NONE && memcmp(hs->server_random, c->server_random, AS_RANDOM_LEN))
		return "server_random";
	if (hs->sni_len != c->sni_len || memcmp(as_sni(hs), c->sni, c->sni_len))
		return "server name";
	if (hs->alpn_len != c->alpn_len || memcmp(as_alpn(hs), c->alpn, c->alpn_len))
		return "offer";
	if (hs->selected_len != c->selected_len ||
	    memcmp(as_selected(hs), c->selected, c->selected_len))
		return "choice";
	return NULL;
}

/* What must not be different between one way of sending and another. */
static inline struct as_handshake differ_strip(const struct as_handshake *hs)
{
	struct as_handshake copy = *hs;

	copy.hello_ns = copy.server_ns = copy.end_ns = 0;
	copy.client_seq = 0; /* more records ahead of it: held against differ_run.hello_seq */
	return copy;
}

/* The first field of a record that is another, or NULL. */
static inline const char *differ_field(const struct as_handshake *a, const struct as_handshake *b)
{
#define DIFFER_FIELD(name)                                                                         \
	{                                                                                          \
#name, offsetof(struct as_handshake, name), sizeof(a->name)                        \
	}
	static const struct {
		const char *name;
		size_t at, len;
	} fields[] = {
		DIFFER_FIELD(end),	     DIFFER_FIELD(flags),
		DIFFER_FIELD(client_addr),   DIFFER_FIELD(client_ext),
		DIFFER_FIELD(server_ext),    DIFFER_FIELD(server_version),
		DIFFER_FIELD(sni_len),	     DIFFER_FIELD(alpn_len),
		DIFFER_FIELD(selected_len),  DIFFER_FIELD(server_random),
		DIFFER_FIELD(client_random), DIFFER_FIELD(names),
	};
#undef DIFFER_FIELD

	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		if (memcmp((const uint8_t *)a + fields[i].at, (const uint8_t *)b + fields[i].at,
			   fields[i].len))
			return fields[i].name;
	return memcmp(a, b, sizeof(*a)) ? "the records differ" : NULL;
}

/* Within the bounds: one record, and nothing besides but repeats. */
static inline const char *differ_same(const struct differ_side *whole,
				      const struct differ_side *cut, const struct differ_ledger *l,
				      const struct differ_run *r)
{
	struct as_handshake a = differ_strip(&whole->rec[0]), b = differ_strip(&cut->rec[0]);
	const char *field;

	if (l->lost)
		return "a hello was lost";
	if (cut->count != 1 || l->records != 1)
		return "not one record";
	if (l->hellos != 1 + l->repeats)
		return "the ledger";
	/* Its first bytes, once more when all was said, do not tell whose they are. */
	if (l->orphans && !r->answer_again)
		return "a ServerHello without its hello";
	if (r->spoil == SPOIL_CONFLICT && r->spoilt)
		a.flags |= AS_F_OVERLAP_CONFLICT;
	field = differ_field(&a, &b);
	if (!field && cut->rec[0].client_seq != r->hello_seq)
		field = "client_seq";
	return field;
}

/* Beyond the bounds: no record of a hello, and one loss with its reason. */
static inline const char *differ_reason(const struct differ_ledger *l, const struct differ_run *r)
{
	static const char *const reasons[SPOILS] = {[SPOIL_RECORDS] = "too_many_records",
						    [SPOIL_LONG] = "too_long",
						    [SPOIL_MISSING] = "unfinished"};

	if (l->records)
		return "a record beyond the bounds";
	if (l->hellos != l->lost + l->repeats || l->lost != 1)
		return "not one loss";
	if (differ_lost(l, reasons[r->spoil]) != 1)
		return "another reason";
	return NULL;
}

/* ---- a case ---- */

/**
 * struct differ - two engines beside each other.
 * @whole: gets every handshake in one record and segment each
 * @cut: gets it in pieces
 * @hellos_cut, @spoilt, @lead, @answer: how many cases were of each kind
 */
struct differ {
	struct differ_case c;
	struct differ_run run[2];
	struct differ_side whole, cut;
	uint64_t cases, hellos_cut, spoilt[SPOILS], lead[LEADS], answer[ANSWERS];
};

/* Beyond the bounds only the ClientHello is of interest. */
static inline void differ_shorten(struct differ_case *c)
{
	while (c->parts > 1 && !c->part[c->parts - 1].hello)
		c->parts--;
}

/* A frame of another tuple: what was waited for is given up. */
static inline void differ_wait(struct differ_run *r)
{
	static const struct differ_case other = {.number = 0xffffff};

	r->now += DIFFER_WAIT_NS;
	differ_frame(r, &other, true, AS_TCP_ACK, 1, NULL, 0);
}

/* Make the hello's message longer than 16 KiB: a body of zeros behind its head. */
static inline void differ_lengthen(struct differ_case *c)
{
	struct differ_part *p = &c->part[c->parts - 1];
	uint32_t len = dice_range(&c->dice, 1, 3000) + 16384;

	memset(c->bytes + p->at + p->len, 0, len - p->len);
	for (int i = 0; i < 3; i++)
		c->bytes[p->at + 1 + i] = (uint8_t)((len - AS_HS_HLEN) >> 8 * (2 - i));
	p->len = len;
}

static inline enum differ_spoil differ_spoil(struct differ_case *c)
{
	enum differ_spoil s =
		dice_chance(&c->dice, 20) ? dice_range(&c->dice, 0, SPOIL_NAME - 1) : SPOIL_NONE;

	if (s > SPOIL_CONFLICT && c->answer == ANSWER_RETRY)
		return SPOIL_NONE; /* the first hello's record would be there */
	if (s > SPOIL_CONFLICT)
		differ_shorten(c);
	if (s == SPOIL_LONG)
		differ_lengthen(c);
	return s;
}

/* A byte of the hello's random is another: everything else would do as well. */
static inline void differ_change(struct differ_case *c)
{
	for (uint32_t i = 0; i < c->parts; i++)
		if (c->part[i].hello)
			c->bytes[c->part[i].at + AS_HS_HLEN + 2 + 16] ^= 1;
}

/* Send the case to one of the two. */
static inline void differ_drive(struct differ *d, bool cut, enum differ_spoil spoil, uint64_t dice)
{
	struct differ_run *r = &d->run[cut];

	r->cut = cut;
	r->spoil = spoil;
	(cut ? &d->cut : &d->whole)->count = 0;
	if (cut && spoil == SPOIL_NAME)
		differ_change(&d->c);
	differ_go(r, &d->c, dice);
	differ_wait(r);
}

/**
 * differ_case - one case through both engines.
 * @number: below 0xffffff
 * @spoil: SPOIL_NONE: some of the cases are; SPOIL_NAME: that one
 * Returns NULL, or what is not as it must be.
 */
static inline const char *differ_case(struct differ *d, uint64_t seed, uint32_t number,
				      enum differ_spoil spoil)
{
	struct differ_ledger whole, cut;
	const char *wrong;
	uint64_t dice;

	differ_make(&d->c, seed, number, DIFFER_HELLO_MAX);
	if (!spoil)
		spoil = differ_spoil(&d->c);
	dice = dice_next(&d->c.dice);
	d->cases++;
	d->lead[d->c.lead]++;
	d->answer[d->c.answer]++;
	if (spoil <= SPOIL_CONFLICT || spoil == SPOIL_NAME) {
		differ_drive(d, false, SPOIL_NONE, dice);
		whole = differ_ledger(&d->whole);
		wrong = d->whole.count == 1 && whole.lost == 0 && whole.orphans == 0
				? differ_truth(&d->whole.rec[0], &d->c)
				: "not one record when it is sent whole";
		if (wrong)
			return wrong;
	}
	differ_drive(d, true, spoil, dice);
	d->run[1].spoilt |= spoil == SPOIL_LONG;
	cut = differ_ledger(&d->cut);
	d->hellos_cut += d->run[1].cut_hello;
	d->spoilt[d->run[1].spoilt ? spoil : SPOIL_NONE]++;
	if (spoil > SPOIL_CONFLICT && d->run[1].spoilt)
		return differ_reason(&cut, &d->run[1]);
	return spoil == SPOIL_MISSING || spoil == SPOIL_RECORDS
		       ? NULL /* it could not be spoilt */
		       : differ_same(&d->whole, &d->cut, &cut, &d->run[1]);
}

#endif
