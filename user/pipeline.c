// SPDX-License-Identifier: GPL-2.0-only
#include "pipeline.h"

#include <stdio.h>

#include "log.h"

/* What was expected of one end, and how it fell short; then learn from it. */
static void expect(struct pipeline *p, struct event *ev, struct event_side *side)
{
	const struct as_handshake *hs = ev->hs;
	struct service_key key = {.name = side->service,
				  .server_port = hs->server_port,
				  .role = side->role,
				  .sni = as_sni(hs),
				  .sni_len = hs->sni_len};

	service_expectation(p->book, &key, &side->expect);
	side->cause = verdict_cause(&ev->verdict, &side->expect);
	/* Without a server name, one port of many servers is not one service. */
	if (side->role == ROLE_SERVER || hs->sni_len)
		service_learn(p->book, &key, &ev->verdict);
}

void pipeline_record(struct pipeline *p, const struct as_handshake *hs)
{
	struct event ev = {.hs = hs, .wall_ns = (int64_t)hs->hello_ns + p->wall_offset};
	const char *name = p->ifname ? p->ifname(p->ifname_arg, hs->ifindex) : NULL;

	p->received++;
	snprintf(ev.ifname, sizeof(ev.ifname), "%s", name ? name : "");
	verdict_outcome(hs, &ev.verdict);
	identity_sides(p->identity, &ev);
	for (unsigned int i = 0; i < ev.side_count; i++)
		expect(p, &ev, &ev.side[i]);
	if (p->aggregate && aggregate_event(p->aggregate, &ev))
		log_error("out of memory: a handshake is missing in the counters");
	else
		p->counted++;
	if (p->sink)
		p->sink(p->sink_arg, &ev);
}
