/* SPDX-License-Identifier: GPL-2.0-only */
/* metrics.h - everything that /metrics says; docs/METRICS.md is its reader's side. */
#ifndef ALPNSCOPE_METRICS_H
#define ALPNSCOPE_METRICS_H

#include "aggregate.h"
#include "alpnscope/counters.h"
#include "exposition.h"
#include "library.h"
#include "evidence.h"

/**
 * struct metrics_self - what the agent knows of itself at this moment.
 * @counter: of the engine, by enum as_counter, summed over CPUs
 * @in_flight: handshakes in the flow table, counted by walking it
 * @flow_table_limit: how many it can hold
 * @reassembly_in_use: split hellos that are put together, of @reassembly_limit places
 * @received, @counted, @merged, @held: the agent's ledger,
 *          received == counted + merged + held
 * @attached, @failed, @skipped: interfaces, each in one of these states
 * @expectations_refused: services whose expectation was not learned (service_refused)
 * @library, @check: NULL without --library
 * @learned_servers, @learned_servers_evicted: of learn.h
 * @start_time: seconds since 1970, when observing began: the counters were 0 then
 * @guest: the text goes into another program's exposition, which has process_* of its own:
 *          they are left out
 * @config_loaded: the last reading of the configuration went well, or there is none
 * @config_loaded_ns: when one last did, CLOCK_REALTIME; 0 when there is none
 * @version, @libbpf: e.g. "0.1.0", "1.1.2"
 * @hook: how we are attached: "tcx", "clsact", "xdp", "none"
 */
struct metrics_self {
	uint64_t counter[AS_COUNTER_COUNT];
	uint64_t in_flight;
	uint64_t flow_table_limit;
	uint64_t reassembly_in_use, reassembly_limit;
	uint64_t received, counted, merged, held;
	uint64_t attached, failed, skipped;
	uint64_t expectations_refused;
	uint64_t learned_servers, learned_servers_evicted;
	uint64_t start_time;
	bool guest;
	bool config_loaded;
	const struct library_stats *library;
	const struct inference_check *check;
	int64_t config_loaded_ns;
	const char *version, *libbpf, *hook;
};

/**
 * metrics_write - append the whole exposition to @out.
 * Running out of memory shows as out->failed. What /proc/self does not tell is left out.
 */
void metrics_write(struct buf *out, enum expo_format format, const struct aggregate *agg,
		   const struct metrics_self *self);

#endif
