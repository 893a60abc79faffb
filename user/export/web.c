// SPDX-License-Identifier: GPL-2.0-only
#include "web.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

struct web {
	char *path;
	struct web_config *config;
	struct web_files files;
	struct bcrypt *bcrypt; /* NULL before web_serve() and after web_end() */
	uint8_t secret[WEB_DIGEST]; /* what digests are made with */
};

/* A question that waits; it outlives the configuration that it was asked of. */
struct question {
	struct web *web;
	char *user;
	char hash[BCRYPT_LEN + 1];
	uint8_t digest[WEB_DIGEST];
	web_fn fn;
	void *arg;
};

struct web *web_open(const char *path, struct buf *said)
{
	struct web *w = calloc(1, sizeof(*w));

	if (w)
		w->path = strdup(path);
	if (!w || !w->path || gnutls_rnd(GNUTLS_RND_KEY, w->secret, sizeof(w->secret)))
		buf_printf(said, "%s: out of memory\n", path);
	else
		w->config = web_config_load(path, &w->files, said);
	if (w && w->config)
		return w;
	web_free(w);
	return NULL;
}

int web_serve(struct web *w, struct loop *loop)
{
	/* always: users may come with the next reading */
	w->bcrypt = bcrypt_new(loop);
	return w->bcrypt ? 0 : -errno;
}

void web_end(struct web *w)
{
	bcrypt_free(w->bcrypt);
	w->bcrypt = NULL;
}

void web_free(struct web *w)
{
	if (!w)
		return;
	web_end(w);
	web_config_put(w->config);
	web_files_clear(&w->files);
	free(w->path);
	explicit_bzero(w->secret, sizeof(w->secret));
	free(w);
}

/* ---- reading again ---- */

static void say_lines(const struct buf *said, bool error)
{
	for (const char *line = said->data; line && *line; line += strcspn(line, "\n") + 1)
		(error ? log_error : log_info)("%.*s", (int)strcspn(line, "\n"), line);
}

static bool may_follow(const struct web *w, const struct web_config *next)
{
	if (next->has_tls == w->config->has_tls)
		return true;
	log_error("%s: tls_server_config has %s, which needs a restart", w->path,
		  next->has_tls ? "come" : "gone");
	return false;
}

struct web_config *web_now(struct web *w)
{
	struct web_config *next;
	struct buf said = {0};

	if (!web_files_changed(&w->files))
		return w->config;
	web_files_clear(&w->files);
	next = web_config_load(w->path, &w->files, &said);
	say_lines(&said, !next);
	buf_free(&said);
	if (next && may_follow(w, next)) {
		web_config_put(w->config);
		w->config = next;
		log_info("%s: read again", w->path);
	} else {
		web_config_put(next);
		log_error("%s: what it said before goes on to hold", w->path);
	}
	return w->config;
}

/* ---- users ---- */

/* Every name is looked at, so that the time tells nothing of where one is. */
static struct web_user *find(struct web_config *config, const char *name)
{
	struct web_user *found = NULL;
	size_t len = strlen(name);

	for (unsigned int i = 0; i < config->users; i++)
		if (strlen(config->user[i].name) == len &&
		    !gnutls_memcmp(config->user[i].name, name, len))
			found = &config->user[i];
	return found;
}

/* The same password needs no second comparison by bcrypt: its digest under a secret of this
 * process's, bound to user and hash, is kept instead. */
static bool make_digest(const struct web *w, const char *user, const char *hash,
			const char *password, uint8_t out[WEB_DIGEST])
{
	gnutls_hmac_hd_t mac;

	if (gnutls_hmac_init(&mac, GNUTLS_MAC_SHA256, w->secret, sizeof(w->secret)))
		return false;
	/* terminators too: what is one field is no part of the next */
	gnutls_hmac(mac, user, strlen(user) + 1);
	gnutls_hmac(mac, hash, strlen(hash) + 1);
	gnutls_hmac(mac, password, strlen(password) + 1);
	gnutls_hmac_deinit(mac, out);
	return true;
}

static void on_compared(void *arg, bool right)
{
	struct question *q = arg;
	/* gone, or given another password since? */
	struct web_user *user = find(q->web->config, q->user);
	bool still = right && user && !strcmp(user->hash, q->hash);
	web_fn fn = q->fn;

	if (still) {
		memcpy(user->digest, q->digest, sizeof(user->digest));
		user->known = true;
	}
	arg = q->arg;
	explicit_bzero(q->digest, sizeof(q->digest));
	free(q->user);
	free(q);
	fn(arg, still ? WEB_RIGHT : WEB_WRONG);
}

static enum web_answer compare(struct web *w, const struct question *like, const char *password)
{
	struct question *q = calloc(1, sizeof(*q));

	if (q) {
		*q = *like;
		q->user = strdup(like->user);
	}
	if (q && q->user && !bcrypt_ask(w->bcrypt, q->hash, password, on_compared, q))
		return WEB_WAIT;
	if (q)
		free(q->user);
	free(q);
	return WEB_BUSY;
}

enum web_answer web_ask(struct web *w, const char *user, const char *password, web_fn fn, void *arg)
{
	struct web_config *config = web_now(w);
	struct question q = {.web = w, .fn = fn, .arg = arg};
	const struct web_user *known;

	if (!config->users)
		return WEB_RIGHT;
	if (!w->bcrypt || !user || !password || strlen(password) >= BCRYPT_PASSWORD_MAX)
		return WEB_WRONG;
	known = find(config, user);
	/* For an unknown user the first one's hash is compared, for nothing: it takes as long. */
	memcpy(q.hash, (known ? known : config->user)->hash, BCRYPT_LEN);
	if (!make_digest(w, user, q.hash, password, q.digest))
		return WEB_BUSY;
	if (known && known->known && !gnutls_memcmp(known->digest, q.digest, WEB_DIGEST))
		return WEB_RIGHT;
	q.user = (char *)user;
	return compare(w, &q, password);
}
