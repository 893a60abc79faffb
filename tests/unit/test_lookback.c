// SPDX-License-Identifier: GPL-2.0-only
/* lookback.c: what comes later tells of what came before, in the order in which it came. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "learned.h"
#include "lookback.h"

#define SAID_MAX 4096

/* All that was handed over: port of the client and answer, of each. */
struct rig {
	struct learn_book *book;
	struct lookback *look;
	unsigned int sent, count;
	char text[SAID_MAX];
};

static void said(void *arg, const struct merged *m, const struct verdict *v)
{
	struct rig *r = arg;
	size_t len = strlen(r->text);

	assert_int_equal(m->hs.client_port, r->count++);
	snprintf(r->text + len, sizeof(r->text) - len, "%s%s", len ? " " : "", answer_said(v));
}

static void send(struct rig *r, const struct as_handshake *hs)
{
	struct merged m = {.hs = *hs};

	m.hs.client_port = (__u16)r->sent++;
	lookback_add(r->look, &m);
}

static void flight(struct rig *r, const char *offer, unsigned int len)
{
	struct as_handshake hs = whole(offer, len);

	send(r, &hs);
}

static int start(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	r->book = learn_new(4);
	r->look = lookback_new(r->book, said, r);
	*state = r;
	return r->look ? 0 : -1;
}

static int stop(void **state)
{
	struct rig *r = *state;

	lookback_free(r->look);
	learn_free(r->book);
	free(r);
	return 0;
}

static void what_comes_later_tells(void **state)
{
	struct rig *r = *state;

	flight(r, BOTH, H2);
	flight(r, NULL, FLIGHT);
	flight(r, NULL, FLIGHT);
	assert_string_equal(r->text, ""); /* they wait behind the first one */
	lookback_flush(r->look);
	assert_string_equal(r->text, "h2 not_offered not_offered");
}

static void what_is_known_does_not_wait(void **state)
{
	struct rig *r = *state;

	flight(r, NULL, FLIGHT);
	flight(r, NULL, FLIGHT);
	flight(r, BOTH, H2);
	assert_string_equal(r->text, "not_offered not_offered h2");
}

static void one_sample_later_does_not_tell(void **state)
{
	struct rig *r = *state;

	flight(r, BOTH, H2);
	flight(r, BOTH, H2);
	flight(r, NULL, FLIGHT);
	lookback_flush(r->look);
	assert_string_equal(r->text, "undetermined undetermined not_offered");
}

static void one_sample_between_tells(void **state)
{
	struct rig *r = *state;

	flight(r, BOTH, H2);
	flight(r, NULL, FLIGHT);
	flight(r, BOTH, H2);
	lookback_flush(r->look);
	assert_string_equal(r->text, "h2 not_offered h2");
}

/* The certificate was renewed between: what comes later is of another one. */
static void another_certificate_does_not_tell(void **state)
{
	struct rig *r = *state;

	flight(r, BOTH, H2);
	flight(r, NULL, FLIGHT + 200);
	flight(r, NULL, FLIGHT + 200);
	flight(r, BOTH, H2 + 200);
	lookback_flush(r->look);
	assert_string_equal(r->text, "undetermined not_offered not_offered h2");
}

/* Six bytes more: the old h2 is as long as no other answer of the new one, by one flight. */
static void a_little_longer_certificate_does_not_tell(void **state)
{
	struct rig *r = *state;

	flight(r, "http/1.1", HTTP1);
	flight(r, BOTH, H2);
	flight(r, BOTH, H2 + 6);
	flight(r, NULL, FLIGHT + 6);
	flight(r, NULL, FLIGHT + 6);
	flight(r, BOTH, H2 + 6);
	lookback_flush(r->look);
	/* of http/1.1 and 15 bytes more: nothing, or http/1.1 and 9 less */
	assert_string_equal(r->text, "undetermined undetermined h2 not_offered not_offered h2");
}

/* What is judged before a loss is judged by what was known then. */
static void a_loss_is_the_last_chance(void **state)
{
	struct rig *r = *state;

	flight(r, BOTH, H2);
	flight(r, NULL, FLIGHT);
	flight(r, NULL, FLIGHT);
	flight(r, NULL, FLIGHT + 300);
	flight(r, NULL, FLIGHT + 300);
	lookback_flush(r->look);
	assert_memory_equal(r->text, "h2 not_offered", 14);
}

/* A server that made way: its name comes back, and is a new one. */
static void a_server_that_made_way(void **state)
{
	struct rig *r = *state;
	struct as_handshake other = whole(BOTH, H2);

	flight(r, BOTH, H2);
	for (unsigned int i = 1; i <= 4; i++) {
		other.server_port = (__u16)i;
		send(r, &other);
	}
	assert_int_equal(learn_evicted(r->book), 1);
	flight(r, NULL, FLIGHT);
	flight(r, NULL, FLIGHT);
	lookback_flush(r->look);
	assert_memory_equal(r->text, "undetermined undetermined", 25);
}

/* What cannot be known by waiting does not wait. */
static void a_contradiction_does_not_wait(void **state)
{
	struct rig *r = *state;
	struct as_handshake hs = whole(BOTH, FLIGHT);

	flight(r, NULL, FLIGHT);
	flight(r, NULL, FLIGHT);
	flight_of(&hs.client_flight, HTTP2_CLIENT);
	send(r, &hs);
	assert_string_equal(r->text, "not_offered not_offered undetermined");
}

static void no_more_wait_than_there_is_room_for(void **state)
{
	struct rig *r = *state;

	flight(r, BOTH, H2);
	for (unsigned int i = 1; i < LOOKBACK_MAX; i++) {
		struct as_handshake hs = whole(NULL, FLIGHT);

		hs.server_port = 444;
		send(r, &hs);
	}
	assert_int_equal(r->count, 0);
	flight(r, "http/1.1", HTTP1);
	assert_int_equal(r->count, LOOKBACK_MAX); /* the last one waits for itself */
	r->text[13] = 0;
	assert_string_equal(r->text, "undetermined ");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_comes_later_tells),
		TEST(what_is_known_does_not_wait),
		TEST(one_sample_later_does_not_tell),
		TEST(one_sample_between_tells),
		TEST(another_certificate_does_not_tell),
		TEST(a_little_longer_certificate_does_not_tell),
		TEST(a_loss_is_the_last_chance),
		TEST(a_server_that_made_way),
		TEST(a_contradiction_does_not_wait),
		TEST(no_more_wait_than_there_is_room_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
