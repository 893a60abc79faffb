// SPDX-License-Identifier: GPL-2.0-only
#include "config.h"

static void networks(struct buf *out, const char *what, const struct cidr_list *list)
{
	char text[CIDR_TEXT_MAX];

	if (list->count)
		buf_printf(out, "%s", what);
	for (unsigned int i = 0; i < list->count; i++) {
		cidr_text(&list->at[i], text);
		buf_printf(out, "%s%s", i ? ", " : "", text);
	}
	buf_puts(out, list->count ? "\n" : "");
}

static void globs(struct buf *out, const char *what, const struct text_list *list)
{
	if (list->count)
		buf_printf(out, "%s", what);
	for (unsigned int i = 0; i < list->count; i++)
		buf_printf(out, "%s%s", i ? ", " : "", list->at[i]);
	buf_puts(out, list->count ? "\n" : "");
}

static void conditions(struct buf *out, const struct rule *rule)
{
	const char *comma = "";

	buf_puts(out, "  role       ");
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		if (!(rule->roles & 1U << role))
			continue;
		buf_printf(out, "%s%s", comma, role_name(role));
		comma = ", ";
	}
	buf_puts(out, "\n");
	networks(out, "  address    ", &rule->address);
	if (rule->port.count)
		buf_puts(out, "  port       ");
	for (unsigned int i = 0; i < rule->port.count; i++)
		buf_printf(out, "%s%u", i ? ", " : "", rule->port.at[i]);
	buf_puts(out, rule->port.count ? "\n" : "");
	globs(out, "  sni        ", &rule->sni);
	globs(out, "  unit       ", &rule->unit);
	globs(out, "  cgroup     ", &rule->cgroup);
	globs(out, "  container  ", &rule->container);
}

static void expected(struct buf *out, const struct rule *rule)
{
	buf_puts(out, "  expected   ");
	for (unsigned int i = 0; i < rule->expect.count; i++)
		buf_printf(out, "%s%s", i ? ", then " : "", rule->expect.name[i]);
	if (!rule->expects)
		buf_puts(out, "what --expect says, else the best it was seen to choose");
	else if (!rule->expect.count)
		buf_puts(out, "nothing");
	buf_puts(out, "\n");
}

void config_describe(const struct config *config, struct buf *out)
{
	for (unsigned int i = 0; i < config->rules; i++) {
		const struct rule *rule = &config->rule[i];

		buf_printf(out, "%u. %s (line %u)\n", i + 1,
			   rule->name[0] ? rule->name : "services under their own names",
			   rule->line);
		conditions(out, rule);
		expected(out, rule);
		networks(out, "  exempt     ", &rule->exempt);
		if (rule->name[0] && !rule->port.count)
			buf_puts(out, "  metrics    from its first handshake on (a service with a "
				      "port has them from the start)\n");
	}
	networks(out, "exempt clients of every service: ", &config->exempt);
	if (config->server_addresses)
		buf_printf(out, "label server_address of role client: at most %u\n",
			   config->server_addresses);
}
