/* SPDX-License-Identifier: GPL-2.0-only */
/* library_follow.h - which files with a TLS library in them are asked: those that processes
 * have mapped, each once, whatever its mount namespace. */
#ifndef ALPNSCOPE_LIBRARY_FOLLOW_H
#define ALPNSCOPE_LIBRARY_FOLLOW_H

#include <stdint.h>
#include <sys/types.h>

#include "library_attach.h"

/**
 * struct follow_count - @attached: files now, by kind; @full, @failed: files, so far, that are
 * not asked, AS_LIBRARY_FILES others being so or attaching having failed (it was said).
 */
struct follow_count {
	unsigned int attached[LIBRARY_KINDS];
	uint64_t full, failed;
};

struct follow;

/**
 * follow_new - nothing attached yet.
 * @attached: called before a file is asked, with its number; may be NULL
 * Returns NULL when out of memory.
 */
struct follow *follow_new(struct library_programs *programs,
			  void (*attached)(void *arg, unsigned int number), void *arg);

/** follow_free - detach from all. NULL is fine. */
void follow_free(struct follow *f);

/**
 * follow_all - look at all processes: attach to new files, detach from those that nobody has
 * mapped. A file of the agent's own mount namespace stays while it is where it was: it costs
 * nothing while unused, and the next program may be a short one.
 */
void follow_all(struct follow *f);

/** follow_process - attach to what is new in this process; one that has ended is fine. */
void follow_process(struct follow *f, pid_t pid);

/** follow_kind - of the file with this number; LIBRARY_NONE when it is gone. */
enum library_kind follow_kind(const struct follow *f, unsigned int number);

/** follow_count - valid until the next call of any function here. */
const struct follow_count *follow_count(const struct follow *f);

/** library_name - "openssl", "gnutls", "go"; "none". */
const char *library_name(enum library_kind kind);

#endif
