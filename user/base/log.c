// SPDX-License-Identifier: GPL-2.0-only
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

static enum log_level current = LOG_NORMAL;

static void say(const char *format, va_list args)
{
	fputs("alpnscope: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
}

void log_set_level(enum log_level level)
{
	current = level;
}

void log_error(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(format, args);
	va_end(args);
}

void log_info(const char *format, ...)
{
	va_list args;

	if (current < LOG_NORMAL)
		return;
	va_start(args, format);
	say(format, args);
	va_end(args);
}

void log_verbose(const char *format, ...)
{
	va_list args;

	if (current < LOG_VERBOSE)
		return;
	va_start(args, format);
	say(format, args);
	va_end(args);
}
