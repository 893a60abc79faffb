// SPDX-License-Identifier: GPL-2.0-only
#include "merge.h"

#include <stdlib.h>
#include <string.h>

/* An entry that did not fit is left out of its table, and hh.tbl is then NULL. */
#define HASH_NONFATAL_OOM 1
#include "hash.h"

/* Two an entry from the start, or one of them were found too full one day, and all made anew. */
#undef HASH_INITIAL_NUM_BUCKETS
#undef HASH_INITIAL_NUM_BUCKETS_LOG2
#define HASH_INITIAL_NUM_BUCKETS (1U << HASH_INITIAL_NUM_BUCKETS_LOG2)
#define HASH_INITIAL_NUM_BUCKETS_LOG2 14U
_Static_assert(HASH_INITIAL_NUM_BUCKETS == 2 * MERGE_KNOWN_MAX, "two buckets an entry");

/* What was seen of a handshake says what it can be known by. These never merge with each
 * other, but an orphan with a handshake that was answered. */
enum kind { ANSWERED = 1, UNANSWERED, ORPHAN };

/**
 * struct key - what copies have in common. Hashed as bytes, with a secret (hash.h), so that nobody
 * can choose randoms that meet in one bucket.
 * @random: the server's, the client's when there was no answer
 * @seq, @ack: of the ClientHello when there was no answer, else 0: a server picks its first
 *             number anew for who replays the hello
 * @number: tells handshakes apart that have all this in common and are not the same; 0 while hashed
 */
struct key {
	uint8_t random[32];
	uint32_t seq, ack;
	uint8_t kind;
	uint8_t number;
	uint8_t pad[6];
};

_Static_assert(sizeof(struct key) == 48, "key has no hidden padding: it is a hash key");

#define NAMES_SHORT 128 /* bytes of names in nearly all records */

/* A record that is held, with room for NAMES_SHORT or AS_NAMES_MAX bytes of names. */
struct held {
	struct held *next; /* while it is spare */
	bool whole;
	struct merged m;
};

/**
 * struct entry - a handshake.
 * @facts: a hash of what the two ends said in TLS
 * @hello_ns, @answer_ns: when its ClientHello and the server's answer were seen first
 * @reached_ns: when its ClientHello was seen last
 * @held: NULL once it was handed over
 * @next: while it is spare
 */
struct entry {
	struct key key;
	uint8_t client_addr[16], server_addr[16];
	uint32_t client_seq;
	uint64_t facts;
	uint64_t hello_ns, answer_ns, reached_ns;
	uint64_t due;
	union {
		struct held *held;
		struct entry *next;
	};
	UT_hash_handle hh;
};

/*
 * The table keeps the order of arrival: known entries first, then, from @oldest, held ones.
 * @numbered: entries whose number is not 0
 * @spare_entries, @spare_held: what was in use, for the next record; the latter by `whole`
 */
struct merge {
	merge_fn fn;
	void *arg;
	struct entry *entries;
	struct entry *oldest;
	uint64_t held, merged;
	unsigned int numbered;
	struct entry *spare_entries;
	struct held *spare_held[2];
};

struct merge *merge_new(merge_fn fn, void *arg)
{
	struct merge *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->fn = fn;
	m->arg = arg;
	return m;
}

static struct entry *take_entry(struct merge *m)
{
	struct entry *e = m->spare_entries;

	if (!e)
		return malloc(sizeof(*e));
	m->spare_entries = e->next;
	return e;
}

static void spare_entry(struct merge *m, struct entry *e)
{
	e->next = m->spare_entries;
	m->spare_entries = e;
}

/* Room for @hs. */
static struct held *take_held(struct merge *m, const struct as_handshake *hs)
{
	size_t some = offsetof(struct held, m.hs.names) + NAMES_SHORT;
	bool whole = hs->size > offsetof(struct as_handshake, names) + NAMES_SHORT;
	struct held *h = m->spare_held[whole];

	if (h) {
		m->spare_held[whole] = h->next;
		return h;
	}
	h = malloc(whole ? sizeof(*h) : some);
	if (h)
		h->whole = whole;
	return h;
}

static void spare_held(struct merge *m, struct held *h)
{
	h->next = m->spare_held[h->whole];
	m->spare_held[h->whole] = h;
}

static void forget(struct merge *m, struct entry *e)
{
	HASH_DEL(m->entries, e);
	m->numbered -= e->key.number > 0;
	if (e->held)
		spare_held(m, e->held);
	spare_entry(m, e);
}

void merge_free(struct merge *m)
{
	struct entry *e, *next;
	struct held *h;

	if (!m)
		return;
	HASH_ITER (hh, m->entries, e, next)
		forget(m, e);
	while ((e = m->spare_entries)) {
		m->spare_entries = e->next;
		free(e);
	}
	for (int whole = 0; whole < 2; whole++)
		while ((h = m->spare_held[whole])) {
			m->spare_held[whole] = h->next;
			free(h);
		}
	free(m);
}

static enum kind kind_of(const struct as_handshake *hs)
{
	if (hs->kind == AS_KIND_ORPHAN)
		return ORPHAN;
	return hs->flags & AS_F_SERVER_HELLO ? ANSWERED : UNANSWERED;
}

static void set_key(struct key *key, const struct as_handshake *hs, enum kind kind)
{
	memset(key, 0, sizeof(*key));
	memcpy(key->random, kind == UNANSWERED ? hs->client_random : hs->server_random,
	       sizeof(key->random));
	key->seq = kind == UNANSWERED ? hs->client_seq : 0;
	key->ack = kind == UNANSWERED ? hs->client_ack : 0;
	key->kind = (uint8_t)kind;
}

/* When the server spoke: its hello, or what ended the handshake in its place. */
static uint64_t answer_ns(const struct as_handshake *hs)
{
	return hs->server_ns ? hs->server_ns : hs->end_ns;
}

static bool is_within(uint64_t a, uint64_t b)
{
	return (a > b ? a - b : b - a) <= MERGE_WINDOW_NS;
}

static uint64_t facts_of(const struct as_handshake *hs)
{
	const uint32_t said[] = {hs->client_ext, hs->server_ext,     hs->client_version,
				 hs->cipher,	 hs->server_version, hs->group,
				 hs->sni_len,	 hs->alpn_len,	     hs->selected_len};
	size_t names = (size_t)hs->sni_len + hs->alpn_len + hs->selected_len;
	uint64_t hash[] = {hash_bytes(said, sizeof(said)),
			   hash_bytes(hs->client_random, sizeof(hs->client_random)),
			   hash_bytes(hs->names, names < AS_NAMES_MAX ? names : AS_NAMES_MAX)};

	return hash_bytes(hash, sizeof(hash));
}

/* Were the two seen within a second of each other? An answer that never came has no time. */
static bool is_near(const struct entry *e, const struct as_handshake *hs)
{
	if (kind_of(hs) == UNANSWERED)
		return is_within(hs->hello_ns, e->hello_ns);
	return is_within(answer_ns(hs), e->answer_ns);
}

/* The same connection behind another address, by what does not change on the way: a proxy
 * opens a connection of its own, with other numbers. */
static bool is_connection(const struct entry *e, const struct as_handshake *hs)
{
	if (!memcmp(e->client_addr, hs->client_addr, 16) &&
	    !memcmp(e->server_addr, hs->server_addr, 16))
		return false;
	return hs->kind == AS_KIND_ORPHAN ||
	       (hs->client_seq == e->client_seq && facts_of(hs) == e->facts);
}

/* Is @hs a copy of @e, which has all of its key but the kind in common? */
static bool is_copy(const struct entry *e, const struct as_handshake *hs)
{
	bool first =
		kind_of(hs) == ORPHAN ? answer_ns(hs) < e->answer_ns : hs->hello_ns < e->hello_ns;

	/* Nothing that was seen first is dropped: who replays a hello comes after it. */
	return is_near(e, hs) && is_connection(e, hs) &&
	       (!first || (e->held && e->key.kind == kind_of(hs)));
}

/* The handshake that @hs is a copy of. Else NULL, and key->number is free, or
 * MERGE_SAME_MAX. @hash: set to the key's */
static struct entry *find(struct merge *m, struct key *key, const struct as_handshake *hs,
			  unsigned int *hash)
{
	uint8_t unused = MERGE_SAME_MAX;

	HASH_VALUE(key, sizeof(*key), *hash);
	for (key->number = 0; key->number < MERGE_SAME_MAX; key->number++) {
		struct entry *e = NULL;

		if (m->entries)
			HASH_FIND_BYHASHVALUE(hh, m->entries, key, sizeof(*key), *hash, e);
		if (e && is_copy(e, hs))
			return e;
		if (e && !e->held && !is_near(e, hs)) {
			forget(m, e); /* of long ago */
			e = NULL;
		}
		if (!e && unused == MERGE_SAME_MAX)
			unused = key->number;
		if (!e && !m->numbered)
			break;
	}
	key->number = unused;
	return NULL;
}

/* A record is as long as its names need. */
static void copy_record(struct as_handshake *to, const struct as_handshake *hs)
{
	memcpy(to, hs, hs->size < sizeof(*hs) ? hs->size : sizeof(*hs));
}

void merged_copy(struct merged *to, const struct merged *m)
{
	memcpy(to, m, offsetof(struct merged, hs));
	copy_record(&to->hs, &m->hs);
}

/* Have @e hold @hs in place of its record. Where there is no memory that stays as it is. */
static void replace(struct merge *m, struct entry *e, const struct as_handshake *hs)
{
	struct held *old = e->held, *held = take_held(m, hs);

	if (!held)
		return;
	memcpy(&held->m, &old->m, offsetof(struct merged, hs));
	copy_record(&held->m.hs, hs);
	e->held = held;
	spare_held(m, old);
}

/* Join a copy to the record that is held. An end's hello is seen first at its own socket, so
 * the first sight tells whose it is. */
static void combine(struct merge *all, struct entry *e, const struct as_handshake *hs)
{
	struct merged *m = &e->held->m;
	struct as_handshake *shown = &m->hs;
	bool hello_first = hs->hello_ns < e->hello_ns;
	bool answer_first = answer_ns(hs) < e->answer_ns;
	struct as_owner client = hello_first ? hs->client : shown->client;
	struct as_owner server = answer_first ? hs->server : shown->server;
	uint64_t server_ns = answer_first ? hs->server_ns : shown->server_ns;
	uint32_t ifindex = hello_first ? hs->ifindex : shown->ifindex;

	if (kind_of(hs) != e->key.kind)
		return; /* an orphan tells nothing new */
	m->client_moved |= !!memcmp(shown->client_addr, hs->client_addr, 16);
	m->server_moved |= !!memcmp(shown->server_addr, hs->server_addr, 16);
	if (hello_first)
		m->dialled = ends_of(hs);
	if (hs->hello_ns > e->reached_ns) {
		m->reached = ends_of(hs);
		e->reached_ns = hs->hello_ns;
	}
	e->hello_ns = hello_first ? hs->hello_ns : e->hello_ns;
	e->answer_ns = answer_first ? answer_ns(hs) : e->answer_ns;
	if (server.cookie ? answer_first : hello_first)
		replace(all, e, hs);
	shown = &e->held->m.hs;
	shown->client = client;
	shown->server = server;
	shown->hello_ns = e->hello_ns;
	shown->server_ns = server_ns;
	shown->ifindex = ifindex;
}

static void fetch(const void *at, size_t size)
{
	for (size_t off = 0; off < size; off += 64)
		__builtin_prefetch((const char *)at + off);
}

static void release_oldest(struct merge *m)
{
	struct entry *e = m->oldest;
	struct held *held = e->held;

	m->oldest = e->hh.next;
	if (m->held > 2) { /* what comes next was written 50 ms ago */
		fetch(m->oldest->held, offsetof(struct held, m.hs.names) + 64);
		fetch(m->oldest->hh.next, sizeof(*e));
	}
	m->held--;
	e->held = NULL;
	m->fn(m->arg, &held->m);
	spare_held(m, held);
}

static void set_held(struct merged *m, const struct as_handshake *hs)
{
	m->client_moved = m->server_moved = false;
	m->dialled = m->reached = ends_of(hs);
	copy_record(&m->hs, hs);
}

/* Hold @hs. False when there is no memory for it. */
static bool hold(struct merge *m, const struct key *key, unsigned int hash,
		 const struct as_handshake *hs, uint64_t now)
{
	struct held *held = take_held(m, hs);
	struct entry *e;

	if (held && HASH_COUNT(m->entries) >= MERGE_KNOWN_MAX)
		forget(m, m->entries);
	e = held ? take_entry(m) : NULL;
	if (!e)
		goto out;
	e->key = *key;
	memcpy(e->client_addr, hs->client_addr, sizeof(e->client_addr));
	memcpy(e->server_addr, hs->server_addr, sizeof(e->server_addr));
	e->client_seq = hs->client_seq;
	e->facts = facts_of(hs);
	e->hello_ns = e->reached_ns = hs->hello_ns;
	e->answer_ns = answer_ns(hs);
	e->due = now + MERGE_HOLD_NS;
	e->held = held;
	set_held(&held->m, hs);
	HASH_ADD_KEYPTR_BYHASHVALUE(hh, m->entries, &e->key, sizeof(e->key), hash, e);
	if (!e->hh.tbl)
		goto out;
	m->numbered += e->key.number > 0;
	if (!m->held++)
		m->oldest = e;
	return true;
out:
	if (held)
		spare_held(m, held);
	if (e)
		spare_entry(m, e);
	return false;
}

void merge_add(struct merge *m, const struct as_handshake *hs, uint64_t now)
{
	struct entry *e = NULL;
	struct merged alone;
	unsigned int hash;
	struct key key;

	if (kind_of(hs) == ORPHAN) {
		set_key(&key, hs, ANSWERED);
		e = find(m, &key, hs, &hash);
	}
	if (!e) {
		set_key(&key, hs, kind_of(hs));
		e = find(m, &key, hs, &hash);
	}
	if (e) {
		m->merged++;
		if (e->held)
			combine(m, e, hs);
		return;
	}
	if (m->held >= MERGE_HELD_MAX)
		release_oldest(m);
	if (key.number < MERGE_SAME_MAX && hold(m, &key, hash, hs, now))
		return;
	set_held(&alone, hs);
	m->fn(m->arg, &alone);
}

uint64_t merge_release(struct merge *m, uint64_t now)
{
	while (m->held && m->oldest->due <= now)
		release_oldest(m);
	return m->held ? m->oldest->due - now : 0;
}

void merge_flush(struct merge *m)
{
	while (m->held)
		release_oldest(m);
}

uint64_t merge_held(const struct merge *m)
{
	return m->held;
}

uint64_t merge_merged(const struct merge *m)
{
	return m->merged;
}
