// SPDX-License-Identifier: GPL-2.0-only
/* web.c, bcrypt.c: who may come in, and reading again. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "web.h"
#include "webfile.h"

struct asked {
	struct loop *loop;
	struct web *web;
	unsigned int told;
	enum web_answer answer;
};

static void on_told(void *arg, enum web_answer answer)
{
	struct asked *a = arg;

	a->told++;
	a->answer = answer;
}

static enum web_answer ask(struct asked *a, const char *user, const char *password)
{
	enum web_answer now = web_ask(a->web, user, password, on_told, a);
	unsigned int before = a->told;
	time_t end = time(NULL) + 10;

	if (now != WEB_WAIT)
		return now;
	assert_int_equal(a->told, before); /* never from within */
	while (a->told == before && time(NULL) < end)
		loop_once(a->loop, 100);
	assert_int_equal(a->told, before + 1);
	return a->answer;
}

static int asked_setup(void **state)
{
	struct asked *a = calloc(1, sizeof(*a));
	struct buf said = {0};
	char text[256];

	if (!a)
		return -1;
	snprintf(text, sizeof(text), "basic_auth_users:\n  alice: %s\n", hash);
	put("w.yml", text);
	a->loop = loop_new();
	a->web = web_open(path, &said);
	*state = a;
	buf_free(&said);
	return a->web && a->loop ? web_serve(a->web, a->loop) : -1;
}

static int asked_teardown(void **state)
{
	struct asked *a = *state;

	web_free(a->web);
	loop_free(a->loop);
	free(a);
	return 0;
}

static void only_the_right_password_comes_in(void **state)
{
	char longest[1000];

	assert_int_equal(ask(*state, "alice", "wrong"), WEB_WRONG);
	assert_int_equal(ask(*state, "alice", "secret"), WEB_RIGHT);
	assert_int_equal(ask(*state, "alice", "wrong"), WEB_WRONG); /* though she is known */
	assert_int_equal(ask(*state, "alice", ""), WEB_WRONG);
	assert_int_equal(ask(*state, "bob", "secret"),
			 WEB_WRONG); /* the hash of alice's is asked */
	assert_int_equal(ask(*state, "bob", "secret"), WEB_WRONG); /* and nothing kept of it */
	assert_int_equal(ask(*state, "alic", "esecret"), WEB_WRONG);
	assert_int_equal(ask(*state, "", ""), WEB_WRONG);
	assert_int_equal(ask(*state, NULL, NULL), WEB_WRONG);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(ask(*state, "alice", longest), WEB_WRONG);
}

/* Known, it is answered at once; unknown users wait like known ones. */
static void a_right_password_is_compared_once(void **state)
{
	struct asked *a = *state;

	assert_int_equal(web_ask(a->web, "bob", "secret", on_told, a), WEB_WAIT);
	while (!a->told)
		loop_once(a->loop, 100);
	assert_int_equal(ask(a, "alice", "secret"), WEB_RIGHT);
	assert_int_equal(web_ask(a->web, "alice", "secret", on_told, a), WEB_RIGHT);
	assert_int_equal(web_ask(a->web, "alice", "Secret", on_told, a), WEB_WAIT);
}

static void few_may_wait(void **state)
{
	struct asked *a = *state;

	for (unsigned int i = 0; i < BCRYPT_WAITING_MAX; i++)
		assert_int_equal(web_ask(a->web, "alice", "wrong", on_told, a), WEB_WAIT);
	assert_int_equal(web_ask(a->web, "alice", "secret", on_told, a), WEB_BUSY);
	web_end(a->web); /* each is told in the end */
	assert_int_equal(a->told, BCRYPT_WAITING_MAX);
	assert_int_equal(a->answer, WEB_WRONG);
}

static void who_is_struck_out_while_waiting_stays_out(void **state)
{
	struct asked *a = *state;
	char text[256];

	assert_int_equal(web_ask(a->web, "alice", "secret", on_told, a), WEB_WAIT);
	snprintf(text, sizeof(text), "basic_auth_users:\n  somebody: %s\n", hash);
	put("w.yml", text);
	assert_string_equal(web_now(a->web)->user[0].name, "somebody");
	while (!a->told)
		loop_once(a->loop, 100);
	assert_int_equal(a->answer, WEB_WRONG);
	assert_int_equal(ask(a, "somebody", "secret"), WEB_RIGHT);
}

static void what_was_right_holds_until_the_next_right_one(void **state)
{
	struct asked *a = *state;

	put("w.yml", "basic_auth_users: {\n");
	assert_int_equal(web_now(a->web)->users, 1);
	assert_int_equal(ask(a, "alice", "secret"), WEB_RIGHT);
	put("w.yml", PAIR); /* needs another kind of server */
	assert_false(web_now(a->web)->has_tls);
	assert_int_equal(web_ask(a->web, "alice", NULL, on_told, a), WEB_WRONG);
	put("w.yml", "{}");
	assert_int_equal(web_ask(a->web, NULL, NULL, on_told, a), WEB_RIGHT);
}

#define ASKED(fn) cmocka_unit_test_setup_teardown(fn, asked_setup, asked_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ASKED(only_the_right_password_comes_in),
		ASKED(a_right_password_is_compared_once),
		ASKED(few_may_wait),
		ASKED(who_is_struck_out_while_waiting_stays_out),
		ASKED(what_was_right_holds_until_the_next_right_one),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
