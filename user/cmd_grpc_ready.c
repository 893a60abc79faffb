// SPDX-License-Identifier: GPL-2.0-only
#include "commands.h"
#include "options.h"
#include "report_query.h"

int cmd_grpc_ready(int argc, char **argv)
{
	struct options opt;
	int rc = options_parse(&opt, FOR_GRPC_READY, "grpc-ready", NULL, argc, argv);

	return rc >= 0 ? rc : report_command(&opt, REPORT_GRPC_READY);
}
