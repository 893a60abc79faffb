// SPDX-License-Identifier: GPL-2.0-only
#include "report_list.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum grpc_verdict grpc_verdict(const struct report_service *s)
{
	const struct report_grpc *g = &s->grpc;

	if (g->refused)
		return g->h2 ? GRPC_MIXED : GRPC_REFUSED;
	if (g->h2)
		return GRPC_READY;
	return g->unknown || g->followed ? GRPC_UNDETERMINED : GRPC_NOT_ASKED;
}

const char *grpc_verdict_name(enum grpc_verdict verdict)
{
	static const char *const names[] = {
		[GRPC_NOT_ASKED] = "not_asked",	      [GRPC_READY] = "ready",
		[GRPC_UNDETERMINED] = "undetermined", [GRPC_MIXED] = "mixed",
		[GRPC_REFUSED] = "refused",
	};

	return names[verdict];
}

/* "NAME:PORT" is a name too, when there is such a one: the whole is tried first. */
static bool is_named(const struct report_service *s, const char *asked, bool whole)
{
	const char *colon = strrchr(asked, ':');
	char port[8];

	if (whole)
		return !strcmp(s->key.name, asked);
	snprintf(port, sizeof(port), "%u", s->key.port);
	return colon && !strcmp(colon + 1, port) &&
	       strlen(s->key.name) == (size_t)(colon - asked) &&
	       !strncmp(s->key.name, asked, (size_t)(colon - asked));
}

static bool is_port(const struct event_filter *f, uint16_t port)
{
	for (unsigned int i = 0; i < f->port_count; i++)
		if (f->port[i] == port)
			return true;
	return !f->port_count;
}

static bool is_wanted(const struct report_service *s, const struct report_query *q, bool whole)
{
	unsigned int roles = q->roles;

	if (!roles && q->kind == REPORT_GRPC_READY)
		roles = 1U << ROLE_SERVER;
	if ((roles && !(roles & 1U << s->key.role)) || !is_port(&q->filter, s->key.port))
		return false;
	if (q->filter.fallback_only && !report_fallbacks(s))
		return false;
	if (q->kind == REPORT_EXPLAIN)
		return is_named(s, q->service, whole);
	return q->kind != REPORT_GRPC_READY || grpc_verdict(s) >= GRPC_UNDETERMINED;
}

static int by_number(uint64_t a, uint64_t b)
{
	return a < b ? 1 : a > b ? -1 : 0;
}

static int by_name(const struct report_service *a, const struct report_service *b)
{
	int order = strcmp(a->key.name, b->key.name);

	if (!order)
		order = by_number(b->key.port, a->key.port);
	return order ? order : by_number(b->key.role, a->key.role);
}

static uint64_t all_causes(const struct report_service *s)
{
	uint64_t count = 0;

	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		count += s->causes[cause];
	return count;
}

/* What needs an operator first: fallbacks, what clients do, what may be one, then the busiest. */
static int by_need(const void *x, const void *y)
{
	const struct report_service *a = *(const struct report_service *const *)x;
	const struct report_service *b = *(const struct report_service *const *)y;
	int order = by_number(report_fallbacks(a), report_fallbacks(b));

	order = order ? order : by_number(all_causes(a), all_causes(b));
	order = order ? order : by_number(a->maybe, b->maybe);
	order = order ? order : by_number(a->handshakes, b->handshakes);
	return order ? order : by_name(a, b);
}

static int by_readiness(const void *x, const void *y)
{
	const struct report_service *a = *(const struct report_service *const *)x;
	const struct report_service *b = *(const struct report_service *const *)y;
	int order = by_number(grpc_verdict(a), grpc_verdict(b));

	order = order ? order : by_number(a->grpc.refused, b->grpc.refused);
	return order ? order : by_name(a, b);
}

static void take(const struct report *report, const struct report_query *q, bool whole,
		 struct report_list *list)
{
	for (const struct report_service *s = report->services; s; s = s->hh.next)
		if (is_wanted(s, q, whole))
			list->service[list->count++] = s;
}

int report_select(const struct report *report, const struct report_query *q,
		  struct report_list *list)
{
	size_t most = HASH_COUNT(report->services);

	list->count = 0;
	list->service = calloc(most + 1, sizeof(struct report_service *));
	if (!list->service)
		return -ENOMEM;
	take(report, q, true, list);
	if (q->kind == REPORT_EXPLAIN && !list->count)
		take(report, q, false, list);
	qsort(list->service, list->count, sizeof(struct report_service *),
	      q->kind == REPORT_GRPC_READY ? by_readiness : by_need);
	return q->kind == REPORT_EXPLAIN && !list->count ? -ESRCH : 0;
}

struct report_mix report_mix_sorted(const struct report_mix *mix)
{
	struct report_mix sorted = *mix;

	for (unsigned int i = 1; i < sorted.used; i++)
		for (unsigned int j = i; j > 0; j--) {
			struct report_tally *a = &sorted.tally[j - 1], *b = &sorted.tally[j];
			struct report_tally t = *a;

			if (a->count > b->count ||
			    (a->count == b->count && strcmp(a->label, b->label) <= 0))
				break;
			*a = *b;
			*b = t;
		}
	return sorted;
}
