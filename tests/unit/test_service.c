// SPDX-License-Identifier: GPL-2.0-only
/* service.c: expectations as the operator writes them, and as services show them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "service.h"

static struct service_key key_of(const char *name, uint16_t port, enum role role, const char *sni)
{
	return (struct service_key){.name = name,
				    .server_port = port,
				    .role = role,
				    .sni = (const uint8_t *)sni,
				    .sni_len = sni ? strlen(sni) : 0};
}

static struct verdict chose(const char *name)
{
	return (struct verdict){
		.outcome = OUTCOME_NEGOTIATED,
		.evidence = EVIDENCE_SERVER_HELLO,
		.has_chosen = true,
		.chosen = {(const uint8_t *)name, (uint8_t)strlen(name)},
	};
}

static void learn(struct service_book *book, const struct service_key *key, const char *name)
{
	struct verdict v = chose(name);

	service_learn(book, key, &v);
}

static struct expectation expected(const struct service_book *book, const struct service_key *key)
{
	struct service_facts facts;

	memset(&facts, 0xff, sizeof(facts));
	service_find(book, key, &facts);
	return facts.expect;
}

/* What @key observed so far; "" for nothing. */
static void assert_observed(const struct service_book *book, const struct service_key *key,
			    const char *name)
{
	struct expectation e = expected(book, key);

	assert_int_equal(e.source, *name ? EXPECT_OBSERVED : EXPECT_NONE);
	assert_int_equal(e.count, *name ? 1 : 0);
	assert_string_equal(e.name[0], name);
}

static int setup(void **state)
{
	*state = service_new(100);
	return *state ? 0 : -1;
}

static int teardown(void **state)
{
	service_free(*state);
	return 0;
}

static void a_new_book_expects_nothing(void **state)
{
	struct service_key key = key_of("nginx", 443, ROLE_SERVER, "a.example");

	assert_observed(*state, &key, "");
	assert_int_equal(service_refused(*state), 0);
	service_free(NULL);
}

static void a_configured_list_is_kept_in_order(void **state)
{
	struct service_key key = key_of("nginx", 8443, ROLE_TRANSIT, NULL);
	struct expectation e;
	char error[128];

	assert_int_equal(service_expect(*state, "8443=h2,http/1.1,x=y", error, sizeof(error)), 0);
	e = expected(*state, &key);
	assert_int_equal(e.source, EXPECT_CONFIGURED);
	assert_int_equal(e.count, 3);
	assert_string_equal(e.name[0], "h2");
	assert_string_equal(e.name[1], "http/1.1");
	assert_string_equal(e.name[2], "x=y");
}

static void a_ports_own_expectation_goes_first(void **state)
{
	struct service_key web = key_of("nginx", 443, ROLE_SERVER, NULL);
	struct service_key other = key_of("nginx", 8443, ROLE_SERVER, NULL);
	char error[128];

	assert_int_equal(service_expect(*state, "h2", error, sizeof(error)), 0);
	assert_int_equal(service_expect(*state, "8443=mqtt", error, sizeof(error)), 0);
	assert_string_equal(expected(*state, &web).name[0], "h2");
	assert_string_equal(expected(*state, &other).name[0], "mqtt");
}

/* A container's port and the published one, whichever the record is of. */
static void a_translated_port_has_that_of_either_side(void **state)
{
	struct service_key own = key_of("nginx", 8443, ROLE_SERVER, NULL), plain = own;
	char error[128];

	own.other_port = 443;
	assert_int_equal(service_expect(*state, "mqtt", error, sizeof(error)), 0);
	assert_string_equal(expected(*state, &own).name[0], "mqtt");
	assert_int_equal(service_expect(*state, "443=h2", error, sizeof(error)), 0);
	assert_string_equal(expected(*state, &own).name[0], "h2");
	assert_string_equal(expected(*state, &plain).name[0], "mqtt");
	/* of both ports, the one that was given first */
	assert_int_equal(service_expect(*state, "8443=h3", error, sizeof(error)), 0);
	assert_string_equal(expected(*state, &own).name[0], "h2");
	assert_string_equal(expected(*state, &plain).name[0], "h3");
	own.role = ROLE_CLIENT;
	assert_observed(*state, &own, "");
}

static void a_second_one_for_a_port_is_refused(void **state)
{
	struct service_key web = key_of("nginx", 443, ROLE_SERVER, NULL);
	struct service_key other = key_of("nginx", 8443, ROLE_SERVER, NULL);
	char error[128];

	assert_int_equal(service_expect(*state, "h2", error, sizeof(error)), 0);
	assert_int_equal(service_expect(*state, "8443=mqtt", error, sizeof(error)), 0);
	assert_int_equal(service_expect(*state, "8443=coap", error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "8443 has an expectation already"));
	assert_int_equal(service_expect(*state, "08443=mqtt", error, sizeof(error)), -EINVAL);
	assert_int_equal(service_expect(*state, "http/1.1", error, sizeof(error)), -EINVAL);
	assert_non_null(strstr(error, "every port has an expectation already"));
	assert_string_equal(expected(*state, &web).name[0], "h2");
	assert_string_equal(expected(*state, &other).name[0], "mqtt");
}

/* What this host dials is somebody else's server: no word of the operator binds it. */
static void configured_is_for_servers_and_transit(void **state)
{
	struct service_key server = key_of("nginx", 443, ROLE_SERVER, "a.example");
	struct service_key transit = key_of("unknown", 443, ROLE_TRANSIT, "a.example");
	struct service_key client = key_of("curl", 443, ROLE_CLIENT, "a.example");
	char error[128];

	assert_int_equal(service_expect(*state, "443=h2", error, sizeof(error)), 0);
	assert_int_equal(service_expect(*state, "http/1.1", error, sizeof(error)), 0);
	assert_int_equal(expected(*state, &server).source, EXPECT_CONFIGURED);
	assert_int_equal(expected(*state, &transit).source, EXPECT_CONFIGURED);
	assert_observed(*state, &client, "");
	learn(*state, &client, "h3");
	assert_observed(*state, &client, "h3");
	assert_string_equal(expected(*state, &server).name[0], "h2");
}

static void a_port_alone_says_nothing_of_others(void **state)
{
	struct service_key other = key_of("nginx", 443, ROLE_SERVER, NULL);
	char error[128];

	assert_int_equal(service_expect(*state, "65535=h2", error, sizeof(error)), 0);
	assert_int_equal(service_expect(*state, "1=h2", error, sizeof(error)), 0);
	assert_observed(*state, &other, "");
}

static void bad_expectations_are_named(void **state)
{
	static const struct {
		const char *spec, *names;
	} bad[] = {
		{"", "empty"},
		{"443=", "empty"},
		{"h2,", "empty"},
		{",h2", "empty"},
		{"h2,,http/1.1", "empty"},
		{"4443:h2", "write 4443=h2"},
		{"4443:h2,http/1.1", "write 4443=h2,http/1.1"},
		{"4443:h2=http/1.1", "port \"4443:h2\""},
		{"=h2", "port \"\""},
		{"0=h2", "port \"0\""},
		{"65536=h2", "port \"65536\""},
		{"99999999999999999999999=h2", "port \"99999999999999999999999\""},
		{"https=h2", "port \"https\""},
		{"44x=h2", "port \"44x\""},
		{"-1=h2", "port \"-1\""},
		{" 443=h2", "port \" 443\""},
		{"12345678901234567890123456789012", "longer than 31 bytes"},
		{"a,b,c,d,e,f,g,h,i", "more than 8"},
		{"h2, http/1.1", "number 2"},
		{"h\n2", "number 1"},
	};
	struct service_key key = key_of("nginx", 443, ROLE_SERVER, NULL);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		char error[128] = "";

		assert_int_equal(service_expect(*state, bad[i].spec, error, sizeof(error)),
				 -EINVAL);
		if (!strstr(error, bad[i].names))
			fail_msg("\"%s\": \"%s\" does not say %s", bad[i].spec, error,
				 bad[i].names);
		assert_observed(*state, &key, "");
	}
}

static void the_longest_that_is_allowed(void **state)
{
	struct service_key key = key_of("nginx", 443, ROLE_SERVER, NULL);
	char error[128];

	assert_int_equal(service_expect(*state, "1234567890123456789012345678901,b,c,d,e,f,g,h",
					error, sizeof(error)),
			 0);
	assert_int_equal(expected(*state, &key).count, 8);
	assert_string_equal(expected(*state, &key).name[0], "1234567890123456789012345678901");
	assert_string_equal(expected(*state, &key).name[7], "h");
}

static void an_error_fits_its_buffer(void **state)
{
	char error[8];

	memset(error, 'x', sizeof(error));
	assert_int_equal(service_expect(*state, "https=h2", error, 4), -EINVAL);
	assert_string_equal(error, "por");
	assert_int_equal(error[4], 'x');
}

static void a_better_choice_is_learned(void **state)
{
	struct service_key key = key_of("nginx", 443, ROLE_SERVER, "a.example");

	learn(*state, &key, "http/1.1");
	assert_observed(*state, &key, "http/1.1");
	learn(*state, &key, "h2");
	assert_observed(*state, &key, "h2");
	learn(*state, &key, "http/1.1");
	assert_observed(*state, &key, "h2");
	learn(*state, &key, "istio-h2"); /* no better, the first stays */
	assert_observed(*state, &key, "h2");
	learn(*state, &key, "h3-29");
	assert_observed(*state, &key, "h3-29");
}

static void only_certain_http_choices_teach(void **state)
{
	static const enum outcome others[] = {
		OUTCOME_IGNORED,    OUTCOME_NOT_OFFERED,  OUTCOME_REJECTED, OUTCOME_FAILED,
		OUTCOME_INCOMPLETE, OUTCOME_UNDETERMINED, OUTCOME_VIOLATION};
	struct service_key key = key_of("nginx", 443, ROLE_SERVER, "a.example");
	struct verdict v = chose("h2");

	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		v.outcome = others[i];
		service_learn(*state, &key, &v);
	}
	v.outcome = OUTCOME_NEGOTIATED;
	v.evidence = EVIDENCE_NONE;
	service_learn(*state, &key, &v);
	learn(*state, &key, "mqtt");
	learn(*state, &key, "spdy/3");
	learn(*state, &key, "acme-tls/1");
	assert_observed(*state, &key, "");
	assert_int_equal(service_refused(*state), 0);
}

static void services_do_not_mix(void **state)
{
	struct service_key key = key_of("nginx", 443, ROLE_SERVER, "a.example");
	struct service_key others[] = {
		key_of("nginx", 443, ROLE_SERVER, "b.example"),
		key_of("nginx", 443, ROLE_SERVER, ""),
		key_of("nginx", 443, ROLE_SERVER, NULL),
		key_of("nginx", 443, ROLE_SERVER, "a.exampl"),
		key_of("nginx", 443, ROLE_CLIENT, "a.example"),
		key_of("nginx", 443, ROLE_TRANSIT, "a.example"),
		key_of("nginx", 444, ROLE_SERVER, "a.example"),
		key_of("nginx", 443 + 256, ROLE_SERVER, "a.example"),
		key_of("haproxy", 443, ROLE_SERVER, "a.example"),
		/* the same letters, cut elsewhere between name and SNI */
		key_of("ngin", 443, ROLE_SERVER, "xa.example"),
		key_of("nginxa", 443, ROLE_SERVER, ".example"),
		key_of("", 443, ROLE_SERVER, "nginxa.example"),
	};

	learn(*state, &key, "h2");
	assert_observed(*state, &key, "h2");
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_observed(*state, &others[i], "");
}

/* RFC 6066 section 3 by way of RFC 1034: host names do not differ by case. */
static void host_names_do_not_differ_by_case(void **state)
{
	struct service_key lower = key_of("nginx", 443, ROLE_SERVER, "www.example");
	struct service_key upper = key_of("nginx", 443, ROLE_SERVER, "WWW.Example");

	learn(*state, &lower, "h2");
	assert_observed(*state, &upper, "h2");
}

static void hostile_server_names_are_only_bytes(void **state)
{
	static const uint8_t nul[] = {'a', 0, 'b'}, same_start[] = {'a', 0, 'c'};
	static const uint8_t not_utf8[] = {0xff, 0xfe, '"', '\n'};
	struct service_key key = key_of("nginx", 443, ROLE_SERVER, NULL);
	struct service_key other = key_of("nginx", 443, ROLE_SERVER, NULL);
	struct service_key third = key_of("nginx", 443, ROLE_SERVER, NULL);

	key.sni = nul;
	key.sni_len = sizeof(nul);
	other.sni = same_start;
	other.sni_len = sizeof(same_start);
	third.sni = not_utf8;
	third.sni_len = sizeof(not_utf8);
	learn(*state, &key, "h2");
	assert_observed(*state, &key, "h2");
	assert_observed(*state, &other, "");
	learn(*state, &third, "http/1.1");
	assert_observed(*state, &third, "http/1.1");
}

/* 63 bytes of name and 255 of SNI are the longest that an event holds. */
static void the_longest_key_is_kept_and_a_longer_one_refused(void **state)
{
	static uint8_t sni[1000];
	char name[64];
	struct service_key key = {
		.name = name, .server_port = 443, .role = ROLE_SERVER, .sni = sni, .sni_len = 255};

	memset(name, 'n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	learn(*state, &key, "h2");
	assert_observed(*state, &key, "h2");
	assert_int_equal(service_refused(*state), 0);
	key.sni_len = sizeof(sni);
	learn(*state, &key, "h2");
	assert_observed(*state, &key, "");
	assert_int_equal(service_refused(*state), 1);
}

static void configured_goes_before_observed(void **state)
{
	struct service_key key = key_of("nginx", 443, ROLE_SERVER, NULL);
	char error[128];

	learn(*state, &key, "h2");
	assert_int_equal(service_expect(*state, "443=http/1.1", error, sizeof(error)), 0);
	assert_int_equal(expected(*state, &key).source, EXPECT_CONFIGURED);
	assert_string_equal(expected(*state, &key).name[0], "http/1.1");
	assert_string_equal(expected(*state, &key).name[1], "");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(a_new_book_expects_nothing),
		TEST(a_configured_list_is_kept_in_order),
		TEST(a_translated_port_has_that_of_either_side),
		TEST(a_ports_own_expectation_goes_first),
		TEST(a_second_one_for_a_port_is_refused),
		TEST(configured_is_for_servers_and_transit),
		TEST(a_port_alone_says_nothing_of_others),
		TEST(bad_expectations_are_named),
		TEST(the_longest_that_is_allowed),
		TEST(an_error_fits_its_buffer),
		TEST(a_better_choice_is_learned),
		TEST(only_certain_http_choices_teach),
		TEST(services_do_not_mix),
		TEST(host_names_do_not_differ_by_case),
		TEST(hostile_server_names_are_only_bytes),
		TEST(the_longest_key_is_kept_and_a_longer_one_refused),
		TEST(configured_goes_before_observed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
