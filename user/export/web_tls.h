/* SPDX-License-Identifier: GPL-2.0-only */
/* web_tls.h - TLS of the web server by GnuTLS: who we are, who may come, in which terms. */
#ifndef ALPNSCOPE_WEB_TLS_H
#define ALPNSCOPE_WEB_TLS_H

#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <stdbool.h>
#include <stddef.h>

#include "buf.h"

#define WEB_TLS_LIST_MAX 32 /* cipher suites, curves, names of clients */

/** Client certificates, by Go's names of crypto/tls. */
enum web_client {
	WEB_CLIENT_NONE, /* NoClientCert */
	WEB_CLIENT_REQUEST, /* RequestClientCert */
	WEB_CLIENT_ANY, /* RequireAnyClientCert */
	WEB_CLIENT_IF_GIVEN, /* VerifyClientCertIfGiven */
	WEB_CLIENT_VERIFY, /* RequireAndVerifyClientCert */
};

/** TLS versions in order. */
enum web_version { WEB_TLS10, WEB_TLS11, WEB_TLS12, WEB_TLS13, WEB_VERSIONS };

struct web_suite;

/**
 * struct web_tls - what is asked for, then what GnuTLS made of it.
 * @suite: @suites of them, for TLS 1.2 and below; none leaves it to GnuTLS
 * @curve: @curves of them in order of preference, by GnuTLS's names; none is the usual four
 * @server_order: the server's preference decides, else the client's
 * @san: @sans names of which a client's certificate must have one; none asks for no name
 */
struct web_tls {
	enum web_client client;
	enum web_version min, max;
	const struct web_suite *suite[WEB_TLS_LIST_MAX];
	unsigned int suites;
	const char *curve[WEB_TLS_LIST_MAX];
	unsigned int curves;
	bool server_order;
	char *san[WEB_TLS_LIST_MAX];
	unsigned int sans;
	gnutls_certificate_credentials_t credentials;
	gnutls_priority_t priority;
};

/** web_tls_client - the policy of that name in @out; false if there is none. */
bool web_tls_client(const char *name, enum web_client *out);

/** web_tls_version - "TLS12" in @out; false if there is no such version. */
bool web_tls_version(const char *name, enum web_version *out);

/** web_tls_suite - a cipher suite by its IANA name, or NULL if GnuTLS or the format has none. */
const struct web_suite *web_tls_suite(const char *name);

/** web_tls_curve - GnuTLS's name of a curve by Go's ("CurveP256"), or NULL. */
const char *web_tls_curve(const char *name);

/**
 * web_tls_terms - make @tls->priority of versions, suites and curves.
 * @error: what cannot be had, and what to do
 * Returns 0 or -1.
 */
int web_tls_terms(struct web_tls *tls, char *error, size_t size);

/** web_tls_pair - take certificate chain and key, PEM. Returns 0 or GnuTLS's error. */
int web_tls_pair(struct web_tls *tls, const struct buf *cert, const struct buf *key);

/** web_tls_trust - take the authorities of clients, PEM. Returns how many, or GnuTLS's error. */
int web_tls_trust(struct web_tls *tls, const struct buf *ca);

/**
 * web_tls_session - have a session of a server, not yet begun, follow @tls, which must outlive it.
 * Returns 0 or GnuTLS's error; the session then has no credentials.
 */
int web_tls_session(struct web_tls *tls, gnutls_session_t session);

/** web_tls_nothing - a gnutls_certificate_retrieve_function2 that has none: for libmicrohttpd's own
 * credentials, so that no handshake comes to an end but by ours. */
int web_tls_nothing(gnutls_session_t session, const gnutls_datum_t *names, int count,
		    const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
		    gnutls_pcert_st **cert, unsigned int *certs, gnutls_privkey_t *key);

/** web_tls_clear - give all back. */
void web_tls_clear(struct web_tls *tls);

#endif
