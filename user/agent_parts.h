/* SPDX-License-Identifier: GPL-2.0-only */
/* agent_parts.h - what the live observer is made of; for agent*.c alone. */
#ifndef ALPNSCOPE_AGENT_PARTS_H
#define ALPNSCOPE_AGENT_PARTS_H

#include <time.h>

#include "attach.h"
#include "control.h"
#include "events.h"
#include "http.h"
#include "identity.h"
#include "library.h"
#include "loop.h"
#include "netif.h"
#include "options.h"
#include "output.h"
#include "pipeline.h"
#include "services.h"
#include "textfile.h"
#include "web.h"

struct agent {
	const struct options *opt;
	struct loop *loop;
	struct alpnscope_bpf *skel;
	struct attach *attach;
	struct netif *netif;
	struct events *events;
	struct library *library; /* NULL without --library */
	struct identity *identity;
	struct services services;
	struct aggregate *aggregate;
	struct web *web; /* NULL without --web.config.file */
	struct http *http;
	struct control *control;
	struct textfile *textfile;
	struct output out;
	struct pipeline pipe;
	bool daemon;
	time_t start_time;
	int signals;
	int ticker;
	bool ready, stop;
	unsigned int pause_ms, since_pause; /* of the ring: the last one, and records since then */
	bool ticking;
	bool stdout_waits; /* the loop looks after it */
};

/** agent_take_ring - take what the kernel has handed over, in part if it is much: events_read(). */
unsigned int agent_take_ring(struct agent *a);

/** agent_fail - say @error; returns -1. */
int agent_fail(const char *error);

#endif
