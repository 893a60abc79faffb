// SPDX-License-Identifier: GPL-2.0-only
#include "finding.h"

#include <inttypes.h>
#include <string.h>

#include "alpnscope/counters.h"
#include "log.h"

uint64_t finding_lost(const uint64_t *counter)
{
	static const struct {
		uint32_t id;
		const char *family;
	} all[] = {
#define AS_COUNTER(id, number, family, reason, help) {AS_##id, family},
		AS_COUNTERS(AS_COUNTER)
#undef AS_COUNTER
	};
	uint64_t lost = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (!strcmp(all[i].family, "lost"))
			lost += counter[all[i].id];
	return lost;
}

void finding_say(const struct output *out, const uint64_t *counter)
{
	log_info("--fail-on: %" PRIu64 " fallbacks among %" PRIu64
		 " handshakes; not judged: %" PRIu64 " undetermined, %" PRIu64
		 " incomplete, %" PRIu64 " ClientHellos lost",
		 out->fallbacks, out->shown, out->undetermined, out->incomplete,
		 counter ? finding_lost(counter) : 0);
}
