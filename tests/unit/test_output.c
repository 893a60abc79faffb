// SPDX-License-Identifier: GPL-2.0-only
/* output.c when live: a slow reader, none, and one that comes back. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "output.h"
#include "sample.h"

#define ENOUGH 4000 /* events of half a kilobyte and more: the pipe and the backlog are full */

struct fixture {
	int keep, reader;
	struct output out;
	struct sample s;
	struct buf got;
};

/* stdout is a pipe. */
static int setup(void **state)
{
	static struct fixture f;
	int fd[2];

	memset(&f, 0, sizeof(f));
	signal(SIGPIPE, SIG_IGN);
	f.out = (struct output){.form = OUTPUT_JSON, .live = true};
	sample_init(&f.s);
	fflush(stdout);
	f.keep = dup(STDOUT_FILENO);
	if (pipe(fd) || dup2(fd[1], STDOUT_FILENO) < 0)
		return -1;
	close(fd[1]);
	f.reader = fd[0];
	*state = &f;
	return fcntl(f.reader, F_SETFL, O_NONBLOCK);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	dup2(f->keep, STDOUT_FILENO);
	close(f->keep);
	if (f->reader >= 0)
		close(f->reader);
	buf_free(&f->got);
	output_free(&f->out);
	return 0;
}

/* All that the pipe has now. */
static void take(struct fixture *f)
{
	char data[65536];
	ssize_t n;

	while ((n = read(f->reader, data, sizeof(data))) > 0)
		buf_add(&f->got, data, (size_t)n);
}

static void take_all(struct fixture *f)
{
	take(f);
	while (output_waits(&f->out)) {
		output_go_on(&f->out);
		take(f);
	}
}

static size_t lines(const struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->data[i] == '\n';
	return n;
}

static void show(struct fixture *f, unsigned int count)
{
	for (unsigned int i = 0; i < count; i++)
		output_event(&f->out, &f->s.ev);
}

static void test_lines_come_at_once(void **state)
{
	struct fixture *f = *state;

	show(f, 1);
	assert_false(output_waits(&f->out));
	take(f);
	assert_int_equal(lines(&f->got), 1);
}

static void test_what_waits_comes_later_and_whole(void **state)
{
	struct fixture *f = *state;

	show(f, 200); /* more than a pipe's 64 KiB, less than the backlog */
	assert_true(output_waits(&f->out));
	take_all(f);
	assert_int_equal(lines(&f->got), 200);
	assert_null(strstr(f->got.data, "dropped"));
}

static void test_left_out_events_are_counted(void **state)
{
	struct fixture *f = *state;
	unsigned long long dropped;
	const char *note;

	show(f, ENOUGH);
	assert_true(output_waits(&f->out));
	assert_true(f->out.backlog.len <= OUTPUT_BACKLOG_MAX);
	take_all(f);
	note = strstr(f->got.data, "{\"alpnscope\":{\"dropped\":");
	assert_non_null(note);
	dropped = strtoull(note + strlen("{\"alpnscope\":{\"dropped\":"), NULL, 10);
	assert_int_equal(lines(&f->got) - 1 + dropped, ENOUGH);
	show(f, 1);
	take(f);
	assert_int_equal(lines(&f->got) + dropped, ENOUGH + 2);
	assert_int_equal(f->out.error, 0);
}

static void test_end_does_not_wait_for_ever(void **state)
{
	struct fixture *f = *state;

	show(f, 200);
	output_end(&f->out); /* nobody reads: returns after OUTPUT_END_MS */
	assert_true(output_waits(&f->out));
}

static void test_reader_gone(void **state)
{
	struct fixture *f = *state;

	show(f, 200);
	close(f->reader);
	f->reader = -1;
	output_go_on(&f->out);
	assert_int_equal(f->out.error, EPIPE);
	assert_true(f->out.done);
	assert_false(output_waits(&f->out));
	assert_false(output_failed(&f->out));
}

#define PIPED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		PIPED(test_lines_come_at_once),
		PIPED(test_what_waits_comes_later_and_whole),
		PIPED(test_left_out_events_are_counted),
		PIPED(test_end_does_not_wait_for_ever),
		PIPED(test_reader_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
