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

/* 120 series: as many of handshakes and of evidence, 10 services of 12. */
static void test_services_overflow(void **state)
{
	struct aggregate *agg = aggregate_new(120);
	const struct service_series *rest;
	struct sample s;

	(void)state;
	sample_init(&s, "http/1.1");
	s.ev.side[0].expect = (struct expectation){EXPECT_CONFIGURED, 1, {"h2"}};
	s.ev.side[0].cause = CAUSE_SERVER_DECLINED;
	for (unsigned int i = 0; i < 17; i++) {
		snprintf(s.ev.side[0].service, SERVICE_NAME_MAX, "app%u", i);
		aggregate_event(agg, &s.ev);
	}
	assert_int_equal(HASH_COUNT(agg->services), 11);
	assert_int_equal(HASH_COUNT(agg->handshakes), 11);
	assert_int_equal(agg->overflow, 7);
	rest = service_at(agg, 10);
	assert_string_equal(rest->series.id.service, "_overflow");
	assert_int_equal(rest->series.id.port, 0);
	assert_int_equal(rest->series.id.role, ROLE_SERVER);
	assert_int_equal(rest->fallbacks[CAUSE_SERVER_DECLINED], 7);
	assert_int_equal(rest->expect.source, EXPECT_NONE); /* whose would it be? */
	assert_int_equal(total(agg->handshakes), 17);
	assert_int_equal(total(agg->evidence), 17);
	strcpy(s.ev.side[0].service, "app0"); /* who was first keeps his place */
	aggregate_event(agg, &s.ev);
	assert_int_equal(service_at(agg, 0)->series.count, 2);
	assert_int_equal(agg->overflow, 7);
	aggregate_free(agg);
}

static void test_handshakes_overflow(void **state)
{
	static const char *const offers[] = {"h2", "h3"};
	struct aggregate *agg = aggregate_new(12);
	const struct series *rest;
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	for (enum outcome outcome = 0; outcome < OUTCOME_COUNT; outcome++) {
		for (unsigned int i = 0; i < 2; i++) {
			s.ev.verdict.outcome = outcome;
			s.ev.verdict.offered.name[0] = name_of(offers[i]);
			aggregate_event(agg, &s.ev);
		}
	}
	/* 8 outcomes of 2 offers each are 16 series, and there is room for 12 */
	assert_int_equal(total(agg->handshakes), 16);
	assert_int_equal(agg->overflow, 4);
	for (rest = agg->handshakes; strcmp(rest->id.service, "_overflow"); rest = rest->hh.next)
		;
	assert_int_equal(rest->id.port, 0);
	assert_int_equal(rest->id.outcome, 6); /* the other labels stay */
	assert_int_equal(total(rest), 4);
	assert_int_equal(HASH_COUNT(agg->services), 1);
	assert_int_equal(service_at(agg, 0)->series.count, 16);
	aggregate_free(agg);
}

/* A flood of invented ports must leave places for what has a name. */
static void test_nameless_take_half(void **state)
{
	struct aggregate *agg = aggregate_new(120);
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	strcpy(s.ev.side[0].service, "unknown");
	for (uint16_t port = 1; port <= 1000; port++) {
		s.hs.server_port = port;
		aggregate_event(agg, &s.ev);
	}
	assert_int_equal(HASH_COUNT(agg->services), 6); /* 5 of 10, and the rest */
	assert_int_equal(agg->overflow, 995);
	strcpy(s.ev.side[0].service, "nginx.service");
	s.hs.server_port = 443;
	aggregate_event(agg, &s.ev);
	assert_string_equal(service_at(agg, 6)->series.id.service, "nginx.service");
	assert_int_equal(agg->overflow, 995);
	assert_int_equal(total(agg->handshakes), 1001);
	aggregate_free(agg);
}

/* This host's clients may dial any port: a quarter is kept for servers. */
static void test_clients_take_three_quarters(void **state)
{
	struct aggregate *agg = aggregate_new(96); /* 8 services */
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	s.ev.side[0].role = ROLE_CLIENT;
	for (uint16_t port = 1; port <= 20; port++) {
		s.hs.server_port = port;
		aggregate_event(agg, &s.ev);
	}
	assert_int_equal(HASH_COUNT(agg->services), 6 + 1);
	assert_int_equal(agg->overflow, 14);
	s.ev.side[0].role = ROLE_SERVER;
	aggregate_event(agg, &s.ev);
	assert_int_equal(HASH_COUNT(agg->services), 8);
	assert_int_equal(agg->overflow, 14);
	aggregate_free(agg);
}

/* A full table, in which only who listens finds a place, and only at its own port. */
static void test_who_listens_has_a_place(void **state)
{
	struct aggregate *agg = aggregate_new(24);
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	assert_int_equal(aggregate_listen(agg, "sshd", 22), 0);
	assert_int_equal(aggregate_listen(agg, "nginx.service", 443), 0);
	assert_int_equal(HASH_COUNT(agg->services), 0); /* no series before the first handshake */
	for (uint16_t port = 1001; port <= 1003; port++) {
		s.hs.server_port = port;
		aggregate_event(agg, &s.ev);
	}
	assert_int_equal(agg->overflow, 1);
	s.hs.server_port = 443;
	for (int i = 0; i < 2 * OUTCOME_COUNT; i++) { /* and room for what it brings */
		s.ev.verdict.outcome = (enum outcome)(i / 2);
		s.ev.verdict.offered.name[0] = name_of(i % 2 ? "h2" : "h3");
		s.ev.verdict.version = (uint16_t)(0x0301 + i % 4);
		aggregate_event(agg, &s.ev);
	}
	assert_int_equal(agg->overflow, 1);
	assert_int_equal(service_at(agg, 3)->series.count, 2 * OUTCOME_COUNT);
	assert_string_equal(service_at(agg, 3)->series.id.service, "nginx.service");
	s.ev.side[0].role = ROLE_CLIENT; /* its own client is another */
	aggregate_event(agg, &s.ev);
	assert_int_equal(agg->overflow, 2);
	s.ev.side[0].role = ROLE_SERVER;
	aggregate_listen_anew(agg); /* it has gone: it keeps its place, and sshd has none */
	aggregate_event(agg, &s.ev);
	strcpy(s.ev.side[0].service, "sshd");
	s.hs.server_port = 22;
	assert_int_equal(agg->overflow, 2);
	aggregate_event(agg, &s.ev);
	assert_int_equal(agg->overflow, 3);
	aggregate_free(agg);
}

/* Who listens is bounded too. */
static void test_so_many_listeners(void **state)
{
	struct aggregate *agg = aggregate_new(24);
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	for (int twice = 0; twice < 2; twice++) {
		for (int i = 0; i < 1000; i++)
			aggregate_listen(agg, "app", (uint16_t)(1 + 1000 * twice + i));
		assert_int_equal(HASH_COUNT(agg->listening), AGGREGATE_LISTENERS_MAX);
		for (uint16_t port = 1; port <= 2000; port++) {
			strcpy(s.ev.side[0].service, "app");
			s.hs.server_port = port;
			aggregate_event(agg, &s.ev);
		}
		aggregate_listen_anew(agg);
	}
	assert_int_equal(agg->listeners, AGGREGATE_LISTENERS_MAX);
	assert_int_equal(HASH_COUNT(agg->services), AGGREGATE_LISTENERS_MAX + 1);
	assert_int_equal(agg->overflow, 2 * (2000 - AGGREGATE_LISTENERS_MAX));
	aggregate_free(agg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_services_overflow),
		cmocka_unit_test(test_handshakes_overflow),
		cmocka_unit_test(test_nameless_take_half),
		cmocka_unit_test(test_clients_take_three_quarters),
		cmocka_unit_test(test_who_listens_has_a_place),
		cmocka_unit_test(test_so_many_listeners),
	};

	return cmocka_run_group_tests_name("aggregate caps", tests, NULL, NULL);
}
