// SPDX-License-Identifier: GPL-2.0-only
#include <stdio.h>
#include <bpf/libbpf.h>

#include "alpnscope/handshake.h"
#include "commands.h"
#include "options.h"

int cmd_version(int argc, char **argv)
{
	struct options opt;
	int rc = options_parse(&opt, FOR_VERSION, "version", NULL, argc, argv);

	if (rc >= 0)
		return rc;
	printf("alpnscope %s (libbpf %s, record ABI %d)\n", ALPNSCOPE_VERSION,
	       libbpf_version_string(), AS_ABI);
	return EXIT_OK;
}
