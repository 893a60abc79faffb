// SPDX-License-Identifier: GPL-2.0-only
#include "service.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* An entry that did not fit is left out of its table, and hh.tbl is then NULL. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define KEY_MAX 512 /* role, port, a name, one byte between, AS_SNI_MAX bytes of SNI */

/* What the operator told of one port; port 0 stands for all others. */
struct configured {
	uint16_t port;
	struct expectation expect;
	UT_hash_handle hh;
};

/* The best that one service has chosen so far. */
struct observed {
	enum alpn_family family;
	char name[EXPECT_NAME_MAX];
	UT_hash_handle hh;
	uint8_t key[];
};

struct service_book {
	size_t limit;
	uint64_t refused;
	struct configured *configured;
	struct observed *observed;
};

struct service_book *service_new(size_t limit)
{
	struct service_book *book = calloc(1, sizeof(*book));

	if (book)
		book->limit = limit;
	return book;
}

void service_free(struct service_book *book)
{
	struct configured *c, *next_c;
	struct observed *o, *next_o;

	if (!book)
		return;
	HASH_ITER (hh, book->configured, c, next_c) {
		HASH_DEL(book->configured, c);
		free(c);
	}
	HASH_ITER (hh, book->observed, o, next_o) {
		HASH_DEL(book->observed, o);
		free(o);
	}
	free(book);
}

/* A port stands before the first '='. Returns what follows, NULL when it is none. */
static const char *parse_port(const char *spec, uint16_t *port, char *error, size_t error_size)
{
	const char *ids = strchr(spec, '='), *colon = strchr(spec, ':');
	size_t digits = strspn(spec, "0123456789");
	unsigned long value;

	*port = 0;
	if (!ids && colon) {
		snprintf(error, error_size, "':' does not end a port; write %.*s=%s",
			 (int)(colon - spec), spec, colon + 1);
		return NULL;
	}
	if (!ids)
		return spec;
	value = digits == (size_t)(ids - spec) ? strtoul(spec, NULL, 10) : 0;
	if (value == 0 || value > UINT16_MAX) {
		snprintf(error, error_size, "port \"%.*s\" is not a number from 1 to 65535",
			 (int)(ids - spec), spec);
		return NULL;
	}
	*port = (uint16_t)value;
	return ids + 1;
}

/* One protocol of the list: @len bytes from @id. */
static int add_id(struct expectation *e, const char *id, size_t len, char *error, size_t error_size)
{
	if (len == 0) {
		snprintf(error, error_size,
			 "a protocol name is empty; write them as in \"h2,http/1.1\"");
		return -EINVAL;
	}
	if (len >= EXPECT_NAME_MAX) {
		snprintf(error, error_size, "protocol name \"%.*s\" is longer than %d bytes",
			 (int)len, id, EXPECT_NAME_MAX - 1);
		return -EINVAL;
	}
	for (size_t i = 0; i < len; i++) {
		if (isgraph((unsigned char)id[i]))
			continue;
		snprintf(error, error_size,
			 "protocol name number %u has a blank or a byte that is not printable",
			 e->count + 1);
		return -EINVAL;
	}
	if (e->count == EXPECT_MAX) {
		snprintf(error, error_size, "there are more than %d protocol names", EXPECT_MAX);
		return -EINVAL;
	}
	memcpy(e->name[e->count++], id, len);
	return 0;
}

static int parse_ids(const char *ids, struct expectation *e, char *error, size_t error_size)
{
	size_t len;
	int err;

	memset(e, 0, sizeof(*e));
	e->source = EXPECT_CONFIGURED;
	for (;;) {
		len = strcspn(ids, ",");
		err = add_id(e, ids, len, error, error_size);
		if (err || ids[len] == '\0')
			return err;
		ids += len + 1;
	}
}

static struct configured *find_configured(const struct service_book *book, uint16_t port)
{
	struct configured *c;

	HASH_FIND(hh, book->configured, &port, sizeof(port), c);
	return c;
}

static void say_taken(uint16_t port, char *error, size_t error_size)
{
	static const char next[] = "has an expectation already; give one list, best first";

	if (port)
		snprintf(error, error_size, "port %u %s", port, next);
	else
		snprintf(error, error_size, "every port %s", next);
}

int service_expect(struct service_book *book, const char *spec, char *error, size_t error_size)
{
	struct expectation expect;
	struct configured *c;
	const char *ids;
	uint16_t port;

	ids = parse_port(spec, &port, error, error_size);
	if (!ids || parse_ids(ids, &expect, error, error_size))
		return -EINVAL;
	if (find_configured(book, port)) {
		say_taken(port, error, error_size);
		return -EINVAL;
	}
	c = calloc(1, sizeof(*c));
	if (c) {
		c->port = port;
		c->expect = expect;
		HASH_ADD(hh, book->configured, port, sizeof(c->port), c);
	}
	if (!c || !c->hh.tbl) {
		free(c);
		snprintf(error, error_size, "there is no memory left to keep it");
		return -ENOMEM;
	}
	return 0;
}

/*
 * @key as the bytes of @out, the same for the same service. Returns their number, 0
 * when it is longer than any real one. The name ends with a NUL and holds none, so
 * that no SNI can pass for a part of it.
 */
static size_t pack_key(const struct service_key *key, uint8_t out[KEY_MAX])
{
	size_t name_len = strlen(key->name) + 1;
	size_t len = 3;

	if (name_len > KEY_MAX - len || key->sni_len > KEY_MAX - len - name_len)
		return 0;
	out[0] = (uint8_t)key->role;
	out[1] = (uint8_t)(key->server_port >> 8);
	out[2] = (uint8_t)key->server_port;
	memcpy(out + len, key->name, name_len);
	len += name_len;
	for (size_t i = 0; i < key->sni_len; i++) {
		uint8_t c = key->sni[i];

		out[len++] = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
	}
	return len;
}

static struct observed *find_observed(const struct service_book *book, const uint8_t *key,
				      size_t len)
{
	struct observed *o;

	HASH_FIND(hh, book->observed, key, len, o);
	return o;
}

void service_expectation(const struct service_book *book, const struct service_key *key,
			 struct expectation *out)
{
	const struct configured *c = NULL;
	const struct observed *o;
	uint8_t packed[KEY_MAX];
	size_t len;

	if (key->role != ROLE_CLIENT) {
		c = find_configured(book, key->server_port);
		c = c ? c : find_configured(book, key->other_port);
		c = c ? c : find_configured(book, 0);
	}
	if (c) {
		*out = c->expect;
		return;
	}
	memset(out, 0, sizeof(*out));
	len = pack_key(key, packed);
	o = len ? find_observed(book, packed, len) : NULL;
	if (o) {
		out->source = EXPECT_OBSERVED;
		out->count = 1;
		memcpy(out->name[0], o->name, sizeof(o->name));
	}
}

/* A place for a service that is met for the first time, NULL when there is none. */
static struct observed *add_observed(struct service_book *book, const uint8_t *key, size_t len)
{
	struct observed *o = NULL;

	if (HASH_COUNT(book->observed) < book->limit)
		o = calloc(1, sizeof(*o) + len);
	if (!o)
		return NULL;
	memcpy(o->key, key, len);
	HASH_ADD_KEYPTR(hh, book->observed, o->key, len, o);
	if (!o->hh.tbl) {
		free(o);
		return NULL;
	}
	return o;
}

/* What is learned stays, so it must not come from a guess. */
static bool is_sound(const struct verdict *v)
{
	return v->evidence == EVIDENCE_SERVER_HELLO || v->evidence == EVIDENCE_LIBRARY ||
	       (v->evidence == EVIDENCE_RECORD_LENGTH && v->grade == GRADE_EXACT);
}

void service_learn(struct service_book *book, const struct service_key *key,
		   const struct verdict *v)
{
	enum alpn_family family = alpn_family(&v->chosen);
	uint8_t packed[KEY_MAX];
	struct observed *o;
	size_t len;

	if (v->outcome != OUTCOME_NEGOTIATED || !is_sound(v) || family == ALPN_OTHER ||
	    v->chosen.len >= EXPECT_NAME_MAX)
		return;
	len = pack_key(key, packed);
	o = len ? find_observed(book, packed, len) : NULL;
	if (!o)
		o = len ? add_observed(book, packed, len) : NULL;
	if (!o) {
		book->refused++;
		return;
	}
	if (family > o->family) {
		o->family = family;
		memset(o->name, 0, sizeof(o->name));
		memcpy(o->name, v->chosen.bytes, v->chosen.len);
	}
}

uint64_t service_refused(const struct service_book *book)
{
	return book->refused;
}
