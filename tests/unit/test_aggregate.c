// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "aggregate.h"
#include "sample_event.h"

static void expect(struct event_side *side, enum expect_source source, const char *name)
{
	side->expect.source = source;
	side->expect.count = 1;
	strcpy(side->expect.name[0], name);
}

static const struct service_series *service_at(const struct aggregate *agg, unsigned int place)
{
	const struct series *s = agg->services;

	while (place--)
		s = s->hh.next;
	return (const struct service_series *)s;
}

static uint64_t total(const struct series *table)
{
	uint64_t sum = 0;

	for (const struct series *s = table; s; s = s->hh.next)
		sum += s->count;
	return sum;
}

static void test_same_labels_are_one_series(void **state)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	assert_int_equal(aggregate_event(agg, &s.ev), 0);
	assert_int_equal(aggregate_event(agg, &s.ev), 0);
	assert_int_equal(HASH_COUNT(agg->handshakes), 1);
	assert_int_equal(agg->handshakes->count, 2);
	assert_string_equal(agg->handshakes->id.service, "nginx.service");
	assert_int_equal(agg->handshakes->id.port, 443);
	assert_int_equal(agg->handshakes->id.role, ROLE_SERVER);
	assert_int_equal(agg->handshakes->id.outcome, OUTCOME_NEGOTIATED);
	assert_int_equal(agg->handshakes->id.peer_local, 0);
	assert_string_equal(agg->handshakes->id.offered, "h2");
	assert_string_equal(agg->handshakes->id.protocol, "h2");
	assert_int_equal(HASH_COUNT(agg->evidence), 1);
	assert_int_equal(agg->evidence->count, 2);
	assert_int_equal(agg->evidence->id.version, 0x0303);
	assert_int_equal(agg->evidence->id.evidence, EVIDENCE_SERVER_HELLO);
	assert_int_equal(agg->overflow, 0);
	aggregate_free(agg);
}

static void test_every_label_makes_a_series(void **state)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	aggregate_event(agg, &s.ev);
	s.hs.server_port = 8443;
	aggregate_event(agg, &s.ev);
	s.ev.side[0].role = ROLE_CLIENT;
	aggregate_event(agg, &s.ev);
	strcpy(s.ev.side[0].service, "curl");
	aggregate_event(agg, &s.ev);
	s.ev.verdict.chosen = name_of("http/1.1");
	aggregate_event(agg, &s.ev);
	s.ev.verdict.offered.name[0] = name_of("h3");
	aggregate_event(agg, &s.ev);
	s.ev.verdict.outcome = OUTCOME_VIOLATION;
	aggregate_event(agg, &s.ev);
	assert_int_equal(HASH_COUNT(agg->handshakes), 7);
	assert_int_equal(HASH_COUNT(agg->services), 4);
	assert_int_equal(total(agg->handshakes), 7);
	s.ev.verdict.version = 0x0302;
	aggregate_event(agg, &s.ev);
	assert_int_equal(HASH_COUNT(agg->handshakes), 7);
	/* nginx as server, nginx as client, curl as client, and that with TLS 1.1 */
	assert_int_equal(HASH_COUNT(agg->evidence), 4);
	aggregate_free(agg);
}

static void test_both_ends_local_count_in_both_roles(void **state)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	const struct series *second;
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	s.ev.side_count = 2;
	s.ev.side[1].role = ROLE_CLIENT;
	strcpy(s.ev.side[1].service, "envoy");
	aggregate_event(agg, &s.ev);
	assert_int_equal(HASH_COUNT(agg->handshakes), 2);
	second = agg->handshakes->hh.next;
	assert_string_equal(second->id.service, "envoy");
	assert_int_equal(second->id.role, ROLE_CLIENT);
	assert_int_equal(second->id.port, 443);
	assert_int_equal(second->id.peer_local, 1);
	assert_int_equal(agg->handshakes->id.peer_local, 1);
	assert_int_equal(agg->delay[ROLE_SERVER].count, 1);
	assert_int_equal(agg->delay[ROLE_CLIENT].count, 1);
	assert_int_equal(agg->delay[ROLE_TRANSIT].count, 0);
	aggregate_free(agg);
}

static void test_orphan(void **state)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	s.hs.kind = AS_KIND_ORPHAN;
	verdict_outcome(&s.hs, &s.ev.verdict);
	aggregate_event(agg, &s.ev);
	assert_int_equal(agg->handshakes->id.outcome, OUTCOME_INCOMPLETE);
	assert_string_equal(agg->handshakes->id.offered, "unknown");
	assert_string_equal(agg->handshakes->id.protocol, "unknown");
	assert_int_equal(agg->delay[ROLE_SERVER].count, 0);
	aggregate_free(agg);
}

static void test_service_counters(void **state)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	const struct service_series *service;
	struct sample s;

	(void)state;
	sample_init(&s, "http/1.1");
	for (enum cause c = CAUSE_NONE; c < CAUSE_COUNT; c++) {
		s.ev.side[0].cause = c;
		for (unsigned int i = 0; i < c; i++)
			aggregate_event(agg, &s.ev);
	}
	s.ev.side[0].cause = CAUSE_NONE;
	s.ev.verdict.outcome = OUTCOME_REJECTED;
	aggregate_event(agg, &s.ev);
	s.ev.verdict.outcome = OUTCOME_VIOLATION;
	aggregate_event(agg, &s.ev);
	aggregate_event(agg, &s.ev);
	service = service_at(agg, 0);
	assert_int_equal(service->fallbacks[CAUSE_SERVER_DECLINED], 1);
	assert_int_equal(service->fallbacks[CAUSE_SERVER_NO_ALPN], 2);
	assert_int_equal(service->fallbacks[CAUSE_CLIENT_PREFERRED], 3);
	assert_int_equal(service->fallbacks[CAUSE_CLIENT_NOT_OFFERED], 4);
	assert_int_equal(service->fallbacks[CAUSE_CLIENT_NO_ALPN], 5);
	assert_int_equal(service->rejections, 1);
	assert_int_equal(service->violations, 2);
	assert_int_equal(service->series.count, 1 + 2 + 3 + 4 + 5 + 1 + 2);
	aggregate_free(agg);
}

static void test_last_fallback_is_the_servers_doing(void **state)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	const struct service_series *service;
	struct sample s;

	(void)state;
	sample_init(&s, "http/1.1");
	s.ev.side[0].cause = CAUSE_CLIENT_NO_ALPN;
	aggregate_event(agg, &s.ev);
	service = service_at(agg, 0);
	assert_int_equal(service->last_fallback_ns, 0);
	s.ev.side[0].cause = CAUSE_SERVER_DECLINED;
	s.ev.wall_ns = 500;
	aggregate_event(agg, &s.ev);
	assert_int_equal(service->last_fallback_ns, 500);
	s.ev.wall_ns = 400; /* began earlier, ended later */
	aggregate_event(agg, &s.ev);
	assert_int_equal(service->last_fallback_ns, 500);
	assert_int_equal(service->last_expected_ns, 0);
	aggregate_free(agg);
}

static void test_last_expected(void **state)
{
	static const struct {
		const char *expected, *chosen;
		enum outcome outcome;
		enum cause cause;
		bool met;
	} rows[] = {
		{"h2", "h2", OUTCOME_NEGOTIATED, CAUSE_NONE, true},
		{"h2", "istio-h2", OUTCOME_NEGOTIATED, CAUSE_NONE, true}, /* same family */
		{"mqtt", "mqtt", OUTCOME_NEGOTIATED, CAUSE_NONE, true},
		{"h2", "http/1.1", OUTCOME_NEGOTIATED, CAUSE_SERVER_DECLINED, false},
		{"h2", "http/1.1", OUTCOME_NEGOTIATED, CAUSE_NONE, false}, /* h2 not offered */
		{"mqtt", "imap", OUTCOME_NEGOTIATED, CAUSE_NONE, false},
		{"h2", "h2", OUTCOME_VIOLATION, CAUSE_NONE, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
		struct sample s;

		sample_init(&s, rows[i].chosen);
		expect(&s.ev.side[0], EXPECT_OBSERVED, rows[i].expected);
		s.ev.verdict.outcome = rows[i].outcome;
		s.ev.side[0].cause = rows[i].cause;
		aggregate_event(agg, &s.ev);
		if ((service_at(agg, 0)->last_expected_ns == s.ev.wall_ns) != rows[i].met)
			fail_msg("row %zu: %s chosen, %s expected", i, rows[i].chosen,
				 rows[i].expected);
		aggregate_free(agg);
	}
}

static void test_expectation_that_stands(void **state)
{
	static const struct {
		enum expect_source then, now;
		const char *then_name, *now_name, *stands;
	} rows[] = {
		{EXPECT_OBSERVED, EXPECT_OBSERVED, "http/1.1", "h2", "h2"},
		{EXPECT_OBSERVED, EXPECT_OBSERVED, "h2", "http/1.1", "h2"}, /* another name's */
		{EXPECT_OBSERVED, EXPECT_NONE, "h2", "", "h2"},
		{EXPECT_OBSERVED, EXPECT_CONFIGURED, "h2", "http/1.1", "http/1.1"},
		{EXPECT_CONFIGURED, EXPECT_CONFIGURED, "h2", "http/1.1", "http/1.1"},
		{EXPECT_CONFIGURED, EXPECT_OBSERVED, "h2", "http/1.1", "http/1.1"},
		{EXPECT_NONE, EXPECT_OBSERVED, "", "h2", "h2"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
		struct sample s;

		sample_init(&s, "h2");
		expect(&s.ev.side[0], rows[i].then, rows[i].then_name);
		aggregate_event(agg, &s.ev);
		expect(&s.ev.side[0], rows[i].now, rows[i].now_name);
		aggregate_event(agg, &s.ev);
		if (strcmp(service_at(agg, 0)->expect.name[0], rows[i].stands))
			fail_msg("row %zu: %s stands", i, service_at(agg, 0)->expect.name[0]);
		aggregate_free(agg);
	}
}

static void test_configuration_taken_away(void **state)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	expect(&s.ev.side[0], EXPECT_CONFIGURED, "h2");
	aggregate_event(agg, &s.ev);
	memset(&s.ev.side[0].expect, 0, sizeof(s.ev.side[0].expect));
	aggregate_event(agg, &s.ev);
	assert_int_equal(service_at(agg, 0)->expect.source, EXPECT_NONE);
	aggregate_free(agg);
}

static void test_delay_buckets(void **state)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	const struct delay *d = &agg->delay[ROLE_SERVER];
	static const uint64_t delays[] = {100000, 100001, 10000000000, 10000000001};
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	for (size_t i = 0; i < 4; i++) {
		s.hs.server_ns = s.hs.hello_ns + delays[i];
		aggregate_event(agg, &s.ev);
	}
	s.hs.server_ns = 0; /* no answer: no delay */
	aggregate_event(agg, &s.ev);
	assert_int_equal(d->bucket[0], 1); /* a bound belongs to its bucket */
	assert_int_equal(d->bucket[1], 1);
	assert_int_equal(d->bucket[AGGREGATE_DELAY_BUCKETS - 2], 1);
	assert_int_equal(d->bucket[AGGREGATE_DELAY_BUCKETS - 1], 1);
	assert_int_equal(d->count, 4);
	assert_int_equal(d->sum_ns, 20000200002);
	aggregate_free(agg);
}

static void test_bounds_and_labels_agree(void **state)
{
	(void)state;
	for (unsigned int i = 0; i + 1 < AGGREGATE_DELAY_BUCKETS; i++) {
		const struct delay_bound *b = &aggregate_delay_bounds[i];
		double seconds;

		assert_int_equal(sscanf(b->le, "%lf", &seconds), 1);
		assert_int_equal((uint64_t)(seconds * 1e9 + 0.5), b->ns);
		assert_true(b->ns < b[1].ns);
	}
	assert_string_equal(aggregate_delay_bounds[AGGREGATE_DELAY_BUCKETS - 1].le, "+Inf");
}

/* A certificate authority that checks, and is refused: nobody's clients. */
static void test_acme_is_no_rejection(void **state)
{
	static const char *const offers[] = {"acme-tls/1", "foo", "acme-tls/1"};
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	s.ev.verdict.outcome = OUTCOME_REJECTED;
	s.ev.verdict.has_chosen = false;
	s.ev.verdict.offered.count = 1;
	for (unsigned int i = 0; i < 3; i++) {
		s.ev.verdict.offered.name[0] = name_of(offers[i]);
		aggregate_event(agg, &s.ev);
	}
	assert_int_equal(total(agg->handshakes), 3);
	assert_int_equal(service_at(agg, 0)->rejections, 1);
	s.ev.verdict.offered.count = 2;
	s.ev.verdict.offered.name[1] = name_of("h2");
	aggregate_event(agg, &s.ev);
	assert_int_equal(service_at(agg, 0)->rejections, 2);
	aggregate_free(agg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_labels_are_one_series),
		cmocka_unit_test(test_every_label_makes_a_series),
		cmocka_unit_test(test_both_ends_local_count_in_both_roles),
		cmocka_unit_test(test_orphan),
		cmocka_unit_test(test_service_counters),
		cmocka_unit_test(test_last_fallback_is_the_servers_doing),
		cmocka_unit_test(test_last_expected),
		cmocka_unit_test(test_expectation_that_stands),
		cmocka_unit_test(test_configuration_taken_away),
		cmocka_unit_test(test_delay_buckets),
		cmocka_unit_test(test_bounds_and_labels_agree),
		cmocka_unit_test(test_acme_is_no_rejection),
	};

	return cmocka_run_group_tests_name("aggregate", tests, NULL, NULL);
}
