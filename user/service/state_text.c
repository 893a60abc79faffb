// SPDX-License-Identifier: GPL-2.0-only
#include "state_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEADER "alpnscope-observed "
#define TEXT_LINE_MAX 2048 /* a name of 63 bytes and one of 255, escaped, and the rest */
#define TEXT_NAME_MAX 512

struct writer {
	struct buf *out;
	unsigned int count;
};

static void put_name(struct buf *out, const void *name, size_t len)
{
	const uint8_t *p = name;

	if (len == 1 && *p == '-')
		buf_puts(out, "\\x2d");
	for (size_t i = 0; i < len && (len != 1 || *p != '-'); i++) {
		if (p[i] == ' ')
			buf_puts(out, "\\x20");
		else
			buf_escaped(out, p + i, 1);
	}
	if (!len)
		buf_puts(out, "-");
}

static void put_service(void *arg, const struct service_key *key, const struct expectation *expect)
{
	struct writer *w = arg;

	w->count++;
	buf_printf(w->out, "%s %u %s ", role_name(key->role), key->server_port, expect->name[0]);
	put_name(w->out, key->name, strlen(key->name));
	buf_puts(w->out, " ");
	put_name(w->out, key->sni, key->sni_len);
	buf_puts(w->out, "\n");
}

void state_write_text(const struct service_book *book, struct buf *out)
{
	struct writer w = {.out = out};

	buf_puts(out, HEADER STATE_VERSION "\n");
	service_observed(book, put_service, &w);
	buf_printf(out, "end %u\n", w.count);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undo put_name(): the bytes of @word in @out, their number, or -1. */
static int take_name(const char *word, uint8_t out[TEXT_NAME_MAX])
{
	int len = 0;

	if (!strcmp(word, "-"))
		return 0;
	for (; *word; len++) {
		if (len == TEXT_NAME_MAX - 1 || *word <= ' ' || *word > '~')
			return -1;
		if (*word != '\\') {
			out[len] = (uint8_t)*word++;
			continue;
		}
		if (word[1] != 'x' || hex(word[2]) < 0 || hex(word[3]) < 0)
			return -1;
		out[len] = (uint8_t)(hex(word[2]) << 4 | hex(word[3]));
		word += 4;
	}
	out[len] = 0;
	return len;
}

static bool take_role(const char *word, enum role *role)
{
	for (*role = 0; *role < ROLE_COUNT; (*role)++)
		if (!strcmp(word, role_name(*role)))
			return true;
	return false;
}

/* A number of up to five digits, or -1. */
static long take_number(const char *word)
{
	size_t digits = strspn(word, "0123456789");

	return digits && digits <= 5 && !word[digits] ? strtol(word, NULL, 10) : -1;
}

/* One service; NULL when the line is one, else why not. @line is changed. */
static const char *take_service(struct service_book *book, char *line, struct state_read *r)
{
	char *word[6] = {NULL}, *rest = NULL, *at = line;
	uint8_t name[TEXT_NAME_MAX], sni[TEXT_NAME_MAX];
	struct service_key key = {.name = (const char *)name, .sni = sni};
	int name_len, sni_len, count = 0, err;
	long port;

	while (count < 6 && (word[count] = strtok_r(at, " ", &rest))) {
		at = NULL;
		count++;
	}
	if (count != 5)
		return "not the five words of a service";
	port = take_number(word[1]);
	name_len = take_name(word[3], name);
	sni_len = take_name(word[4], sni);
	if (!take_role(word[0], &key.role) || port < 0 || port > UINT16_MAX)
		return "no role and port";
	if (name_len <= 0 || name_len >= SERVICE_NAME_MAX || strlen(key.name) != (size_t)name_len ||
	    sni_len < 0 || sni_len > AS_SNI_MAX)
		return "no name of a service and of a server";
	key.server_port = (uint16_t)port;
	key.sni_len = (size_t)sni_len;
	err = service_restore(book, &key, word[2]);
	if (err == -EINVAL)
		return "not the name of an HTTP protocol";
	r->refused += err != 0;
	r->services += !err;
	return NULL;
}

static void damage(struct state_read *r, unsigned int line, const char *why)
{
	if (!r->damaged++) {
		r->line = line;
		r->why = why;
	}
}

/* The next line in @line, terminated; NULL when there is none that has an end. A line that is too
 * long, or has a NUL in it, is "". */
static const char *next_line(const char *text, const char *end, char line[TEXT_LINE_MAX])
{
	const char *newline = memchr(text, '\n', (size_t)(end - text));
	size_t len;

	if (!newline)
		return NULL;
	len = (size_t)(newline - text);
	*line = '\0';
	if (len < TEXT_LINE_MAX && !memchr(text, 0, len)) {
		memcpy(line, text, len);
		line[len] = '\0';
	}
	return newline + 1;
}

static bool is_end(const char *line, const struct state_read *r)
{
	char wanted[32];

	snprintf(wanted, sizeof(wanted), "end %u", r->services + r->refused);
	return !strcmp(line, wanted);
}

struct state_read state_read_text(struct service_book *book, const char *text, size_t len)
{
	const char *end = text + len, *at, *why;
	struct state_read r = {.why = ""};
	unsigned int number = 1;
	char line[TEXT_LINE_MAX];
	bool ended = false;

	at = next_line(text, end, line);
	if (!at || strcmp(line, HEADER STATE_VERSION) != 0) {
		damage(&r, 1,
		       at && !strncmp(line, HEADER, strlen(HEADER))
			       ? "of another version of alpnscope"
			       : "not the first line of observed expectations");
		return r;
	}
	while (!ended && at < end) {
		const char *next = next_line(at, end, line);

		number++;
		if (!next)
			break;
		at = next;
		ended = !strncmp(line, "end ", 4);
		why = ended ? NULL : take_service(book, line, &r);
		if (why)
			damage(&r, number, why);
	}
	if (!r.damaged && (!ended || at != end || !is_end(line, &r)))
		damage(&r, number, "the end is not as it should be");
	return r;
}
