// SPDX-License-Identifier: GPL-2.0-only
#include "services.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "control.h"
#include "log.h"
#include "report_query.h"

#define ERROR_MAX 512
#define SERVICES_MAX 10000 /* whose observed expectation is kept */

static int fail(int err, const char *error)
{
	log_error("%s", error);
	return err;
}

static int take_expectations(struct services *s, const struct options *opt)
{
	char error[ERROR_MAX];

	for (unsigned int i = 0; i < opt->expects; i++)
		if (service_expect(s->book, opt->expect[i], error, sizeof(error))) {
			log_error("--expect %s: %s", opt->expect[i], error);
			return -EINVAL;
		}
	return 0;
}

/* Errors and notes, a line each. */
static void say_lines(const struct buf *said, bool error)
{
	for (const char *line = said->data; line && *line; line += strcspn(line, "\n") + 1)
		(error ? log_error : log_info)("%.*s", (int)strcspn(line, "\n"), line);
}

/* The file takes the place of the one before, or is said to be wrong. */
static int load(struct services *s)
{
	struct config *config, *old = s->config;
	struct buf said = {0};
	struct timespec now;

	config = config_load(s->path, &said);
	say_lines(&said, !config);
	buf_free(&said);
	s->loaded = config != NULL;
	if (!config)
		return -EINVAL;
	clock_gettime(CLOCK_REALTIME, &now);
	s->loaded_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	s->config = config;
	service_configure(s->book, config);
	config_free(old);
	return 0;
}

static void declare(struct services *s, const struct service_key *key, const char *name,
		    const struct expectation *expect, bool reserved)
{
	if (aggregate_declare(s->aggregate, name, key->server_port, key->role, expect, reserved))
		log_error("out of memory: %s has no series in the metrics before its first "
			  "handshake",
			  name);
}

static void declare_configured(void *arg, const struct service_key *key,
			       const struct expectation *expect)
{
	struct services *s = arg;

	if (s->aggregate)
		declare(s, key, key->name, expect, true);
	if (s->report)
		report_declare(s->report, key->name, key->server_port, key->role, expect);
}

/* As far as can be told without a handshake, for the configuration goes ahead. */
static void declare_observed(void *arg, const struct service_key *key,
			     const struct expectation *expect)
{
	struct services *s = arg;
	struct service_facts facts;

	(void)expect;
	service_find(s->book, key, &facts);
	declare(s, key, facts.name, &facts.expect, false);
}

static void declare_all(struct services *s)
{
	if (s->report)
		report_expect_nothing(s->report);
	if (s->aggregate) {
		aggregate_expect_nothing(s->aggregate);
		s->aggregate->addresses.limit = s->config ? s->config->server_addresses : 0;
	}
	service_configured(s->book, declare_configured, s);
	if (s->aggregate)
		service_observed(s->book, declare_observed, s);
}

int services_open(struct services *s, const struct options *opt, struct aggregate *aggregate,
		  struct loop *loop)
{
	char error[ERROR_MAX];
	int err;

	*s = (struct services){.book = service_new(SERVICES_MAX),
			       .aggregate = aggregate,
			       .path = opt->config,
			       .loaded = true};
	if (!s->book)
		return fail(-ENOMEM, "out of memory");
	err = take_expectations(s, opt);
	if (!err && s->path)
		err = load(s);
	if (err)
		return err;
	if (opt->state_dir) {
		s->state = state_open(opt->state_dir, s->book, loop, error, sizeof(error));
		if (!s->state)
			return fail(-EIO, error);
	}
	declare_all(s);
	return 0;
}

void services_report(struct services *s, struct report *report)
{
	s->report = report;
	declare_all(s);
}

void services_listener(struct services *s, const struct identity_listener *l)
{
	struct service_key key = {.role = ROLE_SERVER};
	char name[SERVICE_NAME_MAX];
	struct service_facts facts;

	if (!l) {
		aggregate_listen_anew(s->aggregate);
		return;
	}
	workload_name(l->work, name, sizeof(name));
	if (!name[0])
		return;
	key.name = name;
	key.server_port = l->port;
	key.server_addr = l->addr;
	key.work = l->work;
	service_find(s->book, &key, &facts);
	if (aggregate_listen(s->aggregate, facts.name, l->port))
		log_error("out of memory: no place is kept for %s in the metrics", facts.name);
}

void services_reload(struct services *s)
{
	if (!s->path)
		return;
	if (load(s)) {
		log_error("%s was not taken: the configuration from before stays in force; mend "
			  "it, try `alpnscope check-config %s`, and send SIGHUP again",
			  s->path, s->path);
		return;
	}
	declare_all(s);
	log_info("%s: %u service%s configured", s->path, s->config->rules,
		 s->config->rules == 1 ? "" : "s");
}

void services_note(struct services *s)
{
	if (s->state)
		state_note(s->state);
}

int services_ask(struct services *s, bool owner, char *line, struct buf *out, char *error,
		 size_t error_size)
{
	static const char request[] = "forget name=";
	char *name = line + sizeof(request) - 1;
	unsigned int count;
	int err = s->report ? report_ask(s->report, line, out, error, error_size) : -ENOENT;

	if (err != -ENOENT)
		return err;
	if (strncmp(line, request, sizeof(request) - 1) != 0)
		return -ENOENT;
	if (!owner) {
		snprintf(error, error_size,
			 "to forget is for root and for the user whom the agent runs as");
		return -EPERM;
	}
	if (control_decode(name)) {
		snprintf(error, error_size, "\"%s\" is not percent-encoded", name);
		return -EINVAL;
	}
	count = service_forget(s->book, name);
	if (!count) {
		snprintf(error, error_size,
			 "nothing was observed of a service \"%s\"; the label service_name of the "
			 "metrics is its name",
			 name);
		return -ESRCH;
	}
	/* Told once it is done: it must not come back with the next start. */
	if (s->state && state_save(s->state)) {
		snprintf(error, error_size,
			 "forgotten until the agent ends only: the state directory cannot be "
			 "written");
		return -EIO;
	}
	declare_all(s);
	buf_printf(out, "forgotten: what %s chose, for %u server name%s and port%s\n", name, count,
		   count == 1 ? "" : "s", count == 1 ? "" : "s");
	return 0;
}

void services_close(struct services *s)
{
	state_close(s->state);
	service_free(s->book);
	config_free(s->config);
}
