// SPDX-License-Identifier: GPL-2.0-only
#include "pipeline.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "log.h"
#include "shape.h"
#include "text.h"

#define MS 1000000ULL
#define SERVERS_MAX 8000 /* whose TLS 1.3 flights are remembered, 1.2 KiB each */
#define TIMER_MIN_MS 10 /* what is due soon after the first one waits for it */

static int64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* What one end is called, what was expected of it and how it fell short; then learn from it. */
static void expect(struct pipeline *p, struct event *ev, struct event_side *side)
{
	const struct as_handshake *hs = ev->hs;
	const struct ends ends = event_ends(ev);
	struct service_key key = {.name = side->service,
				  .server_port = hs->server_port,
				  .other_port = event_other_port(ev),
				  .role = side->role,
				  .sni = as_sni(hs),
				  .sni_len = hs->sni_len,
				  .server_addr = hs->server_addr,
				  .client_addr = ends.client_addr,
				  .work = &side->work};
	struct service_facts facts;

	if (ev->dialled)
		key.other_addr = memcmp(ev->dialled->server_addr, hs->server_addr, 16)
					 ? ev->dialled->server_addr
					 : ev->reached->server_addr;
	service_find(p->book, &key, &facts);
	side->unowned = !strcmp(side->service, "unknown");
	if (facts.name != side->service)
		text_copy(side->service, sizeof(side->service), facts.name);
	side->expect = facts.expect;
	side->reserved = facts.reserved;
	side->exempt = facts.exempt;
	side->cause = facts.exempt ? CAUSE_NONE : verdict_cause(&ev->verdict, &side->expect);
	/* Without a server name, one port of many servers is not one service. */
	if (side->role == ROLE_SERVER || hs->sni_len)
		service_learn(p->book, &key, &ev->verdict);
}

/* Count a judged handshake, hand it to the sink. */
static void conclude(void *arg, const struct merged *m, const struct verdict *v)
{
	struct pipeline *p = arg;
	const struct as_handshake *hs = &m->hs;
	struct event ev;
	const char *name = p->ifname ? p->ifname(p->ifname_arg, hs->ifindex) : NULL;

	memset(&ev, 0, offsetof(struct event, side));
	ev.hs = hs;
	ev.client_moved = m->client_moved;
	ev.server_moved = m->server_moved;
	verdict_copy(&ev.verdict, v);
	if ((m->client_moved || m->server_moved) && hs->kind != AS_KIND_ORPHAN) {
		ev.dialled = &m->dialled;
		ev.reached = &m->reached;
	}
	ev.wall_ns = (int64_t)hs->hello_ns + p->wall_offset;
	if (name)
		text_copy(ev.ifname, sizeof(ev.ifname), name);
	identity_sides(p->identity, &ev);
	for (unsigned int i = 0; i < ev.side_count; i++)
		expect(p, &ev, &ev.side[i]);
	if (p->aggregate && aggregate_event(p->aggregate, &ev))
		log_error("out of memory: a handshake is missing in the counters");
	else
		p->counted++;
	if (p->report)
		report_event(p->report, &ev);
	if (p->sink)
		p->sink(p->sink_arg, &ev);
}

/* What the TLS library of either end told of @hs, if it did. @answer holds the name. */
static void ask_library(struct pipeline *p, const struct as_handshake *hs, struct verdict *v,
			struct as_library_answer *answer)
{
	struct alpn_name name;

	if (!p->answers || !(hs->flags & AS_F_SERVER_HELLO))
		return;
	p->answers_read(p->answers_arg);
	if (!answers_take(p->answers, hs->server_random, verdict_is_open(hs, v),
			  flight_broken_off(hs), p->now, answer))
		return;
	name = (struct alpn_name){.bytes = answer->name, .len = answer->name_len};
	verdict_library(hs, v, &name);
}

/* Was the inference right? */
static void check(struct pipeline *p, const struct verdict *v)
{
	const struct inference *i = &v->inferred;
	struct inference told = verdict_inference(v);

	if (v->evidence != EVIDENCE_LIBRARY || i->answer == ANSWER_UNKNOWN)
		return;
	if (inference_equal(i, &told))
		p->check.agreed[i->evidence][i->grade]++;
	else
		p->check.disagreed[i->evidence][i->grade]++;
}

static void judge(void *arg, const struct merged *m)
{
	struct pipeline *p = arg;
	struct as_library_answer answer;
	struct verdict v;

	if (p->lookback) {
		lookback_add(p->lookback, m);
		return;
	}
	verdict_outcome(&m->hs, &v);
	ask_library(p, &m->hs, &v, &answer);
	learn_verdict(p->learn, &m->hs, &v);
	check(p, &v);
	conclude(p, m, &v);
}

int pipeline_merge(struct pipeline *p)
{
	p->merge = merge_new(judge, p);
	p->learn = learn_new(SERVERS_MAX);
	return p->merge && p->learn ? 0 : -ENOMEM;
}

void pipeline_now(struct pipeline *p)
{
	int64_t now = clock_ns(CLOCK_MONOTONIC);

	p->now = (uint64_t)now;
	p->wall_offset = clock_ns(CLOCK_REALTIME) - now;
}

/* Have the timer fire when the next one is due, @wait ns from now; 0 stops it. */
static void set_timer(struct pipeline *p, uint64_t wait)
{
	uint64_t ms = wait / MS + 1;

	p->timer_set = wait;
	loop_timer_set(p->loop, p->timer, !wait ? 0 : ms < TIMER_MIN_MS ? TIMER_MIN_MS : ms);
}

static void on_timer(void *arg, uint32_t ready)
{
	struct pipeline *p = arg;

	(void)ready;
	pipeline_now(p);
	set_timer(p, merge_release(p->merge, p->now));
}

int pipeline_look_back(struct pipeline *p)
{
	p->lookback = lookback_new(p->learn, conclude, p);
	return p->lookback ? 0 : -ENOMEM;
}

int pipeline_live(struct pipeline *p, struct loop *loop)
{
	p->loop = loop;
	p->timer = loop_timer(loop, 0, on_timer, p);
	return p->timer < 0 ? p->timer : 0;
}

void pipeline_record(struct pipeline *p, const struct as_handshake *hs)
{
	p->received++;
	merge_add(p->merge, hs, p->now);
	if (p->loop && !p->timer_set && merge_held(p->merge))
		set_timer(p, MERGE_HOLD_NS);
}

void pipeline_time(struct pipeline *p, uint64_t now)
{
	if (now > p->now) /* captures go back in time now and then */
		p->now = now;
	merge_release(p->merge, p->now);
}

void pipeline_end(struct pipeline *p)
{
	merge_flush(p->merge);
	if (p->lookback)
		lookback_flush(p->lookback);
}
