// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "metrics.h"
#include "sample_event.h"

/* @service chose h2, and is expected to speak h2 or http/1.1. */
static void count_one(struct aggregate *agg, const char *service)
{
	struct event_side *side;
	struct sample s;

	sample_init(&s, "h2");
	side = &s.ev.side[0];
	snprintf(side->service, sizeof(side->service), "%s", service);
	side->expect.source = EXPECT_CONFIGURED;
	side->expect.count = 2;
	strcpy(side->expect.name[0], "h2");
	strcpy(side->expect.name[1], "http/1.1");
	assert_int_equal(aggregate_event(agg, &s.ev), 0);
}

static const struct metrics_self self = {
	.counter = {[AS_HELLOS] = 7, [AS_REPEAT_RETRY] = 2, [AS_LOST_RING_FULL] = 3},
	.in_flight = 4,
	.flow_table_limit = 65536,
	.reassembly_in_use = 171,
	.reassembly_limit = 512,
	.received = 13,
	.counted = 10,
	.merged = 1,
	.held = 2,
	.attached = 3,
	.failed = 1,
	.skipped = 2,
	.expectations_refused = 5,
	.learned_servers = 17,
	.learned_servers_evicted = 19,
	.config_loaded = true,
	.version = "0.1.0",
	.libbpf = "1.1.2",
	.hook = "tcx",
};

static void page(struct buf *out, enum expo_format format, const char *service)
{
	struct aggregate *agg = aggregate_new(AGGREGATE_SERIES_DEFAULT);

	count_one(agg, service);
	metrics_write(out, format, agg, &self);
	assert_false(out->failed);
	aggregate_free(agg);
}

static void assert_has(const struct buf *out, const char *text)
{
	if (!strstr(out->data, text))
		fail_msg("not found:\n%s\nin:\n%s", text, out->data);
}

static void test_text(void **state)
{
	struct buf out = {0};

	(void)state;
	page(&out, EXPO_TEXT, "nginx.service");
	assert_has(&out, "# TYPE alpn_handshakes_total counter\n"
			 "alpn_handshakes_total{service_name=\"nginx.service\",server_port=\"443\","
			 "role=\"server\",peer=\"remote\",transport=\"tcp\",offered=\"h2\","
			 "next_protocol=\"h2\",outcome=\"negotiated\"} 1\n");
	assert_has(&out, "# TYPE alpn_handshake_evidence_total counter\n"
			 "alpn_handshake_evidence_total{service_name=\"nginx.service\","
			 "role=\"server\",tls_version=\"1.2\",evidence=\"server_hello\","
			 "grade=\"none\"} 1\n");
	assert_has(&out, "# TYPE alpn_service_expected_info gauge\n"
			 "alpn_service_expected_info{service_name=\"nginx.service\","
			 "server_port=\"443\",role=\"server\","
			 "expected_protocol=\"h2,http/1.1\",source=\"configured\"} 1\n");
	assert_has(&out, "alpn_last_expected_timestamp_seconds{service_name=\"nginx.service\","
			 "server_port=\"443\",role=\"server\"} 1700000000.250000000\n");
	assert_null(strstr(out.data, "# EOF"));
	assert_null(strstr(out.data, "# UNIT"));
	buf_free(&out);
}

/* The first burst shows in increase() only if the series stood at 0 before. */
static void test_zeros_from_the_start(void **state)
{
	static const char *const causes[] = {"server_declined", "server_no_alpn",
					     "client_preferred", "client_not_offered",
					     "client_no_alpn"};
	struct buf out = {0};
	char line[256];

	(void)state;
	page(&out, EXPO_TEXT, "nginx.service");
	for (unsigned int i = 0; i < 5; i++) {
		snprintf(line, sizeof(line),
			 "\nalpn_fallbacks_total{service_name=\"nginx.service\","
			 "server_port=\"443\",role=\"server\",cause=\"%s\"} 0\n",
			 causes[i]);
		assert_has(&out, line);
	}
	assert_has(&out, "\nalpn_rejections_total{service_name=\"nginx.service\","
			 "server_port=\"443\",role=\"server\"} 0\n");
	assert_has(&out, "\nalpn_violations_total{service_name=\"nginx.service\","
			 "server_port=\"443\",role=\"server\"} 0\n");
	/* a time that never was is absent, not 1970 */
	assert_null(strstr(out.data, "\nalpn_last_fallback_timestamp_seconds{"));
	buf_free(&out);
}

static void test_histogram(void **state)
{
	struct buf out = {0};

	(void)state;
	page(&out, EXPO_TEXT, "nginx.service");
	assert_has(&out,
		   "# TYPE alpn_server_hello_delay_seconds histogram\n"
		   "alpn_server_hello_delay_seconds_bucket{role=\"server\",le=\"0.0001\"} 0\n");
	/* cumulative: 3 ms is in every bucket from 5 ms on */
	assert_has(&out, "alpn_server_hello_delay_seconds_bucket{role=\"server\",le=\"0.0025\"} 0\n"
			 "alpn_server_hello_delay_seconds_bucket{role=\"server\",le=\"0.005\"} 1\n"
			 "alpn_server_hello_delay_seconds_bucket{role=\"server\",le=\"0.01\"} 1\n");
	assert_has(&out, "alpn_server_hello_delay_seconds_bucket{role=\"server\",le=\"+Inf\"} 1\n"
			 "alpn_server_hello_delay_seconds_sum{role=\"server\"} 0.003000000\n"
			 "alpn_server_hello_delay_seconds_count{role=\"server\"} 1\n");
	assert_has(&out, "alpn_server_hello_delay_seconds_count{role=\"transit\"} 0\n");
	buf_free(&out);
}

static void test_self(void **state)
{
	struct buf out = {0};

	(void)state;
	page(&out, EXPO_TEXT, "nginx.service");
	assert_has(&out, "# HELP alpnscope_hellos_total ClientHello messages seen, repeats "
			 "included\n"
			 "# TYPE alpnscope_hellos_total counter\n"
			 "alpnscope_hellos_total 7\n");
	assert_has(&out, "# TYPE alpnscope_repeats_total counter\n"
			 "alpnscope_repeats_total{reason=\"again\"} 0\n"
			 "alpnscope_repeats_total{reason=\"retry\"} 2\n");
	assert_has(&out, "\nalpnscope_lost_total{reason=\"ring_full\"} 3\n");
	assert_has(&out, "\nalpnscope_orphan_lost_total{reason=\"ring_full\"} 0\n");
	assert_has(&out, "\nalpnscope_in_flight 4\n");
	assert_has(&out, "\nalpnscope_flow_table_limit 65536\n");
	assert_has(&out, "\nalpnscope_reassembly_in_use 171\n");
	assert_has(&out, "\nalpnscope_reassembly_table_limit 512\n");
	assert_has(&out, "\nalpnscope_events_received_total 13\n");
	assert_has(&out, "\nalpnscope_events_counted_total 10\n");
	assert_has(&out, "\nalpnscope_events_merged_total 1\n");
	assert_has(&out, "# TYPE alpnscope_events_held gauge\nalpnscope_events_held 2\n");
	assert_has(&out, "# TYPE alpnscope_interfaces gauge\n"
			 "alpnscope_interfaces{state=\"attached\"} 3\n"
			 "alpnscope_interfaces{state=\"failed\"} 1\n"
			 "alpnscope_interfaces{state=\"skipped\"} 2\n");
	assert_has(&out, "\nalpnscope_series_overflow_total 0\n");
	assert_has(&out, "\nalpnscope_expectations_refused_total 5\n");
	assert_has(&out, "# TYPE alpnscope_learned_servers gauge\nalpnscope_learned_servers 17\n");
	assert_has(&out, "\nalpnscope_learned_servers_evicted_total 19\n");
	assert_has(&out, "\nalpnscope_config_last_reload_successful 1\n");
	assert_has(&out, "# TYPE alpnscope_build_info gauge\n"
			 "alpnscope_build_info{version=\"0.1.0\",libbpf=\"1.1.2\",hook=\"tcx\"} "
			 "1\n");
	buf_free(&out);
}

/* Every counter of the engine has its line, and its family one TYPE and some help. */
static void test_every_engine_counter(void **state)
{
	static const char *const counters[][2] = {
#define AS_COUNTER(id, number, family, reason, help) {family, reason},
		AS_COUNTERS(AS_COUNTER)
#undef AS_COUNTER
	};
	struct buf out = {0};
	char text[128], *type;

	(void)state;
	page(&out, EXPO_TEXT, "nginx.service");
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		const char *family = counters[i][0], *reason = counters[i][1];

		snprintf(text, sizeof(text), "\nalpnscope_%s_total%s%s%s ", family,
			 *reason ? "{reason=\"" : "", reason, *reason ? "\"}" : "");
		assert_has(&out, text);
		snprintf(text, sizeof(text), "# TYPE alpnscope_%s_total ", family);
		type = strstr(out.data, text);
		assert_non_null(type);
		assert_null(strstr(type + 1, text));
	}
	assert_null(strstr(out.data, "_total \n")); /* a HELP line without help */
	buf_free(&out);
}

static void test_openmetrics(void **state)
{
	struct buf out = {0};

	(void)state;
	page(&out, EXPO_OPENMETRICS, "nginx.service");
	assert_has(&out, "# TYPE alpn_handshakes counter\n"
			 "alpn_handshakes_total{service_name=\"nginx.service\"");
	assert_has(&out, "# TYPE alpn_service_expected info\n"
			 "alpn_service_expected_info{service_name=\"nginx.service\"");
	assert_has(&out, "# TYPE alpnscope_build info\n"
			 "alpnscope_build_info{version=\"0.1.0\"");
	assert_has(&out, "# TYPE alpn_server_hello_delay_seconds histogram\n"
			 "# UNIT alpn_server_hello_delay_seconds seconds\n"
			 "alpn_server_hello_delay_seconds_bucket{role=\"server\",le=\"0.0001\"} ");
	assert_has(&out, "# TYPE process_cpu_seconds counter\n"
			 "# UNIT process_cpu_seconds seconds\n"
			 "process_cpu_seconds_total ");
	assert_has(&out, ",le=\"1.0\"} ");
	assert_string_equal(out.data + out.len - 7, "\n# EOF\n");
	assert_ptr_equal(strstr(out.data, "# EOF"), out.data + out.len - 6);
	buf_free(&out);
}

static void test_label_values_are_escaped(void **state)
{
	struct buf out = {0};

	(void)state;
	expo_sample(&out, "m", "a", "q\"b\\n\nz", "b", "\x01\xff", NULL);
	expo_number(&out, 1);
	expo_sample(&out, "m", NULL);
	expo_number(&out, UINT64_MAX);
	assert_string_equal(out.data, "m{a=\"q\\\"b\\\\n\\nz\",b=\"\\\\x01\\\\xff\"} 1\n"
				      "m 18446744073709551615\n");
	buf_free(&out);
	page(&out, EXPO_TEXT, "a\"b\\c");
	assert_has(&out, "\nalpn_handshakes_total{service_name=\"a\\\"b\\\\c\",server_port=");
	buf_free(&out);
}

static void test_seconds(void **state)
{
	struct buf out = {0};

	(void)state;
	expo_seconds(&out, 0);
	expo_seconds(&out, 1);
	expo_seconds(&out, UINT64_C(12345678901));
	assert_string_equal(out.data, "0.000000000\n0.000000001\n12.345678901\n");
	buf_free(&out);
}

static uint64_t value_of(const struct buf *out, const char *name)
{
	char text[64];
	const char *line;
	uint64_t value = 0;

	snprintf(text, sizeof(text), "\n%s ", name);
	line = strstr(out->data, text);
	if (!line || sscanf(line + strlen(text), "%" SCNu64, &value) != 1)
		fail_msg("no %s in:\n%s", name, out->data);
	return value;
}

static void test_process(void **state)
{
	uint64_t fds, now = (uint64_t)time(NULL);
	struct buf out = {0};
	FILE *f;

	(void)state;
	page(&out, EXPO_TEXT, "nginx.service");
	fds = value_of(&out, "process_open_fds");
	assert_in_range(value_of(&out, "process_start_time_seconds"), now - 600, now + 1);
	assert_in_range(value_of(&out, "process_cpu_seconds_total"), 0, 600);
	assert_true(value_of(&out, "process_virtual_memory_bytes") >
		    value_of(&out, "process_resident_memory_bytes"));
	assert_true(value_of(&out, "process_resident_memory_bytes") >= 100000);
	assert_true(value_of(&out, "process_max_fds") > fds);
	buf_free(&out);
	f = fopen("/dev/null", "r");
	assert_non_null(f);
	page(&out, EXPO_TEXT, "nginx.service");
	assert_int_equal(value_of(&out, "process_open_fds"), fds + 1);
	fclose(f);
	buf_free(&out);
}

static void test_negotiation(void **state)
{
	static const struct {
		const char *accept;
		enum expo_format format;
	} rows[] = {
		{NULL, EXPO_TEXT},
		{"", EXPO_TEXT},
		{"*/*", EXPO_TEXT},
		{"text/html,application/xhtml+xml,*/*;q=0.8", EXPO_TEXT},
		{"text/plain", EXPO_TEXT},
		{"application/openmetrics-text", EXPO_OPENMETRICS},
		{"APPLICATION/OpenMetrics-Text ; Version=\"1.0.0\"", EXPO_OPENMETRICS},
		{"application/openmetrics-text;version=0.0.1", EXPO_TEXT},
		{"application/openmetrics-text;version=2.0.0, text/plain;q=0.1", EXPO_TEXT},
		{"application/openmetrics-text;version=1.0.0;q=0", EXPO_TEXT},
		{"application/openmetrics-text;q=0.5,text/plain;q=0.4", EXPO_OPENMETRICS},
		{"application/openmetrics-text;q=0.4,text/plain;q=0.5", EXPO_TEXT},
		{"application/openmetrics-text;q=0.5,text/plain;q=0.50", EXPO_OPENMETRICS},
		{"text/plain;q=0.2,application/openmetrics-text;q=0.201", EXPO_OPENMETRICS},
		{"application/openmetrics-text;q=0.3,*/*;q=0.8", EXPO_TEXT},
		{"text/plain;q=0,*/*", EXPO_OPENMETRICS}, /* the narrower range decides */
		{"application/*", EXPO_OPENMETRICS},
		{"application/openmetrics-text;q=nan", EXPO_TEXT},
		{"application/openmetrics-text;q=2", EXPO_TEXT},
		{"application/openmetrics-text;q=-1", EXPO_TEXT},
		{"application/openmetrics-text;q=", EXPO_TEXT},
		{",;,=;q=,/ ,,", EXPO_TEXT},
		/* Prometheus 2.42 */
		{"application/openmetrics-text;version=1.0.0,"
		 "application/openmetrics-text;version=0.0.1;q=0.75,"
		 "text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
		 EXPO_OPENMETRICS},
		/* Prometheus 3 */
		{"application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"
		 "application/openmetrics-text;version=0.0.1;q=0.5,"
		 "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"
		 "text/plain;version=0.0.4;q=0.3,*/*;q=0.2",
		 EXPO_OPENMETRICS},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (expo_negotiate(rows[i].accept) != rows[i].format)
			fail_msg("Accept: %s", rows[i].accept);
	assert_string_equal(expo_content_type(EXPO_TEXT),
			    "text/plain; version=0.0.4; charset=utf-8");
	assert_string_equal(expo_content_type(EXPO_OPENMETRICS),
			    "application/openmetrics-text; version=1.0.0; charset=utf-8");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_zeros_from_the_start),
		cmocka_unit_test(test_histogram),
		cmocka_unit_test(test_self),
		cmocka_unit_test(test_every_engine_counter),
		cmocka_unit_test(test_openmetrics),
		cmocka_unit_test(test_label_values_are_escaped),
		cmocka_unit_test(test_seconds),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_negotiation),
	};

	return cmocka_run_group_tests_name("metrics", tests, NULL, NULL);
}
