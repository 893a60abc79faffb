/* SPDX-License-Identifier: GPL-2.0-only */
/* agent_socket.h - an agent's socket in a directory of its own, and readers of it. */
#ifndef TESTS_AGENT_SOCKET_H
#define TESTS_AGENT_SOCKET_H

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control.h"

/* An agent that listens on dir/run/sock; `dir` is removed at the end. */
struct fixture {
	char dir[32], sub[64], path[96];
	struct loop *loop;
	struct control *control;
};

static inline int setup(void **state)
{
	static struct fixture f;
	char error[256];

	strcpy(f.dir, "/tmp/alpnscope.XXXXXX");
	if (!mkdtemp(f.dir))
		return -1;
	snprintf(f.sub, sizeof(f.sub), "%s/run", f.dir);
	snprintf(f.path, sizeof(f.path), "%s/sock", f.sub);
	f.loop = loop_new();
	f.control = control_new(f.loop, f.path, error, sizeof(error));
	*state = &f;
	return f.control ? 0 : -1;
}

static inline int teardown(void **state)
{
	struct fixture *f = *state;

	control_free(f->control);
	loop_free(f->loop);
	unlink(f->path);
	return rmdir(f->sub) || rmdir(f->dir);
}

/* Let the agent do all that is ready. */
static inline void run(struct fixture *f)
{
	while (loop_once(f->loop, 0) > 0)
		;
}

/* A reader that has sent @request; it never blocks. */
static inline int reader(struct fixture *f, const char *request)
{
	int fd = control_connect(f->path);

	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	assert_int_equal(write(fd, request, strlen(request)), strlen(request));
	run(f);
	return fd;
}

/* All that there is to read now. Returns true when the agent has closed. */
static inline bool drain(int fd, struct buf *b)
{
	char data[65536];
	ssize_t n;

	while ((n = read(fd, data, sizeof(data))) > 0)
		buf_add(b, data, (size_t)n);
	return !n || errno == ECONNRESET;
}

static inline size_t lines(const struct buf *b)
{
	size_t n = 0;

	for (size_t i = 0; i < b->len; i++)
		n += b->data[i] == '\n';
	return n;
}

#define WITH_AGENT(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
