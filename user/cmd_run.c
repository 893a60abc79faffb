// SPDX-License-Identifier: GPL-2.0-only
#include <unistd.h>

#include "agent.h"
#include "commands.h"

int cmd_run(int argc, char **argv)
{
	struct options opt;
	int rc = options_parse(&opt, FOR_RUN, "run", NULL, argc, argv);

	if (rc >= 0)
		return rc;
	/* A daemon without a terminal prints no events unless asked. */
	if (!opt.form_set && !opt.quiet && isatty(STDOUT_FILENO))
		opt.form = OUTPUT_COLUMNS;
	return agent_run(&opt, true);
}
