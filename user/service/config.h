/* SPDX-License-Identifier: GPL-2.0-only */
/* config.h - the configuration file; docs/CONFIG.md is its reader's side. */
#ifndef ALPNSCOPE_CONFIG_H
#define ALPNSCOPE_CONFIG_H

#include "buf.h"
#include "rule.h"

#define CONFIG_RULES_MAX 256
#define CONFIG_LIST_MAX 64 /* values of one key */
#define CONFIG_ADDRESSES_MAX 1000 /* limit of the label server_address */

/**
 * struct config - what a file says.
 * @rule: @rules of them, in its order; the first that matches decides
 * @exempt: clients of which no fallback of any service is counted
 * @server_addresses: the label server_address: of at most so many, 0 for none
 */
struct config {
	struct rule *rule;
	unsigned int rules;
	struct cidr_list exempt;
	unsigned int server_addresses;
};

/**
 * config_parse - read a file's text: YAML 1.1, UTF-8.
 * @text: @len bytes, anything
 * @name: of the file, for what is said
 * @said: appended: without a result one line for each error, "NAME:LINE:COLUMN: what is wrong; what
 *        is right" (from 1, columns in characters), at most READER_ERRORS_MAX of them; with a
 *        result what is right but looks like a slip, in the same form
 * Returns a configuration to free, or NULL. A text without content is an empty configuration.
 */
struct config *config_parse(const char *text, size_t len, const char *name, struct buf *said);

/** config_load - config_parse() of the file @path; one that cannot be read is "PATH: why; what to
 * do" in @said. */
struct config *config_load(const char *path, struct buf *said);

/** config_free - NULL is fine. */
void config_free(struct config *config);

/** config_describe - append what @config says, for people: a paragraph for each service. */
void config_describe(const struct config *config, struct buf *out);

#endif
