// SPDX-License-Identifier: GPL-2.0-only
#include "learn.h"

#include <stdlib.h>
#include <string.h>

/* An entry that did not fit is left out of its table, and hh.tbl is then NULL. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "alpnscope/wire.h"
#include "flight.h"

#define ALPN_OVERHEAD 7 /* RFC 7301 section 3.1: extension header, list and name length */
#define NOISE 2 /* an ECDSA signature in DER varies by so many bytes around its mean */
#define SAMPLES 2 /* what a baseline needs before it decides */
#define SHAPES 4 /* kinds of clients, by what the server may answer them */
#define OFFERS 8
#define NAME_MAX_KEPT 32
#define KEY_MAX (16 + 2 + AS_SNI_MAX)
#define SHAPE_EXT (AS_X_MAX_FRAGMENT_LENGTH | AS_X_RECORD_SIZE_LIMIT | AS_X_SUPPORTED_GROUPS)

/* The length of a flight without ALPN, for clients that sent the same extensions. */
struct baseline {
	unsigned int count; /* of samples, 0: free */
	uint32_t shape;
	unsigned int min, max;
};

/* What a server answered to one offer when it resumed. */
struct offer {
	uint64_t hash; /* of the offer, 0: free */
	uint32_t shape; /* of the last whole flight */
	unsigned int whole; /* its length, 0: none was seen */
	enum answer answer;
	uint8_t len;
	uint8_t name[NAME_MAX_KEPT];
};

struct server {
	struct baseline base[SHAPES];
	struct offer offer[OFFERS];
	unsigned int next_base, next_offer; /* the place that is taken next */
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
	memset(s->base, 0, sizeof(s->base));
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

static struct baseline *find_base(struct server *s, uint32_t shape)
{
	for (unsigned int i = 0; i < SHAPES; i++)
		if (s->base[i].count && s->base[i].shape == shape)
			return &s->base[i];
	return NULL;
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

/* @whole without @alpn bytes is what the baseline says. */
static bool on_base(const struct baseline *b, unsigned int whole, unsigned int alpn)
{
	return whole >= alpn && whole - alpn + NOISE >= b->max && whole - alpn <= b->min + NOISE;
}

/* A flight whose answer takes @alpn bytes. One that is off the line begins another. */
static void add_sample(struct server *s, uint32_t shape, unsigned int whole, unsigned int alpn)
{
	struct baseline *b = find_base(s, shape);
	unsigned int base = whole - alpn;

	if (whole < alpn)
		return;
	if (b && !on_base(b, whole, alpn)) {
		forget(s);
		b = NULL;
	}
	if (!b) {
		b = &s->base[s->next_base++ % SHAPES];
		*b = (struct baseline){.shape = shape, .min = base, .max = base};
	}
	b->count++;
	b->min = base < b->min ? base : b->min;
	b->max = base > b->max ? base : b->max;
}

static unsigned int alpn_bytes(const struct alpn_name *name)
{
	return name ? ALPN_OVERHEAD + name->len : 0;
}

/*
 * The one answer whose ALPN explains @whole. @fits: how many do, http/1.1 among them even if it
 * was not offered, for Apache httpd chooses it all the same.
 */
static struct inference by_baseline(const struct baseline *b, unsigned int whole,
				    const struct alpn_list *offered, unsigned int *fits)
{
	static const struct alpn_name http1_1 = {(const uint8_t *)"http/1.1", 8};
	struct inference found = {0};

	*fits = 0;
	if (on_base(b, whole, 0)) {
		found.answer = ANSWER_NONE;
		++*fits;
	}
	for (unsigned int i = 0; i < offered->count; i++) {
		if (!on_base(b, whole, alpn_bytes(&offered->name[i])))
			continue;
		found.answer = ANSWER_NAME;
		found.name = offered->name[i];
		++*fits;
	}
	if (!alpn_contains(offered, &http1_1) && on_base(b, whole, alpn_bytes(&http1_1))) {
		found.answer = ANSWER_UNKNOWN;
		++*fits;
	}
	return *fits == 1 ? found : (struct inference){0};
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

/* Flights to the same offer have one length: else the certificate, or the answer, is another. */
static bool same_flight(const struct offer *o, uint32_t shape, unsigned int whole)
{
	unsigned int off = whole > o->whole ? whole - o->whole : o->whole - whole;

	return !o->whole || o->shape != shape || off <= 2 * NOISE;
}

/* What is known of a whole flight from others, unknown when the two ways differ. */
static struct inference recall(struct server *s, const struct as_handshake *hs,
			       const struct verdict *v, unsigned int whole)
{
	struct inference line = {0}, copy = {0}, none = {0};
	uint32_t shape = shape_of(hs);
	struct baseline *b = find_base(s, shape);
	struct offer *o = offer_of(s, offer_hash(&v->offered));
	unsigned int fits = 1;

	if (b)
		line = by_baseline(b, whole, &v->offered, &fits);
	if (!fits || !same_flight(o, shape, whole)) {
		forget(s);
		return none;
	}
	o->shape = shape;
	o->whole = whole;
	copy = by_copy(o, &v->offered);
	if (!b || b->count < SAMPLES)
		return copy;
	if (line.answer == ANSWER_UNKNOWN)
		return fits == 1 ? none : copy;
	return copy.answer == ANSWER_UNKNOWN || inference_equal(&line, &copy) ? line : none;
}

static void learn_resumed(struct server *s, const struct verdict *v, const struct inference *own)
{
	struct offer *o;

	if (own->evidence != EVIDENCE_RECORD_LENGTH ||
	    (own->grade != GRADE_EXACT && own->grade != GRADE_LISTED) ||
	    own->name.len > NAME_MAX_KEPT)
		return;
	o = offer_of(s, offer_hash(&v->offered));
	o->answer = own->answer;
	o->len = own->name.len;
	if (o->len)
		memcpy(o->name, own->name.bytes, o->len);
}

static void learn_whole(struct server *s, const struct as_handshake *hs, struct verdict *v,
			const struct inference *own, unsigned int whole)
{
	struct inference known;

	if (!v->has_offer) {
		if (v->outcome == OUTCOME_NOT_OFFERED)
			add_sample(s, shape_of(hs), whole, 0);
		return;
	}
	known = recall(s, hs, v, whole);
	if (own->answer == ANSWER_UNKNOWN && known.answer != ANSWER_UNKNOWN) {
		known.evidence = EVIDENCE_RECORD_LENGTH;
		known.grade = GRADE_LEARNED;
		verdict_infer(v, &known);
		return;
	}
	if (own->answer != ANSWER_NAME)
		return;
	if (known.answer != ANSWER_UNKNOWN && !inference_equal(&known, own)) {
		verdict_infer(v, &(struct inference){0});
		return;
	}
	add_sample(s, shape_of(hs), whole, alpn_bytes(&own->name));
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
		learn_whole(s, hs, v, &own, f.whole);
	else if (v->has_offer && own.answer != ANSWER_UNKNOWN)
		learn_resumed(s, v, &own);
}
