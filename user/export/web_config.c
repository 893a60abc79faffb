// SPDX-License-Identifier: GPL-2.0-only
#include "web_config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bcrypt.h"
#include "reader.h"
#include "web_config_tls.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HEADER_MAX 4096 /* bytes of a value; a Content-Security-Policy is long */

/* What the reader's root is. */
struct reading {
	struct web_config *config;
	struct web_files *files;
};

static const struct reading *reading(const struct reader *r)
{
	return r->root;
}

/* ---- http_server_config ---- */

static void read_http2(struct reader *r, yaml_node_t *node, void *into)
{
	bool http2;

	(void)into;
	if (reader_bool(r, node, &http2) && http2)
		reader_note(r, node->start_mark,
			    "HTTP/1.1 is spoken, which every client of HTTP/2 speaks as well");
}

static void add_header(struct reader *r, yaml_node_t *node, const char *name)
{
	const char *text = reader_text(r, node, name, HEADER_MAX);
	struct web_config *config = reading(r)->config;
	char *value = text ? strdup(text) : NULL;

	if (text && !value)
		reader_memory(r, node->start_mark);
	if (value)
		config->header[config->headers++] = (struct web_header){name, value};
}

static void read_frame_options(struct reader *r, yaml_node_t *node, void *into)
{
	const char *text = reader_text(r, node, "deny or sameorigin", READER_TEXT_MAX);

	(void)into;
	if (text && strcmp(text, "deny") && strcmp(text, "sameorigin"))
		reader_error(r, node->start_mark, "'%.40s' is neither; expected deny or sameorigin",
			     text);
	else if (text)
		add_header(r, node, "X-Frame-Options");
}

/* It is sent in any case. */
static void read_nosniff(struct reader *r, yaml_node_t *node, void *into)
{
	const char *text = reader_text(r, node, "nosniff", READER_TEXT_MAX);

	(void)into;
	if (text && strcmp(text, "nosniff"))
		reader_error(r, node->start_mark, "'%.40s' has no meaning; expected nosniff", text);
}

#define READ_HEADER(fn, name)                                                                      \
	static void fn(struct reader *r, yaml_node_t *node, void *into)                            \
	{                                                                                          \
		(void)into;                                                                        \
		add_header(r, node, name);                                                         \
	}

READ_HEADER(read_csp, "Content-Security-Policy")
READ_HEADER(read_xss, "X-XSS-Protection")
READ_HEADER(read_hsts, "Strict-Transport-Security")

static const struct reader_key header_keys[] = {
	{"Content-Security-Policy", read_csp},	  {"X-Frame-Options", read_frame_options},
	{"X-Content-Type-Options", read_nosniff}, {"X-XSS-Protection", read_xss},
	{"Strict-Transport-Security", read_hsts},
};

static void read_headers(struct reader *r, yaml_node_t *node, void *into)
{
	reader_map(r, node, "the headers", header_keys, COUNT(header_keys), into);
}

static const struct reader_key http_keys[] = {{"http2", read_http2}, {"headers", read_headers}};

static void read_http(struct reader *r, yaml_node_t *node, void *into)
{
	reader_map(r, node, "http_server_config", http_keys, COUNT(http_keys), into);
}

/* ---- basic_auth_users ---- */

static bool is_new(struct reader *r, yaml_node_t *key, const char *name)
{
	const struct web_config *config = reading(r)->config;

	for (unsigned int i = 0; i < config->users; i++) {
		if (strcmp(config->user[i].name, name))
			continue;
		reader_error(r, key->start_mark, "user '%.40s' a second time; expected once", name);
		return false;
	}
	if (!strchr(name, ':'))
		return true;
	reader_error(r, key->start_mark,
		     "user '%.40s' has a colon, which no client can send (RFC 7617); expected a "
		     "name without",
		     name);
	return false;
}

static void add_user(struct reader *r, yaml_node_t *key, yaml_node_t *value, void *arg)
{
	const char *name = reader_text(r, key, "a user", READER_TEXT_MAX);
	const char *hash = name ? reader_text(r, value, "a bcrypt hash", READER_TEXT_MAX) : NULL;
	struct web_config *config = reading(r)->config;
	struct web_user *at;
	const char *why;

	(void)arg;
	if (!hash || !is_new(r, key, name))
		return;
	if (!bcrypt_is_hash(hash, &why)) { /* it may be a password: it is not repeated */
		reader_error(r, value->start_mark, "this is not taken as a hash; %s", why);
		return;
	}
	at = reallocarray(config->user, config->users + 1, sizeof(*at));
	if (!at) {
		reader_memory(r, key->start_mark);
		return;
	}
	config->user = at;
	at += config->users++;
	*at = (struct web_user){.name = strdup(name), .hash = strdup(hash)};
	if (!at->name || !at->hash)
		reader_memory(r, key->start_mark);
}

static void read_users(struct reader *r, yaml_node_t *node, void *into)
{
	reader_pairs(r, node, "users", WEB_USERS_MAX, add_user, into);
}

/* ---- the file ---- */

static void read_tls(struct reader *r, yaml_node_t *node, void *into)
{
	struct web_config *config = reading(r)->config;

	config->has_tls = true;
	(void)into;
	web_config_read_tls(r, node, &config->tls, reading(r)->files);
}

static void read_rate_limit(struct reader *r, yaml_node_t *node, void *into)
{
	(void)into;
	reader_error(r, node->start_mark,
		     "rate_limit is not supported; leave it out: connections, and passwords that "
		     "are being compared, are limited anyhow");
}

static const struct reader_key top_keys[] = {
	{"tls_server_config", read_tls},
	{"http_server_config", read_http},
	{"basic_auth_users", read_users},
	{"rate_limit", read_rate_limit},
};

struct web_config *web_config_parse(const char *text, size_t len, const char *name,
				    struct web_files *files, struct buf *said)
{
	struct web_config *config = calloc(1, sizeof(*config));
	struct reading root = {config, files};
	struct reader r = {.name = name, .said = said, .root = &root};

	if (!config) {
		reader_memory(&r, (yaml_mark_t){0});
		return NULL;
	}
	config->refs = 1;
	if (reader_run(&r, text, len, "a web configuration", top_keys, COUNT(top_keys)))
		return config;
	web_config_put(config);
	return NULL;
}

struct web_config *web_config_load(const char *path, struct web_files *files, struct buf *said)
{
	struct web_config *config = NULL;
	const char *why = web_files_add(files, path);
	struct buf text = {0};
	int err = why ? 0 : reader_file(path, &text);

	if (why || err)
		buf_printf(said, "%s: %s; give a file that can be read\n", path,
			   why ? why : strerror(-err));
	else
		config = web_config_parse(text.data ? text.data : "", text.len, path, files, said);
	if (text.data)
		explicit_bzero(text.data, text.len); /* there may be a key in it */
	buf_free(&text);
	return config;
}

void web_config_put(struct web_config *config)
{
	if (!config || --config->refs)
		return;
	web_tls_clear(&config->tls);
	for (unsigned int i = 0; i < config->users; i++) {
		free(config->user[i].name);
		free(config->user[i].hash);
	}
	if (config->users)
		explicit_bzero(config->user, config->users * sizeof(*config->user));
	free(config->user);
	for (unsigned int i = 0; i < config->headers; i++)
		free(config->header[i].value);
	free(config);
}

static const char *clients_text(const struct web_tls *tls)
{
	switch (tls->client) {
	case WEB_CLIENT_NONE:
		return "no certificate is asked of clients";
	case WEB_CLIENT_REQUEST:
		return "a certificate is asked of clients and not verified";
	case WEB_CLIENT_ANY:
		return "clients need a certificate, which is not verified";
	case WEB_CLIENT_IF_GIVEN:
		return "clients need no certificate; one that they give is verified";
	case WEB_CLIENT_VERIFY:
		break;
	}
	return "clients need a certificate, which is verified";
}

void web_config_describe(const struct web_config *config, struct buf *out)
{
	static const char *const version[] = {"1.0", "1.1", "1.2", "1.3"};
	const struct web_tls *tls = &config->tls;

	if (!config->has_tls)
		buf_puts(out, "plain HTTP\n");
	else if (tls->min == tls->max)
		buf_printf(out, "HTTPS by TLS %s; %s\n", version[tls->min], clients_text(tls));
	else
		buf_printf(out, "HTTPS by TLS %s to %s; %s\n", version[tls->min], version[tls->max],
			   clients_text(tls));
	for (unsigned int i = 0; i < tls->sans; i++)
		buf_printf(out, "%s%s%s", i ? ", " : "client names that may come: ", tls->san[i],
			   i + 1 == tls->sans ? "\n" : "");
	if (!config->users)
		buf_puts(out, "no password is asked\n");
	for (unsigned int i = 0; i < config->users; i++)
		buf_printf(out, "%s%s%s",
			   i ? ", " : "a password is asked; users: ", config->user[i].name,
			   i + 1 == config->users ? "\n" : "");
	for (unsigned int i = 0; i < config->headers; i++)
		buf_printf(out, "header %s: %s\n", config->header[i].name, config->header[i].value);
}
