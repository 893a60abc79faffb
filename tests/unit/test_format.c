// SPDX-License-Identifier: GPL-2.0-only
/* JSON events, byte for byte as docs/EVENTS.md describes them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>

#include "format.h"
#include "sample.h"

/* The sections of the sample's event. The id is the first 8 bytes of the client random
 * and FNV-1a (64 bit) of addresses, ports (little endian) and hello_ns. */
#define HEAD "{\"@timestamp\":\"2026-01-02T03:04:05.678901234Z\",\"ecs\":{\"version\":\"8.11.0\"},"
#define EVENT(outcome, duration)                                                                   \
	"\"event\":{\"kind\":\"event\",\"category\":[\"network\"],\"type\":[\"protocol\"],"        \
	"\"outcome\":\"" outcome                                                                   \
	"\",\"id\":\"00010203040506074a866b53f3b59ad3\",\"duration\":" duration "},"
#define ENDS                                                                                       \
	"\"network\":{\"transport\":\"tcp\",\"type\":\"ipv4\"},"                                   \
	"\"client\":{\"ip\":\"10.0.0.1\",\"port\":50123},"                                         \
	"\"server\":{\"ip\":\"10.0.0.2\",\"port\":443},"
#define TLS12(chosen, client)                                                                      \
	"\"tls\":{\"version\":\"1.2\",\"version_protocol\":\"tls\",\"next_protocol\":" chosen      \
	",\"resumed\":false,\"client\":{" client "}},"
#define OFFER                                                                                      \
	"\"server_name\":\"www.example.org\",\"alpn\":[\"h2\",\"http/1.1\"],"                      \
	"\"ech\":false,\"pq\":false"
#define ALPN(outcome, evidence, rest)                                                              \
	"\"alpn\":{\"outcome\":\"" outcome "\",\"evidence\":\"" evidence "\",\"grade\":null," rest \
	"},"
#define NOTHING_SPECIAL                                                                            \
	"\"role\":\"server\",\"expected\":null,\"fallback\":false,\"cause\":null,"                 \
	"\"signals\":[],\"retry\":false,\"alert\":null"
#define TAIL                                                                                       \
	"\"observer\":{\"ingress\":{\"interface\":{\"name\":\"eth0\"}}},"                          \
	"\"service\":{\"name\":\"nginx.service\"}}\n"

static void assert_json(const struct sample *s, const char *expected)
{
	struct buf b = {0};

	format_json(&s->ev, &b);
	assert_false(b.failed);
	assert_string_equal(b.data, expected);
	assert_int_equal(strlen(expected), b.len);
	buf_free(&b);
}

/* The text holds @part; for tests of one key. */
static void assert_json_has(const struct sample *s, const char *part)
{
	struct buf b = {0};

	format_json(&s->ev, &b);
	if (!strstr(b.data, part))
		fail_msg("%s\nis not in\n%s", part, b.data);
	buf_free(&b);
}

static void assert_json_lacks(const struct sample *s, const char *part)
{
	struct buf b = {0};

	format_json(&s->ev, &b);
	if (strstr(b.data, part))
		fail_msg("%s\nis in\n%s", part, b.data);
	buf_free(&b);
}

static void test_negotiated(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_json(&s, HEAD EVENT("success", "1234567") ENDS TLS12("\"h2\"", OFFER)
				ALPN("negotiated", "server_hello", NOTHING_SPECIAL) TAIL);
}

static void test_fallback(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	SAMPLE_NAMES(&s, "www.example.org", "\x02h2\x08http/1.1", "\x08http/1.1");
	sample_judge(&s);
	sample_expect(&s, "h2", CAUSE_SERVER_DECLINED);
	assert_json(&s, HEAD EVENT("success", "1234567") ENDS TLS12("\"http/1.1\"", OFFER)
				ALPN("negotiated", "server_hello",
				     "\"role\":\"server\",\"expected\":[\"h2\"],"
				     "\"fallback\":true,\"cause\":\"server_declined\","
				     "\"signals\":[],\"retry\":false,\"alert\":null") TAIL);
}

static void test_cause_of_the_client_is_no_fallback(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	sample_expect(&s, "h3", CAUSE_CLIENT_NOT_OFFERED);
	assert_json_has(&s, "\"expected\":[\"h3\"],\"fallback\":false,"
			    "\"cause\":\"client_not_offered\"");
}

static void test_rejected(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	SAMPLE_NAMES(&s, "www.example.org", "\x02h2\x08http/1.1", "");
	s.hs.flags = s.hs.server_ext = 0;
	s.hs.end = AS_END_ALERT;
	s.hs.alert_level = 2;
	s.hs.alert_desc = 120;
	s.hs.server_ns = 0;
	s.hs.end_ns = s.hs.hello_ns + 42;
	sample_judge(&s);
	assert_json(&s, HEAD EVENT("failure", "42") ENDS
		    "\"tls\":{\"version\":null,\"version_protocol\":null,\"next_protocol\":null,"
		    "\"resumed\":null,\"client\":{" OFFER
		    "}}," ALPN("rejected", "alert",
			       "\"role\":\"server\",\"expected\":null,\"fallback\":false,"
			       "\"cause\":null,\"signals\":[],\"retry\":false,\"alert\":{"
			       "\"level\":\"fatal\",\"description\":\"no_application_protocol\","
			       "\"code\":120,\"from\":\"server\"}") TAIL);
}

static void test_alert_without_a_name(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	s.hs.flags = AS_F_END_CLIENT;
	s.hs.end = AS_END_ALERT;
	s.hs.alert_level = 7;
	s.hs.alert_desc = 255;
	sample_judge(&s);
	assert_json_has(&s, "\"alert\":{\"level\":null,\"description\":null,\"code\":255,"
			    "\"from\":\"client\"}");
	s.hs.alert_level = 1;
	s.hs.alert_desc = 112; /* RFC 6066 section 3 */
	assert_json_has(&s, "{\"level\":\"warning\",\"description\":\"unrecognized_name\","
			    "\"code\":112,\"from\":\"client\"}");
}

static void test_no_offer(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	SAMPLE_NAMES(&s, "", "", "");
	s.hs.client_ext = s.hs.server_ext = 0;
	sample_judge(&s);
	assert_json(&s, HEAD EVENT("success", "1234567")
				ENDS TLS12("null", "\"server_name\":null,\"alpn\":null,"
						   "\"ech\":false,\"pq\":false")
					ALPN("not_offered", "client_hello", NOTHING_SPECIAL) TAIL);
}

static void test_empty_offer_is_a_list(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	SAMPLE_NAMES(&s, "", "", "");
	s.hs.server_ext = 0;
	sample_judge(&s);
	assert_json_has(&s, "\"alpn\":[],");
	assert_json_has(&s, "\"outcome\":\"ignored\"");
}

static void test_orphan_knows_no_client(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	SAMPLE_NAMES(&s, "", "", "\x02h2");
	s.hs.kind = AS_KIND_ORPHAN;
	s.hs.client_ext = 0;
	sample_judge(&s);
	assert_json_has(&s, "\"client\":{\"server_name\":null,\"alpn\":null,\"ech\":null,"
			    "\"pq\":null}");
	assert_json_has(&s, "\"outcome\":\"unknown\"");
	assert_json_has(&s, "\"duration\":null");
	assert_json_has(&s, "\"resumed\":null");
}

static void test_timeout_has_no_duration(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	s.hs.flags = s.hs.server_ext = 0;
	s.hs.end = AS_END_TIMEOUT;
	s.hs.server_ns = 0;
	sample_judge(&s);
	assert_json_has(&s, "\"outcome\":\"unknown\"");
	assert_json_has(&s, "\"duration\":null");
}

static void test_versions(void **state)
{
	static const struct {
		uint16_t version;
		const char *expected;
	} table[] = {
		{0, "\"version\":null,\"version_protocol\":null"},
		{0x0300, "\"version\":\"3.0\",\"version_protocol\":\"ssl\""},
		{0x0301, "\"version\":\"1.0\",\"version_protocol\":\"tls\""},
		{0x0302, "\"version\":\"1.1\",\"version_protocol\":\"tls\""},
		{0x0303, "\"version\":\"1.2\",\"version_protocol\":\"tls\""},
		{0x0304, "\"version\":\"1.3\",\"version_protocol\":\"tls\""},
	};
	struct sample s;

	(void)state;
	sample_init(&s);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		s.ev.verdict.version = table[i].version;
		assert_json_has(&s, table[i].expected);
	}
}

static void test_flags(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_json_lacks(&s, "truncated");
	s.hs.flags |= AS_F_PQ | AS_F_RETRY | AS_F_ALPN_TRUNCATED | AS_F_SNI_TRUNCATED;
	s.hs.client_ext |= AS_X_ECH;
	s.ev.verdict.resumed = 1;
	s.ev.verdict.scsv = s.ev.verdict.sentinel = s.ev.verdict.npn = true;
	assert_json_has(&s, "\"ech\":true,\"pq\":true,\"alpn_truncated\":true,"
			    "\"server_name_truncated\":true}");
	assert_json_has(&s, "\"resumed\":true");
	s.hs.flags |= AS_F_OVERLAP_CONFLICT;
	assert_json_has(&s, "\"signals\":[\"fallback_scsv\",\"downgrade_sentinel\",\"npn\","
			    "\"overlap_conflict\"],"
			    "\"retry\":true");
}

static void test_hostile_names(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	SAMPLE_NAMES(&s, "a\"b\\c\n\0\x7f\xc3\xa9 d", "\x03h\"2\x00\x02\xff<", "\x03h\"2");
	sample_judge(&s);
	assert_json_has(&s,
			"\"server_name\":\"a\\\"b\\\\x5cc\\\\x0a\\\\x00\\\\x7f\\\\xc3\\\\xa9 d\"");
	assert_json_has(&s, "\"alpn\":[\"h\\\"2\",\"\",\"\\\\xff<\"]");
	assert_json_has(&s, "\"next_protocol\":\"h\\\"2\"");
}

static void test_longest_names(void **state)
{
	char sni[255], alpn[256], expected[3 + 255 * 5 + 32] = "\"server_name\":\"";
	struct sample s;

	(void)state;
	sample_init(&s);
	memset(sni, 0xff, sizeof(sni));
	memset(alpn, '"', sizeof(alpn));
	alpn[0] = (char)255;
	sample_names(&s, sni, sizeof(sni), alpn, sizeof(alpn), "", 0);
	s.hs.server_ext = 0;
	sample_judge(&s);
	for (int i = 0; i < 255; i++)
		strcat(expected, "\\\\xff");
	strcat(expected, "\"");
	assert_json_has(&s, expected);
	strcpy(expected, "\"alpn\":[\"");
	for (int i = 0; i < 255; i++)
		strcat(expected, "\\\"");
	strcat(expected, "\"]");
	assert_json_has(&s, expected);
}

static void test_workloads(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	s.ev.side[0].work = (struct workload){.pid = 812, .process = "0123456789abcdef"};
	s.ev.side[1].work = (struct workload){.pid = 99, .process = "cu\"\\x5c\\x0a"};
	assert_json_has(&s, "\"service\":{\"name\":\"nginx.service\"},"
			    "\"process\":{\"pid\":812,\"name\":\"0123456789abcdef\"}}\n");
	s.ev.side_count = 2;
	s.ev.side[1].role = ROLE_CLIENT;
	strcpy(s.ev.side[1].service, "dev\\x2d.service"); /* systemd writes it so */
	assert_json_has(&s, "},\"peer\":{\"service\":{\"name\":\"dev\\\\x2d.service\"},"
			    "\"process\":{\"pid\":99,\"name\":\"cu\\\"\\\\x5c\\\\x0a\"}}}\n");
	s.ev.side_count = 1;
	s.ev.side[0].work = (struct workload){0};
	s.ev.side[0].role = ROLE_TRANSIT;
	strcpy(s.ev.side[0].service, "unknown");
	assert_json_has(&s, "\"service\":{\"name\":null}}\n");
	assert_json_lacks(&s, "\"process\"");
	assert_json_lacks(&s, "\"peer\"");
}

static void test_places(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	strcpy(s.ev.side[0].work.cgroup, "/system.slice/dev\\x5cx2d.service");
	assert_json_has(&s, "},\"cgroup\":{\"path\":\"/system.slice/dev\\\\x5cx2d.service\"}}\n");
	strcpy(s.ev.side[0].work.container, "shop/web");
	assert_json_has(&s, "},\"container\":{\"id\":null,\"name\":\"shop/web\"}}\n");
	strcpy(s.ev.side[0].work.container_id, "0123");
	s.ev.side[0].work.container[0] = '\0';
	assert_json_has(&s, "},\"container\":{\"id\":\"0123\",\"name\":null}}\n");
	s.ev.side[1] = s.ev.side[0];
	s.ev.side[0].work = (struct workload){0};
	s.ev.side_count = 2;
	assert_json_has(&s, "\"peer\":{\"service\":{\"name\":\"nginx.service\"},\"cgroup\":{");
	assert_json_has(&s, "},\"container\":{\"id\":\"0123\",\"name\":null}}}\n");
}

/* ECS: client and server before translation, nat after it, of the end that has one. */
static void test_nat(void **state)
{
	struct ends dialled, reached;
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_json_lacks(&s, "\"nat\"");
	dialled = reached = ends_of(&s.hs);
	reached.server_addr[15] = 11;
	reached.server_port = s.hs.server_port = 8443;
	s.hs.server_addr[15] = 11;
	s.ev.dialled = &dialled;
	s.ev.reached = &reached;
	assert_json_has(&s, "\"client\":{\"ip\":\"10.0.0.1\",\"port\":50123},\"server\":{"
			    "\"ip\":\"10.0.0.2\",\"port\":443,\"nat\":{\"ip\":\"10.0.0.11\","
			    "\"port\":8443}},");
	reached = dialled;
	reached.client_port = 60001;
	s.hs.server_port = 443;
	assert_json_has(&s, "\"client\":{\"ip\":\"10.0.0.1\",\"port\":50123,\"nat\":{"
			    "\"ip\":\"10.0.0.1\",\"port\":60001}},\"server\":{"
			    "\"ip\":\"10.0.0.2\",\"port\":443},");
}

static void test_ipv6_and_no_interface(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	s.hs.family = 6;
	inet_pton(AF_INET6, "2001:db8::1", s.hs.client_addr);
	inet_pton(AF_INET6, "::1", s.hs.server_addr);
	s.ev.ifname[0] = '\0';
	assert_json_has(&s, "\"type\":\"ipv6\"},\"client\":{\"ip\":\"2001:db8::1\","
			    "\"port\":50123},\"server\":{\"ip\":\"::1\",\"port\":443}");
	assert_json_has(&s, "\"interface\":{\"name\":null}");
}

static void test_times(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	s.ev.wall_ns = 0;
	assert_json_has(&s, "\"1970-01-01T00:00:00.000000000Z\"");
	s.ev.wall_ns = -1;
	assert_json_has(&s, "\"1969-12-31T23:59:59.999999999Z\"");
	s.ev.wall_ns = INT64_MAX; /* 2^63 - 1 ns */
	assert_json_has(&s, "\"2262-04-11T23:47:16.854775807Z\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_negotiated),
		cmocka_unit_test(test_fallback),
		cmocka_unit_test(test_cause_of_the_client_is_no_fallback),
		cmocka_unit_test(test_rejected),
		cmocka_unit_test(test_alert_without_a_name),
		cmocka_unit_test(test_no_offer),
		cmocka_unit_test(test_empty_offer_is_a_list),
		cmocka_unit_test(test_orphan_knows_no_client),
		cmocka_unit_test(test_timeout_has_no_duration),
		cmocka_unit_test(test_versions),
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_longest_names),
		cmocka_unit_test(test_workloads),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_nat),
		cmocka_unit_test(test_ipv6_and_no_interface),
		cmocka_unit_test(test_times),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
