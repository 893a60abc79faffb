// SPDX-License-Identifier: GPL-2.0-only
#include "config.h"

#include <stdlib.h>
#include <string.h>

#include "config_rule.h"

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
	struct config *config = r->root;

	(void)into;
	config_read_networks(r, node, &config->exempt);
}

static void read_server_address(struct reader *r, yaml_node_t *node, void *into)
{
	const char *text = reader_text(r, node, "a number of addresses", READER_TEXT_MAX);
	size_t digits = text ? strspn(text, "0123456789") : 0;
	struct config *config = r->root;
	unsigned long n = 0;

	(void)into;
	if (!text)
		return;
	if (digits && digits <= 4 && !text[digits])
		n = strtoul(text, NULL, 10);
	if (n && n <= CONFIG_ADDRESSES_MAX)
		config->server_addresses = (unsigned int)n;
	else
		reader_error(r, node->start_mark,
			     "'%.40s' is no number of addresses; expected 1 to %d", text,
			     CONFIG_ADDRESSES_MAX);
}

static const struct reader_key label_keys[] = {
	{"server_address", read_server_address},
};

static void read_labels(struct reader *r, yaml_node_t *node, void *into)
{
	reader_map(r, node, "the labels", label_keys, sizeof(label_keys) / sizeof(label_keys[0]),
		   into);
}

#define TOP_KEYS (sizeof(top_keys) / sizeof(top_keys[0]))

static const struct reader_key top_keys[] = {
	{"services", read_services},
	{"exempt_clients", read_exempt},
	{"labels", read_labels},
};

struct config *config_parse(const char *text, size_t len, const char *name, struct buf *said)
{
	struct reader r = {.name = name, .said = said, .root = calloc(1, sizeof(struct config))};

	if (!r.root)
		reader_memory(&r, (yaml_mark_t){0});
	else if (reader_run(&r, text, len, "a configuration", top_keys, TOP_KEYS))
		return r.root;
	config_free(r.root);
	return NULL;
}

struct config *config_load(const char *path, struct buf *said)
{
	struct reader r = {.name = path, .said = said, .root = calloc(1, sizeof(struct config))};

	if (!r.root)
		reader_memory(&r, (yaml_mark_t){0});
	else if (reader_load(&r, "a configuration", top_keys, TOP_KEYS))
		return r.root;
	config_free(r.root);
	return NULL;
}
