// SPDX-License-Identifier: GPL-2.0-only
/*
 * storm.bpf.c - puts the next frame of a storm of handshakes into the buffer of BPF_PROG_TEST_RUN
 * and calls the running agent's own XDP program with it.
 *
 * A group of handshakes goes on at the same time: the first frame of each, then the second of each.
 * The next group is of the next kind. Every handshake has a client address, port and randoms of
 * its own.
 */
#include <linux/bpf.h>
#include <linux/types.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "storm.h"

#define IP 14
#define TCP (IP + 20)

char _license[] SEC("license") = "GPL";

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, STORM_KINDS *STORM_STEPS);
	__type(key, __u32);
	__type(value, struct storm_frame);
} frames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32));
} agent SEC(".maps");

const volatile __u32 group = 64;
const volatile __u64 rate = 0; /* handshakes a second, 0 as fast as it goes */
const volatile __u32 steps[STORM_KINDS] = {};

/* Where we are: handshake `first + at`, its frame `step`. */
__u64 first = 0;
__u32 at = 0;
__u32 step = 0;
__u32 kind = 0;
__u64 frames_sent = 0;
__u64 failed = 0; /* frames that did not reach the agent's program */
__u64 begun = 0; /* bpf_ktime_get_ns(), 0: go on without regard to the rate */

static __always_inline void advance(void)
{
	if (++at < group)
		return;
	at = 0;
	if (++step < steps[kind & (STORM_KINDS - 1)])
		return;
	step = 0;
	first += group;
	kind = (kind + 1) & (STORM_KINDS - 1);
}

/* Bits that differ all over for numbers that differ by one (splitmix64). */
static __always_inline __u64 mix(__u64 x)
{
	x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9ULL;
	x = (x ^ (x >> 27)) * 0x94d049bb133111ebULL;
	return x ^ (x >> 31);
}

static __always_inline int set_client(struct xdp_md *ctx, __u64 n, int from_client)
{
	__u8 *data = (__u8 *)(long)ctx->data;
	__u32 *addr = (__u32 *)(data + IP + (from_client ? 12 : 16));
	__u16 *port = (__u16 *)(data + TCP + (from_client ? 0 : 2));

	if (data + TCP + 4 > (__u8 *)(long)ctx->data_end)
		return -1;
	*addr = bpf_htonl(10U << 24 | (n & 0xffffff));
	*port = bpf_htons((__u16)(1024 + (n >> 24) + n % 40000));
	return 0;
}

/* A group is due when all handshakes before it should have begun. */
static __always_inline int is_due(void)
{
	if (!rate || !begun || at || step)
		return 1;
	return first <= (bpf_ktime_get_ns() - begun) * rate / 1000000000;
}

SEC("xdp.frags")
int storm(struct xdp_md *ctx)
{
	__u32 which = (kind & (STORM_KINDS - 1)) * STORM_STEPS + (step & (STORM_STEPS - 1));
	struct storm_frame *f = bpf_map_lookup_elem(&frames, &which);
	__u64 n = first + at;
	__u64 random[2] = {mix(n * 2 + 1)};

	if (!is_due())
		return XDP_PASS;
	if (!f || f->len < TCP || f->len > STORM_FRAME)
		return XDP_ABORTED;
	random[0] ^= f->from_client;
	random[1] = mix(random[0]);
	if (bpf_xdp_store_bytes(ctx, 0, f->bytes, f->len) || set_client(ctx, n, f->from_client))
		return XDP_ABORTED;
	if (f->random_at && bpf_xdp_store_bytes(ctx, f->random_at, random, sizeof(random)))
		return XDP_ABORTED;
	advance();
	frames_sent++;
	bpf_tail_call(ctx, &agent, 0);
	failed++;
	return XDP_ABORTED;
}
