/* SPDX-License-Identifier: GPL-2.0-only */
/* pipeline.h - from a record to an event: the order in which the modules are asked. */
#ifndef ALPNSCOPE_PIPELINE_H
#define ALPNSCOPE_PIPELINE_H

#include "aggregate.h"
#include "event.h"
#include "identity.h"
#include "service.h"

/**
 * struct pipeline - what a record goes through. The caller owns the parts.
 * @aggregate: NULL when nobody asks for counters
 * @wall_offset: what to add to a record's times for CLOCK_REALTIME, ns
 * @ifname: the name of an interface, or NULL when it is not known
 * @sink: takes each event; it is valid during the call only
 * @received, @counted: the agent's ledger
 */
struct pipeline {
	struct identity *identity;
	struct service_book *book;
	struct aggregate *aggregate;
	int64_t wall_offset;
	const char *(*ifname)(const void *arg, unsigned int ifindex);
	const void *ifname_arg;
	void (*sink)(void *arg, const struct event *ev);
	void *sink_arg;
	uint64_t received;
	uint64_t counted;
};

/** pipeline_record - judge a record, count it, hand it to the sink. */
void pipeline_record(struct pipeline *p, const struct as_handshake *hs);

#endif
