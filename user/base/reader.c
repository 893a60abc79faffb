// SPDX-License-Identifier: GPL-2.0-only
#include "reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEYS_MAX 16
#define WORD_MAX 32 /* bytes of a key that may be a slip of a known one, terminator included */

static void say(struct buf *to, const struct reader *r, yaml_mark_t mark, const char *format,
		va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), format, args);
	buf_printf(to, "%s:%zu:%zu: %s\n", r->name, mark.line + 1, mark.column + 1, text);
}

void reader_error(struct reader *r, yaml_mark_t mark, const char *format, ...)
{
	va_list args;

	if (r->errors++ >= READER_ERRORS_MAX)
		return;
	va_start(args, format);
	say(r->said, r, mark, format, args);
	va_end(args);
}

void reader_note(struct reader *r, yaml_mark_t mark, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say(&r->notes, r, mark, format, args);
	va_end(args);
}

void reader_memory(struct reader *r, yaml_mark_t mark)
{
	reader_error(r, mark, "there is no memory left to keep it");
}

static const char *kind_of(const yaml_node_t *node)
{
	if (node->type == YAML_MAPPING_NODE)
		return "a mapping";
	return node->type == YAML_SEQUENCE_NODE ? "a list" : "a single value";
}

/* How many letters to add, drop or change to make @b of @a (Levenshtein); both below WORD_MAX. */
static unsigned int distance(const char *a, const char *b)
{
	unsigned int row[WORD_MAX + 1], n = (unsigned int)strlen(b);

	for (unsigned int j = 0; j <= n; j++)
		row[j] = j;
	for (unsigned int i = 1; a[i - 1]; i++) {
		unsigned int corner = row[0];

		row[0] = i;
		for (unsigned int j = 1; j <= n; j++) {
			unsigned int best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[n];
}

/* The known key that @word may have been meant to be, or NULL. */
static const char *nearest(const char *word, const struct reader_key *keys, size_t count)
{
	unsigned int best = 3; /* a slip, or a plural */
	const char *found = NULL;

	for (size_t i = 0; strlen(word) < WORD_MAX && i < count; i++) {
		unsigned int d =
			strlen(keys[i].name) < WORD_MAX ? distance(word, keys[i].name) : best;

		if (d < best && d < strlen(keys[i].name)) {
			best = d;
			found = keys[i].name;
		}
	}
	return found;
}

static void unknown_key(struct reader *r, yaml_node_t *key, const char *word, const char *what,
			const struct reader_key *keys, size_t count)
{
	const char *meant = nearest(word, keys, count);
	char list[256] = "";

	if (meant) {
		reader_error(r, key->start_mark, "unknown key '%s' of %s; did you mean '%s'?", word,
			     what, meant);
		return;
	}
	for (size_t i = 0, len = 0; i < count && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s", i ? ", " : "",
					keys[i].name);
	reader_error(r, key->start_mark, "unknown key '%.40s' of %s; expected one of %s", word,
		     what, list);
}

static size_t key_index(const char *word, const struct reader_key *keys, size_t count)
{
	size_t i = 0;

	while (i < count && strcmp(keys[i].name, word))
		i++;
	return i;
}

void reader_map(struct reader *r, yaml_node_t *node, const char *what,
		const struct reader_key *keys, size_t count, void *into)
{
	size_t line[KEYS_MAX] = {0};

	if (node->type != YAML_MAPPING_NODE) {
		reader_error(r, node->start_mark, "this is %s; expected %s, as `key: value` lines",
			     kind_of(node), what);
		return;
	}
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     p < node->data.mapping.pairs.top && r->errors < READER_ERRORS_MAX; p++) {
		yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);
		yaml_node_t *value = yaml_document_get_node(&r->doc, p->value);
		const char *word = reader_text(r, key, "a key", READER_TEXT_MAX);
		size_t i = word ? key_index(word, keys, count) : count;

		if (word && i == count)
			unknown_key(r, key, word, what, keys, count);
		if (i == count)
			continue;
		if (line[i])
			reader_error(r, key->start_mark,
				     "key '%s' a second time (first in line %zu); expected once, "
				     "with a list if there are several values",
				     word, line[i]);
		else
			keys[i].read(r, value, into);
		line[i] = key->start_mark.line + 1;
	}
}

/* Is @node a scalar of 1 to @max - 1 bytes that means itself? An error is said. */
static bool is_value(struct reader *r, yaml_node_t *node, const char *what, size_t max)
{
	size_t len = node->data.scalar.length;

	if (node->type != YAML_SCALAR_NODE) {
		reader_error(r, node->start_mark, "this is %s; expected %s", kind_of(node), what);
		return false;
	}
	if (!node->tag || strcmp((const char *)node->tag, YAML_STR_TAG)) {
		reader_error(r, node->start_mark, "a tag ('!...') has no meaning here; expected %s",
			     what);
		return false;
	}
	if (!len || len >= max) {
		reader_error(r, node->start_mark, "this is %s; expected %s of 1 to %zu bytes",
			     len ? "too long" : "empty", what, max - 1);
		return false;
	}
	return true;
}

static const char *printable(struct reader *r, yaml_node_t *node, const char *what, size_t max,
			     bool lines)
{
	const char *text = (const char *)node->data.scalar.value;

	if (!is_value(r, node, what, max))
		return NULL;
	for (size_t i = 0; i < node->data.scalar.length; i++) {
		if ((text[i] >= ' ' && text[i] <= '~') || (lines && text[i] == '\n'))
			continue;
		reader_error(r, node->start_mark,
			     "byte %zu is 0x%02x; expected %s of printable ASCII", i + 1,
			     (unsigned char)text[i], what);
		return NULL;
	}
	return text;
}

const char *reader_text(struct reader *r, yaml_node_t *node, const char *what, size_t max)
{
	return printable(r, node, what, max, false);
}

const char *reader_lines(struct reader *r, yaml_node_t *node, const char *what, size_t max)
{
	return printable(r, node, what, max, true);
}

bool reader_bool(struct reader *r, yaml_node_t *node, bool *out)
{
	static const char *const words[] = {"true", "false", "yes", "no", "on", "off"};
	const char *text = reader_text(r, node, "true or false", READER_TEXT_MAX);

	if (!text)
		return false;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (strcasecmp(text, words[i]))
			continue;
		*out = i % 2 == 0;
		return true;
	}
	reader_error(r, node->start_mark, "'%.40s' is neither; expected true or false", text);
	return false;
}

void reader_pairs(struct reader *r, yaml_node_t *node, const char *what, unsigned int max,
		  void (*fn)(struct reader *r, yaml_node_t *key, yaml_node_t *value, void *arg),
		  void *arg)
{
	unsigned int count = 0;

	if (node->type != YAML_MAPPING_NODE) {
		reader_error(r, node->start_mark, "this is %s; expected %s, as `key: value` lines",
			     kind_of(node), what);
		return;
	}
	for (yaml_node_pair_t *p = node->data.mapping.pairs.start;
	     p < node->data.mapping.pairs.top && r->errors < READER_ERRORS_MAX; p++) {
		yaml_node_t *key = yaml_document_get_node(&r->doc, p->key);

		if (count++ == max) {
			reader_error(r, key->start_mark, "too many of %s; expected at most %u",
				     what, max);
			break;
		}
		fn(r, key, yaml_document_get_node(&r->doc, p->value), arg);
	}
}

unsigned int reader_each(struct reader *r, yaml_node_t *node, const char *what, unsigned int max,
			 void (*fn)(struct reader *r, yaml_node_t *item, void *arg), void *arg)
{
	unsigned int count = 0;

	if (node->type != YAML_SEQUENCE_NODE) {
		fn(r, node, arg);
		return 1;
	}
	for (yaml_node_item_t *i = node->data.sequence.items.start;
	     i < node->data.sequence.items.top && r->errors < READER_ERRORS_MAX; i++) {
		yaml_node_t *item = yaml_document_get_node(&r->doc, *i);

		if (count++ == max) {
			reader_error(r, item->start_mark, "%s too many; expected at most %u", what,
				     max);
			break;
		}
		fn(r, item, arg);
	}
	return count;
}

/* The place of a byte, when libyaml tells no line: it stopped at what is no UTF-8. */
static yaml_mark_t mark_of(const char *text, size_t len, size_t offset)
{
	yaml_mark_t mark = {0};

	for (size_t i = 0; i < offset && i < len; i++) {
		/* columns are characters: the bytes 10xxxxxx of UTF-8 go on with one */
		mark.column += (text[i] & 0xc0) != 0x80;
		if (text[i] != '\n')
			continue;
		mark.line++;
		mark.column = 0;
	}
	return mark;
}

/* What libyaml says needs more words where people slip most. */
static const char *advice(const yaml_parser_t *p)
{
	const char *problem = p->problem ? p->problem : "", *context = p->context ? p->context : "";

	if (strstr(context, "alias") || strstr(problem, "alias"))
		return "; a text that begins with * or & must be quoted: \"*.example.org\"";
	if (strstr(problem, "cannot start any token"))
		return "; quote the text, and indent by blanks, not by tabs";
	return "; expected YAML, as in `key: value`";
}

static void yaml_error(struct reader *r, const yaml_parser_t *p, const char *text, size_t len)
{
	yaml_mark_t mark = p->problem_mark;

	if (p->error == YAML_MEMORY_ERROR) {
		reader_memory(r, mark);
		return;
	}
	if (p->error == YAML_READER_ERROR)
		mark = mark_of(text, len, p->problem_offset);
	reader_error(r, mark, "%s%s%s%s", p->context ? p->context : "", p->context ? ", " : "",
		     p->problem ? p->problem : "not readable", advice(p));
}

/* There is one document; @p stands behind it. */
static void read_end(struct reader *r, yaml_parser_t *p, const char *text, size_t len)
{
	yaml_document_t second;
	yaml_node_t *root;

	if (!yaml_parser_load(p, &second)) {
		yaml_error(r, p, text, len);
		return;
	}
	root = yaml_document_get_root_node(&second);
	if (root)
		reader_error(r, second.start_mark, "a second document; expected one only");
	yaml_document_delete(&second);
}

static void read_document(struct reader *r, const char *text, size_t len, const char *what,
			  const struct reader_key *keys, size_t count)
{
	yaml_parser_t parser;
	yaml_node_t *root;

	if (!yaml_parser_initialize(&parser)) {
		reader_memory(r, (yaml_mark_t){0});
		return;
	}
	yaml_parser_set_encoding(&parser, YAML_UTF8_ENCODING);
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, len);
	if (!yaml_parser_load(&parser, &r->doc)) {
		yaml_error(r, &parser, text, len);
		goto out;
	}
	root = yaml_document_get_root_node(&r->doc);
	if (root) {
		reader_map(r, root, what, keys, count, r->root);
		read_end(r, &parser, text, len);
	}
	yaml_document_delete(&r->doc);
out:
	yaml_parser_delete(&parser);
}

bool reader_run(struct reader *r, const char *text, size_t len, const char *what,
		const struct reader_key *keys, size_t count)
{
	read_document(r, text, len, what, keys, count);
	if (r->errors > READER_ERRORS_MAX)
		buf_printf(r->said, "%s: more errors follow; mend these first\n", r->name);
	if (!r->errors)
		buf_add(r->said, r->notes.data, r->notes.len);
	buf_free(&r->notes);
	return !r->errors;
}

static int read_all(int fd, struct buf *out)
{
	char chunk[4096];
	size_t len = 0;
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0 && len <= READER_SIZE_MAX) {
		buf_add(out, chunk, (size_t)n);
		len += (size_t)n;
	}
	explicit_bzero(chunk, sizeof(chunk)); /* it may have been a key */
	if (n < 0)
		return -errno;
	if (len > READER_SIZE_MAX)
		return -EFBIG;
	return out->failed ? -ENOMEM : 0;
}

int reader_file(const char *path, struct buf *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int err;

	if (fd < 0)
		return -errno;
	err = read_all(fd, out);
	close(fd);
	return err;
}

bool reader_load(struct reader *r, const char *what, const struct reader_key *keys, size_t count)
{
	struct buf text = {0};
	bool right = false;
	int err = reader_file(r->name, &text);

	if (err == -EFBIG)
		buf_printf(r->said, "%s: longer than %u bytes; give %s of alpnscope\n", r->name,
			   READER_SIZE_MAX, what);
	else if (err)
		buf_printf(r->said, "%s: %s; give a file that can be read\n", r->name,
			   strerror(-err));
	else
		right = reader_run(r, text.data ? text.data : "", text.len, what, keys, count);
	buf_free(&text);
	return right;
}
