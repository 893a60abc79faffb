// SPDX-License-Identifier: GPL-2.0-only
#include "learn.h"

#include <stdlib.h>
#include <string.h>

/* An entry that did not fit is left out of its table, and hh.tbl is then NULL. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "alpnscope/wire.h"
#include "shape.h"

#define ALPN_OVERHEAD 7 /* RFC 7301 section 3.1: extension header, list and name length */
#define HTTP1_1_SIZE (ALPN_OVERHEAD + 8)
#define NEAR 2 /* an ECDSA signature in DER has from 70 to 72 bytes, nearly always, */
#define FAR 3 /* and hardly ever so many more or less */
#define SAMPLES 2 /* how many must speak against an answer to rule it out */
#define SIZES 8 /* in one offer */
#define SEEN 12 /* kinds of flights of one server */
#define OFFERS 8
#define NAME_KEPT 32
#define KEY_MAX (16 + 2 + AS_SNI_MAX)
#define SHAPE_EXT (AS_X_MAX_FRAGMENT_LENGTH | AS_X_RECORD_SIZE_LIMIT | AS_X_SUPPORTED_GROUPS)

/* How many bytes ALPN may take in the answer to an offer, ascending; unused ones are 0. */
struct sizes {
	uint16_t count;
	uint16_t size[SIZES];
};

/* Flights to clients that sent the same offer and extensions. */
struct seen {
	unsigned int count; /* 0: free */
	uint64_t hash; /* of the offer, or a small number where the answer is known */
	uint32_t shape;
	unsigned int min, max; /* bytes */
	struct sizes sizes;
};

/* What a server answered to one offer when it resumed. */
struct offer {
	uint64_t hash; /* of the offer, 0: free */
	enum answer answer;
	uint8_t len;
	uint8_t name[NAME_KEPT];
};

struct server {
	struct seen seen[SEEN];
	struct offer offer[OFFERS];
	unsigned int next_seen, next_offer; /* the place that is taken next */
	UT_hash_handle hh;
	size_t key_len;
	uint8_t key[];
};

struct learn_book {
	size_t limit;
	struct server *servers; /* the one not met for longest first */
};

struct learn_book *learn_new(size_t limit)
{
	struct learn_book *book = calloc(1, sizeof(*book));

	if (book)
		book->limit = limit;
	return book;
}

static void drop(struct learn_book *book, struct server *s)
{
	HASH_DEL(book->servers, s);
	free(s);
}

void learn_free(struct learn_book *book)
{
	struct server *s, *next;

	if (!book)
		return;
	HASH_ITER (hh, book->servers, s, next)
		drop(book, s);
	free(book);
}

/* Address, port and server name, of which the case does not count (RFC 6066 section 3). */
static size_t pack_key(const struct as_handshake *hs, uint8_t key[KEY_MAX])
{
	size_t len = sizeof(hs->server_addr);

	memcpy(key, hs->server_addr, len);
	key[len++] = (uint8_t)(hs->server_port >> 8);
	key[len++] = (uint8_t)hs->server_port;
	for (size_t i = 0; i < hs->sni_len && len < KEY_MAX; i++) {
		uint8_t c = as_sni(hs)[i];

		key[len++] = c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c;
	}
	return len;
}

static bool put(struct learn_book *book, struct server *s)
{
	HASH_ADD_KEYPTR(hh, book->servers, s->key, s->key_len, s);
	if (s->hh.tbl)
		return true;
	free(s);
	return false;
}

/* The server of @hs, made if need be, and now the one met last; NULL without memory. */
static struct server *server_of(struct learn_book *book, const struct as_handshake *hs)
{
	uint8_t key[KEY_MAX];
	size_t len = pack_key(hs, key);
	struct server *s;

	HASH_FIND(hh, book->servers, key, len, s);
	if (s) {
		HASH_DEL(book->servers, s);
		return put(book, s) ? s : NULL;
	}
	if (book->limit && HASH_COUNT(book->servers) >= book->limit)
		drop(book, book->servers);
	s = calloc(1, sizeof(*s) + len);
	if (!s)
		return NULL;
	memcpy(s->key, key, len);
	s->key_len = len;
	return put(book, s) ? s : NULL;
}

static void forget(struct server *s)
{
	memset(s->seen, 0, sizeof(s->seen));
	memset(s->offer, 0, sizeof(s->offer));
}

/* FNV-1a; two offers that meet by it are of clients of the same server. */
static uint64_t offer_hash(const struct alpn_list *offered)
{
	uint64_t h = 0xcbf29ce484222325;

	for (unsigned int i = 0; i < offered->count; i++) {
		h = (h ^ offered->name[i].len) * 0x100000001b3;
		for (unsigned int k = 0; k < offered->name[i].len; k++)
			h = (h ^ offered->name[i].bytes[k]) * 0x100000001b3;
	}
	return h ? h : 1;
}

/* What decides, beside ALPN, how long a flight is. */
static uint32_t shape_of(const struct as_handshake *hs)
{
	return (hs->client_ext & SHAPE_EXT) | (hs->flags & AS_F_RETRY ? 1U << 31 : 0);
}

static struct offer *find_offer(struct server *s, uint64_t hash)
{
	for (unsigned int i = 0; i < OFFERS; i++)
		if (s->offer[i].hash == hash)
			return &s->offer[i];
	return NULL;
}

static struct offer *offer_of(struct server *s, uint64_t hash)
{
	struct offer *o = find_offer(s, hash);

	if (o)
		return o;
	o = &s->offer[s->next_offer++ % OFFERS];
	*o = (struct offer){.hash = hash};
	return o;
}

static bool add_size(struct sizes *z, unsigned int size)
{
	unsigned int at;

	for (at = 0; at < z->count && z->size[at] < size; at++)
		;
	if (at < z->count && z->size[at] == size)
		return true;
	if (z->count == SIZES)
		return false;
	memmove(&z->size[at + 1], &z->size[at], (z->count - at) * sizeof(z->size[0]));
	z->size[at] = (uint16_t)size;
	z->count++;
	return true;
}

/*
 * What the server may have answered: nothing, a name that was offered, and http/1.1, which Apache
 * httpd chooses without. Returns false when that is too much to tell apart.
 */
static bool possible_sizes(const struct alpn_list *offered, struct sizes *z)
{
	memset(z, 0, sizeof(*z));
	add_size(z, 0);
	add_size(z, HTTP1_1_SIZE);
	for (unsigned int i = 0; i < offered->count; i++)
		if (!add_size(z, ALPN_OVERHEAD + offered->name[i].len))
			return false;
	return true;
}

/* The answer that takes @size bytes; unknown when it is more than one, or was not offered. */
static struct inference answer_of(const struct alpn_list *offered, unsigned int size)
{
	struct inference found = {.answer = size ? ANSWER_UNKNOWN : ANSWER_NONE};

	for (unsigned int i = 0; i < offered->count; i++) {
		if (ALPN_OVERHEAD + (unsigned int)offered->name[i].len != size)
			continue;
		if (found.answer == ANSWER_NAME && !alpn_equal(&found.name, &offered->name[i]))
			return (struct inference){0};
		found.answer = ANSWER_NAME;
		found.name = offered->name[i];
	}
	return found;
}

/* By how many bytes a flight of @base bytes without ALPN differs from what was seen. */
static unsigned int distance(const struct seen *seen, unsigned int base)
{
	unsigned int least = UINT32_MAX;

	for (unsigned int i = 0; i < seen->sizes.count; i++) {
		unsigned int with = base + seen->sizes.size[i];
		unsigned int off = with < seen->min   ? seen->min - with
				   : with > seen->max ? with - seen->max
						      : 0;

		least = off < least ? off : least;
	}
	return least;
}

/* How many flights speak against @base; @near: none is off by more than a signature may be. */
static unsigned int against(const struct server *s, uint32_t shape, unsigned int base, bool *near)
{
	unsigned int count = 0;

	*near = true;
	for (unsigned int i = 0; i < SEEN; i++) {
		unsigned int off = 0;

		if (s->seen[i].count && s->seen[i].shape == shape)
			off = distance(&s->seen[i], base);
		if (off > NEAR)
			*near = false;
		if (off > FAR)
			count += s->seen[i].count;
	}
	return count;
}

/*
 * The one answer that agrees with all flights that were seen, while at least two of them speak
 * against each other one. @misfit: every answer has some against it.
 */
static struct inference by_line(const struct server *s, uint32_t shape, unsigned int whole,
				const struct alpn_list *offered, const struct sizes *z,
				bool *misfit)
{
	struct inference found = {0};
	unsigned int open = 0, agree = 0;
	bool near;

	*misfit = true;
	for (unsigned int i = 0; i < z->count; i++) {
		unsigned int no = against(s, shape, whole - z->size[i], &near);

		if (no == 0)
			*misfit = false;
		if (no < SAMPLES)
			open++;
		if (near) {
			agree++;
			found = answer_of(offered, z->size[i]);
		}
	}
	return agree == 1 && open == 1 ? found : (struct inference){0};
}

/* Remember a flight. Another length for the same offer is another certificate, or answer. */
static void remember(struct server *s, uint64_t hash, uint32_t shape, unsigned int whole,
		     const struct sizes *z)
{
	struct seen *e = NULL;

	for (unsigned int i = 0; i < SEEN && !e; i++)
		if (s->seen[i].count && s->seen[i].hash == hash && s->seen[i].shape == shape)
			e = &s->seen[i];
	if (e && (whole + FAR < e->max || whole > e->min + FAR)) {
		forget(s);
		e = NULL;
	}
	if (!e) {
		e = &s->seen[s->next_seen++ % SEEN];
		*e = (struct seen){.hash = hash, .shape = shape, .sizes = *z};
		e->min = e->max = whole;
	}
	if (e->count < UINT16_MAX)
		e->count++;
	e->min = whole < e->min ? whole : e->min;
	e->max = whole > e->max ? whole : e->max;
}

/* What the server chose of the same offer when it resumed, as a name of this offer. */
static struct inference by_copy(const struct offer *o, const struct alpn_list *offered)
{
	struct inference found = {.answer = o->answer};

	if (o->answer != ANSWER_NAME)
		return found;
	for (unsigned int i = 0; i < offered->count; i++) {
		found.name = offered->name[i];
		if (found.name.len == o->len && !memcmp(found.name.bytes, o->name, o->len))
			return found;
	}
	return (struct inference){0};
}

/* What is known of a whole flight from others, unknown when the two ways differ. */
static struct inference recall(struct server *s, const struct as_handshake *hs,
			       const struct verdict *v, unsigned int whole, const struct sizes *z)
{
	struct inference line, copy = {0}, none = {0};
	const struct offer *o;
	bool misfit;

	line = by_line(s, shape_of(hs), whole, &v->offered, z, &misfit);
	if (misfit) {
		forget(s);
		return none;
	}
	o = find_offer(s, offer_hash(&v->offered));
	if (o)
		copy = by_copy(o, &v->offered);
	if (line.answer == ANSWER_UNKNOWN)
		return copy;
	return copy.answer == ANSWER_UNKNOWN || inference_equal(&line, &copy) ? line : none;
}

static void learn_resumed(struct server *s, const struct verdict *v, const struct inference *own)
{
	struct offer *o;

	bool known = own->evidence == EVIDENCE_LIBRARY ||
		     (own->evidence == EVIDENCE_RECORD_LENGTH &&
		      (own->grade == GRADE_EXACT || own->grade == GRADE_LISTED));

	if (!known || own->name.len > NAME_KEPT)
		return;
	o = offer_of(s, offer_hash(&v->offered));
	o->answer = own->answer;
	o->len = own->name.len;
	if (o->len)
		memcpy(o->name, own->name.bytes, o->len);
}

/* The answer is known otherwise: of the ALPN sizes one is left. */
static void learn_known(struct server *s, const struct as_handshake *hs, unsigned int whole,
			const struct inference *own)
{
	struct sizes z = {.count = 1};

	if (own->answer == ANSWER_NAME)
		z.size[0] = (uint16_t)(ALPN_OVERHEAD + own->name.len);
	remember(s, z.size[0], shape_of(hs), whole, &z);
}

/* A library answered @own. What would have been said without it, @known being the book's word? */
static void learn_answer(struct server *s, const struct as_handshake *hs, struct verdict *v,
			 unsigned int whole, const struct inference *known)
{
	struct inference own = verdict_inference(v);

	if (v->inferred.answer == ANSWER_UNKNOWN)
		v->inferred = *known;
	else if (known->answer != ANSWER_UNKNOWN && !inference_equal(known, &v->inferred))
		v->inferred = (struct inference){0};
	learn_known(s, hs, whole, &own);
}

static void learn_whole(struct server *s, const struct as_handshake *hs, struct verdict *v,
			unsigned int whole)
{
	struct inference known, own = verdict_inference(v);
	struct sizes z;

	if (!v->has_offer) {
		if (v->outcome == OUTCOME_NOT_OFFERED)
			learn_known(s, hs, whole, &own);
		return;
	}
	if (!possible_sizes(&v->offered, &z))
		return;
	known = recall(s, hs, v, whole, &z);
	remember(s, offer_hash(&v->offered), shape_of(hs), whole, &z);
	known.evidence = EVIDENCE_RECORD_LENGTH;
	known.grade = GRADE_LEARNED;
	if (v->evidence == EVIDENCE_LIBRARY) {
		learn_answer(s, hs, v, whole, &known);
	} else if (own.answer == ANSWER_UNKNOWN && known.answer != ANSWER_UNKNOWN) {
		verdict_infer(v, &known);
	} else if (known.answer != ANSWER_UNKNOWN && !inference_equal(&known, &own)) {
		verdict_infer(v, &(struct inference){0});
	} else if (own.answer == ANSWER_NAME) {
		learn_known(s, hs, whole, &own);
	}
}

void learn_verdict(struct learn_book *book, const struct as_handshake *hs, struct verdict *v)
{
	struct inference own;
	struct server *s;
	struct flight f;

	if (v->version != AS_TLS13 || hs->kind != AS_KIND_HANDSHAKE || v->offer_truncated ||
	    (hs->flags & AS_F_SNI_TRUNCATED) || v->evidence == EVIDENCE_SERVER_HELLO)
		return;
	flight_shape(hs, &f);
	if (f.layout != FLIGHT_WHOLE && f.layout != FLIGHT_SHORT)
		return;
	s = server_of(book, hs);
	if (!s)
		return;
	own = verdict_inference(v);
	if (f.layout == FLIGHT_WHOLE)
		learn_whole(s, hs, v, f.whole);
	else if (v->has_offer && own.answer != ANSWER_UNKNOWN)
		learn_resumed(s, v, &own);
}
