// SPDX-License-Identifier: GPL-2.0-only
#include "config.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_yaml.h"

void config_free(struct config *config)
{
	if (!config)
		return;
	for (unsigned int i = 0; i < config->rules; i++)
		rule_free(&config->rule[i]);
	free(config->rule);
	free(config->exempt.at);
	free(config);
}

static void read_services(struct reader *r, yaml_node_t *node, void *into)
{
	(void)into;
	if (node->type == YAML_SEQUENCE_NODE)
		reader_each(r, node, "a service", CONFIG_RULES_MAX, config_read_service, NULL);
	else
		reader_error(r, node->start_mark,
			     "services are no list; expected one service each line that begins "
			     "with '- '");
}

static void read_exempt(struct reader *r, yaml_node_t *node, void *into)
{
	(void)into;
	config_read_networks(r, node, &r->config->exempt);
}

static void read_server_address(struct reader *r, yaml_node_t *node, void *into)
{
	const char *text = reader_text(r, node, "a number of addresses", CONFIG_TEXT_MAX);
	size_t digits = text ? strspn(text, "0123456789") : 0;
	unsigned long n = 0;

	(void)into;
	if (!text)
		return;
	if (digits && digits <= 4 && !text[digits])
		n = strtoul(text, NULL, 10);
	if (n && n <= CONFIG_ADDRESSES_MAX)
		r->config->server_addresses = (unsigned int)n;
	else
		reader_error(r, node->start_mark,
			     "'%.40s' is no number of addresses; expected 1 to %d", text,
			     CONFIG_ADDRESSES_MAX);
}

static const struct config_key label_keys[] = {
	{"server_address", read_server_address},
};

static void read_labels(struct reader *r, yaml_node_t *node, void *into)
{
	reader_map(r, node, "the labels", label_keys, sizeof(label_keys) / sizeof(label_keys[0]),
		   into);
}

static const struct config_key top_keys[] = {
	{"services", read_services},
	{"exempt_clients", read_exempt},
	{"labels", read_labels},
};

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

static void read_document(struct reader *r, const char *text, size_t len)
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
		reader_map(r, root, "a configuration", top_keys,
			   sizeof(top_keys) / sizeof(top_keys[0]), r->config);
		read_end(r, &parser, text, len);
	}
	yaml_document_delete(&r->doc);
out:
	yaml_parser_delete(&parser);
}

struct config *config_parse(const char *text, size_t len, const char *name, struct buf *said)
{
	struct reader r = {.name = name, .said = said, .config = calloc(1, sizeof(*r.config))};

	if (!r.config)
		reader_memory(&r, (yaml_mark_t){0});
	else
		read_document(&r, text, len);
	if (r.errors > CONFIG_ERRORS_MAX)
		buf_printf(said, "%s: more errors follow; mend these first\n", name);
	if (!r.errors)
		buf_add(said, r.notes.data, r.notes.len);
	buf_free(&r.notes);
	if (!r.errors)
		return r.config;
	config_free(r.config);
	return NULL;
}

/* The whole file, at most CONFIG_SIZE_MAX bytes of it, in @out. Returns 0 or -errno. */
static int read_file(const char *path, struct buf *out)
{
	FILE *file = fopen(path, "re");
	char chunk[4096];
	int err = 0;
	size_t n;

	if (!file)
		return -errno;
	errno = 0;
	while ((n = fread(chunk, 1, sizeof(chunk), file)) > 0 && out->len <= CONFIG_SIZE_MAX)
		buf_add(out, chunk, n);
	if (ferror(file))
		err = errno ? -errno : -EIO;
	else if (out->failed)
		err = -ENOMEM;
	else if (out->len > CONFIG_SIZE_MAX)
		err = -EFBIG;
	fclose(file);
	return err;
}

struct config *config_load(const char *path, struct buf *said)
{
	struct config *config = NULL;
	struct buf text = {0};
	int err = read_file(path, &text);

	if (err == -EFBIG)
		buf_printf(said, "%s: longer than %u bytes; give a configuration of alpnscope\n",
			   path, CONFIG_SIZE_MAX);
	else if (err)
		buf_printf(said, "%s: %s; give a file that can be read\n", path, strerror(-err));
	else
		config = config_parse(text.data ? text.data : "", text.len, path, said);
	buf_free(&text);
	return config;
}
