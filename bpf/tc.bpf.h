/* SPDX-License-Identifier: GPL-2.0-only */
/* tc.bpf.h - port.h's functions for TC programs; `env` is the skb. */
#ifndef ALPNSCOPE_TC_BPF_H
#define ALPNSCOPE_TC_BPF_H

#include <bpf/bpf_core_read.h>

#include "target.bpf.h"

/* The few kernel fields that tell who sends a frame, found by CO-RE (BTF). */
typedef struct {
	int owned;
} __attribute__((preserve_access_index)) socket_lock_t;

struct sock {
	socket_lock_t sk_lock;
} __attribute__((preserve_access_index));

struct kernfs_node {
	__u64 id; /* since Linux 5.5 */
} __attribute__((preserve_access_index));

struct cgroup {
	struct kernfs_node *kn;
} __attribute__((preserve_access_index));

struct css_set {
	struct cgroup *dfl_cgrp;
} __attribute__((preserve_access_index));

struct task_struct {
	int tgid;
	struct task_struct *group_leader;
	struct css_set *cgroups;
	char comm[16];
} __attribute__((preserve_access_index));

AS_INLINE void as_span(AS_ENV *env, struct as_frame *frame)
{
	frame->data = (const __u8 *)(long)env->data;
	frame->data_end = (const __u8 *)(long)env->data_end;
}

AS_INLINE void as_frame(AS_ENV *env, struct as_frame *frame)
{
	frame->env = env;
	as_span(env, frame);
	frame->len = env->len;
}

AS_INLINE int as_load(AS_ENV *env, __u32 off, void *dst, __u32 len)
{
	return (int)bpf_skb_load_bytes(env, off, dst, len);
}

AS_INLINE __u32 as_ifindex(AS_ENV *env)
{
	return env->ifindex;
}

/*
 * The current task is the sender only while it holds the socket: a softirq transmits for whoever
 * happens to be on the CPU. And only until some device has received the frame: at the far end of a
 * veth it may be another CPU's turn while the holder still holds it. The socket stays known there.
 */
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
	owner->cgroup = bpf_skb_cgroup_id(env);
	if (env->ingress_ifindex || !sk->sk_lock.owned)
		return;
	task = (struct task_struct *)bpf_get_current_task();
	/* A socket that systemd made for a service has systemd's cgroup. */
	owner->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	owner->pid = (__u32)BPF_CORE_READ(task, tgid);
	BPF_CORE_READ_INTO(&owner->comm, task, group_leader, comm);
}

#endif
