/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * port.h - the BPF/native switch.
 *
 * The engine (packet.h to engine.h) is written once. Whoever includes engine.h is a
 * target (bpf/tc.bpf.h, bpf/xdp.bpf.h or user/capture/native.c) and defines these; `env` is the
 * target's own business (the skb or XDP buffer for BPF, the engine for native):
 *
 *   void as_frame(AS_ENV *env, struct as_frame *)  the frame at hand
 *   int as_load(AS_ENV *env, __u32 off, void *dst, __u32 len)
 *       copy len (> 0) bytes at frame offset off; 0, or negative if not all there
 *   __u64 as_time(AS_ENV *env)                     ns, one clock for all records
 *   __u32 as_ifindex(AS_ENV *env)                  where the frame was seen
 *   const __u64 *as_seed(AS_ENV *env)              AS_SEEDS secrets of the tuple hash
 *   void  as_count(AS_ENV *env, __u32 counter)     add 1, see counters.h
 *   struct as_gate *as_gate(AS_ENV *env, __u32 hash)  any hash: it is cut to fit, never NULL
 *   struct as_block *as_block(AS_ENV *env, __u32 hash)  the block of that gate
 *   struct as_scratch *as_scratch(AS_ENV *env, __u32 hook)
 *   struct as_slot *as_slot(AS_ENV *env, __u32 number)  any number: it is cut to fit
 *   void as_move(void *dst, const void *src, __u32 len)  1..256 bytes of engine memory
 *   void as_room(struct as_bytes *b, __u32 len)    at[0..len-1] is in use, no more
 *   void as_redue(AS_ENV *env, struct as_flow *)   it is due AS_RECORDS_NS from now
 *   int as_pressed(AS_ENV *env)                    more than half of the table is in use
 *   void as_stir(AS_ENV *env)                      something began that may expire
 *   struct as_flow *as_flow_find(AS_ENV *env, const struct as_tuple *key)
 *   int as_flow_add(AS_ENV *env, const struct as_tuple *key, const struct as_flow *)
 *       0, -AS_EEXIST, -AS_E2BIG when the table is full, or another negative value
 *   void as_flow_del(AS_ENV *env, const struct as_tuple *key)
 *   as_lock(AS_LOCK *), as_unlock(AS_LOCK *)
 *       no helper and no call in between (Linux 5.10 verifier)
 *   int as_emit(AS_ENV *env, const struct as_handshake *, __u32 size)
 *       hand a record to the agent; negative when there is no room
 *   void as_owner(AS_ENV *env, struct as_owner *)  who sends this frame, if known
 */
#ifndef ALPNSCOPE_PORT_H
#define ALPNSCOPE_PORT_H

#include <linux/types.h>

#ifdef __bpf__
#include <linux/bpf.h>
#define AS_LOCK struct bpf_spin_lock /* BTF: a typedef would hide it from the kernel */
#ifdef AS_XDP
#define AS_ENV struct xdp_md
#else
#define AS_ENV struct __sk_buff
#endif
/* A stage of the engine is a global function: the verifier walks it once, for any
 * arguments, and not once for each path that leads to it. Up to Linux 5.10 such a
 * function takes the context and numbers only. Weak, or clang passes nothing for an argument
 * that it sees unused, which the verifier refuses. */
#define AS_STAGE __attribute__((noinline, weak))
/* Everything is inlined: before Linux 6.x a global function takes no pointer. */
#define AS_INLINE static inline __attribute__((always_inline, unused))
/* Keeps the compiler from moving a bounds check away from its use. */
#define as_barrier(x) __asm__ volatile("" : "+r"(x))
#else
#define AS_ENV void
#define AS_STAGE static __attribute__((unused))
#define AS_LOCK __u32 /* as large as struct bpf_spin_lock: the layouts are one */
#define AS_INLINE static inline __attribute__((unused))
#define as_barrier(x) ((void)0)
#endif

/* Read or write a field of scratch memory afresh. The verifier does not follow the values
 * of map memory: a number that went through it carries no history, so the states of a
 * loop's rounds and exits are equal and are walked once, not once a path. */
#define AS_FRESH(field) (*(volatile __typeof__(field) *)&(field))

/* What a target's as_flow_add() returns (negated), by <asm-generic/errno-base.h>. */
#define AS_E2BIG 7
#define AS_EEXIST 17

#define AS_ASSERT(cond, why) _Static_assert(cond, why)

#define AS_MEMCPY(d, s, n) __builtin_memcpy(d, s, n)
#define AS_MEMSET(d, c, n) __builtin_memset(d, c, n)

/* Words as they stand in memory, in network order, at any alignment. BPF programs may read so
 * where the machine can; clang would read packets byte by byte. */
#ifdef __bpf__
#define AS_RAW16(p) (*(const __u16 *)(p))
#define AS_RAW32(p) (*(const __u32 *)(p))
#define AS_RAW64(p) (*(const __u64 *)(p))
#else
#define AS_RAW(type, p)                                                                            \
	({                                                                                         \
		type raw;                                                                          \
		__builtin_memcpy(&raw, p, sizeof(raw));                                            \
		raw;                                                                               \
	})
#define AS_RAW16(p) AS_RAW(__u16, p)
#define AS_RAW32(p) AS_RAW(__u32, p)
#define AS_RAW64(p) AS_RAW(__u64, p)
#endif

/* Copy @n bytes of engine memory, a constant and divisible by 8, at any alignment. */
AS_INLINE void as_copy(__u8 *to, const __u8 *from, __u32 n)
{
#ifdef __bpf__
	for (__u32 i = 0; i < n / 8; i++)
		((__u64 *)to)[i] = ((const __u64 *)from)[i];
#else
	AS_MEMCPY(to, from, n);
#endif
}

/* A 16-bit number in network order. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define AS_NET16(n) ((__u16)__builtin_bswap16((__u16)(n)))
#else
#define AS_NET16(n) ((__u16)(n))
#endif

/** as_add - add to a counter that several CPUs change (no result: Linux 5.10). */
AS_INLINE void as_add(__s32 *counter, __s32 n)
{
	__sync_fetch_and_add(counter, n);
}

/** as_be16 - two bytes in network order at @p, any alignment, as a host number. */
AS_INLINE __u16 as_be16(const __u8 *p)
{
	return (__u16)(p[0] << 8 | p[1]);
}

/** as_be24 - three bytes in network order at @p as a host number. */
AS_INLINE __u32 as_be24(const __u8 *p)
{
	return (__u32)p[0] << 16 | (__u32)p[1] << 8 | p[2];
}

/** as_be32 - four bytes in network order at @p, any alignment, as a host number. */
AS_INLINE __u32 as_be32(const __u8 *p)
{
	return (__u32)p[0] << 24 | (__u32)p[1] << 16 | (__u32)p[2] << 8 | p[3];
}

/** as_min - the smaller of two unsigned numbers. */
AS_INLINE __u32 as_min(__u32 a, __u32 b)
{
	return a < b ? a : b;
}

#endif
