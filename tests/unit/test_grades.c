// SPDX-License-Identifier: GPL-2.0-only
/* An inferred verdict on its way out: outcome, event, line, series, lesson. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "flights.h"
#include "format.h"
#include "metrics.h"
#include "sample.h"
#include "service.h"

/* The sample in TLS 1.3, with these records of the server. */
static void infer(struct sample *s, const char *offer, const char *server)
{
	__u64 ns = 1000000;

	sample_init(s);
	s->hs = tls13(offer, SNI, server, "69/4");
	s->hs.hello_ns = ns;
	s->hs.server_ns = s->hs.end_ns = ns + 1234567;
	sample_judge(s);
}

#define EXACT "36/0 874/0 281/0 69/0" /* h2: 23 + 9 + 4 */
#define LIKELY "42/0 874/0 281/0 69/0" /* http/1.1: 23 + 15 + 4 */
#define NONE "27/0 874/0 281/0 69/0" /* 23 + 4 */
#define HIDDEN "1209/0 413/1"
#define BOTH "h2,http/1.1"

static void outcomes(void **state)
{
	static const struct {
		const char *server;
		enum outcome outcome;
		enum evidence evidence;
		enum grade grade;
		const char *label;
	} rows[] = {
		{EXACT, OUTCOME_NEGOTIATED, EVIDENCE_RECORD_LENGTH, GRADE_EXACT, "h2"},
		{LIKELY, OUTCOME_NEGOTIATED, EVIDENCE_RECORD_LENGTH, GRADE_LIKELY, "http/1.1"},
		{NONE, OUTCOME_IGNORED, EVIDENCE_RECORD_LENGTH, GRADE_EXACT, "none"},
		{"19/0", OUTCOME_REJECTED, EVIDENCE_ALERT, GRADE_STRONG, "unknown"},
		{HIDDEN, OUTCOME_UNDETERMINED, EVIDENCE_NONE, GRADE_NONE, "unknown"},
	};
	struct sample s;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		infer(&s, BOTH, rows[i].server);
		assert_int_equal(s.ev.verdict.outcome, rows[i].outcome);
		assert_int_equal(s.ev.verdict.evidence, rows[i].evidence);
		assert_int_equal(s.ev.verdict.grade, rows[i].grade);
		assert_string_equal(verdict_protocol_label(&s.ev.verdict), rows[i].label);
	}
}

/* What is certain, or cannot be known, is not inferred. */
static void only_what_is_encrypted(void **state)
{
	struct sample s;

	(void)state;
	infer(&s, NULL, EXACT);
	assert_int_equal(s.ev.verdict.outcome, OUTCOME_NOT_OFFERED);
	assert_int_equal(s.ev.verdict.grade, GRADE_NONE);
	infer(&s, BOTH, EXACT);
	s.hs.flags |= AS_F_ALPN_TRUNCATED;
	sample_judge(&s);
	assert_int_equal(s.ev.verdict.outcome, OUTCOME_UNDETERMINED);
	infer(&s, BOTH, EXACT);
	s.hs.server_version = AS_TLS12;
	sample_judge(&s);
	assert_int_equal(s.ev.verdict.evidence, EVIDENCE_SERVER_HELLO);
	assert_int_equal(s.ev.verdict.grade, GRADE_NONE);
}

/* A fallback counts with every grade. */
static void causes(void **state)
{
	const struct expectation h2 = {.source = EXPECT_CONFIGURED, .count = 1, .name = {"h2"}};
	struct sample s;

	(void)state;
	infer(&s, BOTH, LIKELY);
	assert_int_equal(verdict_cause(&s.ev.verdict, &h2), CAUSE_SERVER_DECLINED);
	infer(&s, BOTH, NONE);
	assert_int_equal(verdict_cause(&s.ev.verdict, &h2), CAUSE_SERVER_NO_ALPN);
	infer(&s, BOTH, EXACT);
	assert_int_equal(verdict_cause(&s.ev.verdict, &h2), CAUSE_NONE);
	infer(&s, BOTH, HIDDEN);
	assert_int_equal(verdict_cause(&s.ev.verdict, &h2), CAUSE_NONE);
}

static void events(void **state)
{
	struct buf b = {0};
	struct sample s;

	(void)state;
	infer(&s, BOTH, LIKELY);
	format_json(&s.ev, &b);
	assert_non_null(strstr(b.data, "\"outcome\":\"negotiated\",\"evidence\":\"record_length\","
				       "\"grade\":\"likely\""));
	assert_non_null(strstr(b.data, "\"next_protocol\":\"http/1.1\""));
	assert_non_null(strstr(b.data, "\"duration\":1234567}"));
	buf_clear(&b);
	infer(&s, BOTH, "19/0");
	format_json(&s.ev, &b);
	assert_non_null(strstr(b.data, "\"outcome\":\"rejected\",\"evidence\":\"alert\","
				       "\"grade\":\"strong\""));
	assert_non_null(strstr(b.data, "\"duration\":1234567}"));
	buf_clear(&b);
	infer(&s, BOTH, HIDDEN);
	format_json(&s.ev, &b);
	assert_non_null(strstr(b.data, "\"evidence\":\"none\",\"grade\":null"));
	buf_free(&b);
}

static void assert_ends(const char *server, bool declined, const char *end)
{
	const struct format_style plain = {0};
	struct buf b = {0};
	struct sample s;
	size_t len = strlen(end);

	infer(&s, BOTH, server);
	if (declined)
		sample_expect(&s, "h2", CAUSE_SERVER_DECLINED);
	format_columns(&s.ev, &b, &plain);
	assert_true(b.len > len && b.len <= FORMAT_WIDTH + 1);
	assert_string_equal(b.data + b.len - len, end);
	buf_free(&b);
}

/* A mark for what is less than exact. */
static void lines(void **state)
{
	(void)state;
	assert_ends(EXACT, false, " h2       negotiated\n");
	assert_ends(LIKELY, false, " http/1.1 negotiated ~\n");
	assert_ends(LIKELY, true, " http/1.1 !server_declined ~\n");
	assert_ends(NONE, false, " -        ignored\n");
	assert_ends(HIDDEN, false, " ?        undetermined\n");
}

static void series(void **state)
{
	static const struct metrics_self self = {.version = "", .libbpf = "", .hook = ""};
	struct aggregate *agg = aggregate_new(100);
	struct buf b = {0};
	struct sample s;

	(void)state;
	assert_non_null(agg);
	infer(&s, BOTH, LIKELY);
	assert_int_equal(aggregate_event(agg, &s.ev), 0);
	infer(&s, BOTH, EXACT);
	assert_int_equal(aggregate_event(agg, &s.ev), 0);
	assert_int_equal(aggregate_event(agg, &s.ev), 0);
	metrics_write(&b, EXPO_TEXT, agg, &self);
	assert_non_null(strstr(b.data, "role=\"server\",tls_version=\"1.3\","
				       "evidence=\"record_length\",grade=\"likely\"} 1\n"));
	assert_non_null(strstr(b.data, "role=\"server\",tls_version=\"1.3\","
				       "evidence=\"record_length\",grade=\"exact\"} 2\n"));
	buf_free(&b);
	aggregate_free(agg);
}

/* What a service is held to is learned from what is certain or exact. */
static void lessons(void **state)
{
	static const struct service_key key = {
		.name = "nginx", .server_port = 443, .role = ROLE_SERVER};
	struct service_book *book = service_new(10);
	struct service_facts known;
	struct sample s;

	(void)state;
	assert_non_null(book);
	infer(&s, BOTH, LIKELY);
	service_learn(book, &key, &s.ev.verdict);
	service_find(book, &key, &known);
	assert_int_equal(known.expect.source, EXPECT_NONE);
	infer(&s, BOTH, EXACT);
	service_learn(book, &key, &s.ev.verdict);
	service_find(book, &key, &known);
	assert_int_equal(known.expect.source, EXPECT_OBSERVED);
	assert_string_equal(known.expect.name[0], "h2");
	service_free(book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(outcomes), cmocka_unit_test(only_what_is_encrypted),
		cmocka_unit_test(causes),   cmocka_unit_test(events),
		cmocka_unit_test(lines),    cmocka_unit_test(series),
		cmocka_unit_test(lessons),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
