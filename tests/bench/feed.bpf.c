// SPDX-License-Identifier: GPL-2.0-only
/* feed.bpf.c - many connections through BPF_PROG_TEST_RUN, which repeats one frame: before each
 * run of the program under test the next frame is put into the packet. The program is entered by
 * a tail call and unchanged. With the empty program as target it is what has to be taken off. */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "feed.h"

char _license[] SEC("license") = "GPL";

#define INLINE static inline __attribute__((always_inline))

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, FEED_FRAMES);
	__type(key, __u32);
	__type(value, struct feed_frame);
} frames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} tc_target SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} xdp_target SEC(".maps");

struct feed feed = {};

INLINE const struct feed_frame *next_frame(__u32 *number, int *copy)
{
	__u32 which = feed.first + feed.at;
	const struct feed_frame *f = bpf_map_lookup_elem(&frames, &which);

	*number = bpf_htonl(0x0a000000 + feed.number);
	*copy = feed.have != which + 1;
	feed.have = which + 1;
	if (++feed.at >= feed.count) {
		feed.at = 0;
		if (++feed.number >= feed.end)
			feed.number = feed.begin;
	}
	return f && f->len && f->len <= FEED_BYTES ? f : 0;
}

SEC("tc")
int feed_tc(struct __sk_buff *skb)
{
	const struct feed_frame *f;
	__u32 number;
	int copy;

	f = next_frame(&number, &copy);
	if (!f)
		return -2;
	if (copy)
		bpf_skb_store_bytes(skb, 0, f->bytes, FEED_BYTES, 0);
	bpf_skb_store_bytes(skb, f->address, &number, sizeof(number), 0);
	if (f->random)
		bpf_skb_store_bytes(skb, f->random, &number, sizeof(number), 0);
	bpf_tail_call_static(skb, &tc_target, 0);
	return -2;
}

SEC("xdp.frags")
int feed_xdp(struct xdp_md *xdp)
{
	const struct feed_frame *f;
	__u32 number;
	int copy;

	f = next_frame(&number, &copy);
	if (!f)
		return XDP_ABORTED;
	if (copy)
		bpf_xdp_store_bytes(xdp, 0, (void *)f->bytes, FEED_BYTES);
	bpf_xdp_store_bytes(xdp, f->address, &number, sizeof(number));
	if (f->random)
		bpf_xdp_store_bytes(xdp, f->random, &number, sizeof(number));
	bpf_tail_call_static(xdp, &xdp_target, 0);
	return XDP_ABORTED;
}
