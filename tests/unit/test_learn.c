// SPDX-License-Identifier: GPL-2.0-only
/*
 * learn.c: flights in one record. With ALPN they are longer by 7 bytes and the name (RFC 7301
 * section 3.1): 9 for h2, 15 for http/1.1.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "learned.h"

static void a_baseline_decides(void **state)
{
	baseline(*state);
	assert_sees(*state, BOTH, H2, "h2");
	assert_sees(*state, "http/1.1", HTTP1, "http/1.1");
	assert_sees(*state, "h2", FLIGHT, "none");
}

static void one_sample_does_not(void **state)
{
	assert_sees(*state, NULL, FLIGHT, "not_offered");
	assert_sees(*state, BOTH, H2, "undetermined");
	assert_sees(*state, BOTH, H2, "undetermined");
	assert_sees(*state, NULL, FLIGHT, "not_offered");
	assert_sees(*state, BOTH, H2, "h2");
}

/* Equal flights before and after it: what lies between is of the same certificate. */
static void one_sample_between_two_does(void **state)
{
	assert_sees(*state, BOTH, H2, "undetermined");
	assert_sees(*state, NULL, FLIGHT, "not_offered");
	assert_sees(*state, BOTH, H2, "h2");
}

/* Runs that overlap: flights of another shape around the sample, and the offer around their end. */
static void one_sample_in_a_chain_does(void **state)
{
	struct as_handshake p256 = whole(NULL, FLIGHT + 10); /* told of two groups */

	p256.group = P256;
	assert_string_equal(judged(*state, &p256), "not_offered");
	assert_sees(*state, NULL, FLIGHT, "not_offered");
	assert_sees(*state, BOTH, H2, "undetermined");
	assert_string_equal(judged(*state, &p256), "not_offered");
	assert_sees(*state, BOTH, H2, "h2");
}

/* Two ALPN flights that are not equal hold nothing together. */
static void one_sample_between_two_unlike_ones_does_not(void **state)
{
	assert_sees(*state, BOTH, H2 - 4, "undetermined");
	assert_sees(*state, NULL, FLIGHT, "not_offered");
	assert_sees(*state, BOTH, H2, "undetermined");
}

/* A signature of ECDSA is 70 to 72 bytes. */
static void signatures_vary(void **state)
{
	baseline(*state);
	assert_sees(*state, NULL, FLIGHT + 1, "not_offered");
	/* http/1.1 with a signature that is one byte shorter, and a renewal by 3 */
	assert_sees(*state, BOTH, H2 + 2, "undetermined");
	assert_sees(*state, NULL, FLIGHT + 2, "not_offered");
	assert_sees(*state, BOTH, H2 + 2, "h2");
	assert_sees(*state, BOTH, H2 + 1, "h2");
	assert_sees(*state, "http/1.1", HTTP1, "http/1.1");
	/* a draft takes 3 bytes more */
	assert_sees(*state, "h2,h2-16", H2 + 2, "undetermined");
}

static void signatures_vary_the_other_way(void **state)
{
	baseline(*state);
	assert_sees(*state, BOTH, H2 - 2, "undetermined"); /* or a renewal by 2, or by 4 */
	assert_sees(*state, NULL, FLIGHT - 1, "not_offered");
	/* between h2 and http/1.1 */
	assert_sees(*state, "http/1.1,h2", H2 + 3, "undetermined");
	assert_sees(*state, BOTH, H2 - 2, "h2");
	assert_sees(*state, "http/1.1", HTTP1 - 2, "http/1.1");
}

/* Who spoke HTTP/2 after choosing it, twice, gives the line as well. */
static void http2_that_was_seen_is_a_sample(void **state)
{
	struct as_handshake hs = whole(BOTH, H2);

	flight_of(&hs.client_flight, HTTP2_CLIENT);
	assert_string_equal(judged(*state, &hs), "h2");
	assert_sees(*state, "h2,http/1.1,foo", H2, "undetermined");
	assert_string_equal(judged(*state, &hs), "h2");
	assert_sees(*state, "http/1.1,h2", H2, "h2");
	assert_sees(*state, "http/1.1", HTTP1, "http/1.1");
}

static void a_resumed_answer_is_copied(void **state)
{
	assert_sees(*state, BOTH, H2, "undetermined");
	assert_string_equal(resume(*state, BOTH, 84), "h2");
	assert_sees(*state, BOTH, H2, "h2");
	assert_sees(*state, "h2", H2, "undetermined");
}

/* A flight is never shorter than the line: two at 1209 say that 1215 is not without ALPN. */
static void other_offers_tell_as_well(void **state)
{
	assert_sees(*state, BOTH, H2, "undetermined");
	assert_sees(*state, BOTH, H2, "undetermined");
	assert_sees(*state, "http/1.1", HTTP1, "http/1.1");
	assert_sees(*state, BOTH, H2, "h2");
}

/*
 * A renewed certificate that is 4 bytes longer, and h2 from a client that was not met: 13 more is
 * near http/1.1 if signatures vary. Here they do not.
 */
static void a_renewal_before_a_new_client(void **state)
{
	for (unsigned int longer = 1; longer <= 5; longer++) {
		struct learn_book *book = learn_new(10);

		baseline(book);
		assert_sees(book, BOTH, H2 + longer, "undetermined");
		learn_free(book);
	}
	(void)state;
}

/* The server's doing, not its certificate's: flights that offer nothing are as long as ever. */
static void another_answer(void **state)
{
	baseline(*state);
	assert_sees(*state, BOTH, H2, "h2");
	assert_sees(*state, BOTH, HTTP1, "undetermined");
	assert_sees(*state, BOTH, HTTP1, "undetermined");
	assert_sees(*state, NULL, FLIGHT, "not_offered");
	assert_sees(*state, BOTH, HTTP1, "http/1.1");
}

/* A server of http/1.1 alone has two lengths for two offers, and one certificate. */
static void another_length_for_another_offer(void **state)
{
	baseline(*state);
	assert_sees(*state, BOTH, HTTP1, "http/1.1");
	assert_sees(*state, "h2", FLIGHT, "none");
	assert_sees(*state, BOTH, HTTP1, "http/1.1");
}

static void the_two_ways_must_agree(void **state)
{
	assert_string_equal(resume(*state, BOTH, 84), "h2");
	baseline(*state);
	assert_sees(*state, BOTH, HTTP1, "undetermined");
	assert_sees(*state, "http/1.1", HTTP1, "http/1.1");
}

/* What is spoken is not what was chosen. */
static void a_pattern_against_the_line_is_unknown(void **state)
{
	struct as_handshake hs = whole(BOTH, FLIGHT);

	baseline(*state);
	flight_of(&hs.client_flight, HTTP2_CLIENT);
	assert_string_equal(judged(*state, &hs), "undetermined");
}

static void another_certificate(void **state)
{
	baseline(*state);
	assert_sees(*state, BOTH, H2, "h2");
	assert_sees(*state, BOTH, H2 + 200, "undetermined");
	/* all is forgotten, the old baseline too */
	assert_sees(*state, BOTH, H2, "undetermined");
}

static void another_certificate_forgets_resumptions(void **state)
{
	assert_sees(*state, BOTH, H2, "undetermined");
	assert_string_equal(resume(*state, BOTH, 84), "h2");
	assert_sees(*state, BOTH, H2 + 200, "undetermined");
}

/* A certificate that is 6 bytes longer makes h2 as long as http/1.1 was. */
static void a_little_longer_certificate(void **state)
{
	baseline(*state);
	assert_sees(*state, BOTH, H2, "h2");
	see(*state, BOTH, H2 + 6);
	assert_sees(*state, BOTH, H2 + 6, "undetermined");
	assert_sees(*state, NULL, FLIGHT + 6, "not_offered");
	assert_sees(*state, NULL, FLIGHT + 6, "not_offered");
	assert_sees(*state, BOTH, H2 + 6, "h2");
}

static void other_servers_are_not_asked(void **state)
{
	struct as_handshake hs = whole(BOTH, H2);

	baseline(*state);
	hs.server_port = 444;
	assert_string_equal(judged(*state, &hs), "undetermined");
	hs = whole(BOTH, H2);
	hs.server_addr[15] = 1;
	assert_string_equal(judged(*state, &hs), "undetermined");
	hs = whole(BOTH, H2);
	hs.names[0] = 'b';
	assert_string_equal(judged(*state, &hs), "undetermined");
	hs.names[0] = 'A';
	assert_string_equal(judged(*state, &hs), "h2");
}

/* A server answers record_size_limit with 6 bytes, to who sent it. */
static void other_clients_are_not_compared(void **state)
{
	struct as_handshake hs = whole(BOTH, H2 + 6);

	baseline(*state);
	hs.client_ext |= AS_X_RECORD_SIZE_LIMIT;
	assert_string_equal(judged(*state, &hs), "undetermined");
	assert_sees(*state, BOTH, H2, "h2");
}

/* Finished of SHA-256 is 16 bytes shorter. */
static void suites_are_comparable(void **state)
{
	struct as_handshake hs = whole(BOTH, H2 - 16);

	baseline(*state);
	hs.cipher = SHA256;
	assert_string_equal(judged(*state, &hs), "h2");
}

static void http1_1_that_was_not_offered(void **state)
{
	baseline(*state);
	assert_sees(*state, "h2", HTTP1, "undetermined");
	assert_sees(*state, "http/1.0,http/1.1", HTTP1, "undetermined");
}

static void truncated_and_hidden_offers_teach_nothing(void **state)
{
	struct as_handshake hs = whole(NULL, FLIGHT);

	hs.client_ext |= AS_X_ECH; /* the inner hello may have offered */
	judged(*state, &hs);
	judged(*state, &hs);
	assert_sees(*state, BOTH, H2, "undetermined");
	baseline(*state);
	hs = whole(BOTH, H2);
	hs.flags |= AS_F_ALPN_TRUNCATED;
	assert_string_equal(judged(*state, &hs), "undetermined");
}

/* Invented names push out who was not met for longest, and cost no memory. */
static void a_flood_of_names(void **state)
{
	struct learn_book *book = learn_new(4);

	(void)state;
	assert_non_null(book);
	baseline(book);
	for (unsigned int i = 0; i < 100; i++) {
		struct as_handshake hs = whole(BOTH, H2);

		assert_sees(book, BOTH, H2, "h2"); /* met all the time: it stays */
		hs.names[1] = (__u8)('a' + i % 26);
		hs.names[2] = (__u8)('a' + i / 26);
		judged(book, &hs);
	}
	for (unsigned int i = 0; i < 5; i++) {
		struct as_handshake hs = whole(BOTH, H2);

		hs.names[1] = (__u8)('A' + i);
		hs.names[2] = '1';
		judged(book, &hs);
	}
	assert_sees(book, BOTH, H2, "undetermined");
	learn_free(book);
	learn_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, book_setup, book_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_baseline_decides),
		TEST(one_sample_does_not),
		TEST(one_sample_between_two_does),
		TEST(one_sample_in_a_chain_does),
		TEST(one_sample_between_two_unlike_ones_does_not),
		TEST(a_renewal_before_a_new_client),
		TEST(another_answer),
		TEST(signatures_vary),
		TEST(signatures_vary_the_other_way),
		TEST(other_offers_tell_as_well),
		TEST(another_length_for_another_offer),
		TEST(http2_that_was_seen_is_a_sample),
		TEST(a_resumed_answer_is_copied),
		TEST(the_two_ways_must_agree),
		TEST(a_pattern_against_the_line_is_unknown),
		TEST(another_certificate),
		TEST(another_certificate_forgets_resumptions),
		TEST(a_little_longer_certificate),
		TEST(other_servers_are_not_asked),
		TEST(other_clients_are_not_compared),
		TEST(suites_are_comparable),
		TEST(http1_1_that_was_not_offered),
		TEST(truncated_and_hidden_offers_teach_nothing),
		TEST(a_flood_of_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
