/* SPDX-License-Identifier: GPL-2.0-only */
/* rule.h - what the operator says of services: which they are, and what holds for them. */
#ifndef ALPNSCOPE_RULE_H
#define ALPNSCOPE_RULE_H

#include "cidr.h"
#include "event.h"

#define RULE_ROLES_DEFAULT (1U << ROLE_SERVER | 1U << ROLE_TRANSIT)

/** Lists of a rule; memory of their own, NULL with 0. */
struct cidr_list {
	unsigned int count;
	struct cidr *at;
};

struct port_list { /* host byte order */
	unsigned int count;
	uint16_t *at;
};

/** port_list_has - 0 is in none. */
bool port_list_has(const struct port_list *list, uint16_t port);

struct text_list {
	unsigned int count;
	char **at;
};

/**
 * struct rule - a service: all conditions that are there must hold, any one of a list does.
 * @line: of the configuration file, from 1; 0 when it is not from one
 * @name: what the service is called; "" leaves it the name of its workload
 * @roles: bit set, 1 << enum role
 * @address: of the server
 * @port: of the server, on either side of an address translation, as is @address
 * @sni, @unit, @cgroup, @container: globs, fnmatch(3) without quoting by `\`
 * @expects: @expect holds; with no protocol in it nothing is expected, nor what was observed
 * @exempt: clients of which no fallback is counted
 */
struct rule {
	unsigned int line;
	char name[SERVICE_NAME_MAX];
	unsigned int roles;
	struct cidr_list address;
	struct port_list port;
	struct text_list sni, unit, cgroup, container;
	bool expects;
	struct expectation expect;
	struct cidr_list exempt;
};

/**
 * struct rule_facts - one end of a handshake, as rules ask for it. Addresses are 16 bytes in
 * network order, IPv4 mapped, or NULL when not known.
 * @server_addr, @server_port: before and after address translation, twice the same without one;
 *          a port 0 is none
 * @sni: escaped as in events; "" for none
 * @work: NULL when nothing is known
 */
struct rule_facts {
	enum role role;
	const uint8_t *server_addr[2];
	uint16_t server_port[2];
	const char *sni;
	const struct workload *work;
};

/** rule_match - do all conditions of @rule hold? Letter case counts, but in host names. */
bool rule_match(const struct rule *rule, const struct rule_facts *facts);

/** cidr_list_has - is @addr (16 bytes, NULL is in none) in any network of the list? */
bool cidr_list_has(const struct cidr_list *list, const uint8_t *addr);

/** rule_free - give back what its lists hold, not @rule itself. */
void rule_free(struct rule *rule);

#endif
