// SPDX-License-Identifier: GPL-2.0-only
#include "web_tls.h"

#include <arpa/inet.h>
#include <gnutls/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* By its IANA number (https://www.iana.org/assignments/tls-parameters), and the parts that
 * GnuTLS puts together; those of TLS 1.3 have no key exchange. */
struct web_suite {
	const char *name;
	unsigned char id[2];
	const char *kx, *cipher, *mac;
};

static const struct web_suite all_suites[] = {
	{"TLS_AES_128_GCM_SHA256", {0x13, 0x01}, NULL, "AES-128-GCM", "AEAD"},
	{"TLS_AES_256_GCM_SHA384", {0x13, 0x02}, NULL, "AES-256-GCM", "AEAD"},
	{"TLS_CHACHA20_POLY1305_SHA256", {0x13, 0x03}, NULL, "CHACHA20-POLY1305", "AEAD"},
	{"TLS_RSA_WITH_AES_128_CBC_SHA", {0x00, 0x2f}, "RSA", "AES-128-CBC", "SHA1"},
	{"TLS_RSA_WITH_AES_256_CBC_SHA", {0x00, 0x35}, "RSA", "AES-256-CBC", "SHA1"},
	{"TLS_RSA_WITH_AES_128_GCM_SHA256", {0x00, 0x9c}, "RSA", "AES-128-GCM", "AEAD"},
	{"TLS_RSA_WITH_AES_256_GCM_SHA384", {0x00, 0x9d}, "RSA", "AES-256-GCM", "AEAD"},
	{"TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
	 {0xc0, 0x09},
	 "ECDHE-ECDSA",
	 "AES-128-CBC",
	 "SHA1"},
	{"TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
	 {0xc0, 0x0a},
	 "ECDHE-ECDSA",
	 "AES-256-CBC",
	 "SHA1"},
	{"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", {0xc0, 0x13}, "ECDHE-RSA", "AES-128-CBC", "SHA1"},
	{"TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", {0xc0, 0x14}, "ECDHE-RSA", "AES-256-CBC", "SHA1"},
	{"TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
	 {0xc0, 0x2b},
	 "ECDHE-ECDSA",
	 "AES-128-GCM",
	 "AEAD"},
	{"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
	 {0xc0, 0x2c},
	 "ECDHE-ECDSA",
	 "AES-256-GCM",
	 "AEAD"},
	{"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", {0xc0, 0x2f}, "ECDHE-RSA", "AES-128-GCM", "AEAD"},
	{"TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384", {0xc0, 0x30}, "ECDHE-RSA", "AES-256-GCM", "AEAD"},
	{"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
	 {0xcc, 0xa8},
	 "ECDHE-RSA",
	 "CHACHA20-POLY1305",
	 "AEAD"},
	{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
	 {0xcc, 0xa9},
	 "ECDHE-ECDSA",
	 "CHACHA20-POLY1305",
	 "AEAD"},
};

static const char *const clients[] = {
	[WEB_CLIENT_NONE] = "NoClientCert",
	[WEB_CLIENT_REQUEST] = "RequestClientCert",
	[WEB_CLIENT_ANY] = "RequireAnyClientCert",
	[WEB_CLIENT_IF_GIVEN] = "VerifyClientCertIfGiven",
	[WEB_CLIENT_VERIFY] = "RequireAndVerifyClientCert",
};

bool web_tls_client(const char *name, enum web_client *out)
{
	if (!strcmp(name, "RequireClientCert")) /* the name it had once */
		name = clients[WEB_CLIENT_ANY];
	for (size_t i = 0; i < COUNT(clients); i++) {
		if (strcmp(name, clients[i]))
			continue;
		*out = (enum web_client)i;
		return true;
	}
	return false;
}

bool web_tls_version(const char *name, enum web_version *out)
{
	static const char *const names[] = {"TLS10", "TLS11", "TLS12", "TLS13"};

	for (size_t i = 0; i < COUNT(names); i++) {
		if (strcmp(name, names[i]))
			continue;
		*out = (enum web_version)i;
		return true;
	}
	return false;
}

const struct web_suite *web_tls_suite(const char *name)
{
	for (size_t i = 0; i < COUNT(all_suites); i++)
		if (!strcmp(name, all_suites[i].name))
			return &all_suites[i];
	return NULL;
}

const char *web_tls_curve(const char *name)
{
	static const char *const names[][2] = {{"X25519", "GROUP-X25519"},
					       {"CurveP256", "GROUP-SECP256R1"},
					       {"CurveP384", "GROUP-SECP384R1"},
					       {"CurveP521", "GROUP-SECP521R1"}};

	for (size_t i = 0; i < COUNT(names); i++)
		if (!strcmp(name, names[i][0]))
			return names[i][1];
	return NULL;
}

/* ---- terms ---- */

/* No finite-field Diffie-Hellman: one handshake of a stranger's with its larger groups takes as
 * long as many with curves, and the agent has one thread. */
static void priority_text(const struct web_tls *tls, struct buf *out)
{
	static const char *const versions[] = {"1.0", "1.1", "1.2", "1.3"};

	buf_puts(out, "NORMAL:-VERS-ALL:-KX-ALL:-GROUP-ALL");
	for (int v = tls->max; v >= (int)tls->min; v--)
		buf_printf(out, ":+VERS-TLS%s", versions[v]);
	for (unsigned int i = 0; i < tls->curves; i++)
		buf_printf(out, ":+%s", tls->curve[i]);
	if (!tls->curves)
		buf_puts(out, ":+GROUP-X25519:+GROUP-SECP256R1:+GROUP-SECP384R1:+GROUP-SECP521R1");
	if (tls->suites)
		buf_puts(out, ":-CIPHER-ALL:-MAC-ALL");
	else
		buf_puts(out, ":+ECDHE-ECDSA:+ECDHE-RSA");
	for (unsigned int i = 0; i < tls->suites; i++) {
		const struct web_suite *s = tls->suite[i];

		if (s->kx)
			buf_printf(out, ":+%s", s->kx);
		buf_printf(out, ":+%s:+%s", s->cipher, s->mac);
	}
	if (tls->server_order)
		buf_puts(out, ":%SERVER_PRECEDENCE");
}

static bool is_listed(const struct web_tls *tls, const unsigned char id[2])
{
	for (unsigned int i = 0; i < tls->suites; i++)
		if (!memcmp(tls->suite[i]->id, id, 2))
			return true;
	return false;
}

static const char *name_of(const unsigned char id[2], const char *otherwise)
{
	for (size_t i = 0; i < COUNT(all_suites); i++)
		if (!memcmp(all_suites[i].id, id, 2))
			return all_suites[i].name;
	return otherwise;
}

/*
 * GnuTLS chooses key exchange, cipher and MAC each for itself, so that it could give a suite that
 * was not asked for. What it would give is looked at; each version must have one, too.
 */
static int check_suites(const struct web_tls *tls, char *error, size_t size)
{
	bool old = tls->min == WEB_TLS13, new = tls->max<WEB_TLS13, oldest = tls->min> WEB_TLS11;
	unsigned int index;
	int err;

	for (unsigned int i = 0;; i++) {
		gnutls_protocol_t version;
		unsigned char id[2];
		const char *name;

		err = gnutls_priority_get_cipher_suite_index(tls->priority, i, &index);
		if (err == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
			break;
		if (err)
			continue; /* a combination that is no suite */
		name = gnutls_cipher_suite_info(index, id, NULL, NULL, NULL, &version);
		new = new || version == GNUTLS_TLS1_3;
		old = old || version != GNUTLS_TLS1_3;
		oldest = oldest || version < GNUTLS_TLS1_2;
		if (!tls->suites || version == GNUTLS_TLS1_3 || is_listed(tls, id))
			continue;
		snprintf(error, size,
			 "GnuTLS would allow %s as well: it takes any key exchange of the list "
			 "with any cipher of it; list that too, or leave suites out",
			 name_of(id, name));
		return -1;
	}
	if (old && new &&oldest)
		return 0;
	snprintf(error, size,
		 "no cipher suite of TLS %s is left; %s, or list one of it "
		 "(TLS 1.3 takes the ciphers of the list)",
		 !new	   ? "1.3"
		 : !oldest ? "1.0 and 1.1"
			   : "1.2",
		 !new ? "set max_version: TLS12" : "raise min_version");
	return -1;
}

int web_tls_terms(struct web_tls *tls, char *error, size_t size)
{
	struct buf text = {0};
	int err;

	priority_text(tls, &text);
	err = text.failed ? GNUTLS_E_MEMORY_ERROR
			  : gnutls_priority_init(&tls->priority, text.data, NULL);
	if (err) {
		tls->priority = NULL;
		snprintf(error, size, "GnuTLS refuses %s: %s; ask for less",
			 text.failed ? "" : text.data, gnutls_strerror(err));
	} else {
		err = check_suites(tls, error, size);
	}
	buf_free(&text);
	return err ? -1 : 0;
}

/* ---- certificates ---- */

static gnutls_datum_t datum(const struct buf *b)
{
	return (gnutls_datum_t){(unsigned char *)b->data, (unsigned int)b->len};
}

static int need_credentials(struct web_tls *tls)
{
	if (tls->credentials)
		return 0;
	return gnutls_certificate_allocate_credentials(&tls->credentials);
}

int web_tls_pair(struct web_tls *tls, const struct buf *cert, const struct buf *key)
{
	gnutls_datum_t c = datum(cert), k = datum(key);
	int err = need_credentials(tls);

	if (!err)
		err = gnutls_certificate_set_x509_key_mem2(tls->credentials, &c, &k,
							   GNUTLS_X509_FMT_PEM, NULL, 0);
	return err < 0 ? err : 0;
}

int web_tls_trust(struct web_tls *tls, const struct buf *ca)
{
	gnutls_datum_t c = datum(ca);
	int err = need_credentials(tls);

	return err ? err
		   : gnutls_certificate_set_x509_trust_mem(tls->credentials, &c,
							   GNUTLS_X509_FMT_PEM);
}

/* An alternative name as the format writes it: an address as text, all else as it is. */
static bool san_is(const struct web_tls *tls, unsigned int type, const unsigned char *name,
		   size_t len)
{
	char text[INET6_ADDRSTRLEN];

	if (type == GNUTLS_SAN_IPADDRESS) {
		if ((len != 4 && len != 16) ||
		    !inet_ntop(len == 4 ? AF_INET : AF_INET6, name, text, sizeof(text)))
			return false;
		name = (const unsigned char *)text;
		len = strlen(text);
	} else if (type != GNUTLS_SAN_DNSNAME && type != GNUTLS_SAN_RFC822NAME &&
		   type != GNUTLS_SAN_URI) {
		return false;
	}
	for (unsigned int i = 0; i < tls->sans; i++)
		if (strlen(tls->san[i]) == len && !memcmp(tls->san[i], name, len))
			return true;
	return false;
}

static bool has_allowed_san(const struct web_tls *tls, gnutls_x509_crt_t cert)
{
	unsigned char name[1024];

	for (unsigned int i = 0;; i++) {
		size_t len = sizeof(name);
		int type = gnutls_x509_crt_get_subject_alt_name(cert, i, name, &len, NULL);

		if (type == GNUTLS_E_SHORT_MEMORY_BUFFER) /* longer than any that is allowed */
			continue;
		if (type < 0)
			return false;
		if (san_is(tls, (unsigned int)type, name, len))
			return true;
	}
}

static bool san_allowed(const struct web_tls *tls, const gnutls_datum_t *peer)
{
	gnutls_x509_crt_t cert;
	bool allowed;

	if (gnutls_x509_crt_init(&cert))
		return false;
	allowed = !gnutls_x509_crt_import(cert, peer, GNUTLS_X509_FMT_DER) &&
		  has_allowed_san(tls, cert);
	gnutls_x509_crt_deinit(cert);
	return allowed;
}

/* Called within the handshake; anything but 0 ends it. GnuTLS has seen that the client holds the
 * certificate's key. */
static int verify_client(gnutls_session_t session)
{
	gnutls_typed_vdata_st purpose = {GNUTLS_DT_KEY_PURPOSE_OID,
					 (unsigned char *)GNUTLS_KP_TLS_WWW_CLIENT, 0};
	const struct web_tls *tls = gnutls_session_get_ptr(session);
	const gnutls_datum_t *peer;
	unsigned int count = 0, status = 0;

	peer = gnutls_certificate_get_peers(session, &count);
	if (!peer || !count)
		return tls->client == WEB_CLIENT_REQUEST || tls->client == WEB_CLIENT_IF_GIVEN ? 0
											       : -1;
	if (tls->client == WEB_CLIENT_IF_GIVEN || tls->client == WEB_CLIENT_VERIFY)
		if (gnutls_certificate_verify_peers(session, &purpose, 1, &status) || status)
			return -1;
	return !tls->sans || san_allowed(tls, peer) ? 0 : -1;
}

int web_tls_session(struct web_tls *tls, gnutls_session_t session)
{
	static const gnutls_datum_t http = {(unsigned char *)"http/1.1", 8};
	bool must = tls->client == WEB_CLIENT_ANY || tls->client == WEB_CLIENT_VERIFY;
	int err = gnutls_priority_set(session, tls->priority);

	if (!err)
		err = gnutls_alpn_set_protocols(session, &http, 1, 0);
	if (err)
		return err;
	if (tls->client != WEB_CLIENT_NONE) {
		gnutls_session_set_ptr(session, tls);
		gnutls_session_set_verify_function(session, verify_client);
	}
	gnutls_certificate_server_set_request(session, must ? GNUTLS_CERT_REQUIRE
						       : tls->client == WEB_CLIENT_NONE
							       ? GNUTLS_CERT_IGNORE
							       : GNUTLS_CERT_REQUEST);
	return gnutls_credentials_set(session, GNUTLS_CRD_CERTIFICATE, tls->credentials);
}

int web_tls_nothing(gnutls_session_t session, const gnutls_datum_t *names, int count,
		    const gnutls_pk_algorithm_t *algorithms, int algorithm_count,
		    gnutls_pcert_st **cert, unsigned int *certs, gnutls_privkey_t *key)
{
	(void)session;
	(void)names;
	(void)count;
	(void)algorithms;
	(void)algorithm_count;
	(void)key;
	*cert = NULL;
	*certs = 0;
	return -1;
}

void web_tls_clear(struct web_tls *tls)
{
	if (tls->credentials)
		gnutls_certificate_free_credentials(tls->credentials);
	if (tls->priority)
		gnutls_priority_deinit(tls->priority);
	for (unsigned int i = 0; i < tls->sans; i++)
		free(tls->san[i]);
	*tls = (struct web_tls){0};
}
