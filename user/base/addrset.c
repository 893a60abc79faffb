// SPDX-License-Identifier: GPL-2.0-only
#include "addrset.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include "hash.h"

struct addrset_entry {
	struct addrset_key key;
	unsigned int round;
	UT_hash_handle hh;
};

/* What a handshake is looked up in: an address is local while an entry has it. */
struct addrset_local {
	uint8_t addr[16];
	unsigned int users;
	UT_hash_handle hh;
};

static struct addrset_local *local_find(const struct addrset *set, const uint8_t addr[16])
{
	struct addrset_local *l;

	HASH_FIND(hh, set->locals, addr, sizeof(l->addr), l);
	return l;
}

static int local_get(struct addrset *set, const uint8_t addr[16])
{
	struct addrset_local *l = local_find(set, addr);

	if (!l) {
		l = calloc(1, sizeof(*l));
		if (!l)
			return -ENOMEM;
		memcpy(l->addr, addr, sizeof(l->addr));
		HASH_ADD(hh, set->locals, addr, sizeof(l->addr), l);
		if (!l->hh.tbl) {
			free(l);
			return -ENOMEM;
		}
	}
	l->users++;
	return 0;
}

static void local_put(struct addrset *set, const uint8_t addr[16])
{
	struct addrset_local *l = local_find(set, addr);

	if (!l || --l->users)
		return;
	HASH_DEL(set->locals, l);
	free(l);
}

static struct addrset_entry *find(const struct addrset *set, const struct addrset_key *key)
{
	struct addrset_entry *e;

	HASH_FIND(hh, set->entries, key, sizeof(*key), e);
	return e;
}

static void drop(struct addrset *set, struct addrset_entry *e)
{
	local_put(set, e->key.addr);
	HASH_DEL(set->entries, e);
	free(e);
}

static int add(struct addrset *set, const struct addrset_key *key, unsigned int round)
{
	struct addrset_entry *e = calloc(1, sizeof(*e));
	int err;

	if (!e)
		return -ENOMEM;
	e->key = *key;
	e->round = round;
	HASH_ADD(hh, set->entries, key, sizeof(e->key), e);
	if (!e->hh.tbl) {
		free(e);
		return -ENOMEM;
	}
	err = local_get(set, key->addr);
	if (err) {
		HASH_DEL(set->entries, e);
		free(e);
	}
	return err;
}

int addrset_seen(struct addrset *set, const struct addrset_key *key, unsigned int round)
{
	struct addrset_entry *e = find(set, key);

	if (!e)
		return add(set, key, round);
	e->round = round;
	return 0;
}

void addrset_gone(struct addrset *set, const struct addrset_key *key)
{
	struct addrset_entry *e = find(set, key);

	if (e)
		drop(set, e);
}

void addrset_link_gone(struct addrset *set, unsigned int ifindex)
{
	struct addrset_entry *e, *next;

	HASH_ITER (hh, set->entries, e, next) {
		if (e->key.ifindex == ifindex)
			drop(set, e);
	}
}

void addrset_sweep(struct addrset *set, unsigned int round)
{
	struct addrset_entry *e, *next;

	HASH_ITER (hh, set->entries, e, next) {
		if (e->round != round)
			drop(set, e);
	}
}

bool addrset_has(const struct addrset *set, const uint8_t addr[16])
{
	return local_find(set, addr);
}

void addrset_clear(struct addrset *set)
{
	struct addrset_entry *e, *next;

	HASH_ITER (hh, set->entries, e, next) {
		drop(set, e);
	}
}
