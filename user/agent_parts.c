// SPDX-License-Identifier: GPL-2.0-only
#include "agent_parts.h"

#include "log.h"

/* Read the ring; whoever does starts the timer, for it may have held the only word that a
 * flow began. */
bool agent_take_ring(struct agent *a)
{
	unsigned int n = events_read(a->events);

	if (n && !a->ticking) {
		loop_timer_set(a->loop, a->ticker, EVENTS_TICK_MS);
		a->ticking = true;
		events_stirred(a->events);
	}
	a->taken += n;
	return n;
}

int agent_fail(const char *error)
{
	log_error("%s", error);
	return -1;
}
