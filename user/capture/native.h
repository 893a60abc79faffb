/* SPDX-License-Identifier: GPL-2.0-only */
/* native.h - the engine as ordinary C: `read`, unit tests and fuzzers run on it. */
#ifndef ALPNSCOPE_NATIVE_H
#define ALPNSCOPE_NATIVE_H

#include <stddef.h>
#include <stdint.h>

#include "alpnscope/counters.h"
#include "alpnscope/flow.h"

struct native;

/** Takes each record; @hs is valid during the call only. */
typedef void (*native_fn)(void *arg, const struct as_handshake *hs);

/**
 * struct native_frame - one frame.
 * @bytes: @caplen bytes that were captured, all readable, none beyond
 * @ethertype: 0 when @bytes begin with an Ethernet header, else the protocol (host
 *             byte order) whose header stands at @offset
 * @ns: time of the frame; it must not go back by more than captures do (a frame
 *      earlier than the last counts as of the last's time)
 * @ifindex: for the record
 */
struct native_frame {
	const uint8_t *bytes;
	uint32_t caplen;
	uint16_t ethertype;
	uint32_t offset;
	uint64_t ns;
	uint32_t ifindex;
};

/**
 * native_new - an engine without handshakes.
 * @flows: the most handshakes in progress
 * Returns NULL when out of memory.
 */
struct native *native_new(uint32_t flows, native_fn fn, void *arg);

void native_free(struct native *n);

/** native_frame - take one frame. */
void native_frame(struct native *n, const struct native_frame *frame);

/** native_end - the capture ended: close what is open, as AS_END_EOF. */
void native_end(struct native *n);

/** native_counters - AS_COUNTER_COUNT values, by enum as_counter. */
const uint64_t *native_counters(const struct native *n);

/** native_hash - the place of a tuple, for tests: as_tuple_hash(). */
uint32_t native_hash(const struct as_tuple *key, const uint64_t with[AS_SEEDS]);

/** native_in_flight - handshakes in progress. */
uint32_t native_in_flight(const struct native *n);

#endif
