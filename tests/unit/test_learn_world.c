// SPDX-License-Identifier: GPL-2.0-only
/*
 * learn.c, evidence.c: servers that nobody knows. Each is drawn at random: how it sends its
 * flight, what it answers, what it adds to its answer, to whom, how long its certificate is,
 * whether its signature varies, when it is renewed and when its answers change. Clients of several
 * kinds come in random order. What is said of them is compared with what was drawn.
 * WORLD_SEED and WORLD_SERVERS change the numbers.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "flights.h"
#include "lookback.h"

#define SERVERS 3000
#define FLIGHTS_MAX 60
#define TICKETS "/0 413/1 38/1"

static uint64_t random_state;

/* Below @n; xorshift64*. */
static unsigned int draw(unsigned int n)
{
	random_state ^= random_state >> 12;
	random_state ^= random_state << 25;
	random_state ^= random_state >> 27;
	return (unsigned int)((random_state * 0x2545f4914f6cdd1dULL) >> 33) % n;
}

static bool chance(unsigned int percent)
{
	return draw(100) < percent;
}

static const char *const offers[] = {NULL, "h2,http/1.1", "http/1.1", "h2",
				     "h2,h2-16,h2-14,http/1.1"};
#define OFFERS (sizeof(offers) / sizeof(offers[0]))

/* What kinds of clients differ in, beside what they offer. */
struct client {
	unsigned int ext;
	__u16 group;
	unsigned int offer;
};

/* A server as it is now. */
struct world {
	bool whole; /* its flight is one record */
	bool ecdsa;
	bool resumes;
	bool sni, sni_resumed; /* acknowledges the name */
	bool limit; /* answers record_size_limit */
	unsigned int groups; /* in its list, 0: none */
	bool groups_always; /* to all, or to who did not come with its first choice */
	int chain; /* bytes of the certificates */
	unsigned int policy; /* what it answers: enum policy */
	unsigned int port;
};

enum policy { POLICY_BOTH, POLICY_HTTP1, POLICY_H2, POLICY_NONE, POLICIES };

static bool offers_name(const char *offer, const char *name)
{
	const char *at = offer ? strstr(offer, name) : NULL;
	size_t len = strlen(name);

	return at && (at[len] == ',' || !at[len]);
}

/* The true answer: "" for none, NULL for a refusal. */
static const char *truth(const struct world *w, const char *offer)
{
	bool h2 = w->policy == POLICY_BOTH || w->policy == POLICY_H2;
	bool http1 = w->policy == POLICY_BOTH || w->policy == POLICY_HTTP1;

	if (h2 && offers_name(offer, "h2"))
		return "h2";
	return http1 && offers_name(offer, "http/1.1") ? "http/1.1" : "";
}

/* RFC 8446 section 4.3.1: what EncryptedExtensions holds, in bytes. */
static unsigned int extensions(const struct world *w, const struct client *c, bool resumed,
			       const char *answer)
{
	unsigned int x = *answer ? 7 + (unsigned int)strlen(answer) : 0;

	if (resumed ? w->sni_resumed : w->sni)
		x += 4;
	if (w->limit && c->ext & RSL)
		x += 6;
	if (w->groups && (w->groups_always || c->group != X25519))
		x += 6 + 2 * w->groups;
	return x;
}

/* Chain and signature: ECDSA over P-256 in DER, RFC 3279 section 2.2.3, has 70 to 72 bytes. */
static unsigned int certificate(const struct world *w)
{
	unsigned int spread[] = {70, 71, 71, 72};

	return (unsigned int)w->chain + (w->ecdsa ? spread[draw(4)] : 256);
}

static struct as_handshake flight(const struct world *w, const struct client *c)
{
	const char *offer = offers[c->offer];
	bool resumed = w->resumes && chance(25), sha384 = chance(70);
	unsigned int x = extensions(w, c, resumed, truth(w, offer));
	unsigned int finished = 4 + (sha384 ? 48 : 32), certs = certificate(w);
	struct as_handshake hs;
	char server[96];

	if (w->whole && resumed)
		snprintf(server, sizeof(server), "%u" TICKETS, 6 + x + finished + 17);
	else if (w->whole)
		snprintf(server, sizeof(server), "%u" TICKETS, 6 + x + certs + finished + 17);
	else if (resumed)
		snprintf(server, sizeof(server), "%u/0 %u" TICKETS, 23 + x, finished + 17);
	else
		snprintf(server, sizeof(server), "%u/0 %u/0 281/0 %u" TICKETS, 23 + x, certs,
			 finished + 17);
	hs = tls13(offer, SNI | c->ext | (resumed ? PSK : 0), server, sha384 ? "69/9" : "53/9");
	hs.cipher = sha384 ? SHA384 : SHA256;
	hs.group = c->group;
	hs.server_port = (__u16)w->port;
	if (offer && !strcmp(truth(w, offer), "h2") && chance(30))
		flight_of(&hs.client_flight, sha384 ? "69/6 87/6 463/6 26/6" : "53/6 87/6 26/6");
	return hs;
}

static struct world draw_world(unsigned int port)
{
	/* those that libraries send by default */
	static const unsigned int lists[2][4] = {{0, 0, 8, 10}, {0, 0, 2, 3}};
	bool whole = chance(75);

	return (struct world){.whole = whole,
			      .ecdsa = chance(50),
			      .resumes = chance(50),
			      .sni = chance(50),
			      .sni_resumed = chance(20),
			      .limit = chance(30),
			      .groups = lists[whole][draw(4)],
			      .groups_always = chance(50),
			      .chain = 500 + (int)draw(3000),
			      .policy = draw(POLICIES),
			      .port = port};
}

static struct client draw_client(void)
{
	return (struct client){.ext = chance(30) ? RSL : 0,
			       .group = chance(30) ? P256 : X25519,
			       .offer = draw(OFFERS)};
}

/*
 * A renewal: of the same chain, whose serial number, signatures and timestamps are a few bytes
 * longer or shorter, or of another one. Where the leaf's own signature varies, more than 3 bytes
 * cannot be told from ALPN's. @any: by any small number, those of ALPN too.
 */
static void renew(struct world *w, bool any)
{
	int most = any ? 18 : w->ecdsa ? 3 : 5, by = (int)draw(2 * (unsigned int)most + 1) - most;

	if (!any && chance(50))
		by = 40 + (int)draw(600);
	w->chain += by;
}

struct tally {
	unsigned int right[GRADE_COUNT], wrong[GRADE_COUNT], open, offered;
};

/* What was drawn of each handshake that waits, by its number. */
struct run {
	struct tally *tally;
	const char *truth[FLIGHTS_MAX];
};

static void weigh(struct run *r, unsigned int number, const struct verdict *v)
{
	const char *is = r->truth[number];
	size_t len = strlen(is);
	bool right;

	if (!v->has_offer)
		return;
	r->tally->offered++;
	if (v->outcome == OUTCOME_UNDETERMINED) {
		r->tally->open++;
		return;
	}
	right = len ? v->outcome == OUTCOME_NEGOTIATED && v->chosen.len == len &&
				!memcmp(v->chosen.bytes, is, len)
		    : v->outcome == OUTCOME_IGNORED;
	if (right)
		r->tally->right[v->grade]++;
	else
		r->tally->wrong[v->grade]++;
}

static void weigh_later(void *arg, const struct merged *m, const struct verdict *v)
{
	weigh(arg, m->hs.client_port, v);
}

/* One server's life. @back: as from a file, else as it happens. */
static void live(struct tally *t, unsigned int port, bool back, bool any, unsigned int change)
{
	struct learn_book *book = learn_new(10);
	struct run run = {.tally = t};
	struct lookback *look = back ? lookback_new(book, weigh_later, &run) : NULL;
	struct client client[8];
	struct world w = draw_world(port);
	unsigned int flights = 2 + draw(FLIGHTS_MAX - 2), kinds = 1 + draw(8);

	for (unsigned int i = 0; i < kinds; i++)
		client[i] = draw_client();
	for (unsigned int i = 0; i < flights; i++) {
		const struct client *c = &client[draw(kinds)];
		struct merged m;

		if (chance(8))
			renew(&w, any);
		if (chance(change))
			w.policy = draw(POLICIES);
		m = (struct merged){.hs = flight(&w, c)};
		m.hs.client_port = (__u16)i;
		run.truth[i] = truth(&w, offers[c->offer]);
		if (back) {
			lookback_add(look, &m);
		} else {
			struct verdict v;

			verdict_outcome(&m.hs, &v);
			learn_verdict(book, &m.hs, &v);
			weigh(&run, i, &v);
		}
	}
	if (back)
		lookback_flush(look);
	lookback_free(look);
	learn_free(book);
}

static unsigned int from_env(const char *name, unsigned int otherwise)
{
	const char *value = getenv(name);

	return value ? (unsigned int)strtoul(value, NULL, 10) : otherwise;
}

static struct tally all_of(const char *what, bool back, bool any, unsigned int change)
{
	struct tally t = {0};
	unsigned int servers = from_env("WORLD_SERVERS", SERVERS);

	random_state = 0x9e3779b97f4a7c15ULL + from_env("WORLD_SEED", 1);
	for (unsigned int i = 0; i < servers; i++)
		live(&t, 1000 + i % 10000, back, any, change);
	printf("# %s: %u of %u decided, %.1f %%\n", what, t.offered - t.open, t.offered,
	       100.0 * (t.offered - t.open) / t.offered);
	for (unsigned int g = 0; g < GRADE_COUNT; g++)
		if (t.right[g] + t.wrong[g])
			printf("#   %s: %u right, %u wrong\n",
			       grade_name(g) ? grade_name(g) : "certain", t.right[g], t.wrong[g]);
	return t;
}

static void nothing_is_wrong(const struct tally *t)
{
	assert_int_equal(t->wrong[GRADE_EXACT], 0);
	assert_int_equal(t->wrong[GRADE_LEARNED], 0);
	assert_true(t->right[GRADE_EXACT] > 1000);
	assert_true(t->right[GRADE_LEARNED] > 1000);
}

static void as_it_happens(void **state)
{
	struct tally t = all_of("as it happens", false, false, 0);

	(void)state;
	nothing_is_wrong(&t);
}

static void from_a_file(void **state)
{
	struct tally t = all_of("from a file", true, false, 0);

	(void)state;
	nothing_is_wrong(&t);
}

static void hardly_anything_is_wrong(const struct tally *t)
{
	assert_int_equal(t->wrong[GRADE_EXACT], 0);
	assert_true(t->right[GRADE_LEARNED] > 1000);
	assert_true(t->wrong[GRADE_LEARNED] * 100 <= t->right[GRADE_LEARNED]);
}

/* A certificate that is longer by just what ALPN takes cannot be told from ALPN at once. */
static void renewed_by_any_small_number(void **state)
{
	struct tally t = all_of("renewed by any small number", true, true, 0);

	(void)state;
	hardly_anything_is_wrong(&t);
}

/* Two in a hundred handshakes find a server that was set up anew. */
static void answers_change(void **state)
{
	struct tally t = all_of("answers change, as it happens", false, false, 2);

	(void)state;
	hardly_anything_is_wrong(&t);
	t = all_of("answers change, from a file", true, false, 2);
	hardly_anything_is_wrong(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(as_it_happens),
		cmocka_unit_test(from_a_file),
		cmocka_unit_test(renewed_by_any_small_number),
		cmocka_unit_test(answers_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
