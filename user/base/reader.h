/* SPDX-License-Identifier: GPL-2.0-only */
/* reader.h - a YAML file, read key by key with errors that say where. */
#ifndef ALPNSCOPE_READER_H
#define ALPNSCOPE_READER_H

#include <stdbool.h>
#include <yaml.h>

#include "buf.h"

#define READER_SIZE_MAX (1U << 20) /* bytes of a file */
#define READER_ERRORS_MAX 20 /* that are told of one file */
#define READER_TEXT_MAX 256 /* bytes of a key or a usual value, terminator included */

/**
 * struct reader - a document that is being read.
 * @name: of the file, for what is said
 * @root: what is made of it
 * @said: where errors go: "NAME:LINE:COLUMN: what is wrong; what is right" (from 1, columns in
 *        characters), at most READER_ERRORS_MAX lines, and notes when there is none
 * @notes: kept apart until it is known that there is no error
 */
struct reader {
	yaml_document_t doc;
	const char *name;
	void *root;
	struct buf *said;
	struct buf notes;
	unsigned int errors;
};

/** struct reader_key - a key of a mapping and who reads its value into @into. */
struct reader_key {
	const char *name;
	void (*read)(struct reader *r, yaml_node_t *value, void *into);
};

/**
 * reader_run - read a text: YAML 1.1, UTF-8, one document, a mapping whose keys are @keys.
 * @r: with name, said and root set, all else zero
 * @text: @len bytes, anything; without content it has no keys
 * @what: names the document in errors, "a configuration"
 * Returns true if nothing was wrong; notes are in @said then, else errors.
 */
bool reader_run(struct reader *r, const char *text, size_t len, const char *what,
		const struct reader_key *keys, size_t count);

/**
 * reader_load - reader_run() of the file @r->name; one that cannot be read is "PATH: why; what to
 * do" in @r->said.
 */
bool reader_load(struct reader *r, const char *what, const struct reader_key *keys, size_t count);

/**
 * reader_file - append the file @path to @out, at most READER_SIZE_MAX bytes of it.
 * Returns 0 or -errno: -EFBIG when it is longer.
 */
int reader_file(const char *path, struct buf *out);

/** reader_error - say what is wrong at @mark; the first READER_ERRORS_MAX times only. */
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
		const struct reader_key *keys, size_t count, void *into);

/**
 * reader_text - the text of a scalar of printable ASCII, 1 to @max - 1 bytes.
 * @what: names it in errors, "a port"
 * Returns it, terminated, for as long as the document; or NULL after an error that was said.
 */
const char *reader_text(struct reader *r, yaml_node_t *node, const char *what, size_t max);

/** reader_lines - as reader_text(), of several lines. */
const char *reader_lines(struct reader *r, yaml_node_t *node, const char *what, size_t max);

/** reader_bool - true or false, as YAML 1.1 writes them, in @out. False after an error that was
 * said. */
bool reader_bool(struct reader *r, yaml_node_t *node, bool *out);

/** reader_pairs - call @fn for each pair of a mapping whose keys are names of the user's, at most
 * @max; @what names the mapping in errors. */
void reader_pairs(struct reader *r, yaml_node_t *node, const char *what, unsigned int max,
		  void (*fn)(struct reader *r, yaml_node_t *key, yaml_node_t *value, void *arg),
		  void *arg);

/**
 * reader_each - call @fn for the value itself, or for each item of a list of at most @max.
 * Returns how many there were; 0 also after an error that was said.
 */
unsigned int reader_each(struct reader *r, yaml_node_t *node, const char *what, unsigned int max,
			 void (*fn)(struct reader *r, yaml_node_t *item, void *arg), void *arg);

/** reader_memory - say that there is no memory left. */
void reader_memory(struct reader *r, yaml_mark_t mark);

#endif
