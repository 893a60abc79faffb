// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alpnscope/flow.h"
#include "control.h"
#include "http.h"
#include "log.h"
#include "program.h"
#include "service.h"

/* Sets one option; on failure says why in @error and returns negative. */
typedef int (*set_fn)(struct options *o, const char *value, char *error, size_t size);

struct option_def {
	int letter; /* 0: long only */
	const char *name;
	const char *value; /* NULL: takes none */
	unsigned int commands;
	set_fn set;
	const char *help;
};

static int bad(char *error, size_t size, const char *value, const char *wanted)
{
	snprintf(error, size, "'%s' is not %s", value, wanted);
	return -EINVAL;
}

static int parse_number(const char *value, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	if (*value < '0' || *value > '9')
		return -EINVAL;
	*out = strtoull(value, &end, 10);
	return errno || *end || *out > max ? -EINVAL : 0;
}

static int add_to(const char **list, unsigned int *count, const char *value, char *error,
		  size_t size)
{
	if (*count == OPTIONS_LIST_MAX) {
		snprintf(error, size, "given more than %d times", OPTIONS_LIST_MAX);
		return -E2BIG;
	}
	list[(*count)++] = value;
	return 0;
}

static int set_interface(struct options *o, const char *value, char *error, size_t size)
{
	if (!strcmp(value, "any"))
		return 0;
	return add_to(o->interface, &o->interfaces, value, error, size);
}

static int set_expect(struct options *o, const char *value, char *error, size_t size)
{
	struct service_book *book = service_new(0);
	int err = book ? service_expect(book, value, error, size) : -ENOMEM;

	service_free(book);
	if (err)
		return err;
	return add_to(o->expect, &o->expects, value, error, size);
}

static int set_output(struct options *o, const char *value, char *error, size_t size)
{
	o->form_set = true;
	if (!strcmp(value, "json"))
		o->form = OUTPUT_JSON;
	else if (!strcmp(value, "columns"))
		o->form = OUTPUT_COLUMNS;
	else
		return bad(error, size, value, "columns or json");
	return 0;
}

static int set_count(struct options *o, const char *value, char *error, size_t size)
{
	if (parse_number(value, UINT64_MAX, &o->count) || !o->count)
		return bad(error, size, value, "a number of events, 1 or more");
	return 0;
}

static int set_duration(struct options *o, const char *value, char *error, size_t size)
{
	static const struct {
		const char *unit;
		uint64_t ms;
	} units[] = {{"ms", 1}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"", 1000}};
	size_t digits = strspn(value, "0123456789");
	char number[16];
	uint64_t n;

	for (size_t i = 0; digits && digits < sizeof(number) && i < 5; i++) {
		if (strcmp(value + digits, units[i].unit))
			continue;
		memcpy(number, value, digits);
		number[digits] = '\0';
		if (parse_number(number, 1000000000, &n) || !n)
			break;
		o->duration_ms = n * units[i].ms;
		return 0;
	}
	return bad(error, size, value, "a time such as 30s, 500ms, 10m or 2h");
}

static int set_fail_on(struct options *o, const char *value, char *error, size_t size)
{
	if (strcmp(value, "fallback"))
		return bad(error, size, value, "a finding; there is: fallback");
	o->fail_on_fallback = true;
	return 0;
}

static int set_hook(struct options *o, const char *value, char *error, size_t size)
{
	if (!strcmp(value, "auto"))
		o->hook = ATTACH_AUTO;
	else if (!strcmp(value, "tcx"))
		o->hook = ATTACH_TCX;
	else if (!strcmp(value, "clsact"))
		o->hook = ATTACH_CLSACT;
	else
		return bad(error, size, value, "auto, tcx or clsact");
	return 0;
}

static int set_flows(struct options *o, const char *value, char *error, size_t size)
{
	uint64_t n;

	if (parse_number(value, PROGRAM_FLOWS_MAX, &n) || n < PROGRAM_FLOWS_MIN) {
		snprintf(error, size, "'%s' is not a number from %u to %u", value,
			 PROGRAM_FLOWS_MIN, PROGRAM_FLOWS_MAX);
		return -EINVAL;
	}
	o->flows = (uint32_t)n;
	return 0;
}

static int set_listen(struct options *o, const char *value, char *error, size_t size)
{
	(void)error, (void)size;
	o->listen_address = value;
	return 0;
}

static int set_telemetry(struct options *o, const char *value, char *error, size_t size)
{
	if (*value != '/')
		return bad(error, size, value, "a path that begins with /");
	o->telemetry_path = value;
	return 0;
}

static int set_socket(struct options *o, const char *value, char *error, size_t size)
{
	(void)error, (void)size;
	o->socket = value;
	return 0;
}

static int set_file(struct options *o, const char *value, char *error, size_t size)
{
	(void)error, (void)size;
	o->file = value;
	return 0;
}

static int set_port(struct options *o, const char *value, char *error, size_t size)
{
	return filter_set(&o->filter, "port", value, error, size);
}

static int set_sni(struct options *o, const char *value, char *error, size_t size)
{
	return filter_set(&o->filter, "sni", value, error, size);
}

static int set_alpn(struct options *o, const char *value, char *error, size_t size)
{
	return filter_set(&o->filter, "alpn", value, error, size);
}

static int set_outcome(struct options *o, const char *value, char *error, size_t size)
{
	return filter_set(&o->filter, "outcome", value, error, size);
}

static int set_fallback_only(struct options *o, const char *value, char *error, size_t size)
{
	(void)value;
	return filter_set(&o->filter, "fallback_only", "1", error, size);
}

static int set_quiet(struct options *o, const char *value, char *error, size_t size)
{
	(void)value, (void)error, (void)size;
	o->quiet = true;
	return 0;
}

static int set_verbose(struct options *o, const char *value, char *error, size_t size)
{
	(void)value, (void)error, (void)size;
	o->verbose = true;
	return 0;
}

#define EVENTS (FOR_RUN | FOR_WATCH | FOR_READ)
#define LIVE (FOR_RUN | FOR_WATCH)

static const struct option_def defs[] = {
	{'i', "interface", "IFACE", LIVE, set_interface,
	 "observe it (repeatable); any, the default, is every one that is up"},
	{'o', "output", "FORM", EVENTS, set_output, "columns or json (one object a line)"},
	{'c', "count", "N", EVENTS, set_count, "end after N events were shown"},
	{0, "duration", "TIME", LIVE, set_duration, "end after TIME: 30s, 500ms, 10m, 2h"},
	{0, "port", "N", EVENTS, set_port, "show only this server port (repeatable)"},
	{0, "sni", "GLOB", EVENTS, set_sni, "show only server names that match"},
	{0, "alpn", "NAME", EVENTS, set_alpn, "show only where NAME was offered or chosen"},
	{0, "outcome", "NAME", EVENTS, set_outcome,
	 "show only this outcome (repeatable): negotiated, ignored, ..."},
	{0, "fallback-only", NULL, EVENTS, set_fallback_only, "show only fallbacks"},
	{0, "expect", "[PORT=]ID,...", EVENTS, set_expect,
	 "what servers should choose, best first (repeatable): 443=h2"},
	{0, "fail-on", "WHAT", EVENTS, set_fail_on, "exit 3 if it was seen: fallback"},
	{0, "read", "FILE", FOR_WATCH, set_file, "take a capture in place of live traffic"},
	{0, "web.listen-address", "ADDR:PORT", FOR_RUN | FOR_DOCTOR, set_listen,
	 "where /metrics is (default " HTTP_LISTEN_DEFAULT ")"},
	{0, "web.telemetry-path", "PATH", FOR_RUN, set_telemetry,
	 "its path (default " HTTP_TELEMETRY_DEFAULT ")"},
	{0, "socket", "PATH", LIVE | FOR_DOCTOR, set_socket,
	 "the agent's socket (default " CONTROL_PATH ")"},
	{0, "hook", "HOW", LIVE | FOR_DOCTOR, set_hook, "auto (the default), tcx or clsact"},
	{0, "flow-table", "N", LIVE | FOR_DOCTOR, set_flows,
	 "handshakes in progress to have room for (default 16384)"},
	{'q', "quiet", NULL, EVENTS, set_quiet, "no chatter on stderr, errors only"},
	{'v', "verbose", NULL, EVENTS | FOR_DOCTOR, set_verbose, "more chatter on stderr"},
};

#define DEFS (sizeof(defs) / sizeof(defs[0]))

AS_ASSERT(AS_FLOWS_DEFAULT == 16384, "the help text names the default");

static void help(unsigned int command, const char *name, const char *operand)
{
	printf("usage: alpnscope %s [OPTION...]%s%s\n\n", name, operand ? " " : "",
	       operand ? operand : "");
	for (size_t i = 0; i < DEFS; i++) {
		char letter[8] = "", left[64];

		if (!(defs[i].commands & command))
			continue;
		if (defs[i].letter)
			snprintf(letter, sizeof(letter), "-%c,", defs[i].letter);
		snprintf(left, sizeof(left), "%-3s --%s%s%s", letter, defs[i].name,
			 defs[i].value ? " " : "", defs[i].value ? defs[i].value : "");
		printf("  %-31s %s\n", left, defs[i].help);
	}
	printf("  %-31s %s\n", "-h, --help", "this text");
}

/* getopt's tables, made from ours. */
static void tables(unsigned int command, struct option *longs, char *shorts)
{
	*shorts++ = ':';
	*shorts++ = 'h';
	*longs++ = (struct option){"help", no_argument, NULL, 'h'};
	for (size_t i = 0; i < DEFS; i++) {
		if (!(defs[i].commands & command))
			continue;
		*longs++ = (struct option){defs[i].name,
					   defs[i].value ? required_argument : no_argument, NULL,
					   (int)(256 + i)};
		if (!defs[i].letter)
			continue;
		*shorts++ = (char)defs[i].letter;
		if (defs[i].value)
			*shorts++ = ':';
	}
	*shorts = '\0';
	*longs = (struct option){0};
}

static const struct option_def *def_of(int code)
{
	for (size_t i = 0; i < DEFS; i++)
		if (code == (int)(256 + i) || (defs[i].letter && code == defs[i].letter))
			return &defs[i];
	return NULL;
}

static void defaults(struct options *o)
{
	*o = (struct options){
		.flows = AS_FLOWS_DEFAULT,
		.listen_address = HTTP_LISTEN_DEFAULT,
		.telemetry_path = HTTP_TELEMETRY_DEFAULT,
		.socket = CONTROL_PATH,
	};
}

/* An option that getopt did not take; @code is ':' or '?'. */
static int refuse(int code, const char *name, char **argv)
{
	const char *what = argv[optind - 1];

	if (code == ':')
		log_error("%s: option %s needs a value; `alpnscope %s --help` lists the options",
			  name, what, name);
	else
		log_error("%s: unknown option %s; `alpnscope %s --help` lists the options", name,
			  what, name);
	return EXIT_USAGE;
}

static int operands(struct options *o, const char *name, const char *operand, int argc, char **argv)
{
	int left = argc - optind;

	if (operand && left == 1) {
		o->file = argv[optind];
		return -1;
	}
	if (!operand && !left)
		return -1;
	if (operand && !left)
		log_error("%s: %s is missing; `alpnscope %s --help` shows the usage", name, operand,
			  name);
	else
		log_error("%s: unexpected '%s'; `alpnscope %s --help` shows the usage", name,
			  argv[operand ? optind + 1 : optind], name);
	return EXIT_USAGE;
}

int options_parse(struct options *o, unsigned int command, const char *name, const char *operand,
		  int argc, char **argv)
{
	struct option longs[DEFS + 2];
	char shorts[2 * DEFS + 3], error[256];
	int code;

	defaults(o);
	tables(command, longs, shorts);
	opterr = 0;
	optind = 1;
	while ((code = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct option_def *def = def_of(code);

		if (code == 'h') {
			help(command, name, operand);
			return EXIT_OK;
		}
		if (!def)
			return refuse(code, name, argv);
		if (def->set(o, optarg, error, sizeof(error))) {
			log_error("%s: --%s: %s", name, def->name, error);
			return EXIT_USAGE;
		}
	}
	log_set_level(o->quiet ? LOG_QUIET : o->verbose ? LOG_VERBOSE : LOG_NORMAL);
	return operands(o, name, operand, argc, argv);
}
