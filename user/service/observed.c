// SPDX-License-Identifier: GPL-2.0-only
#include "observed.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An entry that did not fit is left out of its table, and hh.tbl is then NULL. */
#define HASH_NONFATAL_OOM 1
#include "hash.h"

#define KEY_MAX 512 /* role, port, a name, one byte between, AS_SNI_MAX bytes of SNI */

/* The best that one service has chosen so far. */
struct observed_entry {
	enum alpn_family family;
	char name[EXPECT_NAME_MAX];
	UT_hash_handle hh;
	size_t len;
	uint8_t key[];
};

/* How many entries one name has. */
struct observed_share {
	size_t entries;
	UT_hash_handle hh;
	char name[];
};

void observed_clear(struct observed *o)
{
	struct observed_entry *e, *next_e;
	struct observed_share *s, *next_s;

	HASH_ITER (hh, o->entries, e, next_e) {
		HASH_DEL(o->entries, e);
		free(e);
	}
	HASH_ITER (hh, o->shares, s, next_s) {
		HASH_DEL(o->shares, s);
		free(s);
	}
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

static struct service_key unpack_key(const struct observed_entry *e)
{
	struct service_key key = {.name = (const char *)e->key + 3, .role = (enum role)e->key[0]};
	size_t head = 3 + strlen(key.name) + 1;

	key.server_port = (uint16_t)(e->key[1] << 8 | e->key[2]);
	key.sni = e->key + head;
	key.sni_len = e->len - head;
	return key;
}

static struct observed_entry *find(const struct observed *o, const uint8_t *key, size_t len)
{
	struct observed_entry *e;

	HASH_FIND(hh, o->entries, key, len, e);
	return e;
}

static struct observed_share *find_share(const struct observed *o, const char *name)
{
	struct observed_share *s;

	HASH_FIND_STR(o->shares, name, s);
	return s;
}

void observed_find(const struct observed *o, const struct service_key *key, struct expectation *out)
{
	const struct observed_entry *e;
	uint8_t packed[KEY_MAX];
	size_t len = pack_key(key, packed);

	e = len ? find(o, packed, len) : NULL;
	if (!e)
		return;
	memset(out, 0, sizeof(*out));
	out->source = EXPECT_OBSERVED;
	out->count = 1;
	memcpy(out->name[0], e->name, sizeof(e->name));
}

/* One more of a share; false when no more would be left for others than it has, or there is no
 * memory. Server names can be invented, and so can ports where no workload is known: however many
 * names are flooded so, there is room for another one. */
static bool take_share(struct observed *o, const char *name)
{
	struct observed_share *s = find_share(o, name);
	size_t size = strlen(name) + 1;

	if (s && s->entries >= o->limit - HASH_COUNT(o->entries))
		return false;
	if (!s) {
		s = calloc(1, sizeof(*s) + size);
		if (!s)
			return false;
		memcpy(s->name, name, size);
		HASH_ADD_STR(o->shares, name, s);
		if (!s->hh.tbl) {
			free(s);
			return false;
		}
	}
	s->entries++;
	return true;
}

static void leave_share(struct observed *o, const char *name)
{
	struct observed_share *s = find_share(o, name);

	if (s && !--s->entries) {
		HASH_DEL(o->shares, s);
		free(s);
	}
}

/* A place for a service that is met for the first time, NULL when there is none. */
static struct observed_entry *add(struct observed *o, const char *name, const uint8_t *key,
				  size_t len)
{
	struct observed_entry *e;

	if (HASH_COUNT(o->entries) >= o->limit || !take_share(o, name))
		return NULL;
	e = calloc(1, sizeof(*e) + len);
	if (e) {
		memcpy(e->key, key, len);
		e->len = len;
		HASH_ADD_KEYPTR(hh, o->entries, e->key, len, e);
	}
	if (!e || !e->hh.tbl) {
		leave_share(o, name);
		free(e);
		return NULL;
	}
	return e;
}

int observed_add(struct observed *o, const struct service_key *key, const struct alpn_name *chosen)
{
	enum alpn_family family = alpn_family(chosen);
	uint8_t packed[KEY_MAX];
	struct observed_entry *e;
	size_t len;

	if (family == ALPN_OTHER || chosen->len >= EXPECT_NAME_MAX)
		return -EINVAL;
	len = pack_key(key, packed);
	e = len ? find(o, packed, len) : NULL;
	if (!e)
		e = len ? add(o, key->name, packed, len) : NULL;
	if (!e) {
		o->refused++;
		return -ENOSPC;
	}
	if (family > e->family) {
		e->family = family;
		memset(e->name, 0, sizeof(e->name));
		memcpy(e->name, chosen->bytes, chosen->len);
		o->changes++;
	}
	return 0;
}

unsigned int observed_forget(struct observed *o, const char *name)
{
	struct observed_entry *e, *next;
	unsigned int count = 0;

	HASH_ITER (hh, o->entries, e, next) {
		struct service_key key = unpack_key(e);

		if (strcmp(key.name, name))
			continue;
		HASH_DEL(o->entries, e);
		leave_share(o, name);
		free(e);
		count++;
	}
	o->changes += count;
	return count;
}

void observed_each(const struct observed *o, service_each_fn fn, void *arg)
{
	for (const struct observed_entry *e = o->entries; e; e = e->hh.next) {
		struct expectation expect = {.source = EXPECT_OBSERVED, .count = 1};
		struct service_key key = unpack_key(e);

		memcpy(expect.name[0], e->name, sizeof(e->name));
		fn(arg, &key, &expect);
	}
}
