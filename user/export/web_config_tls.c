// SPDX-License-Identifier: GPL-2.0-only
/* The keys hang together: they are all found first, then read in an order of ours. */
#include "web_config_tls.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define PEM_MAX (256U << 10) /* bytes of one within the file */
#define SAN_MAX 256
#define ERROR_MAX 512

/* The values, NULL for what is not there. */
struct nodes {
	yaml_node_t *cert, *key, *client_ca;
	yaml_node_t *cert_file, *key_file, *client_ca_file;
	yaml_node_t *client_auth_type, *client_allowed_sans;
	yaml_node_t *min_version, *max_version;
	yaml_node_t *cipher_suites, *prefer_server_cipher_suites, *curve_preferences;
};

#define KEEP(name)                                                                                 \
	static void keep_##name(struct reader *r, yaml_node_t *node, void *into)                   \
	{                                                                                          \
		(void)r;                                                                           \
		((struct nodes *)into)->name = node;                                               \
	}
#define KEY(name)                                                                                  \
	{                                                                                          \
#name, keep_##name                                                                 \
	}

KEEP(cert)
KEEP(key)
KEEP(client_ca)
KEEP(cert_file)
KEEP(key_file)
KEEP(client_ca_file)
KEEP(client_auth_type)
KEEP(client_allowed_sans)
KEEP(min_version)
KEEP(max_version)
KEEP(cipher_suites)
KEEP(prefer_server_cipher_suites)
KEEP(curve_preferences)

static const struct reader_key keys[] = {
	KEY(cert_file),
	KEY(key_file),
	KEY(client_auth_type),
	KEY(client_ca_file),
	KEY(client_allowed_sans),
	KEY(min_version),
	KEY(max_version),
	KEY(cipher_suites),
	KEY(prefer_server_cipher_suites),
	KEY(curve_preferences),
	KEY(cert),
	KEY(key),
	KEY(client_ca),
};

/* ---- certificates ---- */

static void wipe(struct buf *b)
{
	if (b->data)
		explicit_bzero(b->data, b->len);
	buf_free(b);
}

/* A relative path is one from the configuration's directory, as it is to the exporter-toolkit. */
static char *path_of(const char *config, const char *name)
{
	const char *slash = strrchr(config, '/');
	char *path = NULL;

	if (*name == '/' || !slash)
		return strdup(name);
	return asprintf(&path, "%.*s/%s", (int)(slash - config), config, name) < 0 ? NULL : path;
}

static void read_pem_file(struct reader *r, yaml_node_t *node, struct web_files *files,
			  struct buf *out)
{
	const char *name = reader_text(r, node, "a file", READER_TEXT_MAX);
	char *path = name ? path_of(r->name, name) : NULL;
	const char *why;
	int err;

	if (!name)
		return;
	if (!path) {
		reader_memory(r, node->start_mark);
		return;
	}
	why = web_files_add(files, path);
	err = why ? 0 : reader_file(path, out);
	if (why || err)
		reader_error(r, node->start_mark, "%.200s: %s; name a PEM file that can be read",
			     path, why ? why : strerror(-err));
	free(path);
}

/* From the one place or the other. False if neither is there, or an error was said. */
static bool read_pem(struct reader *r, const char *what, yaml_node_t *file, yaml_node_t *within,
		     struct web_files *files, struct buf *out)
{
	unsigned int before = r->errors;
	const char *text;

	if (file && within) {
		reader_error(r, within->start_mark,
			     "both %s and %s_file (line %zu); expected one of them", what, what,
			     file->start_mark.line + 1);
	} else if (file) {
		read_pem_file(r, file, files, out);
	} else if (within) {
		text = reader_lines(r, within, "a PEM text", PEM_MAX);
		buf_puts(out, text ? text : "");
	}
	if (out->failed)
		reader_memory(r, (yaml_mark_t){0});
	return (file || within) && r->errors == before;
}

/* GnuTLS ends its sentences; ours go on. */
static const char *reason(int err, char out[ERROR_MAX])
{
	snprintf(out, ERROR_MAX, "%s", gnutls_strerror(err));
	if (*out && out[strlen(out) - 1] == '.')
		out[strlen(out) - 1] = '\0';
	return out;
}

static void read_pair(struct reader *r, yaml_node_t *node, const struct nodes *n,
		      struct web_tls *tls, struct web_files *files)
{
	yaml_node_t *at = n->cert_file ? n->cert_file : n->cert;
	struct buf cert = {0}, key = {0};
	bool has_cert = read_pem(r, "cert", n->cert_file, n->cert, files, &cert);
	bool has_key = read_pem(r, "key", n->key_file, n->key, files, &key);
	char why[ERROR_MAX];
	int err = 0;

	if (!at)
		reader_error(r, node->start_mark,
			     "no certificate; expected cert_file, or cert with the PEM text");
	if (!n->key_file && !n->key)
		reader_error(r, node->start_mark,
			     "no private key; expected key_file, or key with the PEM text");
	if (has_cert && has_key)
		err = web_tls_pair(tls, &cert, &key);
	if (err)
		reader_error(r, at->start_mark,
			     "certificate and key cannot be used: %s; expected PEM, the server's "
			     "certificate first, and its key without a password",
			     reason(err, why));
	wipe(&key);
	buf_free(&cert);
}

/* ---- clients ---- */

static void read_client_ca(struct reader *r, const struct nodes *n, struct web_tls *tls,
			   struct web_files *files)
{
	yaml_node_t *at = n->client_ca_file ? n->client_ca_file : n->client_ca;
	bool verifies = tls->client == WEB_CLIENT_IF_GIVEN || tls->client == WEB_CLIENT_VERIFY;
	struct buf ca = {0};
	char why[ERROR_MAX];
	int count = 1;

	if (read_pem(r, "client_ca", n->client_ca_file, n->client_ca, files, &ca))
		count = web_tls_trust(tls, &ca);
	if (count < 1)
		reader_error(
			r, at->start_mark,
			"authorities of clients cannot be used: %s; expected certificates, PEM",
			count ? reason(count, why) : "there is none");
	if (at && tls->client == WEB_CLIENT_NONE)
		reader_error(r, at->start_mark,
			     "an authority of clients, of whom no certificate is asked; expected "
			     "client_auth_type: RequireAndVerifyClientCert as well");
	if (!at && verifies)
		reader_error(r, n->client_auth_type->start_mark,
			     "nothing to verify certificates by; expected client_ca_file or "
			     "client_ca as well");
	buf_free(&ca);
}

static void add_san(struct reader *r, yaml_node_t *item, void *arg)
{
	const char *text = reader_text(r, item, "a name of a client", SAN_MAX);
	struct web_tls *tls = arg;

	if (!text)
		return;
	tls->san[tls->sans] = strdup(text);
	if (tls->san[tls->sans])
		tls->sans++;
	else
		reader_memory(r, item->start_mark);
}

static void read_sans(struct reader *r, yaml_node_t *node, struct web_tls *tls)
{
	unsigned int before = r->errors;

	if (tls->client != WEB_CLIENT_ANY && tls->client != WEB_CLIENT_VERIFY)
		reader_error(r, node->start_mark,
			     "names of clients that need no certificate; expected "
			     "client_auth_type: RequireAndVerifyClientCert as well");
	else if (tls->client == WEB_CLIENT_ANY)
		reader_note(r, node->start_mark,
			    "RequireAnyClientCert verifies no certificate: anyone can write one "
			    "with such a name");
	if (!reader_each(r, node, "a name of a client", WEB_TLS_LIST_MAX, add_san, tls) &&
	    r->errors == before)
		reader_error(r, node->start_mark,
			     "an empty list; expected a name at least, or leave the key out");
}

static void read_clients(struct reader *r, const struct nodes *n, struct web_tls *tls,
			 struct web_files *files)
{
	yaml_node_t *node = n->client_auth_type;
	const char *text = node ? reader_text(r, node, "a policy", READER_TEXT_MAX) : NULL;

	if (node && !text)
		return;
	if (text && !web_tls_client(text, &tls->client)) {
		reader_error(r, node->start_mark,
			     "'%.40s' is no policy; expected RequireAndVerifyClientCert, "
			     "VerifyClientCertIfGiven, RequireAnyClientCert, RequestClientCert or "
			     "NoClientCert",
			     text);
		return;
	}
	read_client_ca(r, n, tls, files);
	if (n->client_allowed_sans)
		read_sans(r, n->client_allowed_sans, tls);
}

/* ---- terms ---- */

static void read_version(struct reader *r, yaml_node_t *node, enum web_version *out)
{
	const char *text = node ? reader_text(r, node, "a TLS version", READER_TEXT_MAX) : NULL;

	if (text && !web_tls_version(text, out))
		reader_error(r, node->start_mark,
			     "'%.40s' is no TLS version; expected TLS13, TLS12, TLS11 or TLS10",
			     text);
}

static void add_suite(struct reader *r, yaml_node_t *item, void *arg)
{
	const char *text = reader_text(r, item, "a cipher suite", READER_TEXT_MAX);
	const struct web_suite *suite = text ? web_tls_suite(text) : NULL;
	struct web_tls *tls = arg;

	if (suite)
		tls->suite[tls->suites++] = suite;
	else if (text)
		reader_error(r, item->start_mark,
			     "'%.60s' is not supported; expected an IANA name of an AES or "
			     "ChaCha20 suite, as in TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
			     text);
}

static void add_curve(struct reader *r, yaml_node_t *item, void *arg)
{
	const char *text = reader_text(r, item, "a curve", READER_TEXT_MAX);
	const char *curve = text ? web_tls_curve(text) : NULL;
	struct web_tls *tls = arg;

	if (curve)
		tls->curve[tls->curves++] = curve;
	else if (text)
		reader_error(r, item->start_mark,
			     "'%.40s' is not supported; expected X25519, CurveP256, CurveP384 or "
			     "CurveP521",
			     text);
}

static void read_terms(struct reader *r, yaml_node_t *node, const struct nodes *n,
		       struct web_tls *tls)
{
	unsigned int before = r->errors;
	yaml_node_t *at = n->cipher_suites ? n->cipher_suites
			  : n->min_version ? n->min_version
			  : n->max_version ? n->max_version
					   : node;
	char error[ERROR_MAX];

	read_version(r, n->min_version, &tls->min);
	read_version(r, n->max_version, &tls->max);
	if (n->cipher_suites)
		reader_each(r, n->cipher_suites, "a cipher suite", WEB_TLS_LIST_MAX, add_suite,
			    tls);
	if (n->curve_preferences)
		reader_each(r, n->curve_preferences, "a curve", WEB_TLS_LIST_MAX, add_curve, tls);
	if (n->prefer_server_cipher_suites)
		reader_bool(r, n->prefer_server_cipher_suites, &tls->server_order);
	if (r->errors != before)
		return;
	if (tls->min > tls->max)
		reader_error(r, at->start_mark,
			     "min_version is above max_version; expected it below, or the same "
			     "(TLS12 and TLS13 if not given)");
	else if (web_tls_terms(tls, error, sizeof(error)))
		reader_error(r, at->start_mark, "%s", error);
}

void web_config_read_tls(struct reader *r, yaml_node_t *node, struct web_tls *tls,
			 struct web_files *files)
{
	struct nodes n = {0};

	tls->min = WEB_TLS12;
	tls->max = WEB_TLS13;
	tls->server_order = true;
	reader_map(r, node, "tls_server_config", keys, COUNT(keys), &n);
	if (node->type != YAML_MAPPING_NODE)
		return;
	read_pair(r, node, &n, tls, files);
	read_clients(r, &n, tls, files);
	read_terms(r, node, &n, tls);
}
