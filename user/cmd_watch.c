// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "agent.h"
#include "alpnscope/flow.h"
#include "commands.h"
#include "control.h"
#include "log.h"

/* --duration is over: the agent's lines were written as they came. */
static void on_alarm(int number)
{
	(void)number;
	_exit(EXIT_OK);
}

int connect_agent(const struct options *opt)
{
	int fd = control_connect(opt->socket);

	if ((fd == -ENOENT || fd == -ECONNREFUSED) && !strcmp(opt->socket, CONTROL_PATH)) {
		log_info("no agent is running; observing by itself");
		return -ENOENT;
	}
	if (fd < 0)
		log_error("cannot ask the agent at %s: %s; run as root, or give the --socket of an "
			  "agent "
			  "that you may ask",
			  opt->socket, strerror(-fd));
	return fd == -ENOENT ? -ECONNREFUSED : fd;
}

/* Ask the running agent; -1 when there is none. */
static int watch_agent(const struct options *opt)
{
	struct watch watch = {.json = opt->form == OUTPUT_JSON,
			      .color = isatty(STDOUT_FILENO) && !getenv("NO_COLOR"),
			      .count = opt->count,
			      .filter = opt->filter};
	int fd = connect_agent(opt), rc;

	if (fd < 0)
		return fd == -ENOENT ? -1 : EXIT_ERROR;
	log_info("watching the running agent (%s)", opt->socket);
	if (opt->duration_ms) {
		struct itimerval when = {
			.it_value = {.tv_sec = (time_t)(opt->duration_ms / 1000),
				     .tv_usec = (suseconds_t)(opt->duration_ms % 1000) * 1000}};

		signal(SIGALRM, on_alarm);
		setitimer(ITIMER_REAL, &when, NULL);
	}
	rc = control_watch(fd, &watch, STDOUT_FILENO);
	close(fd);
	return rc;
}

bool asks_for_own(const struct options *opt, const char *name)
{
	int fd;

	if (!opt->interfaces && !opt->taps && !opt->expects && !opt->config &&
	    !opt->fail_on_fallback && !opt->library && opt->hook == ATTACH_AUTO &&
	    opt->flows == AS_FLOWS_DEFAULT && opt->slots == AS_SLOTS_DEFAULT)
		return false;
	fd = control_connect(opt->socket);
	if (fd < 0)
		return true;
	close(fd);
	log_info("observing by itself: the running agent takes no -i, --tap, --expect, --config, "
		 "--fail-on, --library, --hook or table sizes from %s",
		 name);
	return true;
}

int cmd_watch(int argc, char **argv)
{
	struct options opt;
	int rc = options_parse(&opt, FOR_WATCH, "watch", NULL, argc, argv);

	if (rc >= 0)
		return rc;
	if (!opt.form_set)
		opt.form = OUTPUT_COLUMNS;
	if (opt.file)
		return read_capture(&opt, NULL);
	if (asks_for_own(&opt, "watch"))
		return agent_run(&opt, false, NULL);
	rc = watch_agent(&opt);
	return rc >= 0 ? rc : agent_run(&opt, false, NULL);
}
