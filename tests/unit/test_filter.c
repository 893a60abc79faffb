// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "filter.h"
#include "sample.h"

/* Does the sample pass a filter of this one condition? */
static bool passes(const struct sample *s, const char *key, const char *value)
{
	struct event_filter f = {0};
	char error[256] = "";

	if (filter_set(&f, key, value, error, sizeof(error)))
		fail_msg("%s=%s: %s", key, value, error);
	return filter_match(&f, &s->ev);
}

static void assert_refused(const char *key, const char *value, int err, const char *says)
{
	struct event_filter f = {0};
	char error[256] = "";

	assert_int_equal(filter_set(&f, key, value, error, sizeof(error)), err);
	if (!strstr(error, says))
		fail_msg("\"%s\" is not in \"%s\"", says, error);
}

static void test_empty_filter(void **state)
{
	struct event_filter f = {0};
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_true(filter_match(&f, &s.ev));
}

static void test_port(void **state)
{
	struct event_filter f = {0};
	char error[256];
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_true(passes(&s, "port", "443"));
	assert_false(passes(&s, "port", "50123")); /* the client's */
	assert_int_equal(filter_set(&f, "port", "8443", error, sizeof(error)), 0);
	assert_false(filter_match(&f, &s.ev));
	assert_int_equal(filter_set(&f, "port", "443", error, sizeof(error)), 0);
	assert_true(filter_match(&f, &s.ev));
}

/* Before and after address translation, whichever of the two the record is of. */
static void test_port_behind_nat(void **state)
{
	struct ends dialled, reached;
	struct sample s;

	(void)state;
	sample_init(&s);
	dialled = reached = ends_of(&s.hs);
	reached.server_port = 8443;
	s.ev.dialled = &dialled;
	s.ev.reached = &reached;
	for (int at_server = 0; at_server < 2; at_server++) {
		s.hs.server_port = at_server ? 8443 : 443;
		assert_true(passes(&s, "port", "443"));
		assert_true(passes(&s, "port", "8443"));
		assert_false(passes(&s, "port", "50123"));
	}
}

static void test_bad_port(void **state)
{
	static const char *const bad[] = {
		"", "0", "65536", "99999999999999999999", "https", "443x", " 443", "-1", "+443"};
	struct event_filter f = {0};
	char error[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_refused("port", bad[i], -EINVAL, "is not a port from 1 to 65535");
	filter_set(&f, "port", "0", error, sizeof(error));
	assert_string_equal(error, "'0' is not a port from 1 to 65535");
	for (int i = 0; i < FILTER_PORTS_MAX; i++)
		assert_int_equal(filter_set(&f, "port", "65535", error, sizeof(error)), 0);
	assert_int_equal(filter_set(&f, "port", "443", error, sizeof(error)), -EINVAL);
}

static void test_sni(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_true(passes(&s, "sni", "www.example.org"));
	assert_true(passes(&s, "sni", "*.example.org"));
	assert_true(passes(&s, "sni", "WWW.Example.???"));
	assert_false(passes(&s, "sni", "example.org"));
	assert_false(passes(&s, "sni", "*.example"));
	SAMPLE_NAMES(&s, "a\nb\0c", "", "");
	assert_true(passes(&s, "sni", "a\\x0ab\\x00c"));
	assert_false(passes(&s, "sni", "a"));
	SAMPLE_NAMES(&s, "", "", "");
	assert_false(passes(&s, "sni", "*"));
}

static void test_alpn(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_true(passes(&s, "alpn", "h2"));
	assert_true(passes(&s, "alpn", "http/1.1")); /* offered, not chosen */
	assert_false(passes(&s, "alpn", "h"));
	assert_false(passes(&s, "alpn", "h2c"));
	SAMPLE_NAMES(&s, "", "\x02h2", "\x03\0hi");
	sample_judge(&s);
	assert_true(passes(&s, "alpn", "\\x00hi")); /* chosen, not offered */
	s.hs.client_ext = s.hs.server_ext = 0;
	sample_judge(&s);
	assert_false(passes(&s, "alpn", "h2"));
}

static void test_outcome(void **state)
{
	struct event_filter f = {0};
	char error[256];
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_true(passes(&s, "outcome", "negotiated"));
	assert_false(passes(&s, "outcome", "ignored"));
	assert_int_equal(filter_set(&f, "outcome", "violation", error, sizeof(error)), 0);
	assert_int_equal(filter_set(&f, "outcome", "negotiated", error, sizeof(error)), 0);
	assert_true(filter_match(&f, &s.ev));
	assert_refused(
		"outcome", "good", -EINVAL,
		"'good' is not an outcome; there are: negotiated, ignored, not_offered, rejected, "
		"failed, incomplete, undetermined, violation");
}

static void test_fallback_only(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_false(passes(&s, "fallback_only", "1"));
	s.ev.side[0].cause = CAUSE_CLIENT_PREFERRED;
	assert_false(passes(&s, "fallback_only", "1"));
	s.ev.side[0].cause = CAUSE_SERVER_DECLINED;
	assert_true(passes(&s, "fallback_only", "1"));
	s.ev.side[0].cause = CAUSE_SERVER_NO_ALPN;
	assert_true(passes(&s, "fallback_only", "1"));
	assert_refused("fallback_only", "no", -EINVAL, "'no' is not 1");
}

static void test_all_must_hold(void **state)
{
	struct event_filter f = {0};
	char error[256];
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_int_equal(filter_set(&f, "alpn", "h2", error, sizeof(error)), 0);
	assert_int_equal(filter_set(&f, "sni", "*.org", error, sizeof(error)), 0);
	assert_true(filter_match(&f, &s.ev));
	assert_int_equal(filter_set(&f, "port", "1", error, sizeof(error)), 0);
	assert_false(filter_match(&f, &s.ev));
}

static void test_bad_text(void **state)
{
	char longest[FILTER_TEXT_MAX + 1];

	(void)state;
	memset(longest, 'a', FILTER_TEXT_MAX);
	longest[FILTER_TEXT_MAX] = '\0';
	assert_refused("sni", longest, -EINVAL, "a server name of 1 to 255 bytes");
	assert_refused("alpn", "", -EINVAL, "'' is not a protocol name of 1 to 255 bytes");
	assert_refused("colour", "red", -ENOENT, "\"colour\" is not a filter");
}

/* The second would undo the first, unsaid. */
static void test_given_twice(void **state)
{
	static const char *const keys[] = {"sni", "alpn"};

	(void)state;
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		struct event_filter f = {0};
		char error[256] = "";

		assert_int_equal(filter_set(&f, keys[i], "a", error, sizeof(error)), 0);
		assert_int_equal(filter_set(&f, keys[i], "b", error, sizeof(error)), -EINVAL);
		assert_non_null(strstr(error, "'b' is a second"));
		assert_string_equal(i ? f.alpn : f.sni, "a");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty_filter),  cmocka_unit_test(test_port),
		cmocka_unit_test(test_bad_port),      cmocka_unit_test(test_port_behind_nat),
		cmocka_unit_test(test_sni),	      cmocka_unit_test(test_alpn),
		cmocka_unit_test(test_outcome),	      cmocka_unit_test(test_fallback_only),
		cmocka_unit_test(test_all_must_hold), cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_given_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
