// SPDX-License-Identifier: GPL-2.0-only
/* config*.c: what a file says, and where exactly it is wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config.h"
#include "reader.h"

static struct config *parse(const char *text, struct buf *said)
{
	return config_parse(text, strlen(text), "c.yml", said);
}

/* @text is a configuration without a note; the caller frees it. */
static struct config *right(const char *text)
{
	struct buf said = {0};
	struct config *config = parse(text, &said);

	if (!config || said.len)
		fail_msg("%s: %s", text, said.data ? said.data : "nothing said");
	buf_free(&said);
	return config;
}

static void nothing_is_a_configuration(void **state)
{
	static const char *const empty[] = {"", "\n", "# a comment\n", "{}", "services: []\n"};

	(void)state;
	for (size_t i = 0; i < sizeof(empty) / sizeof(empty[0]); i++) {
		struct config *config = right(empty[i]);

		assert_int_equal(config->rules, 0);
		assert_int_equal(config->exempt.count, 0);
		config_free(config);
	}
	config_free(NULL);
}

static void every_key_is_kept(void **state)
{
	struct config *config = right("services:\n"
				      "  - name: shop\n"
				      "    role: [server, client]\n"
				      "    address: [192.0.2.0/24, '2001:db8::1']\n"
				      "    port: [443, 8443]\n"
				      "    sni: \"*.example.org\"\n"
				      "    unit: nginx.service\n"
				      "    cgroup: /system.slice/*\n"
				      "    container: [web-1, web-2]\n"
				      "    expect: [h2, http/1.1]\n"
				      "    exempt_clients: 10.0.0.0/8\n"
				      "  - port: 25\n"
				      "    expect: []\n"
				      "exempt_clients:\n"
				      "  - 192.0.2.7\n"
				      "labels: {server_address: 1000}\n");
	const struct rule *rule = &config->rule[0];

	(void)state;
	assert_int_equal(config->rules, 2);
	assert_int_equal(rule->line, 2);
	assert_string_equal(rule->name, "shop");
	assert_int_equal(rule->roles, 1 << ROLE_SERVER | 1 << ROLE_CLIENT);
	assert_int_equal(rule->address.count, 2);
	assert_int_equal(rule->address.at[0].bits, 96 + 24);
	assert_int_equal(rule->address.at[1].bits, 128);
	assert_int_equal(rule->port.count, 2);
	assert_int_equal(rule->port.at[1], 8443);
	assert_string_equal(rule->sni.at[0], "*.example.org");
	assert_string_equal(rule->unit.at[0], "nginx.service");
	assert_string_equal(rule->cgroup.at[0], "/system.slice/*");
	assert_int_equal(rule->container.count, 2);
	assert_string_equal(rule->container.at[1], "web-2");
	assert_true(rule->expects);
	assert_int_equal(rule->expect.source, EXPECT_CONFIGURED);
	assert_int_equal(rule->expect.count, 2);
	assert_string_equal(rule->expect.name[1], "http/1.1");
	assert_int_equal(rule->exempt.count, 1);
	rule++;
	assert_int_equal(rule->line, 12);
	assert_string_equal(rule->name, "");
	assert_int_equal(rule->roles, 1 << ROLE_SERVER | 1 << ROLE_TRANSIT);
	assert_true(rule->expects);
	assert_int_equal(rule->expect.count, 0);
	assert_int_equal(config->exempt.count, 1);
	assert_int_equal(config->server_addresses, 1000);
	config_free(config);
}

/* Lines and columns counted by hand, from 1. */
static void errors_say_where_and_what_is_right(void **state)
{
	static const char *const rows[][2] = {
		{"services:\n  - name: x\n    prot: 1\n", "c.yml:3:5: unknown key 'prot' of a "
							  "service; did you mean 'port'?\n"},
		{"sevices: []\n",
		 "c.yml:1:1: unknown key 'sevices' of a configuration; did you mean 'services'?\n"},
		{"exempt_client: 10.0.0.1\n", "c.yml:1:1: unknown key 'exempt_client' of a "
					      "configuration; did you mean 'exempt_clients'?\n"},
		{"colour: 1\n", "c.yml:1:1: unknown key 'colour' of a configuration; expected one "
				"of services, exempt_clients, labels\n"},
		{"services:\n- port: [443, 0]\n  name: x\n",
		 "c.yml:2:15: '0' is no port; expected 1 to 65535\n"},
		{"services:\n- port: 65536\n  name: x\n",
		 "c.yml:2:9: '65536' is no port; expected 1 to 65535\n"},
		{"services:\n- port: https\n  name: x\n",
		 "c.yml:2:9: 'https' is no port; expected 1 to 65535\n"},
		{"services:\n- role: sever\n  name: x\n",
		 "c.yml:2:9: 'sever' is no role; expected server, client or transit\n"},
		{"services:\n- cgroup: nginx\n  name: x\n",
		 "c.yml:2:11: 'nginx' is no path; expected one from the root on, as in "
		 "/system.slice/nginx.service\n"},
		{"services:\n- name: unknown\n", "c.yml:2:9: 'unknown' has a meaning of its own in "
						 "the metrics; expected another name\n"},
		{"services:\n- name: ''\n",
		 "c.yml:2:9: this is empty; expected a name of 1 to 63 bytes\n"},
		{"services:\n- name:\n  port: 1\n",
		 "c.yml:2:8: this is empty; expected a name of 1 to 63 bytes\n"},
		{"services:\n- name: [a, b]\n", "c.yml:2:9: this is a list; expected a name\n"},
		{"services:\n- name: \"caf\\u00e9\"\n",
		 "c.yml:2:9: byte 4 is 0xc3; expected a name of printable ASCII\n"},
		{"services:\n- name: \"a\\0b\"\n",
		 "c.yml:2:9: byte 2 is 0x00; expected a name of printable ASCII\n"},
		{"services:\n- name: !env X\n",
		 "c.yml:2:9: a tag ('!...') has no meaning here; expected a name\n"},
		{"services:\n- port: 443\n", "c.yml:2:3: nothing is said of this service; expected "
					     "name, expect or exempt_clients\n"},
		{"services:\n- port: []\n  name: x\n",
		 "c.yml:2:9: an empty list; expected a port at least, or leave the key out\n"},
		{"services:\n- name: a\n  name: b\n",
		 "c.yml:3:3: key 'name' a second time (first in line 2); expected once, with a "
		 "list if there are several values\n"},
		{"services: x\n", "c.yml:1:11: services are no list; expected one service each "
				  "line that begins with '- '\n"},
		{"- a\n",
		 "c.yml:1:1: this is a list; expected a configuration, as `key: value` lines\n"},
		{"exempt_clients: 10.1.2.3/8\n", "c.yml:1:17: '10.1.2.3/8' is an address in a "
						 "network; the network is 10.0.0.0/8\n"},
		{"services:\n- expect: [h2, 'a b']\n",
		 "c.yml:2:16: protocol name number 2 has a blank or a byte that is not printable; "
		 "expected h2, http/1.1 or the like\n"},
		{"services:\n- expect: h2,http/1.1\n",
		 "c.yml:2:11: 'h2,http/1.1' is one name; expected a list: [h2,http/1.1]\n"},
		{"services:\n- expect: [a, b, c, d, e, f, g, h, i]\n",
		 "c.yml:2:36: a protocol too many; expected at most 8\n"},
		{"labels: {server_address: 1001}\n",
		 "c.yml:1:26: '1001' is no number of addresses; expected 1 to 1000\n"},
		{"labels:\n  server_address: 0\n",
		 "c.yml:2:19: '0' is no number of addresses; expected 1 to 1000\n"},
		{"labels: {sni: 5}\n",
		 "c.yml:1:10: unknown key 'sni' of the labels; expected one of server_address\n"},
		{"a: 1\n---\nb: 2\n", "c.yml:2:1: a second document; expected one only\n"},
		/* two columns: characters, not bytes */
		{"exempt_clients: ['\xc3\xa9', x]\n", "c.yml:1:18: byte 1 is 0xc3; expected an IP "
						      "address or network of printable ASCII\n"
						      "c.yml:1:23: 'x' is no IP address"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf said = {0};

		assert_null(parse(rows[i][0], &said));
		if (!said.data || !strstr(said.data, rows[i][1]))
			fail_msg("%s\nsaid: %s\nwant: %s", rows[i][0], said.data, rows[i][1]);
		buf_free(&said);
	}
}

/* What libyaml finds; the words are its own, the place and the advice are ours to keep. */
static void broken_yaml_is_located(void **state)
{
	static const char *const rows[][3] = {
		{"services:\n  - sni: *.example.org\n", "c.yml:2:", "must be quoted"},
		{"services:\n\t- name: x\n", "c.yml:2:1: ", "not by tabs"},
		{"services: [\n", "c.yml:2:1: ", "expected"},
		{"a: 'b\n", "c.yml:2:1: ", "quoted scalar"},
		{"a: *b\n", "c.yml:1:4: ", "must be quoted"},
		{"# \xc3\xa9\nx: \xff\n", "c.yml:2:4: ", "UTF-8"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct buf said = {0};

		assert_null(parse(rows[i][0], &said));
		assert_non_null(said.data);
		if (strncmp(said.data, rows[i][1], strlen(rows[i][1])) != 0 ||
		    !strstr(said.data, rows[i][2]))
			fail_msg("%s\nsaid: %s\nwant: %s ... %s", rows[i][0], said.data, rows[i][1],
				 rows[i][2]);
		buf_free(&said);
	}
}

static unsigned int lines(const struct buf *said)
{
	unsigned int n = 0;

	for (size_t i = 0; i < said->len; i++)
		n += said->data[i] == '\n';
	return n;
}

static void all_errors_are_told_up_to_a_bound(void **state)
{
	struct buf text = {0}, said = {0};

	(void)state;
	assert_null(parse("a: 1\nb: 2\nexempt_clients: [x, y]\n", &said));
	assert_int_equal(lines(&said), 4);
	buf_free(&said);
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "key%d: 1\n", i);
	assert_null(parse(text.data, &said));
	assert_in_range(lines(&said), READER_ERRORS_MAX, READER_ERRORS_MAX + 1);
	buf_free(&said);
	buf_free(&text);
}

static void bounds_hold(void **state)
{
	struct buf text = {0}, said = {0};
	struct config *config;

	(void)state;
	buf_puts(&text, "services:\n");
	for (int i = 0; i < CONFIG_RULES_MAX; i++)
		buf_printf(&text, "- name: s%d\n  port: %d\n", i, i + 1);
	config = right(text.data);
	assert_int_equal(config->rules, CONFIG_RULES_MAX);
	config_free(config);
	buf_puts(&text, "- name: more\n");
	assert_null(parse(text.data, &said));
	assert_non_null(strstr(said.data, "c.yml:514:3: a service too many; expected at most 256"));
	buf_free(&said);
	buf_free(&text);
	assert_null(parse("services:\n- name: 1234567890123456789012345678901234567890123456789012"
			  "345678901234\n",
			  &said));
	assert_non_null(strstr(said.data, "c.yml:2:9: this is too long"));
	buf_free(&said);
}

static void slips_are_noted(void **state)
{
	struct buf said = {0};
	struct config *config = parse("services:\n"
				      "- expect: [htp/1.1]\n"
				      "- name: x\n"
				      "  port: 1\n",
				      &said);

	(void)state;
	assert_non_null(config);
	assert_string_equal(said.data,
			    "c.yml:2:12: 'htp/1.1' is not a registered ALPN ID (h2, http/1.1, "
			    "...)\n"
			    "c.yml:3:3: never asked: the service in line 2 has no condition and "
			    "comes first\n");
	config_free(config);
	buf_free(&said);
}

static void a_file_that_cannot_be_read_is_named(void **state)
{
	struct buf said = {0};

	(void)state;
	assert_null(config_load("/nonexistent/c.yml", &said));
	assert_string_equal(said.data, "/nonexistent/c.yml: No such file or directory; give a file "
				       "that can be read\n");
	buf_free(&said);
	assert_null(config_load("/", &said));
	assert_non_null(strstr(said.data, "/: Is a directory; give a file"));
	buf_free(&said);
	assert_null(config_load("/dev/zero", &said));
	assert_non_null(strstr(said.data, "/dev/zero: longer than 1048576 bytes"));
	buf_free(&said);
}

static void it_is_described(void **state)
{
	struct config *config = right("services:\n"
				      "- {name: shop, port: 443, sni: '*.x', expect: [h2, mqtt], "
				      "exempt_clients: 10.0.0.0/8}\n"
				      "- {expect: [], role: client}\n"
				      "exempt_clients: ['::1']\n"
				      "labels: {server_address: 5}\n");
	struct buf out = {0};

	(void)state;
	config_describe(config, &out);
	assert_string_equal(out.data, "1. shop (line 2)\n"
				      "  role       server, transit\n"
				      "  port       443\n"
				      "  sni        *.x\n"
				      "  expected   h2, then mqtt\n"
				      "  exempt     10.0.0.0/8\n"
				      "2. services under their own names (line 3)\n"
				      "  role       client\n"
				      "  expected   nothing\n"
				      "exempt clients of every service: ::1\n"
				      "label server_address of role client: at most 5\n");
	buf_free(&out);
	config_free(config);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_is_a_configuration),
		cmocka_unit_test(every_key_is_kept),
		cmocka_unit_test(errors_say_where_and_what_is_right),
		cmocka_unit_test(broken_yaml_is_located),
		cmocka_unit_test(all_errors_are_told_up_to_a_bound),
		cmocka_unit_test(bounds_hold),
		cmocka_unit_test(slips_are_noted),
		cmocka_unit_test(a_file_that_cannot_be_read_is_named),
		cmocka_unit_test(it_is_described),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
