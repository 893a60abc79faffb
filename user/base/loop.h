/* SPDX-License-Identifier: GPL-2.0-only */
/* loop.h - one thread, one epoll: what the agent waits for, and who handles it. */
#ifndef ALPNSCOPE_LOOP_H
#define ALPNSCOPE_LOOP_H

#include <stdint.h>

struct loop;

/** A handler of readiness: @events are EPOLLIN, EPOLLOUT, EPOLLHUP... */
typedef void (*loop_fn)(void *arg, uint32_t events);

/** loop_new - an empty loop, or NULL with errno set. */
struct loop *loop_new(void);

/** loop_free - close the loop; fds given to it stay open, its own timers end. */
void loop_free(struct loop *loop);

/**
 * loop_add - call @fn(@arg, events) whenever @fd is ready for @events.
 * Returns 0 or -errno.
 */
int loop_add(struct loop *loop, int fd, uint32_t events, loop_fn fn, void *arg);

/** loop_change - wait for other @events of an fd that was added. 0 or -errno. */
int loop_change(struct loop *loop, int fd, uint32_t events);

/** loop_remove - no longer wait for @fd; safe inside any handler. */
void loop_remove(struct loop *loop, int fd);

/**
 * loop_timer - call @fn(@arg, 0) every @interval_ms from now on.
 * Returns the timer's number (for loop_timer_set) or -errno.
 */
int loop_timer(struct loop *loop, uint64_t interval_ms, loop_fn fn, void *arg);

/** loop_timer_set - change a timer's interval; 0 stops it until set again. */
int loop_timer_set(struct loop *loop, int timer, uint64_t interval_ms);

/**
 * loop_once - wait until something is ready and call its handlers.
 * @timeout_ms: -1 waits for ever
 * Returns the number of handlers called or -errno (-EINTR is 0).
 */
int loop_once(struct loop *loop, int timeout_ms);

#endif
