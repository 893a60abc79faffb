/* SPDX-License-Identifier: GPL-2.0-only */
/* target.bpf.h - port.h's functions for TC programs; `env` is the skb. */
#ifndef ALPNSCOPE_TARGET_BPF_H
#define ALPNSCOPE_TARGET_BPF_H

#include <bpf/bpf_core_read.h>

#include "maps.bpf.h"

/* The few kernel fields that tell who sends a frame, found by CO-RE (BTF). */
typedef struct {
	int owned;
} __attribute__((preserve_access_index)) socket_lock_t;

struct sock {
	socket_lock_t sk_lock;
} __attribute__((preserve_access_index));

struct task_struct {
	int tgid;
	struct task_struct *group_leader;
	char comm[16];
} __attribute__((preserve_access_index));

AS_INLINE void as_frame(AS_ENV *env, struct as_frame *frame)
{
	frame->env = env;
	frame->data = (const __u8 *)(long)env->data;
	frame->data_end = (const __u8 *)(long)env->data_end;
	frame->len = env->len;
}

AS_INLINE int as_load(AS_ENV *env, __u32 off, void *dst, __u32 len)
{
	return (int)bpf_skb_load_bytes(env, off, dst, len);
}

AS_INLINE __u64 as_time(AS_ENV *env)
{
	(void)env;
	return testing ? test_now : bpf_ktime_get_ns();
}

AS_INLINE __u32 as_ifindex(AS_ENV *env)
{
	return env->ifindex;
}

AS_INLINE __u64 as_seed(AS_ENV *env)
{
	(void)env;
	return seed;
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
	__u32 at = hash & (AS_GATES - 1);

	(void)env;
	return bpf_map_lookup_elem(&gates, &at);
}

AS_INLINE struct as_recent *as_recent(AS_ENV *env, __u32 hash)
{
	__u32 at = hash & (AS_RECENTS - 1);

	(void)env;
	return bpf_map_lookup_elem(&recents, &at);
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

/* The current task is the sender only while it holds the socket: a softirq transmits for
 * whoever happens to be on the CPU. */
AS_INLINE void as_owner(AS_ENV *env, struct as_owner *owner)
{
	struct task_struct *task;
	struct sock *sk;

	if (testing)
		return;
	if (!env->sk)
		return;
	/* A TCP socket, and not the packet socket or tap that put the frame here for
	 * somebody else. A tcp_sock begins with its sock. */
	sk = (struct sock *)bpf_skc_to_tcp_sock(env->sk);
	if (!sk)
		return;
	owner->cookie = bpf_get_socket_cookie(env);
	if (!sk->sk_lock.owned)
		return;
	task = (struct task_struct *)bpf_get_current_task();
	owner->pid = (__u32)BPF_CORE_READ(task, tgid);
	BPF_CORE_READ_INTO(&owner->comm, task, group_leader, comm);
}

#endif
