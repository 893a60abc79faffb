// SPDX-License-Identifier: GPL-2.0-only
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "control.h"
#include "log.h"
#include "options.h"
#include "report_query.h"

/* What is observed is the running agent's; it also keeps its file. */
static int forget(const struct options *opt)
{
	int fd = control_connect(opt->socket), rc;
	struct buf line = {0};

	if (fd < 0) {
		log_error("cannot ask the agent at %s: %s; start it (`alpnscope run`), or give the "
			  "--socket of one that runs",
			  opt->socket, strerror(-fd));
		return EXIT_ERROR;
	}
	buf_puts(&line, "forget");
	control_word(&line, "name", opt->forget);
	buf_puts(&line, "\n");
	rc = control_ask(fd, &line, STDOUT_FILENO);
	buf_free(&line);
	close(fd);
	return rc ? EXIT_ERROR : EXIT_OK;
}

int cmd_services(int argc, char **argv)
{
	struct options opt;
	int rc = options_parse(&opt, FOR_SERVICES, "services", NULL, argc, argv);

	if (rc >= 0)
		return rc;
	if (opt.forget)
		return forget(&opt);
	return report_command(&opt, REPORT_SERVICES);
}
