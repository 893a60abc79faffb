// SPDX-License-Identifier: GPL-2.0-only
#include "loop.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#define LOOP_READY_MAX 32

/* A removed entry lives until the round of handlers that may still name it ends. */
struct entry {
	struct entry *next;
	int fd;
	bool timer, removed;
	loop_fn fn;
	void *arg;
};

struct loop {
	int epoll;
	struct entry *entries;
};

struct loop *loop_new(void)
{
	struct loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll < 0) {
		free(loop);
		return NULL;
	}
	return loop;
}

static void entry_free(struct entry *e)
{
	if (e->timer)
		close(e->fd);
	free(e);
}

void loop_free(struct loop *loop)
{
	struct entry *e, *next;

	if (!loop)
		return;
	for (e = loop->entries; e; e = next) {
		next = e->next;
		entry_free(e);
	}
	close(loop->epoll);
	free(loop);
}

static struct entry *find(struct loop *loop, int fd)
{
	struct entry *e;

	for (e = loop->entries; e; e = e->next)
		if (e->fd == fd && !e->removed)
			return e;
	return NULL;
}

static int add(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *arg, bool timer)
{
	struct entry *e = calloc(1, sizeof(*e));
	struct epoll_event ev = {.events = events, .data.ptr = e};

	if (!e)
		return -ENOMEM;
	*e = (struct entry){.fd = fd, .timer = timer, .fn = fn, .arg = arg, .next = loop->entries};
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &ev)) {
		int err = -errno;

		free(e);
		return err;
	}
	loop->entries = e;
	return 0;
}

int loop_add(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *arg)
{
	return add(loop, fd, events, fn, arg, false);
}

int loop_change(struct loop *loop, int fd, uint32_t events)
{
	struct entry *e = find(loop, fd);
	struct epoll_event ev = {.events = events, .data.ptr = e};

	if (!e)
		return -ENOENT;
	return epoll_ctl(loop->epoll, EPOLL_CTL_MOD, fd, &ev) ? -errno : 0;
}

void loop_remove(struct loop *loop, int fd)
{
	struct entry *e = find(loop, fd);

	if (!e)
		return;
	epoll_ctl(loop->epoll, EPOLL_CTL_DEL, fd, NULL);
	e->removed = true;
}

int loop_timer(struct loop *loop, uint64_t interval_ms, loop_fn fn, void *arg)
{
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	int err;

	if (fd < 0)
		return -errno;
	err = add(loop, fd, EPOLLIN, fn, arg, true);
	if (!err)
		err = loop_timer_set(loop, fd, interval_ms);
	else
		close(fd);
	return err ? err : fd;
}

int loop_timer_set(struct loop *loop, int timer, uint64_t interval_ms)
{
	struct timespec t = {.tv_sec = (time_t)(interval_ms / 1000),
			     .tv_nsec = (long)(interval_ms % 1000) * 1000000};
	struct itimerspec when = {.it_interval = t, .it_value = t};

	(void)loop;
	return timerfd_settime(timer, 0, &when, NULL) ? -errno : 0;
}

/* Free what handlers removed in this round. */
static void sweep(struct loop *loop)
{
	struct entry **at = &loop->entries;

	while (*at) {
		struct entry *e = *at;

		if (!e->removed) {
			at = &e->next;
			continue;
		}
		*at = e->next;
		entry_free(e);
	}
}

int loop_once(struct loop *loop, int timeout_ms)
{
	struct epoll_event ready[LOOP_READY_MAX];
	int n = epoll_wait(loop->epoll, ready, LOOP_READY_MAX, timeout_ms);

	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++) {
		struct entry *e = ready[i].data.ptr;
		uint64_t expirations;

		if (e->removed)
			continue;
		if (e->timer && read(e->fd, &expirations, sizeof(expirations)) < 0)
			continue; /* set anew since it fired */
		e->fn(e->arg, ready[i].events);
	}
	sweep(loop);
	return n;
}
