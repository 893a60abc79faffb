// SPDX-License-Identifier: GPL-2.0-only
#include "agent.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <bpf/libbpf.h>

#include "alpnscope.skel.h"
#include "control.h"
#include "events.h"
#include "finding.h"
#include "http.h"
#include "library.h"
#include "log.h"
#include "loop.h"
#include "metrics.h"
#include "netif.h"
#include "pipeline.h"
#include "program.h"
#include "ready.h"

#define ERROR_MAX 512
#define SERVICES_MAX 10000 /* whose observed expectation is kept */

struct agent {
	const struct options *opt;
	struct loop *loop;
	struct alpnscope_bpf *skel;
	struct attach *attach;
	struct netif *netif;
	struct events *events;
	struct library *library; /* NULL without --library */
	struct identity *identity;
	struct service_book *book;
	struct aggregate *aggregate;
	struct http *http;
	struct control *control;
	struct output out;
	struct pipeline pipe;
	bool daemon;
	int signals;
	int ticker;
	bool ready, stop;
	bool ticking;
};

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
}

static void on_record(void *arg, const struct as_handshake *hs)
{
	struct agent *a = arg;

	pipeline_record(&a->pipe, hs);
}

/* While handshakes are in progress, look for overdue ones; else sleep without a timer. */
static void tick(void *arg, uint32_t ready)
{
	struct agent *a = arg;
	bool busy = events_expire(a->events) > 0;

	(void)ready;
	if (busy != a->ticking)
		loop_timer_set(a->loop, a->ticker, busy ? EVENTS_TICK_MS : 0);
	a->ticking = busy;
}

/* Read the ring; whoever does starts the timer, for it may have held the only word that a
 * flow began. */
static bool take_ring(struct agent *a)
{
	bool any = events_read(a->events);

	if (any && !a->ticking) {
		loop_timer_set(a->loop, a->ticker, EVENTS_TICK_MS);
		a->ticking = true;
	}
	return any;
}

static void on_ring(void *arg, uint32_t ready)
{
	struct agent *a = arg;

	(void)ready;
	events_awake(a->events);
	take_ring(a);
}

static void on_signal(void *arg, uint32_t ready)
{
	struct agent *a = arg;
	struct signalfd_siginfo info;

	(void)ready;
	if (read(a->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		a->stop = true;
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
	} else if (err == -EPROTONOSUPPORT && !a->opt->interfaces && !target.tap) {
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

/* ---- metrics ---- */

static const char *on_metrics(void *arg, const char *accept, struct buf *out)
{
	static char libbpf[16];
	struct agent *a = arg;
	enum expo_format format = expo_negotiate(accept);
	struct attach_count n = attach_counts(a->attach);
	struct library_stats library;
	struct metrics_self self = {
		.flow_table_limit = a->opt->flows,
		.reassembly_limit = a->opt->slots,
		.attached = n.attached,
		.failed = n.failed,
		.skipped = n.skipped,
		.expectations_refused = service_refused(a->book),
		.learned_servers = learn_servers(a->pipe.learn),
		.learned_servers_evicted = learn_evicted(a->pipe.learn),
		.config_loaded = true,
		.version = ALPNSCOPE_VERSION,
		.libbpf = libbpf,
		.hook = attach_hook_name(a->attach),
	};

	snprintf(libbpf, sizeof(libbpf), "%s", libbpf_version_string());
	/* What waits in the ring was handed over by the kernel: count it first. */
	take_ring(a);
	events_counters(a->events, self.counter);
	self.in_flight = events_in_flight(a->events);
	self.reassembly_in_use = events_reassembly(a->events);
	self.received = a->pipe.received;
	self.counted = a->pipe.counted;
	self.merged = merge_merged(a->pipe.merge);
	self.held = merge_held(a->pipe.merge);
	if (a->library) {
		library_stats(a->library, &library);
		self.library = &library;
		self.check = &a->pipe.check;
	}
	metrics_write(out, format, a->aggregate, &self);
	return expo_content_type(format);
}

static bool on_ready(void *arg)
{
	return ((const struct agent *)arg)->ready;
}

/* ---- start and end ---- */

static int fail(const char *error)
{
	log_error("%s", error);
	return -1;
}

static int start_signals(struct agent *a)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP); /* the terminal is gone: leave nothing behind */
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
	char error[ERROR_MAX];

	a->book = service_new(SERVICES_MAX);
	for (unsigned int i = 0; a->book && i < a->opt->expects; i++)
		if (service_expect(a->book, a->opt->expect[i], error, sizeof(error))) {
			log_error("--expect %s: %s", a->opt->expect[i], error);
			return -EINVAL;
		}
	a->aggregate = aggregate_new(AGGREGATE_SERIES_DEFAULT);
	a->identity = identity_new(is_local, a);
	a->pipe.identity = a->identity;
	a->pipe.book = a->book;
	a->pipe.aggregate = a->aggregate;
	if (!a->book || !a->aggregate || !a->identity || pipeline_merge(&a->pipe) ||
	    pipeline_live(&a->pipe, a->loop))
		return fail("out of memory");
	return 0;
}

static int start_services(struct agent *a)
{
	struct http_config web = {.listen_address = a->opt->listen_address,
				  .telemetry_path = a->opt->telemetry_path,
				  .metrics = on_metrics,
				  .ready = on_ready,
				  .arg = a};
	char error[ERROR_MAX];

	a->control = control_new(a->loop, a->opt->socket, error, sizeof(error));
	if (!a->control)
		return fail(error);
	a->http = http_start(a->loop, &web, error, sizeof(error));
	if (!a->http)
		return fail(error);
	if (!http_is_loopback(a->http))
		log_info("%s is reachable from other hosts, in plain HTTP", http_address(a->http));
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
		return fail(error);
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
		return fail(error);
	if (start_library(a))
		return -1;
	a->attach = attach_new(a->skel, a->opt->hook);
	a->events = events_new(a->skel, on_record, a);
	if (!a->attach || !a->events)
		return fail(strerror(errno));
	a->netif = netif_new(a->loop, on_interface, a, error, sizeof(error));
	if (!a->netif)
		return fail(error);
	if (ready_named(a->opt, a->netif) || ready_attached(a->opt, a->attach))
		return -1;
	a->ticker = loop_timer(a->loop, EVENTS_TICK_MS, tick, a);
	a->ticking = true;
	if (a->ticker < 0)
		return fail(strerror(-a->ticker));
	return loop_add(a->loop, events_fd(a->events), EPOLLIN, on_ring, a);
}

static int start(struct agent *a, bool daemon)
{
	a->loop = loop_new();
	if (!a->loop)
		return fail(strerror(errno));
	if (start_signals(a) || start_book(a))
		return -1;
	/* The socket before the kernel: a second agent must not attach first. */
	if (daemon && start_services(a))
		return -1;
	if (start_kernel(a))
		return -1;
	if (a->opt->duration_ms) {
		int timer = loop_timer(a->loop, a->opt->duration_ms, on_time, a);

		if (timer < 0)
			return fail(strerror(-timer));
	}
	return 0;
}

static void finish(struct agent *a)
{
	/* Detach first: what the kernel still hands over is read below. */
	attach_free(a->attach);
	if (a->events)
		events_end(a->events);
	while (a->events && events_read(a->events))
		;
	if (a->pipe.merge)
		pipeline_end(&a->pipe);
	if (a->ready && a->opt->fail_on_fallback) {
		uint64_t counter[AS_COUNTER_COUNT];

		events_counters(a->events, counter);
		finding_say(&a->out, counter);
	}
	if (a->netif)
		netif_free(a->netif);
	/* The next agent may begin: letting go of other programs takes seconds. */
	if (a->http)
		http_stop(a->http);
	if (a->control)
		control_free(a->control);
	library_free(a->library);
	events_free(a->events);
	program_free(a->skel);
	identity_free(a->identity);
	service_free(a->book);
	learn_free(a->pipe.learn);
	aggregate_free(a->aggregate);
	merge_free(a->pipe.merge);
	loop_free(a->loop);
	if (a->signals >= 0)
		close(a->signals);
	buf_free(&a->out.line);
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

int agent_run(const struct options *opt, bool daemon)
{
	struct agent a = {.opt = opt, .signals = -1, .daemon = daemon};
	int rc = EXIT_ERROR;

	a.out = (struct output){.form = opt->form,
				.filter = opt->filter,
				.limit = opt->count,
				.color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR")};
	a.pipe = (struct pipeline){
		.ifname = ifname, .ifname_arg = &a, .sink = on_event, .sink_arg = &a};
	if (start(&a, daemon))
		goto out;
	a.ready = true;
	ready_say(opt, a.attach, a.netif, daemon ? http_address(a.http) : NULL);
	output_header(&a.out);
	while (!is_done(&a)) {
		events_sleep(a.events);
		/* epoll looks at the ring only when it was woken: look once more. */
		loop_once(a.loop, take_ring(&a) ? 0 : -1);
		events_awake(a.events);
	}
	rc = EXIT_OK;
out:
	finish(&a);
	if (output_failed(&a.out))
		return EXIT_ERROR;
	return rc == EXIT_OK && opt->fail_on_fallback && a.out.fallbacks ? EXIT_FINDING : rc;
}
