/* SPDX-License-Identifier: GPL-2.0-only */
/* flights.h - TLS 1.3 handshakes for tests, as the lengths of their records. */
#ifndef TESTS_FLIGHTS_H
#define TESTS_FLIGHTS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "alpnscope/handshake.h"

#define SHA256 0x1301 /* TLS_AES_128_GCM_SHA256 */
#define SHA384 0x1302 /* TLS_AES_256_GCM_SHA384 */
#define CCM_8 0x1305 /* TLS_AES_128_CCM_8_SHA256 */
#define P256 0x0017
#define X25519 0x001d
#define SNI AS_X_SERVER_NAME
#define RSL AS_X_RECORD_SIZE_LIMIT
#define MFL AS_X_MAX_FRAGMENT_LENGTH
#define EARLY AS_X_EARLY_DATA
#define PSK AS_X_PRE_SHARED_KEY

/*
 * @text: "LENGTH/BEFORE ...", BEFORE being how many encrypted records of the other side came
 * before; a "tN" behind LENGTH gives a record type other than application data
 */
static inline void flight_of(struct as_flight *f, const char *text)
{
	char *end;

	memset(f, 0, sizeof(*f));
	while (text && *text && f->count < AS_FLIGHT_MAX) {
		f->len[f->count] = (__u16)strtoul(text, &end, 10);
		f->type[f->count] = *end == 't' ? (__u8)strtoul(end + 1, &end, 10) : 23;
		f->before[f->count++] = (__u8)strtoul(end + 1, &end, 10);
		text = end + strspn(end, " ");
	}
}

/* Offer the names of @offer, parted by commas; NULL: without ALPN. */
static inline void offer_names(struct as_handshake *hs, const char *offer)
{
	char list[AS_ALPN_MAX];
	size_t len = 0, part;

	for (const char *name = offer; name; name = name[part] ? name + part + 1 : NULL) {
		part = strcspn(name, ",");
		list[len] = (char)part;
		memcpy(list + len + 1, name, part);
		len += 1 + part;
	}
	memcpy(hs->names + hs->sni_len, list, len);
	hs->alpn_len = (__u16)len;
	if (offer)
		hs->client_ext |= AS_X_ALPN;
}

/**
 * tls13 - a handshake of TLS 1.3 with SHA-384 and X25519.
 * @ext: of what SNI, RSL, MFL, EARLY the client sent; PSK: it was accepted
 */
static inline struct as_handshake tls13(const char *offer, unsigned int ext, const char *server,
					const char *client)
{
	struct as_handshake hs = {
		.abi = AS_ABI,
		.size = sizeof(hs),
		.kind = AS_KIND_HANDSHAKE,
		.end = AS_END_SERVER_HELLO,
		.family = 4,
		.flags = AS_F_SERVER_HELLO,
		.server_port = 443,
		.client_ext =
			ext | AS_X_SUPPORTED_GROUPS | AS_X_KEY_SHARE | AS_X_SUPPORTED_VERSIONS,
		.server_ext = AS_X_KEY_SHARE | AS_X_SUPPORTED_VERSIONS | (ext & PSK),
		.client_version = 0x0304,
		.server_version = 0x0304,
		.cipher = SHA384,
		.group = X25519,
	};

	if (ext & SNI) {
		hs.sni_len = 9;
		memcpy(hs.names, "a.example", 9);
	}
	offer_names(&hs, offer);
	flight_of(&hs.server_flight, server);
	flight_of(&hs.client_flight, client);
	return hs;
}

#endif
