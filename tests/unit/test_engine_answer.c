// SPDX-License-Identifier: GPL-2.0-only
/* engine: ServerHellos that are wrong, or extreme, in one thing, and right in all else. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

#define ALPN_H2 "\0\x10\0\5\0\3\2h2"

static struct craft hello, ext, body;

/* The record of a handshake whose answer carries the extensions in `ext`. */
static struct rig *answered(uint32_t err)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	rig_client_hello(r, &c, 1);
	hello.len = 0;
	craft_server_hello(&hello, &(struct craft_hello){.random = craft_random(2), .ext = &ext});
	rig_server(r, &c, hello.at, hello.len);
	assert_int_equal(rig_only(r)->end, AS_END_SERVER_HELLO);
	if (err) {
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1, err, 1);
		assert_int_equal(rig_only(r)->flags, AS_F_SERVER_UNREADABLE);
		RIG_NAMES(rig_only(r), "a.example", "\x02h2\x08http/1.1", "");
	} else {
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	}
	return r;
}

static void test_server_extensions(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint32_t err;
		uint32_t ext;
	} rows[] = {
		{BYTES("\0\x10\0\5\0\4\2h2"), AS_ERR_ALPN, 0},
		{BYTES("\0\x10\0\0"), AS_ERR_ALPN, 0},
		{BYTES(ALPN_H2 ALPN_H2), AS_ERR_DUPLICATE_EXTENSION, 0},
		{BYTES(ALPN_H2 "\0"), AS_ERR_EXTENSION_OVERRUN, 0},
		{BYTES("\0\0\0\0"), 0, AS_X_SERVER_NAME}, /* RFC 6066: empty, to acknowledge */
		{BYTES("\x33\x74\0\x09\x08http/1.1"), 0, AS_X_NPN},
		{BYTES("\0\x2b\0\3\3\4\0"), 0, AS_X_SUPPORTED_VERSIONS}, /* no version */
		{BYTES("\0\x33\0\1\0"), 0, AS_X_KEY_SHARE}, /* no group */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *r;

		ext.len = 0;
		craft_put(&ext, rows[i].bytes, rows[i].len);
		r = answered(rows[i].err);
		assert_int_equal(rig_only(r)->server_ext, rows[i].ext);
		if (!rows[i].err) {
			assert_int_equal(rig_only(r)->server_version, AS_TLS12);
			assert_int_equal(rig_only(r)->group, 0);
		}
		rig_free(r);
	}
}

/* A choice of none, of two, of an empty name: facts, for the agent to judge. */
static void test_selected(void **state)
{
	struct rig *r;

	(void)state;
	ext.len = 0;
	craft_alpn(&ext, NULL, 0);
	r = answered(0);
	assert_int_equal(rig_only(r)->server_ext, AS_X_ALPN);
	RIG_NAMES(rig_only(r), "a.example", "\x02h2\x08http/1.1", "");
	rig_free(r);
	ext.len = 0;
	craft_alpn(&ext, BYTES("\x02h2\0\x02h3"));
	r = answered(0);
	RIG_NAMES(rig_only(r), "a.example", "\x02h2\x08http/1.1", "\x02h2\0\x02h3");
	rig_free(r);
}

/* The most of all three names; they do not run into each other. */
static void test_longest_names(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	uint8_t name[3][256];

	(void)state;
	for (int i = 0; i < 3; i++) {
		memset(name[i], 'a' + i, sizeof(name[i]));
		name[i][0] = 255;
	}
	ext.len = hello.len = 0;
	craft_alpn(&ext, name[1], 256);
	craft_sni(&ext, name[0], 255);
	craft_client_hello(&hello, &(struct craft_hello){.random = craft_random(1), .ext = &ext});
	rig_client(r, &c, hello.at, hello.len);
	ext.len = hello.len = 0;
	body.len = 0;
	craft_put(&body, name[2], 256);
	craft_put(&body, name[2], 256);
	craft_alpn(&ext, body.at, body.len);
	craft_server_hello(&hello, &(struct craft_hello){.random = craft_random(2), .ext = &ext});
	rig_server(r, &c, hello.at, hello.len);
	assert_int_equal(rig_only(r)->flags, AS_F_SERVER_HELLO | AS_F_SELECTED_TRUNCATED);
	assert_int_equal(rig_only(r)->sni_len, 255);
	assert_memory_equal(as_sni(rig_only(r)), name[0], 255);
	assert_int_equal(rig_only(r)->alpn_len, 256);
	assert_memory_equal(as_alpn(rig_only(r)), name[1], 256);
	assert_int_equal(rig_only(r)->selected_len, 256);
	assert_memory_equal(as_selected(rig_only(r)), name[2], 256);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_server_extensions),
		cmocka_unit_test(test_selected),
		cmocka_unit_test(test_longest_names),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
