// SPDX-License-Identifier: GPL-2.0-only
/* verdict_cause() against the table of causes in docs/DESIGN.md. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "verdict.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* One handshake against one expectation; names are separated by blanks. */
struct row {
	enum outcome outcome;
	const char *offer; /* NULL: no ALPN extension; a last "..." : truncated */
	const char *chosen;
	enum expect_source source;
	const char *expect;
	enum cause cause;
};

#define CONF EXPECT_CONFIGURED
#define SEEN EXPECT_OBSERVED

static const struct row rows[] = {
	/* met */
	{OUTCOME_NEGOTIATED, "h2 http/1.1", "h2", CONF, "h2", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "h2 http/1.1", "h2", SEEN, "h2", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "mqtt", "mqtt", CONF, "mqtt", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "h2 http/1.1", "http/1.1", EXPECT_NONE, "", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "h2 http/1.1", "http/1.1", EXPECT_NONE, "h2", CAUSE_NONE},
	/* met by the family */
	{OUTCOME_NEGOTIATED, "istio-h2 http/1.1", "istio-h2", CONF, "h2", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "grpc-exp h2", "h2", CONF, "grpc-exp", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "h3-29 h2", "h3-29", CONF, "h3", CAUSE_NONE},
	/* met by the best that was offered */
	{OUTCOME_NEGOTIATED, "http/1.1", "http/1.1", CONF, "h2 http/1.1", CAUSE_NONE},
	/* better than expected */
	{OUTCOME_NEGOTIATED, "h2 http/1.1", "h2", CONF, "http/1.1", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "http/1.1 h2", "h2", SEEN, "http/1.1", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "h2", "h2", CONF, "http/1.1", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "h2 http/1.1", "h2", CONF, "h3 http/1.1", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "h2", "h2", CONF, "h3 http/1.1", CAUSE_NONE},
	/* server_declined */
	{OUTCOME_NEGOTIATED, "h2 http/1.1", "http/1.1", CONF, "h2", CAUSE_SERVER_DECLINED},
	{OUTCOME_NEGOTIATED, "h2 http/1.1", "http/1.1", SEEN, "h2", CAUSE_SERVER_DECLINED},
	{OUTCOME_NEGOTIATED, "h2 http/1.1", "http/1.1", CONF, "h2 http/1.1", CAUSE_SERVER_DECLINED},
	{OUTCOME_NEGOTIATED, "h2 http/1.1", "http/1.1", CONF, "h3 h2", CAUSE_SERVER_DECLINED},
	{OUTCOME_NEGOTIATED, "http/1.1 http/1.0", "http/1.0", CONF, "h2 http/1.1",
	 CAUSE_SERVER_DECLINED},
	{OUTCOME_NEGOTIATED, "istio-h2 http/1.1", "http/1.1", SEEN, "h2", CAUSE_SERVER_DECLINED},
	{OUTCOME_NEGOTIATED, "h2 spdy/3", "spdy/3", CONF, "h2", CAUSE_SERVER_DECLINED},
	{OUTCOME_NEGOTIATED, "mqtt h2", "h2", CONF, "mqtt", CAUSE_SERVER_DECLINED},
	{OUTCOME_NEGOTIATED, "mqtt coap", "coap", CONF, "mqtt", CAUSE_SERVER_DECLINED},
	/* a name of the lesser's family before the expected is not what was chosen */
	{OUTCOME_NEGOTIATED, "istio-http/1.1 h2 http/1.1", "http/1.1", CONF, "h2",
	 CAUSE_SERVER_DECLINED},
	/* client_preferred */
	{OUTCOME_NEGOTIATED, "http/1.1 h2", "http/1.1", CONF, "h2", CAUSE_CLIENT_PREFERRED},
	{OUTCOME_NEGOTIATED, "http/1.1 h2", "http/1.1", SEEN, "h2", CAUSE_CLIENT_PREFERRED},
	{OUTCOME_NEGOTIATED, "http/1.1 h2", "http/1.1", CONF, "h2 http/1.1",
	 CAUSE_CLIENT_PREFERRED},
	{OUTCOME_NEGOTIATED, "spdy/3 h2", "spdy/3", CONF, "h2", CAUSE_CLIENT_PREFERRED},
	/* server_no_alpn */
	{OUTCOME_IGNORED, "h2 http/1.1", NULL, CONF, "h2", CAUSE_SERVER_NO_ALPN},
	{OUTCOME_IGNORED, "h2 http/1.1", NULL, SEEN, "h2", CAUSE_SERVER_NO_ALPN},
	{OUTCOME_IGNORED, "http/1.1", NULL, CONF, "h2 http/1.1", CAUSE_SERVER_NO_ALPN},
	{OUTCOME_IGNORED, "mqtt", NULL, CONF, "mqtt", CAUSE_SERVER_NO_ALPN},
	/* client_not_offered: a configured expectation only */
	{OUTCOME_NEGOTIATED, "http/1.1", "http/1.1", CONF, "h2", CAUSE_CLIENT_NOT_OFFERED},
	{OUTCOME_NEGOTIATED, "http/1.1", "http/1.1", SEEN, "h2", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "mqtt5", "mqtt5", CONF, "mqtt", CAUSE_CLIENT_NOT_OFFERED},
	{OUTCOME_NEGOTIATED, "h2", "h2", CONF, "mqtt", CAUSE_CLIENT_NOT_OFFERED},
	{OUTCOME_IGNORED, "http/1.1", NULL, CONF, "h2", CAUSE_CLIENT_NOT_OFFERED},
	{OUTCOME_IGNORED, "http/1.1", NULL, SEEN, "h2", CAUSE_NONE},
	{OUTCOME_IGNORED, "", NULL, CONF, "h2", CAUSE_CLIENT_NOT_OFFERED},
	{OUTCOME_UNDETERMINED, "http/1.1", NULL, CONF, "h2", CAUSE_CLIENT_NOT_OFFERED},
	{OUTCOME_UNDETERMINED, "http/1.1", NULL, SEEN, "h2", CAUSE_NONE},
	/* client_no_alpn: a configured expectation only */
	{OUTCOME_NOT_OFFERED, NULL, NULL, CONF, "h2", CAUSE_CLIENT_NO_ALPN},
	{OUTCOME_NOT_OFFERED, NULL, NULL, SEEN, "h2", CAUSE_NONE},
	/* the choice is unknown: nothing is said of the server, and under ECH of nobody */
	{OUTCOME_UNDETERMINED, "h2 http/1.1", NULL, CONF, "h2", CAUSE_NONE},
	{OUTCOME_UNDETERMINED, "h2 http/1.1", NULL, SEEN, "h2", CAUSE_NONE},
	{OUTCOME_UNDETERMINED, NULL, NULL, CONF, "h2", CAUSE_NONE},
	/* acme-tls/1 */
	{OUTCOME_NEGOTIATED, "acme-tls/1", "acme-tls/1", CONF, "h2", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "h2 acme-tls/1", "acme-tls/1", CONF, "h2", CAUSE_NONE},
	{OUTCOME_IGNORED, "acme-tls/1", NULL, CONF, "h2", CAUSE_NONE},
	{OUTCOME_UNDETERMINED, "acme-tls/1", NULL, CONF, "h2", CAUSE_NONE},
	{OUTCOME_IGNORED, "acme-tls/1 http/1.1", NULL, CONF, "h2", CAUSE_CLIENT_NOT_OFFERED},
	{OUTCOME_NEGOTIATED, "h2 acme-tls/1", "h2", SEEN, "h2", CAUSE_NONE},
	/* no answer, or none that could be better */
	{OUTCOME_REJECTED, "http/1.1", NULL, CONF, "h2", CAUSE_NONE},
	{OUTCOME_FAILED, "h2", NULL, CONF, "h2", CAUSE_NONE},
	{OUTCOME_FAILED, NULL, NULL, CONF, "h2", CAUSE_NONE},
	{OUTCOME_INCOMPLETE, NULL, NULL, CONF, "h2", CAUSE_NONE},
	{OUTCOME_VIOLATION, "h2", "http/1.1", CONF, "h2", CAUSE_NONE},
	/* a truncated offer: only what its visible part proves */
	{OUTCOME_NEGOTIATED, "h2 ...", "http/1.1", CONF, "h2", CAUSE_SERVER_DECLINED},
	{OUTCOME_NEGOTIATED, "http/1.1 h2 ...", "http/1.1", CONF, "h2", CAUSE_CLIENT_PREFERRED},
	{OUTCOME_NEGOTIATED, "http/1.1 ...", "http/1.1", CONF, "h2", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "http/1.1 ...", "http/1.1", CONF, "h2 http/1.1", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "coap ...", "mqtt", CONF, "mqtt coap", CAUSE_NONE},
	{OUTCOME_NEGOTIATED, "foo ...", "h2", CONF, "h2", CAUSE_NONE},
	{OUTCOME_IGNORED, "h2 ...", NULL, CONF, "h2", CAUSE_SERVER_NO_ALPN},
	{OUTCOME_IGNORED, "foo ...", NULL, CONF, "h2", CAUSE_NONE},
	{OUTCOME_UNDETERMINED, "foo ...", NULL, CONF, "h2", CAUSE_NONE},
	{OUTCOME_IGNORED, "acme-tls/1 ...", NULL, CONF, "h2", CAUSE_NONE},
};

static void set_offer(struct verdict *v, char *text)
{
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " ")) {
		if (strcmp(word, "...") == 0) {
			v->offer_truncated = true;
			return;
		}
		v->offered.name[v->offered.count++] =
			(struct alpn_name){(uint8_t *)word, (uint8_t)strlen(word)};
	}
}

static void set_expectation(struct expectation *e, const struct row *row)
{
	char text[64];

	memset(e, 0, sizeof(*e));
	e->source = row->source;
	snprintf(text, sizeof(text), "%s", row->expect);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		snprintf(e->name[e->count++], EXPECT_NAME_MAX, "%s", word);
}

static const char *said(enum cause cause)
{
	return cause == CAUSE_NONE ? "none" : cause_name(cause);
}

static void every_row_of_the_cause_table(void **state)
{
	bool seen[CAUSE_COUNT] = {false};
	struct expectation e;
	char offer[64];
	enum cause got;

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		const struct row *row = &rows[i];
		struct verdict v = {.outcome = row->outcome, .has_offer = row->offer != NULL};

		snprintf(offer, sizeof(offer), "%s", row->offer ? row->offer : "");
		set_offer(&v, offer);
		if (row->chosen) {
			v.has_chosen = true;
			v.chosen.bytes = (const uint8_t *)row->chosen;
			v.chosen.len = (uint8_t)strlen(row->chosen);
		}
		set_expectation(&e, row);
		got = verdict_cause(&v, &e);
		if (got != row->cause)
			fail_msg(
				"row %zu: %s, offer \"%s\", chosen %s, expected \"%s\": %s, not %s",
				i, outcome_name(row->outcome), row->offer ? row->offer : "(none)",
				row->chosen ? row->chosen : "(none)", row->expect, said(got),
				said(row->cause));
		seen[row->cause] = true;
	}
	for (int i = 0; i < CAUSE_COUNT; i++)
		assert_true(seen[i]);
}

/* From the bytes of a record to the cause, GREASE in the offer. */
static void from_record_to_cause(void **state)
{
	static const char names[] = "\2\x5a\x5a\2h2\10http/1.1"
				    "\10http/1.1";
	struct as_handshake hs = {
		.kind = AS_KIND_HANDSHAKE,
		.end = AS_END_SERVER_HELLO,
		.flags = AS_F_SERVER_HELLO,
		.client_ext = AS_X_ALPN,
		.server_ext = AS_X_ALPN,
		.client_version = 0x0304,
		.server_version = 0x0303,
		.alpn_len = 15,
		.selected_len = 9,
	};
	struct expectation e = {EXPECT_OBSERVED, 1, {"h2"}};
	struct verdict v;

	(void)state;
	memcpy(hs.names, names, sizeof(names) - 1);
	verdict_outcome(&hs, &v);
	assert_int_equal(v.outcome, OUTCOME_NEGOTIATED);
	assert_int_equal(verdict_cause(&v, &e), CAUSE_SERVER_DECLINED);
}

/* An expectation of no names, as a configuration may leave behind, expects nothing. */
static void an_empty_expectation_expects_nothing(void **state)
{
	struct expectation e = {.source = EXPECT_CONFIGURED};
	struct verdict v = {.outcome = OUTCOME_NOT_OFFERED};

	(void)state;
	assert_int_equal(verdict_cause(&v, &e), CAUSE_NONE);
}

static void fallback_is_the_servers_doing(void **state)
{
	(void)state;
	assert_true(cause_is_fallback(CAUSE_SERVER_DECLINED));
	assert_true(cause_is_fallback(CAUSE_SERVER_NO_ALPN));
	assert_false(cause_is_fallback(CAUSE_CLIENT_PREFERRED));
	assert_false(cause_is_fallback(CAUSE_CLIENT_NOT_OFFERED));
	assert_false(cause_is_fallback(CAUSE_CLIENT_NO_ALPN));
	assert_false(cause_is_fallback(CAUSE_NONE));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_cause_table),
		cmocka_unit_test(from_record_to_cause),
		cmocka_unit_test(an_empty_expectation_expects_nothing),
		cmocka_unit_test(fallback_is_the_servers_doing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
