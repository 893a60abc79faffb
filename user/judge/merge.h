/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * merge.h - one handshake that was seen under several tuples (NAT, tunnels) is one record.
 *
 * docs/DESIGN.md, "One handshake seen in several places", has the rules and why they
 * cannot be used to hide another's handshake.
 */
#ifndef ALPNSCOPE_MERGE_H
#define ALPNSCOPE_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "ends.h"

#define MERGE_HOLD_NS 50000000ULL /* a record waits 50 ms for copies that know more */
#define MERGE_WINDOW_NS 1000000000ULL /* copies are seen within a second of each other */
#define MERGE_HELD_MAX 4096 /* records that wait; beyond, the oldest waits no longer */
#define MERGE_KNOWN_MAX 8192 /* handshakes that a late copy is known by, held ones included */
#define MERGE_SAME_MAX 4 /* handshakes with the same randoms that are told apart */

struct merge;

/**
 * struct merged - what became of all copies of a handshake.
 * @client_moved, @server_moved: the copies differ in that end's address, so that an
 *          address of this host does not show whose end it is
 * @dialled: the ends of the copy whose ClientHello was seen first: before translation
 * @reached: of the one whose ClientHello was seen last. The ServerHello of an orphan comes
 *          the other way: of it these two say nothing.
 * @hs: the copy with the server's own socket, else the one whose ClientHello was seen
 *      first; its times, interface and owners are the best of all copies. Only its first hs.size
 *      bytes are there (merged_copy)
 */
struct merged {
	bool client_moved, server_moved;
	struct ends dialled, reached;
	struct as_handshake hs;
};

/** merged_copy - copy as much of @m as there is. */
void merged_copy(struct merged *to, const struct merged *m);

/** Takes each handshake once; @m is valid during the call only. */
typedef void (*merge_fn)(void *arg, const struct merged *m);

/** merge_new - nothing held, nothing known; NULL when out of memory. */
struct merge *merge_new(merge_fn fn, void *arg);

/** merge_free - forget everything; what is still held is lost (merge_flush). NULL is fine. */
void merge_free(struct merge *m);

/**
 * merge_add - take a record: hold it, join it to the one that it is a copy of, or drop it as
 * a copy of one that was handed over already.
 * @hs: @hs->size bytes of it are read
 * @now: ns, on any clock that merge_release() gets too
 *
 * One that finds no place or memory is handed over at once.
 */
void merge_add(struct merge *m, const struct as_handshake *hs, uint64_t now);

/**
 * merge_release - hand over what was held for MERGE_HOLD_NS at @now.
 * Returns the ns (at least 1) until the next one is due, 0 when nothing is held.
 */
uint64_t merge_release(struct merge *m, uint64_t now);

/** merge_flush - hand over all that is held. */
void merge_flush(struct merge *m);

/** merge_held - records that wait now. */
uint64_t merge_held(const struct merge *m);

/** merge_merged - records, so far, that were a copy of another. */
uint64_t merge_merged(const struct merge *m);

#endif
