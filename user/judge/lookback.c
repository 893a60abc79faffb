// SPDX-License-Identifier: GPL-2.0-only
#include "lookback.h"

#include <stdlib.h>

#define PLACES 1024 /* power of two, about LOOKBACK_MAX */

/*
 * @ticket.server: NULL when it does not wait for itself
 * @changed: others told @known of it; what it tells by itself is not kept, for a verdict is large
 */
struct waiting {
	struct waiting *next;
	struct learn_ticket ticket;
	bool changed;
	struct inference known; /* points into m */
	struct merged m;
};

/* @tickets: how many that wait have a ticket of a server, by place_of() it */
struct lookback {
	struct learn_book *book;
	lookback_fn fn;
	void *arg;
	struct waiting *first, **last;
	unsigned int count;
	uint16_t tickets[PLACES];
};

/* A server is memory of about a kilobyte: the low bits of where it is tell nothing. */
static uint16_t *place_of(struct lookback *l, const struct learn_server *server)
{
	return &l->tickets[((uintptr_t)server >> 6) % PLACES];
}

static void keep(struct waiting *w, const struct verdict *v)
{
	w->known = verdict_inference(v);
	w->changed = true;
}

static void ask_again(struct lookback *l, struct waiting *w)
{
	struct verdict v;

	if (!w->ticket.server)
		return;
	verdict_outcome(&w->m.hs, &v);
	learn_again(&w->ticket, &w->m.hs, &v);
	if (v.outcome != OUTCOME_UNDETERMINED)
		keep(w, &v);
	--*place_of(l, w->ticket.server);
	w->ticket.server = NULL;
}

static void hand_over(struct lookback *l, struct waiting *w)
{
	struct verdict v;

	ask_again(l, w);
	verdict_outcome(&w->m.hs, &v);
	if (w->changed)
		verdict_infer(&v, &w->known);
	l->fn(l->arg, &w->m, &v);
}

static void on_loss(void *arg, const struct learn_server *server)
{
	struct lookback *l = arg;

	/* Where there are many servers each new one has another forgotten, for which few wait. */
	if (!*place_of(l, server))
		return;
	for (struct waiting *w = l->first; w; w = w->next)
		if (w->ticket.server == server)
			ask_again(l, w);
}

struct lookback *lookback_new(struct learn_book *book, lookback_fn fn, void *arg)
{
	struct lookback *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	*l = (struct lookback){.book = book, .fn = fn, .arg = arg, .last = &l->first};
	learn_on_loss(book, on_loss, l);
	return l;
}

/* Take the first one out; @wanted: and hand it over. */
static void take_first(struct lookback *l, bool wanted)
{
	struct waiting *w = l->first;

	l->first = w->next;
	if (!l->first)
		l->last = &l->first;
	l->count--;
	if (wanted)
		hand_over(l, w);
	free(w);
}

void lookback_free(struct lookback *l)
{
	if (!l)
		return;
	learn_on_loss(l->book, NULL, NULL);
	while (l->first)
		take_first(l, false);
	free(l);
}

void lookback_flush(struct lookback *l)
{
	while (l->first)
		take_first(l, true);
}

/* Judge it. Returns true when others changed what it tells by itself. */
static bool judge(struct lookback *l, const struct as_handshake *hs, struct verdict *v,
		  struct learn_ticket *ticket)
{
	enum outcome outcome;
	enum grade grade;

	verdict_outcome(hs, v);
	outcome = v->outcome;
	grade = v->grade;
	*ticket = learn_verdict(l->book, hs, v);
	return v->outcome != outcome || v->grade != grade;
}

void lookback_add(struct lookback *l, const struct merged *m)
{
	struct waiting *w = calloc(1, sizeof(*w));
	struct learn_ticket ticket;
	struct verdict v;

	if (!w) {
		lookback_flush(l);
		judge(l, &m->hs, &v, &ticket);
		l->fn(l->arg, m, &v);
		return;
	}
	merged_copy(&w->m, m);
	if (judge(l, &w->m.hs, &v, &w->ticket))
		keep(w, &v);
	if (w->ticket.server)
		++*place_of(l, w->ticket.server);
	*l->last = w;
	l->last = &w->next;
	l->count++;
	while (l->first && (!l->first->ticket.server || l->count > LOOKBACK_MAX))
		take_first(l, true);
}
