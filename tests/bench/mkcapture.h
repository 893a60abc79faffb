/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * mkcapture.h - the hellos and flights of mkcapture's connections.
 *
 * Extensions, their order and lengths are those of a browser or of OpenSSL 3; keys, signatures
 * and what is encrypted are random bytes.
 */
#ifndef BENCH_MKCAPTURE_H
#define BENCH_MKCAPTURE_H

#include <stdio.h>

#include "certificate.h"
#include "craft.h"

#define POOL (1U << 20) /* random bytes */
#define NAMES 24 /* server names */
#define HELLO_PADDED 508 /* bytes of a body that browsers pad to, RFC 7685 */
#define EXT_PADDING 21
#define TAG 17 /* content type and AEAD tag of a TLS 1.3 record */

enum kind { TLS13_PQ, TLS13, TLS12, PLAIN };

static uint8_t pool[POOL];
static uint64_t state = 0x9e3779b97f4a7c15ULL;

/* xorshift64*: the same numbers in every run, on every machine. */
static inline uint32_t chance(uint32_t below)
{
	state ^= state >> 12;
	state ^= state << 25;
	state ^= state >> 27;
	return (uint32_t)((state * 0x2545f4914f6cdd1dULL) >> 32) % below;
}

static inline const uint8_t *random_bytes(uint32_t len)
{
	return pool + chance(POOL - len);
}

static inline void fill_pool(void)
{
	for (uint32_t i = 0; i < POOL; i++)
		pool[i] = (uint8_t)chance(256);
}

/* What the client offers, inside of the list: nearly always h2 and http/1.1. */
static inline const char *offer_of(uint32_t number)
{
	return number % 10 < 8 ? "\x02h2\x08http/1.1" : number % 10 == 8 ? "\x08http/1.1" : "";
}

/* What the server takes of it. */
static inline const char *choice_of(uint32_t number)
{
	if (number % 10 < 8)
		return number % 16 ? "\x02h2" : "\x08http/1.1";
	return number % 10 == 8 ? "\x08http/1.1" : "";
}

static inline void put_name(struct craft *x, uint32_t number)
{
	char name[32];

	snprintf(name, sizeof(name), "service-%02u.example.org", number % NAMES);
	craft_sni(x, name, strlen(name));
}

static inline void put_alpn(struct craft *x, const char *inside)
{
	if (*inside)
		craft_alpn(x, inside, strlen(inside));
}

static inline void put_key_shares(struct craft *x, enum kind kind)
{
	static struct craft entries;

	entries.len = 0;
	if (kind == TLS13_PQ) {
		craft_number(&entries, AS_GROUP_X25519_MLKEM768, 2);
		craft_vector(&entries, 2, random_bytes(1216), 1216);
	}
	craft_number(&entries, 0x001d, 2);
	craft_vector(&entries, 2, random_bytes(32), 32);
	craft_shares(x, &entries);
}

/* The ClientHello of connection @number. */
static inline void put_client_hello(struct craft *c, enum kind kind, uint32_t number)
{
	static struct craft x;
	uint8_t random[AS_RANDOM_LEN], session[AS_SESSION_ID_MAX];
	struct craft_hello h = {.random = random, .session_id = session, .ext = &x};

	memcpy(random, random_bytes(AS_RANDOM_LEN), AS_RANDOM_LEN);
	memcpy(random, &number, sizeof(number)); /* no other has it */
	memcpy(session, random_bytes(AS_SESSION_ID_MAX), AS_SESSION_ID_MAX);
	x.len = 0;
	put_name(&x, number);
	craft_ext(&x, 23, NULL, 0); /* extended_master_secret */
	craft_ext(&x, AS_EXT_RENEGOTIATION_INFO, BYTES("\0"));
	craft_ext(&x, AS_EXT_SUPPORTED_GROUPS, BYTES("\0\x08\x11\xec\0\x1d\0\x17\0\x18"));
	craft_ext(&x, 11, BYTES("\1\0")); /* ec_point_formats */
	craft_ext(&x, AS_EXT_SESSION_TICKET, NULL, 0);
	put_alpn(&x, offer_of(number));
	craft_ext(&x, 5, BYTES("\1\0\0\0\0")); /* status_request */
	craft_ext(&x, 13, BYTES("\0\x10\4\3\x08\4\4\1\5\3\x08\5\5\1\x08\6\6\1"));
	if (kind == TLS12) {
		h.ciphers = "\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8\xc0\x13\xc0\x14";
		h.ciphers_len = 16;
	} else {
		put_key_shares(&x, kind);
		craft_ext(&x, 45, BYTES("\1\1")); /* psk_key_exchange_modes */
		craft_versions(&x, BYTES("\x03\x04\x03\x03"));
		h.session_id_len = AS_SESSION_ID_MAX;
		h.ciphers = "\x13\1\x13\2\x13\3\xc0\x2b\xc0\x2f\xc0\x2c\xc0\x30\xcc\xa9\xcc\xa8";
		h.ciphers_len = 18;
	}
	if (kind == TLS13)
		craft_ext(&x, EXT_PADDING, pool, HELLO_PADDED - x.len - 96);
	craft_client_hello(c, &h);
}

/* A record of TLS 1.3 around @len encrypted bytes. */
static inline void put_sealed(struct craft *c, uint32_t len)
{
	craft_put(c, "\x17\3\3", 3);
	craft_vector(c, 2, random_bytes(len + TAG), len + TAG);
}

static inline void put_flight13(struct craft *c, enum kind kind, uint32_t number)
{
	static struct craft x;
	uint8_t random[AS_RANDOM_LEN];
	const char *choice = choice_of(number);
	uint32_t share = kind == TLS13_PQ ? 1120 : 32;
	struct craft_hello h = {.random = random,
				.session_id = random_bytes(32),
				.session_id_len = 32,
				.cipher = 0x1301,
				.ext = &x};

	memcpy(random, random_bytes(AS_RANDOM_LEN), AS_RANDOM_LEN);
	memcpy(random, &number, sizeof(number));
	x.len = 0;
	craft_ext(&x, AS_EXT_SUPPORTED_VERSIONS, BYTES("\3\4"));
	craft_number(&x, AS_EXT_KEY_SHARE, 2);
	craft_number(&x, share + 4, 2);
	craft_number(&x, kind == TLS13_PQ ? AS_GROUP_X25519_MLKEM768 : 0x001d, 2);
	craft_vector(&x, 2, random_bytes(share), share);
	craft_server_hello(c, &h);
	craft_put(c, "\x14\3\3\0\1\1", 6);
	put_sealed(c, 6 + (*choice ? 6 + (uint32_t)strlen(choice) : 0)); /* EncryptedExtensions */
	put_sealed(c, 8 + 2 * (5 + (uint32_t)sizeof(certificate)));
	put_sealed(c, 79); /* CertificateVerify */
	put_sealed(c, 36); /* Finished */
}

static inline void put_flight12(struct craft *c, uint32_t number)
{
	static struct craft x, body;
	uint8_t random[AS_RANDOM_LEN];
	struct craft_hello h = {.random = random,
				.session_id = random_bytes(32),
				.session_id_len = 32,
				.cipher = 0xc02b,
				.ext = &x};

	memcpy(random, random_bytes(AS_RANDOM_LEN), AS_RANDOM_LEN);
	memcpy(random, &number, sizeof(number));
	x.len = body.len = 0;
	craft_ext(&x, AS_EXT_RENEGOTIATION_INFO, BYTES("\0"));
	put_alpn(&x, choice_of(number));
	craft_server_hello(c, &h);
	craft_number(&body, 2 * (3 + sizeof(certificate)), 3);
	craft_vector(&body, 3, certificate, sizeof(certificate));
	craft_vector(&body, 3, certificate, sizeof(certificate));
	craft_message(c, 11, body.at, body.len);
	body.len = 0;
	craft_put(&body, "\3\0\x1d", 3); /* named_curve, x25519 */
	craft_vector(&body, 1, random_bytes(32), 32);
	craft_put(&body, "\4\3", 2);
	craft_vector(&body, 2, random_bytes(71), 71);
	craft_message(c, 12, body.at, body.len);
	craft_message(c, 14, NULL, 0);
}

/* The client's end of the handshake. */
static inline void put_finish(struct craft *c, enum kind kind)
{
	if (kind == TLS12) {
		craft_put(c, "\x16\3\3\0\x25\x10\0\0\x21\x20", 10);
		craft_put(c, random_bytes(32), 32);
	}
	craft_put(c, "\x14\3\3\0\1\1", 6);
	if (kind != TLS12) {
		put_sealed(c, 36);
		return;
	}
	craft_put(c, "\x16\3\3", 3);
	craft_vector(c, 2, random_bytes(40), 40);
}

/* What the server says then: tickets, or its ChangeCipherSpec and Finished. */
static inline void put_last(struct craft *c, enum kind kind)
{
	if (kind == TLS12) {
		craft_put(c, "\x14\3\3\0\1\1\x16\3\3", 9);
		craft_vector(c, 2, random_bytes(40), 40);
		return;
	}
	put_sealed(c, 233);
	put_sealed(c, 233);
}

#endif
