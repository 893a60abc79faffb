// SPDX-License-Identifier: GPL-2.0-only
#include "exposition.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A stretch of the Accept header. */
struct span {
	const char *at;
	size_t len;
};

static struct span trim(struct span s)
{
	while (s.len && isspace((unsigned char)*s.at)) {
		s.at++;
		s.len--;
	}
	while (s.len && isspace((unsigned char)s.at[s.len - 1]))
		s.len--;
	return s;
}

/* Cut the part before the next @mark off @rest; false once nothing is left. */
static bool next_part(struct span *rest, char mark, struct span *part)
{
	const char *end;

	if (!rest->at)
		return false;
	end = memchr(rest->at, mark, rest->len);
	part->at = rest->at;
	part->len = end ? (size_t)(end - rest->at) : rest->len;
	rest->len -= part->len + (end ? 1 : 0);
	rest->at = end ? end + 1 : NULL;
	*part = trim(*part);
	return true;
}

static bool span_is(struct span s, const char *text)
{
	return s.len == strlen(text) && !strncasecmp(s.at, text, s.len);
}

/* qvalue of RFC 9110 section 12.4.2 in thousandths; what is none counts as 0, "no". */
static int parse_q(struct span s)
{
	int q, scale = 100;

	if (!s.len || s.len > 5 || (s.at[0] != '0' && s.at[0] != '1') ||
	    (s.len > 1 && s.at[1] != '.'))
		return 0;
	q = (s.at[0] - '0') * 1000;
	for (size_t i = 2; i < s.len; i++, scale /= 10) {
		if (!isdigit((unsigned char)s.at[i]))
			return 0;
		q += (s.at[i] - '0') * scale;
	}
	return q <= 1000 ? q : 0;
}

/* One media range: its q, and whether its version is the one we would answer with. */
static void parse_params(struct span rest, const char *our_version, int *q, bool *version_fits)
{
	struct span param, name, value;

	*q = 1000;
	*version_fits = true;
	while (next_part(&rest, ';', &param)) {
		if (!next_part(&param, '=', &name) || !param.at)
			continue;
		value = trim(param);
		if (value.len >= 2 && value.at[0] == '"' && value.at[value.len - 1] == '"')
			value = (struct span){value.at + 1, value.len - 2};
		if (span_is(name, "q"))
			*q = parse_q(value);
		else if (span_is(name, "version"))
			*version_fits = span_is(value, our_version);
	}
}

/* How much a type is wanted: the most specific range that names it decides. */
struct liking {
	int q[3]; /* by any type, by its main type, by its name; -1 when not told */
};

static void like(struct liking *l, int how, int q)
{
	if (q > l->q[how])
		l->q[how] = q;
}

static int liking_q(const struct liking *l)
{
	for (int how = 2; how >= 0; how--)
		if (l->q[how] >= 0)
			return l->q[how];
	return 0;
}

enum expo_format expo_negotiate(const char *accept)
{
	struct liking text = {{-1, -1, -1}}, open = text;
	struct span rest = {accept, accept ? strlen(accept) : 0}, range, type;
	int q, text_q, open_q;
	bool version_fits;

	while (next_part(&rest, ',', &range)) {
		next_part(&range, ';', &type);
		parse_params(range, "1.0.0", &q, &version_fits);
		if (span_is(type, "application/openmetrics-text") && version_fits)
			like(&open, 2, q);
		else if (span_is(type, "application/*"))
			like(&open, 1, q);
		else if (span_is(type, "text/plain"))
			like(&text, 2, q);
		else if (span_is(type, "text/*"))
			like(&text, 1, q);
		else if (span_is(type, "*/*")) {
			like(&open, 0, q);
			like(&text, 0, q);
		}
	}
	text_q = liking_q(&text);
	open_q = liking_q(&open);
	if (open_q > text_q || (open_q && open_q == text_q && open.q[2] >= 0))
		return EXPO_OPENMETRICS;
	return EXPO_TEXT;
}

const char *expo_content_type(enum expo_format format)
{
	if (format == EXPO_OPENMETRICS)
		return "application/openmetrics-text; version=1.0.0; charset=utf-8";
	return "text/plain; version=0.0.4; charset=utf-8";
}

void expo_family(struct buf *out, enum expo_format format, const struct expo_family *family)
{
	static const char *const types[] = {"counter", "gauge", "histogram", "info"};
	const char *type = types[family->type], *suffix = "";

	/* Text 0.0.4 names a family as its samples are named, and knows no info. */
	if (format == EXPO_TEXT && family->type == EXPO_COUNTER) {
		suffix = "_total";
	} else if (format == EXPO_TEXT && family->type == EXPO_INFO) {
		suffix = "_info";
		type = "gauge";
	}
	buf_printf(out, "# HELP %s%s %s\n", family->name, suffix, family->help);
	buf_printf(out, "# TYPE %s%s %s\n", family->name, suffix, type);
	if (format == EXPO_OPENMETRICS && family->unit)
		buf_printf(out, "# UNIT %s %s\n", family->name, family->unit);
}

static void label_value(struct buf *out, const char *value)
{
	for (const char *c = value; *c; c++) {
		if (*c == '\n')
			buf_puts(out, "\\n");
		else if (*c == '\\' || *c == '"')
			buf_printf(out, "\\%c", *c);
		else if (*c < 0x20 || *c > 0x7e)
			buf_printf(out, "\\\\x%02x", (unsigned char)*c);
		else
			buf_add(out, c, 1);
	}
}

void expo_sample(struct buf *out, const char *name, ...)
{
	const char *label, *separator = "{";
	va_list args;

	buf_puts(out, name);
	va_start(args, name);
	while ((label = va_arg(args, const char *))) {
		buf_printf(out, "%s%s=\"", separator, label);
		label_value(out, va_arg(args, const char *));
		buf_puts(out, "\"");
		separator = ",";
	}
	va_end(args);
	buf_puts(out, *separator == ',' ? "} " : " ");
}

void expo_number(struct buf *out, uint64_t value)
{
	buf_printf(out, "%" PRIu64 "\n", value);
}

void expo_seconds(struct buf *out, uint64_t ns)
{
	buf_printf(out, "%" PRIu64 ".%09" PRIu64 "\n", ns / 1000000000, ns % 1000000000);
}

void expo_end(struct buf *out, enum expo_format format)
{
	if (format == EXPO_OPENMETRICS)
		buf_puts(out, "# EOF\n");
}
