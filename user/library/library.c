// SPDX-License-Identifier: GPL-2.0-only
#include "library.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "log.h"

#define MS 1000000ULL
#define ALL_MS 10000 /* between looks at all processes: dlopen(), programs that ended */
/* After exec(): when the linker has done its work, and when a slow start has. */
#define SOON_NS (20 * MS)
#define AGAIN_NS (1000 * MS)
#define QUEUE 1024 /* processes that wait for a look; beyond, all are looked at */

struct waiting {
	uint32_t pid;
	uint64_t due;
};

/* A ring: the delay is the same for all, so the first one in is the first one due. */
struct queue {
	unsigned int first, count;
	struct waiting at[QUEUE];
};

struct library {
	struct loop *loop;
	struct library_programs *programs;
	struct follow *follow;
	struct answers *answers;
	uint64_t heard[LIBRARY_KINDS];
	struct queue soon, again;
	int timer;
	bool looking, full; /* looking: within SOON_NS; full: some process is in no queue */
	uint64_t all_ns; /* when all were looked at last */
};

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

static bool put(struct queue *q, uint32_t pid, uint64_t due)
{
	if (q->count == QUEUE)
		return false;
	q->at[(q->first + q->count++) % QUEUE] = (struct waiting){.pid = pid, .due = due};
	return true;
}

/* The next one that is due at @now; false when there is none. */
static bool take(struct queue *q, uint64_t now, uint32_t *pid)
{
	if (!q->count || q->at[q->first].due > now)
		return false;
	*pid = q->at[q->first].pid;
	q->first = (q->first + 1) % QUEUE;
	q->count--;
	return true;
}

/* Programs that start by the thousand must not have all looked at without end. */
static uint64_t all_due(const struct library *l)
{
	return l->full ? l->all_ns + AGAIN_NS : UINT64_MAX;
}

static uint64_t next_due(const struct library *l)
{
	uint64_t due = all_due(l);

	if (l->soon.count && l->soon.at[l->soon.first].due < due)
		due = l->soon.at[l->soon.first].due;
	if (l->again.count && l->again.at[l->again.first].due < due)
		due = l->again.at[l->again.first].due;
	return due;
}

static void set_timer(struct library *l)
{
	uint64_t due = next_due(l), now = now_ns();

	l->looking = due <= now + SOON_NS;
	library_looking(l->programs, l->looking);
	loop_timer_set(l->loop, l->timer,
		       due == UINT64_MAX ? 0
		       : due > now	 ? (due - now) / MS + 1
					 : 1);
}

static void on_answer(void *arg, const struct as_library_answer *a)
{
	struct library *l = arg;

	l->heard[follow_kind(l->follow, a->file)]++;
	answers_add(l->answers, a);
}

static void on_exec(void *arg, uint32_t pid)
{
	struct library *l = arg;

	if (!put(&l->soon, pid, now_ns() + SOON_NS))
		l->full = true;
	if (l->soon.count == 1)
		set_timer(l);
}

static void look_at_all(struct library *l)
{
	l->full = false; /* one that starts meanwhile may be missed */
	follow_all(l->follow);
	l->all_ns = now_ns();
}

static void on_due(void *arg, uint32_t ready)
{
	struct library *l = arg;
	uint64_t now = now_ns();
	uint32_t pid;

	(void)ready;
	library_update(l);
	while (take(&l->again, now, &pid))
		follow_process(l->follow, (pid_t)pid);
	while (take(&l->soon, now, &pid)) {
		follow_process(l->follow, (pid_t)pid);
		if (!put(&l->again, pid, now + AGAIN_NS))
			l->full = true;
	}
	if (now >= all_due(l))
		look_at_all(l);
	set_timer(l);
	if (!l->looking)
		library_update(l); /* one may have come while it needed to wake nobody */
}

static void on_all(void *arg, uint32_t ready)
{
	struct library *l = arg;

	(void)ready;
	library_update(l);
	look_at_all(l);
	answers_expire(l->answers, now_ns());
}

static void on_ring(void *arg, uint32_t ready)
{
	(void)ready;
	library_update(arg);
}

/* Another file is the next one that says so: it must prove itself anew. */
static void on_attached(void *arg, unsigned int number)
{
	struct library *l = arg;

	library_update(l); /* what the last file of this number told */
	answers_new_file(l->answers, number);
}

static int start_timers(struct library *l)
{
	int err = loop_timer(l->loop, ALL_MS, on_all, l);

	if (err >= 0)
		err = l->timer = loop_timer(l->loop, 0, on_due, l);
	return err < 0 ? err : loop_add(l->loop, library_fd(l->programs), EPOLLIN, on_ring, l);
}

struct library *library_new(struct loop *loop, char *error, size_t size)
{
	struct library *l = calloc(1, sizeof(*l));
	struct library_words words = {.answer = on_answer, .exec = on_exec, .arg = l};
	int err;

	snprintf(error, size, "--library: out of memory");
	if (!l)
		return NULL;
	l->loop = loop;
	l->answers = answers_new(ANSWERS_MAX);
	if (!l->answers)
		goto out;
	l->programs = library_load(&words, error, size);
	if (!l->programs)
		goto out;
	l->follow = follow_new(l->programs, on_attached, l);
	if (!l->follow)
		goto out;
	err = start_timers(l);
	if (err) {
		snprintf(error, size, "--library: %s", strerror(-err));
		goto out;
	}
	look_at_all(l);
	return l;
out:
	library_free(l);
	return NULL;
}

void library_free(struct library *l)
{
	if (!l)
		return;
	if (l->programs)
		loop_remove(l->loop, library_fd(l->programs));
	follow_free(l->follow);
	library_unload(l->programs);
	answers_free(l->answers);
	free(l);
}

struct answers *library_answers(struct library *l)
{
	return l->answers;
}

void library_update(void *library)
{
	struct library *l = library;
	unsigned int number = answers_proven(l->answers);

	if (number < AS_LIBRARY_FILES)
		library_settle(l->programs, number);
	library_read(l->programs);
}

void library_stats(struct library *l, struct library_stats *s)
{
	library_update(l);
	answers_expire(l->answers, now_ns());
	s->files = *follow_count(l->follow);
	memcpy(s->answers, l->heard, sizeof(s->answers));
	library_lost(l->programs, s->lost);
	s->handshakes = answers_count(l->answers);
}
