// SPDX-License-Identifier: GPL-2.0-only
/* What `services`, `explain` and `grpc-ready` have in common: where the numbers come from. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "agent.h"
#include "commands.h"
#include "control.h"
#include "log.h"
#include "report_query.h"

static const char *const names[] = {"services", "explain", "grpc-ready"};

/* Write the answer to stdout. A reader that left wants no more. */
static int print(const struct buf *text, size_t len)
{
	if ((len && fwrite(text->data, 1, len, stdout) != len) || fflush(stdout)) {
		if (errno == EPIPE)
			return EXIT_OK;
		log_error("standard output: %s; free space, or write elsewhere", strerror(errno));
		return EXIT_ERROR;
	}
	return EXIT_OK;
}

static int finish(const struct options *opt, const struct buf *text, size_t len, bool finding)
{
	int rc = print(text, len);

	if (rc != EXIT_OK || !finding)
		return rc;
	return opt->fail_on_fallback || opt->fail_on_not_ready ? EXIT_FINDING : EXIT_OK;
}

/* The answer's last line says that it is whole, and what was found. */
static int ask_agent(const struct options *opt, const struct report_query *q, int fd)
{
	struct buf line = {0}, answer = {0};
	const size_t end = strlen(REPORT_END "0\n");
	const char *last;
	int rc = EXIT_ERROR;

	report_request(q, &line);
	if (control_fetch(fd, &line, &answer))
		goto out;
	last = answer.len >= end ? answer.data + answer.len - end : "";
	if (strncmp(last, REPORT_END, strlen(REPORT_END)) != 0)
		log_error("the agent ended within its answer: try again");
	else
		rc = finish(opt, &answer, answer.len - end, last[end - 2] == '1');
out:
	buf_free(&line);
	buf_free(&answer);
	close(fd);
	return rc;
}

static int answer(const struct options *opt, const struct report_query *q,
		  const struct report *report)
{
	struct buf text = {0};
	bool finding = false;
	char error[512];
	int rc = EXIT_ERROR;

	if (report_answer(report, q, &text, &finding, error, sizeof(error)))
		log_error("%s: %s", names[q->kind], error);
	else if (text.failed)
		log_error("%s: out of memory", names[q->kind]);
	else
		rc = finish(opt, &text, text.len, finding);
	buf_free(&text);
	return rc;
}

static int observe(const struct options *opt, struct report_query *q, bool live)
{
	struct report *report = report_new(REPORT_SERVICES_MAX);
	/* Findings are the report's; events are not shown. */
	struct options own = *opt;
	struct timespec now;
	int rc = EXIT_ERROR;

	if (!report) {
		log_error("out of memory");
		return EXIT_ERROR;
	}
	own.form = OUTPUT_NONE;
	own.filter = (struct event_filter){0};
	own.fail_on_fallback = false;
	if (live && !own.duration_ms)
		log_info("interrupt it (Ctrl-C) for the report, or give a --duration");
	rc = live ? agent_run(&own, false, report) : read_capture(&own, report);
	clock_gettime(CLOCK_REALTIME, &now);
	q->now_ns = live ? (int64_t)now.tv_sec * 1000000000 + now.tv_nsec : report->last_ns;
	/* Nobody is at home in a capture: every server is one in transit. */
	if (!live && q->kind == REPORT_GRPC_READY && !q->roles)
		q->roles = 1U << ROLE_TRANSIT;
	if (rc == EXIT_OK)
		rc = answer(opt, q, report);
	report_free(report);
	return rc;
}

int report_command(const struct options *opt, int kind)
{
	struct report_query q = {.kind = (enum report_kind)kind,
				 .json = opt->form_set && opt->form == OUTPUT_JSON,
				 .color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
				 .filter = opt->filter,
				 .roles = opt->roles};
	struct options settled = *opt;
	int fd;

	if (opt->service && strlen(opt->service) >= sizeof(q.service)) {
		log_error("%s: no service has a name of %zu bytes; `alpnscope services` lists them",
			  names[kind], strlen(opt->service));
		return EXIT_USAGE;
	}
	snprintf(q.service, sizeof(q.service), "%s", opt->service ? opt->service : "");
	if (opt->file)
		return observe(opt, &q, false);
	settled.fail_on_fallback = false; /* the report tells */
	if (asks_for_own(&settled, names[kind]))
		return observe(opt, &q, true);
	fd = connect_agent(opt);
	if (fd >= 0)
		return ask_agent(opt, &q, fd);
	return fd == -ENOENT ? observe(opt, &q, true) : EXIT_ERROR;
}
