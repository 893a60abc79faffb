// SPDX-License-Identifier: GPL-2.0-only
/* alpnscope_xdp.bpf.c - the entry points at XDP: the engine once more, for another kind of
 * frame. Linked to alpnscope.bpf.c by `bpftool gen object`, so the maps are the same. */
#define AS_XDP

/* The linker needs another name for each stage (AS_STAGE). One that is left out here it refuses:
 * "incompatible struct names '__sk_buff' and 'xdp_md'". */
#define as_abort as_xdp_abort
#define as_choose_slot as_xdp_choose_slot
#define as_collect as_xdp_collect
#define as_follow as_xdp_follow
#define as_is_idle_apart as_xdp_is_idle_apart
#define as_look as_xdp_look
#define as_look_closer as_xdp_look_closer
#define as_merge as_xdp_merge
#define as_on_gated as_xdp_on_gated
#define as_read_client_hello as_xdp_read_client_hello
#define as_read_server_hello as_xdp_read_server_hello
#define as_read_slot as_xdp_read_slot
#define as_read_heads as_xdp_read_heads
#define as_settle as_xdp_settle
#define as_slot_find as_xdp_slot_find
#define as_slot_probe as_xdp_slot_probe
#define as_sweep as_xdp_sweep
#define as_unpack as_xdp_unpack
#define as_on_header as_xdp_on_header
#define as_on_tunnel as_xdp_on_tunnel

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "alpnscope/engine.h"
/* Weak: those of alpnscope.bpf.c are taken. */
#pragma clang attribute push(__attribute__((weak)), apply_to = variable(is_global))
#include "maps.bpf.h"
#pragma clang attribute pop
#include "xdp.bpf.h"

char _license[] SEC("license") = "GPL";

AS_INLINE void look(struct xdp_md *xdp)
{
	struct as_frame frame;

	as_span(xdp, &frame);
	if (!as_is_idle_ethernet(xdp, &frame))
		as_look_closer(xdp, AS_INGRESS, 1);
}

/* frags: frames in several buffers (jumbo, GRO). The kernels that have bpf_xdp_load_bytes have
 * them too (Linux 5.18, c2f2cdbeffda), and a driver that has not gives us linear ones. */
SEC("xdp.frags")
int alpnscope_xdp(struct xdp_md *xdp)
{
	look(xdp);
	return XDP_PASS;
}

/* A mirror port: see alpnscope_tap. */
SEC("xdp.frags")
int alpnscope_xtap(struct xdp_md *xdp)
{
	look(xdp);
	return XDP_DROP;
}
