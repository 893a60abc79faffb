// SPDX-License-Identifier: GPL-2.0-only
/* The request line, both ways, and the reader's end of the socket. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "agent_socket.h"
#include "format.h"
#include "sample.h"

static void test_request_round_trip(void **state)
{
	struct watch watch = {.json = true, .count = UINT64_MAX}, back;
	struct buf line = {0};
	char error[256] = "";

	(void)state;
	watch.filter.port_count = 2;
	watch.filter.port[0] = 443;
	watch.filter.port[1] = 65535;
	watch.filter.outcomes = (1U << OUTCOME_COUNT) - 1;
	watch.filter.fallback_only = true;
	strcpy(watch.filter.sni, "*.a b\n%=\\x00~");
	memset(watch.filter.alpn, 0xff, FILTER_TEXT_MAX - 1); /* the longest there is */
	control_request(&watch, &line);
	assert_true(line.len <= CONTROL_REQUEST_MAX);
	assert_int_equal(strcspn(line.data, "\n"), line.len - 1);
	line.data[line.len - 1] = '\0';
	assert_non_null(strstr(line.data, " sni=%2A.a%20b%0A%25%3D%5Cx00~ "));
	assert_int_equal(control_parse(line.data, &back, error, sizeof(error)), 0);
	assert_true(back.json && !back.color && back.filter.fallback_only);
	assert_int_equal(back.count, watch.count);
	assert_int_equal(back.filter.port_count, 2);
	assert_memory_equal(back.filter.port, watch.filter.port, 2 * sizeof(watch.filter.port[0]));
	assert_int_equal(back.filter.outcomes, watch.filter.outcomes);
	assert_string_equal(back.filter.sni, watch.filter.sni);
	assert_string_equal(back.filter.alpn, watch.filter.alpn);
	buf_free(&line);
}

/* control_copy from a socket that holds @sent and the end, into a pipe. */
static int copy(const char *sent, char *got, size_t size)
{
	int pair[2], out[2], status;
	ssize_t n;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(out), 0);
	assert_int_equal(write(pair[0], sent, strlen(sent)), strlen(sent));
	close(pair[0]);
	status = control_copy(pair[1], out[1]);
	close(out[1]);
	n = read(out[0], got, size - 1);
	assert_true(n >= 0);
	got[n] = '\0';
	close(out[0]);
	close(pair[1]);
	return status;
}

static void test_copy(void **state)
{
	char got[256];

	(void)state;
	assert_int_equal(copy("one\ntwo\n", got, sizeof(got)), 0);
	assert_string_equal(got, "one\ntwo\n");
	assert_int_equal(copy("", got, sizeof(got)), 0);
	assert_string_equal(got, "");
	assert_int_equal(copy("err", got, sizeof(got)), 0);
	assert_string_equal(got, "err");
	assert_int_equal(copy("error: no\n", got, sizeof(got)), 1);
	assert_string_equal(got, "");
}

static void test_copy_to_nobody(void **state)
{
	int pair[2], out[2];

	(void)state;
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(out), 0);
	close(out[0]);
	assert_int_equal(write(pair[0], "a line\n", 7), 7);
	assert_int_equal(control_copy(pair[1], out[1]), 0); /* though pair[0] is open */
	close(out[1]);
	close(pair[0]);
	close(pair[1]);
}

/* The client against the agent; the agent runs in a child. */
static void test_watch(void **state)
{
	struct fixture *f = *state;
	struct watch watch = {.json = true, .count = 3};
	struct buf expected = {0}, got = {0};
	struct sample s;
	int out[2], fd = control_connect(f->path);
	pid_t pid;

	sample_init(&s);
	assert_true(fd >= 0);
	assert_int_equal(pipe2(out, O_NONBLOCK), 0);
	pid = fork();
	if (!pid) {
		for (int i = 0; i < 2000; i++) { /* 20 s at most */
			loop_once(f->loop, 10);
			control_event(f->control, &s.ev);
		}
		_exit(0);
	}
	assert_int_equal(control_watch(fd, &watch, out[1]), 0);
	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	for (int i = 0; i < 3; i++)
		format_json(&s.ev, &expected);
	close(out[1]);
	assert_true(drain(out[0], &got));
	assert_string_equal(got.data ? got.data : "", expected.data);
	buf_free(&expected);
	buf_free(&got);
	close(out[0]);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request_round_trip),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_copy_to_nobody),
		WITH_AGENT(test_watch),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
