// SPDX-License-Identifier: GPL-2.0-only
#include "commands.h"
#include "options.h"

int cmd_doctor(int argc, char **argv)
{
	struct options opt;
	int rc = options_parse(&opt, FOR_DOCTOR, "doctor", NULL, argc, argv);

	return rc >= 0 ? rc : EXIT_OK;
}
