// SPDX-License-Identifier: GPL-2.0-only
/* The tables and the JSON of reports, and the requests for them. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "alpnscope/wire.h"
#include "report_query.h"
#include "sample.h"

#define S INT64_C(1000000000)

struct shop {
	struct report *report;
	struct sample s;
};

static void answered(struct shop *shop, const char *selected, enum cause cause)
{
	SAMPLE_NAMES(&shop->s, "www.example.org", "\x02h2\x08http/1.1", "");
	memcpy(shop->s.hs.names + shop->s.hs.sni_len + shop->s.hs.alpn_len, selected,
	       strlen(selected));
	shop->s.hs.selected_len = (__u16)strlen(selected);
	shop->s.hs.server_ext = *selected ? AS_X_ALPN : 0;
	sample_judge(&shop->s);
	sample_expect(&shop->s, "h2", cause);
	report_event(shop->report, &shop->s.ev);
	shop->s.ev.wall_ns += S;
}

/* nginx.service:443 is well three times; envoy:8443 declines twice and answers without once. */
static int setup(void **state)
{
	struct shop *shop = calloc(1, sizeof(*shop));

	setenv("TZ", "UTC0", 1);
	shop->report = report_new(10);
	sample_init(&shop->s);
	for (int i = 0; i < 3; i++)
		answered(shop, "\x02h2", CAUSE_NONE);
	strcpy(shop->s.ev.side[0].service, "envoy");
	shop->s.hs.server_port = 8443;
	answered(shop, "\x08http/1.1", CAUSE_SERVER_DECLINED);
	answered(shop, "\x08http/1.1", CAUSE_SERVER_DECLINED);
	answered(shop, "", CAUSE_SERVER_NO_ALPN);
	*state = shop;
	return 0;
}

static int teardown(void **state)
{
	struct shop *shop = *state;

	report_free(shop->report);
	free(shop);
	return 0;
}

static char *answer(const struct shop *shop, const struct report_query *q, bool want_finding)
{
	struct report_query now = *q;
	struct buf b = {0};
	bool finding;
	char error[256];

	now.now_ns = SAMPLE_WALL_NS + 65 * S;
	assert_int_equal(report_answer(shop->report, &now, &b, &finding, error, sizeof(error)), 0);
	assert_int_equal(finding, want_finding);
	return b.data;
}

static void assert_answer(const struct shop *shop, const struct report_query *q, bool finding,
			  const char *want)
{
	char *text = answer(shop, q, finding);

	assert_string_equal(text, want);
	free(text);
}

static void test_services(void **state)
{
	assert_answer(
		*state, &(struct report_query){.kind = REPORT_SERVICES}, true,
		"SERVICE              PORT  ROLE    COUNT   CHOSEN                  FALLBACKS "
		"           FELL  LAST\n"
		"envoy                8443  server  3       http/1.1 2,- 1          "
		"server_declined 2,+1 60s   60s\n"
		"nginx.service        443   server  3       h2 3                    0         "
		"           -     63s\n");
}

static void test_filters(void **state)
{
	struct report_query q = {.kind = REPORT_SERVICES, .json = true};
	char error[256];
	char *text;

	filter_set(&q.filter, "port", "443", error, sizeof(error));
	text = answer(*state, &q, false);
	assert_non_null(strstr(text, "nginx.service"));
	assert_null(strstr(text, "envoy"));
	free(text);
	q.filter = (struct event_filter){.fallback_only = true};
	text = answer(*state, &q, true);
	assert_null(strstr(text, "nginx.service"));
	free(text);
	q = (struct report_query){.roles = 1U << ROLE_CLIENT, .json = true};
	assert_null(answer(*state, &q, false));
}

static void test_services_json(void **state)
{
	assert_answer(
		*state, &(struct report_query){.json = true, .filter.fallback_only = true}, true,
		"{\"service\":{\"name\":\"envoy\"},\"server\":{\"port\":8443},\"alpn\":{"
		"\"role\":\"server\",\"handshakes\":3,\"protocols\":{\"http/1.1\":2,\"none\":1},"
		"\"outcomes\":{\"negotiated\":2,\"ignored\":1},\"expected\":[\"h2\"],"
		"\"expected_source\":\"configured\",\"causes\":{\"server_declined\":2,"
		"\"server_no_alpn\":1,\"client_preferred\":0,\"client_not_offered\":0,"
		"\"client_no_alpn\":0},\"fallbacks_at_least\":3,\"fallbacks_at_most\":3,"
		"\"exempt\":0,\"last_fallback\":\"2026-01-02T03:04:10.678901234Z\","
		"\"last_expected\":null,\"first\":\"2026-01-02T03:04:08.678901234Z\","
		"\"last\":\"2026-01-02T03:04:10.678901234Z\"}}\n");
}

static void test_grpc_ready(void **state)
{
	struct report_query q = {.kind = REPORT_GRPC_READY};

	assert_answer(*state, &q, true,
		      "SERVICE                PORT  FOR GRPC     H2    ANSWERED              KNOWN "
		      "BY        UNKNOWN LAST\n"
		      "envoy                  8443  refused      0     http/1.1 2,- 1        "
		      "server_hello    0       60s\n");
	q.json = true;
	assert_answer(*state, &q, true,
		      "{\"service\":{\"name\":\"envoy\"},\"server\":{\"port\":8443},\"alpn\":{"
		      "\"role\":\"server\",\"grpc\":\"refused\",\"h2\":0,\"answered\":{"
		      "\"http/1.1\":2,\"none\":1},\"inferred\":0,\"as_client_prefers\":0,"
		      "\"undetermined\":0,\"evidence\":\"server_hello\",\"grade\":null,"
		      "\"last\":\"2026-01-02T03:04:10.678901234Z\",\"last_h2\":null}}\n");
}

/* What cannot be told is named as that, and is no finding. */
static void test_grpc_undetermined(void **state)
{
	struct shop *shop = *state;
	struct report_query q = {.kind = REPORT_GRPC_READY};
	char *text, error[256];

	strcpy(shop->s.ev.side[0].service, "caddy");
	shop->s.hs.client_version = shop->s.hs.server_version = AS_TLS13;
	shop->s.hs.server_port = 9443;
	answered(shop, "", CAUSE_NONE);
	filter_set(&q.filter, "port", "9443", error, sizeof(error));
	text = answer(shop, &q, false);
	assert_non_null(strstr(text, "\ncaddy                  9443  undetermined 0     -       "
				     "              -               1       59s\n"));
	free(text);
}

static void test_overflow_is_said(void **state)
{
	struct shop *shop = *state;
	struct report_query q = {.filter.fallback_only = true};
	char *text;

	shop->report->overflow = 7;
	text = answer(shop, &q, true);
	assert_non_null(strstr(text, "\n# 7 handshakes of services beyond the 10 that are kept\n"));
	free(text);
	q.json = true;
	text = answer(shop, &q, true);
	assert_non_null(strstr(text, "\n{\"alpnscope\":{\"overflow\":7}}\n"));
	free(text);
}

/* No line is wider than 100, colour or not, whatever a name is. */
static void test_hostile_names(void **state)
{
	struct shop *shop = *state;
	struct report_query q = {0};
	char *text, *line, *save;
	bool seen = false;

	SAMPLE_NAMES(&shop->s, "a \x1b[31m\"b\\\n\x80", "", "");
	shop->s.ev.side[0].role = ROLE_TRANSIT;
	strcpy(shop->s.ev.side[0].service, "unknown");
	report_event(shop->report, &shop->s.ev);
	text = answer(shop, &q, true);
	for (line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		assert_true(strlen(line) <= 100);
		assert_null(strchr(line, '\x1b'));
		seen |= !strncmp(line, "a_\\x1b[31m\"b\\x5c~", 16);
	}
	assert_true(seen);
	free(text);
	q.json = true;
	text = answer(shop, &q, true);
	assert_non_null(strstr(text, "\"name\":\"a \\\\x1b[31m\\\"b\\\\x5c\\\\x0a\\\\x80\""));
	free(text);
}

static void test_color(void **state)
{
	char *text = answer(*state, &(struct report_query){.color = true}, true);

	assert_non_null(strstr(text, "\033[1;31mserver_declined 2,+1\033[0m"));
	free(text);
	text = answer(*state, &(struct report_query){0}, true);
	assert_null(strchr(text, '\033'));
	free(text);
}

static int ask(const struct shop *shop, const char *request, struct buf *out, char *error)
{
	char line[512];

	snprintf(line, sizeof(line), "%s", request);
	buf_free(out);
	return report_ask(shop->report, line, out, error, 256);
}

static void test_requests(void **state)
{
	struct buf out = {0};
	char error[256];

	assert_int_equal(ask(*state, "services output=json", &out, error), 0);
	assert_string_equal(out.data + out.len - 14, "end finding=1\n");
	assert_int_equal(ask(*state, "services port=443", &out, error), 0);
	assert_string_equal(out.data + out.len - 14, "end finding=0\n");
	assert_int_equal(ask(*state, "grpc-ready role=client", &out, error), 0);
	assert_int_equal(ask(*state, "explain service=nginx%2Eservice:443", &out, error), 0);
	assert_memory_equal(out.data, "nginx.service:443 (server): as expected\n", 40);
	assert_int_equal(ask(*state, "watch output=json", &out, error), -ENOENT);
	assert_int_equal(ask(*state, "servicesx", &out, error), -ENOENT);
	assert_int_equal(ask(*state, "services colour=1", &out, error), -EINVAL);
	assert_int_equal(ask(*state, "services port=0", &out, error), -EINVAL);
	assert_int_equal(ask(*state, "services role=proxy", &out, error), -EINVAL);
	assert_int_equal(ask(*state, "services output", &out, error), -EINVAL);
	assert_int_equal(ask(*state, "explain service=", &out, error), -EINVAL);
	assert_int_equal(ask(*state, "explain service=x", &out, error), -ESRCH);
	assert_string_equal(error, "nothing was seen of a service \"x\"; there are: envoy:8443, "
				   "nginx.service:443; `alpnscope services` lists them");
	buf_free(&out);
}

/* A request survives the way to the agent. */
static void test_request_round_trip(void **state)
{
	struct report_query q = {.kind = REPORT_EXPLAIN, .roles = 1U << ROLE_SERVER};
	struct buf line = {0}, out = {0};
	char error[256];

	strcpy(q.service, "envoy:8443");
	filter_set(&q.filter, "port", "8443", error, sizeof(error));
	report_request(&q, &line);
	assert_string_equal(line.data, "explain port=8443 role=server service=envoy%3A8443\n");
	line.data[line.len - 1] = '\0';
	assert_int_equal(ask(*state, line.data, &out, error), 0);
	assert_memory_equal(out.data, "envoy:8443 (server): FALLS BACK", 31);
	buf_free(&line);
	buf_free(&out);
}

int main(void)
{
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_services),	      TEST(test_filters),
		TEST(test_services_json),     TEST(test_grpc_ready),
		TEST(test_grpc_undetermined), TEST(test_overflow_is_said),
		TEST(test_hostile_names),     TEST(test_color),
		TEST(test_requests),	      TEST(test_request_round_trip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
