// SPDX-License-Identifier: GPL-2.0-only
#include "aggregate.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "text.h"

#define MS UINT64_C(1000000)

/* OpenMetrics 1.0.0 wants `le` as a float in its shortest form, "1.0" for one. */
const struct delay_bound aggregate_delay_bounds[AGGREGATE_DELAY_BUCKETS] = {
	{MS / 10, "0.0001"},	{MS / 4, "0.00025"}, {MS / 2, "0.0005"}, {MS, "0.001"},
	{MS * 5 / 2, "0.0025"}, {MS * 5, "0.005"},   {MS * 10, "0.01"},	 {MS * 25, "0.025"},
	{MS * 50, "0.05"},	{MS * 100, "0.1"},   {MS * 250, "0.25"}, {MS * 500, "0.5"},
	{MS * 1000, "1.0"},	{MS * 2500, "2.5"},  {MS * 5000, "5.0"}, {MS * 10000, "10.0"},
	{UINT64_MAX, "+Inf"},
};

struct aggregate *aggregate_new(size_t max_series)
{
	struct aggregate *agg = calloc(1, sizeof(*agg));

	if (agg)
		agg->max_series = max_series;
	return agg;
}

static void table_free(struct series *table)
{
	struct series *s, *next;

	HASH_ITER (hh, table, s, next) {
		HASH_DEL(table, s);
		free(s);
	}
}

void aggregate_free(struct aggregate *agg)
{
	if (!agg)
		return;
	table_free(agg->handshakes);
	table_free(agg->evidence);
	table_free(agg->services);
	table_free(agg->listening);
	address_labels_clear(&agg->addresses);
	free(agg);
}

/* Of a table's @limit: what no local workload is known of can be invented from the wire (any port
 * of this host or of a forwarded one), so it may fill a table by half only; a client of this host
 * may dial any port, and all of them fill it by three quarters. The rest is for servers. */
static size_t share(size_t limit, const char *service, enum role role, bool unowned)
{
	if (unowned || !strcmp(service, "unknown"))
		return limit / 2;
	return role == ROLE_CLIENT ? limit / 4 * 3 : limit;
}

static bool is_overflow(const struct series *s)
{
	return !strcmp(s->id.service, AGGREGATE_OVERFLOW);
}

static void make_overflow(struct series_id *id)
{
	memset(id->service, 0, sizeof(id->service));
	strcpy(id->service, AGGREGATE_OVERFLOW);
	memset(id->address, 0, sizeof(id->address));
	id->port = 0;
}

/* The series of @id in @table, made with @size bytes if need be; when the table is full
 * that of the overflow, so that totals stay right. NULL when out of memory. A limit of SIZE_MAX
 * is none. */
static struct series *series_get(struct series **table, size_t limit, const struct series_id *id,
				 size_t size)
{
	struct series_id want = *id;
	struct series *s;

	HASH_FIND(hh, *table, &want, sizeof(want), s);
	if (!s && HASH_COUNT(*table) >= limit) {
		make_overflow(&want);
		HASH_FIND(hh, *table, &want, sizeof(want), s);
	}
	if (s)
		return s;
	s = calloc(1, size);
	if (!s)
		return NULL;
	s->id = want;
	HASH_ADD(hh, *table, id, sizeof(s->id), s);
	if (!s->hh.tbl) {
		free(s);
		return NULL;
	}
	return s;
}

static void count_service(struct service_series *s, const struct event *ev,
			  const struct event_side *side)
{
	s->series.count++;
	if (side->cause != CAUSE_NONE)
		s->fallbacks[side->cause]++;
	if (ev->verdict.outcome == OUTCOME_REJECTED && !verdict_is_acme_only(&ev->verdict))
		s->rejections++;
	if (ev->verdict.outcome == OUTCOME_VIOLATION)
		s->violations++;
	s->downgrades[DOWNGRADE_FALLBACK_SCSV] += ev->verdict.scsv;
	s->downgrades[DOWNGRADE_SENTINEL] += ev->verdict.sentinel;
	/* handshakes end in another order than they began in */
	if (cause_is_fallback(side->cause) && ev->wall_ns > s->last_fallback_ns)
		s->last_fallback_ns = ev->wall_ns;
	if (verdict_expected(&ev->verdict, &side->expect, side->cause) &&
	    ev->wall_ns > s->last_expected_ns)
		s->last_expected_ns = ev->wall_ns;
	if (!is_overflow(&s->series))
		expectation_join(&s->expect, &side->expect);
}

static void count_delay(struct delay *d, const struct as_handshake *hs)
{
	uint64_t ns = hs->server_ns - hs->hello_ns;
	unsigned int i = 0;

	if (hs->kind == AS_KIND_ORPHAN || !hs->hello_ns || hs->server_ns < hs->hello_ns)
		return;
	while (ns > aggregate_delay_bounds[i].ns)
		i++;
	d->bucket[i]++;
	d->count++;
	d->sum_ns += ns;
}

static void handshake_labels(struct series_id *id, const struct event *ev)
{
	text_copy(id->offered, sizeof(id->offered), verdict_offered_class(ev->hs, &ev->verdict));
	text_copy(id->protocol, sizeof(id->protocol), verdict_protocol_label(&ev->verdict));
	id->outcome = (uint8_t)ev->verdict.outcome;
	id->peer_local = ev->side_count > 1;
}

static void service_id(struct series_id *id, const char *service, uint16_t port, enum role role)
{
	memset(id, 0, sizeof(*id));
	text_copy(id->service, sizeof(id->service), service);
	id->port = port;
	id->role = (uint8_t)role;
}

static size_t services_max(const struct aggregate *agg)
{
	return agg->max_series / AGGREGATE_SERVICE_SERIES;
}

int aggregate_declare(struct aggregate *agg, const char *service, uint16_t port, enum role role,
		      const struct expectation *expect, bool reserved)
{
	struct service_series *s;
	struct series_id id;
	struct series *have;

	service_id(&id, service, port, role);
	HASH_FIND(hh, agg->services, &id, sizeof(id), have);
	if (!have && !reserved &&
	    HASH_COUNT(agg->services) >= share(services_max(agg), service, role, false))
		return 0;
	s = (struct service_series *)series_get(&agg->services, SIZE_MAX, &id, sizeof(*s));
	if (!s)
		return -ENOMEM;
	if (s->expect.source != EXPECT_CONFIGURED || expect->source == EXPECT_CONFIGURED)
		expectation_join(&s->expect, expect);
	return 0;
}

void aggregate_expect_nothing(struct aggregate *agg)
{
	for (struct series *s = agg->services; s; s = s->hh.next) {
		struct service_series *service = (struct service_series *)s;

		memset(&service->expect, 0, sizeof(service->expect));
	}
}

static bool listens(const struct aggregate *agg, const struct series_id *id)
{
	struct series *s = NULL;

	if (agg->listeners < AGGREGATE_LISTENERS_MAX)
		HASH_FIND(hh, agg->listening, id, sizeof(*id), s);
	return s;
}

int aggregate_listen(struct aggregate *agg, const char *service, uint16_t port)
{
	struct series_id id;

	service_id(&id, service, port, ROLE_SERVER);
	if (listens(agg, &id) || HASH_COUNT(agg->listening) >= AGGREGATE_LISTENERS_MAX)
		return 0;
	return series_get(&agg->listening, SIZE_MAX, &id, sizeof(struct series)) ? 0 : -ENOMEM;
}

void aggregate_listen_anew(struct aggregate *agg)
{
	table_free(agg->listening);
	agg->listening = NULL;
}

/* The service of @side, or the overflow's; NULL when out of memory. */
static struct service_series *service_of(struct aggregate *agg, const struct event *ev,
					 const struct event_side *side)
{
	size_t limit = share(services_max(agg), side->service, side->role, side->unowned);
	struct service_series *s;
	struct series_id id;
	struct series *have;

	service_id(&id, side->service, ev->hs->server_port, side->role);
	HASH_FIND(hh, agg->services, &id, sizeof(id), have);
	s = (struct service_series *)have;
	if (s && s->listens)
		return s;
	if (side->reserved)
		limit = SIZE_MAX;
	if (side->reserved || !listens(agg, &id))
		return (struct service_series *)series_get(&agg->services, limit, &id, sizeof(*s));
	s = (struct service_series *)series_get(&agg->services, SIZE_MAX, &id, sizeof(*s));
	if (s) {
		s->listens = true;
		agg->listeners++;
	}
	return s;
}

static int count_side(struct aggregate *agg, const struct event *ev, const struct event_side *side)
{
	struct series *handshakes, *evidence;
	struct series_id id, by_evidence;
	struct service_series *service = service_of(agg, ev, side);
	size_t limit = share(agg->max_series, side->service, side->role, side->unowned);

	if (!service)
		return -ENOMEM;
	if (side->reserved || service->listens)
		limit = SIZE_MAX; /* its labels have few values */
	id = service->series.id; /* one that found no place has none in the other tables */
	by_evidence = id;
	by_evidence.port = 0;
	by_evidence.version = ev->verdict.version;
	by_evidence.evidence = (uint8_t)ev->verdict.evidence;
	by_evidence.grade = (uint8_t)ev->verdict.grade;
	handshake_labels(&id, ev);
	if (side->role == ROLE_CLIENT && !is_overflow(&service->series))
		address_label(&agg->addresses, ev, id.address);
	handshakes = series_get(&agg->handshakes, limit, &id, sizeof(*handshakes));
	evidence = series_get(&agg->evidence, limit, &by_evidence, sizeof(*evidence));
	if (!handshakes || !evidence)
		return -ENOMEM;
	handshakes->count++;
	evidence->count++;
	count_service(service, ev, side);
	count_delay(&agg->delay[side->role], ev->hs);
	if (is_overflow(&service->series) || is_overflow(handshakes) || is_overflow(evidence))
		agg->overflow++;
	return 0;
}

int aggregate_event(struct aggregate *agg, const struct event *ev)
{
	int err = 0;

	for (unsigned int i = 0; i < ev->side_count; i++) {
		int side_err = count_side(agg, ev, &ev->side[i]);

		err = side_err ? side_err : err;
	}
	return err;
}
