// SPDX-License-Identifier: GPL-2.0-only
/* native.c - port.h's functions over ordinary memory; `env` is the engine. */
#include "native.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "alpnscope/engine.h"

static const __u64 seed[AS_SEEDS] = AS_PLAIN_SEEDS; /* nobody can aim at a capture's table */

/* The tuple's own hash, and short chains: each step along one is a miss in the caches. */
static uint32_t place_of(const void *key)
{
	return as_tuple_hash(key, seed);
}

#define HASH_FUNCTION(key, len, hash) ((hash) = place_of(key))
#define HASH_BKT_CAPACITY_THRESH 2
#include <uthash.h>
#include <utlist.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#define ASAN_UNPOISON_MEMORY_REGION(p, n) ((void)(p), (void)(n))
#endif

#define SWEEP_NS 250000000 /* the agent looks as often */

/* An entry is in one of two lists, each in the order in which its entries are due. */
struct entry {
	struct as_flow flow;
	struct entry *prev, *next;
	bool answered;
	UT_hash_handle hh;
};

struct native {
	native_fn fn;
	void *arg;
	const struct native_frame *frame;
	uint64_t now;
	uint32_t limit;
	struct entry *flows;
	struct entry *found; /* the last that was looked up, or NULL */
	struct entry *waiting, *answered;
	uint64_t counters[AS_COUNTER_COUNT];
	struct as_gate gates[AS_GATES];
	struct as_block blocks[AS_BLOCKS];
	struct as_scratch scratch;
	uint64_t swept; /* when the slots were last looked through */
	bool stirred; /* one may be taken */
	struct as_slot slots[AS_SLOTS_DEFAULT];
};

AS_INLINE void as_frame(AS_ENV *env, struct as_frame *frame)
{
	const struct native_frame *f = ((struct native *)env)->frame;

	*frame = (struct as_frame){
		.env = env, .data = f->bytes, .data_end = f->bytes + f->caplen, .len = f->caplen};
}

AS_INLINE int as_load(AS_ENV *env, __u32 off, void *dst, __u32 len)
{
	struct native *n = env;
	const struct native_frame *f = n->frame;

	if (f->caplen < len || off > f->caplen - len)
		return -1;
	memcpy(dst, f->bytes + off, len);
	return 0;
}

AS_INLINE __u64 as_time(AS_ENV *env)
{
	return ((struct native *)env)->now;
}

AS_INLINE __u32 as_ifindex(AS_ENV *env)
{
	return ((struct native *)env)->frame->ifindex;
}

AS_INLINE const __u64 *as_seed(AS_ENV *env)
{
	(void)env;
	return seed;
}

AS_INLINE void as_count(AS_ENV *env, __u32 counter)
{
	((struct native *)env)->counters[counter]++;
}

AS_INLINE struct as_gate *as_gate(AS_ENV *env, __u32 hash)
{
	return &((struct native *)env)->gates[hash & (AS_GATES - 1)];
}

AS_INLINE struct as_block *as_block(AS_ENV *env, __u32 hash)
{
	return &((struct native *)env)->blocks[hash / AS_BLOCK % AS_BLOCKS];
}

AS_INLINE struct as_slot *as_slot(AS_ENV *env, __u32 number)
{
	return &((struct native *)env)->slots[number & (AS_SLOTS_DEFAULT - 1)];
}

AS_INLINE void as_move(void *dst, const void *src, __u32 len)
{
	memcpy(dst, src, len);
}

/* What lies behind the message in scratch memory is not the message. */
AS_INLINE void as_room(struct as_bytes *b, __u32 len)
{
	ASAN_UNPOISON_MEMORY_REGION(b->at, sizeof(b->at));
	ASAN_POISON_MEMORY_REGION(b->at + len, sizeof(b->at) - len);
	(void)b;
	(void)len;
}

AS_INLINE void as_stir(AS_ENV *env)
{
	((struct native *)env)->stirred = true; /* the next frame's time tells */
}

AS_INLINE struct as_scratch *as_scratch(AS_ENV *env, __u32 hook)
{
	(void)hook;
	return &((struct native *)env)->scratch;
}

AS_INLINE struct as_flow *as_flow_find(AS_ENV *env, const struct as_tuple *key)
{
	struct native *n = env;
	struct entry *e = n->found;

	if (e && as_tuple_equal(&e->flow.key, key))
		return &e->flow;
	HASH_FIND(hh, n->flows, key, sizeof(*key), e);
	n->found = e;
	return e ? &e->flow : NULL;
}

AS_INLINE int as_flow_add(AS_ENV *env, const struct as_tuple *key, const struct as_flow *flow)
{
	struct native *n = env;
	struct entry *e;

	if (as_flow_find(env, key))
		return -AS_EEXIST;
	if (HASH_COUNT(n->flows) >= n->limit)
		return -AS_E2BIG;
	e = calloc(1, sizeof(*e));
	if (!e)
		return -AS_E2BIG;
	e->flow = *flow;
	HASH_ADD(hh, n->flows, flow.key, sizeof(e->flow.key), e);
	DL_APPEND(n->waiting, e);
	n->found = e;
	return 0;
}

static void forget(struct native *n, struct entry *e)
{
	if (n->found == e)
		n->found = NULL;
	if (e->answered)
		DL_DELETE(n->answered, e);
	else
		DL_DELETE(n->waiting, e);
	HASH_DEL(n->flows, e);
	free(e);
}

AS_INLINE void as_redue(AS_ENV *env, struct as_flow *f)
{
	struct native *n = env;
	struct entry *e = (struct entry *)f; /* its first member */

	DL_DELETE(n->waiting, e);
	DL_APPEND(n->answered, e);
	e->answered = true;
}

AS_INLINE int as_pressed(AS_ENV *env)
{
	const struct native *n = env;

	return HASH_COUNT(n->flows) > n->limit / 2;
}

AS_INLINE void as_flow_del(AS_ENV *env, const struct as_tuple *key)
{
	struct entry *e = (struct entry *)as_flow_find(env, key); /* its first member */

	if (e)
		forget(env, e);
}

AS_INLINE void as_lock(AS_LOCK *lock)
{
	(void)lock; /* one thread */
}

AS_INLINE void as_unlock(AS_LOCK *lock)
{
	(void)lock;
}

AS_INLINE int as_emit(AS_ENV *env, const struct as_handshake *hs, __u32 size)
{
	struct native *n = env;

	(void)size;
	n->fn(n->arg, hs);
	return 0;
}

AS_INLINE void as_owner(AS_ENV *env, struct as_owner *owner)
{
	(void)env; /* a capture does not tell */
	(void)owner;
}

struct native *native_new(uint32_t flows, native_fn fn, void *arg)
{
	struct native *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->limit = flows;
	n->fn = fn;
	n->arg = arg;
	return n;
}

void native_free(struct native *n)
{
	struct entry *e, *next;

	if (!n)
		return;
	HASH_ITER (hh, n->flows, e, next)
		forget(n, e);
	ASAN_UNPOISON_MEMORY_REGION(n->scratch.bytes.at, sizeof(n->scratch.bytes.at));
	free(n);
}

static bool is_due(const struct native *n, const struct entry *first)
{
	return first && first->flow.due <= n->now;
}

static void expire_list(struct native *n, struct entry *const *list, bool all, uint32_t end)
{
	while (*list && (all || is_due(n, *list))) {
		struct as_due due = {
			.key = (*list)->flow.key, .due = (*list)->flow.due, .end = end};

		as_expire(n, &due);
	}
}

/* End the flows that are due by now, or all of them. */
static void expire(struct native *n, bool all, uint32_t end)
{
	expire_list(n, &n->answered, all, end);
	expire_list(n, &n->waiting, all, end);
	if (!all && n->now - n->swept < SWEEP_NS)
		return;
	n->swept = n->now;
	if (!n->stirred)
		return;
	n->stirred = false;
	for (__u32 i = 0; i < AS_SLOTS_DEFAULT; i++)
		n->stirred |= as_sweep(n, i, all ? AS_SWEEP_ALL : AS_SWEEP_DUE);
}

/* It is this frame's turn. */
static void begin(struct native *n, const struct native_frame *frame)
{
	n->frame = frame;
	if (frame->ns > n->now)
		n->now = frame->ns;
	if (is_due(n, n->answered) || is_due(n, n->waiting) || n->now - n->swept >= SWEEP_NS)
		expire(n, false, AS_END_TIMEOUT);
}

static bool is_idle(struct native *n)
{
	const struct native_frame *f = n->frame;
	struct as_frame fr;

	as_frame(n, &fr);
	return f->ethertype ? as_is_idle(n, &fr, f->offset, AS_NET16(f->ethertype))
			    : as_is_idle_ethernet(n, &fr);
}

static void look_closer(struct native *n)
{
	const struct native_frame *f = n->frame;
	struct as_scratch *s = &n->scratch;
	struct as_frame fr;
	int parsed;

	as_frame(n, &fr);
	memset(&s->pkt, 0, sizeof(s->pkt));
	parsed = f->ethertype ? as_parse(&fr, f->offset, f->ethertype, &s->pkt)
			      : as_parse_ethernet(&fr, &s->pkt);
	as_on_frame(n, &fr, s, parsed, AS_INGRESS);
}

void native_frame(struct native *n, const struct native_frame *frame)
{
	begin(n, frame);
	if (!is_idle(n))
		look_closer(n);
}

void native_end(struct native *n)
{
	expire(n, true, AS_END_EOF);
}

const uint64_t *native_counters(const struct native *n)
{
	return n->counters;
}

uint32_t native_in_flight(const struct native *n)
{
	return HASH_COUNT(n->flows);
}

uint32_t native_hash(const struct as_tuple *key, const uint64_t with[AS_SEEDS])
{
	return as_tuple_hash(key, (const __u64 *)with);
}
