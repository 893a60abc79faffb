/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * lane.h - programs under test, and how long they take.
 *
 * Time is this thread's CPU time around one BPF_PROG_TEST_RUN with many repeats: the kernel's own
 * `duration` is cut to whole nanoseconds, a quarter of what some packets cost. What the system call
 * costs is spread over the repeats and is in the empty program's figure too.
 */
#ifndef BENCH_LANE_H
#define BENCH_LANE_H

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/if_link.h>

#include "feed.h" /* what feed.skel.h wants */

#include "alpnscope/counters.h"
#include "alpnscope/handshake.h"
#include "bench/empty.skel.h"
#include "bench/feed.skel.h"
#include "frames.h"

#define LANES_MAX 3
#define RING_SAFE 4000 /* records between two looks at the ring: 4 MiB hold twice as many */

enum hook { TC, XDP, HOOKS };

/**
 * struct lane - a program for each hook: the empty ones, or those of an object.
 * @ring: NULL for the empty ones
 * @records: of handshakes, out of the ring
 */
struct lane {
	const char *name;
	struct bpf_object *object;
	int program[HOOKS];
	struct ring_buffer *ring;
	uint64_t records;
};

static struct feed_bpf *feeder;
static const struct lane *entered[HOOKS]; /* by the feeder */

static inline void __attribute__((format(printf, 1, 2), noreturn)) die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "bench/packet: ");
	vfprintf(stderr, format, args);
	fprintf(stderr, "\n");
	va_end(args);
	exit(1);
}

static inline int lane_record(void *arg, void *data, size_t size)
{
	const struct as_handshake *hs = data;
	struct lane *lane = arg;

	if (size == sizeof(uint64_t)) /* only to wake the agent */
		return 0;
	if (hs->abi == AS_ABI && hs->alpn_len != sizeof(BENCH_OFFER) - 1)
		die("%s: a record with %u bytes of ALPN", lane->name, hs->alpn_len);
	lane->records++;
	return 0;
}

/* BPF_PROG_TEST_RUN of an XDP program that no device has takes 250 us before its first frame: the
 * kernel rewrites its dispatcher. So each is on the lo of a namespace of its own, which stays down
 * and which the open file keeps. */
static inline void on_a_device(int program)
{
	int err = unshare(CLONE_NEWNET) ? -errno : 0;

	if (!err)
		err = bpf_xdp_attach(1, program, XDP_FLAGS_SKB_MODE, NULL);
	if (!err && open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC) < 0)
		err = -errno;
	if (err)
		die("cannot put a program on a device of its own: %s", strerror(-err));
}

/* The empty programs, and the feeder. */
static inline void lane_empty(struct lane *lane)
{
	struct empty_bpf *skel = empty_bpf__open_and_load();

	feeder = feed_bpf__open_and_load();
	if (!skel || !feeder)
		die("cannot load the bench's own programs: %s; next: be root, on Linux 5.18 or "
		    "later",
		    strerror(errno));
	lane->name = "empty";
	lane->program[TC] = bpf_program__fd(skel->progs.empty_tc);
	lane->program[XDP] = bpf_program__fd(skel->progs.empty_xdp);
	on_a_device(lane->program[XDP]);
	on_a_device(bpf_program__fd(feeder->progs.feed_xdp));
}

static inline int program_of(const struct bpf_object *object, const char *name)
{
	const struct bpf_program *program = bpf_object__find_program_by_name(object, name);

	if (!program)
		die("the object has no program %s", name);
	return bpf_program__fd(program);
}

/* Load the object at @path as the agent does, with room for @flows, but for the secret seed: all
 * runs then have the same collisions. Not `testing`: reading the clock is part of the cost. */
static inline void lane_load(struct lane *lane, const char *path, uint32_t flows)
{
	struct bpf_object *object = bpf_object__open_file(path, NULL);
	struct bpf_program *program;
	int err;

	if (!object)
		die("%s: %s; next: make build/linked.o", path, strerror(errno));
	bpf_object__for_each_program(program, object)
	{
		const char *name = bpf_program__name(program);

		bpf_program__set_autoload(program, !strcmp(name, "alpnscope_in") ||
							   !strcmp(name, "alpnscope_xdp"));
	}
	err = bpf_map__set_max_entries(bpf_object__find_map_by_name(object, "flows"), flows);
	if (!err)
		err = bpf_object__load(object);
	if (err)
		die("%s: cannot load: %s", path, strerror(-err));
	lane->name = path;
	lane->object = object;
	lane->program[TC] = program_of(object, "alpnscope_in");
	lane->program[XDP] = program_of(object, "alpnscope_xdp");
	on_a_device(lane->program[XDP]);
	lane->ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "events"),
				      lane_record, lane, NULL);
	if (!lane->ring)
		die("%s: cannot read the ring: %s", path, strerror(errno));
}

/* A counter's sum over all CPUs. */
static inline uint64_t lane_counter(const struct lane *lane, uint32_t id)
{
	int cpus = libbpf_num_possible_cpus();
	uint64_t value[cpus > 0 ? cpus : 1], sum = 0;

	if (bpf_map_lookup_elem(bpf_object__find_map_fd_by_name(lane->object, "counters"), &id,
				value))
		die("cannot read counter %u: %s", id, strerror(errno));
	for (int i = 0; i < cpus; i++)
		sum += value[i];
	return sum;
}

static inline uint64_t cpu_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/**
 * test_run - run a program @repeat times over one frame.
 * @linear: bytes that can be read directly, 0 for all
 * Returns CPU ns for one, or a negative number when the kernel takes no such frame.
 */
static inline double test_run(enum hook hook, int program, const void *frame, uint32_t len,
			      uint32_t linear, uint32_t repeat)
{
	struct xdp_md xdp = {.data_end = linear};
	struct __sk_buff skb = {.data_end = linear};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len,
			    .repeat = (int)repeat);
	uint64_t begin;

	if (linear) {
		opts.ctx_in = hook == TC ? (void *)&skb : (void *)&xdp;
		opts.ctx_size_in = hook == TC ? sizeof(skb) : sizeof(xdp);
	}
	begin = cpu_ns();
	if (bpf_prog_test_run_opts(program, &opts))
		return -1;
	begin = cpu_ns() - begin;
	if (opts.retval != (hook == TC ? (uint32_t)-1 : 2)) /* TC_ACT_UNSPEC, XDP_PASS */
		die("a program returned %u", opts.retval);
	return (double)begin / repeat;
}

/**
 * feed_run - frames @first.. (@count of them) of connections @begin.. (@number of them).
 * @repeat: how many frames in all
 * Returns CPU ns for one frame, the feeder's part included.
 */
static inline double feed_run(enum hook hook, struct lane *lane, struct feed feed, uint32_t repeat)
{
	struct bpf_program *program = hook == TC ? feeder->progs.feed_tc : feeder->progs.feed_xdp;
	struct bpf_map *target = hook == TC ? feeder->maps.tc_target : feeder->maps.xdp_target;
	static uint8_t frame[FEED_BYTES] = {[12] = 8, [14] = 0x45};
	uint32_t at = 0;
	double ns;

	if (entered[hook] != lane &&
	    bpf_map_update_elem(bpf_map__fd(target), &at, &lane->program[hook], BPF_ANY))
		die("cannot enter %s from the feeder: %s", lane->name, strerror(errno));
	entered[hook] = lane;
	feed.number = feed.begin;
	feed.at = feed.have = 0;
	feeder->bss->feed = feed;
	ns = test_run(hook, bpf_program__fd(program), frame, sizeof(frame), 0, repeat);
	if (ns < 0)
		die("BPF_PROG_TEST_RUN: %s", strerror(errno));
	return ns;
}

/* The kernel's statistics of BPF programs read the clock twice a run: 40 ns more for all, the empty
 * ones too, which makes every ratio look good. */
static inline void expect_no_statistics(const struct lane *lane)
{
	struct bpf_prog_info info = {0};
	uint32_t size = sizeof(info);
	static uint8_t frame[60];

	test_run(TC, lane->program[TC], frame, sizeof(frame), 0, 1);
	if (bpf_obj_get_info_by_fd(lane->program[TC], &info, &size))
		die("cannot ask for a program's statistics: %s", strerror(errno));
	if (info.run_cnt)
		die("the kernel keeps statistics of BPF programs, which costs 40 ns a run; next: "
		    "sysctl kernel.bpf_stats_enabled=0, and end who asked for them (bpftop, "
		    "bpftool prog profile)");
}

/* Take what is in the ring. */
static inline void lane_drain(struct lane *lane)
{
	if (lane->ring)
		ring_buffer__consume(lane->ring);
}

#endif
