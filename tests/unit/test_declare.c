// SPDX-License-Identifier: GPL-2.0-only
/* aggregate.c: services that are known before their first handshake, and their reserved room. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "metrics.h"
#include "sample_event.h"

static const struct expectation none, seen_h1 = {EXPECT_OBSERVED, 1, {"http/1.1"}},
				      seen_h2 = {EXPECT_OBSERVED, 1, {"h2"}},
				      told_h3 = {EXPECT_CONFIGURED, 1, {"h3"}};

static void has(const struct aggregate *agg, const char *line, bool there)
{
	const struct metrics_self self = {.version = "", .libbpf = "", .hook = ""};
	struct buf out = {0};

	metrics_write(&out, EXPO_TEXT, agg, &self);
	if (!strstr(out.data, line) == there)
		fail_msg("%s: %s\n%s", there ? "missing" : "is there", line, out.data);
	buf_free(&out);
}

static void series_begin_at_zero(void **state)
{
	struct aggregate *agg = aggregate_new(100);

	(void)state;
	assert_int_equal(aggregate_declare(agg, "shop", 443, ROLE_SERVER, &told_h3, true), 0);
	has(agg,
	    "\nalpn_fallbacks_total{service_name=\"shop\",server_port=\"443\",role=\"server\","
	    "cause=\"server_declined\"} 0\n",
	    true);
	has(agg,
	    "\nalpn_rejections_total{service_name=\"shop\",server_port=\"443\",role=\"server\"} "
	    "0\n",
	    true);
	has(agg,
	    "\nalpn_violations_total{service_name=\"shop\",server_port=\"443\",role=\"server\"} "
	    "0\n",
	    true);
	has(agg,
	    "\nalpn_service_expected_info{service_name=\"shop\",server_port=\"443\","
	    "role=\"server\",expected_protocol=\"h3\",source=\"configured\"} 1\n",
	    true);
	has(agg, "alpn_handshakes_total{", false);
	aggregate_free(agg);
}

static const struct expectation *expected(const struct aggregate *agg)
{
	return &((const struct service_series *)agg->services)->expect;
}

static void the_better_word_stands(void **state)
{
	struct aggregate *agg = aggregate_new(100);

	(void)state;
	aggregate_declare(agg, "a", 1, ROLE_SERVER, &none, true);
	assert_int_equal(expected(agg)->source, EXPECT_NONE);
	aggregate_declare(agg, "a", 1, ROLE_SERVER, &seen_h2, false);
	aggregate_declare(agg, "a", 1, ROLE_SERVER, &seen_h1, false);
	assert_string_equal(expected(agg)->name[0], "h2");
	aggregate_declare(agg, "a", 1, ROLE_SERVER, &told_h3, true);
	aggregate_declare(agg, "a", 1, ROLE_SERVER, &seen_h2, false);
	assert_string_equal(expected(agg)->name[0], "h3");
	aggregate_expect_nothing(agg);
	assert_int_equal(expected(agg)->source, EXPECT_NONE);
	assert_int_equal(HASH_COUNT(agg->services), 1);
	aggregate_free(agg);
}

/* 24 series: 2 services of their own, 24 series of handshakes. */
static void configured_services_have_their_room(void **state)
{
	struct aggregate *agg = aggregate_new(24);
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	for (int i = 0; i < 5; i++) {
		snprintf(s.ev.side[0].service, SERVICE_NAME_MAX, "flood%d", i);
		assert_int_equal(aggregate_event(agg, &s.ev), 0);
	}
	assert_int_equal(agg->overflow, 3);
	aggregate_declare(agg, "seen", 443, ROLE_SERVER, &seen_h2, false);
	has(agg, "service_name=\"seen\"", false); /* would have gone to _overflow */
	aggregate_declare(agg, "shop", 443, ROLE_SERVER, &told_h3, true);
	strcpy(s.ev.side[0].service, "shop");
	s.ev.side[0].reserved = true;
	for (int i = 0; i < 50; i++) { /* more series than the table has room for */
		s.ev.verdict.outcome = (enum outcome)(i % OUTCOME_COUNT);
		s.ev.verdict.grade = (enum grade)(i % 3);
		s.ev.side_count = 1;
		s.ev.verdict.version = (uint16_t)(0x0301 + i % 4);
		assert_int_equal(aggregate_event(agg, &s.ev), 0);
	}
	assert_int_equal(agg->overflow, 3);
	/* no longer configured: as any other from here on */
	aggregate_expect_nothing(agg);
	s.ev.side[0].reserved = false;
	s.ev.verdict.outcome = OUTCOME_NEGOTIATED;
	for (int i = 0; i < 50; i++) {
		s.ev.verdict.chosen = name_of(i % 2 ? "imap" : "pop3");
		s.ev.verdict.version = (uint16_t)i;
		assert_int_equal(aggregate_event(agg, &s.ev), 0);
	}
	assert_true(agg->overflow > 3);
	aggregate_free(agg);
}

/* A configured name does not make a port that somebody invents a service of this host. */
static void invented_ports_have_half(void **state)
{
	struct aggregate *agg = aggregate_new(120);
	struct sample s;

	(void)state;
	sample_init(&s, "h2");
	strcpy(s.ev.side[0].service, "shop");
	s.ev.side[0].unowned = true;
	for (int i = 0; i < 20; i++) {
		s.hs.server_port = (uint16_t)(1000 + i);
		assert_int_equal(aggregate_event(agg, &s.ev), 0);
	}
	assert_int_equal(HASH_COUNT(agg->services), 5 + 1); /* and _overflow */
	s.ev.side[0].unowned = false;
	s.hs.server_port = 443;
	assert_int_equal(aggregate_event(agg, &s.ev), 0);
	assert_int_equal(HASH_COUNT(agg->services), 7);
	assert_int_equal(agg->overflow, 15);
	aggregate_free(agg);
}

static void the_time_of_the_configuration(void **state)
{
	struct metrics_self self = {.version = "", .libbpf = "", .hook = ""};
	struct aggregate *agg = aggregate_new(10);
	struct buf out = {0};

	(void)state;
	self.config_loaded_ns = INT64_C(1767323045678901234);
	metrics_write(&out, EXPO_TEXT, agg, &self);
	assert_non_null(strstr(out.data, "\nalpnscope_config_last_reload_successful 0\n"));
	assert_non_null(strstr(out.data, "\nalpnscope_config_last_reload_success_timestamp_seconds "
					 "1767323045.678901234\n"));
	buf_free(&out);
	has(agg, "alpnscope_config_last_reload_success_timestamp_seconds", false);
	aggregate_free(agg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(series_begin_at_zero),
		cmocka_unit_test(the_better_word_stands),
		cmocka_unit_test(configured_services_have_their_room),
		cmocka_unit_test(invented_ports_have_half),
		cmocka_unit_test(the_time_of_the_configuration),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
