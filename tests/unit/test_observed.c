// SPDX-License-Identifier: GPL-2.0-only
/* observed.c: how many services are kept, and for whom there is room. What is learned of them is in
 * test_service.c. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "observed.h"

static struct service_key key_of(const char *name, uint16_t port, enum role role, const char *sni)
{
	return (struct service_key){.name = name,
				    .server_port = port,
				    .role = role,
				    .sni = (const uint8_t *)sni,
				    .sni_len = sni ? strlen(sni) : 0};
}

static void learn(struct observed *book, const struct service_key *key, const char *name)
{
	const struct alpn_name chosen = {(const uint8_t *)name, (uint8_t)strlen(name)};

	observed_add(book, key, &chosen);
}

static struct expectation observed(const struct observed *book, const struct service_key *key)
{
	struct expectation e = {0};

	observed_find(book, key, &e);
	return e;
}

static void assert_observed(const struct observed *book, const struct service_key *key,
			    const char *name)
{
	assert_string_equal(observed(book, key).name[0], name);
}

static void an_invented_name_pushes_out_nobody(void **state)
{
	struct observed book = {.limit = 2};
	struct service_key first = key_of("nginx", 443, ROLE_SERVER, "1");
	struct service_key second = key_of("haproxy", 443, ROLE_SERVER, "2");
	struct service_key third = key_of("node", 443, ROLE_SERVER, "3");

	(void)state;
	learn(&book, &first, "http/1.1");
	learn(&book, &second, "h2");
	learn(&book, &third, "h2");
	assert_int_equal(book.refused, 1);
	assert_observed(&book, &first, "http/1.1");
	assert_observed(&book, &second, "h2");
	assert_observed(&book, &third, "");
	/* a full book still learns of those it knows */
	learn(&book, &first, "h2");
	assert_observed(&book, &first, "h2");
	assert_int_equal(book.refused, 1);
	observed_clear(&book);
}

/* A server that takes any name, asked for invented ones. */
static void half_of_the_book_is_for_others(void **state)
{
	struct observed book = {.limit = 10};
	struct service_key key, other = key_of("haproxy", 443, ROLE_SERVER, NULL);
	char sni[32];

	(void)state;
	for (uint16_t i = 0; i < 8; i++) {
		snprintf(sni, sizeof(sni), "host-%d", i);
		key = key_of("nginx", 443 + i, ROLE_SERVER, sni);
		learn(&book, &key, "h2");
		assert_observed(&book, &key, i < 5 ? "h2" : "");
	}
	assert_int_equal(book.refused, 3);
	learn(&book, &other, "h2");
	assert_observed(&book, &other, "h2");
	/* what is forgotten makes room */
	assert_int_equal(observed_forget(&book, "nginx"), 5);
	assert_observed(&book, &other, "h2");
	learn(&book, &key, "h2");
	assert_observed(&book, &key, "h2");
	observed_clear(&book);
}

/* Several such servers leave room as well: each takes half of what the ones before left. */
static void there_is_room_for_another(void **state)
{
	static const char *const flooded[] = {"nginx", "unknown", "envoy"};
	struct service_key key, last = key_of("haproxy", 443, ROLE_SERVER, NULL);
	struct observed book = {.limit = 16};
	unsigned int known = 0;
	char sni[32];

	(void)state;
	for (unsigned int i = 0; i < 3 * 100; i++) {
		snprintf(sni, sizeof(sni), "host-%u", i);
		key = key_of(flooded[i / 100], 443, ROLE_SERVER, sni);
		learn(&book, &key, "h2");
		known += observed(&book, &key).count;
	}
	assert_int_equal(known, 8 + 4 + 2);
	assert_int_equal(book.refused, 300 - known);
	learn(&book, &last, "h2");
	assert_observed(&book, &last, "h2");
	observed_clear(&book);
}

static void many_services_are_told_apart(void **state)
{
	struct observed book = {.limit = 10000};
	struct service_key key;
	char sni[32];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(sni, sizeof(sni), "host-%d", i);
		key = key_of("nginx", 443, ROLE_SERVER, sni);
		learn(&book, &key, i % 2 ? "h2" : "http/1.1");
	}
	assert_int_equal(book.refused, 0);
	for (int i = 0; i < 5000; i++) {
		snprintf(sni, sizeof(sni), "host-%d", i);
		key = key_of("nginx", 443, ROLE_SERVER, sni);
		assert_observed(&book, &key, i % 2 ? "h2" : "http/1.1");
	}
	observed_clear(&book);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_invented_name_pushes_out_nobody),
		cmocka_unit_test(half_of_the_book_is_for_others),
		cmocka_unit_test(there_is_room_for_another),
		cmocka_unit_test(many_services_are_told_apart),
	};

	return cmocka_run_group_tests_name("observed", tests, NULL, NULL);
}
