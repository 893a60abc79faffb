/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * handshake.h - real handshakes in memory, by the OpenSSL and the GnuTLS of this machine. They
 * are loaded at run time: their headers need not be there. No certificates: a pre-shared key for
 * the one, an anonymous exchange for the other.
 */
#ifndef TESTS_HANDSHAKE_H
#define TESTS_HANDSHAKE_H

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#define TLS12 0x0303 /* RFC 5246 */

/* A library's function, as the type says. */
#define FUNCTION(library, result, name, ...) ((result(*)(__VA_ARGS__))dlsym(library, name))

/* The file that a library was loaded from. */
static inline const char *loaded_from(void *library, const char *function)
{
	static Dl_info info;

	return dladdr(dlsym(library, function), &info) ? info.dli_fname : "";
}

/* ---- OpenSSL ---- */

/* [0] is the client, [1] the server; SSL_CTX * and SSL *. */
struct openssl {
	void *library, *context[2], *ssl[2];
};

static inline unsigned int psk_client(void *ssl, const char *hint, char *identity,
				      unsigned int identity_max, uint8_t *psk, unsigned int psk_max)
{
	(void)ssl, (void)hint, (void)psk_max;
	snprintf(identity, identity_max, "test");
	memset(psk, 7, 16);
	return 16;
}

static inline unsigned int psk_server(void *ssl, const char *identity, uint8_t *psk,
				      unsigned int psk_max)
{
	(void)ssl, (void)identity, (void)psk_max;
	memset(psk, 7, 16);
	return 16;
}

static inline int choose_first(void *ssl, const uint8_t **out, uint8_t *out_len, const uint8_t *in,
			       unsigned int in_len, void *arg)
{
	(void)ssl, (void)in_len, (void)arg;
	*out = in + 1;
	*out_len = in[0];
	return 0; /* SSL_TLSEXT_ERR_OK */
}

static inline void openssl_end(struct openssl *o, int i, const char *offer, void *bio)
{
	void *l = o->library, *c;

	c = FUNCTION(l, void *, "SSL_CTX_new", void *)(
		FUNCTION(l, void *, i ? "TLS_server_method" : "TLS_client_method", void)());
	/* SSL_CTRL_SET_MAX_PROTO_VERSION; in TLS 1.3 a pre-shared key is more work. */
	FUNCTION(l, long, "SSL_CTX_ctrl", void *, int, long, void *)(c, 124, TLS12, NULL);
	FUNCTION(l, int, "SSL_CTX_set_cipher_list", void *, const char *)
	(c, "PSK-AES128-GCM-SHA256");
	if (i) {
		FUNCTION(l, void, "SSL_CTX_set_psk_server_callback", void *, void *)
		(c, (void *)psk_server);
		FUNCTION(l, void, "SSL_CTX_set_alpn_select_cb", void *, void *, void *)
		(c, (void *)choose_first, NULL);
	} else {
		FUNCTION(l, void, "SSL_CTX_set_psk_client_callback", void *, void *)
		(c, (void *)psk_client);
		FUNCTION(l, int, "SSL_CTX_set_alpn_protos", void *, const char *, unsigned int)
		(c, offer, (unsigned int)strlen(offer));
	}
	o->context[i] = c;
	o->ssl[i] = FUNCTION(l, void *, "SSL_new", void *)(c);
	FUNCTION(l, void, "SSL_set_bio", void *, void *, void *)(o->ssl[i], bio, bio);
	FUNCTION(l, void, i ? "SSL_set_accept_state" : "SSL_set_connect_state", void *)(o->ssl[i]);
}

/* A handshake in which the first of @offer (as in ALPN; empty: no ALPN) is chosen. */
static inline bool openssl_connect(struct openssl *o, const char *offer)
{
	void *bio[2] = {NULL};
	int done[2] = {0};

	FUNCTION(o->library, int, "BIO_new_bio_pair", void **, size_t, void **, size_t)
	(&bio[0], 0, &bio[1], 0);
	for (int i = 0; i < 2; i++)
		openssl_end(o, i, offer, bio[i]);
	for (int round = 0; round < 20 && (done[0] != 1 || done[1] != 1); round++)
		for (int i = 0; i < 2; i++)
			done[i] = FUNCTION(o->library, int, "SSL_do_handshake", void *)(o->ssl[i]);
	return done[0] == 1 && done[1] == 1;
}

static inline void openssl_free(struct openssl *o)
{
	for (int i = 0; i < 2; i++) {
		FUNCTION(o->library, void, "SSL_free", void *)(o->ssl[i]);
		FUNCTION(o->library, void, "SSL_CTX_free", void *)(o->context[i]);
	}
}

/* ---- GnuTLS ---- */

struct gnutls_datum {
	uint8_t *data;
	unsigned int size;
};

/* What one end has sent and the other has not yet read. */
struct pipe_end {
	uint8_t bytes[16384];
	size_t len;
	struct gnutls *all;
};

/* [0] is the client, [1] the server; credentials and gnutls_session_t. */
struct gnutls {
	void *library, *credentials[2], *session[2];
	struct pipe_end to[2];
};

/* The transport's argument is the end's own input; what it sends goes to the other's. */
static inline ssize_t gnutls_push(void *arg, const void *bytes, size_t len)
{
	struct pipe_end *mine = arg;
	struct pipe_end *to = &mine->all->to[mine == &mine->all->to[0]];

	if (len > sizeof(to->bytes) - to->len)
		return -1;
	memcpy(to->bytes + to->len, bytes, len);
	to->len += len;
	return (ssize_t)len;
}

static inline ssize_t gnutls_pull(void *arg, void *bytes, size_t len)
{
	struct pipe_end *from = arg;

	if (!from->len) {
		errno = EAGAIN;
		return -1;
	}
	len = len < from->len ? len : from->len;
	memcpy(bytes, from->bytes, len);
	from->len -= len;
	memmove(from->bytes, from->bytes + len, from->len);
	return (ssize_t)len;
}

static inline void gnutls_end(struct gnutls *g, int i)
{
	const char *who = i ? "server" : "client";
	void *l = g->library;
	char name[64];

	g->to[i].all = g;
	snprintf(name, sizeof(name), "gnutls_anon_allocate_%s_credentials", who);
	FUNCTION(l, int, name, void **)(&g->credentials[i]);
	FUNCTION(l, int, "gnutls_init", void **, unsigned int)(&g->session[i], i ? 1 : 2);
	FUNCTION(l, int, "gnutls_priority_set_direct", void *, const char *, void *)
	(g->session[i], "NORMAL:-VERS-ALL:+VERS-TLS1.2:-KX-ALL:+ANON-ECDH", NULL);
	FUNCTION(l, int, "gnutls_credentials_set", void *, int, void *)
	(g->session[i], 2, g->credentials[i]); /* GNUTLS_CRD_ANON */
	FUNCTION(l, void, "gnutls_transport_set_ptr", void *, void *)(g->session[i], &g->to[i]);
	FUNCTION(l, void, "gnutls_transport_set_push_function", void *, void *)
	(g->session[i], (void *)gnutls_push);
	FUNCTION(l, void, "gnutls_transport_set_pull_function", void *, void *)
	(g->session[i], (void *)gnutls_pull);
}

static inline bool gnutls_connect(struct gnutls *g)
{
	int done[2] = {-1, -1};

	for (int i = 0; i < 2; i++)
		gnutls_end(g, i);
	for (int turn = 0; turn < 40; turn++) /* one that is done must not begin anew */
		if (done[turn & 1])
			done[turn & 1] = FUNCTION(g->library, int, "gnutls_handshake",
						  void *)(g->session[turn & 1]);
	return !done[0] && !done[1];
}

static inline void gnutls_free_all(struct gnutls *g)
{
	for (int i = 0; i < 2; i++) {
		FUNCTION(g->library, void, "gnutls_deinit", void *)(g->session[i]);
		FUNCTION(g->library, void,
			 i ? "gnutls_anon_free_server_credentials"
			   : "gnutls_anon_free_client_credentials",
			 void *)
		(g->credentials[i]);
	}
}

#endif
