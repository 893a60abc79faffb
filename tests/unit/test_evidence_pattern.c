// SPDX-License-Identifier: GPL-2.0-only
/*
 * evidence.c: what application records tell. HTTP/2 frames are 9 bytes and their payload (RFC
 * 9113 section 4.1): a SETTINGS acknowledgement is 9, a GOAWAY 17; a record adds 17.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "evidence.h"
#include "flights.h"

#define BOTH "h2,http/1.1"
/* A flight that hides the choice, and a ticket. */
#define HIDDEN "1209/0 413/1 "

struct row {
	const char *what;
	bool http2;
	const char *offer, *server, *client;
};

static const struct row rows[] = {
	/* the opening: SETTINGS from the server, an acknowledgement from the client */
	{"acknowledged", true, BOTH, HIDDEN "38/1 26/2 100/3", "69/1 87/3 463/4 26/6"},
	{"before the request", true, BOTH, HIDDEN "38/1 26/2 100/4", "69/1 87/3 26/3 301/3"},
	{"h2 alone was offered", true, "h2", HIDDEN "38/1 26/2", "69/1 87/3 26/3"},
	{"h2 was not offered", false, "http/1.1", HIDDEN "38/1 26/2", "69/1 87/3 26/3"},
	{"the first thing the client says", false, BOTH, HIDDEN "38/1", "69/1 26/3 87/3"},
	{"twice", false, BOTH, HIDDEN "38/1", "69/1 87/3 26/3 26/3"},
	{"before the server said anything", false, BOTH, "1209/0 445/2 38/2", "69/1 87/1 26/1"},
	{"after what is too long for SETTINGS", false, BOTH, HIDDEN "146/2", "69/1 184/2 26/3"},
	{"after what is too short for SETTINGS", false, BOTH, HIDDEN "25/2", "69/1 184/2 26/3"},
	{"the sixth record", true, BOTH, HIDDEN "38/1", "69/1 87/3 90/3 91/3 92/3 93/3 26/3"},
	{"the seventh record", false, BOTH, HIDDEN "38/1",
	 "69/1 87/3 90/3 91/3 92/3 93/3 94/3 26/3"},
	{"no Finished of the client was seen", false, BOTH, HIDDEN "38/1", "87/3 463/4 26/6"},
	{"behind a client certificate", true, BOTH, "1240/0 1853/3 38/3 26/4",
	 "718/1 281/1 69/1 62/1 37/1 26/5"},
	{"SETTINGS before the client's Finished", true, BOTH, "1201/0 69/0 198/1 26/2",
	 "69/2 87/3 463/4 26/5"},
	{"a client that pads by 16", true, BOTH, HIDDEN "38/1 26/2", "85/1 177/3 42/3"},
	{"42 bytes of one that does not", false, BOTH, HIDDEN "38/1 26/2", "69/1 161/3 42/3"},
	/* HTTP/1.1: chunks of four bytes, WebSocket messages of three */
	{"an upload", false, BOTH, "1196/0 445/2", "69/1 98/1 26/1 26/1 26/1 26/1 26/1"},
	{"a WebSocket", false, BOTH, HIDDEN "146/2 26/3 26/4", "69/1 184/1 26/3 26/4 26/5 26/6"},
	{"a request", false, BOTH, HIDDEN "172/2 19/3", "69/1 86/1 19/3"},
	{"a body of 9 bytes after 100 Continue", false, BOTH, HIDDEN "42/2 114/3 19/3",
	 "69/1 131/2 26/3"},
	/* the end: GOAWAY and close_notify */
	{"GOAWAY on both sides", true, BOTH, "1201/0 69/0 198/1 220/2 126/3 34/4 19/5",
	 "69/2 126/3 31/4 34/5 19/6"},
	{"GOAWAY of the client, or a WebSocket's end", false, BOTH, HIDDEN "38/1 26/2 100/2 19/4",
	 "69/1 189/3 34/6 19/6"},
	{"with an acknowledgement before it", true, BOTH, HIDDEN "272/2 34/4 19/4",
	 "69/1 75/2 43/4 19/4"},
	/* opcode and length 2, the client's mask 4, status 2, "completed" 9; echoed without mask */
	{"a WebSocket's end, echoed", false, BOTH, HIDDEN "146/2 38/2 30/3 19/4",
	 "69/1 184/1 40/2 34/2 19/4"},
	{"a WebSocket's end, dropped", false, BOTH, HIDDEN "146/2 38/2 19/3",
	 "69/1 184/1 40/2 34/2 19/3"},
	/* "HTTP/1.1 200 OK" and two line ends: 19 bytes */
	{"a body of 17 bytes, a bare status", false, BOTH, HIDDEN "42/2 36/3 19/3",
	 "69/1 189/2 34/3 19/5"},
	{"a body of 17 bytes after 100 Continue, no answer", false, BOTH, HIDDEN "42/2 19/3",
	 "69/1 189/2 34/3 19/4"},
	/* "c", line end, 12 letters, line end: 17 bytes; then the last chunk of 5 */
	{"a chunk of 12 letters", false, BOTH, HIDDEN "42/2 172/4 19/5",
	 "69/1 189/2 34/3 22/3 19/5"},
	{"without SETTINGS, and the server says none", false, BOTH, HIDDEN "272/2 19/4",
	 "69/1 75/2 34/4 19/4"},
	{"not the last", false, BOTH, HIDDEN "38/1 19/4", "69/1 189/3 34/3 86/3 19/4"},
	{"not alone", false, BOTH, HIDDEN "38/1 19/4", "69/1 189/3 34/3 34/3 19/4"},
	{"a body of 17 bytes that is answered", false, BOTH, HIDDEN "42/2 172/3 19/4",
	 "69/1 189/2 34/3 19/4"},
	{"GOAWAY on both sides, the server's end seen first", true, BOTH,
	 "1201/0 198/1 220/2 126/3 34/4 19/4", "69/1 126/2 31/4 34/4"},
	{"GOAWAY of the server only", false, BOTH, HIDDEN "272/2 34/3 19/3", "69/1 75/2 86/3"},
	{"no close_notify", false, BOTH, HIDDEN "38/1", "69/1 189/3 34/3"},
	{"nothing but GOAWAY", false, BOTH, HIDDEN "38/1", "69/1 34/3 19/4"},
	/* nothing */
	{"no record of the client", false, BOTH, HIDDEN "38/1", ""},
	{"its Finished alone", false, BOTH, HIDDEN "38/1", "69/1"},
};

static struct inference infer(const struct as_handshake *hs)
{
	static struct alpn_list offered;
	struct flight f;

	alpn_parse(as_alpn(hs), hs->alpn_len, &offered);
	flight_shape(hs, &f);
	return evidence_infer(hs, &offered, &f);
}

/* What does not look like HTTP/2 is not taken for HTTP/1.1 either. */
static void http2_or_unknown(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct row *r = &rows[i];
		struct as_handshake hs = tls13(r->offer, 0, r->server, r->client);
		struct inference got = infer(&hs);
		bool right = got.answer == ANSWER_UNKNOWN && got.evidence == EVIDENCE_NONE;

		if (r->http2)
			right = got.answer == ANSWER_NAME && alpn_is(&got.name, "h2") &&
				got.evidence == EVIDENCE_RECORD_PATTERN &&
				got.grade == GRADE_STRONG;
		if (!right)
			fail_msg("%s: %s", r->what, evidence_name(got.evidence));
	}
}

static struct inference with_length(const char *ee, const char *client)
{
	char server[128];
	struct as_handshake hs;

	snprintf(server, sizeof(server), "%s/0 874/0 281/0 69/0 38/1 26/2", ee);
	hs = tls13(BOTH, AS_X_SERVER_NAME, server, client);
	return infer(&hs);
}

#define HTTP2 "69/4 87/5 26/6"

static void the_length_goes_first(void **state)
{
	struct inference i = with_length("32", HTTP2);

	(void)state;
	assert_int_equal(i.evidence, EVIDENCE_RECORD_LENGTH);
	assert_int_equal(i.grade, GRADE_EXACT);
}

static void the_pattern_decides_what_the_length_leaves_open(void **state)
{
	struct as_handshake hs = tls13(BOTH, SNI, "32/0 880/0 288/0 80/0 160/1 80/1", HTTP2);
	struct inference i = infer(&hs);

	(void)state;
	assert_int_equal(i.evidence, EVIDENCE_RECORD_PATTERN);
	assert_true(alpn_is(&i.name, "h2"));
}

/* HTTP/2 by prior knowledge: spoken, not chosen. */
static void a_conflict_is_unknown(void **state)
{
	(void)state;
	assert_int_equal(with_length("23", HTTP2).answer, ANSWER_UNKNOWN);
	assert_int_equal(with_length("38", HTTP2).answer, ANSWER_UNKNOWN);
	assert_int_equal(with_length("42", HTTP2).answer, ANSWER_UNKNOWN);
	assert_int_equal(with_length("38", HTTP2).evidence, EVIDENCE_NONE);
	assert_int_equal(with_length("38", "69/4 86/5").answer, ANSWER_NAME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(http2_or_unknown),
		cmocka_unit_test(the_length_goes_first),
		cmocka_unit_test(the_pattern_decides_what_the_length_leaves_open),
		cmocka_unit_test(a_conflict_is_unknown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
