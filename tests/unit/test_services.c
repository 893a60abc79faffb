// SPDX-License-Identifier: GPL-2.0-only
/* services.c: the book as an agent fills it, reloads it and is asked to forget; over the socket. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "agent_socket.h"
#include "log.h"
#include "services.h"

static char path[64];

static void config_is(const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static int setup_file(void **state)
{
	int fd;

	(void)state;
	strcpy(path, "/tmp/alpnscope-config-XXXXXX");
	fd = mkstemp(path);
	return fd < 0 ? -1 : close(fd);
}

static int teardown_file(void **state)
{
	(void)state;
	return unlink(path);
}

static struct service_key key_of(const char *name)
{
	return (struct service_key){.name = name, .server_port = 443, .role = ROLE_SERVER};
}

static struct service_facts find(const struct services *s)
{
	struct service_key key = key_of("nginx");
	struct service_facts facts;

	service_find(s->book, &key, &facts);
	return facts;
}

static void what_the_command_line_says(void **state)
{
	struct options opt = {.expect = {"443=h2"}, .expects = 1};
	struct services s;

	(void)state;
	assert_int_equal(services_open(&s, &opt, NULL, NULL), 0);
	assert_string_equal(find(&s).expect.name[0], "h2");
	assert_true(s.loaded);
	assert_int_equal(s.loaded_ns, 0);
	services_reload(&s); /* nothing to reload */
	assert_true(s.loaded);
	services_close(&s);
}

static void a_broken_file_ends_the_start(void **state)
{
	struct options opt = {.config = path};
	struct services s;

	(void)state;
	config_is("services: 7\n");
	assert_int_equal(services_open(&s, &opt, NULL, NULL), -EINVAL);
	services_close(&s);
	opt.config = "/nonexistent";
	assert_int_equal(services_open(&s, &opt, NULL, NULL), -EINVAL);
	services_close(&s);
}

static void a_broken_file_changes_nothing(void **state)
{
	struct aggregate *agg = aggregate_new(100);
	struct options opt = {.config = path};
	struct services s;
	int64_t loaded_ns;

	(void)state;
	config_is("services: [{name: a, port: 443, expect: h2}]\n");
	assert_int_equal(services_open(&s, &opt, agg, NULL), 0);
	assert_string_equal(find(&s).name, "a");
	assert_true(s.loaded && s.loaded_ns);
	assert_int_equal(HASH_COUNT(agg->services), 1);
	loaded_ns = s.loaded_ns;

	config_is("services: [{name: b, port: 443, expects: h3}]\n");
	services_reload(&s);
	assert_string_equal(find(&s).name, "a");
	assert_string_equal(find(&s).expect.name[0], "h2");
	assert_false(s.loaded);
	assert_int_equal(s.loaded_ns, loaded_ns);

	config_is("services: [{name: b, port: 443, expect: h3}]\n");
	services_reload(&s);
	assert_string_equal(find(&s).name, "b");
	assert_string_equal(find(&s).expect.name[0], "h3");
	assert_true(s.loaded);
	assert_true(s.loaded_ns > loaded_ns);
	assert_int_equal(HASH_COUNT(agg->services), 2); /* a counter does not vanish */

	assert_int_equal(unlink(path), 0);
	services_reload(&s);
	assert_string_equal(find(&s).name, "b");
	assert_false(s.loaded);
	config_is("");
	services_reload(&s);
	assert_string_equal(find(&s).name, "nginx");
	assert_true(s.loaded);
	services_close(&s);
	aggregate_free(agg);
}

/* What is configured away is not told in the metrics either. */
static void the_configuration_goes_ahead_in_the_metrics(void **state)
{
	struct aggregate *agg = aggregate_new(100);
	struct options opt = {.config = path};
	struct service_key key = key_of("nginx");
	const struct service_series *series;
	struct services s;

	(void)state;
	config_is("");
	assert_int_equal(services_open(&s, &opt, agg, NULL), 0);
	assert_int_equal(service_restore(s.book, &key, "h2"), 0);
	services_reload(&s);
	series = (const struct service_series *)agg->services;
	assert_string_equal(series->expect.name[0], "h2");
	config_is("services: [{port: 443, expect: []}]\n");
	services_reload(&s);
	assert_int_equal(series->expect.source, EXPECT_NONE);
	config_is("services: [{port: 443, expect: [http/1.1]}]\n");
	services_reload(&s);
	assert_int_equal(series->expect.source, EXPECT_CONFIGURED);
	services_close(&s);
	aggregate_free(agg);
}

static struct services asked;

static int on_ask(void *arg, bool owner, char *line, struct buf *out, char *error, size_t size)
{
	(void)arg;
	return services_ask(&asked, owner, line, out, error, size);
}

/* All that the agent answers to @request before it closes. */
static void assert_answer(struct fixture *f, const char *request, const char *answer)
{
	int fd = reader(f, request);
	struct buf got = {0};

	assert_true(drain(fd, &got));
	assert_string_equal(got.data ? got.data : "", answer);
	buf_free(&got);
	close(fd);
}

static void forgetting(void **state)
{
	static const struct options opt;
	struct service_key key = key_of("nginx"), blank = key_of("a b");

	assert_int_equal(services_open(&asked, &opt, NULL, NULL), 0);
	assert_int_equal(service_restore(asked.book, &key, "h2"), 0);
	assert_int_equal(service_restore(asked.book, &blank, "h2"), 0);
	control_on_ask(((struct fixture *)*state)->control, on_ask, NULL);
	assert_answer(
		*state, "forget name=apache2\n",
		"error: nothing was observed of a service \"apache2\"; the label service_name "
		"of the metrics is its name\n");
	assert_answer(*state, "forget name=%zz\n", "error: \"%zz\" is not percent-encoded\n");
	assert_int_equal(find(&asked).expect.source, EXPECT_OBSERVED);
	assert_answer(*state, "forget name=nginx\n",
		      "forgotten: what nginx chose, for 1 server name and port\n");
	assert_int_equal(find(&asked).expect.source, EXPECT_NONE);
	assert_answer(*state, "forget name=a%20b\n",
		      "forgotten: what a b chose, for 1 server name and port\n");
	assert_answer(*state, "forgive name=nginx\n",
		      "error: request \"forgive\" is not known: this agent knows watch\n");
	services_close(&asked);
}

/* Who may watch may not change anything. */
static void others_may_not_forget(void **state)
{
	struct service_key key = key_of("nginx");
	static const struct options opt;
	char line[] = "forget name=nginx", error[256];
	struct services s;
	struct buf out = {0};

	(void)state;
	assert_int_equal(services_open(&s, &opt, NULL, NULL), 0);
	assert_int_equal(service_restore(s.book, &key, "h2"), 0);
	assert_int_equal(services_ask(&s, false, line, &out, error, sizeof(error)), -EPERM);
	assert_int_equal(find(&s).expect.source, EXPECT_OBSERVED);
	services_close(&s);
}

/* The kernel says who is at the other end. */
static void the_socket_knows_whom_it_talks_to(void **state)
{
	struct fixture *f = *state;
	static const struct options opt;
	struct service_key key = key_of("nginx");
	int in[2], status;
	pid_t pid;

	if (geteuid()) {
		print_message("needs root to be somebody else\n");
		skip();
	}
	assert_int_equal(services_open(&asked, &opt, NULL, NULL), 0);
	assert_int_equal(service_restore(asked.book, &key, "h2"), 0);
	control_on_ask(f->control, on_ask, NULL);
	assert_int_equal(chmod(f->path, 0666) || chmod(f->sub, 0755) || chmod(f->dir, 0755), 0);
	assert_int_equal(pipe(in), 0);
	pid = fork();
	if (!pid) {
		char answer[256] = "";
		int fd;

		if (setgid(65534) || setuid(65534))
			_exit(2);
		fd = control_connect(f->path);
		(void)!write(fd, "forget name=nginx\n", 18);
		(void)!write(in[1], "x", 1);
		(void)!read(fd, answer, sizeof(answer) - 1);
		_exit(!!strncmp(answer, "error: to forget is for root", 28));
	}
	assert_int_equal(read(in[0], &(char){0}, 1), 1);
	run(f);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	assert_int_equal(find(&asked).expect.source, EXPECT_OBSERVED);
	services_close(&asked);
	close(in[0]);
	close(in[1]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_file, teardown_file)
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_the_command_line_says),
		TEST(a_broken_file_ends_the_start),
		TEST(a_broken_file_changes_nothing),
		TEST(the_configuration_goes_ahead_in_the_metrics),
		WITH_AGENT(forgetting),
		cmocka_unit_test(others_may_not_forget),
		WITH_AGENT(the_socket_knows_whom_it_talks_to),
	};

	log_set_level(LOG_QUIET);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
