/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * learn.h - what one handshake tells of another one of the same server, where the lengths of its
 * TLS 1.3 flight alone do not say enough (docs/TLS13.md).
 */
#ifndef ALPNSCOPE_LEARN_H
#define ALPNSCOPE_LEARN_H

#include "verdict.h"

struct learn_book;
struct learn_server;

/**
 * learn_new - an empty book. A server is an address, a port and a server name.
 * @limit: the most servers that are remembered; then the one that was not met for longest makes
 *         way, so that invented names cost no more than what was learned
 * Returns NULL when out of memory, or when the kernel gives no random bytes.
 */
struct learn_book *learn_new(size_t limit);

/** learn_free - forget everything; NULL is fine. */
void learn_free(struct learn_book *book);

/**
 * struct learn_ticket - a handshake that stays undetermined, to ask again about.
 * @server: NULL when there is nothing to ask; valid until learn_on_loss() tells of it
 * @at: the flight's place among the server's
 */
struct learn_ticket {
	struct learn_server *server;
	uint32_t at;
};

/**
 * learn_verdict - decide by what is known of the server of @hs, then learn from it.
 * @v: by verdict_outcome(); changed where the book knows an answer (GRADE_LEARNED), or contradicts
 *     the one that @v has by another grade than exact (it is then `undetermined`). By
 *     verdict_library(): its answer stays and is learned from, and @v->inferred becomes what would
 *     have been concluded without it
 *
 * Two ways: the same offer was answered exact, listed or, twice, otherwise; or, of all that the
 * server may have answered, one agrees with the lengths of its other flights (line.h). A length
 * that nothing explains means another certificate: all that is known of the server's flights is
 * forgotten. Without memory nothing is learned.
 *
 * Returns a ticket if @v is undetermined and later handshakes may tell.
 */
struct learn_ticket learn_verdict(struct learn_book *book, const struct as_handshake *hs,
				  struct verdict *v);

/**
 * learn_again - decide with what was learned since.
 * @ticket: by learn_verdict() of the same @hs, its server not lost since
 * @v: as that left it; changed if an answer is known now
 */
void learn_again(const struct learn_ticket *ticket, const struct as_handshake *hs,
		 struct verdict *v);

/** Told before what is known of @server goes: its tickets are to be asked about now or never. */
typedef void (*learn_loss_fn)(void *arg, const struct learn_server *server);

/** learn_on_loss - have @fn called; it must not call learn_verdict(). */
void learn_on_loss(struct learn_book *book, learn_loss_fn fn, void *arg);

/** learn_servers - how many servers are remembered now. */
size_t learn_servers(const struct learn_book *book);

/** learn_evicted - how many made way for others so far. */
uint64_t learn_evicted(const struct learn_book *book);

#endif
