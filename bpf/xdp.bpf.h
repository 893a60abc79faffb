/* SPDX-License-Identifier: GPL-2.0-only */
/* xdp.bpf.h - port.h's functions for XDP programs; `env` is the buffer. They need Linux 5.18
 * (3f364222d032), which has multi-buffer frames too. */
#ifndef ALPNSCOPE_XDP_BPF_H
#define ALPNSCOPE_XDP_BPF_H

#include "target.bpf.h"

AS_INLINE void as_span(AS_ENV *env, struct as_frame *frame)
{
	frame->data = (const __u8 *)(long)env->data;
	frame->data_end = (const __u8 *)(long)env->data_end;
}

AS_INLINE void as_frame(AS_ENV *env, struct as_frame *frame)
{
	frame->env = env;
	as_span(env, frame);
	frame->len = (__u32)bpf_xdp_get_buff_len(env);
}

AS_INLINE int as_load(AS_ENV *env, __u32 off, void *dst, __u32 len)
{
	return (int)bpf_xdp_load_bytes(env, off, dst, len);
}

AS_INLINE __u32 as_ifindex(AS_ENV *env)
{
	return env->ingress_ifindex;
}

/* A frame that arrives has no socket yet. */
AS_INLINE void as_owner(AS_ENV *env, struct as_owner *owner)
{
	(void)env;
	(void)owner;
}

#endif
