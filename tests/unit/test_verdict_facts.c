// SPDX-License-Identifier: GPL-2.0-only
/* verdict.c: what it says beside the outcome: version, resumption, signals, names. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "verdict.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A client of TLS 1.3 that was answered with @version; 0: not at all. */
static struct as_handshake answered(uint16_t version)
{
	return (struct as_handshake){
		.abi = AS_ABI,
		.kind = AS_KIND_HANDSHAKE,
		.end = version ? AS_END_SERVER_HELLO : AS_END_TIMEOUT,
		.flags = version ? AS_F_SERVER_HELLO : 0,
		.client_version = 0x0304,
		.server_version = version,
	};
}

static struct verdict judge(const struct as_handshake *hs)
{
	struct verdict v;

	verdict_outcome(hs, &v);
	return v;
}

static void versions(void **state)
{
	static const struct {
		uint16_t wire, version;
	} pairs[] = {
		{0x0300, 0x0300}, {0x0301, 0x0301}, {0x0302, 0x0302}, {0x0303, 0x0303},
		{0x0304, 0x0304}, {0x7f12, 0x0304}, {0x7f1c, 0x0304}, {0xfb17, 0x0304},
		{0xfb1a, 0x0304}, {0x02ff, 0},	    {0x0305, 0},      {0xfeff, 0},
		{0x7e02, 0},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(pairs); i++) {
		struct as_handshake hs = answered(pairs[i].wire);

		assert_int_equal(judge(&hs).version, pairs[i].version);
	}
}

/* Before a ServerHello nothing was negotiated, whatever the field holds. */
static void no_version_without_a_server_hello(void **state)
{
	struct as_handshake hs = answered(0);

	(void)state;
	hs.server_version = 0x0304;
	assert_int_equal(judge(&hs).version, 0);
	assert_int_equal(judge(&hs).resumed, -1);
}

static void an_orphan_has_a_version(void **state)
{
	struct as_handshake hs = answered(0x0303);

	(void)state;
	hs.kind = AS_KIND_ORPHAN;
	assert_int_equal(judge(&hs).version, 0x0303);
	assert_int_equal(judge(&hs).resumed, -1);
}

static void resumption(void **state)
{
	static const struct {
		uint16_t version;
		uint32_t flags, server_ext;
		int resumed;
	} cases[] = {
		{0x0303, 0, 0, 0},
		{0x0303, AS_F_SESSION_ID_ECHOED, 0, 1},
		{0x0301, AS_F_SESSION_ID_ECHOED, 0, 1},
		{0x0303, 0, AS_X_PRE_SHARED_KEY, 0},
		/* TLS 1.3 echoes for middleboxes (RFC 8446 appendix D.4) */
		{0x0304, AS_F_SESSION_ID_ECHOED, 0, 0},
		{0x0304, 0, AS_X_PRE_SHARED_KEY, 1},
		{0x7f1c, 0, AS_X_PRE_SHARED_KEY, 1},
		{0x0505, AS_F_SESSION_ID_ECHOED, AS_X_PRE_SHARED_KEY, -1},
		{0, AS_F_SESSION_ID_ECHOED, 0, -1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct as_handshake hs = answered(cases[i].version);

		hs.flags |= cases[i].flags;
		hs.server_ext = cases[i].server_ext;
		assert_int_equal(judge(&hs).resumed, cases[i].resumed);
	}
}

/* RFC 8446 section 4.1.3: 44 4F 57 4E 47 52 44 01, and ..00, in the last eight bytes. */
static void the_downgrade_sentinel(void **state)
{
	static const struct {
		uint16_t client, server;
		uint8_t last;
		uint32_t flags;
		bool sentinel;
	} cases[] = {
		{0x0304, 0x0303, 0x01, 0, true},
		{0x0304, 0x0302, 0x00, 0, true},
		{0x0304, 0x0301, 0x01, 0, true},
		{0x7f1c, 0x0303, 0x01, 0, true},
		{0x0304, 0x0303, 0x02, 0, false},
		{0x0303, 0x0303, 0x01, 0, false},
		{0x0304, 0x0304, 0x01, 0, false},
		{0x0304, 0x7f1c, 0x01, 0, false},
		{0x0304, 0x0303, 0x01, AS_F_RETRY, false},
		{0x0304, 0, 0x01, 0, false},
		{0, 0x0303, 0x01, 0, false},
	};
	static const uint8_t downgrd[] = {0x44, 0x4f, 0x57, 0x4e, 0x47, 0x52, 0x44};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct as_handshake hs = answered(cases[i].server);

		hs.client_version = cases[i].client;
		hs.flags |= cases[i].flags;
		hs.server_random[31] = cases[i].last;
		assert_false(judge(&hs).sentinel);
		memcpy(hs.server_random + 24, downgrd, sizeof(downgrd));
		assert_true(judge(&hs).sentinel == cases[i].sentinel);
	}
}

static void npn_and_scsv_are_facts(void **state)
{
	struct as_handshake plain = answered(0x0303), hs = plain;

	(void)state;
	assert_false(judge(&plain).npn);
	assert_false(judge(&plain).scsv);
	hs.client_ext = AS_X_NPN;
	assert_true(judge(&hs).npn);
	hs = plain;
	hs.server_ext = AS_X_NPN;
	assert_true(judge(&hs).npn);
	hs = plain;
	hs.flags |= AS_F_FALLBACK_SCSV;
	assert_true(judge(&hs).scsv);
}

/* docs/DESIGN.md: the names that events and metrics carry. */
static void everything_has_a_name(void **state)
{
	static const char *const outcomes[] = {
		"negotiated", "ignored",    "not_offered",  "rejected",
		"failed",     "incomplete", "undetermined", "violation",
	};

	(void)state;
	assert_int_equal(COUNT(outcomes), OUTCOME_COUNT);
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		assert_string_equal(outcome_name((enum outcome)i), outcomes[i]);
		assert_int_equal(outcome_by_name(outcomes[i]), i);
	}
	assert_int_equal(outcome_by_name("Negotiated"), -1);
	assert_int_equal(outcome_by_name(""), -1);
	assert_string_equal(evidence_name(EVIDENCE_NONE), "none");
	assert_string_equal(evidence_name(EVIDENCE_CLIENT_HELLO), "client_hello");
	assert_string_equal(evidence_name(EVIDENCE_SERVER_HELLO), "server_hello");
	assert_string_equal(evidence_name(EVIDENCE_ALERT), "alert");
	assert_null(cause_name(CAUSE_NONE));
	assert_string_equal(cause_name(CAUSE_SERVER_DECLINED), "server_declined");
	assert_string_equal(cause_name(CAUSE_SERVER_NO_ALPN), "server_no_alpn");
	assert_string_equal(cause_name(CAUSE_CLIENT_PREFERRED), "client_preferred");
	assert_string_equal(cause_name(CAUSE_CLIENT_NOT_OFFERED), "client_not_offered");
	assert_string_equal(cause_name(CAUSE_CLIENT_NO_ALPN), "client_no_alpn");
	assert_string_equal(role_name(ROLE_SERVER), "server");
	assert_string_equal(role_name(ROLE_CLIENT), "client");
	assert_string_equal(role_name(ROLE_TRANSIT), "transit");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(versions),
		cmocka_unit_test(no_version_without_a_server_hello),
		cmocka_unit_test(an_orphan_has_a_version),
		cmocka_unit_test(resumption),
		cmocka_unit_test(the_downgrade_sentinel),
		cmocka_unit_test(npn_and_scsv_are_facts),
		cmocka_unit_test(everything_has_a_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
