// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "listen.h"
#include "probe.h"

/* Somebody who listens on @l and gives everyone this answer, NULL none at all. */
static pid_t answerer(const struct listener *l, const char *answer)
{
	pid_t pid = fork();

	if (pid)
		return pid;
	alarm(20);
	for (;;) {
		char request[512];
		int fd = accept(l->fd, NULL, NULL);

		if (fd < 0) {
			usleep(1000);
			continue;
		}
		if (!answer)
			pause();
		if (read(fd, request, sizeof(request)) > 0)
			send(fd, answer, strlen(answer), MSG_NOSIGNAL);
		close(fd);
	}
}

static bool probe_of(const char *address, const char *answer)
{
	struct listener l;
	char error[256];
	pid_t pid;
	bool is;

	if (listen_on(address, &l, error, sizeof(error)))
		fail_msg("%s", error);
	pid = answerer(&l, answer);
	is = probe_is_alpnscope(l.address);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	close(l.fd);
	return is;
}

static void test_answers(void **state)
{
	(void)state;
	assert_true(probe_of("127.0.0.1:0", "HTTP/1.0 200 OK\r\n\r\n<title>alpnscope</title>"));
	assert_true(probe_of("[::1]:0", "HTTP/1.0 200 OK\r\n\r\n<title>alpnscope</title>"));
	assert_false(probe_of("127.0.0.1:0", "HTTP/1.0 200 OK\r\n\r\n<title>other</title>"));
	assert_false(probe_of("127.0.0.1:0", "SSH-2.0-server\r\n"));
	assert_false(probe_of("127.0.0.1:0", ""));
}

static void test_silence_ends(void **state)
{
	time_t before = time(NULL);

	(void)state;
	assert_false(probe_of("127.0.0.1:0", NULL));
	assert_in_range(time(NULL) - before, 0, 5);
}

static void test_bad_addresses(void **state)
{
	static const char *const rows[] = {"", "127.0.0.1", ":", "[:1", "[]:1", "[", "x:y:z"};
	char *address = malloc(400);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		strcpy(address, rows[i]);
		assert_false(probe_is_alpnscope(address));
	}
	memset(address, 'h', 399);
	strcpy(address + 394, ":1");
	assert_false(probe_is_alpnscope(address));
	free(address);
}

static void test_can_make(void **state)
{
	char dir[] = "/tmp/alpnscope-probe-XXXXXX", path[128];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	assert_true(probe_can_make(path));
	snprintf(path, sizeof(path), "%s/new/sock", dir);
	assert_true(probe_can_make(path));
	snprintf(path, sizeof(path), "%s/no/new/sock", dir);
	assert_false(probe_can_make(path));
	rmdir(dir);
	assert_false(probe_can_make("/proc/self/comm/sock"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_silence_ends),
		cmocka_unit_test(test_bad_addresses),
		cmocka_unit_test(test_can_make),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
