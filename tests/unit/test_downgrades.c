// SPDX-License-Identifier: GPL-2.0-only
/* alpn_downgrade_signals_total, and what the text for another program's exposition has. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "metrics.h"
#include "sample_event.h"

#define LABELS "service_name=\"nginx.service\",server_port=\"443\",role=\"server\""

static const struct metrics_self self = {
	.start_time = 1700000000, .version = "0.1.0", .libbpf = "1.1.2", .hook = "tcx"};

static void count(struct aggregate *agg, bool scsv, bool sentinel)
{
	struct sample s;

	sample_init(&s, "h2");
	s.ev.verdict.scsv = scsv;
	s.ev.verdict.sentinel = sentinel;
	assert_int_equal(aggregate_event(agg, &s.ev), 0);
}

static void assert_signals(const struct aggregate *agg, unsigned int scsv, unsigned int sentinel)
{
	struct buf out = {0};
	char want[512];

	metrics_write(&out, EXPO_TEXT, agg, &self);
	snprintf(want, sizeof(want),
		 "# TYPE alpn_downgrade_signals_total counter\n"
		 "alpn_downgrade_signals_total{" LABELS ",signal=\"fallback_scsv\"} %u\n"
		 "alpn_downgrade_signals_total{" LABELS ",signal=\"downgrade_sentinel\"} %u\n",
		 scsv, sentinel);
	if (!strstr(out.data, want))
		fail_msg("not found:\n%s\nin:\n%s", want, out.data);
	buf_free(&out);
}

static void test_from_zero_on(void **state)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);

	(void)state;
	count(agg, false, false);
	assert_signals(agg, 0, 0);
	count(agg, true, false);
	assert_signals(agg, 1, 0);
	count(agg, false, true);
	count(agg, true, true);
	assert_signals(agg, 2, 2);
	aggregate_free(agg);
}

static void test_start_time(void **state)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	struct buf out = {0};

	(void)state;
	metrics_write(&out, EXPO_TEXT, agg, &self);
	assert_non_null(strstr(out.data, "# TYPE alpnscope_start_time_seconds gauge\n"
					 "alpnscope_start_time_seconds 1700000000\n"));
	buf_free(&out);
	aggregate_free(agg);
}

/* node_exporter has process_* of its own: two of a name are refused. */
static void test_guest(void **state)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	struct metrics_self guest = self;
	struct buf out = {0}, whole = {0};

	(void)state;
	guest.guest = true;
	count(agg, false, false);
	metrics_write(&whole, EXPO_TEXT, agg, &self);
	metrics_write(&out, EXPO_TEXT, agg, &guest);
	assert_non_null(strstr(whole.data, "\nprocess_start_time_seconds "));
	assert_null(strstr(out.data, "process_"));
	assert_memory_equal(out.data, whole.data, out.len); /* and nothing else is missing */
	assert_memory_equal(whole.data + out.len, "# HELP process_", 15);
	buf_free(&out);
	buf_free(&whole);
	aggregate_free(agg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_from_zero_on),
		cmocka_unit_test(test_start_time),
		cmocka_unit_test(test_guest),
	};

	return cmocka_run_group_tests_name("downgrades", tests, NULL, NULL);
}
