/* SPDX-License-Identifier: GPL-2.0-only */
/* maps.bpf.h - what the programs share with each other and with the agent. */
#ifndef ALPNSCOPE_MAPS_BPF_H
#define ALPNSCOPE_MAPS_BPF_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "alpnscope/counters.h"
#include "alpnscope/engine.h"

/* Records for the agent. Sizes of events and flows may be set by it before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} events SEC(".maps");

/* HASH, never LRU: an eviction could not be counted. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, AS_FLOWS_DEFAULT);
	__type(key, struct as_tuple);
	__type(value, struct as_flow);
} flows SEC(".maps");

/* Hellos that are being put together. The agent may set their number before loading. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, AS_SLOTS_DEFAULT);
	__type(key, __u32);
	__type(value, struct as_slot);
} slots SEC(".maps");

/* One a hook: ingress and egress can nest on one CPU. By size, not type: with BTF the
 * kernel would refuse the lock inside. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, AS_HOOKS);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct as_scratch));
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, AS_COUNTER_COUNT);
	__type(key, __u32);
	__type(value, __u64);
} counters SEC(".maps");

/* Set by the agent before loading. */
const volatile __u64 seed[AS_SEEDS] = {};
const volatile __u32 slot_mask = AS_SLOTS_DEFAULT - 1; /* slots, a power of two, less 1 */
/* A load for BPF_PROG_TEST_RUN: the clock is test_now, and no sender is looked up (the
 * kernel's test packet has a socket of its own). */
const volatile _Bool testing = 0;

/* Written by the agent while it runs.
 * asleep: wake it for a record; idle: wake it also for a new flow, which may expire;
 * pressed: more than half of the flows are in use. */
volatile __u32 asleep = 0;
volatile __u32 idle = 0;
volatile __u32 pressed = 0;
volatile __u64 test_now = 0;

/* One struct as_gate after another, and one struct as_block; variables, for they are read without a
 * look-up. (The skeleton would define those types once more.) */
#ifdef AS_XDP /* of a weak one, too, the linker would keep the room */
#define AS_SHARED extern
#else
#define AS_SHARED
#endif
AS_SHARED __u64 gates[AS_GATES * sizeof(struct as_gate) / sizeof(__u64)]
	__attribute__((aligned(128))); /* those that share a byte: two lines */
AS_SHARED __u64 blocks[AS_BLOCKS * sizeof(struct as_block) / sizeof(__u64)];

#endif
