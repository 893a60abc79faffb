/* SPDX-License-Identifier: GPL-2.0-only */
/* finding.h - what --fail-on makes of all that was seen. */
#ifndef ALPNSCOPE_FINDING_H
#define ALPNSCOPE_FINDING_H

#include <stdint.h>

#include "output.h"

/**
 * finding_say - say how much could not be judged: that nothing was found is worth less then.
 * @counter: AS_COUNTER_COUNT of the engine's counters, or NULL when there are none; no filter
 *           can be asked of a hello that was lost, so all of them are told
 */
void finding_say(const struct output *out, const uint64_t *counter);

/** finding_lost - ClientHellos of which there is no record, of AS_COUNTER_COUNT counters. */
uint64_t finding_lost(const uint64_t *counter);

#endif
