// SPDX-License-Identifier: GPL-2.0-only
/* The socket protocol, over a real socket in a directory of its own. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent_socket.h"
#include "format.h"
#include "sample.h"

static void assert_drained(int fd, const char *expected, bool closed)
{
	struct buf b = {0};

	assert_int_equal(drain(fd, &b), closed);
	assert_string_equal(b.data ? b.data : "", expected);
	buf_free(&b);
}

static void test_modes(void **state)
{
	struct fixture *f = *state;
	struct stat st;

	assert_int_equal(stat(f->path, &st), 0);
	assert_int_equal(st.st_mode, S_IFSOCK | 0660);
	assert_int_equal(stat(f->sub, &st), 0);
	assert_int_equal(st.st_mode & 07027, 0); /* 0750, or less by the umask */
	control_free(f->control);
	f->control = NULL;
	assert_int_equal(stat(f->path, &st), -1);
}

static void test_second_agent_is_refused(void **state)
{
	struct fixture *f = *state;
	char error[256] = "";

	assert_null(control_new(f->loop, f->path, error, sizeof(error)));
	assert_non_null(strstr(error, "another alpnscope is running"));
	assert_non_null(strstr(error, f->path));
	run(f);
	close(reader(f, "watch\n")); /* the first one still answers */
}

static void test_stale_socket_is_replaced(void **state)
{
	struct fixture *f = *state;
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	char error[256];

	control_free(f->control);
	strcpy(addr.sun_path, f->path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd); /* its name stays, as after a crash */
	f->control = control_new(f->loop, f->path, error, sizeof(error));
	assert_non_null(f->control);
	close(reader(f, "watch\n"));
}

static void test_other_file_is_left_alone(void **state)
{
	struct fixture *f = *state;
	char error[256] = "";
	struct stat st;

	control_free(f->control);
	close(creat(f->path, 0600));
	f->control = control_new(f->loop, f->path, error, sizeof(error));
	assert_null(f->control);
	assert_non_null(strstr(error, f->path));
	assert_non_null(strstr(error, "remove it"));
	assert_int_equal(stat(f->path, &st), 0);
}

static void test_bad_paths(void **state)
{
	struct fixture *f = *state;
	char path[256], error[512] = "";

	memset(path, 'a', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	assert_null(control_new(f->loop, path, error, sizeof(error)));
	assert_non_null(strstr(error, strerror(ENAMETOOLONG)));
	assert_int_equal(control_connect(path), -ENAMETOOLONG);
	snprintf(path, sizeof(path), "%s/none/there/sock", f->dir);
	assert_null(control_new(f->loop, path, error, sizeof(error)));
	assert_non_null(strstr(error, strerror(ENOENT)));
	assert_int_equal(control_connect(path), -ENOENT);
}

static void test_json(void **state)
{
	struct fixture *f = *state;
	int fd = reader(f, "watch output=json\n");
	struct buf expected = {0};
	struct sample s;

	sample_init(&s);
	format_json(&s.ev, &expected);
	control_event(f->control, &s.ev);
	assert_drained(fd, expected.data, false);
	buf_free(&expected);
	close(fd);
}

static void test_columns_begin_with_their_header(void **state)
{
	const struct format_style color = {.color = true};
	struct fixture *f = *state;
	int fd = reader(f, "watch color=1\n");
	struct buf expected = {0};
	struct sample s;

	sample_init(&s);
	format_header(&expected, &color);
	format_columns(&s.ev, &expected, &color);
	control_event(f->control, &s.ev);
	assert_drained(fd, expected.data, false);
	buf_free(&expected);
	close(fd);
}

static void test_filter_and_count(void **state)
{
	struct fixture *f = *state;
	int one = reader(f, "watch output=json count=2 port=8443 sni=www.%65xample.org\n");
	int two = reader(f, "watch output=json outcome=ignored\n");
	struct buf b = {0};
	struct sample s;

	sample_init(&s);
	control_event(f->control, &s.ev);
	assert_drained(one, "", false);
	s.hs.server_port = 8443;
	control_event(f->control, &s.ev);
	assert_false(drain(one, &b));
	control_event(f->control, &s.ev);
	control_event(f->control, &s.ev); /* one too many */
	assert_true(drain(one, &b));
	assert_int_equal(lines(&b), 2);
	assert_drained(two, "", false);
	buf_free(&b);
	close(one);
	close(two);
}

/* A request may come in pieces, and its sender may stop sending (nc -N). */
static void test_pieces_and_half_close(void **state)
{
	struct fixture *f = *state;
	int fd = reader(f, "watch outp");
	struct buf b = {0};
	struct sample s;

	sample_init(&s);
	control_event(f->control, &s.ev);
	assert_drained(fd, "", false);
	assert_int_equal(write(fd, "ut=json\nmore", 12), 12);
	run(f);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	run(f);
	control_event(f->control, &s.ev);
	assert_false(drain(fd, &b));
	assert_int_equal(lines(&b), 1);
	buf_free(&b);
	close(fd);
}

static void test_bad_requests(void **state)
{
	static const struct {
		const char *request, *says;
	} table[] = {
		{"\n", "request \"\""},
		{"listen\n", "\"listen\""},
		{"watch port\n", "\"port\""},
		{"watch port=0\n", "from 1 to 65535"},
		{"watch count=0\n", "count \"0\""},
		{"watch count=-1\n", "count \"-1\""},
		{"watch count=99999999999999999999\n", "count"},
		{"watch output=xml\n", "\"xml\""},
		{"watch sni=%\n", "percent-encoded"},
		{"watch sni=a%0\n", "percent-encoded"},
		{"watch sni=a%00b\n", "percent-encoded"},
		{"watch outcome=%1b[31m\n", "\\x1b[31m"},
		{"watch colour=1\n", "\"colour\""},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		int fd = reader(f, table[i].request);
		struct buf b = {0};

		assert_true(drain(fd, &b));
		assert_int_equal(lines(&b), 1);
		assert_int_equal(b.data[b.len - 1], '\n');
		assert_memory_equal(b.data, "error: ", 7);
		if (!strstr(b.data, table[i].says))
			fail_msg("\"%s\" is not in \"%s\"", table[i].says, b.data);
		buf_free(&b);
		close(fd);
	}
}

static void test_endless_request(void **state)
{
	struct fixture *f = *state;
	char request[CONTROL_REQUEST_MAX + 1];
	int fd;

	memset(request, 'a', CONTROL_REQUEST_MAX);
	request[CONTROL_REQUEST_MAX] = '\0';
	fd = reader(f, request);
	assert_drained(fd, "error: the request is too long: send one line of at most 4096 bytes\n",
		       true);
	close(fd);
}

static void test_seventeenth_reader(void **state)
{
	struct fixture *f = *state;
	int fd[CONTROL_WATCHERS_MAX + 1];
	struct buf b = {0};

	for (int i = 0; i <= CONTROL_WATCHERS_MAX; i++)
		fd[i] = reader(f, "watch output=json\n");
	assert_true(drain(fd[CONTROL_WATCHERS_MAX], &b));
	assert_memory_equal(b.data, "error: 16 readers", 17);
	buf_free(&b);
	close(fd[CONTROL_WATCHERS_MAX]);
	close(fd[3]); /* its place is free again */
	run(f);
	fd[3] = reader(f, "watch output=json\n");
	for (int i = 0; i < CONTROL_WATCHERS_MAX; i++) {
		assert_drained(fd[i], "", false);
		close(fd[i]);
	}
	run(f);
}

/* Who asks nothing keeps others out for a second at the most. */
static void test_silent_readers_make_way(void **state)
{
	const struct timespec while_ = {.tv_sec = CONTROL_ASK_MS / 1000, .tv_nsec = 50000000};
	struct fixture *f = *state;
	int fd[CONTROL_WATCHERS_MAX], late;

	fd[0] = reader(f, "watch output=json\n");
	for (int i = 1; i < CONTROL_WATCHERS_MAX; i++)
		fd[i] = reader(f, "watch");
	nanosleep(&while_, NULL);
	late = reader(f, "watch output=json\n");
	assert_drained(late, "", false);
	assert_drained(fd[0], "", false); /* it has asked */
	for (int i = 1; i < CONTROL_WATCHERS_MAX; i++) {
		assert_drained(fd[i], "", true);
		close(fd[i]);
	}
	close(fd[0]);
	close(late);
	run(f);
}

/* Read to the end of what the agent holds; count events and events told as missed. */
static void catch_up(struct fixture *f, int fd, const char *notice, size_t *shown,
		     unsigned long *missed)
{
	struct buf b = {0};
	size_t before;

	do {
		before = b.len;
		drain(fd, &b);
		run(f);
	} while (b.len > before);
	*shown = 0;
	*missed = 0;
	for (char *line = b.data, *end; (end = strchr(line, '\n')); line = end + 1) {
		if (strncmp(line, notice, strlen(notice)))
			(*shown)++;
		else
			*missed += strtoul(line + strlen(notice), NULL, 10);
	}
	assert_int_equal(b.data[b.len - 1], '\n');
	buf_free(&b);
}

static void slow_reader(struct fixture *f, const char *request, const char *notice, size_t header)
{
	const size_t events = 30000; /* columns of 95 bytes: 2.8 MB */
	int fd = reader(f, request);
	unsigned long missed;
	size_t shown;
	struct sample s;

	sample_init(&s);
	for (size_t i = 0; i < events; i++)
		control_event(f->control, &s.ev);
	catch_up(f, fd, notice, &shown, &missed);
	assert_true(missed > 0);
	assert_int_equal(shown - header + missed, events);
	control_event(f->control, &s.ev); /* all is well again */
	catch_up(f, fd, notice, &shown, &missed);
	assert_int_equal(shown, 1);
	assert_int_equal(missed, 0);
	close(fd);
}

static void test_slow_reader_of_columns(void **state)
{
	slow_reader(*state, "watch\n", "# ", 1);
}

static void test_slow_reader_of_json(void **state)
{
	slow_reader(*state, "watch output=json\n", "{\"alpnscope\":{\"dropped\":", 0);
}

static void test_notice_for_people(void **state)
{
	struct fixture *f = *state;
	int fd = reader(f, "watch\n");
	struct buf b = {0};
	struct sample s;

	sample_init(&s);
	for (int i = 0; i < 30000; i++)
		control_event(f->control, &s.ev);
	for (int i = 0; i < 100; i++) {
		drain(fd, &b);
		run(f);
	}
	assert_non_null(strstr(b.data, " events not shown: the reader was too slow\n"));
	buf_free(&b);
	close(fd);
}

/* Readers that vanish at any time do no harm. */
static void test_reader_leaves(void **state)
{
	struct fixture *f = *state;
	int early = control_connect(f->path), fd = reader(f, "watch\n");
	struct sample s;

	sample_init(&s);
	close(early);
	control_event(f->control, &s.ev);
	close(fd);
	control_event(f->control, &s.ev); /* not yet noticed: EPIPE */
	run(f);
	control_event(f->control, &s.ev);
	fd = reader(f, "watch output=json\n");
	control_free(f->control);
	f->control = NULL;
	assert_drained(fd, "", true);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_AGENT(test_modes),
		WITH_AGENT(test_second_agent_is_refused),
		WITH_AGENT(test_stale_socket_is_replaced),
		WITH_AGENT(test_other_file_is_left_alone),
		WITH_AGENT(test_bad_paths),
		WITH_AGENT(test_json),
		WITH_AGENT(test_columns_begin_with_their_header),
		WITH_AGENT(test_filter_and_count),
		WITH_AGENT(test_pieces_and_half_close),
		WITH_AGENT(test_bad_requests),
		WITH_AGENT(test_endless_request),
		WITH_AGENT(test_seventeenth_reader),
		WITH_AGENT(test_silent_readers_make_way),
		WITH_AGENT(test_slow_reader_of_columns),
		WITH_AGENT(test_slow_reader_of_json),
		WITH_AGENT(test_notice_for_people),
		WITH_AGENT(test_reader_leaves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
