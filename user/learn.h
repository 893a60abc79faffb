/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * learn.h - what one handshake tells of another one of the same server, where the server sends
 * its whole TLS 1.3 flight in one record and its length alone says nothing (docs/TLS13.md).
 */
#ifndef ALPNSCOPE_LEARN_H
#define ALPNSCOPE_LEARN_H

#include "verdict.h"

struct learn_book;

/**
 * learn_new - an empty book. A server is an address, a port and a server name.
 * @limit: the most servers that are remembered; then the one that was not met for longest makes
 *         way, so that invented names cost no more than what was learned
 * Returns NULL when out of memory.
 */
struct learn_book *learn_new(size_t limit);

/** learn_free - forget everything; NULL is fine. */
void learn_free(struct learn_book *book);

/**
 * learn_verdict - decide by what is known of the server of @hs, then learn from it.
 * @v: by verdict_outcome(), or verdict_library(), whose answer stays, and is learned from: what
 *     the book would have said is told in @v->inferred. Else changed where the book knows an answer (GRADE_LEARNED) or contradicts
 *     the one that @v has (it is then `undetermined`)
 *
 * Two ways: a resumed handshake with the same offer was decided by its length (exact or listed);
 * or, of all that the server may have answered, one agrees with the lengths of its other flights
 * (to clients that offered nothing, something else, or spoke HTTP/2), and at least two of them
 * speak against each other one. A length that nothing explains, or another one for the same offer,
 * means another certificate: all that is known of the server is forgotten. Without memory nothing
 * is learned.
 */
void learn_verdict(struct learn_book *book, const struct as_handshake *hs, struct verdict *v);

#endif
