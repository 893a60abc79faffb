// SPDX-License-Identifier: GPL-2.0-only
/* alpnscope_xdp.bpf.c - the entry points at XDP: the engine once more, for another kind of
 * frame. Linked to alpnscope.bpf.c by `bpftool gen object`, so the maps are the same. */
#define AS_XDP

/* The linker needs a name for each stage, one that is not left out here (else: duplicate). */
#define as_read_client_hello as_xdp_read_client_hello
#define as_read_server_hello as_xdp_read_server_hello
#define as_on_gated as_xdp_on_gated

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
	struct as_packet pkt = {};
	int parsed;

	as_frame(xdp, &frame);
	parsed = as_parse_ethernet(&frame, &pkt);
	as_on_frame(xdp, &frame, &pkt, parsed, AS_INGRESS);
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
