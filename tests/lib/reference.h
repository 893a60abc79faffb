/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * reference.h - a second reader of hellos, for tests: the presentation language of
 * RFC 8446 section 3 word for word, no more. It shares nothing with the engine.
 */
#ifndef TESTS_REFERENCE_H
#define TESTS_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* What is left of a block; `bad` once something did not fit. */
struct ref {
	const uint8_t *at;
	uint32_t left;
	bool bad;
};

/* What a hello says. */
struct ref_hello {
	bool bad;
	const uint8_t *random;
	struct ref sni;
	struct ref alpn; /* the inside of the list */
};

static inline const uint8_t *ref_bytes(struct ref *r, uint32_t n)
{
	const uint8_t *at = r->at;

	if (n > r->left) {
		r->bad = true;
		r->left = 0;
		return at;
	}
	r->at += n;
	r->left -= n;
	return at;
}

static inline uint32_t ref_number(struct ref *r, uint32_t size)
{
	const uint8_t *at = ref_bytes(r, size);
	uint32_t value = 0;

	for (uint32_t i = 0; i < size && !r->bad; i++)
		value = value << 8 | at[i];
	return value;
}

/* opaque x<...>: a block behind its length of @size bytes. */
static inline struct ref ref_vector(struct ref *r, uint32_t size)
{
	uint32_t n = ref_number(r, size);
	const uint8_t *at = ref_bytes(r, n);

	return (struct ref){.at = at, .left = r->bad ? 0 : n, .bad = r->bad};
}

/* RFC 6066 section 3: a list, whose first name counts. */
static inline bool ref_server_name(struct ref body, struct ref_hello *h)
{
	struct ref list = ref_vector(&body, 2), name;
	uint32_t type = ref_number(&list, 1);

	name = ref_vector(&list, 2);
	if (body.left || list.bad || !name.left)
		return false;
	if (type == 0)
		h->sni = name;
	return true;
}

/* RFC 7301 section 3.1; empty lists and names are the sender's fault, and facts. */
static inline bool ref_alpn(struct ref body, struct ref_hello *h)
{
	struct ref list = ref_vector(&body, 2), names = list;

	while (names.left)
		ref_vector(&names, 1);
	h->alpn = list;
	return !body.left && !list.bad && !names.bad;
}

/* The extensions that the engine knows, by their numbers at IANA. */
static inline int ref_known(uint32_t type)
{
	static const uint32_t known[] = {0, 1, 10, 16, 28, 35, 41, 42, 43, 51, 13172, 0xfe0d};

	for (int i = 0; i < 12; i++)
		if (known[i] == type)
			return i;
	return -1;
}

/* RFC 8446 section 4.2: at most one of a type. */
static inline bool ref_extensions(struct ref all, struct ref_hello *h, bool client)
{
	uint32_t seen = 0;

	while (all.left) {
		uint32_t type = ref_number(&all, 2);
		struct ref body = ref_vector(&all, 2);
		int known = ref_known(type);

		if (all.bad || (known >= 0 && seen >> known & 1))
			return false;
		if (known >= 0)
			seen |= 1U << known;
		if (type == 0 && client && !ref_server_name(body, h))
			return false;
		if (type == 16 && !ref_alpn(body, h))
			return false;
	}
	return true;
}

/* The body of a ClientHello (RFC 8446 section 4.1.2) or ServerHello (section 4.1.3). */
static inline struct ref_hello ref_hello(const uint8_t *body, uint32_t len, bool client)
{
	struct ref r = {.at = body, .left = len}, block;
	struct ref_hello h = {0};

	ref_number(&r, 2);
	h.random = ref_bytes(&r, 32);
	h.bad = ref_vector(&r, 1).left > 32;
	if (client) {
		h.bad |= ref_vector(&r, 2).left % 2;
		ref_vector(&r, 1);
	} else {
		ref_number(&r, 3);
	}
	h.bad |= r.bad;
	if (h.bad || !r.left)
		return h;
	block = ref_vector(&r, 2);
	h.bad = r.bad || r.left || !ref_extensions(block, &h, client);
	return h;
}

#endif
