/* SPDX-License-Identifier: GPL-2.0-only */
/* library_attach.h - the BPF programs that ask TLS libraries: loaded, attached to one file after
 * another, their ring read. Which files is not decided here (library.h). */
#ifndef ALPNSCOPE_LIBRARY_ATTACH_H
#define ALPNSCOPE_LIBRARY_ATTACH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alpnscope/library.h"
#include "library_look.h"

struct library_programs;

/**
 * struct library_words - who takes what the ring holds; both are called by library_words() only.
 * @answer: @a is valid during the call
 * @exec: process @pid runs another program now
 */
struct library_words {
	void (*answer)(void *arg, const struct as_library_answer *a);
	void (*exec)(void *arg, uint32_t pid);
	void *arg;
};

/**
 * library_load - load the programs, and have new processes told.
 * Needs Linux 5.15 (7adfc6c9b315, bpf_get_attach_cookie), CAP_SYS_ADMIN, CAP_SYS_PTRACE and
 * CAP_DAC_READ_SEARCH: without them no process of others would be found. Returns NULL with one
 * line in @error (@size bytes): what is refused, why, what to do.
 */
struct library_programs *library_load(const struct library_words *words, char *error, size_t size);

/** library_unload - detach from everything, unload; NULL is fine. */
void library_unload(struct library_programs *p);

/**
 * library_attach - ask in every process that has or will have the file mapped.
 * @number: below AS_LIBRARY_FILES, not in use: what its answers say as_library_answer.file is
 * @path: opens the file, now; it is not needed again
 * @look: what library_look() found there
 *
 * Returns 0 or -errno: -ENOENT when nothing in @look can be asked. All or nothing.
 */
int library_attach(struct library_programs *p, unsigned int number, const char *path,
		   const struct library_look *look);

/** library_detach - ask there no longer, soon (links.h): then library_is_free() is true. */
void library_detach(struct library_programs *p, unsigned int number);

/** library_is_free - may the @number be given to a file? */
bool library_is_free(const struct library_programs *p, unsigned int number);

/**
 * library_settle - the file's fields hold what it answers: they are enough from now on, where
 * they can be read at less cost than by the call and its return. Again: nothing happens.
 */
void library_settle(struct library_programs *p, unsigned int number);

/** library_fd - becomes readable when the ring should be read soon. */
int library_fd(const struct library_programs *p);

/** library_looking - @soon: the ring is read soon, new processes need not make library_fd()
 * readable. Read it once more after this was set to false. */
void library_looking(struct library_programs *p, bool soon);

/** library_read - hand over all that the ring holds. */
void library_read(struct library_programs *p);

/** library_lost - answers that did not get here, so far; by enum as_library_lost. */
void library_lost(const struct library_programs *p, uint64_t lost[AS_LIBRARY_LOST_COUNT]);

#endif
