// SPDX-License-Identifier: GPL-2.0-only
#include "service.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expect.h"
#include "observed.h"

/*
 * @told: rules of --expect: those with a port, then the one for all others
 * @config: not ours
 */
struct service_book {
	const struct config *config;
	struct rule *told;
	unsigned int tolds;
	struct observed observed;
};

struct service_book *service_new(size_t limit)
{
	struct service_book *book = calloc(1, sizeof(*book));

	if (book)
		book->observed.limit = limit;
	return book;
}

void service_free(struct service_book *book)
{
	if (!book)
		return;
	for (unsigned int i = 0; i < book->tolds; i++)
		rule_free(&book->told[i]);
	free(book->told);
	observed_clear(&book->observed);
	free(book);
}

/* A port stands before the first '='. Returns what follows, NULL when it is none. */
static const char *parse_port(const char *spec, uint16_t *port, char *error, size_t error_size)
{
	const char *ids = strchr(spec, '='), *colon = strchr(spec, ':');
	size_t digits = strspn(spec, "0123456789");
	unsigned long value;

	*port = 0;
	if (!ids && colon) {
		snprintf(error, error_size, "':' does not end a port; write %.*s=%s",
			 (int)(colon - spec), spec, colon + 1);
		return NULL;
	}
	if (!ids)
		return spec;
	value = digits == (size_t)(ids - spec) ? strtoul(spec, NULL, 10) : 0;
	if (value == 0 || value > UINT16_MAX) {
		snprintf(error, error_size, "port \"%.*s\" is not a number from 1 to 65535",
			 (int)(ids - spec), spec);
		return NULL;
	}
	*port = (uint16_t)value;
	return ids + 1;
}

static int parse_ids(const char *ids, struct expectation *e, char *error, size_t error_size)
{
	size_t len;
	int err;

	memset(e, 0, sizeof(*e));
	e->source = EXPECT_CONFIGURED;
	for (;;) {
		len = strcspn(ids, ",");
		err = expect_add(e, ids, len, error, error_size);
		if (err || ids[len] == '\0')
			return err;
		ids += len + 1;
	}
}

static bool is_told(const struct service_book *book, uint16_t port)
{
	for (unsigned int i = 0; i < book->tolds; i++) {
		const struct port_list *ports = &book->told[i].port;

		if (port ? ports->count && ports->at[0] == port : !ports->count)
			return true;
	}
	return false;
}

static void say_taken(uint16_t port, char *error, size_t error_size)
{
	static const char next[] = "has an expectation already; give one list, best first";

	if (port)
		snprintf(error, error_size, "port %u %s", port, next);
	else
		snprintf(error, error_size, "every port %s", next);
}

/* A rule for one port goes ahead of the one for every port, whichever was given first. */
static int add_told(struct service_book *book, uint16_t port, const struct expectation *expect)
{
	struct rule rule = {.roles = RULE_ROLES_DEFAULT, .expects = true, .expect = *expect};
	struct rule *told = reallocarray(book->told, book->tolds + 1, sizeof(*told));
	unsigned int at = book->tolds;

	if (!told)
		return -ENOMEM;
	book->told = told;
	if (port) {
		rule.port.at = malloc(sizeof(*rule.port.at));
		if (!rule.port.at)
			return -ENOMEM;
		rule.port.at[rule.port.count++] = port;
		if (at && !told[at - 1].port.count)
			told[at] = told[at - 1], at--;
	}
	told[at] = rule;
	book->tolds++;
	return 0;
}

int service_expect(struct service_book *book, const char *spec, char *error, size_t error_size)
{
	struct expectation expect;
	const char *ids;
	uint16_t port;
	int err;

	ids = parse_port(spec, &port, error, error_size);
	if (!ids || parse_ids(ids, &expect, error, error_size))
		return -EINVAL;
	if (is_told(book, port)) {
		say_taken(port, error, error_size);
		return -EINVAL;
	}
	err = add_told(book, port, &expect);
	if (err)
		snprintf(error, error_size, "there is no memory left to keep it");
	return err;
}

void service_configure(struct service_book *book, const struct config *config)
{
	book->config = config;
}

static const struct rule *first_match(const struct rule *rule, unsigned int count,
				      const struct rule_facts *facts)
{
	for (unsigned int i = 0; i < count; i++)
		if (rule_match(&rule[i], facts))
			return &rule[i];
	return NULL;
}

/* The rule that decides, and in @told the one of --expect. */
static const struct rule *rules_for(const struct service_book *book, const struct service_key *key,
				    const struct rule **told)
{
	struct rule_facts facts = {.role = key->role,
				   .server_addr = {key->server_addr, key->other_addr},
				   .server_port = {key->server_port, key->other_port},
				   .work = key->work};
	const struct rule *rule = NULL;
	static struct buf sni; /* its memory is kept for the next handshake */

	*told = first_match(book->told, book->tolds, &facts);
	if (book->config && book->config->rules) {
		buf_clear(&sni);
		if (key->sni_len)
			buf_escaped(&sni, key->sni, key->sni_len);
		facts.sni = sni.data && !sni.failed ? sni.data : "";
		rule = first_match(book->config->rule, book->config->rules, &facts);
	}
	return rule;
}

void service_find(const struct service_book *book, const struct service_key *key,
		  struct service_facts *out)
{
	const struct rule *told, *rule = rules_for(book, key, &told);
	struct service_key named = *key;

	memset(out, 0, sizeof(*out));
	out->name = rule && rule->name[0] ? rule->name : key->name;
	out->reserved = rule && rule->name[0] && port_list_has(&rule->port, key->server_port);
	out->exempt = (rule && cidr_list_has(&rule->exempt, key->client_addr)) ||
		      (book->config && cidr_list_has(&book->config->exempt, key->client_addr));
	if (rule && rule->expects)
		told = rule;
	if (!told) {
		named.name = out->name;
		observed_find(&book->observed, &named, &out->expect);
	} else if (told->expect.count) {
		out->expect = told->expect;
	}
}

/* What is learned stays, so it must not come from a guess. */
static bool is_sound(const struct verdict *v)
{
	return v->evidence == EVIDENCE_SERVER_HELLO || v->evidence == EVIDENCE_LIBRARY ||
	       (v->evidence == EVIDENCE_RECORD_LENGTH && v->grade == GRADE_EXACT);
}

void service_learn(struct service_book *book, const struct service_key *key,
		   const struct verdict *v)
{
	if (v->outcome == OUTCOME_NEGOTIATED && is_sound(v))
		observed_add(&book->observed, key, &v->chosen);
}

uint64_t service_refused(const struct service_book *book)
{
	return book->observed.refused;
}

int service_restore(struct service_book *book, const struct service_key *key, const char *protocol)
{
	size_t len = strlen(protocol);
	const struct alpn_name name = {(const uint8_t *)protocol, (uint8_t)len};

	return len < EXPECT_NAME_MAX ? observed_add(&book->observed, key, &name) : -EINVAL;
}

unsigned int service_forget(struct service_book *book, const char *name)
{
	return observed_forget(&book->observed, name);
}

uint64_t service_changes(const struct service_book *book)
{
	return book->observed.changes;
}

void service_observed(const struct service_book *book, service_each_fn fn, void *arg)
{
	observed_each(&book->observed, fn, arg);
}

/* The default of `role` is the servers of this host, as long as nothing is seen in transit. */
static unsigned int roles_told(const struct rule *rule)
{
	return rule->roles == RULE_ROLES_DEFAULT ? 1U << ROLE_SERVER : rule->roles;
}

void service_configured(const struct service_book *book, service_each_fn fn, void *arg)
{
	static const struct expectation none;

	for (unsigned int i = 0; book->config && i < book->config->rules; i++) {
		const struct rule *rule = &book->config->rule[i];

		for (unsigned int p = 0; rule->name[0] && p < rule->port.count; p++)
			for (enum role role = 0; role < ROLE_COUNT; role++) {
				struct service_key key = {.name = rule->name,
							  .server_port = rule->port.at[p],
							  .role = role};

				if (roles_told(rule) & 1U << role)
					fn(arg, &key, rule->expect.count ? &rule->expect : &none);
			}
	}
}
