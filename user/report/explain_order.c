// SPDX-License-Identifier: GPL-2.0-only
#include <inttypes.h>
#include <string.h>

#include "explain.h"

static uint64_t chosen(const struct report_service *s, const char *label)
{
	for (unsigned int i = 0; i < s->mix.used; i++)
		if (!strcmp(s->mix.tally[i].label, label))
			return s->mix.tally[i].count;
	return 0;
}

/* It chose @got for @count clients that had listed @passed first. */
static void against_client(struct buf *out, const char *got, const char *passed, uint64_t count,
			   uint64_t speaks_passed)
{
	buf_printf(out, "the server's%s: it chose %s for %" PRIu64 " that listed %s first%s",
		   speaks_passed ? "" : ", or it does not speak the other", got, count, passed,
		   speaks_passed ? ", and it speaks both" : "");
}

static void with_client(struct buf *out, const char *got, uint64_t count)
{
	buf_printf(out,
		   "cannot be told: all %" PRIu64 " that offered both listed %s first and got it",
		   count, got);
}

static void contradictory(struct buf *out, const struct report_order *o)
{
	buf_printf(out,
		   "no one rule (server names differ, or its configuration changed): h2 first got "
		   "h2 %" PRIu64 ", http/1.1 %" PRIu64 " times; http/1.1 first got h2 %" PRIu64
		   ", http/1.1 %" PRIu64 " times",
		   o->h2_first.h2, o->h2_first.http1, o->http1_first.h2, o->http1_first.http1);
}

void explain_order(const struct report_service *s, struct buf *out)
{
	const struct report_order *o = &s->order;
	uint64_t a = o->h2_first.h2, b = o->h2_first.http1;
	uint64_t c = o->http1_first.h2, d = o->http1_first.http1;

	if (!(a || b || c || d))
		buf_puts(out, "cannot be told: no choice is known where both h2 and http/1.1 were "
			      "offered");
	else if (s->key.role == ROLE_CLIENT && s->peers.used > 1)
		buf_puts(out, "not told: it called several servers, each with an order of its own");
	else if ((a && b) || (c && d) || (b && c))
		contradictory(out, o);
	else if (a && d)
		buf_printf(out,
			   "the client's: %" PRIu64 " listed h2 first and got it, %" PRIu64
			   " listed http/1.1 first and got that",
			   a, d);
	else if (c)
		against_client(out, "h2", "http/1.1", c, chosen(s, "http/1.1"));
	else if (b)
		against_client(out, "http/1.1", "h2", b, chosen(s, "h2"));
	else if (a)
		with_client(out, "h2", a);
	else
		with_client(out, "http/1.1", d);
}
