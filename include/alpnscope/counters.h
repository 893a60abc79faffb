/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * counters.h - what the engine counts. A number is never given to another
 * meaning: pinned maps, dashboards and alerts outlive a version. 4 and 5 were hellos
 * that were split, before hellos were put together.
 *
 * AS_COUNTER(id, number, family, reason, help)
 *   family  the metric is alpnscope_<family>_total
 *   reason  its label, "" where the family has none
 *
 * The ledger (docs/DESIGN.md):
 *   hellos == records + sum(repeats) + sum(lost) + in flight
 *   orphans == orphan_records + sum(orphan_lost)
 */
#ifndef ALPNSCOPE_COUNTERS_H
#define ALPNSCOPE_COUNTERS_H

#define AS_COUNTERS(AS_COUNTER)                                                                    \
	AS_COUNTER(HELLOS, 0, "hellos", "", "ClientHello messages seen, repeats included")         \
	AS_COUNTER(RECORDS, 1, "records", "", "handshake records handed to the agent")             \
	AS_COUNTER(REPEAT_AGAIN, 2, "repeats", "again", "")                                        \
	AS_COUNTER(REPEAT_RETRY, 3, "repeats", "retry", "")                                        \
	AS_COUNTER(LOST_TOO_LONG, 6, "lost", "too_long", "")                                       \
	AS_COUNTER(LOST_CUT, 7, "lost", "cut_by_snaplen", "")                                      \
	AS_COUNTER(LOST_MALFORMED, 8, "lost", "malformed", "")                                     \
	AS_COUNTER(LOST_TABLE_FULL, 9, "lost", "table_full", "")                                   \
	AS_COUNTER(LOST_RING_FULL, 10, "lost", "ring_full", "")                                    \
	AS_COUNTER(LOST_TUPLE_CONFLICT, 11, "lost", "tuple_conflict", "")                          \
	AS_COUNTER(LOST_RACED, 12, "lost", "raced", "")                                            \
	AS_COUNTER(ORPHANS, 13, "orphans", "", "ServerHello messages without their ClientHello")   \
	AS_COUNTER(ORPHAN_RECORDS, 14, "orphan_records", "", "records of such a ServerHello")      \
	AS_COUNTER(ORPHAN_LOST_RING_FULL, 15, "orphan_lost", "ring_full", "")                      \
	AS_COUNTER(ORPHAN_LOST_UNREADABLE, 16, "orphan_lost", "unreadable", "")                    \
	AS_COUNTER(ERR_HELLO_OVERRUN, 17, "parse_errors", "hello_overrun", "")                     \
	AS_COUNTER(ERR_EXTENSION_OVERRUN, 18, "parse_errors", "extension_overrun", "")             \
	AS_COUNTER(ERR_TRAILING_BYTES, 19, "parse_errors", "trailing_bytes", "")                   \
	AS_COUNTER(ERR_DUPLICATE_EXTENSION, 20, "parse_errors", "duplicate_extension", "")         \
	AS_COUNTER(ERR_TOO_MANY_EXTENSIONS, 21, "parse_errors", "too_many_extensions", "")         \
	AS_COUNTER(ERR_ALPN, 22, "parse_errors", "alpn_list", "")                                  \
	AS_COUNTER(ERR_SERVER_NAME, 23, "parse_errors", "server_name_list", "")                    \
	AS_COUNTER(ERR_SERVER_HELLO_SPLIT, 24, "parse_errors", "server_hello_split", "")           \
	AS_COUNTER(ERR_HELLO_PREFIX, 25, "parse_errors", "hello_prefix", "")                       \
	AS_COUNTER(ERR_IP_FRAGMENT, 26, "parse_errors", "ip_fragment", "")                         \
	AS_COUNTER(ERR_OUT_OF_WINDOW, 27, "parse_errors", "out_of_window", "")                     \
	AS_COUNTER(ERR_FIELD, 28, "parse_errors", "bad_field", "")                                 \
	AS_COUNTER(LOST_TOO_MANY_RECORDS, 29, "lost", "too_many_records", "")                      \
	AS_COUNTER(LOST_REASSEMBLY_FULL, 30, "lost", "reassembly_full", "")                        \
	AS_COUNTER(LOST_UNFINISHED, 31, "lost", "unfinished", "")                                  \
	AS_COUNTER(ERR_REASSEMBLY_FULL, 32, "parse_errors", "reassembly_full", "")                 \
	AS_COUNTER(ERR_GAP, 33, "parse_errors", "gap", "")                                         \
	AS_COUNTER(ERR_TOO_MANY_HEADERS, 40, "parse_errors", "too_many_headers", "")

enum as_counter {
#define AS_COUNTER(id, number, family, reason, help) AS_##id = number,
	AS_COUNTERS(AS_COUNTER)
#undef AS_COUNTER
		AS_COUNTER_COUNT
};

#endif
