// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "commands.h"
#include "log.h"
#include "options.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	unsigned int command;
} commands[] = {
	{"run", cmd_run, FOR_RUN},
	{"watch", cmd_watch, FOR_WATCH},
	{"read", cmd_read, FOR_READ},
	{"doctor", cmd_doctor, FOR_DOCTOR},
	{"services", cmd_services, FOR_SERVICES},
	{"explain", cmd_explain, FOR_EXPLAIN},
	{"grpc-ready", cmd_grpc_ready, FOR_GRPC_READY},
	{"check-config", cmd_check_config, FOR_CHECK_CONFIG},
	{"version", cmd_version, FOR_VERSION},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *to)
{
	fputs("alpnscope - which application protocol every TLS handshake offered and got\n\n"
	      "usage: alpnscope COMMAND [OPTION...]\n\n",
	      to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-12s %s\n", commands[i].name, options_about(commands[i].command));
	fputs("\n`alpnscope COMMAND --help` lists a command's options.\n", to);
}

static int call(int argc, char **argv)
{
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(argv[0], commands[i].name))
			return commands[i].run(argc, argv);
	log_error("no command '%s'; `alpnscope --help` lists them", argv[0]);
	return EXIT_USAGE;
}

/* Who is started with a closed stdin, stdout or stderr would get its number for the next file, and
 * write into that. What cannot be written fails, as it should. */
static void hold_standard(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	hold_standard();
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help") && argc > 2) {
		char ask[] = "--help", *args[] = {argv[2], ask, NULL};

		return call(2, args);
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return cmd_version(1, argv);
	return call(argc - 1, argv + 1);
}
