/* SPDX-License-Identifier: GPL-2.0-only */
/* target.bpf.h - port.h's functions over the maps, the same for every hook. tc.bpf.h and
 * xdp.bpf.h have those that depend on what a frame is. */
#ifndef ALPNSCOPE_TARGET_BPF_H
#define ALPNSCOPE_TARGET_BPF_H

#include "maps.bpf.h"

AS_INLINE __u64 as_time(AS_ENV *env)
{
	(void)env;
	return testing ? test_now : bpf_ktime_get_ns();
}

AS_INLINE const __u64 *as_seed(AS_ENV *env)
{
	const __u64 *at = (const __u64 *)seed;

	(void)env;
	as_barrier(at); /* the compiler does not know what is there */
	return at;
}

AS_INLINE void as_count(AS_ENV *env, __u32 counter)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &counter);

	(void)env;
	if (value)
		/* The agent's alpnscope_due runs in a task, which a softirq may interrupt. */
		__sync_fetch_and_add(value, 1);
}

AS_INLINE struct as_gate *as_gate(AS_ENV *env, __u32 hash)
{
	(void)env;
	return (struct as_gate *)gates + (hash & (AS_GATES - 1));
}

AS_INLINE struct as_block *as_block(AS_ENV *env, __u32 hash)
{
	(void)env;
	return (struct as_block *)blocks + hash / AS_BLOCK % AS_BLOCKS;
}

AS_INLINE struct as_slot *as_slot(AS_ENV *env, __u32 number)
{
	__u32 at = number & slot_mask;

	(void)env;
	return bpf_map_lookup_elem(&slots, &at);
}

/* Copies any number of bytes, which the verifier takes for one step. */
AS_INLINE void as_move(void *dst, const void *src, __u32 len)
{
	bpf_probe_read_kernel(dst, len, src);
}

AS_INLINE void as_room(struct as_bytes *b, __u32 len)
{
	(void)b; /* for native memory checkers */
	(void)len;
}

AS_INLINE struct as_scratch *as_scratch(AS_ENV *env, __u32 hook)
{
	(void)env;
	return bpf_map_lookup_elem(&scratches, &hook);
}

AS_INLINE struct as_flow *as_flow_find(AS_ENV *env, const struct as_tuple *key)
{
	(void)env;
	return bpf_map_lookup_elem(&flows, key);
}

/* A record of 8 bytes says no more than: look. Whoever reads the ring must learn of it (a
 * discarded one is skipped unseen). */
AS_INLINE void as_wake(void)
{
	__u64 *none = bpf_ringbuf_reserve(&events, 8, 0);

	if (!none)
		return;
	*none = 0;
	bpf_ringbuf_submit(none, BPF_RB_FORCE_WAKEUP);
}

AS_INLINE int as_flow_add(AS_ENV *env, const struct as_tuple *key, const struct as_flow *flow)
{
	(void)env;
	return (int)bpf_map_update_elem(&flows, key, flow, BPF_NOEXIST);
}

AS_INLINE void as_stir(AS_ENV *env)
{
	(void)env;
	if (idle)
		as_wake();
}

AS_INLINE void as_redue(AS_ENV *env, struct as_flow *f)
{
	(void)env; /* the agent looks at all of them */
	(void)f;
}

AS_INLINE int as_pressed(AS_ENV *env)
{
	(void)env;
	return pressed;
}

AS_INLINE void as_flow_del(AS_ENV *env, const struct as_tuple *key)
{
	(void)env;
	bpf_map_delete_elem(&flows, key);
}

AS_INLINE void as_lock(AS_LOCK *lock)
{
	bpf_spin_lock(lock);
}

AS_INLINE void as_unlock(AS_LOCK *lock)
{
	bpf_spin_unlock(lock);
}

/* The agent sets `asleep` and then looks at the ring once more. If it set it after we
 * looked, it may have missed this record: look again (the commit is a full barrier). */
AS_INLINE int as_emit(AS_ENV *env, const struct as_handshake *hs, __u32 size)
{
	__u32 sleeps = asleep;
	long rc = bpf_ringbuf_output(&events, (void *)hs, size,
				     sleeps ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);

	(void)env;
	if (!rc && !sleeps && asleep)
		as_wake();
	return (int)rc;
}

/* A frame that as_is_idle() does not turn away. A function of its own, so that the programs proper
 * have few registers to save, which all frames would pay for. Returns 0. */
AS_STAGE int as_look_closer(AS_ENV *env, __u32 hook, int ethernet)
{
	struct as_scratch *s = as_scratch(env, hook);
	struct as_frame frame = {};
	int parsed;

	if (!s)
		return 0;
	as_frame(env, &frame);
	AS_MEMSET(&s->pkt, 0, sizeof(s->pkt));
	parsed = ethernet ? as_parse_ethernet(&frame, &s->pkt) : as_parse_ip(&frame, &s->pkt);
	as_on_frame(env, &frame, s, parsed, hook);
	return 0;
}

#endif
