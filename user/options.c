// SPDX-License-Identifier: GPL-2.0-only
#include "options.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "alpnscope/flow.h"
#include "control.h"
#include "http.h"
#include "log.h"
#include "option_set.h"
#include "textfile.h"

struct option_def {
	int letter; /* 0: long only */
	const char *name;
	const char *value; /* NULL: takes none */
	unsigned int commands;
	OPTION_SETTER((*set));
	const char *help;
};

#define EVENTS (FOR_RUN | FOR_WATCH | FOR_READ)
#define REPORTS (FOR_SERVICES | FOR_EXPLAIN | FOR_GRPC_READY)
#define LIVE (FOR_RUN | FOR_WATCH | REPORTS)

static const struct option_def defs[] = {
	{'i', "interface", "IFACE", LIVE, set_interface,
	 "observe it (repeatable); any, the default, is every one\n"
	 "that is up"},
	{'i', "interface", "IFACE", FOR_DOCTOR, set_interface, "try this one only (repeatable)"},
	{'o', "output", "FORM", FOR_RUN, set_output,
	 "columns or json (one object a line);\n"
	 "default: columns on a terminal, else nothing"},
	{'o', "output", "FORM", FOR_WATCH | FOR_READ | FOR_SERVICES | FOR_GRPC_READY, set_output,
	 "columns (the default) or json (one object a line)"},
	{'c', "count", "N", EVENTS, set_count, "end after N events were shown"},
	{0, "duration", "TIME", LIVE, set_duration, "end after TIME: 30s, 500ms, 10m, 2h"},
	{0, "port", "N", EVENTS | REPORTS, set_port, "show only this server port (repeatable)"},
	{0, "role", "ROLE", REPORTS, set_role, "show only server, client or transit (repeatable)"},
	{0, "sni", "GLOB", EVENTS, set_sni, "show only server names that match"},
	{0, "alpn", "NAME", EVENTS, set_alpn, "show only where NAME was offered or chosen"},
	{0, "outcome", "NAME", EVENTS, set_outcome,
	 "show only this outcome (repeatable): negotiated, ignored,\n"
	 "not_offered, rejected, failed, incomplete, undetermined,\n"
	 "violation"},
	{0, "fallback-only", NULL, EVENTS | FOR_SERVICES, set_fallback_only, "show only fallbacks"},
	{0, "expect", "[PORT=]ID,...", EVENTS | REPORTS, set_expect,
	 "what servers, of this host or seen in transit, should\n"
	 "choose, best first (repeatable): 443=h2"},
	{0, "config", "FILE", EVENTS | REPORTS, set_config,
	 "what services are called and should choose (YAML;\n"
	 "docs/CONFIG.md); SIGHUP has run read it again"},
	{0, "state-dir", "DIR", FOR_RUN, set_state_dir,
	 "keep there what services were seen to choose, so that\n"
	 "a restart does not forget it"},
	{0, "forget", "NAME", FOR_SERVICES, set_forget,
	 "have the agent forget what the service was seen to choose"},
	{0, "fail-on", "WHAT", EVENTS | FOR_SERVICES, set_fail_on,
	 "exit 3 if it was seen: fallback"},
	{0, "fail-on", "WHAT", FOR_GRPC_READY, set_fail_on_ready,
	 "exit 3 if a server answers an offer of h2 with anything\n"
	 "else: not-ready"},
	{0, "read", "FILE", FOR_WATCH | REPORTS, set_file,
	 "take a capture in place of live traffic"},
	{0, "web.listen-address", "ADDR:PORT", FOR_RUN | FOR_DOCTOR, set_listen,
	 "where /metrics is (default " HTTP_LISTEN_DEFAULT ")"},
	{0, "web.telemetry-path", "PATH", FOR_RUN, set_telemetry,
	 "its path (default " HTTP_TELEMETRY_DEFAULT ")"},
	{0, "web.config.file", "FILE", FOR_RUN, set_web_config,
	 "TLS, client certificates and users of it (YAML as of\n"
	 "Prometheus' exporter-toolkit; docs/CONFIG.md); read again\n"
	 "when it changes"},
	{0, "web.config.file", "FILE", FOR_CHECK_CONFIG, set_web_config,
	 "check this web configuration, with what it names, too; or\n"
	 "alone"},
	{0, "textfile", "PATH", FOR_RUN, set_textfile,
	 "write the metrics to PATH (.prom) every 15 s as well, for\n"
	 "node_exporter's textfile collector"},
	{0, "socket", "PATH", LIVE | FOR_DOCTOR, set_socket,
	 "the agent's socket (default " CONTROL_PATH ")"},
	{0, "tap", "IFACE", LIVE, set_tap,
	 "a mirror port (SPAN), both directions arriving (repeatable):\n"
	 "promiscuous, and DROPS all that arrives once it was seen;\n"
	 "refused if the interface has an address, a default route\n"
	 "or a master; alone unless -i is given too"},
	{0, "hook", "HOW", LIVE, set_hook,
	 "auto (the default), tcx, clsact, or xdp for what arrives\n"
	 "(Linux 5.18; may change a device's offloads and MTU)"},
	{0, "hook", "HOW", FOR_DOCTOR, set_hook,
	 "auto (the default), tcx, clsact, or xdp, which attaches to\n"
	 "every Ethernet device for a moment: drivers may reset\n"
	 "queues (-i limits it)"},
	{0, "library", NULL, LIVE, set_library,
	 "ask the TLS libraries of this host's processes what was\n"
	 "chosen in TLS 1.3 (uprobes in OpenSSL, GnuTLS and Go; root,\n"
	 "Linux 5.15; each answer costs its process some time)"},
	{0, "flow-table", "N", LIVE | FOR_DOCTOR, set_flows,
	 "handshakes in progress to have room for (default 16384)"},
	{0, "reassembly-table", "N", LIVE | FOR_DOCTOR, set_slots,
	 "split hellos to put together at one time, 18 KiB each:\n"
	 "default 256, 64 to 4096, rounded up to a power of two;\n"
	 "from two thirds on some find none of their 8 places free"},
	{'q', "quiet", NULL, EVENTS | REPORTS, set_quiet, "no chatter on stderr, errors only"},
	{'v', "verbose", NULL, EVENTS | REPORTS | FOR_DOCTOR, set_verbose,
	 "more chatter on stderr"},
};

/* What help says of a subcommand; one row for each. */
static const struct command_def {
	unsigned int command;
	const char *about;
	const char *example;
} commands[] = {
	{FOR_RUN, "observe this host; serve metrics on " HTTP_LISTEN_DEFAULT,
	 "run --expect 443=h2 -o json"},
	{FOR_WATCH, "show handshakes as they happen", "watch --port 443 --outcome ignored"},
	{FOR_READ, "show the handshakes in a capture (pcap, pcapng, - for stdin)",
	 "read --expect h2 --fail-on fallback capture.pcap"},
	{FOR_DOCTOR, "say what works on this kernel, and what to do about the rest", "doctor"},
	{FOR_CHECK_CONFIG, "say what a configuration file says, or where it is wrong",
	 "check-config /etc/alpnscope.yml"},
	{FOR_SERVICES, "what each service negotiates, and which fall back",
	 "services --role server --fallback-only"},
	{FOR_EXPLAIN, "what was seen of a service, how it is known, what to do",
	 "explain nginx.service:443"},
	{FOR_GRPC_READY, "servers of this host that a strict gRPC client refuses",
	 "grpc-ready --fail-on not-ready"},
	{FOR_VERSION, "say which alpnscope this is", "version"},
};

#define OPTION_NAME_MAX 32 /* bytes of an option's name as it is told, terminator included */
#define DEFS (sizeof(defs) / sizeof(defs[0]))

AS_ASSERT(AS_FLOWS_DEFAULT == 16384, "the help text names the default");
AS_ASSERT(AS_SLOTS_DEFAULT == 256 && AS_SLOTS_MIN == 64 && AS_SLOTS_MAX == 4096 &&
		  AS_SLOT_PROBES == 8,
	  "so does it");
AS_ASSERT(TEXTFILE_INTERVAL_MS == 15000, "so does it");

static const struct command_def *command_of(unsigned int command)
{
	size_t i = 0;

	while (i + 1 < sizeof(commands) / sizeof(commands[0]) && commands[i].command != command)
		i++;
	return &commands[i];
}

const char *options_about(unsigned int command)
{
	return command_of(command)->about;
}

/* One row of the help; where @text has a newline it goes on below its own beginning. */
static void help_row(const char *left, const char *text)
{
	size_t len = strcspn(text, "\n");

	printf("  %-35s %.*s\n", left, (int)len, text);
	if (text[len])
		help_row("", text + len + 1);
}

static void help(unsigned int command, const char *name, const char *operand)
{
	printf("alpnscope %s - %s\n\nusage: alpnscope %s [OPTION...]%s%s\n\n", name,
	       options_about(command), name, operand ? " " : "", operand ? operand : "");
	for (size_t i = 0; i < DEFS; i++) {
		char letter[8] = "", left[64];

		if (!(defs[i].commands & command))
			continue;
		if (defs[i].letter)
			snprintf(letter, sizeof(letter), "-%c,", defs[i].letter);
		snprintf(left, sizeof(left), "%-3s --%s%s%s", letter, defs[i].name,
			 defs[i].value ? " " : "", defs[i].value ? defs[i].value : "");
		help_row(left, defs[i].help);
	}
	help_row("-h, --help", "this text");
	printf("\nexit status: 0 ok, 1 error, 2 usage%s\nexample: alpnscope %s\n",
	       command & (EVENTS | FOR_SERVICES | FOR_GRPC_READY) ? ", 3 found what --fail-on names"
								  : "",
	       command_of(command)->example);
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

static bool is_listed(const char *const *list, unsigned int count, const char *name)
{
	for (unsigned int i = 0; i < count; i++)
		if (!strcmp(list[i], name))
			return true;
	return false;
}

bool options_taps(const struct options *o, const char *name)
{
	return is_listed(o->tap, o->taps, name);
}

bool options_observes(const struct options *o, const char *name)
{
	if (options_taps(o, name) || is_listed(o->interface, o->interfaces, name))
		return true;
	return o->any || (!o->interfaces && !o->taps);
}

static void defaults(struct options *o)
{
	*o = (struct options){
		.flows = AS_FLOWS_DEFAULT,
		.slots = AS_SLOTS_DEFAULT,
		.listen_address = HTTP_LISTEN_DEFAULT,
		.telemetry_path = HTTP_TELEMETRY_DEFAULT,
		.socket = CONTROL_PATH,
	};
}

/* What getopt's @code is called; a letter that is none of ours as it was typed. */
static void name_of(int code, char name[OPTION_NAME_MAX])
{
	const struct option_def *def = def_of(code);

	if (code == 'h')
		snprintf(name, OPTION_NAME_MAX, "--help");
	else if (def && code >= 256)
		snprintf(name, OPTION_NAME_MAX, "--%s", def->name);
	else
		snprintf(name, OPTION_NAME_MAX, "-%c", code);
}

/* An option that getopt did not take; @code is ':' or '?', optopt says which. */
static int refuse(int code, const char *name, char **argv)
{
	const char *typed = argv[optind - 1], *why = "is unknown";
	char what[OPTION_NAME_MAX];

	name_of(optopt, what);
	if (code == ':')
		why = "needs a value";
	else if (optopt >= 256 || optopt == 'h') /* -h is fine: it was --help=... */
		why = "takes no value";
	log_error("%s: option %s %s; `alpnscope %s --help` lists the options", name,
		  optopt ? what : typed, why, name);
	return EXIT_USAGE;
}

/* A name that nobody registered is most often a slip, and then nothing can ever meet it. */
static void warn_unregistered(const struct options *o, const char *name)
{
	for (unsigned int i = 0; i < o->expects; i++) {
		const char *equals = strchr(o->expect[i], '=');
		const char *id = equals ? equals + 1 : o->expect[i];

		for (size_t len; *id; id += len + (id[len] == ',')) {
			struct alpn_name alpn = {(const uint8_t *)id, 0};

			len = strcspn(id, ",");
			alpn.len = (uint8_t)len;
			if (!alpn_registered(&alpn) && alpn_family(&alpn) == ALPN_OTHER)
				log_info("%s: --expect %.*s: not a registered ALPN ID (h2, "
					 "http/1.1, ...)",
					 name, (int)len, id);
		}
	}
}

/* Options that are right each, and not together; it is said. */
static bool contradicts(const struct options *o, const char *name)
{
	if (o->quiet && o->verbose) {
		log_error("%s: -q and -v contradict each other; give one of them", name);
		return true;
	}
	if (o->forget && (o->filter.port_count || o->roles || o->file)) {
		log_error("%s: --forget forgets all of a service of the running agent, and takes "
			  "no --port, --role or --read; leave them out",
			  name);
		return true;
	}
	for (unsigned int i = 0; i < o->interfaces; i++) {
		if (!options_taps(o, o->interface[i]))
			continue;
		log_error("%s: -i %s and --tap %s contradict each other; give one of them", name,
			  o->interface[i], o->interface[i]);
		return true;
	}
	return false;
}

static int operands(struct options *o, const char *name, const char *operand, int argc, char **argv)
{
	int left = argc - optind;

	if (operand && left == 1) {
		*(strcmp(operand, "FILE") ? &o->service : &o->file) = argv[optind];
		return -1;
	}
	if (!left && (!operand || o->web_config))
		return -1;
	if (operand && !left)
		log_error("%s: %s is missing; `alpnscope %s --help` shows the usage", name, operand,
			  name);
	else if (operand && !strcmp(operand, "FILE"))
		log_error("%s: unexpected '%s': one %s only; read them one by one, or merge them "
			  "(mergecap -w - FILE... | alpnscope %s -)",
			  name, argv[optind + 1], operand, name);
	else
		log_error("%s: unexpected '%s'; `alpnscope %s --help` shows the usage", name,
			  argv[optind + (operand != NULL)], name);
	return EXIT_USAGE;
}

int options_parse(struct options *o, unsigned int command, const char *name, const char *operand,
		  int argc, char **argv)
{
	struct option longs[DEFS + 2];
	char shorts[2 * DEFS + 3], error[512];
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
	if (contradicts(o, name))
		return EXIT_USAGE;
	log_set_level(o->quiet ? LOG_QUIET : o->verbose ? LOG_VERBOSE : LOG_NORMAL);
	code = operands(o, name, operand, argc, argv);
	if (code < 0)
		warn_unregistered(o, name);
	return code;
}
