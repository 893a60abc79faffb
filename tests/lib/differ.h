/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * differ.h - random handshakes for the differential test: what is said, and what is
 * therefore to be found. differ_cut.h sends them whole and in pieces.
 *
 * A handshake is a list of parts in the order in which they are said. Everything follows
 * from the seed and the number of the case.
 */
#ifndef TESTS_DIFFER_H
#define TESTS_DIFFER_H

#include "craft.h"

#define DIFFER_HELLO_MAX 16384 /* a hello with its record headers: include/alpnscope/stream.h */
#define DIFFER_RECORDS_MAX 64
#define DIFFER_PARTS 12
#define DIFFER_ROOM 24576 /* bytes of all parts of one case */
#define DIFFER_EXTENSIONS 24
#define DIFFER_FLIGHT 6 /* encrypted records of the server, at the most */

/* splitmix64: by Sebastiano Vigna, public domain. */
struct dice {
	uint64_t state;
};

static inline uint64_t dice_next(struct dice *d)
{
	uint64_t z = d->state += UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

/* A number from @low to @high. */
static inline uint32_t dice_range(struct dice *d, uint32_t low, uint32_t high)
{
	return low + (uint32_t)(dice_next(d) % ((uint64_t)high - low + 1));
}

/* True in @percent of 100 cases. */
static inline bool dice_chance(struct dice *d, uint32_t percent)
{
	return dice_range(d, 0, 99) < percent;
}

static inline void dice_bytes(struct dice *d, uint8_t *to, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++)
		to[i] = (uint8_t)dice_next(d);
}

static inline void dice_put(struct dice *d, struct craft *c, uint32_t len)
{
	dice_bytes(d, c->at + c->len, len);
	c->len += len;
}

/* What is said ahead of the hello, and how it is answered. */
enum differ_lead { LEAD_NONE, LEAD_PROXY1, LEAD_PROXY2, LEAD_STARTTLS, LEAD_CONNECT, LEADS };
enum differ_answer { ANSWER_TLS12, ANSWER_TLS13, ANSWER_RETRY, ANSWER_NONE, ANSWERS };

/**
 * struct differ_part - what one side says.
 * @handshake: messages, for which records are made; else bytes as they go on the wire
 * @hello: a ClientHello
 * @glued: it may share a segment with what the same side says next
 */
struct differ_part {
	bool from_client;
	bool handshake;
	bool hello;
	bool glued;
	uint32_t at;
	uint32_t len;
};

/**
 * struct differ_case - one handshake, and what is to be found in it.
 * @bytes: of all parts
 * @alpn, @selected: ProtocolNameLists
 * @answer_len: of the ServerHello alone; a certificate may follow it in its record
 * @flight: lengths of the records that follow one of TLS 1.3
 */
struct differ_case {
	struct dice dice;
	enum differ_lead lead;
	enum differ_answer answer;
	struct differ_part part[DIFFER_PARTS];
	uint32_t parts;
	uint32_t len;
	uint8_t bytes[DIFFER_ROOM];
	uint8_t client_random[AS_RANDOM_LEN], server_random[AS_RANDOM_LEN];
	uint8_t session_id[AS_SESSION_ID_MAX];
	uint32_t session_id_len;
	char sni[64];
	uint32_t sni_len;
	uint8_t alpn[256], selected[256];
	uint32_t alpn_len, selected_len;
	uint16_t flight[DIFFER_FLIGHT];
	uint32_t flight_len;
	bool pq;
	uint32_t isn[2]; /* client's, server's */
	uint32_t number;
};

static inline struct differ_part *differ_part(struct differ_case *c, bool from_client,
					      const void *bytes, size_t len)
{
	struct differ_part *p = &c->part[c->parts++];

	*p = (struct differ_part){.from_client = from_client, .at = c->len, .len = (uint32_t)len};
	memcpy(c->bytes + c->len, bytes, len);
	c->len += (uint32_t)len;
	return p;
}

/* ---- extensions ---- */

static inline void differ_sni(struct differ_case *c, struct craft *x)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-.";

	c->sni_len = dice_range(&c->dice, 1, sizeof(c->sni));
	for (uint32_t i = 0; i < c->sni_len; i++)
		c->sni[i] = letters[dice_range(&c->dice, 0, sizeof(letters) - 2)];
	craft_sni(x, c->sni, c->sni_len);
}

/* Names of all kinds: usual, GREASE (RFC 8701), any bytes. */
static inline void differ_alpn(struct differ_case *c, struct craft *x)
{
	static const char *const usual[] = {"h2", "http/1.1", "h3", "acme-tls/1", "grpc-exp"};
	uint32_t names = dice_range(&c->dice, 1, 6);

	c->alpn_len = 0;
	for (uint32_t i = 0; i < names; i++) {
		uint8_t *len = c->alpn + c->alpn_len, *name = len + 1;
		uint32_t kind = dice_range(&c->dice, 0, 9);

		if (kind < 7) {
			const char *text = usual[dice_range(&c->dice, 0, 4)];

			*len = (uint8_t)strlen(text);
			memcpy(name, text, *len);
		} else if (kind == 7) {
			*len = 2;
			name[0] = name[1] = (uint8_t)(dice_range(&c->dice, 0, 15) << 4 | 10);
		} else {
			*len = (uint8_t)dice_range(&c->dice, 1, 30);
			dice_bytes(&c->dice, name, *len);
		}
		c->alpn_len += 1U + *len;
	}
	craft_alpn(x, c->alpn, c->alpn_len);
}

/* A client's key shares: GREASE, a hybrid one of @hybrid bytes (0: none), X25519. */
static inline void differ_shares(struct differ_case *c, struct craft *x, uint32_t hybrid)
{
	static struct craft entries;

	entries.len = 0;
	if (dice_chance(&c->dice, 50)) {
		craft_number(&entries, 0x3a3a, 2);
		craft_vector(&entries, 2, "", 1);
	}
	c->pq |= hybrid != 0;
	if (hybrid) {
		craft_number(&entries, AS_GROUP_X25519_MLKEM768, 2);
		craft_number(&entries, hybrid, 2);
		dice_put(&c->dice, &entries, hybrid);
	}
	craft_number(&entries, 0x001d, 2);
	craft_number(&entries, 32, 2);
	dice_put(&c->dice, &entries, 32);
	craft_shares(x, &entries);
}

/* An extension that is not looked into: GREASE, or a number that nobody has, both with
 * @len random bytes. */
static inline void differ_other(struct differ_case *c, struct craft *x, uint32_t i, uint32_t len)
{
	uint16_t type = i < 2 ? (uint16_t)(0x1a1a + 0x1010 * i) : (uint16_t)(0x5000 + i);

	craft_number(x, type, 2);
	craft_number(x, len, 2);
	dice_put(&c->dice, x, len);
}

/* ---- messages ---- */

/**
 * struct differ_shape - what a ClientHello is to have; the second one after a retry has
 * the same but for its key shares.
 */
struct differ_shape {
	bool sni, alpn, tls13;
	uint32_t hybrid, others, padding;
};

/* How long a hello gets: mostly as they are, some up to the bound, TEST_RUN's less. */
static inline uint32_t differ_padding(struct dice *d, uint32_t longest)
{
	switch (dice_range(d, 0, 9)) {
	case 0:
		return dice_range(d, 0, longest);
	case 1:
	case 2:
		return dice_range(d, 0, longest < 2000 ? longest : 2000);
	case 3:
	case 4:
		return dice_range(d, 0, 400);
	default:
		return 0;
	}
}

/* The extensions in random order: each its place in @order. */
static inline void differ_extensions(struct differ_case *c, const struct differ_shape *s,
				     struct craft *x)
{
	uint32_t order[DIFFER_EXTENSIONS], n = 5 + s->others;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t j = dice_range(&c->dice, 0, i);

		order[i] = order[j];
		order[j] = i;
	}
	for (uint32_t i = 0; i < n; i++) {
		if (order[i] == 0 && s->sni)
			differ_sni(c, x);
		else if (order[i] == 1 && s->alpn)
			differ_alpn(c, x);
		else if (order[i] == 2 && s->tls13)
			craft_versions(x, "\x2a\x2a\x03\x04\x03\x03", 6);
		else if (order[i] == 3 && s->tls13)
			differ_shares(c, x, s->hybrid);
		else if (order[i] == 4 && s->padding)
			differ_other(c, x, 21, s->padding); /* in the place of RFC 7685 */
		else if (order[i] > 4)
			differ_other(c, x, order[i] - 5, dice_range(&c->dice, 0, 40));
	}
}

/* A ClientHello by that shape. */
static inline void differ_client_hello(struct differ_case *c, const struct differ_shape *s)
{
	static struct craft ext, body, message;
	uint8_t ciphers[128];
	uint32_t suites = dice_range(&c->dice, 1, sizeof(ciphers) / 2);
	struct differ_part *p;

	/* The second of a retry offers something else (RFC 8446 section 4.1.2 forbids it; the
	 * engine takes it as it comes), so that it is seen which one counts. */
	c->sni_len = c->alpn_len = 0;
	ext.len = body.len = message.len = 0;
	for (uint32_t i = 0; i < suites; i++)
		memcpy(ciphers + 2 * i, "\x13\x01", 2);
	differ_extensions(c, s, &ext);
	craft_client_body(&body, &(struct craft_hello){.random = c->client_random,
						       .session_id = c->session_id,
						       .session_id_len = c->session_id_len,
						       .ciphers = ciphers,
						       .ciphers_len = 2 * suites,
						       .ext = &ext});
	craft_number(&message, AS_HS_CLIENT_HELLO, 1);
	craft_vector(&message, 3, body.at, body.len);
	p = differ_part(c, true, message.at, message.len);
	p->handshake = p->hello = true;
}

/* A ServerHello; @random is a HelloRetryRequest's or c->server_random. @behind: bytes of
 * a Certificate message in the same records. */
static inline void differ_server_hello(struct differ_case *c, const uint8_t *random, bool tls13,
				       uint32_t behind)
{
	static struct craft ext, body, message;

	ext.len = body.len = message.len = 0;
	if (tls13)
		craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, "\x03\x04", 2);
	if (tls13 && c->pq) {
		craft_number(&ext, AS_EXT_KEY_SHARE, 2);
		craft_number(&ext, 4 + 1120,
			     2); /* X25519MLKEM768: draft-kwiatkowski-tls-ecdhe-mlkem */
		craft_number(&ext, AS_GROUP_X25519_MLKEM768, 2);
		craft_number(&ext, 1120, 2);
		dice_put(&c->dice, &ext, 1120);
	}
	if (!tls13 && c->alpn_len && dice_chance(&c->dice, 80)) {
		c->selected_len = 1U + c->alpn[0];
		memcpy(c->selected, c->alpn, c->selected_len);
		craft_alpn(&ext, c->selected, c->selected_len);
	}
	craft_server_body(&body, &(struct craft_hello){.random = random,
						       .session_id = c->session_id,
						       .session_id_len = c->session_id_len,
						       .ext = &ext});
	craft_number(&message, AS_HS_SERVER_HELLO, 1);
	craft_vector(&message, 3, body.at, body.len);
	if (behind) {
		craft_number(&message, 11, 1);
		craft_number(&message, behind, 3);
		dice_put(&c->dice, &message, behind);
	}
	differ_part(c, false, message.at, message.len)->handshake = true;
}

/* ---- the whole of it ---- */

static inline void differ_say(struct differ_case *c, bool from_client, const char *text)
{
	differ_part(c, from_client, text, strlen(text));
}

/* What comes ahead of TLS: RFC 3207 (SMTP), RFC 9110 section 9.3.6 (CONNECT), and the
 * PROXY protocol of HAProxy, version 1 and 2. */
static inline void differ_lead(struct differ_case *c)
{
	static const char proxy2[] =
		"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\xc0\0\2\1\xc0\0\2\2\x30\x39\1\xbb";
	static const char proxy1[] = "PROXY TCP4 192.0.2.1 192.0.2.2 12345 443\r\n";

	if (c->lead == LEAD_PROXY1)
		differ_say(c, true, proxy1);
	else if (c->lead == LEAD_PROXY2)
		differ_part(c, true, proxy2, sizeof(proxy2) - 1);
	if (c->lead == LEAD_PROXY1 || c->lead == LEAD_PROXY2)
		c->part[0].glued = dice_chance(&c->dice, 50);
	if (c->lead == LEAD_STARTTLS) {
		differ_say(c, false, "220 mx.example ESMTP\r\n");
		differ_say(c, true, "EHLO a.example\r\n");
		differ_say(c, false, "250-mx.example\r\n250 STARTTLS\r\n");
		differ_say(c, true, "STARTTLS\r\n");
		differ_say(c, false, "220 go ahead\r\n");
	}
	if (c->lead == LEAD_CONNECT) {
		differ_say(c, true,
			   "CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n");
		differ_say(c, false, "HTTP/1.1 200 Connection established\r\n\r\n");
	}
}

/* Encrypted records behind a ServerHello of TLS 1.3, perhaps in its segments. */
static inline void differ_flight(struct differ_case *c)
{
	static struct craft out;

	out.len = 0;
	c->flight_len = dice_range(&c->dice, 0, DIFFER_FLIGHT);
	c->part[c->parts - 1].glued = dice_chance(&c->dice, 80);
	if (dice_chance(&c->dice, 50))
		craft_put(&out, "\x14\x03\x03\0\1\1", 6);
	for (uint32_t i = 0; i < c->flight_len; i++) {
		c->flight[i] = (uint16_t)dice_range(&c->dice, 0, 300);
		craft_put(&out, "\x17\x03\x03", 3);
		craft_number(&out, c->flight[i], 2);
		dice_put(&c->dice, &out, c->flight[i]);
	}
	if (out.len)
		differ_part(c, false, out.at, out.len);
}

static inline void differ_answer(struct differ_case *c, const struct differ_shape *shape)
{
	struct differ_shape second = *shape;

	if (c->answer == ANSWER_NONE)
		return;
	if (c->answer == ANSWER_RETRY) {
		differ_server_hello(c, craft_retry, true, 0);
		if (dice_chance(&c->dice, 50)) { /* RFC 8446 appendix D.4 */
			differ_part(c, true, "\x14\x03\x03\0\1\1", 6);
			c->part[c->parts - 1].glued = dice_chance(&c->dice, 50);
		}
		if (second.padding > 1000)
			second.padding = 1000;
		differ_client_hello(c, &second);
	}
	differ_server_hello(c, c->server_random, c->answer != ANSWER_TLS12,
			    c->answer == ANSWER_TLS12 && dice_chance(&c->dice, 70)
				    ? dice_range(&c->dice, 1, 2500)
				    : 0);
	if (c->answer != ANSWER_TLS12)
		differ_flight(c);
}

/* What records add at most, and what a hello has besides its padding: the bound is on all. */
#define DIFFER_BESIDES 3100

/**
 * differ_make - case @number of @seed.
 * @longest: no hello is longer, record headers included; at most DIFFER_HELLO_MAX
 */
static inline void differ_make(struct differ_case *c, uint64_t seed, uint32_t number,
			       uint32_t longest)
{
	struct differ_shape s = {0};
	struct dice *d = &c->dice;

	c->dice.state = seed * UINT64_C(0xd1342543de82ef95) + number;
	c->number = number;
	c->parts = c->len = c->selected_len = c->flight_len = 0;
	c->pq = false;
	dice_bytes(d, c->client_random, AS_RANDOM_LEN);
	dice_bytes(d, c->server_random, AS_RANDOM_LEN);
	c->session_id_len = dice_chance(d, 80) ? AS_SESSION_ID_MAX : 0;
	dice_bytes(d, c->session_id, AS_SESSION_ID_MAX);
	for (int i = 0; i < 2; i++) /* every tenth stream passes 2^32 */
		c->isn[i] =
			dice_chance(d, 10) ? 0U - dice_range(d, 1, 3000) : (uint32_t)dice_next(d);
	c->lead = dice_chance(d, 60) ? LEAD_NONE : dice_range(d, 0, LEADS - 1);
	c->answer = dice_range(d, 0, ANSWERS - 1);
	s.tls13 = c->answer == ANSWER_TLS13 || c->answer == ANSWER_RETRY || dice_chance(d, 50);
	s.sni = dice_chance(d, 90);
	s.alpn = dice_chance(d, 90);
	s.hybrid = dice_chance(d, 50) ? 1216 : 0;
	s.others = dice_range(d, 0, 12);
	s.padding = longest > DIFFER_BESIDES ? differ_padding(d, longest - DIFFER_BESIDES) : 0;
	differ_lead(c);
	differ_client_hello(c, &s);
	differ_answer(c, &s);
}

#endif
