// SPDX-License-Identifier: GPL-2.0-only
/* engine: which of a ClientHello's extensions may make EncryptedExtensions longer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

static struct craft hello, ext;

/* What a ClientHello with extensions of @type and @other, behind usual ones, is said to have. */
static unsigned int seen_with(uint32_t type, uint32_t other)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	unsigned int seen;

	ext.len = hello.len = 0;
	craft_ext(&ext, 23, NULL, 0); /* extended_master_secret, RFC 7627 */
	craft_ext(&ext, AS_EXT_RENEGOTIATION_INFO, BYTES("\0"));
	craft_ext(&ext, 0x3a3a, NULL, 0); /* GREASE, RFC 8701 */
	craft_ext(&ext, type, BYTES("\0"));
	craft_ext(&ext, other, BYTES("\0"));
	craft_client_hello(&hello, &(struct craft_hello){.random = craft_random(1), .ext = &ext});
	rig_connect(r, &c);
	rig_client(r, &c, hello.at, hello.len);
	rig_server_hello(r, &c, 1);
	seen = rig_only(r)->client_ext;
	rig_free(r);
	return seen;
}

/* RFC 8446 section 4.2's table, "EE", RFC 9149, tls_flags, and what is in no table. */
static void test_answered(void **state)
{
	static const uint16_t types[] = {14, 15, 19, 20, 58, 62, 63, 0x1234, 0xfd00};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(seen_with(types[i], 21), AS_X_OTHER);
	assert_int_equal(seen_with(19, 20), AS_X_OTHER);
}

/* The same table without "EE". */
static void test_not_answered(void **state)
{
	static const uint16_t types[] = {5,  11, 13, 17, 18, 22,     27,     34,
					 44, 45, 47, 49, 50, 0x0a0a, 0xfafa, 0xca34};

	(void)state;
	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		assert_int_equal(seen_with(types[i], 21), 0);
}

/* application_settings has had two numbers; a client may send both. */
static void test_settings(void **state)
{
	(void)state;
	assert_int_equal(seen_with(17513, 21), AS_X_ALPS);
	assert_int_equal(seen_with(17613, 21), AS_X_ALPS);
	assert_int_equal(seen_with(17513, 17613), AS_X_ALPS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answered),
		cmocka_unit_test(test_not_answered),
		cmocka_unit_test(test_settings),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
