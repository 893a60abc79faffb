// SPDX-License-Identifier: GPL-2.0-only
/* alpn.c: names cut from the list of RFC 7301 section 3.1, families, the IANA registry. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "alpn.h"

/* The bytes lie at the very end of a heap block: a read past them is found. */
static uint8_t *tight(const char *bytes, size_t len)
{
	uint8_t *copy = malloc(len ? len : 1);

	assert_non_null(copy);
	memcpy(copy, bytes, len);
	return copy;
}

static struct alpn_name name_of(const char *text)
{
	return (struct alpn_name){(const uint8_t *)text, (uint8_t)strlen(text)};
}

static void assert_name(const struct alpn_name *name, const char *bytes, size_t len)
{
	assert_int_equal(name->len, len);
	if (len)
		assert_memory_equal(name->bytes, bytes, len);
}

static void names_keep_their_order(void **state)
{
	struct alpn_list list;

	(void)state;
	alpn_parse((const uint8_t *)"\10http/1.1\2h2\3foo", 16, &list);
	assert_int_equal(list.count, 3);
	assert_name(&list.name[0], "http/1.1", 8);
	assert_name(&list.name[1], "h2", 2);
	assert_name(&list.name[2], "foo", 3);
}

static void an_empty_list_has_no_names(void **state)
{
	struct alpn_list list = {.count = 7};

	(void)state;
	alpn_parse(NULL, 0, &list);
	assert_int_equal(list.count, 0);
}

/* Every cut of "h2", "http/1.1" leaves the whole names before it, and is not overrun. */
static void a_cut_list_keeps_whole_names(void **state)
{
	static const char whole[] = "\2h2\10http/1.1";
	struct alpn_list list;

	(void)state;
	for (size_t len = 0; len < sizeof(whole); len++) {
		uint8_t *bytes = tight(whole, len);

		alpn_parse(bytes, len, &list);
		assert_int_equal(list.count, len < 3 ? 0 : len < 12 ? 1 : 2);
		free(bytes);
	}
}

static void empty_names_are_kept(void **state)
{
	struct alpn_list list;
	uint8_t zeros[256] = {0};

	(void)state;
	alpn_parse((const uint8_t *)"\0\2h2\0", 5, &list);
	assert_int_equal(list.count, 3);
	assert_int_equal(list.name[0].len, 0);
	assert_name(&list.name[1], "h2", 2);
	assert_int_equal(list.name[2].len, 0);

	alpn_parse(zeros, sizeof(zeros), &list);
	assert_int_equal(list.count, 256);
}

static void more_names_than_fit_are_left_out(void **state)
{
	struct alpn_list list;
	uint8_t zeros[300] = {0};

	(void)state;
	alpn_parse(zeros, sizeof(zeros), &list);
	assert_int_equal(list.count, ALPN_NAMES_MAX);
}

static void a_hundred_names(void **state)
{
	struct alpn_list list;
	uint8_t bytes[200];

	(void)state;
	for (unsigned int i = 0; i < 100; i++) {
		bytes[2 * i] = 1;
		bytes[2 * i + 1] = (uint8_t)(i + 100);
	}
	alpn_parse(bytes, sizeof(bytes), &list);
	assert_int_equal(list.count, 100);
	assert_int_equal(list.name[99].bytes[0], 199);
}

static void the_longest_name(void **state)
{
	struct alpn_list list;
	uint8_t bytes[256];

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	bytes[0] = 255;
	alpn_parse(bytes, sizeof(bytes), &list);
	assert_int_equal(list.count, 1);
	assert_int_equal(list.name[0].len, 255);
	alpn_parse(bytes, sizeof(bytes) - 1, &list);
	assert_int_equal(list.count, 0);
}

static void hostile_bytes_are_kept_as_they_are(void **state)
{
	static const char hostile[] = "\7\"\n\0\377\300\\{";
	struct alpn_list list;

	(void)state;
	alpn_parse((const uint8_t *)hostile, 8, &list);
	assert_int_equal(list.count, 1);
	assert_name(&list.name[0], hostile + 1, 7);
	assert_null(alpn_registered(&list.name[0]));
	assert_int_equal(alpn_family(&list.name[0]), ALPN_OTHER);
}

/* RFC 8701 section 2: 0A0A, 1A1A, ... FAFA. */
static void grease_is_left_out(void **state)
{
	struct alpn_list list;

	(void)state;
	for (unsigned int high = 0; high < 16; high++) {
		uint8_t value = (uint8_t)(high << 4 | 0x0a);
		uint8_t bytes[] = {2, value, value, 2, 'h', '2', 2, value, value};

		alpn_parse(bytes, sizeof(bytes), &list);
		assert_int_equal(list.count, 1);
		assert_name(&list.name[0], "h2", 2);
	}
}

static void what_only_looks_like_grease_is_kept(void **state)
{
	static const char *const names[] = {"\x0a\x1a", "\x0b\x0b", "\x0a", "\x0a\x0a\x0a",
					    "\xaa\xa0"};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct alpn_name name = name_of(names[i]);

		assert_false(alpn_grease(&name));
	}
}

static void names_have_families(void **state)
{
	static const struct {
		const char *name;
		enum alpn_family family;
	} rows[] = {
		{"h3", ALPN_HTTP3},
		{"h3-29", ALPN_HTTP3},
		{"h3-9", ALPN_HTTP3},
		{"h2", ALPN_HTTP2},
		{"h2c", ALPN_HTTP2},
		{"istio-h2", ALPN_HTTP2},
		{"grpc-exp", ALPN_HTTP2},
		{"h2-14", ALPN_HTTP2},
		{"http/1.1", ALPN_HTTP1_1},
		{"istio-http/1.1", ALPN_HTTP1_1},
		{"http/1.0", ALPN_HTTP1_0},
		{"http/0.9", ALPN_HTTP1_0},
		{"istio-http/1.0", ALPN_HTTP1_0},
		/* not HTTP, or not quite */
		{"", ALPN_OTHER},
		{"H2", ALPN_OTHER},
		{"h", ALPN_OTHER},
		{"h22", ALPN_OTHER},
		{"h3-", ALPN_OTHER},
		{"h3-x", ALPN_OTHER},
		{"h3-2x", ALPN_OTHER},
		{"h3-290", ALPN_OTHER},
		{"h4-29", ALPN_OTHER},
		{"istio", ALPN_OTHER},
		{"HTTP/1.1", ALPN_OTHER},
		{"http/1.2", ALPN_OTHER},
		{"acme-tls/1", ALPN_OTHER},
		{"spdy/3", ALPN_OTHER},
		{"dot", ALPN_OTHER},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct alpn_name name = name_of(rows[i].name);

		if (alpn_family(&name) != rows[i].family)
			fail_msg("family of \"%s\"", rows[i].name);
	}
	assert_true(ALPN_HTTP3 > ALPN_HTTP2 && ALPN_HTTP2 > ALPN_HTTP1_1);
	assert_true(ALPN_HTTP1_1 > ALPN_HTTP1_0 && ALPN_HTTP1_0 > ALPN_OTHER);
}

static void a_nul_does_not_end_a_name(void **state)
{
	struct alpn_name name = {(const uint8_t *)"h2\0", 3};

	(void)state;
	assert_int_equal(alpn_family(&name), ALPN_OTHER);
	assert_null(alpn_registered(&name));
	assert_false(alpn_is(&name, "h2"));
}

/* The registry as IANA publishes it. */
static void registered_names_are_labels(void **state)
{
	static const char *const names[] = {
		"http/0.9",
		"http/1.0",
		"http/1.1",
		"spdy/1",
		"spdy/2",
		"spdy/3",
		"stun.turn",
		"stun.nat-discovery",
		"h2",
		"h2c",
		"webrtc",
		"c-webrtc",
		"ftp",
		"imap",
		"pop3",
		"managesieve",
		"coap",
		"co",
		"xmpp-client",
		"xmpp-server",
		"acme-tls/1",
		"mqtt",
		"dot",
		"ntske/1",
		"sunrpc",
		"h3",
		"smb",
		"irc",
		"nntp",
		"nnsp",
		"doq",
		"sip/2",
		"tds/8.0",
		"dicom",
		"postgresql",
		"radius/1.0",
		"radius/1.1",
		"netperfmeter/control",
		"netperfmeter/data",
		"n-pamp/2",
		"EoQ",
		"snifq/1",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct alpn_name name = name_of(names[i]);
		const char *label = alpn_registered(&name);

		if (!label || strcmp(label, names[i]) != 0)
			fail_msg("\"%s\" is registered", names[i]);
	}
}

static void other_names_are_no_labels(void **state)
{
	static const char *const names[] = {
		"",	   "h",		"h3-29",    "istio-h2", "grpc-exp", "H2",    "h2 ",
		"http/1.", "http/1.11", "spdy/3.1", "eoq",	"none",	    "other", "unknown",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct alpn_name name = name_of(names[i]);

		if (alpn_registered(&name))
			fail_msg("\"%s\" is not registered", names[i]);
	}
}

static void names_are_equal_by_their_bytes(void **state)
{
	uint8_t copy[] = {'h', '2'};
	struct alpn_name h2 = name_of("h2"), again = {copy, 2}, h3 = name_of("h3");
	struct alpn_name none = {NULL, 0}, empty = name_of(""), h = {copy, 1};

	(void)state;
	assert_true(alpn_equal(&h2, &again));
	assert_false(alpn_equal(&h2, &h3));
	assert_false(alpn_equal(&h2, &h));
	assert_true(alpn_equal(&none, &empty));
	assert_true(alpn_is(&none, ""));
	assert_false(alpn_is(&none, "h2"));
	assert_true(alpn_is(&again, "h2"));
	assert_false(alpn_is(&again, "h"));
	assert_false(alpn_is(&again, "h2c"));
}

static void a_list_contains_its_names(void **state)
{
	struct alpn_name h2 = name_of("h2"), h2c = name_of("h2c"), h = name_of("h");
	struct alpn_list list;

	(void)state;
	alpn_parse((const uint8_t *)"\3foo\2h2", 7, &list);
	assert_true(alpn_contains(&list, &h2));
	assert_false(alpn_contains(&list, &h2c));
	assert_false(alpn_contains(&list, &h));
	list.count = 0;
	assert_false(alpn_contains(&list, &h2));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_keep_their_order),
		cmocka_unit_test(an_empty_list_has_no_names),
		cmocka_unit_test(a_cut_list_keeps_whole_names),
		cmocka_unit_test(empty_names_are_kept),
		cmocka_unit_test(more_names_than_fit_are_left_out),
		cmocka_unit_test(a_hundred_names),
		cmocka_unit_test(the_longest_name),
		cmocka_unit_test(hostile_bytes_are_kept_as_they_are),
		cmocka_unit_test(grease_is_left_out),
		cmocka_unit_test(what_only_looks_like_grease_is_kept),
		cmocka_unit_test(names_have_families),
		cmocka_unit_test(a_nul_does_not_end_a_name),
		cmocka_unit_test(registered_names_are_labels),
		cmocka_unit_test(other_names_are_no_labels),
		cmocka_unit_test(names_are_equal_by_their_bytes),
		cmocka_unit_test(a_list_contains_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
