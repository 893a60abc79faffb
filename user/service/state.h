/* SPDX-License-Identifier: GPL-2.0-only */
/* state.h - the directory in which observed expectations outlive the agent. */
#ifndef ALPNSCOPE_STATE_H
#define ALPNSCOPE_STATE_H

#include "loop.h"
#include "service.h"

#define STATE_FILE "observed"
#define STATE_DELAY_MS 1000 /* from a change to the file */
#define STATE_RETRY_MS 60000 /* when it could not be written */

struct state;

/**
 * state_open - take the directory (made, with mode 0750, when it is not there), alone among agents,
 * and add to @book what is kept there.
 *
 * A file that is damaged is kept under another name, and said; what can be read of it is taken.
 * @loop: for writing soon after a change; NULL: only state_save() writes
 * @error: on failure one line that names the path, the cause and the next step
 * Returns NULL on failure; nothing that was kept is lost then.
 */
struct state *state_open(const char *dir, struct service_book *book, struct loop *loop, char *error,
			 size_t error_size);

/** state_note - something may have been learned: it is written soon. Cheap. */
void state_note(struct state *state);

/** state_save - write now what is not written yet, by a temporary file that takes the place of the
 * one before. Returns 0 or -errno; the first of several failures is said. */
int state_save(struct state *state);

/** state_close - save, leave the directory to others; NULL is nothing. */
void state_close(struct state *state);

#endif
