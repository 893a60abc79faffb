// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <string.h>

#include "commands.h"
#include "log.h"
#include "options.h"

static const struct {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"run", cmd_run, "observe this host; serve metrics on 127.0.0.1:10035"},
	{"watch", cmd_watch, "show handshakes as they happen"},
	{"read", cmd_read, "show the handshakes in a capture (pcap, pcapng, - for stdin)"},
	{"doctor", cmd_doctor, "say what works on this kernel, and what to do about the rest"},
	{"version", cmd_version, "say which alpnscope this is"},
};

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static void help(FILE *to)
{
	fputs("alpnscope - which application protocol every TLS handshake offered and got\n\n"
	      "usage: alpnscope COMMAND [OPTION...]\n\n",
	      to);
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(to, "  %-9s %s\n", commands[i].name, commands[i].help);
	fputs("\n`alpnscope COMMAND --help` lists a command's options.\n", to);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		help(stderr);
		return EXIT_USAGE;
	}
	if (!strcmp(argv[1], "help") || !strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")) {
		help(stdout);
		return EXIT_OK;
	}
	if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
		return cmd_version(1, argv);
	for (size_t i = 0; i < COMMANDS; i++)
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].run(argc - 1, argv + 1);
	log_error("no command '%s'; `alpnscope --help` lists them", argv[1]);
	return EXIT_USAGE;
}
