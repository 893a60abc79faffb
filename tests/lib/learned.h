/* SPDX-License-Identifier: GPL-2.0-only */
/* learned.h - flights that a book of servers (learn.h) is shown, and what it says; with cmocka. */
#ifndef TESTS_LEARNED_H
#define TESTS_LEARNED_H

#include "flights.h"
#include "learn.h"

#define BOTH "h2,http/1.1"
#define FLIGHT 1200 /* without ALPN */
#define H2 (FLIGHT + 9)
#define HTTP1 (FLIGHT + 15)
#define HTTP2_CLIENT "69/1 87/3 463/4 26/6"

static inline struct as_handshake whole(const char *offer, unsigned int len)
{
	char server[64];

	snprintf(server, sizeof(server), "%u/0 413/1 38/1", len);
	return tls13(offer, SNI, server, "69/1 86/1");
}

static inline struct as_handshake resumed(const char *offer, unsigned int len)
{
	char server[64];

	snprintf(server, sizeof(server), "%u/0", len);
	return tls13(offer, SNI | PSK, server, "69/1 86/1");
}

/* The name, "none", or the outcome. Valid until the next call. */
static inline const char *answer_said(const struct verdict *v)
{
	static char buffer[32];

	if (v->grade == GRADE_LEARNED)
		assert_int_equal(v->evidence, EVIDENCE_RECORD_LENGTH);
	if (v->outcome == OUTCOME_IGNORED)
		return "none";
	if (v->outcome == OUTCOME_UNDETERMINED)
		assert_int_equal(v->evidence, EVIDENCE_NONE);
	if (v->outcome != OUTCOME_NEGOTIATED)
		return outcome_name(v->outcome);
	snprintf(buffer, sizeof(buffer), "%.*s", v->chosen.len, (const char *)v->chosen.bytes);
	return buffer;
}

static inline const char *judged(struct learn_book *book, const struct as_handshake *hs)
{
	static struct verdict v;

	verdict_outcome(hs, &v);
	learn_verdict(book, hs, &v);
	return answer_said(&v);
}

/* A flight of @len bytes to @offer, seen and judged. */
static inline const char *see(struct learn_book *book, const char *offer, unsigned int len)
{
	struct as_handshake hs = whole(offer, len);

	return judged(book, &hs);
}

static inline const char *resume(struct learn_book *book, const char *offer, unsigned int len)
{
	struct as_handshake hs = resumed(offer, len);

	return judged(book, &hs);
}

#define assert_sees(book, offer, len, answer) assert_string_equal(see(book, offer, len), answer)

static inline int book_setup(void **state)
{
	*state = learn_new(100);
	return *state ? 0 : -1;
}

static inline int book_teardown(void **state)
{
	learn_free(*state);
	return 0;
}

/* Two flights without an offer. */
static inline void baseline(struct learn_book *book)
{
	assert_sees(book, NULL, FLIGHT, "not_offered");
	assert_sees(book, NULL, FLIGHT, "not_offered");
}

#endif
