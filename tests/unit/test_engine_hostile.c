// SPDX-License-Identifier: GPL-2.0-only
/* engine: ClientHellos that are wrong, or extreme, in one thing, and right in all else. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

#define ALPN_H2 "\0\x10\0\5\0\3\2h2"

static struct craft hello, ext, body;

/* An engine that was given this ClientHello; malformed by the counter @err, or whole (0). */
static struct rig *given(const struct craft *c, uint32_t err)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn conn = craft_ipv4(1);

	rig_client(r, &conn, c->at, c->len);
	rig_end(r);
	if (err)
		RIG_COUNTS(r, AS_HELLOS, 1, AS_LOST_MALFORMED, 1, err, 1);
	else
		RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	return r;
}

/* The same of a hello with the extensions in `ext`. */
static struct rig *given_extensions(uint32_t err)
{
	hello.len = 0;
	craft_client_hello(&hello, &(struct craft_hello){.random = craft_random(1), .ext = &ext});
	return given(&hello, err);
}

/* Content of the extensions block, and what is wrong with it. */
static void test_extensions(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint32_t err;
	} rows[] = {
		{BYTES(ALPN_H2), 0},
		{BYTES(""), 0},
		{BYTES("\0"), AS_ERR_EXTENSION_OVERRUN},
		{BYTES(ALPN_H2 "\0\0\0"), AS_ERR_EXTENSION_OVERRUN},
		{BYTES("\0\x10\0\6\0\3\2h2"), AS_ERR_EXTENSION_OVERRUN},
		{BYTES("\0\x10\xff\xff\0\3\2h2"), AS_ERR_EXTENSION_OVERRUN},
		{BYTES(ALPN_H2 ALPN_H2), AS_ERR_DUPLICATE_EXTENSION},
		{BYTES("\0\x2b\0\3\2\3\4\0\x2b\0\3\2\3\3"), AS_ERR_DUPLICATE_EXTENSION},
		{BYTES("\0\0\0\6\0\4\0\0\1a\0\0\0\6\0\4\0\0\1b"), AS_ERR_DUPLICATE_EXTENSION},
		{BYTES("\0\x10\0\0"), AS_ERR_ALPN},
		{BYTES("\0\x10\0\1\0"), AS_ERR_ALPN},
		{BYTES("\0\x10\0\5\0\2\2h2"), AS_ERR_ALPN}, /* list < extension */
		{BYTES("\0\x10\0\5\0\4\2h2"), AS_ERR_ALPN}, /* list > extension */
		{BYTES("\0\x10\0\5\0\3\3h2"), AS_ERR_ALPN}, /* name > list */
		{BYTES("\0\x10\0\5\0\3\1h2"), AS_ERR_ALPN}, /* the next name > list */
		{BYTES("\0\x10\0\3\0\1\xff"), AS_ERR_ALPN},
		{BYTES("\0\0\0\0"), AS_ERR_SERVER_NAME},
		{BYTES("\0\0\0\2\0\0"), AS_ERR_SERVER_NAME}, /* empty list */
		{BYTES("\0\0\0\5\0\3\0\0\0"), AS_ERR_SERVER_NAME}, /* empty name */
		{BYTES("\0\0\0\6\0\4\0\0\2a"), AS_ERR_SERVER_NAME}, /* name > list */
		{BYTES("\0\0\0\6\0\5\0\0\1a"), AS_ERR_SERVER_NAME}, /* list > extension */
		{BYTES("\0\0\0\6\0\3\0\0\1a"), AS_ERR_SERVER_NAME}, /* list < extension */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ext.len = 0;
		craft_put(&ext, rows[i].bytes, rows[i].len);
		rig_free(given_extensions(rows[i].err));
	}
}

/* Bodies of which the part before the extensions is wrong; version and
 * random come first. */
static void test_fields(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
		uint32_t err;
	} rows[] = {
		{BYTES("\0\0\2\x13\1\1\0\0\x09" ALPN_H2), 0},
		{BYTES("\0\0\2\x13\1\1\0"), 0}, /* no extensions, RFC 5246 section 7.4.1.2 */
		{BYTES("\0\0\0\1\0"), 0}, /* no suite: a fact, if a useless one */
		{BYTES("\x21"
		       "012345678901234567890123456789012"
		       "\0\2\x13\1\1\0"),
		 AS_ERR_FIELD}, /* RFC 8446: session id <0..32> */
		{BYTES("\xff\0\2\x13\1\1\0"), AS_ERR_FIELD},
		{BYTES("\x20\0\2\x13\1\1\0"), AS_ERR_HELLO_OVERRUN},
		{BYTES("\0\0\3\x13\1\0\1\0"), AS_ERR_FIELD}, /* half a suite */
		{BYTES("\0\0\x09\x13\1\1\0"), AS_ERR_HELLO_OVERRUN},
		{BYTES("\0\xff\xfe\x13\1\1\0"), AS_ERR_HELLO_OVERRUN},
		{BYTES("\0\0\2\x13\1\2\0"), AS_ERR_HELLO_OVERRUN}, /* compressions */
		{BYTES("\0\0\2\x13\1\xff\0\0\x09" ALPN_H2), AS_ERR_HELLO_OVERRUN},
		{BYTES("\0\0\2\x13\1\1\0\0\x0a" ALPN_H2), AS_ERR_EXTENSION_OVERRUN},
		{BYTES("\0\0\2\x13\1\1\0\xff\xff" ALPN_H2), AS_ERR_EXTENSION_OVERRUN},
		{BYTES("\0\0\2\x13\1\1\0\0\x08" ALPN_H2), AS_ERR_TRAILING_BYTES},
		{BYTES("\0\0\2\x13\1\1\0\0\0" ALPN_H2), AS_ERR_TRAILING_BYTES},
		{BYTES("\0\0\2\x13\1\1\0\0\x09" ALPN_H2 "\0"), AS_ERR_TRAILING_BYTES},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		body.len = hello.len = 0;
		craft_number(&body, AS_TLS12, 2);
		craft_put(&body, craft_random(1), AS_RANDOM_LEN);
		craft_put(&body, rows[i].bytes, rows[i].len);
		craft_message(&hello, AS_HS_CLIENT_HELLO, body.at, body.len);
		rig_free(given(&hello, rows[i].err));
	}
}

/* Lengths of the record and of the message that do not fit each other. */
static void test_outer_lengths(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	uint32_t len = rig_hello(1)->len;

	(void)state;
	hello = *rig_hello(1);
	craft_number_at(&hello, 6, len - AS_REC_HLEN - AS_HS_HLEN + 1, 3);
	rig_client(r, &c, hello.at, hello.len);
	rig_wait(r, RIG_UNFINISHED_NS); /* a second record is awaited */
	RIG_COUNTS(r, AS_HELLOS, 1, AS_LOST_UNFINISHED, 1);
	c = craft_ipv4(2);
	craft_number_at(&hello, 6, len - AS_REC_HLEN - AS_HS_HLEN - 1, 3);
	rig_client(r, &c, hello.at, hello.len);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_LOST_UNFINISHED, 1, AS_LOST_MALFORMED, 1,
		   AS_ERR_EXTENSION_OVERRUN, 1);
	rig_free(r);
	/* More of the same record is to come: the message is whole. */
	hello = *rig_hello(1);
	craft_number_at(&hello, 3, len - AS_REC_HLEN + 99, 2);
	rig_free(given(&hello, 0));
}

/* Names are bytes, kept as they are. */
static void test_names(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{BYTES("\x02h2")},
		{BYTES("")}, /* RFC 7301 wants at least one; that there is none is a fact */
		{BYTES("\0")},
		{BYTES("\0\0\0\x02h2\0")},
		{BYTES("\x06\"},{\"x")},
		{BYTES("\x02\r\n\x04\x1b[2J")},
		{BYTES("\x03"
		       "a\0b")},
		{BYTES("\x04\xff\xfe\xc3\x28")},
		{BYTES("\x07<b>&\\'`")},
		{BYTES("\x02\x1a\x1a\x02h2")}, /* GREASE, RFC 8701 */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct as_handshake *hs;
		struct rig *r;

		ext.len = 0;
		craft_alpn(&ext, rows[i].bytes, rows[i].len);
		if (rows[i].len) /* the same bytes, as a host's name */
			craft_sni(&ext, rows[i].bytes, rows[i].len);
		r = given_extensions(0);
		hs = rig_only(r);
		assert_true(hs->client_ext & AS_X_ALPN);
		assert_int_equal(hs->alpn_len, rows[i].len);
		assert_memory_equal(as_alpn(hs), rows[i].bytes, rows[i].len);
		assert_int_equal(hs->sni_len, rows[i].len);
		assert_memory_equal(as_sni(hs), rows[i].bytes, rows[i].len);
		assert_int_equal(hs->flags, 0);
		rig_free(r);
	}
}

/* RFC 6066 section 3: other name types are none of ours; only the first host counts. */
static void test_name_types(void **state)
{
	struct rig *r;

	(void)state;
	ext.len = 0;
	craft_ext(&ext, AS_EXT_SERVER_NAME, BYTES("\0\4\1\0\1a"));
	r = given_extensions(0);
	assert_int_equal(rig_only(r)->client_ext, AS_X_SERVER_NAME);
	RIG_NAMES(rig_only(r), "", "", "");
	rig_free(r);
	ext.len = 0;
	craft_ext(&ext, AS_EXT_SERVER_NAME, BYTES("\0\x08\0\0\1a\0\0\1b"));
	r = given_extensions(0);
	RIG_NAMES(rig_only(r), "a", "", "");
	rig_free(r);
}

/* @count names of @len bytes each: kept up to 256 bytes of list, and that it was more. */
static void many_names(uint32_t count, uint32_t len, uint32_t kept)
{
	static uint8_t list[65536];
	struct rig *r;

	for (uint32_t i = 0; i < count; i++) {
		list[i * (len + 1)] = (uint8_t)len;
		memset(list + i * (len + 1) + 1, 'a' + (int)i % 26, len);
	}
	ext.len = 0;
	craft_sni(&ext, BYTES("a.example"));
	craft_alpn(&ext, list, (size_t)count * (len + 1));
	r = given_extensions(0);
	assert_int_equal(rig_only(r)->alpn_len, kept);
	assert_memory_equal(as_alpn(rig_only(r)), list, kept);
	assert_int_equal(rig_only(r)->flags,
			 (size_t)count * (len + 1) > kept ? AS_F_ALPN_TRUNCATED : 0);
	rig_free(r);
}

static void test_long_lists(void **state)
{
	(void)state;
	many_names(1, 255, 256);
	many_names(2, 255, 256);
	many_names(64, 3, 256);
	many_names(85, 2, 255);
	many_names(86, 2, 256);
	many_names(100, 1, 200);
	many_names(100, 8, 256);
	many_names(256, 0, 256);
	many_names(257, 0, 256);
	many_names(1000, 1, 256);
	many_names(1, 254, 255);
}

static void test_long_host(void **state)
{
	static const struct {
		uint32_t len, kept, flags;
	} rows[] = {{253, 253, 0},
		    {255, 255, 0},
		    {256, 255, AS_F_SNI_TRUNCATED},
		    {3000, 255, AS_F_SNI_TRUNCATED}};
	static uint8_t host[3000];

	(void)state;
	for (size_t i = 0; i < sizeof(host); i++)
		host[i] = (uint8_t)('a' + i % 26);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct rig *r;

		ext.len = 0;
		craft_alpn(&ext, BYTES("\x02h2"));
		craft_sni(&ext, host, rows[i].len);
		r = given_extensions(0);
		assert_int_equal(rig_only(r)->sni_len, rows[i].kept);
		assert_memory_equal(as_sni(rig_only(r)), host, rows[i].kept);
		assert_memory_equal(as_alpn(rig_only(r)), "\x02h2", 3);
		assert_int_equal(rig_only(r)->flags, rows[i].flags);
		rig_free(r);
	}
}

/* ALPN as the last of @count extensions. */
static void many_extensions(uint32_t count, uint32_t err)
{
	ext.len = 0;
	for (uint32_t i = 1; i < count; i++)
		craft_ext(&ext, (uint16_t)(0x5000 + i), "x", 1);
	craft_alpn(&ext, BYTES("\x02h2"));
	rig_free(given_extensions(err));
}

static void test_many_extensions(void **state)
{
	(void)state;
	many_extensions(25, 0);
	many_extensions(64, 0);
	many_extensions(65, AS_ERR_TOO_MANY_EXTENSIONS);
	many_extensions(70, AS_ERR_TOO_MANY_EXTENSIONS);
	many_extensions(600, AS_ERR_TOO_MANY_EXTENSIONS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_extensions),    cmocka_unit_test(test_fields),
		cmocka_unit_test(test_outer_lengths), cmocka_unit_test(test_names),
		cmocka_unit_test(test_name_types),    cmocka_unit_test(test_long_lists),
		cmocka_unit_test(test_long_host),     cmocka_unit_test(test_many_extensions),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
