// SPDX-License-Identifier: GPL-2.0-only
/*
 * learn.c: the same offer answered at other times, and the lengths of flights whose records are
 * separate: there the extensions are known to the byte, and what is beside ALPN is learned.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "learned.h"

#define OTHERS "874/0 281/0 69/0" /* Certificate, CertificateVerify, Finished */

/* Each message in its record; @ext bytes of extensions. */
static struct as_handshake separate(const char *offer, unsigned int ext)
{
	char server[64];

	snprintf(server, sizeof(server), "%u/0 " OTHERS, 23 + ext);
	return tls13(offer, SNI, server, "69/4");
}

static enum grade grade_of(struct learn_book *book, const struct as_handshake *hs)
{
	struct verdict v;

	verdict_outcome(hs, &v);
	learn_verdict(book, hs, &v);
	return v.grade;
}

static struct as_handshake with_limit(const char *offer, unsigned int len)
{
	struct as_handshake hs = whole(offer, len);

	hs.client_ext |= RSL;
	hs.group = P256;
	return hs;
}

/*
 * 4 bytes without an offer: the server acknowledges the name. So 19 is http/1.1, and not h2 with
 * a list of two groups, which would show without an offer as well.
 */
static void an_acknowledged_name_is_learned(void **state)
{
	struct as_handshake none = separate(NULL, 4), hs = separate(BOTH, 4 + 15);

	assert_int_equal(grade_of(*state, &hs), GRADE_LIKELY);
	judged(*state, &none);
	judged(*state, &none);
	assert_string_equal(judged(*state, &hs), "http/1.1");
	assert_int_equal(grade_of(*state, &hs), GRADE_LEARNED);
}

/* With P-256 it is not even likely, until one flight between two tells. */
static void an_acknowledged_name_between_two(void **state)
{
	struct as_handshake none = separate(NULL, 4), hs = separate(BOTH, 4 + 15);

	hs.group = none.group = P256;
	assert_string_equal(judged(*state, &hs), "undetermined");
	judged(*state, &none);
	assert_string_equal(judged(*state, &hs), "http/1.1");
}

/* A list of two groups without an offer: 19 is h2, and was never http/1.1. */
static void a_list_of_groups_is_learned(void **state)
{
	struct as_handshake none = separate(NULL, 10), hs = separate(BOTH, 10 + 9);

	hs.group = none.group = P256;
	judged(*state, &none);
	judged(*state, &none);
	assert_string_equal(judged(*state, &hs), "h2");
	hs.group = none.group = X25519;
	judged(*state, &none);
	judged(*state, &none);
	assert_string_equal(judged(*state, &hs), "undetermined"); /* and not likely http/1.1 */
}

/* What is exact stands, and the flights before it are of other times. */
static void exact_stands(void **state)
{
	struct as_handshake none = separate(NULL, 0), hs = separate(BOTH, 4 + 9);

	judged(*state, &none);
	judged(*state, &none);
	assert_string_equal(judged(*state, &hs), "h2");
	assert_int_equal(grade_of(*state, &hs), GRADE_EXACT);
}

/* A client with record_size_limit and another group, of whose kind nothing else was seen. */
static void the_same_offer_of_another_client(void **state)
{
	struct as_handshake hs = with_limit(BOTH, H2 + 6);

	baseline(*state);
	assert_string_equal(judged(*state, &hs), "undetermined");
	assert_sees(*state, BOTH, H2, "h2");
	hs.server_flight.len[0] += 100; /* no run of its own */
	assert_string_equal(judged(*state, &hs), "undetermined");
	assert_sees(*state, BOTH, H2, "undetermined");
}

/* Two answers to the offer, and no line at all for this client. */
static void two_answers_to_an_offer(void **state)
{
	struct as_handshake hs = with_limit(BOTH, H2 + 6);

	baseline(*state);
	assert_sees(*state, BOTH, H2, "h2");
	assert_sees(*state, BOTH, H2, "h2");
	assert_string_equal(judged(*state, &hs), "h2");
	hs = with_limit("http/1.1", HTTP1 + 6);
	assert_string_equal(judged(*state, &hs), "undetermined");
}

/* What was copied is no sample for the next copy, and lengths of its own kind may forbid it. */
static void a_copy_must_explain_the_length(void **state)
{
	struct as_handshake hs = with_limit(NULL, FLIGHT + 6);

	baseline(*state);
	assert_sees(*state, BOTH, H2, "h2");
	assert_sees(*state, BOTH, H2, "h2");
	judged(*state, &hs);
	hs = with_limit(BOTH, HTTP1 + 6);
	assert_string_equal(judged(*state, &hs), "undetermined");
}

/* Who offers h2 alone may speak it though the server chose nothing. */
static void prior_knowledge_is_no_sample(void **state)
{
	struct as_handshake hs = whole("h2", FLIGHT);

	flight_of(&hs.client_flight, HTTP2_CLIENT);
	judged(*state, &hs);
	judged(*state, &hs);
	judged(*state, &hs);
	assert_sees(*state, BOTH, FLIGHT, "undetermined");
}

/* Rounded up to 16 (mbedTLS), none and h2 are of one length; the same offer is of one answer. */
static void padded_to_a_grid(void **state)
{
	struct as_handshake hs = tls13(BOTH, SNI, "32/0 880/0 288/0 80/0", "69/4 87/4");
	struct as_handshake opens = hs;

	assert_string_equal(judged(*state, &hs), "undetermined");
	flight_of(&opens.server_flight, "32/0 880/0 288/0 80/0 44/2");
	flight_of(&opens.client_flight, "69/4 87/4 48/5 26/5");
	assert_string_equal(judged(*state, &opens), "h2");
	assert_string_equal(judged(*state, &hs), "undetermined");
	assert_string_equal(judged(*state, &opens), "h2");
	assert_string_equal(judged(*state, &hs), "h2");
}

/* Early data that was accepted takes 4 bytes: such flights are no line. */
static void early_data_is_not_compared(void **state)
{
	struct as_handshake none = tls13(NULL, SNI | PSK | EARLY, "27/0 69/0", "69/2");
	struct as_handshake hs = tls13(BOTH, SNI | PSK | EARLY, "42/0 69/0", "69/2");

	judged(*state, &none);
	judged(*state, &none);
	assert_int_not_equal(grade_of(*state, &hs), GRADE_LEARNED);
}

static void what_is_counted(void **state)
{
	struct learn_book *book = learn_new(2);

	(void)state;
	assert_int_equal(learn_servers(book), 0);
	for (unsigned int i = 0; i < 7; i++) {
		struct as_handshake hs = whole(BOTH, H2);

		hs.server_port = (__u16)(1 + i);
		judged(book, &hs);
	}
	assert_int_equal(learn_servers(book), 2);
	assert_int_equal(learn_evicted(book), 5);
	learn_free(book);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, book_setup, book_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(an_acknowledged_name_is_learned),
		TEST(an_acknowledged_name_between_two),
		TEST(a_list_of_groups_is_learned),
		TEST(exact_stands),
		TEST(the_same_offer_of_another_client),
		TEST(two_answers_to_an_offer),
		TEST(a_copy_must_explain_the_length),
		TEST(prior_knowledge_is_no_sample),
		TEST(padded_to_a_grid),
		TEST(early_data_is_not_compared),
		TEST(what_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
