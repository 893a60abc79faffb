// SPDX-License-Identifier: GPL-2.0-only
#include "agent.h"

#include <errno.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "agent_parts.h"
#include "agent_privilege.h"
#include "agent_serve.h"
#include "alpnscope.skel.h"
#include "finding.h"
#include "limit.h"
#include "log.h"
#include "privilege.h"
#include "program.h"
#include "ready.h"

#define ERROR_MAX 512
#define PAUSE_MS 20 /* between two looks at the ring while records come */
#define STORM_MS 5 /* and in a storm */
#define STORM_RATE 100 /* records a ms: 20 ms of them fill a quarter of the ring */
#define FILES_WANTED 16384 /* two for an interface, up to two for each place that --library asks */
#define LARGE (128 << 10) /* bytes: from here on memory of its own */

/* ---- what the parts call ---- */

static bool is_local(const void *arg, unsigned int ifindex, const uint8_t addr[16])
{
	const struct agent *a = arg;
	const char *name = netif_name(a->netif, ifindex);

	return netif_is_local(a->netif, addr) && !(name && options_taps(a->opt, name));
}

static const char *ifname(const void *arg, unsigned int ifindex)
{
	const struct agent *a = arg;

	return netif_name(a->netif, ifindex);
}

static void on_event(void *arg, const struct event *ev)
{
	struct agent *a = arg;

	if (a->control)
		control_event(a->control, ev);
	output_event(&a->out, ev);
	services_note(&a->services);
}

static void on_record(void *arg, const struct as_handshake *hs)
{
	struct agent *a = arg;

	pipeline_record(&a->pipe, hs);
}

static void on_listener(void *arg, const struct identity_listener *l)
{
	struct agent *a = arg;

	services_listener(&a->services, l);
}

/* While handshakes are in progress, look for overdue ones; else sleep without a timer. */
static void tick(void *arg, uint32_t ready)
{
	struct agent *a = arg;
	bool busy = events_expire(a->events);

	(void)ready;
	if (busy != a->ticking)
		loop_timer_set(a->loop, a->ticker, busy ? EVENTS_TICK_MS : 0);
	a->ticking = busy;
}

static void on_ring(void *arg, uint32_t ready)
{
	struct agent *a = arg;

	(void)ready;
	events_awake(a->events); /* turn() reads it, and knows then how much there was */
}

static void on_signal(void *arg, uint32_t ready)
{
	struct agent *a = arg;
	struct signalfd_siginfo info;

	(void)ready;
	if (read(a->signals, &info, sizeof(info)) != (ssize_t)sizeof(info))
		return;
	if (info.ssi_signo == SIGHUP && a->daemon && (a->opt->config || a->web)) {
		if (a->web)
			web_now(a->web);
		if (a->opt->config) {
			services_reload(&a->services);
			/* who listens may be called otherwise now */
			identity_look(a->identity);
		}
	} else {
		a->stop = true;
	}
}

static void on_time(void *arg, uint32_t ready)
{
	struct agent *a = arg;

	(void)ready;
	a->stop = true;
}

/* ---- interfaces ---- */

static int observe(struct agent *a, const struct netif_link *link)
{
	struct attach_target target = {.ifindex = link->index,
				       .name = link->name,
				       .arphrd = link->arphrd,
				       .tap = options_taps(a->opt, link->name)};
	char error[ERROR_MAX], how[ATTACH_HOW_MAX];
	int err = attach_add(a->attach, &target, error, sizeof(error));

	if (!err) {
		attach_describe(a->attach, link->index, how);
		log_verbose("%s %s by %s", target.tap ? "tapping" : "observing", link->name, how);
	} else if (err == -ENODEV || /* gone again: the next message says so */
		   (err == -EPROTONOSUPPORT && !a->opt->interfaces && !target.tap)) {
		log_verbose("%s", error);
	} else {
		log_error("%s", error);
	}
	return err;
}

static void on_interface(void *arg, const struct netif_change *change)
{
	struct agent *a = arg;
	const struct netif_link *link = change->link;
	bool wanted = options_observes(a->opt, link->name);

	switch (change->event) {
	case NETIF_APPEARED:
	case NETIF_UP:
		if (wanted && link->up)
			observe(a, link);
		break;
	case NETIF_RENAMED:
		if (wanted && link->up)
			observe(a, link);
		else if (!wanted ||
			 options_taps(a->opt, link->name) != options_taps(a->opt, change->old_name))
			attach_remove(a->attach, link->index, false);
		break;
	case NETIF_DOWN:
		/* Our programs stay: it may come up again with traffic at once. */
		break;
	case NETIF_VANISHED:
		attach_remove(a->attach, link->index, true);
		break;
	}
}

/* ---- start and end ---- */

static int start_signals(struct agent *a)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP); /* reload, or the terminal is gone: leave nothing behind */
	sigaddset(&set, SIGQUIT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signal(SIGPIPE, SIG_IGN);
	a->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (a->signals < 0)
		return -errno;
	return loop_add(a->loop, a->signals, EPOLLIN, on_signal, a);
}

static int start_book(struct agent *a)
{
	a->aggregate = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	a->identity = identity_new(is_local, a);
	if (!a->aggregate || !a->identity)
		return agent_fail("out of memory");
	if (services_open(&a->services, a->opt, a->aggregate, a->loop))
		return -1;
	services_report(&a->services, a->pipe.report);
	identity_on_listener(a->identity, on_listener, a);
	a->pipe.identity = a->identity;
	a->pipe.book = a->services.book;
	a->pipe.aggregate = a->aggregate;
	if (pipeline_merge(&a->pipe) || pipeline_live(&a->pipe, a->loop))
		return agent_fail("out of memory");
	return 0;
}

/* Before the packets: a record that comes first would be judged without. */
static int start_library(struct agent *a)
{
	char error[ERROR_MAX];

	if (!a->opt->library)
		return 0;
	a->library = library_new(a->loop, error, sizeof(error));
	if (!a->library)
		return agent_fail(error);
	a->pipe.answers = library_answers(a->library);
	a->pipe.answers_read = library_update;
	a->pipe.answers_arg = a->library;
	return 0;
}

static int start_kernel(struct agent *a)
{
	struct program_config config = {.flows = a->opt->flows,
					.slots = a->opt->slots,
					.xdp = a->opt->hook == ATTACH_XDP,
					.tap = a->opt->taps > 0};
	char error[ERROR_MAX];

	a->skel = program_load(&config, error, sizeof(error));
	if (!a->skel)
		return agent_fail(error);
	if (start_library(a))
		return -1;
	a->attach = attach_new(a->skel, a->opt->hook);
	a->events = events_new(a->skel, on_record, a);
	if (!a->attach || !a->events)
		return agent_fail(strerror(errno));
	a->netif = netif_new(a->loop, on_interface, a, error, sizeof(error));
	if (!a->netif)
		return agent_fail(error);
	if (ready_named(a->opt, a->netif) || ready_attached(a->opt, a->attach))
		return -1;
	a->ticker = loop_timer(a->loop, EVENTS_TICK_MS, tick, a);
	a->ticking = true;
	if (a->ticker < 0)
		return agent_fail(strerror(-a->ticker));
	/* By edge: that it has records is no reason to come back before turn() wants to. */
	return loop_add(a->loop, events_fd(a->events), EPOLLIN | EPOLLET, on_ring, a);
}

static int start(struct agent *a, bool daemon)
{
	limit_files(FILES_WANTED);
	a->loop = loop_new();
	if (!a->loop)
		return agent_fail(strerror(errno));
	if (start_signals(a) || start_book(a))
		return -1;
	/* The socket before the kernel: a second agent must not attach first. */
	if (daemon && agent_serve(a))
		return -1;
	a->start_time = time(NULL);
	if (start_kernel(a) || agent_textfile(a))
		return -1;
	identity_look(a->identity);
	if (a->opt->duration_ms) {
		int timer = loop_timer(a->loop, a->opt->duration_ms, on_time, a);

		if (timer < 0)
			return agent_fail(strerror(-timer));
	}
	if (agent_privilege_drop(a->opt, a->attach))
		return agent_fail("cannot give up capabilities that are no longer needed; does a "
				  "seccomp filter forbid capset()? Allow it");
	return 0;
}

static void finish(struct agent *a)
{
	/* Detach first: what the kernel still hands over is read below. */
	attach_free(a->attach);
	a->attach = NULL;
	if (a->events)
		events_end(a->events);
	while (a->events && events_read(a->events))
		;
	if (a->pipe.merge)
		pipeline_end(&a->pipe);
	output_end(&a->out);
	textfile_end(a->textfile);
	if (a->ready && a->opt->fail_on_fallback) {
		uint64_t counter[AS_COUNTER_COUNT];

		events_counters(a->events, counter);
		finding_say(&a->out, counter);
	}
	if (a->netif)
		netif_free(a->netif);
	/* Then the next agent may begin: letting go of other programs takes seconds. */
	if (a->http)
		http_stop(a->http);
	web_free(a->web);
	if (a->control)
		control_free(a->control);
	services_close(&a->services);
	library_free(a->library);
	events_free(a->events);
	program_free(a->skel);
	identity_free(a->identity);
	learn_free(a->pipe.learn);
	aggregate_free(a->aggregate);
	merge_free(a->pipe.merge);
	loop_free(a->loop);
	if (a->signals >= 0)
		close(a->signals);
	output_free(&a->out);
}

/* Is the work done? A daemon whose stdout is lost goes on for its metrics. */
static bool is_done(struct agent *a)
{
	if (a->stop)
		return true;
	if (a->out.error && a->daemon && !a->opt->count) {
		log_error("standard output: %s; events are no longer shown, observing goes on",
			  strerror(a->out.error));
		a->out.form = OUTPUT_NONE;
		a->out.error = 0;
		a->out.done = false;
	}
	return a->out.done;
}

/* How long the ring is left alone, in ms, after a round of @taken records. */
static int next_pause(struct agent *a, unsigned int taken)
{
	a->since_pause += taken;
	if (taken >= EVENTS_ROUND_MAX)
		return 0; /* there are more */
	a->pause_ms = a->since_pause >= STORM_RATE * a->pause_ms ? STORM_MS : PAUSE_MS;
	a->since_pause = 0;
	return (int)a->pause_ms;
}

/*
 * Wait, and do what there is to do. Where records come in, more will: what comes in the next
 * moment is taken at once, so that the kernel need not wake us for each. A record is held for
 * longer anyway (MERGE_HOLD_NS).
 */
static void turn(struct agent *a)
{
	unsigned int taken = agent_take_ring(a);

	if (taken) {
		loop_once(a->loop, next_pause(a, taken));
		return;
	}
	a->pause_ms = PAUSE_MS;
	a->since_pause = 0;
	events_sleep(a->events);
	/* epoll looks at the ring only when it was woken: look once more. */
	loop_once(a->loop, agent_take_ring(a) ? 0 : -1);
	events_awake(a->events);
}

int agent_run(const struct options *opt, bool daemon, struct report *report)
{
	struct agent a = {.opt = opt, .signals = -1, .daemon = daemon, .pause_ms = PAUSE_MS};
	int rc = EXIT_ERROR;

	privilege_fix();
	/* glibc would raise it with each buffer that is freed: pages and what waits for readers
	 * then lie in the heap between small things, and memory stays taken that is free. */
	mallopt(M_MMAP_THRESHOLD, LARGE);
	a.out = (struct output){.form = opt->form,
				.filter = opt->filter,
				.limit = opt->count,
				.live = true,
				.color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
	a.pipe = (struct pipeline){.report = report,
				   .ifname = ifname,
				   .ifname_arg = &a,
				   .sink = on_event,
				   .sink_arg = &a};
	if (start(&a, daemon))
		goto out;
	a.ready = true;
	ready_say(opt, a.attach, a.netif, daemon ? http_address(a.http) : NULL,
		  a.web && web_now(a.web)->has_tls);
	output_header(&a.out);
	while (!is_done(&a)) {
		agent_follow_stdout(&a);
		turn(&a);
	}
	rc = EXIT_OK;
out:
	finish(&a);
	if (output_failed(&a.out))
		return EXIT_ERROR;
	return rc == EXIT_OK && opt->fail_on_fallback && a.out.fallbacks ? EXIT_FINDING : rc;
}
