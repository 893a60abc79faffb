// SPDX-License-Identifier: GPL-2.0-only
/* alpnscope.bpf.c - the entry points at TC. They look and always let the packet pass, but
 * for that of a mirror port (--tap). */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "alpnscope/engine.h"
#include "tc.bpf.h"

char _license[] SEC("license") = "GPL";

AS_INLINE int look(struct __sk_buff *skb, __u32 hook, int ethernet)
{
	struct as_frame frame;

	as_span(skb, &frame);
	if (!(ethernet ? as_is_idle_ethernet(skb, &frame) : as_is_idle_ip(skb, &frame)))
		as_look_closer(skb, hook, ethernet);
	return TC_ACT_UNSPEC; /* the same number as TCX_NEXT */
}

SEC("tc")
int alpnscope_in(struct __sk_buff *skb)
{
	return look(skb, AS_INGRESS, 1);
}

SEC("tc")
int alpnscope_out(struct __sk_buff *skb)
{
	return look(skb, AS_EGRESS, 1);
}

/* A mirror port: its frames are copies for us to look at, and nobody else's. */
SEC("tc")
int alpnscope_tap(struct __sk_buff *skb)
{
	look(skb, AS_INGRESS, 1);
	return TC_ACT_SHOT;
}

/* Devices without a link header: tun, wireguard, ipip. */
SEC("tc")
int alpnscope_in3(struct __sk_buff *skb)
{
	return look(skb, AS_INGRESS, 0);
}

SEC("tc")
int alpnscope_out3(struct __sk_buff *skb)
{
	return look(skb, AS_EGRESS, 0);
}

/* Called by the agent with BPF_PROG_TEST_RUN, never attached; the "packet" is a
 * struct as_due behind room for an Ethernet header. Only programs end flows. */
SEC("tc")
int alpnscope_due(struct __sk_buff *skb)
{
	struct as_due due;

	if (bpf_skb_load_bytes(skb, AS_ETH_HLEN, &due, sizeof(due)))
		return -1;
	as_expire(skb, &due);
	return 0;
}

/* Likewise; the "packet" is the number of the first of AS_SWEEP slots. Returns how many of them
 * are in use. */
SEC("tc")
int alpnscope_sweep(struct __sk_buff *skb)
{
	__u32 first, used = 0;

	if (bpf_skb_load_bytes(skb, AS_ETH_HLEN, &first, sizeof(first)))
		return -1;
	for (__u32 i = 0; i < AS_SWEEP; i++)
		used += (__u32)as_sweep(skb, first + i, AS_SWEEP_DUE);
	return (int)used;
}
