/* SPDX-License-Identifier: GPL-2.0-only */
/* explain.h - all that a report knows of one service, for people. */
#ifndef ALPNSCOPE_EXPLAIN_H
#define ALPNSCOPE_EXPLAIN_H

#include "buf.h"
#include "report.h"

/**
 * explain - append what was seen of @s: the verdict, how it is known, whose preference won, who was
 * concerned, what to do, and the commands that show whether it helped. Times are local.
 */
void explain(const struct report_service *s, struct buf *out);

/**
 * explain_order - append whose order of preference decided between h2 and http/1.1, as far as the
 * handshakes prove it; one sentence, no newline.
 *
 * What a client lists first and gets proves nothing: the server may have the same order, or nothing
 * else. What is against the client's order is the server's doing, but its preference only if it is
 * known to speak what it passed over.
 */
void explain_order(const struct report_service *s, struct buf *out);

#endif
