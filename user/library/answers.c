// SPDX-License-Identifier: GPL-2.0-only
#include "answers.h"

#include <stdlib.h>
#include <string.h>

/* An entry that did not fit is left out of its table, and hh.tbl is then NULL. */
#define HASH_NONFATAL_OOM 1
#include "hash.h"

#define RANDOM_LEN 32

/**
 * struct entry - a handshake, by the first of its answers.
 * @time_ns: of that one, or of the judgement
 * @answer: all zero (its word is 0) when the handshake was judged without one
 * @judged: it was asked for, or two answers differ: what comes now changes nothing
 * @met: it was seen on the wire
 * @differs: two answers differ
 */
struct entry {
	UT_hash_handle hh;
	uint8_t random[RANDOM_LEN];
	uint64_t time_ns;
	bool judged, met, differs;
	struct as_library_answer answer;
};

/* @entries: in the order of arrival. @verified: files whose fields hold what they answer; @proven:
 * those of them that answers_proven() has not told yet, and how many. */
struct answers {
	size_t limit;
	struct entry *entries;
	bool verified[AS_LIBRARY_FILES];
	bool proven[AS_LIBRARY_FILES];
	unsigned int untold;
	struct answers_count count;
};

struct answers *answers_new(size_t limit)
{
	struct answers *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->limit = limit;
	return t;
}

static void drop(struct answers *t, struct entry *e)
{
	HASH_DEL(t->entries, e);
	free(e);
}

void answers_free(struct answers *t)
{
	struct entry *e, *next;

	if (!t)
		return;
	HASH_ITER (hh, t->entries, e, next)
		drop(t, e);
	free(t);
}

/* It waits no longer. */
static void settle(struct answers *t, struct entry *e)
{
	if (!e->judged)
		t->count.waiting--;
	e->judged = true;
}

static void unmatched(struct answers *t, struct entry *e, enum answers_unmatched why)
{
	if (!e->judged)
		t->count.unmatched[why]++;
	settle(t, e);
}

/* The entry of @random, made if need be; NULL without memory. */
static struct entry *entry_of(struct answers *t, const uint8_t *random, uint64_t now, bool *made)
{
	struct entry *e;

	*made = false;
	HASH_FIND(hh, t->entries, random, RANDOM_LEN, e);
	if (e)
		return e;
	if (HASH_COUNT(t->entries) >= t->limit && t->entries) {
		unmatched(t, t->entries, ANSWERS_FULL);
		drop(t, t->entries);
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	memcpy(e->random, random, RANDOM_LEN);
	e->time_ns = now;
	HASH_ADD(hh, t->entries, random, RANDOM_LEN, e);
	if (!e->hh.tbl) {
		free(e);
		return NULL;
	}
	*made = true;
	return e;
}

static bool is_hello(const uint8_t random[RANDOM_LEN])
{
	static const uint8_t zero[RANDOM_LEN];
	/* SHA-256 of "HelloRetryRequest" */
	static const uint8_t retry[RANDOM_LEN] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
						  0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
						  0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
						  0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

	return memcmp(random, zero, RANDOM_LEN) && memcmp(random, retry, RANDOM_LEN);
}

static bool same_answer(const struct as_library_answer *a, const struct as_library_answer *b)
{
	return a->name_len == b->name_len && !memcmp(a->name, b->name, a->name_len);
}

/* The file is what it seems to be: its random met the wire. */
static void verify(struct answers *t, const struct as_library_answer *a)
{
	if (a->how != AS_LIBRARY_OUT || !a->agrees || t->verified[a->file])
		return;
	t->verified[a->file] = true;
	t->untold += !t->proven[a->file];
	t->proven[a->file] = true;
}

/* The same process had not chosen yet when it was asked: a program may ask before the handshake is
 * over, and a server's random is older than its choice. */
static bool is_choice(const struct entry *e, const struct as_library_answer *a)
{
	return !e->judged && !e->answer.name_len && a->name_len && e->answer.tgid == a->tgid;
}

/* Another answer about a handshake that has one. */
static void join(struct answers *t, struct entry *e, const struct as_library_answer *a)
{
	if (is_choice(e, a)) {
		e->answer = *a;
	} else if (same_answer(&e->answer, a)) {
		/* The library's own word is worth more than its memory's. */
		if (e->answer.how == AS_LIBRARY_FIELD)
			e->answer = *a;
	} else if (!e->differs) {
		e->differs = true;
		t->count.unmatched[ANSWERS_CONFLICT]++;
		settle(t, e);
	}
}

void answers_add(struct answers *t, const struct as_library_answer *a)
{
	struct entry *e;
	bool made;

	if (!is_hello(a->random) || a->file >= AS_LIBRARY_FILES)
		return;
	answers_expire(t, a->time_ns);
	e = entry_of(t, a->random, a->time_ns, &made);
	if (!e) {
		t->count.unmatched[ANSWERS_FULL]++;
	} else if (made) {
		e->answer = *a;
		t->count.waiting++;
	} else if (e->answer.word) {
		join(t, e, a);
	} else {
		e->answer = *a;
		t->count.unmatched[ANSWERS_LATE]++;
	}
	if (e && e->met)
		verify(t, a);
}

bool answers_take(struct answers *t, const uint8_t random[32], bool needed, bool broken_off,
		  uint64_t now, struct as_library_answer *out)
{
	struct entry *e;
	bool made;

	e = entry_of(t, random, now, &made);
	if (!e)
		return false;
	e->met = true;
	if (made)
		e->judged = true;
	if (e->judged)
		return false;
	verify(t, &e->answer);
	if (!needed) {
		unmatched(t, e, ANSWERS_IN_CLEAR);
		return false;
	}
	if (e->answer.how == AS_LIBRARY_FIELD && !t->verified[e->answer.file]) {
		unmatched(t, e, ANSWERS_UNVERIFIED);
		return false;
	}
	if (broken_off && !e->answer.name_len && e->answer.how != AS_LIBRARY_MESSAGE) {
		unmatched(t, e, ANSWERS_TOO_EARLY);
		return false;
	}
	settle(t, e);
	t->count.taken++;
	*out = e->answer;
	return true;
}

void answers_expire(struct answers *t, uint64_t now)
{
	while (t->entries && t->entries->time_ns + ANSWERS_KEEP_NS < now) {
		unmatched(t, t->entries, ANSWERS_NO_HANDSHAKE);
		drop(t, t->entries);
	}
}

void answers_new_file(struct answers *t, unsigned int number)
{
	t->verified[number] = false;
	t->untold -= t->proven[number];
	t->proven[number] = false;
}

unsigned int answers_proven(struct answers *t)
{
	unsigned int number = 0;

	if (!t->untold)
		return AS_LIBRARY_FILES;
	while (number + 1 < AS_LIBRARY_FILES && !t->proven[number])
		number++;
	t->proven[number] = false;
	t->untold--;
	return number;
}

struct answers_count answers_count(const struct answers *t)
{
	return t->count;
}
