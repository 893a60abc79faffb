// SPDX-License-Identifier: GPL-2.0-only
#include "learn.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* An entry that did not fit is left out of its table, and hh.tbl is then NULL. */
#define HASH_NONFATAL_OOM 1
#include "hash.h"

#include "alpnscope/wire.h"
#include "offers.h"
#include "line.h"
#include "shape.h"

#define ALPN_OVERHEAD 7 /* RFC 7301 section 3.1: extension header, list and name length */
#define HTTP1_1_SIZE (ALPN_OVERHEAD + 8)
#define KEY_MAX (16 + 2 + AS_SNI_MAX)
#define SHAPE_EXT                                                                                  \
	(AS_X_MAX_FRAGMENT_LENGTH | AS_X_RECORD_SIZE_LIMIT | AS_X_SUPPORTED_GROUPS | AS_X_ECH |    \
	 AS_X_ALPS | AS_X_OTHER)
#define SHAPE_FLAGS (AS_F_RETRY | AS_F_PQ)
#define NO_OFFER 1 /* in place of an offer's hash */

struct learn_server {
	uint64_t salt; /* the book's */
	struct line line;
	struct offers offers;
	UT_hash_handle hh;
	size_t key_len;
	uint8_t key[];
};

struct learn_book {
	size_t limit;
	uint64_t salt; /* of offers: nobody can make one that is taken for another's */
	struct learn_server *servers; /* the one not met for longest first */
	uint64_t evicted;
	learn_loss_fn losing; /* or NULL */
	void *arg;
};

struct learn_book *learn_new(size_t limit)
{
	struct learn_book *book = calloc(1, sizeof(*book));

	if (!book)
		return NULL;
	book->limit = limit;
	if (getrandom(&book->salt, sizeof(book->salt), 0) == sizeof(book->salt))
		return book;
	free(book);
	return NULL;
}

static void drop(struct learn_book *book, struct learn_server *s)
{
	HASH_DEL(book->servers, s);
	free(s);
}

void learn_free(struct learn_book *book)
{
	struct learn_server *s, *next;

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

/* What is known of @s is about to go: what waits for more is judged by it. */
static void lose(struct learn_book *book, struct learn_server *s)
{
	if (book->losing)
		book->losing(book->arg, s);
}

static void evict(struct learn_book *book, struct learn_server *s)
{
	lose(book, s);
	drop(book, s);
	book->evicted++;
}

static bool put(struct learn_book *book, struct learn_server *s)
{
	HASH_ADD_KEYPTR(hh, book->servers, s->key, s->key_len, s);
	if (s->hh.tbl)
		return true;
	lose(book, s);
	free(s);
	return false;
}

/* The server of @hs, made if need be, and now the one met last; NULL without memory. */
static struct learn_server *server_of(struct learn_book *book, const struct as_handshake *hs)
{
	uint8_t key[KEY_MAX];
	size_t len = pack_key(hs, key);
	struct learn_server *s;

	HASH_FIND(hh, book->servers, key, len, s);
	if (s && !s->hh.next)
		return s;
	if (s) {
		HASH_DEL(book->servers, s);
		return put(book, s) ? s : NULL;
	}
	if (book->limit && HASH_COUNT(book->servers) >= book->limit)
		evict(book, book->servers);
	s = calloc(1, sizeof(*s) + len);
	if (!s)
		return NULL;
	memcpy(s->key, key, len);
	s->key_len = len;
	s->salt = book->salt;
	return put(book, s) ? s : NULL;
}

/* FNV-1a, from a secret start. */
static uint64_t offer_hash(const struct learn_server *s, const struct alpn_list *offered)
{
	uint64_t h = s->salt;

	for (unsigned int i = 0; i < offered->count; i++) {
		h = (h ^ offered->name[i].len) * 0x100000001b3;
		for (unsigned int k = 0; k < offered->name[i].len; k++)
			h = (h ^ offered->name[i].bytes[k]) * 0x100000001b3;
	}
	return h > NO_OFFER ? h : NO_OFFER + 1;
}

/* What decides, beside ALPN, how long a flight is: what the client sent, and how it is sent. */
static uint64_t shape_of(const struct as_handshake *hs, const struct flight *f)
{
	uint64_t shape = hs->client_ext & SHAPE_EXT;

	shape |= (uint64_t)(hs->flags & SHAPE_FLAGS) << 20;
	shape |= (uint64_t)hs->group << 40;
	shape |= (uint64_t)f->layout << 56 | (uint64_t)f->padding << 60;
	return shape | (hs->server_ext & AS_X_PRE_SHARED_KEY ? 1ULL << 63 : 0);
}

/* Can its length be compared with others'? Accepted early data is told in it, or is not. */
static bool measurable(const struct as_handshake *hs, const struct flight *f)
{
	return f->padding != FLIGHT_GRID &&
	       !((hs->client_ext & AS_X_EARLY_DATA) && (hs->server_ext & AS_X_PRE_SHARED_KEY));
}

/*
 * What the server may have answered: nothing, a name that was offered, and http/1.1, which Apache
 * httpd chooses without. Returns false when that is too much to tell apart.
 */
static bool possible_sizes(const struct verdict *v, struct line_sizes *z)
{
	memset(z, 0, sizeof(*z));
	line_add_size(z, 0);
	if (!v->has_offer)
		return true;
	line_add_size(z, HTTP1_1_SIZE);
	for (unsigned int i = 0; i < v->offered.count; i++)
		if (!line_add_size(z, ALPN_OVERHEAD + v->offered.name[i].len))
			return false;
	return true;
}

static struct line_flight measure(const struct learn_server *s, const struct as_handshake *hs,
				  const struct verdict *v, const struct flight *f)
{
	struct line_flight m = {.hash = v->has_offer ? offer_hash(s, &v->offered) : NO_OFFER,
				.shape = shape_of(hs, f),
				.at = line_next(&s->line),
				.certificate = f->layout == FLIGHT_WHOLE};

	m.length = (uint16_t)(m.certificate ? f->whole : (unsigned int)f->ext_min);
	if (!measurable(hs, f) || !possible_sizes(v, &m.sizes))
		m.sizes.count = 0;
	return m;
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

/*
 * What the server chose of the same offer at other times. Only where @m, or its like, was met
 * between those times, it is sure that the answer did not change: else it must not contradict what
 * @v has.
 */
static struct inference by_offer(const struct learn_server *s, const struct verdict *v,
				 const struct line_flight *m)
{
	uint32_t first, last;
	struct inference found =
		offers_find(&s->offers, offer_hash(s, &v->offered), &v->offered, &first, &last);

	bool open = v->grade == GRADE_NONE && v->inferred.answer == ANSWER_UNKNOWN;

	if (found.answer == ANSWER_UNKNOWN || open || line_overlaps(&s->line, m, first, last))
		return found;
	return (struct inference){0};
}

static unsigned int size_of(const struct inference *i)
{
	return i->answer == ANSWER_NAME ? ALPN_OVERHEAD + i->name.len : 0;
}

/* Does no flight speak against @answer? */
static bool explains(const struct learn_server *s, const struct line_flight *m,
		     const struct inference *answer)
{
	struct line_flight only = *m;
	unsigned int size;

	if (answer->answer == ANSWER_UNKNOWN || !m->sizes.count)
		return true;
	only.sizes = (struct line_sizes){.count = 1, .size = {(uint16_t)size_of(answer)}};
	return line_judge(&s->line, &only, &size) != LINE_MISFIT;
}

/* What other flights say of this one; the two ways unknown when they differ. */
static struct inference recall(struct learn_server *s, const struct verdict *v,
			       const struct line_flight *m, enum line_fit *fit)
{
	struct inference line = {0}, copy, none = {0};
	unsigned int size = 0;

	*fit = m->sizes.count ? line_judge(&s->line, m, &size) : LINE_UNKNOWN;
	if (*fit == LINE_MISFIT || *fit == LINE_BROKEN || !v->has_offer)
		return none;
	copy = by_offer(s, v, m);
	if (*fit == LINE_UNKNOWN)
		return explains(s, m, &copy) ? copy : none;
	line = answer_of(&v->offered, size);
	if (line.answer == ANSWER_UNKNOWN) /* known, and not to be told: no copy either */
		return none;
	return copy.answer == ANSWER_UNKNOWN || inference_equal(&line, &copy) ? line : none;
}

/* Change @v where others know better. Returns false when they contradict what is exact. */
static bool settle(struct verdict *v, const struct inference *own, struct inference known)
{
	bool agree = inference_equal(&known, own);

	known.evidence = EVIDENCE_RECORD_LENGTH;
	known.grade = GRADE_LEARNED;
	if (known.answer == ANSWER_UNKNOWN)
		return true;
	if (own->answer == ANSWER_UNKNOWN || (agree && own->grade == GRADE_LIKELY))
		verdict_infer(v, &known);
	else if (!agree && own->grade == GRADE_EXACT)
		return false;
	else if (!agree)
		verdict_infer(v, &(struct inference){0});
	return true;
}

/*
 * A library told what was chosen: say in @v->inferred what would have been concluded without it.
 * Returns false when others contradict the library.
 */
static bool compare(struct verdict *v, struct inference known)
{
	struct inference told = verdict_inference(v), own = v->inferred;
	struct verdict without;

	verdict_copy(&without, v);
	verdict_infer(&without, &own);
	settle(&without, &own, known);
	v->inferred = verdict_inference(&without);
	return known.answer == ANSWER_UNKNOWN || inference_equal(&known, &told);
}

/*
 * How many samples its own evidence is worth. Who speaks HTTP/2 chose it, if the alternative was
 * offered; else it may speak it unasked, having no other.
 */
static unsigned int worth(const struct verdict *v, const struct inference *own)
{
	static const struct alpn_name http1_1 = {(const uint8_t *)"http/1.1", 8};

	if (own->evidence == EVIDENCE_LIBRARY)
		return LINE_SAMPLES;
	switch (own->grade) {
	case GRADE_EXACT:
	case GRADE_LISTED:
		return LINE_SAMPLES;
	case GRADE_STRONG:
		return alpn_contains(&v->offered, &http1_1);
	default:
		return 0;
	}
}

static void learn_flight(struct learn_book *book, struct learn_server *s, struct verdict *v,
			 const struct line_flight *m)
{
	struct inference own = verdict_inference(v), known;
	unsigned int samples = v->has_offer ? worth(v, &own) : 0;
	enum line_fit fit;
	int proved = -1;

	known = recall(s, v, m, &fit);
	if (v->evidence == EVIDENCE_LIBRARY ? !compare(v, known)
					    : v->has_offer && !settle(v, &own, known))
		fit = LINE_MISFIT;
	if (fit == LINE_MISFIT || fit == LINE_BROKEN) {
		lose(book, s);
		memset(&s->offers, 0, sizeof(s->offers));
	}
	if (fit == LINE_MISFIT)
		line_forget(&s->line, m);
	if (fit == LINE_BROKEN)
		line_break(&s->line, m);
	if (samples)
		proved = (int)size_of(&own);
	if (m->sizes.count)
		line_add(&s->line, m, proved);
	s->line.clock = m->at;
	if (samples && v->outcome != OUTCOME_UNDETERMINED)
		offers_add(&s->offers, m->hash, &own, samples, m->at);
	else if (fit == LINE_FITS && v->grade == GRADE_LEARNED)
		offers_add(&s->offers, m->hash, &known, 1, m->at);
}

/* Can others tell of @hs? Then its shape in @f. */
static bool is_eligible(const struct as_handshake *hs, const struct verdict *v, struct flight *f)
{
	if (v->version != AS_TLS13 || hs->kind != AS_KIND_HANDSHAKE || v->offer_truncated ||
	    (hs->flags & AS_F_SNI_TRUNCATED) || v->evidence == EVIDENCE_SERVER_HELLO ||
	    (!v->has_offer && v->outcome != OUTCOME_NOT_OFFERED))
		return false;
	flight_shape(hs, f);
	return f->layout == FLIGHT_SEPARATE || f->layout == FLIGHT_SHORT ||
	       f->layout == FLIGHT_WHOLE;
}

struct learn_ticket learn_verdict(struct learn_book *book, const struct as_handshake *hs,
				  struct verdict *v)
{
	struct learn_ticket ticket = {0};
	bool open = v->outcome == OUTCOME_UNDETERMINED;
	struct line_flight m;
	struct flight f;

	if (!is_eligible(hs, v, &f))
		return ticket;
	ticket.server = server_of(book, hs);
	if (!ticket.server)
		return ticket;
	m = measure(ticket.server, hs, v, &f);
	ticket.at = m.at;
	learn_flight(book, ticket.server, v, &m);
	if (!open || v->outcome != OUTCOME_UNDETERMINED)
		ticket.server = NULL;
	return ticket;
}

void learn_again(const struct learn_ticket *ticket, const struct as_handshake *hs,
		 struct verdict *v)
{
	struct inference own = {0}, known;
	struct line_flight m;
	enum line_fit fit;
	struct flight f;

	flight_shape(hs, &f);
	m = measure(ticket->server, hs, v, &f);
	m.at = ticket->at;
	known = recall(ticket->server, v, &m, &fit);
	settle(v, &own, known);
}

void learn_on_loss(struct learn_book *book, learn_loss_fn fn, void *arg)
{
	book->losing = fn;
	book->arg = arg;
}

size_t learn_servers(const struct learn_book *book)
{
	return HASH_COUNT(book->servers);
}

uint64_t learn_evicted(const struct learn_book *book)
{
	return book->evicted;
}
