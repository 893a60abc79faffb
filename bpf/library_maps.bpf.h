/* SPDX-License-Identifier: GPL-2.0-only */
/* library_maps.bpf.h - maps of the programs that ask TLS libraries, and an answer's way out. */
#ifndef ALPNSCOPE_LIBRARY_MAPS_BPF_H
#define ALPNSCOPE_LIBRARY_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "alpnscope/library.h"

#define RING_SIZE (1 << 20)

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_SIZE);
} answers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, AS_LIBRARY_FILES);
	__type(key, __u32);
	__type(value, struct as_library_file);
} files SEC(".maps");

/* What a thread is asked for: a call of one may be nested in a call of another. */
enum { ASKED = 1, HANDSHAKE = 2 };

struct call_key {
	__u64 id; /* process and thread */
	__u64 what;
};

struct call {
	__u64 object;
	__u64 out[2];
};

/* LRU: a thread that ended in a call leaves its entry. One that is missing is counted. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, AS_LIBRARY_CALLS);
	__type(key, struct call_key);
	__type(value, struct call);
} calls SEC(".maps");

/* Written by the agent: it reads the ring within milliseconds anyway. */
volatile __u32 looking = 0;

/* Read by the agent; by enum as_library_lost. */
__u64 lost[AS_LIBRARY_LOST_COUNT];

AS_INLINE void lose(__u32 reason)
{
	__sync_fetch_and_add(&lost[reason], 1);
}

/* Which of the files that were attached to this is. */
AS_INLINE __u32 number_of(void *ctx)
{
	return (__u32)bpf_get_attach_cookie(ctx) - 1;
}

AS_INLINE struct as_library_file *file_of(void *ctx)
{
	__u32 number = number_of(ctx);

	return bpf_map_lookup_elem(&files, &number);
}

/* Read what is at the end of @path. Negative when it is not known or not readable. */
AS_INLINE int follow(const struct as_library_path *path, __u64 object, void *to, __u32 size)
{
	__u32 count = path->count;

	if (!count)
		return -1;
	for (__u32 i = 0; i < AS_LIBRARY_HOPS; i++) {
		__u64 at = object + (__u64)(__s64)path->offset[i];

		if (i + 1 == count)
			return bpf_probe_read_user(to, size, (void *)at) ? -1 : 0;
		if (bpf_probe_read_user(&object, sizeof(object), (void *)at))
			return -1;
	}
	return -1;
}

AS_INLINE int read_random(struct as_library_answer *a, const struct as_library_file *file,
			  __u64 object)
{
	return follow(&file->random, object, a->random, sizeof(a->random));
}

/* Begin an answer; NULL, and counted, when there is no room. */
AS_INLINE struct as_library_answer *answer(void *ctx, __u8 how)
{
	struct as_library_answer *a = bpf_ringbuf_reserve(&answers, sizeof(*a), 0);

	if (!a) {
		lose(AS_LIBRARY_RING_FULL);
		return 0;
	}
	a->word = AS_LIBRARY_ANSWER;
	a->tgid = (__u32)(bpf_get_current_pid_tgid() >> 32);
	a->time_ns = bpf_ktime_get_ns();
	a->file = (__u16)number_of(ctx);
	a->how = how;
	a->side = AS_LIBRARY_EITHER;
	a->agrees = 0;
	a->name_len = 0;
	a->pad[0] = a->pad[1] = 0;
	return a;
}

/* The agent looks here before it judges a handshake: only a ring that fills up wakes it. */
AS_INLINE int give(struct as_library_answer *a)
{
	__u64 waiting = bpf_ringbuf_query(&answers, BPF_RB_AVAIL_DATA);

	bpf_ringbuf_submit(a, waiting > RING_SIZE / 4 ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
	return 0;
}

AS_INLINE int give_up(struct as_library_answer *a)
{
	bpf_ringbuf_discard(a, BPF_RB_NO_WAKEUP);
	lose(AS_LIBRARY_UNREADABLE);
	return 0;
}

#endif
