/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * answers.h - what TLS libraries answered, by server random, until the handshake on the wire
 * asks for it. A pure table: docs/TLS13.md says what an answer is worth.
 */
#ifndef ALPNSCOPE_ANSWERS_H
#define ALPNSCOPE_ANSWERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "alpnscope/library.h"

#define ANSWERS_MAX 16384 /* handshakes whose answer, or whose judgement, is remembered */
#define ANSWERS_KEEP_NS 30000000000ULL /* for 30 s */

/** enum answers_unmatched - what became of an answer that no verdict rests on. */
enum answers_unmatched {
	ANSWERS_NO_HANDSHAKE, /* its handshake was not seen on the wire within ANSWERS_KEEP_NS */
	ANSWERS_LATE, /* it came when the handshake had been judged */
	ANSWERS_CONFLICT, /* two answers of one handshake differ: none is believed */
	ANSWERS_UNVERIFIED, /* read from memory, of a file that had not agreed with itself yet */
	ANSWERS_IN_CLEAR, /* the wire said it as well: TLS up to 1.2, or nothing was offered */
	ANSWERS_TOO_EARLY, /* no name, asked for before the server's choice had come, it may be */
	ANSWERS_FULL, /* the table was full: the oldest one made way */
	ANSWERS_UNMATCHED_COUNT
};

/**
 * struct answers_count - each handshake that was answered comes to one of these, or waits. That
 * two answers differ may show when one of them was taken: then it is counted twice.
 * @taken: a verdict had the use of it
 * @waiting: now in the table, not yet asked for
 */
struct answers_count {
	uint64_t taken;
	uint64_t unmatched[ANSWERS_UNMATCHED_COUNT];
	uint64_t waiting;
};

struct answers;

/** answers_new - an empty table for @limit handshakes; NULL when out of memory. */
struct answers *answers_new(size_t limit);

/** answers_free - forget everything; NULL is fine. */
void answers_free(struct answers *t);

/**
 * answers_add - one end said what was chosen; both ends may, and one end several times. A name
 * that follows on none from the same process is no conflict: it was asked too early.
 * @a: from the ring; its random must not be zero (asked before there was a ServerHello) nor
 *     that of a HelloRetryRequest (RFC 8446 section 4.1.3): those are passed over
 */
void answers_add(struct answers *t, const struct as_library_answer *a);

/**
 * answers_take - the handshake with this ServerHello.random is being judged. Once for each.
 * @random: 32 bytes
 * @needed: its choice is not known from the wire
 * @broken_off: the client may not have read EncryptedExtensions: its library knows of no name
 *     then, and "no protocol" tells nothing, unless it was read from that very message
 * @now: ns, CLOCK_MONOTONIC
 * @out: the answer; untouched when there is none
 *
 * Returns true when there is one that may be believed and is @needed. An answer by
 * AS_LIBRARY_FIELD is, only after another one of the same file met the wire and agreed with the
 * fields. One that comes later is counted as late.
 */
bool answers_take(struct answers *t, const uint8_t random[32], bool needed, bool broken_off,
		  uint64_t now, struct as_library_answer *out);

/** answers_expire - forget what is older than ANSWERS_KEEP_NS at @now. */
void answers_expire(struct answers *t, uint64_t now);

/** answers_new_file - the @number (below AS_LIBRARY_FILES) is given to another file now. */
void answers_new_file(struct answers *t, unsigned int number);

/** answers_proven - the next file that has shown that its fields hold what it answers, each told
 * once; AS_LIBRARY_FILES when there is none. */
unsigned int answers_proven(struct answers *t);

/** answers_count - so far. */
struct answers_count answers_count(const struct answers *t);

#endif
