// SPDX-License-Identifier: GPL-2.0-only
#include "rule.h"

#include <fnmatch.h>
#include <stdlib.h>

bool cidr_list_has(const struct cidr_list *list, const uint8_t *addr)
{
	for (unsigned int i = 0; addr && i < list->count; i++)
		if (cidr_has(&list->at[i], addr))
			return true;
	return false;
}

bool port_list_has(const struct port_list *list, uint16_t port)
{
	for (unsigned int i = 0; port && i < list->count; i++)
		if (list->at[i] == port)
			return true;
	return false;
}

/* What is not known is matched by no glob, not even by `*`. */
static bool text_in(const struct text_list *list, const char *text, int flags)
{
	for (unsigned int i = 0; *text && i < list->count; i++)
		if (!fnmatch(list->at[i], text, FNM_NOESCAPE | flags))
			return true;
	return false;
}

static bool workload_match(const struct rule *rule, const struct workload *w)
{
	if (!rule->unit.count && !rule->cgroup.count && !rule->container.count)
		return true;
	if (!w)
		return false;
	if (rule->unit.count && !text_in(&rule->unit, w->unit, 0))
		return false;
	if (rule->cgroup.count && !text_in(&rule->cgroup, w->cgroup, 0))
		return false;
	return !rule->container.count || text_in(&rule->container, w->container, 0) ||
	       text_in(&rule->container, w->container_id, 0);
}

bool rule_match(const struct rule *rule, const struct rule_facts *f)
{
	if (!(rule->roles & 1U << f->role))
		return false;
	if (rule->port.count && !port_list_has(&rule->port, f->server_port[0]) &&
	    !port_list_has(&rule->port, f->server_port[1]))
		return false;
	if (rule->address.count && !cidr_list_has(&rule->address, f->server_addr[0]) &&
	    !cidr_list_has(&rule->address, f->server_addr[1]))
		return false;
	if (rule->sni.count && !text_in(&rule->sni, f->sni, FNM_CASEFOLD))
		return false;
	return workload_match(rule, f->work);
}

static void free_texts(struct text_list *list)
{
	for (unsigned int i = 0; i < list->count; i++)
		free(list->at[i]);
	free(list->at);
}

void rule_free(struct rule *rule)
{
	free(rule->address.at);
	free(rule->port.at);
	free(rule->exempt.at);
	free_texts(&rule->sni);
	free_texts(&rule->unit);
	free_texts(&rule->cgroup);
	free_texts(&rule->container);
}
