// SPDX-License-Identifier: GPL-2.0-only
#include "agent_parts.h"

#include "log.h"

/* Read the ring; whoever does starts the timer, for it may have held the only word that a
 * flow began. */
bool agent_take_ring(struct agent *a)
{
	bool any = events_read(a->events);

	if (any && !a->ticking) {
		loop_timer_set(a->loop, a->ticker, EVENTS_TICK_MS);
		a->ticking = true;
	}
	return any;
}

int agent_fail(const char *error)
{
	log_error("%s", error);
	return -1;
}
