/* SPDX-License-Identifier: GPL-2.0-only */
/* events.h - records out of the kernel, its counters, and the flows that are overdue. */
#ifndef ALPNSCOPE_EVENTS_H
#define ALPNSCOPE_EVENTS_H

#include <stdbool.h>
#include <stdint.h>

#include "alpnscope/counters.h"
#include "alpnscope/handshake.h"

struct alpnscope_bpf;
struct events;

/** Takes each record; @hs is valid during the call only. */
typedef void (*events_fn)(void *arg, const struct as_handshake *hs);

/** events_new - read @skel's ring; @skel must outlive it. NULL with errno set. */
struct events *events_new(struct alpnscope_bpf *skel, events_fn fn, void *arg);

void events_free(struct events *events);

/** events_fd - readable when there is something to read. */
int events_fd(const struct events *events);

/** events_read - hand over what is there, at most some thousand records at a time. Returns how
 * many there were, the kernel's word that a flow began among them. */
unsigned int events_read(struct events *events);

/**
 * events_sleep - about to wait: the kernel shall wake us for the next record.
 * events_awake - the wait is over: it need not.
 *
 * While the agent handles what it read the kernel wakes nobody. Between events_sleep() and
 * the wait the ring must be read once more: epoll does not look at it unless it was woken.
 * The kernel, in turn, looks for the sleeper once more after it wrote.
 */
void events_sleep(struct events *events);
void events_awake(struct events *events);

/** events_stirred - events_expire() will be called within EVENTS_TICK_MS: until then the kernel need
 * not say that a flow began. */
void events_stirred(struct events *events);

/**
 * events_expire - end handshakes that waited too long; call it EVENTS_TICK_MS apart while
 * it returns more than 0, and again when events_read() found something.
 * Returns how many are in progress. At 0 the kernel wakes us for the next one.
 */
uint32_t events_expire(struct events *events);

#define EVENTS_TICK_MS 250

/** events_end - nothing more will be seen: end the handshakes that were answered. */
void events_end(struct events *events);

/** events_in_flight - handshakes in progress, by walking the table. */
uint32_t events_in_flight(struct events *events);

/** events_reassembly - split hellos that are being put together, by looking at all places;
 * those that waited too long are given up. */
uint32_t events_reassembly(struct events *events);

/** events_counters - AS_COUNTER_COUNT sums over all CPUs, by enum as_counter. */
void events_counters(const struct events *events, uint64_t *counter);

#endif
