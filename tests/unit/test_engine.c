// SPDX-License-Identifier: GPL-2.0-only
/* engine: the facts of a handshake, and the frames that carry it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "rig.h"

static struct craft ext, hello, shares;

/* The one record that is expected by now. */
/* TLS 1.2, everything in clear: RFC 5246 section 7.4.1, RFC 7301. */
static void test_one_handshake(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	const struct as_handshake *hs;

	(void)state;
	rig_connect(r, &c);
	rig_client_hello(r, &c, 7);
	assert_int_equal(native_in_flight(r->native), 1);
	rig_server_hello(r, &c, 7);
	assert_int_equal(native_in_flight(r->native), 0);
	hs = rig_only(r);
	assert_int_equal(hs->kind, AS_KIND_HANDSHAKE);
	assert_int_equal(hs->end, AS_END_SERVER_HELLO);
	assert_int_equal(hs->flags, AS_F_SERVER_HELLO);
	assert_int_equal(hs->family, 4);
	assert_memory_equal(hs->client_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\x01", 16);
	assert_memory_equal(hs->server_addr, "\0\0\0\0\0\0\0\0\0\0\xff\xff\xc0\0\x02\x01", 16);
	assert_int_equal(hs->client_port, 40000);
	assert_int_equal(hs->server_port, 443);
	assert_int_equal(hs->client_seq, 0x10000002);
	assert_int_equal(hs->client_ack, 0x50000002);
	assert_int_equal(hs->ifindex, 1);
	assert_int_equal(hs->client_ext, AS_X_SERVER_NAME | AS_X_ALPN);
	assert_int_equal(hs->server_ext, AS_X_ALPN);
	assert_int_equal(hs->client_version, AS_TLS12);
	assert_int_equal(hs->server_version, AS_TLS12);
	assert_int_equal(hs->cipher, 0xc02b);
	assert_int_equal(hs->group, 0);
	assert_memory_equal(hs->client_random, craft_random(7), 32);
	assert_memory_equal(hs->server_random, craft_random(0x80000007), 32);
	RIG_NAMES(hs, "a.example", "\x02h2\x08http/1.1", "\x02h2");
	/* Four frames at a step each, from 1 s. */
	assert_int_equal(hs->hello_ns, 1004000000);
	assert_int_equal(hs->server_ns, 1005000000);
	assert_int_equal(hs->end_ns, 1005000000);
	assert_int_equal(hs->alert_level | hs->alert_desc, 0);
	assert_int_equal(hs->client.cookie | hs->client.pid | hs->server.pid, 0);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* What a TLS 1.3 client of today offers; RFC 8446 sections 4.1.2, 4.2. */
static void modern_hello(void)
{
	ext.len = hello.len = shares.len = 0;
	craft_ext(&ext, 0x3a3a, NULL, 0); /* GREASE, RFC 8701 */
	craft_share(&shares, 0x4a4a, 1);
	craft_share(&shares, AS_GROUP_X25519_MLKEM768, 1216);
	craft_share(&shares, 0x001d, 32);
	craft_shares(&ext, &shares);
	craft_alpn(&ext, BYTES("\x02h2\x08http/1.1"));
	craft_versions(&ext, BYTES("\x5a\x5a\x03\x04\x03\x03"));
	craft_sni(&ext, BYTES("www.example.org"));
	craft_ext(&ext, AS_EXT_SUPPORTED_GROUPS, BYTES("\x00\x02\x00\x1d"));
	craft_ext(&ext, AS_EXT_MAX_FRAGMENT_LENGTH, BYTES("\x04"));
	craft_ext(&ext, AS_EXT_RECORD_SIZE_LIMIT, BYTES("\x40\x01"));
	craft_ext(&ext, AS_EXT_SESSION_TICKET, NULL, 0);
	craft_ext(&ext, AS_EXT_NPN, NULL, 0);
	craft_ext(&ext, AS_EXT_ECH, BYTES("\0\0\x01\0\x01\x2a\0\0\0\0"));
	craft_ext(&ext, AS_EXT_EARLY_DATA, NULL, 0);
	craft_ext(&ext, AS_EXT_PRE_SHARED_KEY, BYTES("\0\x07\0\x01x\0\0\0\0\0\x02\x01y"));
	craft_client_hello(&hello, &(struct craft_hello){.random = craft_random(1),
							 .session_id = "0123456789abcdef"
								       "0123456789abcdef",
							 .session_id_len = 32,
							 .ext = &ext});
}

static void test_tls13(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	const struct as_handshake *hs;

	(void)state;
	modern_hello();
	rig_connect(r, &c);
	rig_client(r, &c, hello.at, hello.len);
	ext.len = hello.len = 0;
	craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, BYTES("\x03\x04"));
	craft_ext(&ext, AS_EXT_KEY_SHARE,
		  BYTES("\x11\xec\x00\x04"
			"abcd"));
	craft_ext(&ext, AS_EXT_PRE_SHARED_KEY, BYTES("\0\0"));
	craft_server_hello(&hello, &(struct craft_hello){.random = craft_random(2),
							 .cipher = 0x1301,
							 .session_id = "0123456789abcdef"
								       "0123456789abcdef",
							 .session_id_len = 32,
							 .ext = &ext});
	rig_server(r, &c, hello.at, hello.len);
	assert_int_equal(r->count, 0);
	rig_quiet(r);
	hs = rig_only(r);
	assert_int_equal(hs->client_version, AS_TLS13);
	assert_int_equal(hs->server_version, AS_TLS13);
	assert_int_equal(hs->cipher, 0x1301);
	assert_int_equal(hs->group, AS_GROUP_X25519_MLKEM768);
	assert_int_equal(hs->flags, AS_F_SERVER_HELLO | AS_F_PQ | AS_F_SESSION_ID_ECHOED);
	assert_int_equal(hs->client_ext,
			 AS_X_SERVER_NAME | AS_X_MAX_FRAGMENT_LENGTH | AS_X_SUPPORTED_GROUPS |
				 AS_X_ALPN | AS_X_RECORD_SIZE_LIMIT | AS_X_SESSION_TICKET |
				 AS_X_PRE_SHARED_KEY | AS_X_EARLY_DATA | AS_X_SUPPORTED_VERSIONS |
				 AS_X_KEY_SHARE | AS_X_NPN | AS_X_ECH);
	assert_int_equal(hs->server_ext,
			 AS_X_SUPPORTED_VERSIONS | AS_X_KEY_SHARE | AS_X_PRE_SHARED_KEY);
	RIG_NAMES(hs, "www.example.org", "\x02h2\x08http/1.1", "");
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* The facts of a ClientHello with these extensions, suites and legacy version. */
static struct as_handshake facts(uint16_t version, const void *ciphers, uint32_t len)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	struct as_handshake hs;

	hello.len = 0;
	craft_client_hello(&hello, &(struct craft_hello){.random = craft_random(1),
							 .version = version,
							 .ciphers = ciphers,
							 .ciphers_len = len,
							 .ext = ext.len ? &ext : NULL});
	rig_client(r, &c, hello.at, hello.len);
	rig_end(r);
	hs = *rig_only(r);
	assert_int_equal(hs.end, AS_END_EOF);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
	return hs;
}

/* RFC 8446 section 4.2.1: versions are those of the extension, if there is one. */
static void test_versions(void **state)
{
	struct as_handshake hs;

	(void)state;
	ext.len = 0;
	assert_int_equal(facts(AS_TLS10, NULL, 0).client_version, AS_TLS10);
	assert_int_equal(facts(AS_SSL30, NULL, 0).client_version, AS_SSL30);
	assert_int_equal(facts(AS_TLS12, NULL, 0).client_ext, 0);
	craft_versions(&ext, BYTES("\x7f\x1c\x03\x03")); /* draft 28 */
	hs = facts(AS_TLS12, NULL, 0);
	assert_int_equal(hs.client_version, AS_TLS13);
	assert_int_equal(hs.client_ext, AS_X_SUPPORTED_VERSIONS);
	ext.len = 0;
	craft_versions(&ext, BYTES("\xfa\xfa\x03\x03\x03\x02"));
	assert_int_equal(facts(AS_TLS12, NULL, 0).client_version, AS_TLS12);
}

/* Section 4.2.1 again: legacy_version is then no offer. */
static void test_versions_below_legacy(void **state)
{
	(void)state;
	ext.len = 0;
	craft_versions(&ext, BYTES("\x03\x02\x03\x01"));
	assert_int_equal(facts(AS_TLS12, NULL, 0).client_version, 0x0302);
}

/* TLS_FALLBACK_SCSV, RFC 7507: also as the last of many suites. */
static void test_scsv(void **state)
{
	uint8_t suites[2 * 200] = {0};

	(void)state;
	ext.len = 0;
	assert_int_equal(facts(AS_TLS12, BYTES("\x13\x01\x56\x00")).flags, AS_F_FALLBACK_SCSV);
	assert_int_equal(facts(AS_TLS12, BYTES("\xc0\x56\x00\x2f")).flags, 0); /* not on a suite */
	suites[398] = 0x56;
	assert_int_equal(facts(AS_TLS12, suites, sizeof(suites)).flags, AS_F_FALLBACK_SCSV);
}

/* Hybrid groups of the registry; the classic ones are none. */
static void test_pq(void **state)
{
	static const struct {
		uint16_t group;
		uint32_t flags;
	} rows[] = {{0x11eb, AS_F_PQ}, {0x11ec, AS_F_PQ}, {0x11ed, AS_F_PQ}, {0x6399, AS_F_PQ},
		    {0x001d, 0},       {0x0017, 0},	  {0x11ea, 0},	     {0x11ee, 0}};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		ext.len = shares.len = 0;
		craft_share(&shares, 0x0018, 97);
		craft_share(&shares, rows[i].group, 32);
		craft_shares(&ext, &shares);
		assert_int_equal(facts(AS_TLS12, NULL, 0).flags, rows[i].flags);
	}
}

/* One handshake on @c, and its record: the frame's form must not matter. */
static void carried_by(struct craft_conn c)
{
	struct rig *r = rig_new(RIG_FLOWS);
	const struct as_handshake *hs;

	rig_connect(r, &c);
	rig_client_hello(r, &c, 1);
	rig_server_hello(r, &c, 1);
	hs = rig_only(r);
	assert_int_equal(hs->end, AS_END_SERVER_HELLO);
	assert_int_equal(hs->family, c.family);
	assert_memory_equal(hs->client_addr + (c.family == 4 ? 12 : 0), c.client,
			    c.family == 4 ? 4 : 16);
	assert_memory_equal(hs->server_addr + (c.family == 4 ? 12 : 0), c.server,
			    c.family == 4 ? 4 : 16);
	assert_int_equal(hs->client_port, c.client_port);
	assert_int_equal(hs->server_port, c.server_port);
	RIG_NAMES(hs, "a.example", "\x02h2\x08http/1.1", "\x02h2");
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

static void test_frames(void **state)
{
	static const uint16_t tags[] = {0, AS_ETH_P_8021Q, AS_ETH_P_8021AD};

	(void)state;
	for (int bare = 0; bare < 2; bare++) {
		for (int tag = 0; tag < (bare ? 1 : 3); tag++) {
			for (int options = 0; options < 4; options++) {
				struct craft_conn c = craft_ipv4(2);

				c.bare = bare;
				c.tag = tags[tag];
				c.ip_options = options & 1 ? 40 : 0;
				c.tcp_options = options & 2 ? 40 : 12;
				carried_by(c);
				c = craft_ipv6(0x01020304);
				c.bare = bare;
				c.tag = tags[tag];
				c.tcp_options = options & 2 ? 40 : 0;
				carried_by(c);
			}
		}
	}
}

/* Either end may have the greater address or port, or share the address. */
static void test_ends(void **state)
{
	struct craft_conn c = craft_ipv4(3);

	(void)state;
	memcpy(c.client, "\xfe\0\0\x01", 4);
	carried_by(c);
	memcpy(c.client, c.server, 4);
	carried_by(c);
	c.client_port = 400;
	carried_by(c);
	c = craft_ipv6(3);
	memcpy(c.server, c.client, 16);
	carried_by(c);
	c.server[0] = 0;
	carried_by(c);
}

/* Sequence numbers go round within the hello, and just before the answer. */
static void test_wrap_around(void **state)
{
	(void)state;
	for (uint32_t back = 0; back < 140; back++) {
		struct craft_conn c = craft_ipv4(4);

		c.client_seq = c.server_seq = 0U - back;
		carried_by(c);
	}
}

/* An Ethernet trailer is not payload: neither of an empty segment nor behind a hello. */
static void test_trailer(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1), a = craft_ipv4(2);
	const struct craft *whole = rig_hello(1);

	(void)state;
	c.trailer = 46;
	rig_connect(r, &c); /* 0x16 bytes behind each of them */
	rig_client_hello(r, &c, 1);
	rig_server_hello(r, &c, 1);
	rig_only(r);
	/* A hello of which the IP packet holds one byte less: the trailer has it. */
	craft_frame(&r->frame, &a,
		    &(struct craft_segment){.from_client = true,
					    .flags = AS_TCP_ACK,
					    .data = rig_hello(2)->at,
					    .len = whole->len});
	r->frame.at[AS_ETH_HLEN + 2] =
		(uint8_t)((AS_IPV4_HLEN + AS_TCP_HLEN + whole->len - 1) >> 8);
	r->frame.at[AS_ETH_HLEN + 3] = (uint8_t)(AS_IPV4_HLEN + AS_TCP_HLEN + whole->len - 1);
	rig_bytes(r, r->frame.at, r->frame.len, false);
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_wait(r, RIG_UNFINISHED_NS);
	RIG_COUNTS(r, AS_HELLOS, 2, AS_RECORDS, 1, AS_LOST_UNFINISHED, 1);
	rig_free(r);
}

/* The hello and the answer stand in the middle of a connection: STARTTLS (RFC 3207). */
static void test_mid_stream(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	rig_connect(r, &c);
	rig_server(r, &c, BYTES("220 mail.example ESMTP\r\n"));
	rig_client(r, &c, BYTES("STARTTLS\r\n"));
	rig_server(r, &c, BYTES("220 go ahead\r\n"));
	rig_client_hello(r, &c, 1);
	rig_server_hello(r, &c, 1);
	RIG_NAMES(rig_only(r), "a.example", "\x02h2\x08http/1.1", "\x02h2");
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* More behind the ServerHello in its record and segment, as TLS 1.2 servers send it. */
static void test_flight(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);
	struct craft flight = *rig_answer(1);

	(void)state;
	craft_put(&flight, "\x0e\0\0\0", 4); /* ServerHelloDone, in the same record */
	craft_number_at(&flight, 3, flight.len - AS_REC_HLEN, 2);
	craft_put(&flight, "\x14\x03\x03\0\x01\x01", 6);
	rig_connect(r, &c);
	rig_client_hello(r, &c, 1);
	rig_server(r, &c, flight.at, flight.len);
	RIG_NAMES(rig_only(r), "a.example", "\x02h2\x08http/1.1", "\x02h2");
	RIG_COUNTS(r, AS_HELLOS, 1, AS_RECORDS, 1);
	rig_free(r);
}

/* What is no hello is nothing to us, whatever it resembles. */
static void test_no_hello(void **state)
{
	static const struct {
		const char *bytes;
		size_t len;
	} rows[] = {
		{BYTES("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n")},
		{BYTES("SSH-2.0-OpenSSH_9.2p1\r\n")},
		{BYTES("\x17\x03\x03\x00\x20 0123456789abcdef0123456789abcde")},
		{BYTES("\x16\x02\x00\x00\x20\x01\x00\x00\x1c\x03\x03 0123456789")}, /* 2.0 */
		{BYTES("\x16\x03\x03\x00\x28\x00\x00\x00\x00\x00\x00\x00\x00 ciphertext")},
		{BYTES("\x16\x03\x03\x00\x04\x0e\x00\x00\x00\x16\x03\x03")}, /* ServerHelloDone */
		{BYTES("\x16\x03\x01\x40\x01\x01\x00\x3f\xfd\x03\x03 beyond 2^14")},
		{BYTES("\x16\x03\x01\x00\x40\x01\x00\x00\x3c\x05\x03 version 5.3 inside")},
	};
	struct rig *r = rig_new(RIG_FLOWS);
	struct craft_conn c = craft_ipv4(1);

	(void)state;
	rig_connect(r, &c);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		rig_client(r, &c, rows[i].bytes, rows[i].len);
		rig_server(r, &c, rows[i].bytes, rows[i].len);
	}
	RIG_COUNTS(r, AS_HELLOS, 0);
	assert_int_equal(r->count, 0);
	rig_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_handshake), cmocka_unit_test(test_tls13),
		cmocka_unit_test(test_versions),      cmocka_unit_test(test_versions_below_legacy),
		cmocka_unit_test(test_scsv),	      cmocka_unit_test(test_pq),
		cmocka_unit_test(test_frames),	      cmocka_unit_test(test_ends),
		cmocka_unit_test(test_wrap_around),   cmocka_unit_test(test_trailer),
		cmocka_unit_test(test_mid_stream),    cmocka_unit_test(test_flight),
		cmocka_unit_test(test_no_hello),
	};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
