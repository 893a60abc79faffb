// SPDX-License-Identifier: GPL-2.0-only
#include "lookback.h"

#include <stdlib.h>

/* @ticket.server: NULL when it does not wait for itself. */
struct waiting {
	struct waiting *next;
	struct learn_ticket ticket;
	struct verdict verdict; /* points into m */
	struct merged m;
};

struct lookback {
	struct learn_book *book;
	lookback_fn fn;
	void *arg;
	struct waiting *first, **last;
	unsigned int count;
};

static void ask_again(struct waiting *w)
{
	if (w->ticket.server)
		learn_again(&w->ticket, &w->m.hs, &w->verdict);
	w->ticket.server = NULL;
}

static void on_loss(void *arg, const struct learn_server *server)
{
	struct lookback *l = arg;

	for (struct waiting *w = l->first; w; w = w->next)
		if (w->ticket.server == server)
			ask_again(w);
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

/* Take the first one out, and hand it over unless that is not wanted any more. */
static void take_first(struct lookback *l, bool hand_over)
{
	struct waiting *w = l->first;

	l->first = w->next;
	if (!l->first)
		l->last = &l->first;
	l->count--;
	if (hand_over) {
		ask_again(w);
		l->fn(l->arg, &w->m, &w->verdict);
	}
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

static void add_without_memory(struct lookback *l, const struct merged *m)
{
	struct verdict v;

	lookback_flush(l);
	verdict_outcome(&m->hs, &v);
	learn_verdict(l->book, &m->hs, &v);
	l->fn(l->arg, m, &v);
}

void lookback_add(struct lookback *l, const struct merged *m)
{
	struct waiting *w = malloc(sizeof(*w));

	if (!w) {
		add_without_memory(l, m);
		return;
	}
	w->m = *m;
	w->next = NULL;
	verdict_outcome(&w->m.hs, &w->verdict);
	w->ticket = learn_verdict(l->book, &w->m.hs, &w->verdict);
	*l->last = w;
	l->last = &w->next;
	l->count++;
	while (l->first && (!l->first->ticket.server || l->count > LOOKBACK_MAX))
		take_first(l, true);
}
