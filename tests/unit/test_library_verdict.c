// SPDX-License-Identifier: GPL-2.0-only
/* A TLS library's answer in the verdict, against what was inferred, and what is learned of it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "flights.h"
#include "pipeline.h"

#define BOTH "h2,http/1.1"
#define EXACT_H2 "36/0 874/0 281/0 69/0" /* docs/TLS13.md: 23 + 9 + 4 */
#define LIKELY_HTTP1 "42/0 874/0 281/0 69/0" /* 23 + 15 + 4 */
#define EXACT_NONE "27/0 874/0 281/0 69/0" /* 23 + 4 */
#define HIDDEN "1209/0 413/1"

/* A pipeline, what is in the ring, and the last event. */
struct rig {
	struct pipeline p;
	unsigned int asked; /* how often the ring was looked into */
	struct as_library_answer ring[4];
	unsigned int waiting;
	unsigned int events;
	enum outcome outcome;
	enum evidence evidence;
	enum grade grade;
	char chosen[300];
	uint8_t number; /* of the handshake: its randoms */
};

static void on_event(void *arg, const struct event *ev)
{
	struct rig *r = arg;

	r->events++;
	r->outcome = ev->verdict.outcome;
	r->evidence = ev->verdict.evidence;
	r->grade = ev->verdict.grade;
	r->chosen[0] = '\0';
	if (ev->verdict.has_chosen)
		snprintf(r->chosen, sizeof(r->chosen), "%.*s", ev->verdict.chosen.len,
			 (const char *)ev->verdict.chosen.bytes);
}

static void read_ring(void *arg)
{
	struct rig *r = arg;

	r->asked++;
	while (r->waiting)
		answers_add(r->p.answers, &r->ring[--r->waiting]);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	assert_non_null(r);
	r->p = (struct pipeline){.identity = identity_new(NULL, NULL),
				 .book = service_new(10),
				 .answers = answers_new(10),
				 .answers_read = read_ring,
				 .answers_arg = r,
				 .sink = on_event,
				 .sink_arg = r};
	assert_int_equal(pipeline_merge(&r->p), 0);
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	identity_free(r->p.identity);
	service_free(r->p.book);
	answers_free(r->p.answers);
	learn_free(r->p.learn);
	merge_free(r->p.merge);
	free(r);
	return 0;
}

static void tell(struct rig *r, const char *name)
{
	struct as_library_answer *a = &r->ring[r->waiting++];

	*a = (struct as_library_answer){.word = AS_LIBRARY_ANSWER, .how = AS_LIBRARY_OUT};
	memset(a->random, r->number, sizeof(a->random));
	a->name_len = (uint8_t)strlen(name);
	memcpy(a->name, name, a->name_len);
}

/* The next handshake; what its library tells is in the ring by then. NULL: nothing. */
static void judge(struct rig *r, struct as_handshake hs, const char *told)
{
	hs.size = sizeof(hs);
	memset(hs.server_random, ++r->number, sizeof(hs.server_random));
	memset(hs.client_random, r->number, sizeof(hs.client_random));
	if (told)
		tell(r, told);
	pipeline_record(&r->p, &hs);
	pipeline_end(&r->p);
	assert_int_equal(r->events, r->number);
}

static void see(struct rig *r, const char *offer, const char *server, const char *told)
{
	judge(r, tls13(offer, SNI, server, "69/4"), told);
}

static void assert_says(const struct rig *r, enum outcome outcome, enum evidence evidence,
			const char *chosen)
{
	assert_int_equal(r->outcome, outcome);
	assert_int_equal(r->evidence, evidence);
	assert_string_equal(r->chosen, chosen);
	if (evidence == EVIDENCE_LIBRARY)
		assert_int_equal(r->grade, GRADE_NONE);
}

static void it_decides(void **state)
{
	see(*state, BOTH, HIDDEN, "h2");
	assert_says(*state, OUTCOME_NEGOTIATED, EVIDENCE_LIBRARY, "h2");
	see(*state, BOTH, HIDDEN, "http/1.1");
	assert_says(*state, OUTCOME_NEGOTIATED, EVIDENCE_LIBRARY, "http/1.1");
	see(*state, BOTH, HIDDEN, "");
	assert_says(*state, OUTCOME_IGNORED, EVIDENCE_LIBRARY, "");
	see(*state, "h2", HIDDEN, "http/1.1"); /* as Apache httpd does */
	assert_says(*state, OUTCOME_VIOLATION, EVIDENCE_LIBRARY, "http/1.1");
	see(*state, BOTH, HIDDEN, NULL);
	assert_says(*state, OUTCOME_UNDETERMINED, EVIDENCE_NONE, "");
}

/* Names are bytes: a terminator ends nothing. */
static void a_name_may_hold_anything(void **state)
{
	struct rig *r = *state;
	const uint8_t *name = (const uint8_t *)"\0\"\n";

	see(r, BOTH, HIDDEN, "xxx");
	assert_int_equal(r->outcome, OUTCOME_VIOLATION);
	tell(r, "xxx");
	memcpy(r->ring[0].name, name, 3);
	memset(r->ring[0].random, r->number + 1, 32);
	see(r, BOTH, HIDDEN, NULL);
	assert_int_equal(r->outcome, OUTCOME_VIOLATION);
}

static uint64_t disagreed(const struct rig *r, enum evidence e, enum grade g)
{
	return r->p.check.disagreed[e][g];
}

static void it_wins_and_the_difference_is_counted(void **state)
{
	struct rig *r = *state;

	see(r, BOTH, EXACT_H2, "http/1.1");
	assert_says(r, OUTCOME_NEGOTIATED, EVIDENCE_LIBRARY, "http/1.1");
	assert_int_equal(disagreed(r, EVIDENCE_RECORD_LENGTH, GRADE_EXACT), 1);
	see(r, BOTH, LIKELY_HTTP1, "h2");
	assert_says(r, OUTCOME_NEGOTIATED, EVIDENCE_LIBRARY, "h2");
	assert_int_equal(disagreed(r, EVIDENCE_RECORD_LENGTH, GRADE_LIKELY), 1);
	see(r, BOTH, "19/0", "h2");
	assert_says(r, OUTCOME_NEGOTIATED, EVIDENCE_LIBRARY, "h2");
	assert_int_equal(disagreed(r, EVIDENCE_ALERT, GRADE_STRONG), 1);
	see(r, BOTH, EXACT_NONE, "");
	assert_int_equal(disagreed(r, EVIDENCE_RECORD_LENGTH, GRADE_EXACT), 1);
	assert_int_equal(r->p.check.agreed[EVIDENCE_RECORD_LENGTH][GRADE_EXACT], 1);
}

/* Two that differ: the inference stays. */
static void a_conflict_leaves_the_inference(void **state)
{
	struct rig *r = *state;

	r->number = 1;
	tell(r, "http/1.1");
	r->number = 0;
	see(r, BOTH, EXACT_H2, "h2");
	assert_says(r, OUTCOME_NEGOTIATED, EVIDENCE_RECORD_LENGTH, "h2");
	assert_int_equal(answers_count(r->p.answers).unmatched[ANSWERS_CONFLICT], 1);
}

static void what_is_in_clear_stays(void **state)
{
	struct as_handshake hs = tls13(BOTH, SNI, HIDDEN, "69/4");
	struct rig *r = *state;

	hs.server_version = 0x0303;
	judge(r, hs, "h2");
	assert_says(r, OUTCOME_IGNORED, EVIDENCE_SERVER_HELLO, "");
	see(r, NULL, HIDDEN, "h2");
	assert_says(r, OUTCOME_NOT_OFFERED, EVIDENCE_CLIENT_HELLO, "");
	assert_int_equal(answers_count(r->p.answers).unmatched[ANSWERS_IN_CLEAR], 2);
}

/*
 * A client that gave up before it had read EncryptedExtensions is asked what was chosen: "none".
 * Its last word is an alert: 19, or 35 where records are padded by 16, or in clear; or the server
 * had none but an alert.
 */
static void no_name_in_a_handshake_that_broke_off(void **state)
{
	static const char *const broken[] = {"19/4", "35/4", "7t21/4"};
	struct rig *r = *state;

	for (unsigned int i = 0; i < 3; i++) {
		judge(r, tls13(BOTH, SNI, HIDDEN, broken[i]), "");
		assert_says(r, OUTCOME_UNDETERMINED, EVIDENCE_NONE, "");
	}
	judge(r, tls13(BOTH, SNI, NULL, "69/0"), "");
	assert_says(r, OUTCOME_UNDETERMINED, EVIDENCE_NONE, "");
	judge(r, tls13("foo", SNI, "19/0", NULL), "");
	assert_says(r, OUTCOME_REJECTED, EVIDENCE_ALERT, "");
	assert_int_equal(answers_count(r->p.answers).unmatched[ANSWERS_TOO_EARLY], 5);
	assert_int_equal(disagreed(r, EVIDENCE_ALERT, GRADE_STRONG), 0);
}

/* Early data came before; a name is one, whatever the client made of it; some just leave. */
static void what_tells_that_it_was_read(void **state)
{
	struct rig *r = *state;

	judge(r, tls13(BOTH, SNI, HIDDEN, "19/0 69/1"), "");
	assert_says(r, OUTCOME_IGNORED, EVIDENCE_LIBRARY, "");
	judge(r, tls13(BOTH, SNI, HIDDEN, "19/1"), "h2");
	assert_says(r, OUTCOME_NEGOTIATED, EVIDENCE_LIBRARY, "h2");
	judge(r, tls13(BOTH, SNI, HIDDEN, NULL), "");
	assert_says(r, OUTCOME_IGNORED, EVIDENCE_LIBRARY, "");
}

/* RFC 9849: the inner hello's offer is the one that counts. */
static void ech_hides_the_offer(void **state)
{
	struct as_handshake hs = tls13(NULL, SNI, HIDDEN, "69/4");
	struct rig *r = *state;

	hs.client_ext |= AS_X_ECH;
	judge(r, hs, "h2");
	assert_says(r, OUTCOME_NEGOTIATED, EVIDENCE_LIBRARY, "h2");
	judge(r, hs, "");
	assert_says(r, OUTCOME_UNDETERMINED, EVIDENCE_NONE, "");
	hs = tls13("http/1.1", SNI, HIDDEN, "69/4");
	hs.client_ext |= AS_X_ECH;
	judge(r, hs, "h2");
	assert_says(r, OUTCOME_NEGOTIATED, EVIDENCE_LIBRARY, "h2");
}

static void a_truncated_offer_may_hold_it(void **state)
{
	struct as_handshake hs = tls13("http/1.1", SNI, HIDDEN, "69/4");

	hs.flags |= AS_F_ALPN_TRUNCATED;
	judge(*state, hs, "h2");
	assert_says(*state, OUTCOME_NEGOTIATED, EVIDENCE_LIBRARY, "h2");
}

/* What learn.c is taught, it tells of the next handshake, whose library says nothing. */
static void it_teaches(void **state)
{
	struct rig *r = *state;

	see(r, BOTH, "1209/0 413/1", "h2");
	see(r, BOTH, "1209/0 413/1", "h2");
	see(r, "http/1.1", "1215/0 413/1", NULL);
	assert_says(r, OUTCOME_NEGOTIATED, EVIDENCE_RECORD_LENGTH, "http/1.1");
	assert_int_equal(r->grade, GRADE_LEARNED);
}

static void what_was_learned_is_checked_too(void **state)
{
	struct rig *r = *state;

	see(r, BOTH, "1209/0 413/1", "h2");
	see(r, BOTH, "1209/0 413/1", "h2");
	see(r, BOTH, "1209/0 413/1", "h2");
	assert_true(r->p.check.agreed[EVIDENCE_RECORD_LENGTH][GRADE_LEARNED] > 0);
	see(r, "http/1.1", "1215/0 413/1", "");
	assert_says(r, OUTCOME_IGNORED, EVIDENCE_LIBRARY, "");
	assert_int_equal(disagreed(r, EVIDENCE_RECORD_LENGTH, GRADE_LEARNED), 1);
}

/* An expectation is observed from it, as from what was read in clear. */
static void it_is_sound(void **state)
{
	struct rig *r = *state;
	struct service_key key = {.name = "unknown",
				  .server_port = 443,
				  .role = ROLE_TRANSIT,
				  .sni = (const uint8_t *)"a.example",
				  .sni_len = 9};
	struct service_facts e;

	see(r, BOTH, LIKELY_HTTP1, NULL);
	service_find(r->p.book, &key, &e);
	assert_int_equal(e.expect.source, EXPECT_NONE);
	see(r, BOTH, HIDDEN, "h2");
	service_find(r->p.book, &key, &e);
	assert_int_equal(e.expect.source, EXPECT_OBSERVED);
	assert_string_equal(e.expect.name[0], "h2");
}

/* The ring is read before each verdict, so the answer may come while the record is held. */
static void it_may_come_while_the_record_waits(void **state)
{
	struct as_handshake hs = tls13(BOTH, SNI, HIDDEN, "69/4");
	struct rig *r = *state;

	hs.size = sizeof(hs);
	memset(hs.server_random, 1, sizeof(hs.server_random));
	pipeline_record(&r->p, &hs);
	assert_int_equal(r->asked, 0);
	r->number = 1;
	tell(r, "h2");
	pipeline_end(&r->p);
	assert_says(r, OUTCOME_NEGOTIATED, EVIDENCE_LIBRARY, "h2");
	assert_int_equal(r->asked, 1);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(it_decides),
		test(a_name_may_hold_anything),
		test(it_wins_and_the_difference_is_counted),
		test(a_conflict_leaves_the_inference),
		test(what_is_in_clear_stays),
		test(no_name_in_a_handshake_that_broke_off),
		test(what_tells_that_it_was_read),
		test(ech_hides_the_offer),
		test(a_truncated_offer_may_hold_it),
		test(it_teaches),
		test(what_was_learned_is_checked_too),
		test(it_is_sound),
		test(it_may_come_while_the_record_waits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
