// SPDX-License-Identifier: GPL-2.0-only
#include "events.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "alpnscope.skel.h"
#include "alpnscope/flow.h"
#include "log.h"

#define BATCH 256
#define COPIES_NS 20000000ULL /* merge.c holds a handshake for longer than that */
#define HURRY_NS 1000000000ULL /* under pressure 1 s is the most */

struct events {
	struct alpnscope_bpf *skel;
	struct ring_buffer *ring;
	events_fn fn;
	void *arg;
	int cpus; /* asked once: it takes a descriptor, and later there may be none */
	unsigned int round;
	bool came; /* something was read since the last tick */
	uint64_t ended[64]; /* since the tick began, as bits by server random */
	struct as_tuple key[BATCH];
	struct as_flow flow[BATCH];
};

static int on_record(void *arg, void *data, size_t size)
{
	struct events *e = arg;
	const struct as_handshake *hs = data;

	e->round++;
	/* The next one, as long as this, was written by another CPU. */
	for (size_t off = 0; off < size; off += 64)
		__builtin_prefetch((const char *)data + size + off);
	if (size == sizeof(uint64_t)) /* as_wake(): a flow began */
		return 0;
	if (size < offsetof(struct as_handshake, names) || hs->abi != AS_ABI || hs->size > size)
		log_error("a record of %zu bytes and ABI %u is not ours (%d); left out", size,
			  size >= 2 ? hs->abi : 0, AS_ABI);
	else
		e->fn(e->arg, hs);
	return e->round >= EVENTS_ROUND_MAX ? -EAGAIN : 0;
}

struct events *events_new(struct alpnscope_bpf *skel, events_fn fn, void *arg)
{
	struct events *e = calloc(1, sizeof(*e));

	if (!e)
		return NULL;
	e->skel = skel;
	e->fn = fn;
	e->arg = arg;
	e->cpus = libbpf_num_possible_cpus();
	if (e->cpus <= 0) {
		errno = -e->cpus;
		free(e);
		return NULL;
	}
	e->ring = ring_buffer__new(bpf_map__fd(skel->maps.events), on_record, e, NULL);
	if (!e->ring) {
		free(e);
		return NULL;
	}
	skel->bss->idle = 1;
	return e;
}

void events_free(struct events *e)
{
	if (!e)
		return;
	ring_buffer__free(e->ring);
	free(e);
}

int events_fd(const struct events *e)
{
	return ring_buffer__epoll_fd(e->ring);
}

unsigned int events_read(struct events *e)
{
	e->round = 0;
	ring_buffer__consume(e->ring);
	if (e->round && !e->came) {
		e->came = true;
		/* Who reads something ticks: nobody need tell of the next flow. */
		__atomic_store_n(&e->skel->bss->idle, 0, __ATOMIC_SEQ_CST);
	}
	return e->round;
}

void events_sleep(struct events *e)
{
	__atomic_store_n(&e->skel->bss->asleep, 1, __ATOMIC_SEQ_CST);
}

void events_awake(struct events *e)
{
	__atomic_store_n(&e->skel->bss->asleep, 0, __ATOMIC_SEQ_CST);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t); /* bpf_ktime_get_ns()'s clock */
	return (uint64_t)t.tv_sec * 1000000000ULL + (uint64_t)t.tv_nsec;
}

/* Have the kernel end a flow: it may be answered at this moment. */
static void end_flow(struct events *e, const struct as_flow *flow, uint32_t end)
{
	struct {
		uint8_t ethernet[14];
		struct as_due due;
	} __attribute__((packed))
	packet = {.due = {.key = flow->key, .due = flow->due, .end = end}};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &packet,
			    .data_size_in = sizeof(packet));
	int err = bpf_prog_test_run_opts(bpf_program__fd(e->skel->progs.alpnscope_due), &opts);

	if (err)
		log_error("cannot end a handshake that waits in vain: %s; it stays in the table",
			  strerror(-err));
}

/* What a walk through the table ends. */
enum what { NOTHING, OVERDUE, COPIES, SLOW, ANSWERED };

/* Copies of one handshake (NAT) were answered within microseconds. That one of them is overdue
 * a moment after this tick must not part them by another: merge.c would not meet them. */
static bool is_copy(const struct events *e, const struct as_flow *flow)
{
	return as_is_followed(&flow->rec) &&
	       e->ended[flow->rec.server_random[8] % 64] >> flow->rec.server_random[9] % 64 & 1;
}

static void note_ended(struct events *e, const struct as_flow *flow)
{
	e->ended[flow->rec.server_random[8] % 64] |= 1ULL << flow->rec.server_random[9] % 64;
}

static bool is_over(const struct events *e, const struct as_flow *flow, enum what what,
		    uint64_t now)
{
	bool answered = as_is_followed(&flow->rec);
	uint64_t begun = flow->due - (answered ? AS_RECORDS_NS : AS_ANSWER_NS);

	switch (what) {
	case OVERDUE:
		return flow->due <= now;
	case COPIES:
		return flow->due <= now + COPIES_NS && is_copy(e, flow);
	case SLOW:
		return begun + HURRY_NS <= now;
	case ANSWERED:
		return answered;
	default:
		return false;
	}
}

static void end_if_over(struct events *e, const struct as_flow *flow, enum what what, uint64_t now)
{
	if (!is_over(e, flow, what, now))
		return;
	if (as_is_followed(&flow->rec))
		note_ended(e, flow);
	end_flow(e, flow,
		 what == ANSWERED ? AS_END_EOF
		 : what == COPIES ? AS_END_QUIET
				  : AS_END_TIMEOUT);
}

/* Walk the table; count it, and end @what at @now. Never 0 when something may be left. */
static uint32_t walk(struct events *e, enum what what, uint64_t now)
{
	int fd = bpf_map__fd(e->skel->maps.flows);
	uint64_t cursor = 0;
	bool first = true;
	uint32_t total = 0;
	int err;

	do {
		uint32_t n = BATCH;

		err = bpf_map_lookup_batch(fd, first ? NULL : &cursor, &cursor, e->key, e->flow, &n,
					   NULL);
		if (err && err != -ENOENT) /* a bucket was busy: not all was seen */
			return total + 1;
		for (uint32_t i = 0; i < n; i++)
			end_if_over(e, &e->flow[i], what, now);
		if (what == ANSWERED) /* they may be more than the ring holds */
			events_read(e);
		total += n;
		first = false;
	} while (!err);
	return total;
}

/* Have the kernel give up hellos that were begun and not finished; how many are left? */
static uint32_t sweep(struct events *e)
{
	uint32_t slots = bpf_map__max_entries(e->skel->maps.slots), used = 0;
	struct {
		uint8_t ethernet[14];
		uint32_t first;
	} __attribute__((packed)) packet = {.first = 0};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &packet,
			    .data_size_in = sizeof(packet));

	for (; packet.first < slots; packet.first += AS_SWEEP) {
		int err = bpf_prog_test_run_opts(bpf_program__fd(e->skel->progs.alpnscope_sweep),
						 &opts);

		if (err)
			log_error("cannot look for unfinished hellos: %s; they stay where they are",
				  strerror(-err));
		used += err ? 0 : opts.retval;
	}
	return used;
}

bool events_expire(struct events *e)
{
	uint64_t now = now_ns();
	uint32_t limit = bpf_map__max_entries(e->skel->maps.flows);
	bool pressed, came = e->came;
	uint32_t open;

	/* Set before the walk: a flow that comes behind our back wakes us. */
	__atomic_store_n(&e->skel->bss->idle, 1, __ATOMIC_SEQ_CST);
	e->came = false;
	memset(e->ended, 0, sizeof(e->ended));
	open = walk(e, OVERDUE, now);
	if (open)
		open = walk(e, COPIES, now);
	pressed = open > limit / 2;
	__atomic_store_n(&e->skel->bss->pressed, pressed, __ATOMIC_RELAXED);
	if (pressed)
		open = walk(e, SLOW, now);
	open += sweep(e);
	if (!open && !came)
		return false;
	__atomic_store_n(&e->skel->bss->idle, 0, __ATOMIC_SEQ_CST);
	return true;
}

void events_end(struct events *e)
{
	walk(e, ANSWERED, 0);
}

uint32_t events_in_flight(struct events *e)
{
	return walk(e, NOTHING, 0);
}

uint32_t events_reassembly(struct events *e)
{
	return sweep(e);
}

void events_counters(const struct events *e, uint64_t *counter)
{
	uint64_t value[e->cpus];

	for (uint32_t id = 0; id < AS_COUNTER_COUNT; id++) {
		counter[id] = 0;
		if (bpf_map__lookup_elem(e->skel->maps.counters, &id, sizeof(id), value,
					 sizeof(value), 0))
			continue;
		for (int cpu = 0; cpu < e->cpus; cpu++)
			counter[id] += value[cpu];
	}
}
