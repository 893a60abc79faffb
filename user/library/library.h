/* SPDX-License-Identifier: GPL-2.0-only */
/* library.h - asks the TLS libraries of this host's processes what was chosen (--library): puts
 * together who is asked (library_follow.h), by what (library_attach.h) and what came of it
 * (answers.h). docs/TLS13.md has what it can see and what it costs. */
#ifndef ALPNSCOPE_LIBRARY_H
#define ALPNSCOPE_LIBRARY_H

#include "answers.h"
#include "library_follow.h"
#include "loop.h"

/**
 * struct library_stats - now and so far.
 * @answers: that reached us, by kind of library; one handshake may bring several
 * @lost: by enum as_library_lost
 */
struct library_stats {
	struct follow_count files;
	uint64_t answers[LIBRARY_KINDS];
	uint64_t lost[AS_LIBRARY_LOST_COUNT];
	struct answers_count handshakes;
};

struct library;

/**
 * library_new - load, attach to all that runs, and go on to do so by timers of @loop.
 * Returns NULL with one line in @error (@size bytes): what is refused, why, what to do.
 */
struct library *library_new(struct loop *loop, char *error, size_t size);

/** library_free - detach from everything; NULL is fine. Before the loop's own end. */
void library_free(struct library *l);

/** library_answers - what was told; as long as @l. */
struct answers *library_answers(struct library *l);

/** library_update - take what was told by now into library_answers(); @library: a struct library. */
void library_update(void *library);

/** library_stats - fill @s. */
void library_stats(struct library *l, struct library_stats *s);

#endif
