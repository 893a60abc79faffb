/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * twin.h - the BPF programs beside the native engine: the same frames through
 * BPF_PROG_TEST_RUN, and the same records and counters expected, byte for byte.
 *
 * A separate, unattached load whose clock is test_now, so that times and expiry are the
 * same too. Tables are emptied, not loaded anew, for each engine. Frames take turns: one
 * passes alpnscope_in, the next alpnscope_out, the next two alpnscope_xdp, the latter of
 * them in fragments; those that TC cannot take go by XDP all. Include after cmocka.h.
 */
#ifndef TESTS_TWIN_H
#define TESTS_TWIN_H

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "alpnscope.skel.h"
#include "alpnscope/flow.h"
#include "alpnscope/wire.h"
#include "events.h"
#include "native.h"
#include "program.h"
#include "xdp.h"

#define TWIN_TC_MAX 3712 /* what BPF_PROG_TEST_RUN takes */
#define TWIN_XDP_LINEAR 3520 /* the rest of a frame is in fragments of 4096 bytes, */
#define TWIN_XDP_MAX (TWIN_XDP_LINEAR + 17 * 4096) /* of which there are 17 at the most */
#define TWIN_FLOWS 1024
#define TWIN_SWEEP_NS 250000000 /* as native.c */
#define TWIN_SHOWN 5 /* differing records that are printed */

/**
 * The one load, and the engine that is compared at the moment.
 * @before: counters when it began
 * @due: no flow ends before
 * @swept: when the slots were last looked through
 * @number: of its frames; @turn: of all frames: whose turn it is
 * @blind: a frame was left out that the native engine had
 * @xdp: this kernel has XDP in fragments (Linux 5.18)
 */
static struct twin {
	struct alpnscope_bpf *skel;
	struct events *events;
	struct as_handshake *rec;
	uint32_t count;
	uint32_t room;
	uint64_t before[AS_COUNTER_COUNT];
	uint64_t due;
	uint64_t swept;
	uint32_t number, turn;
	bool blind, xdp;
	/* What all engines together came to. */
	uint64_t engines, frames, xdp_frames, fragmented, short_frames, long_frames, blind_engines,
		records, differences;
} twin;

static inline void twin_record(void *arg, const struct as_handshake *hs)
{
	struct twin *t = arg;

	if (t->count == t->room) {
		t->room = t->room ? 2 * t->room : 64;
		t->rec = realloc(t->rec, t->room * sizeof(*t->rec));
		assert_non_null(t->rec);
	}
	memset(&t->rec[t->count], 0, sizeof(*t->rec));
	memcpy(&t->rec[t->count++], hs, hs->size);
}

/* Load once; skips the test, with a reason, where this is not permitted. */
static inline void twin_load(void)
{
	static char why[512];

	if (!twin.skel && !why[0]) {
		struct program_config config = {
			.flows = TWIN_FLOWS, .slots = AS_SLOTS_DEFAULT, .testing = true};

		twin.xdp = config.xdp = !xdp_supported();
		twin.skel = program_load(&config, why, sizeof(why));
		if (!twin.skel && errno != EPERM && errno != EACCES)
			fail_msg("%s", why);
	}
	if (!twin.skel) {
		printf("%s\n", why);
		fflush(stdout);
		skip();
	}
	if (!twin.events) {
		twin.events = events_new(twin.skel, twin_record, &twin);
		assert_non_null(twin.events);
	}
}

/* Forget what the last handshakes were. */
static inline void twin_forget(void)
{
	struct as_gate *gate = (struct as_gate *)twin.skel->bss->gates;

	for (__u32 i = 0; i < AS_GATES; i++)
		gate[i].client = gate[i].server = 0;
}

/* Have the programs end this flow, as the agent does. */
static inline void twin_expire(const struct as_flow *flow, uint32_t end)
{
	struct {
		uint8_t ethernet[AS_ETH_HLEN];
		struct as_due due;
	} __attribute__((packed))
	packet = {.due = {.key = flow->key, .due = flow->due, .end = end}};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &packet,
			    .data_size_in = sizeof(packet));
	int fd = bpf_program__fd(twin.skel->progs.alpnscope_due);

	assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
}

/* End the flows that are due by @now, or (UINT64_MAX) all of them; returns when the next one will be. */
static inline uint64_t twin_walk(uint64_t now)
{
	static struct as_tuple key[TWIN_FLOWS];
	static struct as_flow flow[TWIN_FLOWS];
	uint64_t cursor, next = UINT64_MAX;
	uint32_t n = TWIN_FLOWS;
	int err = bpf_map_lookup_batch(bpf_map__fd(twin.skel->maps.flows), NULL, &cursor, key, flow,
				       &n, NULL);

	assert_true(!err || err == -ENOENT);
	for (uint32_t i = 0; i < n; i++) {
		if (flow[i].due <= now)
			twin_expire(&flow[i], now == UINT64_MAX ? AS_END_EOF : AS_END_TIMEOUT);
		else if (flow[i].due < next)
			next = flow[i].due;
	}
	return next;
}

/* Give up what the slots began to collect, if it is too old; returns how many are in use. */
static inline uint32_t twin_sweep(void)
{
	struct {
		uint8_t ethernet[AS_ETH_HLEN];
		uint32_t first;
	} __attribute__((packed)) packet = {.first = 0};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = &packet,
			    .data_size_in = sizeof(packet));
	uint32_t used = 0;

	for (; packet.first < AS_SLOTS_DEFAULT; packet.first += AS_SWEEP) {
		int fd = bpf_program__fd(twin.skel->progs.alpnscope_sweep);

		assert_int_equal(bpf_prog_test_run_opts(fd, &opts), 0);
		used += opts.retval;
	}
	return used;
}

/* End everything, as at the end of a capture. */
static inline void twin_drain(void)
{
	twin_walk(UINT64_MAX);
	twin.skel->bss->test_now += 2 * AS_SLOT_NS;
	assert_int_equal(twin_sweep(), 0);
}

/* The time is @now: as the native engine does, end what is due before the frame is seen. */
static inline void twin_clock(uint64_t now)
{
	uint64_t next;

	if (now - twin.swept >= TWIN_SWEEP_NS) {
		twin.swept = now;
		twin_sweep();
	}
	if (now < twin.due)
		return;
	next = twin.due ? twin_walk(now) : UINT64_MAX;
	/* A flow that opens or is answered from now on waits this long. */
	twin.due = next < now + AS_RECORDS_NS ? next : now + AS_RECORDS_NS;
}

/* A new native engine begins, with room for @flows. */
static inline void twin_begin(uint32_t flows)
{
	twin_load();
	twin_drain(); /* what a failed test left */
	events_read(twin.events);
	twin_forget();
	twin.count = 0;
	twin.number = 0;
	twin.due = 0;
	twin.swept = 0;
	twin.blind = flows != TWIN_FLOWS;
	events_counters(twin.events, twin.before);
	assert_int_equal(events_in_flight(twin.events), 0);
}

/* The most bytes of a frame that can be compared. */
static inline uint32_t twin_frame_max(bool bare)
{
	return twin.xdp && !bare ? TWIN_XDP_MAX : TWIN_TC_MAX;
}

static inline void twin_run(const struct bpf_program *prog, struct bpf_test_run_opts *opts,
			    uint32_t verdict)
{
	if (bpf_prog_test_run_opts(bpf_program__fd(prog), opts))
		fail_msg("BPF_PROG_TEST_RUN refused a frame of %u bytes: %s", opts->data_size_in,
			 strerror(errno));
	assert_int_equal(opts->retval, verdict);
	twin.frames++;
}

static inline void twin_run_tc(const uint8_t *bytes, uint32_t len, bool bare, bool out)
{
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = len);
	const struct bpf_program *prog =
		bare ? (out ? twin.skel->progs.alpnscope_out3 : twin.skel->progs.alpnscope_in3)
		     : (out ? twin.skel->progs.alpnscope_out : twin.skel->progs.alpnscope_in);

	twin_run(prog, &opts, (uint32_t)-1); /* TC_ACT_UNSPEC: let it pass */
}

/* @cut: only as much as XDP takes at the least can be read directly. */
static inline void twin_run_xdp(const uint8_t *bytes, uint32_t len, bool cut)
{
	struct xdp_md ctx = {.data_end = AS_ETH_HLEN};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = bytes, .data_size_in = len);

	if (cut) {
		opts.ctx_in = &ctx;
		opts.ctx_size_in = sizeof(ctx);
	}
	twin_run(twin.skel->progs.alpnscope_xdp, &opts, XDP_PASS);
	twin.xdp_frames++;
	twin.fragmented += cut || len > TWIN_XDP_LINEAR;
}

static inline void twin_frame(const uint8_t *bytes, uint32_t len, bool bare)
{
	uint32_t turn = twin.turn++ % (twin.xdp && !bare ? 4 : 2);

	twin.number++;

	if (turn >= 2 || len > TWIN_TC_MAX)
		twin_run_xdp(bytes, len, turn & 1);
	else
		twin_run_tc(bytes, len, bare, turn & 1);
}

/* BPF_PROG_TEST_RUN takes no frame that is shorter than the headers which its ethertype
 * names (Linux 6.18). Nor can such a frame be anything to the engine. */
static inline bool twin_is_short(const uint8_t *bytes, uint32_t len)
{
	uint32_t ethertype = len > AS_ETH_HLEN ? (uint32_t)bytes[12] << 8 | bytes[13] : 0;

	if (ethertype == AS_ETH_P_IPV4)
		return len < AS_ETH_HLEN + AS_IPV4_HLEN;
	if (ethertype == AS_ETH_P_IPV6)
		return len < AS_ETH_HLEN + AS_IPV6_HLEN;
	return len <= AS_ETH_HLEN;
}

/* The frame that the native engine is about to get at @now; @bare: it has no Ethernet
 * header. */
static inline void twin_take(const uint8_t *bytes, uint32_t len, bool bare, uint64_t now)
{
	if (len > twin_frame_max(bare)) {
		twin.blind = true;
		twin.long_frames++;
	}
	if (twin.blind)
		return;
	if (now > twin.skel->bss->test_now || !twin.number)
		twin.skel->bss->test_now = now;
	twin_clock(twin.skel->bss->test_now);
	if (twin_is_short(bytes, len)) { /* it tells the time, no more */
		twin.short_frames++;
		return;
	}
	twin_frame(bytes, len, bare);
	events_read(twin.events);
}

/* More than half of the table is in use, or no longer, as the agent would say. */
static inline void twin_press(bool pressed)
{
	twin.skel->bss->pressed = pressed;
}

static inline int twin_order(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct as_handshake));
}

/* Records of the native engine in an order of their own. */
static inline struct as_handshake *twin_sorted(const struct as_handshake *rec, uint32_t count)
{
	struct as_handshake *copy = calloc(count + 1, sizeof(*copy));

	assert_non_null(copy);
	for (uint32_t i = 0; i < count; i++) {
		copy[i] = rec[i];
	}
	qsort(copy, count, sizeof(*copy), twin_order);
	return copy;
}

static inline void twin_difference(const struct as_handshake *a, const struct as_handshake *b)
{
	const uint8_t *x = (const uint8_t *)a, *y = (const uint8_t *)b;

	if (twin.differences++ > TWIN_SHOWN)
		return;
	for (size_t i = 0; i < sizeof(*a); i++) {
		if (x[i] == y[i])
			continue;
		print_error("records differ from byte %zu on: %u native, %u BPF\n", i, x[i], y[i]);
		return;
	}
}

static inline void twin_compare(const uint64_t *counters, const struct as_handshake *rec,
				uint32_t count)
{
	struct as_handshake *mine = twin_sorted(rec, count);
	uint64_t after[AS_COUNTER_COUNT];

	if (twin.count)
		qsort(twin.rec, twin.count, sizeof(*twin.rec), twin_order);
	for (uint32_t i = 0; i < count && i < twin.count; i++)
		if (memcmp(&mine[i], &twin.rec[i], sizeof(*mine)))
			twin_difference(&mine[i], &twin.rec[i]);
	free(mine);
	events_counters(twin.events, after);
	for (int i = 0; i < AS_COUNTER_COUNT; i++) {
		if (after[i] - twin.before[i] == counters[i])
			continue;
		print_error("counter %d: %llu native, %llu BPF\n", i,
			    (unsigned long long)counters[i],
			    (unsigned long long)(after[i] - twin.before[i]));
		twin.differences++;
	}
	if (twin.count != count) {
		print_error("%u records native, %u BPF\n", count, twin.count);
		twin.differences++;
	}
}

/* The native engine ended with these records. */
static inline void twin_end(const struct native *n, const struct as_handshake *rec, uint32_t count)
{
	uint64_t differences = twin.differences;

	twin_walk(UINT64_MAX);
	events_read(twin.events);
	twin_drain();
	if (twin.blind) {
		twin.blind_engines++;
		return;
	}
	twin.engines++;
	twin.records += count;
	twin_compare(native_counters(n), rec, count);
	assert_int_equal(twin.differences, differences);
}

/* A gate that stays up after its handshakes would let every packet of its place in. */
static inline void twin_gates(void)
{
	const struct as_block *block = (const struct as_block *)twin.skel->bss->blocks;

	for (__u32 i = 0; i < AS_GATES; i++) {
		struct as_gate gate;

		memcpy(&gate, (const char *)twin.skel->bss->gates + i * sizeof(gate), sizeof(gate));
		assert_int_equal(gate.count, 0);
		assert_int_equal(gate.slots, 0);
		if (gate.mark)
			assert_int_not_equal(
				block[i / AS_BLOCK].marked[i % AS_BLOCK / AS_BLOCK_PART], 0);
	}
	for (__u32 i = 0; i < AS_BLOCKS; i++)
		assert_int_equal(block[i].busy, 0);
}

/* What was compared, for the reader of the test's output. */
static inline int twin_report(void **state)
{
	(void)state;
	if (!twin.skel)
		return 0;
	twin_walk(UINT64_MAX);
	twin_gates();
	print_message("# %llu frames (%llu by XDP, %llu of them in fragments), %llu captures, "
		      "%llu records compared, %llu differences; "
		      "not compared: %llu captures with %llu frames over %u bytes; "
		      "left out: %llu frames shorter than their headers\n",
		      (unsigned long long)twin.frames, (unsigned long long)twin.xdp_frames,
		      (unsigned long long)twin.fragmented, (unsigned long long)twin.engines,
		      (unsigned long long)twin.records, (unsigned long long)twin.differences,
		      (unsigned long long)twin.blind_engines, (unsigned long long)twin.long_frames,
		      twin_frame_max(false), (unsigned long long)twin.short_frames);
	events_free(twin.events);
	program_free(twin.skel);
	free(twin.rec);
	return twin.differences != 0;
}

#endif
