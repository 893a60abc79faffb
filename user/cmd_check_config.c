// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>

#include "commands.h"
#include "config.h"
#include "options.h"
#include "web_config.h"

/* FILE:LINE:COLUMN: at the beginning of a line, as editors look for it */
static void say(struct buf *said)
{
	if (said->data)
		fputs(said->data, stderr);
	buf_free(said);
}

static bool check_services(const char *path)
{
	struct buf said = {0}, text = {0};
	struct config *config = config_load(path, &said);
	bool right = config != NULL;

	say(&said);
	if (right) {
		config_describe(config, &text);
		printf("%s: right; %u service%s\n%s", path, config->rules,
		       config->rules == 1 ? "" : "s", text.data ? text.data : "");
	}
	config_free(config);
	buf_free(&text);
	return right;
}

static bool check_web(const char *path)
{
	struct buf said = {0}, text = {0};
	struct web_files files = {0};
	struct web_config *config = web_config_load(path, &files, &said);
	bool right = config != NULL;

	say(&said);
	if (right) {
		web_config_describe(config, &text);
		printf("%s: right\n%s", path, text.data ? text.data : "");
	}
	web_config_put(config);
	web_files_clear(&files);
	buf_free(&text);
	return right;
}

int cmd_check_config(int argc, char **argv)
{
	struct options opt;
	int rc = options_parse(&opt, FOR_CHECK_CONFIG, "check-config", "FILE", argc, argv);
	bool right = true;

	if (rc >= 0)
		return rc;
	if (opt.file)
		right = check_services(opt.file);
	if (opt.web_config)
		right = check_web(opt.web_config) && right;
	return right ? EXIT_OK : EXIT_ERROR;
}
