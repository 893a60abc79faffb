// SPDX-License-Identifier: GPL-2.0-only
#include "filter.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"

static int set_port(struct event_filter *f, const char *value, char *error, size_t error_size)
{
	unsigned long port = 0;
	size_t digits = strspn(value, "0123456789");

	if (digits && digits <= 5 && !value[digits])
		port = strtoul(value, NULL, 10);
	if (!port || port > UINT16_MAX) {
		snprintf(error, error_size, "'%s' is not a port from 1 to 65535", value);
		return -EINVAL;
	}
	if (f->port_count == FILTER_PORTS_MAX) {
		snprintf(error, error_size, "'%s' is one port too many; give at most %d", value,
			 FILTER_PORTS_MAX);
		return -EINVAL;
	}
	f->port[f->port_count++] = (uint16_t)port;
	return 0;
}

static int set_outcome(struct event_filter *f, const char *value, char *error, size_t error_size)
{
	int outcome = outcome_by_name(value);
	size_t at;

	if (outcome >= 0) {
		f->outcomes |= 1U << outcome;
		return 0;
	}
	at = (size_t)snprintf(error, error_size, "'%s' is not an outcome; there are:", value);
	for (int i = 0; i < OUTCOME_COUNT && at < error_size; i++)
		at += (size_t)snprintf(error + at, error_size - at, "%s %s", i ? "," : "",
				       outcome_name((enum outcome)i));
	return -EINVAL;
}

static int set_text(char *into, const char *what, const char *value, char *error, size_t error_size)
{
	size_t len = strlen(value);

	if (!len || len >= FILTER_TEXT_MAX) {
		snprintf(error, error_size, "'%.16s%s' is not a %s of 1 to %d bytes", value,
			 len ? "..." : "", what, FILTER_TEXT_MAX - 1);
		return -EINVAL;
	}
	if (*into) {
		snprintf(error, error_size, "'%s' is a second %s; give one", value, what);
		return -EINVAL;
	}
	memcpy(into, value, len + 1);
	return 0;
}

int filter_set(struct event_filter *f, const char *key, const char *value, char *error,
	       size_t error_size)
{
	if (!strcmp(key, "port"))
		return set_port(f, value, error, error_size);
	if (!strcmp(key, "outcome"))
		return set_outcome(f, value, error, error_size);
	if (!strcmp(key, "sni"))
		return set_text(f->sni, "server name", value, error, error_size);
	if (!strcmp(key, "alpn"))
		return set_text(f->alpn, "protocol name", value, error, error_size);
	if (strcmp(key, "fallback_only")) {
		snprintf(error, error_size,
			 "\"%s\" is not a filter; there are: port, sni, alpn, outcome, "
			 "fallback_only",
			 key);
		return -ENOENT;
	}
	if (strcmp(value, "1")) {
		snprintf(error, error_size, "'%s' is not 1, the one value of fallback_only", value);
		return -EINVAL;
	}
	f->fallback_only = true;
	return 0;
}

static bool port_matches(const struct event_filter *f, uint16_t port)
{
	for (unsigned int i = 0; i < f->port_count; i++)
		if (f->port[i] == port)
			return true;
	return !f->port_count;
}

/* Names are compared as they are shown, so that what a person sees can be asked for. */
static bool sni_matches(const struct event_filter *f, const struct as_handshake *hs)
{
	struct buf name = {0};
	bool match;

	if (!f->sni[0])
		return true;
	if (!hs->sni_len)
		return false;
	buf_escaped(&name, as_sni(hs), hs->sni_len);
	match = !name.failed && !fnmatch(f->sni, name.data, FNM_CASEFOLD | FNM_NOESCAPE);
	buf_free(&name);
	return match;
}

static bool name_is(const struct alpn_name *name, const char *text)
{
	struct buf shown = {0};
	bool same;

	buf_escaped(&shown, name->bytes, name->len);
	same = shown.data && !shown.failed && !strcmp(shown.data, text);
	buf_free(&shown);
	return same;
}

static bool alpn_matches(const struct event_filter *f, const struct verdict *v)
{
	if (!f->alpn[0])
		return true;
	if (v->has_chosen && name_is(&v->chosen, f->alpn))
		return true;
	for (unsigned int i = 0; v->has_offer && i < v->offered.count; i++)
		if (name_is(&v->offered.name[i], f->alpn))
			return true;
	return false;
}

bool filter_match(const struct event_filter *f, const struct event *ev)
{
	uint16_t other = event_other_port(ev);

	if (!port_matches(f, ev->hs->server_port) && !(other && port_matches(f, other)))
		return false;
	if (f->outcomes && !(f->outcomes & 1U << ev->verdict.outcome))
		return false;
	if (f->fallback_only && !cause_is_fallback(ev->side[0].cause))
		return false;
	return sni_matches(f, ev->hs) && alpn_matches(f, &ev->verdict);
}
