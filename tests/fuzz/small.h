/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * small.h - check.h with an engine of small tables: a new one for each input is cheap, and
 * a few frames fill them. It looks at every frame, those that are turned away included.
 */
#ifndef TESTS_FUZZ_SMALL_H
#define TESTS_FUZZ_SMALL_H

#include "check.h"

#undef AS_GATES
#define AS_GATES 64
#undef AS_SLOTS_DEFAULT
#define AS_SLOTS_DEFAULT 8

void native_frame_alone(struct native *n, const struct native_frame *frame);
#define native_frame(n, frame) native_frame_alone(n, frame)
#include "../../user/capture/native.c"
#undef native_frame

/* A block tells of what is behind its gates. */
static void check_blocks(const struct native *n)
{
	for (uint32_t i = 0; i < AS_BLOCKS; i++) {
		int busy = 0, marks[AS_BLOCK] = {0};

		for (uint32_t j = 0; j < AS_BLOCK; j++) {
			const struct as_gate *g = &n->gates[i * AS_BLOCK + j];

			busy += g->count + g->slots;
			marks[j / AS_BLOCK_PART] |= !!g->mark;
		}
		CHECK(n->blocks[i].busy == busy);
		for (uint32_t j = 0; j < AS_BLOCK / AS_BLOCK_PART; j++)
			CHECK(!n->blocks[i].marked[j] == !marks[j]);
	}
}

/* What gate.h turns away must be nothing to the rest of the engine. */
void native_frame(struct native *n, const struct native_frame *frame)
{
	uint64_t counters[AS_COUNTER_COUNT];
	struct as_gate gates[AS_GATES];

	begin(n, frame);
	if (is_idle(n)) {
		memcpy(counters, n->counters, sizeof(counters));
		memcpy(gates, n->gates, sizeof(gates));
		look_closer(n);
		CHECK(!memcmp(counters, n->counters, sizeof(counters)));
		CHECK(!memcmp(gates, n->gates, sizeof(gates)));
	}
	native_frame_alone(n, frame);
	check_blocks(n);
}

#define SMALL_FLOWS 16

#endif
