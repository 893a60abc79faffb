// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "commands.h"
#include "config.h"
#include "options.h"

int cmd_check_config(int argc, char **argv)
{
	struct buf said = {0}, text = {0};
	struct config *config;
	struct options opt;
	int rc = options_parse(&opt, FOR_CHECK_CONFIG, "check-config", "FILE", argc, argv);

	if (rc >= 0)
		return rc;
	config = config_load(opt.file, &said);
	/* FILE:LINE:COLUMN: at the beginning of a line, as editors look for it */
	if (said.data)
		fputs(said.data, stderr);
	if (config) {
		config_describe(config, &text);
		printf("%s: right; %u service%s\n%s", opt.file, config->rules,
		       config->rules == 1 ? "" : "s", text.data ? text.data : "");
	}
	rc = config ? EXIT_OK : EXIT_ERROR;
	config_free(config);
	buf_free(&said);
	buf_free(&text);
	return rc;
}
