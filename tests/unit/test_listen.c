// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "listen.h"

/* Listen on @address, or fail the test. */
static struct listener must_listen(const char *address)
{
	struct listener l;
	char error[256];

	if (listen_on(address, &l, error, sizeof(error)))
		fail_msg("%s", error);
	return l;
}

static void test_addresses(void **state)
{
	static const struct {
		const char *address, *becomes;
		bool loopback;
	} rows[] = {
		{"127.0.0.1:0", "127.0.0.1:", true},
		{"127.0.0.2:0", "127.0.0.2:", true},
		{"localhost:0", "127.0.0.1:", true},
		{"0.0.0.0:0", "0.0.0.0:", false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct listener l = must_listen(rows[i].address);
		size_t host = strlen(rows[i].becomes);

		if (strncmp(l.address, rows[i].becomes, host))
			fail_msg("%s became %s", rows[i].address, l.address);
		assert_in_range(atoi(l.address + host), 1, 65535);
		assert_int_equal(l.loopback, rows[i].loopback);
		close(l.fd);
	}
}

/* Whether 127.0.0.1 at the port of @l takes a connection. */
static bool answers_ipv4(const struct listener *l)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool taken;

	to.sin_port = htons((uint16_t)atoi(strrchr(l->address, ':') + 1));
	taken = !connect(fd, (struct sockaddr *)&to, sizeof(to));
	close(fd);
	return taken;
}

/* Without a host: every address, of both families where the host has both. */
static void test_all_addresses(void **state)
{
	struct listener l = must_listen(":0");

	(void)state;
	assert_false(l.loopback);
	assert_true(answers_ipv4(&l));
	close(l.fd);
}

static void test_ipv6(void **state)
{
	struct sockaddr_in6 loopback = {.sin6_family = AF_INET6, .sin6_addr = in6addr_loopback};
	int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool has_ipv6 = fd >= 0 && !bind(fd, (struct sockaddr *)&loopback, sizeof(loopback));
	struct listener l;

	(void)state;
	close(fd);
	if (!has_ipv6)
		skip(); /* this host has no ::1 */
	l = must_listen("[::1]:0");
	assert_int_equal(strncmp(l.address, "[::1]:", 6), 0);
	assert_true(l.loopback);
	assert_false(answers_ipv4(&l));
	close(l.fd);
	l = must_listen("[::]:0");
	assert_int_equal(strncmp(l.address, "[::]:", 5), 0);
	assert_false(l.loopback);
	close(l.fd);
}

static void test_port_in_use(void **state)
{
	struct listener first = must_listen("127.0.0.1:0"), second;
	char error[256], expected[256];

	(void)state;
	assert_int_equal(listen_on(first.address, &second, error, sizeof(error)), -1);
	snprintf(expected, sizeof(expected),
		 "--web.listen-address %s: address in use; stop the other alpnscope (or what else "
		 "listens there), or choose another port; port 0 takes any free one",
		 first.address);
	assert_string_equal(error, expected);
	close(first.fd);
	second = must_listen(first.address);
	assert_string_equal(second.address, first.address);
	close(second.fd);
}

static void test_not_an_address(void **state)
{
	static const char *const texts[] = {"",		 "127.0.0.1",	   "127.0.0.1:",
					    "10035",	 "127.0.0.1:http", "127.0.0.1:65536",
					    "::1:10035", "[]:1",	   "127.0.0.1:-1",
					    "[::1]",	 "127.0.0.1: 1"};
	struct listener l;
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char expected[256];

		if (!listen_on(texts[i], &l, error, sizeof(error)))
			fail_msg("\"%s\" was taken", texts[i]);
		assert_false(listen_is_address(texts[i]));
		snprintf(expected, sizeof(expected),
			 "--web.listen-address %s: not HOST:PORT; write 127.0.0.1:10035, "
			 "[::1]:10035, or :10035 for all addresses",
			 texts[i]);
		assert_string_equal(error, expected);
	}
}

/* The form alone: none of these need be there. */
static void test_form(void **state)
{
	static const char *const texts[] = {"127.0.0.1:10035", "[::1]:0", ":65535", "192.0.2.1:1",
					    "no.such.example:80"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_true(listen_is_address(texts[i]));
}

static void test_not_ours(void **state)
{
	struct listener l;
	char error[256];

	(void)state;
	/* RFC 5737: an address for documents, no host's */
	assert_int_equal(listen_on("192.0.2.1:0", &l, error, sizeof(error)), -1);
	assert_string_equal(error, "--web.listen-address 192.0.2.1:0: this host has no such "
				   "address; choose one that `ip address` shows, or :PORT for all "
				   "of them");
	/* no resolver takes a name with an empty label: no packet leaves for this */
	assert_int_equal(listen_on("a..b:0", &l, error, sizeof(error)), -1);
	assert_int_equal(strncmp(error, "--web.listen-address a..b:0: ", 29), 0);
	assert_non_null(strstr(error, "; name an address of this host, or :PORT for all of them"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses),      cmocka_unit_test(test_all_addresses),
		cmocka_unit_test(test_ipv6),	       cmocka_unit_test(test_port_in_use),
		cmocka_unit_test(test_not_an_address), cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_form),
	};

	return cmocka_run_group_tests_name("listen", tests, NULL, NULL);
}
