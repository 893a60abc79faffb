/* SPDX-License-Identifier: GPL-2.0-only */
/* web_config.h - --web.config.file: the exporter-toolkit's format; docs/CONFIG.md lists its keys. */
#ifndef ALPNSCOPE_WEB_CONFIG_H
#define ALPNSCOPE_WEB_CONFIG_H

#include <stdint.h>

#include "buf.h"
#include "web_files.h"
#include "web_tls.h"

#define WEB_USERS_MAX 64
#define WEB_HEADERS_MAX 5
#define WEB_DIGEST 32

/**
 * struct web_user - who may come.
 * @hash: bcrypt's
 * @known: a password was right once; it is kept as @digest (see web.c)
 */
struct web_user {
	char *name;
	char *hash;
	bool known;
	uint8_t digest[WEB_DIGEST];
};

/** struct web_header - added to every response. */
struct web_header {
	const char *name;
	char *value;
};

/**
 * struct web_config - what the file says.
 * @refs: how many hold it
 * @has_tls: HTTPS, by @tls
 */
struct web_config {
	unsigned int refs;
	bool has_tls;
	struct web_tls tls;
	struct web_user *user;
	unsigned int users;
	struct web_header header[WEB_HEADERS_MAX];
	unsigned int headers;
};

/**
 * web_config_parse - as web_config_load(), of @len bytes of text.
 * @name: of the file, for what is said; what it names is looked for beside it
 */
struct web_config *web_config_parse(const char *text, size_t len, const char *name,
				    struct web_files *files, struct buf *said);

/**
 * web_config_load - read the file @path and those that it names.
 * @files: all zero; filled with what was looked at
 * @said: appended: without a result "PATH:LINE:COLUMN: what is wrong; what is right" lines, with one
 *        what looks like a slip
 * Returns a configuration with one reference, or NULL.
 */
struct web_config *web_config_load(const char *path, struct web_files *files, struct buf *said);

/** web_config_put - give a reference back; NULL is fine. */
void web_config_put(struct web_config *config);

/** web_config_describe - append what @config says, for people. */
void web_config_describe(const struct web_config *config, struct buf *out);

#endif
