// SPDX-License-Identifier: GPL-2.0-only
#include "option_set.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>

#include "http.h"
#include "listen.h"
#include "options.h"
#include "alpnscope/flow.h"
#include "program.h"
#include "report_query.h"
#include "service.h"
#include "textfile.h"

#define SOCKET_PATH_MAX (sizeof(((struct sockaddr_un *)0)->sun_path) - 1)

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

OPTION_SETTER(set_interface)
{
	if (!strcmp(value, "any")) {
		o->any = true;
		return 0;
	}
	if (!*value || strlen(value) >= IFNAMSIZ)
		return bad(error, size, value, "an interface's name of 1 to 15 bytes");
	return add_to(o->interface, &o->interfaces, value, error, size);
}

OPTION_SETTER(set_fail_on_ready)
{
	if (strcmp(value, "not-ready") != 0)
		return bad(error, size, value, "a finding to fail on; there is one: not-ready");
	o->fail_on_not_ready = true;
	return 0;
}

OPTION_SETTER(set_role)
{
	return report_set_role(&o->roles, value, error, size);
}

OPTION_SETTER(set_tap)
{
	if (!*value || strlen(value) >= IFNAMSIZ)
		return bad(error, size, value, "an interface's name of 1 to 15 bytes");
	if (!strcmp(value, "any"))
		return bad(error, size, value,
			   "one interface: a tap drops what arrives; name the mirror port");
	return add_to(o->tap, &o->taps, value, error, size);
}

OPTION_SETTER(set_expect)
{
	struct service_book *book = service_new(0);
	int err = book ? 0 : bad(error, size, value, "possible: out of memory");

	/* Beside the others: two for one port are a mistake. */
	for (unsigned int i = 0; !err && i < o->expects; i++)
		err = service_expect(book, o->expect[i], error, size);
	if (!err)
		err = service_expect(book, value, error, size);
	service_free(book);
	if (err)
		return err;
	return add_to(o->expect, &o->expects, value, error, size);
}

OPTION_SETTER(set_output)
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

OPTION_SETTER(set_count)
{
	if (parse_number(value, UINT64_MAX, &o->count) || !o->count)
		return bad(error, size, value, "a number of events, 1 or more");
	return 0;
}

OPTION_SETTER(set_duration)
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

OPTION_SETTER(set_fail_on)
{
	if (strcmp(value, "fallback"))
		return bad(error, size, value, "a finding to fail on; there is one: fallback");
	o->fail_on_fallback = true;
	return 0;
}

OPTION_SETTER(set_hook)
{
	if (!strcmp(value, "auto"))
		o->hook = ATTACH_AUTO;
	else if (!strcmp(value, "tcx"))
		o->hook = ATTACH_TCX;
	else if (!strcmp(value, "clsact"))
		o->hook = ATTACH_CLSACT;
	else if (!strcmp(value, "xdp"))
		o->hook = ATTACH_XDP;
	else
		return bad(error, size, value, "auto, tcx, clsact or xdp");
	return 0;
}

OPTION_SETTER(set_flows)
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

OPTION_SETTER(set_slots)
{
	uint64_t n;

	if (parse_number(value, AS_SLOTS_MAX, &n) || !n) {
		snprintf(error, size, "'%s' is not a number from 1 to %u", value, AS_SLOTS_MAX);
		return -EINVAL;
	}
	for (o->slots = AS_SLOTS_MIN; o->slots < n;)
		o->slots *= 2;
	return 0;
}

OPTION_SETTER(set_listen)
{
	if (!listen_is_address(value))
		return bad(error, size, value,
			   "HOST:PORT; write 127.0.0.1:10035, [::1]:10035, or :10035 for all "
			   "addresses");
	o->listen_address = value;
	return 0;
}

OPTION_SETTER(set_telemetry)
{
	static const char *const own[] = {"/", "/-/healthy", "/-/ready"};

	if (!http_is_path(value))
		return bad(error, size, value,
			   "a path; begin it with / and go on with letters, digits and -._~/");
	for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
		if (!strcmp(value, own[i]))
			return bad(error, size, value,
				   "free: the agent has a page of its own there; choose another "
				   "path such as " HTTP_TELEMETRY_DEFAULT);
	o->telemetry_path = value;
	return 0;
}

OPTION_SETTER(set_web_config)
{
	if (!*value)
		return bad(error, size, value, "a file");
	o->web_config = value;
	return 0;
}

OPTION_SETTER(set_textfile)
{
	if (!textfile_is_path(value))
		return bad(error, size, value,
			   "a path that ends in .prom: node_exporter reads no other");
	o->textfile = value;
	return 0;
}

OPTION_SETTER(set_socket)
{
	if (!*value || strlen(value) > SOCKET_PATH_MAX) {
		snprintf(error, size, "'%.24s%s' is not a path of 1 to %zu bytes", value,
			 *value ? "..." : "", SOCKET_PATH_MAX);
		return -EINVAL;
	}
	o->socket = value;
	return 0;
}

OPTION_SETTER(set_file)
{
	(void)error, (void)size;
	o->file = value;
	return 0;
}

OPTION_SETTER(set_config)
{
	if (!*value)
		return bad(error, size, value, "a file");
	o->config = value;
	return 0;
}

OPTION_SETTER(set_state_dir)
{
	if (!*value)
		return bad(error, size, value, "a directory");
	o->state_dir = value;
	return 0;
}

OPTION_SETTER(set_forget)
{
	if (!*value || strlen(value) >= SERVICE_NAME_MAX)
		return bad(error, size, value, "a service's name of 1 to 63 bytes");
	o->forget = value;
	return 0;
}

OPTION_SETTER(set_port)
{
	return filter_set(&o->filter, "port", value, error, size);
}

OPTION_SETTER(set_sni)
{
	return filter_set(&o->filter, "sni", value, error, size);
}

OPTION_SETTER(set_alpn)
{
	return filter_set(&o->filter, "alpn", value, error, size);
}

OPTION_SETTER(set_outcome)
{
	return filter_set(&o->filter, "outcome", value, error, size);
}

OPTION_SETTER(set_fallback_only)
{
	(void)value;
	return filter_set(&o->filter, "fallback_only", "1", error, size);
}

OPTION_SETTER(set_library)
{
	(void)value, (void)error, (void)size;
	o->library = true;
	return 0;
}

OPTION_SETTER(set_quiet)
{
	(void)value, (void)error, (void)size;
	o->quiet = true;
	return 0;
}

OPTION_SETTER(set_verbose)
{
	(void)value, (void)error, (void)size;
	o->verbose = true;
	return 0;
}
