// SPDX-License-Identifier: GPL-2.0-only
/* rule.c and service.c: which rule of a configuration decides, and what it says. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "service.h"

static const uint8_t web[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 192, 0, 2, 1};
static const uint8_t inner[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 172, 17, 0, 2};
static const uint8_t client[16] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 9};
static const struct workload nginx = {.pid = 1,
				      .process = "nginx",
				      .cgroup = "/system.slice/nginx.service",
				      .unit = "nginx.service"};
static const struct workload box = {.container = "web-1", .container_id = "0123abcd"};

/* A server on 192.0.2.1:443 that is asked for www.example.org. */
static struct service_key key_of(const struct workload *work)
{
	static const char sni[] = "www.example.org";

	return (struct service_key){.name = "own",
				    .server_port = 443,
				    .role = ROLE_SERVER,
				    .sni = (const uint8_t *)sni,
				    .sni_len = sizeof(sni) - 1,
				    .server_addr = web,
				    .client_addr = client,
				    .work = work};
}

/* What the configuration of @text says of @key, whose name is copied to @name. */
static struct service_facts ask(const char *text, const struct service_key *key, char name[64])
{
	struct service_book *book = service_new(10);
	struct buf said = {0};
	struct config *config = config_parse(text, strlen(text), "c", &said);
	struct service_facts facts;

	if (!config)
		fail_msg("%s", said.data);
	assert_non_null(book);
	service_configure(book, config);
	service_find(book, key, &facts);
	strcpy(name, facts.name);
	service_free(book);
	config_free(config);
	buf_free(&said);
	return facts;
}

/* Is a service with the condition @text the one of @key? */
static bool matches(const char *text, const struct service_key *key)
{
	char config[512], name[64];

	snprintf(config, sizeof(config), "services: [{name: it, %s}]", text);
	ask(config, key, name);
	return !strcmp(name, "it");
}

static void each_condition(void **state)
{
	static const struct {
		const char *text;
		bool matches;
	} rows[] = {
		{"port: 443", true},
		{"port: [1, 443]", true},
		{"port: 8443", false},
		{"address: 192.0.2.0/24", true},
		{"address: [10.0.0.0/8, 192.0.2.1]", true},
		{"address: 10.0.0.0/8", false},
		{"sni: www.example.org", true},
		{"sni: '*.EXAMPLE.org'", true},
		{"sni: '*'", true},
		{"sni: example.org", false},
		{"sni: '?.example.org'", false},
		{"role: server", true},
		{"role: [client, server]", true},
		{"role: client", false},
		{"role: transit", false},
		{"unit: nginx.service", true},
		{"unit: 'nginx*'", true},
		{"unit: NGINX.service", false},
		{"cgroup: /system.slice/*", true},
		{"cgroup: /system.slice", false},
		{"container: '*'", false}, /* it is in none */
		{"port: 443, unit: other.service", false},
		{"port: 80, unit: nginx.service", false},
		{"port: 443, unit: nginx.service, sni: '*', address: 192.0.2.1", true},
	};
	const struct service_key key = key_of(&nginx);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (matches(rows[i].text, &key) != rows[i].matches)
			fail_msg("%s", rows[i].text);
}

static void a_container_by_name_or_id(void **state)
{
	const struct service_key key = key_of(&box);

	(void)state;
	assert_true(matches("container: 'web-?'", &key));
	assert_true(matches("container: '0123*'", &key));
	assert_false(matches("container: db", &key));
	assert_false(matches("unit: '*'", &key));
}

static void what_is_not_known_matches_nothing(void **state)
{
	struct service_key key = key_of(NULL);

	(void)state;
	key.sni_len = 0;
	key.server_addr = NULL;
	assert_false(matches("sni: '*'", &key));
	assert_false(matches("unit: '*'", &key));
	assert_false(matches("cgroup: '*'", &key));
	assert_false(matches("container: '*'", &key));
	assert_false(matches("address: 0.0.0.0/0", &key));
	assert_true(matches("port: 443", &key));
}

/* The published port and address as well as the container's own. */
static void either_side_of_a_translation(void **state)
{
	struct service_key key = key_of(&nginx);

	(void)state;
	key.server_addr = inner;
	key.server_port = 8443;
	assert_false(matches("port: 443", &key));
	assert_false(matches("address: 192.0.2.1", &key));
	key.other_addr = web;
	key.other_port = 443;
	assert_true(matches("port: 443", &key));
	assert_true(matches("port: 8443", &key));
	assert_true(matches("address: 192.0.2.1", &key));
	assert_true(matches("address: 172.17.0.0/16", &key));
}

/* A server name is bytes; what is compared is what events show. */
static void hostile_server_names(void **state)
{
	static const uint8_t sni[] = {'a', 0, '\n', 0xff};
	struct service_key key = key_of(&nginx);

	(void)state;
	key.sni = sni;
	key.sni_len = sizeof(sni);
	assert_true(matches("sni: 'a\\x00\\x0a\\xff'", &key));
	assert_false(matches("sni: a", &key));
}

static void the_first_that_matches_decides(void **state)
{
	static const char config[] = "services:\n"
				     "- {name: first, port: 8443, expect: [mqtt]}\n"
				     "- {name: second, port: 443, expect: [h2]}\n"
				     "- {name: third, expect: [http/1.1]}\n";
	struct service_key key = key_of(&nginx);
	struct service_facts facts;
	char name[64];

	(void)state;
	facts = ask(config, &key, name);
	assert_string_equal(name, "second");
	assert_string_equal(facts.expect.name[0], "h2");
	key.server_port = 1;
	facts = ask(config, &key, name);
	assert_string_equal(name, "third");
	key.role = ROLE_CLIENT;
	facts = ask(config, &key, name);
	assert_string_equal(name, "own");
	assert_int_equal(facts.expect.source, EXPECT_NONE);
}

static void a_service_without_a_name_keeps_its_own(void **state)
{
	struct service_key key = key_of(&nginx);
	struct service_facts facts;
	char name[64];

	(void)state;
	facts = ask("services: [{port: 443, expect: h2}]", &key, name);
	assert_string_equal(name, "own");
	assert_int_equal(facts.expect.source, EXPECT_CONFIGURED);
	assert_int_equal(facts.expect.count, 1);
}

static void exempt_clients_of_one_and_of_all(void **state)
{
	struct service_key key = key_of(&nginx);
	char name[64];

	(void)state;
	assert_true(ask("exempt_clients: 10.0.0.0/24", &key, name).exempt);
	assert_false(ask("exempt_clients: 10.0.1.0/24", &key, name).exempt);
	assert_true(ask("services: [{port: 443, exempt_clients: 10.0.0.9}]", &key, name).exempt);
	assert_false(ask("services: [{port: 444, exempt_clients: 10.0.0.9}]", &key, name).exempt);
	key.client_addr = NULL;
	assert_false(ask("exempt_clients: 0.0.0.0/0", &key, name).exempt);
}

static void learn_h2(struct service_book *book, const struct service_key *key)
{
	const struct verdict v = {.outcome = OUTCOME_NEGOTIATED,
				  .evidence = EVIDENCE_SERVER_HELLO,
				  .has_chosen = true,
				  .chosen = {(const uint8_t *)"h2", 2}};

	service_learn(book, key, &v);
}

static struct service_facts find(const struct service_book *book, const struct service_key *key)
{
	struct service_facts facts;

	service_find(book, key, &facts);
	return facts;
}

/* File, then --expect, then what was seen; an empty list is a word too. */
static void whose_word_holds(void **state)
{
	static const char text[] = "services:\n"
				   "- {unit: a.service, expect: [mqtt]}\n"
				   "- {unit: b.service, expect: []}\n"
				   "- {unit: nginx.service, name: shop}\n";
	struct workload a = {.unit = "a.service"}, b = {.unit = "b.service"};
	struct service_book *book = service_new(10);
	struct service_key key = key_of(&nginx), other;
	struct buf said = {0};
	struct config *config = config_parse(text, strlen(text), "c", &said);
	char error[64];

	(void)state;
	assert_non_null(config);
	service_configure(book, config);
	key.name = "shop";
	learn_h2(book, &key);
	assert_int_equal(find(book, &key).expect.source, EXPECT_OBSERVED);
	key.name = "nginx"; /* the name that is found is the one that was learned under */
	assert_int_equal(find(book, &key).expect.source, EXPECT_OBSERVED);
	assert_string_equal(find(book, &key).name, "shop");
	other = key;
	other.work = &b;
	learn_h2(book, &other);
	assert_int_equal(find(book, &other).expect.source, EXPECT_NONE);
	other.work = &a;
	assert_string_equal(find(book, &other).expect.name[0], "mqtt");
	assert_int_equal(service_expect(book, "h3", error, sizeof(error)), 0);
	assert_string_equal(find(book, &key).expect.name[0], "h3");
	assert_string_equal(find(book, &other).expect.name[0], "mqtt");
	service_configure(book, NULL);
	assert_string_equal(find(book, &other).expect.name[0], "h3");
	assert_string_equal(find(book, &other).name, "nginx");
	service_free(book);
	config_free(config);
}

static void put(void *arg, const struct service_key *key, const struct expectation *expect)
{
	buf_printf(arg, "%s %u %s %s\n", key->name, key->server_port, role_name(key->role),
		   expect->source == EXPECT_CONFIGURED ? expect->name[0] : "-");
}

static void what_is_known_without_a_handshake(void **state)
{
	static const char text[] = "services:\n"
				   "- {name: a, port: [1, 2], expect: [h2]}\n"
				   "- {name: b, port: 3, role: [server, client]}\n"
				   "- {name: c, expect: [h2]}\n"
				   "- {port: 4, expect: [h2]}\n";
	struct service_book *book = service_new(10);
	struct buf said = {0}, out = {0};
	struct config *config = config_parse(text, strlen(text), "c", &said);

	(void)state;
	service_configured(book, put, &out);
	assert_int_equal(out.len, 0);
	service_configure(book, config);
	service_configured(book, put, &out);
	assert_string_equal(out.data, "a 1 server h2\n"
				      "a 2 server h2\n"
				      "b 3 server -\n"
				      "b 3 client -\n");
	buf_free(&out);
	buf_free(&said);
	service_free(book);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_condition),
		cmocka_unit_test(a_container_by_name_or_id),
		cmocka_unit_test(what_is_not_known_matches_nothing),
		cmocka_unit_test(either_side_of_a_translation),
		cmocka_unit_test(hostile_server_names),
		cmocka_unit_test(the_first_that_matches_decides),
		cmocka_unit_test(a_service_without_a_name_keeps_its_own),
		cmocka_unit_test(exempt_clients_of_one_and_of_all),
		cmocka_unit_test(whose_word_holds),
		cmocka_unit_test(what_is_known_without_a_handshake),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
