// SPDX-License-Identifier: GPL-2.0-only
/* What events add up to in a report, and what it costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "alpnscope/wire.h"
#include "report.h"
#include "report_query.h"
#include "sample.h"

static struct report_service *find(struct report *r, const char *name, uint16_t port,
				   enum role role)
{
	for (struct report_service *s = r->services; s; s = s->hh.next)
		if (!strcmp(s->key.name, name) && s->key.port == port && s->key.role == role)
			return s;
	fail_msg("no service %s:%u", name, port);
	return NULL;
}

static uint64_t tally(const struct report_mix *mix, const char *label)
{
	for (unsigned int i = 0; i < mix->used; i++)
		if (!strcmp(mix->tally[i].label, label))
			return mix->tally[i].count;
	return 0;
}

/* h2 was expected; the server took @selected (a ProtocolNameList) of @alpn. */
#define ANSWER(s, alpn, selected)                                                                  \
	do {                                                                                       \
		SAMPLE_NAMES(s, "www.example.org", alpn, selected);                                \
		(s)->hs.server_ext = sizeof(selected) > 1 ? AS_X_ALPN : 0;                         \
		sample_judge(s);                                                                   \
		sample_expect(s, "h2", CAUSE_NONE);                                                \
		(s)->ev.side[0].cause = verdict_cause(&(s)->ev.verdict, &(s)->ev.side[0].expect);  \
	} while (0)

static void event(struct report *r, struct sample *s)
{
	s->ev.wall_ns += 1000000000;
	report_event(r, &s->ev);
}

static void test_counts(void **state)
{
	struct report *r = report_new(10);
	struct report_service *got;
	struct sample s;

	(void)state;
	sample_init(&s);
	ANSWER(&s, "\x02h2\x08http/1.1", "\x02h2");
	event(r, &s);
	event(r, &s);
	ANSWER(&s, "\x02h2\x08http/1.1", "\x08http/1.1");
	event(r, &s);
	ANSWER(&s, "\x02h2\x08http/1.1", "");
	event(r, &s);
	got = find(r, "nginx.service", 443, ROLE_SERVER);
	assert_int_equal(HASH_COUNT(r->services), 1);
	assert_int_equal(got->handshakes, 4);
	assert_int_equal(tally(&got->mix, "h2"), 2);
	assert_int_equal(tally(&got->mix, "http/1.1"), 1);
	assert_int_equal(tally(&got->mix, "none"), 1);
	assert_int_equal(got->causes[CAUSE_SERVER_DECLINED], 1);
	assert_int_equal(got->causes[CAUSE_SERVER_NO_ALPN], 1);
	assert_int_equal(report_fallbacks(got), 2);
	assert_int_equal(got->maybe, 0);
	assert_int_equal(got->known[EVIDENCE_SERVER_HELLO][GRADE_NONE], 4);
	assert_int_equal(got->first_ns, SAMPLE_WALL_NS + 1000000000);
	assert_int_equal(got->last_ns, SAMPLE_WALL_NS + 4000000000);
	assert_int_equal(got->last_expected_ns, SAMPLE_WALL_NS + 2000000000);
	assert_int_equal(got->last_fallback_ns, SAMPLE_WALL_NS + 4000000000);
	assert_int_equal(got->fallen_peers.entry[0].count, 2);
	assert_string_equal(got->fallen.sni, "www.example.org");
	assert_string_equal(got->fallen.offered, "h2,http/1.1");
	assert_string_equal(got->fallen.chosen, "-");
	report_free(r);
}

/* An answer that is encrypted may be a fallback where what is expected was offered. */
static void test_bounds(void **state)
{
	struct report *r = report_new(10);
	struct report_service *got;
	struct sample s;

	(void)state;
	sample_init(&s);
	s.hs.server_version = s.hs.client_version = AS_TLS13;
	ANSWER(&s, "\x02h2\x08http/1.1", "");
	assert_int_equal(s.ev.verdict.outcome, OUTCOME_UNDETERMINED);
	event(r, &s);
	got = find(r, "nginx.service", 443, ROLE_SERVER);
	assert_int_equal(got->maybe, 1);
	assert_int_equal(report_fallbacks(got), 0);
	ANSWER(&s, "\x08http/1.1", ""); /* nothing that is expected: the client's doing */
	event(r, &s);
	ANSWER(&s,
	       "\x0a"
	       "acme-tls/1",
	       "");
	event(r, &s);
	s.ev.side[0].expect.source = EXPECT_NONE;
	ANSWER(&s, "\x02h2", "");
	s.ev.side[0].exempt = true;
	event(r, &s);
	s.ev.side[0].exempt = false;
	s.ev.side[0].expect = (struct expectation){0};
	event(r, &s);
	assert_int_equal(got->maybe, 1);
	assert_int_equal(got->causes[CAUSE_CLIENT_NOT_OFFERED], 1);
	assert_int_equal(got->lesser_peers.entry[0].count, 1);
	assert_int_equal(got->exempt, 1);
	report_free(r);
}

/* The other end's numbers stand under its own role. */
static void test_both_ends(void **state)
{
	struct report *r = report_new(10);
	struct report_service *server, *client;
	struct sample s;

	(void)state;
	sample_init(&s);
	s.ev.side_count = 2;
	s.ev.side[1].role = ROLE_CLIENT;
	strcpy(s.ev.side[1].service, "haproxy.service");
	strcpy(s.ev.side[0].work.process, "nginx");
	strcpy(s.ev.side[1].work.process, "haproxy");
	event(r, &s);
	server = find(r, "nginx.service", 443, ROLE_SERVER);
	client = find(r, "haproxy.service", 443, ROLE_CLIENT);
	assert_string_equal(server->server, "nginx");
	assert_string_equal(server->client, "haproxy");
	assert_string_equal(client->server, "nginx");
	assert_int_equal(server->peers.entry[0].addr[15], 1); /* 10.0.0.1, the client */
	assert_int_equal(client->peers.entry[0].addr[15], 2);
	report_free(r);
}

/* In transit the name that was asked for is the service, in whatever case; else the address. */
static void test_transit(void **state)
{
	struct report *r = report_new(10);
	struct sample s;

	(void)state;
	sample_init(&s);
	s.ev.side[0].role = ROLE_TRANSIT;
	strcpy(s.ev.side[0].service, "unknown");
	event(r, &s);
	SAMPLE_NAMES(&s, "WWW.example.ORG", "\x02h2", "\x02h2");
	event(r, &s);
	assert_int_equal(find(r, "www.example.org", 443, ROLE_TRANSIT)->handshakes, 2);
	SAMPLE_NAMES(&s, "", "\x02h2", "\x02h2");
	event(r, &s);
	find(r, "10.0.0.2", 443, ROLE_TRANSIT);
	s.hs.family = 6;
	memset(s.hs.server_addr, 0, 16);
	s.hs.server_addr[15] = 1;
	event(r, &s);
	find(r, "[::1]", 443, ROLE_TRANSIT);
	SAMPLE_NAMES(&s, "a\x1b]0;b\n", "\x02h2", "\x02h2");
	event(r, &s);
	find(r, "a\\x1b]0;b\\x0a", 443, ROLE_TRANSIT);
	strcpy(s.ev.side[0].service, "shop"); /* the configuration names it */
	event(r, &s);
	find(r, "shop", 443, ROLE_TRANSIT);
	report_free(r);
}

/* The longest name that can be, all of it unprintable, is cut visibly and ends. */
static void test_longest_name(void **state)
{
	struct report *r = report_new(10);
	char sni[255];
	struct sample s;

	(void)state;
	memset(sni, 0xff, sizeof(sni));
	sample_init(&s);
	s.ev.side[0].role = ROLE_TRANSIT;
	strcpy(s.ev.side[0].service, "unknown");
	sample_names(&s, sni, sizeof(sni), "", 0, "", 0);
	sample_judge(&s);
	event(r, &s);
	assert_int_equal(strlen(r->services->key.name), 253); /* 63 escapes of 4, and ~ */
	assert_int_equal(r->services->key.name[252], '~');
	report_free(r);
}

static void role_of(struct sample *s, enum role role, const char *service, unsigned int number)
{
	s->ev.side[0].role = role;
	snprintf(s->ev.side[0].service, sizeof(s->ev.side[0].service), service, number);
}

/* 100,000 invented names take half; this host's servers and what is configured have their place,
 * and their numbers are exact. */
static void test_flood(void **state)
{
	struct report *r = report_new(100);
	const struct expectation none = {0};
	char sni[16];
	struct sample s;

	(void)state;
	sample_init(&s);
	for (unsigned int i = 0; i < 100000; i++) {
		role_of(&s, ROLE_TRANSIT, "unknown", 0);
		snprintf(sni, sizeof(sni), "n%u", i);
		sample_names(&s, sni, strlen(sni), "\x02h2", 3, "\x02h2", 3);
		event(r, &s);
	}
	assert_int_equal(HASH_COUNT(r->services), 50);
	assert_int_equal(r->overflow, 100000 - 50);
	for (unsigned int i = 0; i < 1000; i++) {
		role_of(&s, ROLE_CLIENT, "client%u", i);
		event(r, &s);
	}
	assert_int_equal(HASH_COUNT(r->services), 75);
	for (unsigned int i = 0; i < 30; i++) {
		role_of(&s, ROLE_SERVER, "server%u", i % 25);
		event(r, &s);
	}
	assert_int_equal(HASH_COUNT(r->services), 100);
	assert_int_equal(find(r, "server0", 443, ROLE_SERVER)->handshakes, 2);
	assert_int_equal(find(r, "server24", 443, ROLE_SERVER)->handshakes, 1);
	report_declare(r, "shop", 8443, ROLE_SERVER, &none);
	assert_int_equal(HASH_COUNT(r->services), 101);
	assert_int_equal(find(r, "shop", 8443, ROLE_SERVER)->handshakes, 0);
	s.hs.server_port = 8443;
	role_of(&s, ROLE_SERVER, "shop", 0);
	event(r, &s);
	assert_int_equal(find(r, "shop", 8443, ROLE_SERVER)->handshakes, 1);
	report_free(r);
}

/* What a gRPC client, which offers and takes h2 only, would find. */
static void test_grpc(void **state)
{
	static const struct {
		const char *alpn, *selected; /* of lengths below, for names hold no NUL */
		enum grpc_verdict want;
	} rows[] = {
		{"\x08http/1.1", "\x08http/1.1", GRPC_NOT_ASKED},
		{"\x0bistio-h2abc", "\x0bistio-h2abc", GRPC_NOT_ASKED},
		{"\x02h2\x08http/1.1", "\x02h2", GRPC_READY},
		{"\x08http/1.1\x02h2", "\x02h2", GRPC_READY},
		{"\x08http/1.1\x02h2", "\x08http/1.1", GRPC_UNDETERMINED},
		{"\x02h2\x08http/1.1", "\x08http/1.1", GRPC_REFUSED},
		{"\x02h2", "", GRPC_REFUSED},
		{"\x02h2", "\x03grp", GRPC_REFUSED},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct report *r = report_new(10);
		struct sample s;

		sample_init(&s);
		sample_names(&s, "", 0, rows[i].alpn, strlen(rows[i].alpn), rows[i].selected,
			     strlen(rows[i].selected));
		s.hs.server_ext = rows[i].selected[0] ? AS_X_ALPN : 0;
		sample_judge(&s);
		event(r, &s);
		assert_int_equal(grpc_verdict(r->services), rows[i].want);
		sample_names(&s, "", 0, "\x02h2", 3, "\x02h2", 3);
		s.hs.server_ext = AS_X_ALPN;
		sample_judge(&s);
		event(r, &s);
		assert_int_equal(grpc_verdict(r->services),
				 rows[i].want == GRPC_REFUSED ? GRPC_MIXED : GRPC_READY);
		report_free(r);
	}
}

static void test_grpc_refusals(void **state)
{
	struct report *r = report_new(10);
	struct sample s;

	(void)state;
	sample_init(&s);
	s.hs.flags = 0; /* no ServerHello */
	SAMPLE_NAMES(&s, "", "\x02h2", "");
	s.hs.end = AS_END_ALERT;
	s.hs.alert_desc = AS_ALERT_NO_APPLICATION_PROTOCOL;
	sample_judge(&s);
	event(r, &s);
	assert_int_equal(r->services->grpc.refused, 1);
	assert_int_equal(tally(&r->services->grpc.mix, "rejected"), 1);
	s.hs.end = AS_END_TIMEOUT;
	sample_judge(&s);
	event(r, &s);
	assert_int_equal(r->services->grpc.refused, 1); /* no answer is no answer */
	report_free(r);
}

/* The first 11 labels have a place of their own, all others one together. */
static void test_mix_is_bounded(void **state)
{
	static const char *const names[] = {"h2",   "http/1.1", "http/1.0", "http/0.9", "imap",
					    "pop3", "webrtc",	"mqtt",	    "dot",	"irc",
					    "nntp", "xyz",	"sunrpc",   "ftp",	"coap"};
	struct report *r = report_new(10);
	const struct report_mix *mix;
	struct sample s;

	(void)state;
	sample_init(&s);
	for (size_t i = 0; i < 2 * sizeof(names) / sizeof(names[0]); i++) {
		char list[16];
		int len = snprintf(list, sizeof(list), "%c%s", (int)strlen(names[i / 2]),
				   names[i / 2]);

		sample_names(&s, "", 0, list, (size_t)len, list, (size_t)len);
		sample_judge(&s);
		event(r, &s);
	}
	mix = &r->services->mix;
	assert_int_equal(mix->used, REPORT_TALLIES);
	for (unsigned int i = 0; i < REPORT_TALLIES - 1; i++) {
		assert_string_equal(mix->tally[i].label, names[i]);
		assert_int_equal(mix->tally[i].count, 2);
	}
	assert_string_equal(mix->tally[REPORT_TALLIES - 1].label, "other");
	assert_int_equal(mix->tally[REPORT_TALLIES - 1].count, 8);
	report_free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),	       cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_both_ends),      cmocka_unit_test(test_transit),
		cmocka_unit_test(test_longest_name),   cmocka_unit_test(test_flood),
		cmocka_unit_test(test_grpc),	       cmocka_unit_test(test_grpc_refusals),
		cmocka_unit_test(test_mix_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
