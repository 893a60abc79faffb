/* SPDX-License-Identifier: GPL-2.0-only */
/* pipeline.h - from a record to an event: the order in which the modules are asked. */
#ifndef ALPNSCOPE_PIPELINE_H
#define ALPNSCOPE_PIPELINE_H

#include "aggregate.h"
#include "answers.h"
#include "event.h"
#include "identity.h"
#include "learn.h"
#include "lookback.h"
#include "loop.h"
#include "merge.h"
#include "report.h"
#include "service.h"

/**
 * struct pipeline - what a record goes through. The caller owns the parts.
 * @learn: what is known of servers' TLS 1.3 flights; made by pipeline_merge()
 * @answers: what TLS libraries told, NULL when they are not asked
 * @answers_read: called before @answers is looked into: what was told by now must be there then
 * @check: by the inference's evidence and grade
 * @lookback: NULL, or made by pipeline_look_back()
 * @aggregate: NULL when nobody asks for counters
 * @report: likewise, for reports
 * @merge: made by pipeline_merge()
 * @wall_offset: what to add to a record's times for CLOCK_REALTIME, ns
 * @ifname: the name of an interface, or NULL when it is not known
 * @sink: takes each event; it is valid during the call only
 * @loop, @timer: set by pipeline_live(); NULL for a capture
 * @timer_set: something waits for the timer
 * @now: ns, of CLOCK_MONOTONIC or of the capture
 * @received, @counted: the agent's ledger: received == counted + merged + held (merge.h)
 */
struct pipeline {
	struct identity *identity;
	struct service_book *book;
	struct learn_book *learn;
	struct answers *answers;
	void (*answers_read)(void *arg);
	void *answers_arg;
	struct inference_check check;
	struct lookback *lookback;
	struct aggregate *aggregate;
	struct report *report;
	struct merge *merge;
	int64_t wall_offset;
	const char *(*ifname)(const void *arg, unsigned int ifindex);
	const void *ifname_arg;
	void (*sink)(void *arg, const struct event *ev);
	void *sink_arg;
	struct loop *loop;
	int timer;
	bool timer_set;
	uint64_t now;
	uint64_t received;
	uint64_t counted;
};

/** pipeline_merge - make @p->merge and @p->learn; @p must not move then. 0 or -ENOMEM: the caller
 * frees what there is in either case. */
int pipeline_merge(struct pipeline *p);

/**
 * pipeline_look_back - records come from a file: what is not known of one waits for what the
 * others teach. After pipeline_merge(). Returns 0 or -ENOMEM; the caller frees @p->lookback.
 */
int pipeline_look_back(struct pipeline *p);

/**
 * pipeline_live - the records' times are of CLOCK_MONOTONIC, and it is now: what is held is
 * released by a timer of @loop, which runs only while something is. Returns 0 or -errno.
 */
int pipeline_live(struct pipeline *p, struct loop *loop);

/** pipeline_now - look at the clock: once for all records that are taken together. Not for a
 * capture. */
void pipeline_now(struct pipeline *p);

/**
 * pipeline_record - take a record. It is held for a moment (merge.h), then judged, counted and
 * handed to the sink.
 */
void pipeline_record(struct pipeline *p, const struct as_handshake *hs);

/** pipeline_time - it is @now (ns) in the capture: what was held for long enough goes on. */
void pipeline_time(struct pipeline *p, uint64_t now);

/** pipeline_end - nothing more will come: all that is held goes on. */
void pipeline_end(struct pipeline *p);

#endif
