// SPDX-License-Identifier: GPL-2.0-only
/* One function for each key of a service. */
#include "config_rule.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "aggregate.h"
#include "expect.h"

#define ERROR_MAX 256

/* Room for one more of @size bytes behind *@count at *@at; NULL after an error that was said. */
static void *grow(struct reader *r, yaml_node_t *node, void *list, unsigned int count, size_t size)
{
	void *more = reallocarray(list, count + 1, size);

	if (!more)
		reader_memory(r, node->start_mark);
	return more;
}

/* A list that must say something; without a value at all a condition would hold for everything. */
static void read_list(struct reader *r, yaml_node_t *node, const char *what,
		      void (*fn)(struct reader *r, yaml_node_t *item, void *arg), void *into)
{
	unsigned int before = r->errors;

	if (!reader_each(r, node, what, CONFIG_LIST_MAX, fn, into) && r->errors == before)
		reader_error(r, node->start_mark,
			     "an empty list; expected %s at least, or leave the key out", what);
}

static void add_network(struct reader *r, yaml_node_t *item, void *arg)
{
	const char *text = reader_text(r, item, "an IP address or network", READER_TEXT_MAX);
	struct cidr_list *list = arg;
	char error[ERROR_MAX];
	struct cidr net, *at;

	if (!text)
		return;
	if (cidr_parse(text, &net, error, sizeof(error))) {
		reader_error(r, item->start_mark, "%s", error);
		return;
	}
	at = grow(r, item, list->at, list->count, sizeof(*at));
	if (!at)
		return;
	list->at = at;
	list->at[list->count++] = net;
}

void config_read_networks(struct reader *r, yaml_node_t *node, void *into)
{
	read_list(r, node, "an IP address or network", add_network, into);
}

static void read_name(struct reader *r, yaml_node_t *node, void *into)
{
	const char *text = reader_text(r, node, "a name", SERVICE_NAME_MAX);
	struct rule *rule = into;

	if (!text)
		return;
	if (!strcmp(text, "unknown") || !strcmp(text, AGGREGATE_OVERFLOW))
		reader_error(r, node->start_mark,
			     "'%s' has a meaning of its own in the metrics; expected another name",
			     text);
	else
		strcpy(rule->name, text);
}

static void add_role(struct reader *r, yaml_node_t *item, void *arg)
{
	const char *text = reader_text(r, item, "a role", READER_TEXT_MAX);
	struct rule *rule = arg;
	enum role role = ROLE_SERVER;

	if (!text)
		return;
	while (role < ROLE_COUNT && strcmp(text, role_name(role)))
		role++;
	if (role == ROLE_COUNT)
		reader_error(r, item->start_mark,
			     "'%.40s' is no role; expected server, client or transit", text);
	else
		rule->roles |= 1U << role;
}

static void read_role(struct reader *r, yaml_node_t *node, void *into)
{
	struct rule *rule = into;

	rule->roles = 0;
	read_list(r, node, "a role", add_role, rule);
}

static void read_address(struct reader *r, yaml_node_t *node, void *into)
{
	struct rule *rule = into;

	config_read_networks(r, node, &rule->address);
}

static void read_exempt(struct reader *r, yaml_node_t *node, void *into)
{
	struct rule *rule = into;

	config_read_networks(r, node, &rule->exempt);
}

static void add_port(struct reader *r, yaml_node_t *item, void *arg)
{
	const char *text = reader_text(r, item, "a port", READER_TEXT_MAX);
	size_t digits = text ? strspn(text, "0123456789") : 0;
	struct port_list *list = arg;
	unsigned long port = 0;
	uint16_t *at;

	if (!text)
		return;
	if (digits && digits <= 5 && !text[digits])
		port = strtoul(text, NULL, 10);
	if (!port || port > UINT16_MAX) {
		reader_error(r, item->start_mark, "'%.40s' is no port; expected 1 to 65535", text);
		return;
	}
	at = grow(r, item, list->at, list->count, sizeof(*at));
	if (!at)
		return;
	list->at = at;
	list->at[list->count++] = (uint16_t)port;
}

static void read_port(struct reader *r, yaml_node_t *node, void *into)
{
	struct rule *rule = into;

	read_list(r, node, "a port", add_port, &rule->port);
}

static void add_glob(struct reader *r, yaml_node_t *item, void *arg)
{
	const char *text = reader_text(r, item, "a name or glob", READER_TEXT_MAX);
	struct text_list *list = arg;
	char **at, *copy;

	if (!text)
		return;
	at = grow(r, item, list->at, list->count, sizeof(*at));
	if (!at)
		return;
	list->at = at;
	copy = strdup(text);
	if (copy)
		list->at[list->count++] = copy;
	else
		reader_memory(r, item->start_mark);
}

#define READ_GLOBS(key)                                                                            \
	static void read_##key(struct reader *r, yaml_node_t *node, void *into)                    \
	{                                                                                          \
		struct rule *rule = into;                                                          \
                                                                                                   \
		read_list(r, node, "a name or glob", add_glob, &rule->key);                        \
	}

READ_GLOBS(sni)
READ_GLOBS(unit)
READ_GLOBS(container)

static void add_cgroup(struct reader *r, yaml_node_t *item, void *arg)
{
	const char *text = reader_text(r, item, "a path of a control group", READER_TEXT_MAX);

	if (text && *text != '/' && *text != '*')
		reader_error(r, item->start_mark,
			     "'%.80s' is no path; expected one from the root on, as in "
			     "/system.slice/nginx.service",
			     text);
	else if (text)
		add_glob(r, item, arg);
}

static void read_cgroup(struct reader *r, yaml_node_t *node, void *into)
{
	struct rule *rule = into;

	read_list(r, node, "a path of a control group", add_cgroup, &rule->cgroup);
}

static void add_protocol(struct reader *r, yaml_node_t *item, void *arg)
{
	const char *text = reader_text(r, item, "an ALPN protocol name", EXPECT_NAME_MAX);
	struct rule *rule = arg;
	char error[ERROR_MAX];

	if (!text)
		return;
	/* --expect takes commas. As one name it could never be met, and all would be fallbacks. */
	if (strchr(text, ','))
		reader_error(r, item->start_mark, "'%.80s' is one name; expected a list: [%.80s]",
			     text, text);
	else if (expect_add(&rule->expect, text, strlen(text), error, sizeof(error)))
		reader_error(r, item->start_mark, "%s; expected h2, http/1.1 or the like", error);
	else if (!expect_registered(text, strlen(text)))
		reader_note(r, item->start_mark,
			    "'%s' is not a registered ALPN ID (h2, http/1.1, ...)", text);
}

static void read_expect(struct reader *r, yaml_node_t *node, void *into)
{
	struct rule *rule = into;

	rule->expects = true;
	rule->expect.source = EXPECT_CONFIGURED;
	reader_each(r, node, "a protocol", EXPECT_MAX, add_protocol, rule);
}

static const struct reader_key service_keys[] = {
	{"name", read_name},	   {"role", read_role},
	{"address", read_address}, {"port", read_port},
	{"sni", read_sni},	   {"unit", read_unit},
	{"cgroup", read_cgroup},   {"container", read_container},
	{"expect", read_expect},   {"exempt_clients", read_exempt},
};

static bool is_everything(const struct rule *rule)
{
	return rule->roles == RULE_ROLES_DEFAULT && !rule->address.count && !rule->port.count &&
	       !rule->sni.count && !rule->unit.count && !rule->cgroup.count &&
	       !rule->container.count;
}

/* A rule that says nothing, and one that is never asked, are slips. */
static void check_rule(struct reader *r, yaml_node_t *node, const struct rule *rule)
{
	const struct config *config = r->root;

	if (!rule->name[0] && !rule->expects && !rule->exempt.count)
		reader_error(r, node->start_mark,
			     "nothing is said of this service; expected name, expect or "
			     "exempt_clients");
	for (unsigned int i = 0; i < config->rules; i++) {
		const struct rule *before = &config->rule[i];

		if (!is_everything(before) || (rule->roles & ~before->roles))
			continue;
		reader_note(r, node->start_mark,
			    "never asked: the service in line %u has no condition and comes first",
			    before->line);
		break;
	}
}

void config_read_service(struct reader *r, yaml_node_t *node, void *arg)
{
	struct rule rule = {.roles = RULE_ROLES_DEFAULT,
			    .line = (unsigned int)node->start_mark.line + 1};
	unsigned int before = r->errors;
	struct config *config = r->root;
	struct rule *at;

	(void)arg;
	reader_map(r, node, "a service", service_keys,
		   sizeof(service_keys) / sizeof(service_keys[0]), &rule);
	if (r->errors == before)
		check_rule(r, node, &rule);
	at = grow(r, node, config->rule, config->rules, sizeof(*at));
	if (!at) {
		rule_free(&rule);
		return;
	}
	config->rule = at;
	config->rule[config->rules++] = rule;
}
