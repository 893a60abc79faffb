// SPDX-License-Identifier: GPL-2.0-only
#include "agent_serve.h"

#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>
#include <bpf/libbpf.h>

#include "log.h"
#include "metrics.h"

#define ERROR_MAX 512

/* In the end, when nothing is attached any more, as well. */
static void write_metrics(struct agent *a, enum expo_format format, bool guest, struct buf *out)
{
	static char libbpf[16];
	struct attach_count n = a->attach ? attach_counts(a->attach) : (struct attach_count){0};
	struct library_stats library;
	struct metrics_self self = {
		.flow_table_limit = a->opt->flows,
		.reassembly_limit = a->opt->slots,
		.attached = n.attached,
		.failed = n.failed,
		.skipped = n.skipped,
		.expectations_refused = service_refused(a->services.book),
		.learned_servers = learn_servers(a->pipe.learn),
		.learned_servers_evicted = learn_evicted(a->pipe.learn),
		.config_loaded = a->services.loaded,
		.config_loaded_ns = a->services.loaded_ns,
		.start_time = (uint64_t)a->start_time,
		.guest = guest,
		.version = ALPNSCOPE_VERSION,
		.libbpf = libbpf,
		.hook = a->attach ? attach_hook_name(a->attach) : "none",
	};

	snprintf(libbpf, sizeof(libbpf), "%s", libbpf_version_string());
	/* What waits in the ring was handed over by the kernel: count it first. */
	agent_take_ring(a);
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
}

static const char *on_metrics(void *arg, const char *accept, struct buf *out)
{
	enum expo_format format = expo_negotiate(accept);

	write_metrics(arg, format, false, out);
	return expo_content_type(format);
}

static void on_textfile(void *arg, struct buf *out)
{
	write_metrics(arg, EXPO_TEXT, true, out);
}

static bool on_ready(void *arg)
{
	return ((const struct agent *)arg)->ready;
}

static int on_ask(void *arg, bool owner, char *line, struct buf *out, char *error,
		  size_t error_size)
{
	struct agent *a = arg;

	return services_ask(&a->services, owner, line, out, error, error_size);
}

/* Errors of the file are FILE:LINE:COLUMN: lines of their own; so are its notes. */
static int open_web(struct agent *a)
{
	struct buf said = {0};

	if (!a->opt->web_config)
		return 0;
	a->web = web_open(a->opt->web_config, &said);
	for (const char *line = said.data; line && *line; line += strcspn(line, "\n") + 1)
		(a->web ? log_info : log_error)("%.*s", (int)strcspn(line, "\n"), line);
	buf_free(&said);
	return a->web ? 0 : -1;
}

/* Other hosts can reach it: say what that lets them do. */
static void warn_open(const struct agent *a)
{
	const struct web_config *web = a->web ? web_now(a->web) : NULL;
	bool tls = web && web->has_tls;
	bool authenticated = web && (web->users || web->tls.client == WEB_CLIENT_VERIFY);

	if (http_is_loopback(a->http) || (tls && authenticated))
		return;
	log_info("%s is reachable from other hosts, %s; --web.config.file sets %s",
		 http_address(a->http),
		 tls		 ? "by whoever can connect"
		 : authenticated ? "with passwords in plain HTTP"
				 : "in plain HTTP",
		 tls ? "users or client certificates" : "TLS");
}

static int open_http(struct agent *a)
{
	struct http_config web = {.listen_address = a->opt->listen_address,
				  .telemetry_path = a->opt->telemetry_path,
				  .web = a->web,
				  .metrics = on_metrics,
				  .ready = on_ready,
				  .arg = a};
	char error[ERROR_MAX];

	a->http = http_start(a->loop, &web, error, sizeof(error));
	if (!a->http)
		return agent_fail(error);
	warn_open(a);
	return 0;
}

int agent_serve(struct agent *a)
{
	char error[ERROR_MAX];

	a->control = control_new(a->loop, a->opt->socket, error, sizeof(error));
	if (!a->control)
		return agent_fail(error);
	control_on_ask(a->control, on_ask, a);
	return open_web(a) || open_http(a) ? -1 : 0;
}

int agent_textfile(struct agent *a)
{
	char error[ERROR_MAX];

	if (!a->opt->textfile)
		return 0;
	a->textfile =
		textfile_start(a->loop, a->opt->textfile, on_textfile, a, error, sizeof(error));
	return a->textfile ? 0 : agent_fail(error);
}

static void on_stdout(void *arg, uint32_t ready)
{
	struct agent *a = arg;

	(void)ready;
	output_go_on(&a->out);
}

void agent_follow_stdout(struct agent *a)
{
	bool waits = output_waits(&a->out);

	if (waits && !a->stdout_waits)
		a->stdout_waits = !loop_add(a->loop, STDOUT_FILENO, EPOLLOUT, on_stdout, a);
	else if (!waits && a->stdout_waits)
		loop_remove(a->loop, STDOUT_FILENO);
	a->stdout_waits = waits && a->stdout_waits;
}
