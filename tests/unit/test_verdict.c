// SPDX-License-Identifier: GPL-2.0-only
/* verdict.c against the tables of docs/DESIGN.md: evidence, outcome, labels. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "verdict.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

struct list {
	const char *bytes;
	size_t len;
};

/* The facts of one handshake; `offer` and `selected` with bytes NULL: no extension. */
struct facts {
	struct list offer, selected;
	uint16_t version; /* of the server; 0: no ServerHello */
	uint8_t end, alert, kind;
	uint32_t flags, client_ext, server_ext;
};

/* What a row of facts may hold; a list is the bytes of a ProtocolNameList. */
#define LIST(text)                                                                                 \
	{                                                                                          \
		text, sizeof(text) - 1                                                             \
	}
#define OFFERS(text) .offer = LIST(text)
#define OFFERS_H2 OFFERS("\2h2\10http/1.1")
#define CHOSE(text) .selected = LIST(text)
#define TLS(number) .version = number
#define END(how) .end = AS_END_##how
#define ALERT(code) END(ALERT), .alert = code
#define FLAGS(bits) .flags = bits
#define CLIENT_EXT(bits) .client_ext = bits

static struct as_handshake record(const struct facts *f)
{
	struct as_handshake hs = {
		.abi = AS_ABI,
		.kind = f->kind ? f->kind : AS_KIND_HANDSHAKE,
		.end = f->end ? f->end : AS_END_SERVER_HELLO,
		.alert_level = f->alert ? 2 : 0,
		.alert_desc = f->alert,
		.flags = f->flags | (f->version ? AS_F_SERVER_HELLO : 0),
		.client_ext = f->client_ext | (f->offer.bytes ? AS_X_ALPN : 0),
		.server_ext = f->server_ext | (f->selected.bytes ? AS_X_ALPN : 0),
		.client_version = 0x0304,
		.server_version = f->version,
		.sni_len = 3,
		.alpn_len = (uint16_t)f->offer.len,
		.selected_len = (uint16_t)f->selected.len,
	};

	memcpy(hs.names, "sni", 3);
	if (f->offer.len)
		memcpy(hs.names + 3, f->offer.bytes, f->offer.len);
	if (f->selected.len)
		memcpy(hs.names + 3 + f->offer.len, f->selected.bytes, f->selected.len);
	return hs;
}

struct row {
	const char *what;
	enum outcome outcome;
	enum evidence evidence;
	const char *label, *offered;
	struct facts facts;
};

/* label: next_protocol; class: offered */
#define ROW(what, outcome, evidence, label, class, ...)                                            \
	{                                                                                          \
		what, OUTCOME_##outcome, EVIDENCE_##evidence, label, class,                        \
		{                                                                                  \
			__VA_ARGS__                                                                \
		}                                                                                  \
	}

static const struct row rows[] = {
	/* negotiated */
	ROW("TLS 1.2 chose", NEGOTIATED, SERVER_HELLO, "h2", "h2", OFFERS_H2, CHOSE("\2h2"),
	    TLS(0x0303)),
	ROW("chose the second", NEGOTIATED, SERVER_HELLO, "http/1.1", "h2", OFFERS_H2,
	    CHOSE("\10http/1.1"), TLS(0x0303)),
	ROW("TLS 1.0 chose", NEGOTIATED, SERVER_HELLO, "h2", "h2", OFFERS_H2, CHOSE("\2h2"),
	    TLS(0x0301)),
	ROW("old stack, TLS 1.3 in clear", NEGOTIATED, SERVER_HELLO, "h2", "h2", OFFERS_H2,
	    CHOSE("\2h2"), TLS(0x0304)),
	ROW("not registered", NEGOTIATED, SERVER_HELLO, "other", "other", OFFERS("\3foo"),
	    CHOSE("\3foo"), TLS(0x0303)),
	ROW("of a family, not registered", NEGOTIATED, SERVER_HELLO, "other", "h2",
	    OFFERS("\10istio-h2"), CHOSE("\10istio-h2"), TLS(0x0303)),
	ROW("draft of h3", NEGOTIATED, SERVER_HELLO, "other", "h3", OFFERS("\5h3-29"),
	    CHOSE("\5h3-29"), TLS(0x0303)),
	ROW("not UTF-8", NEGOTIATED, SERVER_HELLO, "other", "other", OFFERS("\3\377\n\""),
	    CHOSE("\3\377\n\""), TLS(0x0303)),
	ROW("beyond a truncated offer", NEGOTIATED, SERVER_HELLO, "other", "h2", OFFERS("\2h2"),
	    CHOSE("\3foo"), TLS(0x0303), FLAGS(AS_F_ALPN_TRUNCATED)),
	ROW("within a truncated offer", NEGOTIATED, SERVER_HELLO, "h2", "h2", OFFERS("\2h2"),
	    CHOSE("\2h2"), TLS(0x0303), FLAGS(AS_F_ALPN_TRUNCATED)),
	ROW("an alert after the choice", NEGOTIATED, SERVER_HELLO, "h2", "h2", OFFERS_H2,
	    CHOSE("\2h2"), TLS(0x0303), ALERT(120)),
	ROW("RST after the choice", NEGOTIATED, SERVER_HELLO, "h2", "h2", OFFERS_H2, CHOSE("\2h2"),
	    TLS(0x0303), END(RST)),
	/* ignored */
	ROW("TLS 1.2 silent", IGNORED, SERVER_HELLO, "none", "h2", OFFERS_H2, TLS(0x0303)),
	ROW("TLS 1.1 silent", IGNORED, SERVER_HELLO, "none", "h2", OFFERS_H2, TLS(0x0302)),
	ROW("SSL 3.0 silent", IGNORED, SERVER_HELLO, "none", "h2", OFFERS_H2, TLS(0x0300)),
	ROW("TLS 1.2 silent to ECH", IGNORED, SERVER_HELLO, "none", "h2", OFFERS_H2, TLS(0x0303),
	    CLIENT_EXT(AS_X_ECH)),
	ROW("an empty list is an offer", IGNORED, SERVER_HELLO, "none", "none", OFFERS(""),
	    TLS(0x0303)),
	ROW("GREASE alone is an offer", IGNORED, SERVER_HELLO, "none", "none", OFFERS("\2\x4a\x4a"),
	    TLS(0x0303)),
	ROW("alert 120 after the silence", IGNORED, SERVER_HELLO, "none", "h2", OFFERS_H2,
	    TLS(0x0303), ALERT(120)),
	ROW("FIN after the silence", IGNORED, SERVER_HELLO, "none", "h2", OFFERS_H2, TLS(0x0303),
	    END(FIN)),
	/* not_offered */
	ROW("nothing offered, TLS 1.2", NOT_OFFERED, CLIENT_HELLO, "none", "none", TLS(0x0303)),
	ROW("nothing offered, TLS 1.3", NOT_OFFERED, CLIENT_HELLO, "none", "none", TLS(0x0304)),
	ROW("nothing offered, ECH turned down to 1.2", NOT_OFFERED, CLIENT_HELLO, "none", "none",
	    TLS(0x0303), CLIENT_EXT(AS_X_ECH)),
	/* rejected */
	ROW("alert 120", REJECTED, ALERT, "unknown", "h2", OFFERS_H2, ALERT(120)),
	ROW("alert 120 after a retry", REJECTED, ALERT, "unknown", "h2", OFFERS_H2, ALERT(120),
	    FLAGS(AS_F_RETRY)),
	ROW("alert 120 in clear after a TLS 1.3 ServerHello", REJECTED, ALERT, "unknown", "h2",
	    OFFERS_H2, TLS(0x0304), ALERT(120)),
	/* failed */
	ROW("handshake_failure", FAILED, ALERT, "unknown", "h2", OFFERS_H2, ALERT(40)),
	ROW("no offer, alert", FAILED, ALERT, "unknown", "none", ALERT(70)),
	ROW("120 from the client", FAILED, ALERT, "unknown", "h2", OFFERS_H2, ALERT(120),
	    FLAGS(AS_F_END_CLIENT)),
	ROW("RST", FAILED, NONE, "unknown", "h2", OFFERS_H2, END(RST)),
	ROW("RST of the client", FAILED, NONE, "unknown", "h2", OFFERS_H2, END(RST),
	    FLAGS(AS_F_END_CLIENT)),
	ROW("FIN", FAILED, NONE, "unknown", "h2", OFFERS_H2, END(FIN)),
	ROW("client's FIN, then silence", FAILED, NONE, "unknown", "h2", OFFERS_H2, END(TIMEOUT),
	    FLAGS(AS_F_CLIENT_FIN)),
	ROW("a stale alert_desc is no alert", FAILED, NONE, "unknown", "h2", OFFERS_H2, END(RST),
	    .alert = 120),
	/* incomplete */
	ROW("no answer", INCOMPLETE, NONE, "unknown", "h2", OFFERS_H2, END(TIMEOUT)),
	ROW("no offer, no answer", INCOMPLETE, NONE, "unknown", "none", END(TIMEOUT)),
	ROW("capture ended", INCOMPLETE, NONE, "unknown", "h2", OFFERS_H2, END(EOF)),
	ROW("capture ended after the client's FIN", INCOMPLETE, NONE, "unknown", "h2", OFFERS_H2,
	    END(EOF), FLAGS(AS_F_CLIENT_FIN)),
	ROW("tuple reused", INCOMPLETE, NONE, "unknown", "h2", OFFERS_H2, END(REUSED)),
	ROW("unreadable answer", INCOMPLETE, NONE, "unknown", "h2", OFFERS_H2,
	    FLAGS(AS_F_SERVER_UNREADABLE)),
	ROW("unreadable answer, RST", INCOMPLETE, NONE, "unknown", "h2", OFFERS_H2, END(RST),
	    FLAGS(AS_F_SERVER_UNREADABLE)),
	ROW("orphan", INCOMPLETE, NONE, "unknown", "unknown", TLS(0x0303), .kind = AS_KIND_ORPHAN),
	ROW("orphan with a choice", INCOMPLETE, NONE, "unknown", "unknown", CHOSE("\2h2"),
	    TLS(0x0303), .kind = AS_KIND_ORPHAN),
	/* undetermined */
	ROW("TLS 1.3", UNDETERMINED, NONE, "unknown", "h2", OFFERS_H2, TLS(0x0304)),
	ROW("TLS 1.3 draft 28", UNDETERMINED, NONE, "unknown", "h2", OFFERS_H2, TLS(0x7f1c)),
	ROW("TLS 1.3 of Facebook", UNDETERMINED, NONE, "unknown", "h2", OFFERS_H2, TLS(0xfb1a)),
	ROW("TLS 1.3, empty list", UNDETERMINED, NONE, "unknown", "none", OFFERS(""), TLS(0x0304)),
	ROW("ECH may hide an offer", UNDETERMINED, NONE, "unknown", "none", TLS(0x0304),
	    CLIENT_EXT(AS_X_ECH)),
	ROW("ECH with an outer offer", UNDETERMINED, NONE, "unknown", "h2", OFFERS_H2, TLS(0x0304),
	    CLIENT_EXT(AS_X_ECH)),
	ROW("TLS 1.3, another alert in clear", UNDETERMINED, NONE, "unknown", "h2", OFFERS_H2,
	    TLS(0x0304), ALERT(40)),
	ROW("a version nobody knows", UNDETERMINED, NONE, "unknown", "h2", OFFERS_H2, TLS(0x0505)),
	/* violation */
	ROW("not offered", VIOLATION, SERVER_HELLO, "spdy/3", "h2", OFFERS_H2, CHOSE("\6spdy/3"),
	    TLS(0x0303)),
	ROW("other case", VIOLATION, SERVER_HELLO, "other", "h2", OFFERS_H2, CHOSE("\2H2"),
	    TLS(0x0303)),
	ROW("only of the same family", VIOLATION, SERVER_HELLO, "h2c", "h2", OFFERS_H2,
	    CHOSE("\3h2c"), TLS(0x0303)),
	ROW("two names", VIOLATION, SERVER_HELLO, "h2", "h2", OFFERS_H2, CHOSE("\2h2\10http/1.1"),
	    TLS(0x0303)),
	ROW("a name and a cut one", VIOLATION, SERVER_HELLO, "h2", "h2", OFFERS_H2,
	    CHOSE("\2h2\10http"), TLS(0x0303)),
	ROW("more than was kept", VIOLATION, SERVER_HELLO, "h2", "h2", OFFERS_H2, CHOSE("\2h2"),
	    TLS(0x0303), FLAGS(AS_F_SELECTED_TRUNCATED)),
	ROW("a name that overruns", VIOLATION, SERVER_HELLO, "other", "h2", OFFERS_H2,
	    CHOSE("\11h2"), TLS(0x0303)),
	ROW("an empty name", VIOLATION, SERVER_HELLO, "other", "h2", OFFERS_H2, CHOSE("\0"),
	    TLS(0x0303)),
	ROW("an empty name that was offered", VIOLATION, SERVER_HELLO, "other", "h2",
	    OFFERS("\0\2h2"), CHOSE("\0"), TLS(0x0303)),
	ROW("an empty list", VIOLATION, SERVER_HELLO, "other", "h2", OFFERS_H2, CHOSE(""),
	    TLS(0x0303)),
	ROW("GREASE that was offered", VIOLATION, SERVER_HELLO, "other", "h2",
	    OFFERS("\2\x1a\x1a\2h2"), CHOSE("\2\x1a\x1a"), TLS(0x0303)),
	ROW("GREASE to a truncated offer", VIOLATION, SERVER_HELLO, "other", "h2", OFFERS("\2h2"),
	    CHOSE("\2\x1a\x1a"), TLS(0x0303), FLAGS(AS_F_ALPN_TRUNCATED)),
	ROW("chosen without an offer", VIOLATION, SERVER_HELLO, "h2", "none", CHOSE("\2h2"),
	    TLS(0x0303)),
	ROW("chosen without an offer, ECH", VIOLATION, SERVER_HELLO, "h2", "none", CHOSE("\2h2"),
	    TLS(0x0304), CLIENT_EXT(AS_X_ECH)),
	ROW("answer to an empty offer", VIOLATION, SERVER_HELLO, "h2", "none", OFFERS(""),
	    CHOSE("\2h2"), TLS(0x0303)),
	/* classes of the offer that the rows above do not have */
	ROW("http/1.1 is the best", IGNORED, SERVER_HELLO, "none", "http/1.1",
	    OFFERS("\10http/1.0\10http/1.1"), TLS(0x0303)),
	ROW("http/1.0 has no class", IGNORED, SERVER_HELLO, "none", "other", OFFERS("\10http/1.0"),
	    TLS(0x0303)),
	ROW("h3 before h2", IGNORED, SERVER_HELLO, "none", "h3", OFFERS("\2h2\2h3\10http/1.1"),
	    TLS(0x0303)),
	ROW("gRPC's own name", IGNORED, SERVER_HELLO, "none", "h2", OFFERS("\10grpc-exp"),
	    TLS(0x0303)),
	ROW("an empty name", IGNORED, SERVER_HELLO, "none", "other", OFFERS("\0"), TLS(0x0303)),
	ROW("cut inside its first name", IGNORED, SERVER_HELLO, "none", "other", OFFERS("\377h2"),
	    TLS(0x0303), FLAGS(AS_F_ALPN_TRUNCATED)),
};

static void check_row(const struct row *row)
{
	struct as_handshake hs = record(&row->facts);
	bool offer = row->facts.offer.bytes && row->facts.kind != AS_KIND_ORPHAN;
	bool chosen = row->outcome == OUTCOME_NEGOTIATED || row->outcome == OUTCOME_VIOLATION;
	struct verdict v;

	verdict_outcome(&hs, &v);
	if (v.outcome != row->outcome)
		fail_msg("%s: outcome %s", row->what, outcome_name(v.outcome));
	if (v.evidence != row->evidence)
		fail_msg("%s: evidence %s", row->what, evidence_name(v.evidence));
	if (strcmp(verdict_protocol_label(&v), row->label) != 0)
		fail_msg("%s: next_protocol %s", row->what, verdict_protocol_label(&v));
	if (strcmp(verdict_offered_class(&hs, &v), row->offered) != 0)
		fail_msg("%s: offered %s", row->what, verdict_offered_class(&hs, &v));
	if (v.has_offer != offer)
		fail_msg("%s: has_offer %d", row->what, v.has_offer);
	if (v.has_chosen != chosen)
		fail_msg("%s: has_chosen %d", row->what, v.has_chosen);
}

static void every_row_of_the_outcome_table(void **state)
{
	bool seen[OUTCOME_COUNT] = {false};

	(void)state;
	for (size_t i = 0; i < COUNT(rows); i++) {
		check_row(&rows[i]);
		seen[rows[i].outcome] = true;
	}
	for (int i = 0; i < OUTCOME_COUNT; i++)
		assert_true(seen[i]);
}

static struct verdict judge(const struct facts *f, struct as_handshake *hs)
{
	struct verdict v;

	*hs = record(f);
	verdict_outcome(hs, &v);
	return v;
}

static void the_chosen_name_is_kept(void **state)
{
	static const struct {
		struct list selected;
		const char *name;
	} choices[] = {
		{LIST("\2h2"), "h2"},
		{LIST("\3foo"), "foo"},
		{LIST("\3foo\2h2"), "foo"}, /* the first of several */
		{LIST("\0\2h2"), ""},
		{LIST("\0"), ""},
		{LIST(""), ""},
		{LIST("\3h2"), ""}, /* no whole one */
		{LIST("\11h2"), ""},
		{LIST("\2\x2a\x2a"), "\x2a\x2a"},
	};
	struct as_handshake hs;

	(void)state;
	for (size_t i = 0; i < COUNT(choices); i++) {
		struct facts f = {OFFERS_H2, .selected = choices[i].selected, TLS(0x0303)};
		struct verdict v = judge(&f, &hs);

		assert_true(v.has_chosen);
		assert_int_equal(v.chosen.len, strlen(choices[i].name));
		assert_memory_equal(v.chosen.bytes, choices[i].name, v.chosen.len);
	}
}

static void the_offer_is_kept_in_order(void **state)
{
	struct facts f = {OFFERS("\2\xda\xda\10http/1.1\2h2"), TLS(0x0304)};
	struct as_handshake hs;
	struct verdict v = judge(&f, &hs);

	(void)state;
	assert_int_equal(v.offered.count, 2);
	assert_true(alpn_is(&v.offered.name[0], "http/1.1"));
	assert_true(alpn_is(&v.offered.name[1], "h2"));
	assert_false(v.offer_truncated);

	f.flags = AS_F_ALPN_TRUNCATED;
	v = judge(&f, &hs);
	assert_true(v.offer_truncated);
}

/* 100 names of one byte, of which the last is chosen, then one more that is not there. */
static void a_hundred_names(void **state)
{
	char bytes[200], selected[2] = {1, (char)150};
	struct facts f = {.offer = {bytes, sizeof(bytes)}, .selected = {selected, 2}, TLS(0x0303)};
	struct as_handshake hs;
	struct verdict v;

	(void)state;
	for (int i = 0; i < 100; i++) {
		bytes[2 * i] = 1;
		bytes[2 * i + 1] = (char)(51 + i);
	}
	v = judge(&f, &hs);
	assert_int_equal(v.offered.count, 100);
	assert_int_equal(v.outcome, OUTCOME_NEGOTIATED);
	selected[1] = (char)151;
	v = judge(&f, &hs);
	assert_int_equal(v.outcome, OUTCOME_VIOLATION);
}

static void the_longest_name(void **state)
{
	char bytes[256];
	struct facts f = {
		.offer = {bytes, sizeof(bytes)}, .selected = {bytes, sizeof(bytes)}, TLS(0x0303)};
	struct as_handshake hs;
	struct verdict v;

	(void)state;
	memset(bytes, 0xfe, sizeof(bytes));
	bytes[0] = (char)255;
	v = judge(&f, &hs);
	assert_int_equal(v.outcome, OUTCOME_NEGOTIATED);
	assert_int_equal(v.chosen.len, 255);
	f.flags = AS_F_SELECTED_TRUNCATED;
	v = judge(&f, &hs);
	assert_int_equal(v.outcome, OUTCOME_VIOLATION);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_of_the_outcome_table),
		cmocka_unit_test(the_chosen_name_is_kept),
		cmocka_unit_test(the_offer_is_kept_in_order),
		cmocka_unit_test(a_hundred_names),
		cmocka_unit_test(the_longest_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
