// SPDX-License-Identifier: GPL-2.0-only
/* engine: ClientHellos in SSL 2.0 form, RFC 5246 appendix E.2. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

static struct craft hello;

/* For TLS 1.@minor - 1, with a challenge of @challenge bytes 1, 2, 3... */
static void v2_hello(uint8_t minor, uint32_t session, uint32_t challenge)
{
	static const uint8_t suites[] = {0, 0, 0x2f, 0, 0xc0, 0x2b, 7, 0, 0xc0};

	hello.len = 0;
	craft_number(&hello, 0x8000 | (9 + sizeof(suites) + session + challenge), 2);
	craft_number(&hello, AS_HS_CLIENT_HELLO, 1);
	craft_number(&hello, 0x0300 | minor, 2);
	craft_number(&hello, sizeof(suites), 2);
	craft_number(&hello, session, 2);
	craft_number(&hello, challenge, 2);
	craft_put(&hello, suites, sizeof(suites));
	craft_zero(&hello, session);
	for (uint32_t i = 1; i <= challenge; i++)
		craft_number(&hello, i, 1);
}

/* The one record: right-justified challenge, no extension, answered. */
static void answered(const struct rig *r, uint8_t minor, uint32_t challenge)
{
	const struct as_handshake *hs = rig_only(r);
	uint8_t random[AS_RANDOM_LEN] = {0};

	for (uint32_t i = 1; i <= challenge; i++)
		random[AS_RANDOM_LEN - challenge + i - 1] = (uint8_t)i;
	assert_int_equal(hs->end, AS_END_SERVER_HELLO);
	assert_int_equal(hs->flags, AS_F_SERVER_HELLO);
	assert_int_equal(hs->client_version, 0x0300 | minor);
	assert_int_equal(hs->client_ext, 0);
	assert_memory_equal(hs->client_random, random, AS_RANDOM_LEN);
	RIG_NAMES(hs, "", "", "\x02h2");
}

static void test_whole(void **state)
{
	(void)state;
	for (uint32_t challenge = 16; challenge <= 32; challenge++) {
		struct rig *r = rig_new(RIG_FLOWS);
		struct craft_conn c = craft_ipv4(1), again;
		uint8_t minor = (uint8_t)(1 + challenge % 3);

		v2_hello(minor, challenge & 1 ? 16 : 0, challenge);
		rig_connect(r, &c);
		again = c;
		rig_client(r, &c, hello.at, hello.len);
		rig_client(r, &again, hello.at, hello.len);
		rig_server_hello(r, &c, 1);
		answered(r, minor, challenge);
		RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 1, AS_REPEAT_AGAIN, 1);
		rig_free(r);
	}
}

/* In two segments. Its first 11 bytes are what tells it, so the first segment has them, or
 * comes last. */
static void test_split(void **state)
{
	(void)state;
	v2_hello(3, 0, 32);
	for (uint32_t late = 0; late < 2; late++) {
		for (uint32_t cut = 11; cut < hello.len; cut++) {
			struct rig *r = rig_new(RIG_FLOWS);
			struct craft_conn c = craft_ipv4(1), rest;

			rig_connect(r, &c);
			rest = c;
			rest.client_seq += cut;
			if (late)
				rig_client(r, &rest, hello.at + cut, hello.len - cut);
			rig_client(r, &c, hello.at, cut);
			if (!late)
				rig_client(r, &rest, hello.at + cut, hello.len - cut);
			c.client_seq += hello.len - cut;
			rig_server_hello(r, &c, 1);
			answered(r, 3, 32);
			RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
			rig_free(r);
		}
	}
}

/* Lengths that do not add up, or that the standard does not have: no hello. */
static void test_no_hello(void **state)
{
	static const struct {
		uint32_t at;
		uint8_t value;
	} change[] = {
		{0, 0x81}, {1, 49},  {2, 2},  {3, 2}, {4, 4}, /* header, type, version */
		{6, 8},	   {6, 0},   {8, 33}, {8, 1}, /* suites, session id */
		{10, 33},  {10, 15}, {9, 1}, /* challenge */
	};
	struct rig *r = rig_new(RIG_FLOWS);

	(void)state;
	for (uint32_t i = 0; i < sizeof(change) / sizeof(change[0]); i++) {
		struct craft_conn c = craft_ipv4(i);

		v2_hello(3, 0, 32);
		hello.at[change[i].at] = change[i].value;
		rig_client(r, &c, hello.at, hello.len);
	}
	rig_wait(r, RIG_UNFINISHED_NS);
	RIG_COUNTS(r, AS_HELLOS, 0);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_whole),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_no_hello),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
