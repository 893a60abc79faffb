/* SPDX-License-Identifier: GPL-2.0-only */
/* config_yaml.h - nodes of a YAML document, read with errors that say where. For config*.c only. */
#ifndef ALPNSCOPE_CONFIG_YAML_H
#define ALPNSCOPE_CONFIG_YAML_H

#include <yaml.h>

#include "config.h"

/**
 * struct reader - a document that is being read.
 * @said: where errors and notes go, see config_parse()
 * @notes: kept apart until it is known that there is no error
 */
struct reader {
	yaml_document_t doc;
	const char *name;
	struct config *config;
	struct buf *said;
	struct buf notes;
	unsigned int errors;
};

/** struct config_key - a key of a mapping and who reads its value into @into. */
struct config_key {
	const char *name;
	void (*read)(struct reader *r, yaml_node_t *value, void *into);
};

/** reader_error - say what is wrong at @mark; the first CONFIG_ERRORS_MAX times only. */
void reader_error(struct reader *r, yaml_mark_t mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** reader_note - say what looks like a slip at @mark. */
void reader_note(struct reader *r, yaml_mark_t mark, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/**
 * reader_map - read each key of a mapping by its row of @keys (@count of them, at most 16). A node
 * that is no mapping, a key that is unknown (the nearest known one is suggested) or comes twice is
 * an error.
 * @what: names the mapping in errors, "a service"
 */
void reader_map(struct reader *r, yaml_node_t *node, const char *what,
		const struct config_key *keys, size_t count, void *into);

/**
 * reader_text - the text of a scalar of printable ASCII, 1 to @max - 1 bytes.
 * @what: names it in errors, "a port"
 * Returns it, terminated, for as long as the document; or NULL after an error that was said.
 */
const char *reader_text(struct reader *r, yaml_node_t *node, const char *what, size_t max);

/**
 * reader_each - call @fn for the value itself, or for each item of a list of at most @max.
 * Returns how many there were; 0 also after an error that was said.
 */
unsigned int reader_each(struct reader *r, yaml_node_t *node, const char *what, unsigned int max,
			 void (*fn)(struct reader *r, yaml_node_t *item, void *arg), void *arg);

/** reader_memory - say that there is no memory left. */
void reader_memory(struct reader *r, yaml_mark_t mark);

/* ---- config_rule.c ---- */

/** config_read_service - one item of `services`; @arg is not used. */
void config_read_service(struct reader *r, yaml_node_t *node, void *arg);

/** config_read_networks - a struct cidr_list @into: networks, at least one. */
void config_read_networks(struct reader *r, yaml_node_t *node, void *into);

#endif
