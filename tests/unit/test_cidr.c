// SPDX-License-Identifier: GPL-2.0-only
/* cidr.c: networks as RFC 4632 and RFC 4291 write them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <cmocka.h>

#include "cidr.h"

/* @text as 16 bytes, IPv4 mapped. */
static void address(const char *text, uint8_t addr[16])
{
	memset(addr, 0, 16);
	memset(addr + 10, 0xff, 2);
	if (inet_pton(AF_INET, text, addr + 12) != 1)
		assert_int_equal(inet_pton(AF_INET6, text, addr), 1);
}

static void what_is_in_a_network(void **state)
{
	static const struct {
		const char *net, *addr;
		bool in;
	} rows[] = {
		{"10.0.0.0/8", "10.255.255.255", true},
		{"10.0.0.0/8", "11.0.0.0", false},
		{"192.0.2.128/25", "192.0.2.128", true},
		{"192.0.2.128/25", "192.0.2.127", false},
		{"192.0.2.7", "192.0.2.7", true},
		{"192.0.2.7", "192.0.2.6", false},
		{"192.0.2.7/32", "192.0.2.7", true},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"0.0.0.0/0", "2001:db8::1", false},
		{"::/0", "2001:db8::1", true},
		{"::/0", "192.0.2.7", false},
		{"2001:db8::/33", "2001:db8:7fff::", true},
		{"2001:db8::/33", "2001:db8:8000::", false},
		{"2001:db8::1", "2001:db8::1", true},
		{"2001:db8::1", "2001:db8::2", false},
		{"::ffff:10.0.0.0/104", "10.1.2.3", true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint8_t addr[16];
		struct cidr net;
		char error[128];

		address(rows[i].addr, addr);
		assert_int_equal(cidr_parse(rows[i].net, &net, error, sizeof(error)), 0);
		if (cidr_has(&net, addr) != rows[i].in)
			fail_msg("%s in %s", rows[i].addr, rows[i].net);
	}
}

static void text_is_what_was_read(void **state)
{
	static const char *const rows[][2] = {
		{"10.0.0.0/8", "10.0.0.0/8"},	    {"192.0.2.7/32", "192.0.2.7"},
		{"0.0.0.0/0", "0.0.0.0/0"},	    {"2001:DB8:0::/32", "2001:db8::/32"},
		{"2001:db8::1/128", "2001:db8::1"}, {"::/0", "::/0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char error[128], text[CIDR_TEXT_MAX];
		struct cidr net;

		assert_int_equal(cidr_parse(rows[i][0], &net, error, sizeof(error)), 0);
		cidr_text(&net, text);
		assert_string_equal(text, rows[i][1]);
	}
}

static void what_is_none_is_named(void **state)
{
	static const char *const rows[][2] = {
		{"", "no IP address"},
		{"10", "no IP address"},
		{"10.0.0.256", "no IP address"},
		{"host.example", "no IP address"},
		{"/8", "no IP address"},
		{"10.0.0.0/33", "0 to 32"},
		{"10.0.0.0/", "0 to 32"},
		{"10.0.0.0/-1", "0 to 32"},
		{"10.0.0.0/8x", "0 to 32"},
		{"10.0.0.0/0000008", "0 to 32"},
		{"::/129", "128"},
		{"10.1.2.3/8", "the network is 10.0.0.0/8"},
		{"2001:db8::1/32", "the network is 2001:db8::/32"},
		{"1111:2222:3333:4444:5555:6666:7777:8888:9999:0000:1111:2222:3333/1", "no IP"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char error[256] = "";
		struct cidr net;

		assert_int_equal(cidr_parse(rows[i][0], &net, error, sizeof(error)), -EINVAL);
		if (!strstr(error, rows[i][1]))
			fail_msg("%s: %s", rows[i][0], error);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_in_a_network),
		cmocka_unit_test(text_is_what_was_read),
		cmocka_unit_test(what_is_none_is_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
