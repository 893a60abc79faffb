// SPDX-License-Identifier: GPL-2.0-only
/* answers.c: what TLS libraries told, by server random. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "answers.h"

#define SECOND 1000000000ULL
#define LIMIT 4

static struct as_library_answer told(uint8_t random, const char *name)
{
	struct as_library_answer a = {
		.word = AS_LIBRARY_ANSWER, .time_ns = SECOND, .how = AS_LIBRARY_OUT};

	memset(a.random, random, sizeof(a.random));
	a.name_len = (uint8_t)strlen(name);
	memcpy(a.name, name, a.name_len);
	return a;
}

static void tell(struct answers *t, uint8_t random, const char *name)
{
	struct as_library_answer a = told(random, name);

	answers_add(t, &a);
}

/* What the handshake with this random is told; "?" for nothing. */
static const char *ask(struct answers *t, uint8_t random)
{
	static char name[AS_LIBRARY_NAME_MAX + 1];
	struct as_library_answer a;
	uint8_t whole[32];

	memset(whole, random, sizeof(whole));
	if (!answers_take(t, whole, true, false, SECOND, &a))
		return "?";
	snprintf(name, sizeof(name), "%.*s", a.name_len, (const char *)a.name);
	return name;
}

static void assert_unmatched(const struct answers *t, enum answers_unmatched why, uint64_t want)
{
	struct answers_count n = answers_count(t);

	for (unsigned int i = 0; i < ANSWERS_UNMATCHED_COUNT; i++)
		assert_int_equal(n.unmatched[i], i == why ? want : 0);
}

static int setup(void **state)
{
	*state = answers_new(LIMIT);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	answers_free(*state);
	return 0;
}

static void each_to_its_own(void **state)
{
	tell(*state, 1, "h2");
	tell(*state, 2, "");
	tell(*state, 3, "http/1.1");
	assert_int_equal(answers_count(*state).waiting, 3);
	assert_string_equal(ask(*state, 3), "http/1.1");
	assert_string_equal(ask(*state, 2), "");
	assert_string_equal(ask(*state, 1), "h2");
	assert_int_equal(answers_count(*state).taken, 3);
	assert_int_equal(answers_count(*state).waiting, 0);
	assert_unmatched(*state, ANSWERS_LATE, 0);
}

/* A random that differs in its last byte only is another handshake. */
static void the_whole_random_counts(void **state)
{
	struct as_library_answer a = told(1, "h2"), got;
	uint8_t other[32];

	memset(other, 1, sizeof(other));
	other[31] ^= 1;
	answers_add(*state, &a);
	assert_false(answers_take(*state, other, true, false, SECOND, &got));
	assert_true(answers_take(*state, a.random, true, false, SECOND, &got));
}

static void both_ends_agree(void **state)
{
	tell(*state, 1, "h2");
	tell(*state, 1, "h2");
	assert_string_equal(ask(*state, 1), "h2");
	tell(*state, 1, "h2");
	assert_int_equal(answers_count(*state).taken, 1);
	assert_unmatched(*state, ANSWERS_LATE, 0);
}

static void of_two_that_differ_none_is_believed(void **state)
{
	tell(*state, 1, "h2");
	tell(*state, 1, "http/1.1");
	tell(*state, 1, "h2");
	assert_string_equal(ask(*state, 1), "?");
	assert_unmatched(*state, ANSWERS_CONFLICT, 1);
	assert_int_equal(answers_count(*state).waiting, 0);
}

/* A prefix is another name, and nothing is one too. */
static void lengths_count(void **state)
{
	tell(*state, 1, "h2");
	tell(*state, 1, "h2c");
	assert_string_equal(ask(*state, 1), "?");
	tell(*state, 2, "h2");
	tell(*state, 2, "");
	assert_string_equal(ask(*state, 2), "?");
	assert_unmatched(*state, ANSWERS_CONFLICT, 2);
}

static void tell_of(struct answers *t, uint32_t tgid, const char *name)
{
	struct as_library_answer a = told(1, name);

	a.tgid = tgid;
	answers_add(t, &a);
}

/* A client that asks between ServerHello and EncryptedExtensions, and again. */
static void asked_too_early(void **state)
{
	tell_of(*state, 7, "");
	tell_of(*state, 7, "h2");
	assert_string_equal(ask(*state, 1), "h2");
	assert_unmatched(*state, ANSWERS_CONFLICT, 0);
}

/* But another process that says none, or one that takes its word back, is one. */
static void too_late_to_choose(void **state)
{
	tell_of(*state, 7, "");
	tell_of(*state, 8, "h2");
	assert_string_equal(ask(*state, 1), "?");
	assert_unmatched(*state, ANSWERS_CONFLICT, 1);
}

static void a_choice_stays(void **state)
{
	tell_of(*state, 7, "h2");
	tell_of(*state, 7, "");
	assert_string_equal(ask(*state, 1), "?");
	assert_unmatched(*state, ANSWERS_CONFLICT, 1);
}

static void a_conflict_that_comes_late_is_counted(void **state)
{
	tell(*state, 1, "h2");
	assert_string_equal(ask(*state, 1), "h2");
	tell(*state, 1, "http/1.1");
	assert_unmatched(*state, ANSWERS_CONFLICT, 1);
}

static void late(void **state)
{
	assert_string_equal(ask(*state, 1), "?");
	tell(*state, 1, "h2");
	tell(*state, 1, "h2");
	assert_unmatched(*state, ANSWERS_LATE, 1);
	assert_int_equal(answers_count(*state).waiting, 0);
}

static void what_the_wire_says_is_not_needed(void **state)
{
	struct as_library_answer a = told(1, "h2"), got;

	answers_add(*state, &a);
	assert_false(answers_take(*state, a.random, false, false, SECOND, &got));
	assert_unmatched(*state, ANSWERS_IN_CLEAR, 1);
}

/* "None" from before EncryptedExtensions, unless it is from that very message; a name is one. */
static void no_name_may_come_too_early(void **state)
{
	struct as_library_answer a = told(1, ""), got;

	answers_add(*state, &a);
	assert_false(answers_take(*state, a.random, true, true, SECOND, &got));
	assert_unmatched(*state, ANSWERS_TOO_EARLY, 1);
	a = told(2, "");
	a.how = AS_LIBRARY_MESSAGE;
	answers_add(*state, &a);
	assert_true(answers_take(*state, a.random, true, true, SECOND, &got));
	a = told(3, "h2");
	answers_add(*state, &a);
	assert_true(answers_take(*state, a.random, true, true, SECOND, &got));
	assert_unmatched(*state, ANSWERS_TOO_EARLY, 1);
	assert_int_equal(answers_count(*state).waiting, 0);
}

static void without_a_handshake_it_expires(void **state)
{
	tell(*state, 1, "h2");
	answers_expire(*state, SECOND + ANSWERS_KEEP_NS);
	assert_int_equal(answers_count(*state).waiting, 1);
	answers_expire(*state, SECOND + ANSWERS_KEEP_NS + 1);
	assert_unmatched(*state, ANSWERS_NO_HANDSHAKE, 1);
	assert_string_equal(ask(*state, 1), "?");
}

static void a_full_table_counts_what_makes_way(void **state)
{
	for (uint8_t i = 1; i <= LIMIT + 2; i++)
		tell(*state, i, "h2");
	assert_unmatched(*state, ANSWERS_FULL, 2);
	assert_string_equal(ask(*state, 1), "?");
	assert_string_equal(ask(*state, LIMIT + 2), "h2");
	assert_int_equal(answers_count(*state).waiting, LIMIT - 2); /* the question took a place */
}

/* No ServerHello yet, and RFC 8446 section 4.1.3's mark of a HelloRetryRequest. */
static void randoms_that_are_none(void **state)
{
	static const uint8_t retry[] = "\xcf\x21\xad\x74\xe5\x9a\x61\x11\xbe\x1d\x8c\x02\x1e\x65"
				       "\xb8\x91\xc2\xa2\x11\x16\x7a\xbb\x8c\x5e\x07\x9e\x09\xe2"
				       "\xc8\xa8\x33\x9c";
	struct as_library_answer a = told(0, "h2");

	answers_add(*state, &a);
	memcpy(a.random, retry, sizeof(a.random));
	answers_add(*state, &a);
	assert_int_equal(answers_count(*state).waiting, 0);
}

static void field(struct answers *t, uint8_t random, const char *name, uint16_t file)
{
	struct as_library_answer a = told(random, name);

	a.how = AS_LIBRARY_FIELD;
	a.file = file;
	answers_add(t, &a);
}

static void prove(struct answers *t, uint8_t random, uint16_t file, uint8_t agrees)
{
	struct as_library_answer a = told(random, "h2");

	a.file = file;
	a.agrees = agrees;
	answers_add(t, &a);
}

static void fields_must_be_proven(void **state)
{
	field(*state, 1, "h2", 7);
	assert_string_equal(ask(*state, 1), "?");
	assert_unmatched(*state, ANSWERS_UNVERIFIED, 1);
	prove(*state, 2, 7, 1);
	field(*state, 3, "h2", 7);
	assert_string_equal(ask(*state, 2), "h2");
	assert_string_equal(ask(*state, 3), "h2");
}

/* Neither an answer without a handshake on the wire, nor that of another file, nor one with
 * which the fields do not agree. */
static void what_proves_nothing(void **state)
{
	prove(*state, 1, 7, 1);
	field(*state, 2, "h2", 7);
	assert_string_equal(ask(*state, 2), "?");
	prove(*state, 3, 8, 1);
	assert_string_equal(ask(*state, 3), "h2");
	prove(*state, 4, 7, 0);
	assert_string_equal(ask(*state, 4), "h2");
	field(*state, 5, "h2", 7);
	assert_string_equal(ask(*state, 5), "?");
	assert_int_equal(answers_count(*state).unmatched[ANSWERS_UNVERIFIED], 2);
}

static void another_file_of_that_number_starts_anew(void **state)
{
	prove(*state, 1, 7, 1);
	assert_string_equal(ask(*state, 1), "h2");
	answers_new_file(*state, 7);
	field(*state, 2, "h2", 7);
	assert_string_equal(ask(*state, 2), "?");
}

/* The library's own word about the same handshake, before or after it was judged. */
static void the_own_word_proves_the_field(void **state)
{
	field(*state, 1, "h2", 7);
	prove(*state, 1, 7, 1);
	assert_string_equal(ask(*state, 1), "h2");
	field(*state, 2, "h2", 8);
	assert_string_equal(ask(*state, 2), "?");
	prove(*state, 2, 8, 1);
	field(*state, 3, "h2", 8);
	assert_string_equal(ask(*state, 3), "h2");
}

static void a_file_that_proved_itself_is_told_once(void **state)
{
	assert_int_equal(answers_proven(*state), AS_LIBRARY_FILES);
	prove(*state, 1, 7, 1);
	assert_int_equal(answers_proven(*state), AS_LIBRARY_FILES); /* not met yet */
	prove(*state, 2, 9, 1);
	ask(*state, 1);
	ask(*state, 2);
	assert_int_equal(answers_proven(*state), 7);
	assert_int_equal(answers_proven(*state), 9);
	assert_int_equal(answers_proven(*state), AS_LIBRARY_FILES);
	prove(*state, 3, 7, 1);
	ask(*state, 3);
	assert_int_equal(answers_proven(*state), AS_LIBRARY_FILES);
	answers_new_file(*state, 7);
	prove(*state, 4, 7, 1);
	ask(*state, 4);
	answers_new_file(*state, 7);
	assert_int_equal(answers_proven(*state), AS_LIBRARY_FILES);
}

static void numbers_out_of_range(void **state)
{
	field(*state, 1, "h2", AS_LIBRARY_FILES);
	assert_int_equal(answers_count(*state).waiting, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(each_to_its_own),
		test(the_whole_random_counts),
		test(both_ends_agree),
		test(of_two_that_differ_none_is_believed),
		test(lengths_count),
		test(asked_too_early),
		test(too_late_to_choose),
		test(a_choice_stays),
		test(a_conflict_that_comes_late_is_counted),
		test(late),
		test(what_the_wire_says_is_not_needed),
		test(no_name_may_come_too_early),
		test(without_a_handshake_it_expires),
		test(a_full_table_counts_what_makes_way),
		test(randoms_that_are_none),
		test(fields_must_be_proven),
		test(what_proves_nothing),
		test(another_file_of_that_number_starts_anew),
		test(the_own_word_proves_the_field),
		test(a_file_that_proved_itself_is_told_once),
		test(numbers_out_of_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
