// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "agent.h"
#include "commands.h"
#include "log.h"

int cmd_run(int argc, char **argv)
{
	struct report *report;
	struct options opt;
	int rc = options_parse(&opt, FOR_RUN, "run", NULL, argc, argv);

	if (rc >= 0)
		return rc;
	/* A daemon without a terminal prints no events unless asked. */
	if (!opt.form_set && !opt.quiet && isatty(STDOUT_FILENO))
		opt.form = OUTPUT_COLUMNS;
	report = report_new(REPORT_SERVICES_MAX);
	if (!report) {
		log_error("out of memory");
		return EXIT_ERROR;
	}
	rc = agent_run(&opt, true, report);
	report_free(report);
	return rc;
}
