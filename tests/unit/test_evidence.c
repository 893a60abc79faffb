// SPDX-License-Identifier: GPL-2.0-only
/*
 * evidence.c: the length rule. Lengths follow from RFC 8446: a record with EncryptedExtensions
 * alone is 4 + 2 + x + 1 + 16 bytes, where x is ALPN (7 and the name), an acknowledged server
 * name (4) and so on; Finished is 4 + hash + 1 + 16. The lists of groups are what the libraries
 * named here were seen to send.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "evidence.h"
#include "flights.h"

#define BOTH "h2,http/1.1"
#define UNKNOWN "unknown"

struct row {
	const char *what;
	const char *offer;
	unsigned int ext;
	unsigned int cipher, group;
	const char *server, *client;
	const char *answer; /* a name, "none", "refused" or "unknown" */
	enum grade grade;
};

/* A full handshake: EncryptedExtensions, Certificate, CertificateVerify, Finished. */
#define FULL(ee) #ee "/0 874/0 281/0 69/0"
#define FULL256(ee) #ee "/0 874/0 281/0 53/0"
/* A resumed one: EncryptedExtensions, Finished. */
#define RESUMED(ee) #ee "/0 69/0"
#define RESUMED256(ee) #ee "/0 53/0"
/* Both in one record. */
#define ONE(len) #len "/0"
/* What pads each record by 16. */
#define JSSE(ee) #ee "/0 890/0 297/0 85/0"
/* What pads to 16: Finished is 80 (SHA-384). */
#define GRID(ee) #ee "/0 880/0 288/0 80/0"

static const struct row separate[] = {
	/* what acknowledges no server name: 23, 32, 38 */
	{"none", BOTH, SNI, SHA384, X25519, FULL(23), "69/4", "none", GRADE_EXACT},
	{"h2", BOTH, SNI, SHA384, X25519, FULL(32), "69/4", "h2", GRADE_EXACT},
	{"http/1.1", BOTH, SNI, SHA384, X25519, FULL(38), "69/4", "http/1.1", GRADE_EXACT},
	{"none, SHA-256", BOTH, SNI, SHA256, X25519, FULL256(23), "53/4", "none", GRADE_EXACT},
	{"h2, SHA-256", BOTH, SNI, SHA256, X25519, FULL256(32), "53/4", "h2", GRADE_EXACT},
	{"http/1.1, SHA-256", BOTH, SNI, SHA256, X25519, FULL256(38), "53/4", "http/1.1",
	 GRADE_EXACT},
	{"h2, P-256", BOTH, SNI, SHA384, P256, FULL(32), "69/4", "h2", GRADE_EXACT},
	{"http/1.1, P-256", BOTH, SNI, SHA384, P256, FULL(38), "69/4", "http/1.1", GRADE_EXACT},
	{"none resumed", BOTH, SNI | PSK, SHA384, X25519, RESUMED(23), "69/2", "none", GRADE_EXACT},
	{"h2 resumed", BOTH, SNI | PSK, SHA384, X25519, RESUMED(32), "69/2", "h2", GRADE_EXACT},
	{"http/1.1 resumed", BOTH, SNI | PSK, SHA256, X25519, RESUMED256(38), "53/2", "http/1.1",
	 GRADE_EXACT},
	/* what does: 4 more */
	{"none, acknowledged", BOTH, SNI, SHA384, X25519, FULL(27), "69/4", "none", GRADE_EXACT},
	{"h2, acknowledged", BOTH, SNI, SHA384, X25519, FULL(36), "69/4", "h2", GRADE_EXACT},
	{"http/1.1, acknowledged", BOTH, SNI, SHA384, X25519, FULL(42), "69/4", "http/1.1",
	 GRADE_LIKELY},
	{"http/1.1, acknowledged, resumed", BOTH, SNI | PSK, SHA384, X25519, RESUMED(42), "69/2",
	 "http/1.1", GRADE_LIKELY},
	{"42 with P-256: h2 and two groups?", BOTH, SNI, SHA384, P256, FULL(42), "69/4", UNKNOWN,
	 GRADE_NONE},
	{"nothing to acknowledge: h2 and two groups?", BOTH, 0, SHA384, X25519, FULL(42), "69/4",
	 "h2", GRADE_EXACT},
	{"27 without a server name", BOTH, 0, SHA384, X25519, FULL(27), "69/4", UNKNOWN,
	 GRADE_NONE},
	/* OpenSSL 3.5 and its 8 groups, 22 bytes: 45, 54, 60, acknowledged 49, 58, 64 */
	{"none, 8 groups", BOTH, SNI, SHA384, X25519, FULL(45), "69/4", "none", GRADE_EXACT},
	{"h2, 8 groups", BOTH, SNI, SHA384, X25519, FULL(54), "69/4", "h2", GRADE_LISTED},
	{"http/1.1, 8 groups", BOTH, SNI, SHA384, X25519, FULL(60), "69/4", "http/1.1",
	 GRADE_LISTED},
	{"none, 8 groups, ack", BOTH, SNI, SHA384, X25519, FULL(49), "69/4", "none", GRADE_EXACT},
	{"h2, 8 groups, ack", BOTH, SNI, SHA384, X25519, FULL(58), "69/4", "h2", GRADE_LISTED},
	{"http/1.1, 8 groups, ack", BOTH, SNI, SHA384, X25519, FULL(64), "69/4", "http/1.1",
	 GRADE_LISTED},
	/* OpenSSL 3.0 and its 10 groups, 26 bytes, to a P-256 share: 49, 58, 64; 53, 62, 68 */
	{"none, 10 groups", BOTH, SNI, SHA384, P256, FULL(49), "69/4", "none", GRADE_EXACT},
	{"h2, 10 groups", BOTH, SNI, SHA384, P256, FULL(58), "69/4", "h2", GRADE_LISTED},
	{"http/1.1, 10 groups", BOTH, SNI, SHA384, P256, FULL(64), "69/4", "http/1.1",
	 GRADE_LISTED},
	{"h2, 10 groups, ack", BOTH, SNI, SHA384, P256, FULL(62), "69/4", "h2", GRADE_LISTED},
	{"http/1.1, 10 groups, ack", BOTH, SNI, SHA384, P256, FULL(68), "69/4", "http/1.1",
	 GRADE_LISTED},
	/* CCM_8 has a tag of 8 bytes */
	{"none, CCM_8", BOTH, SNI, CCM_8, X25519, "15/0 866/0 273/0 45/0", "45/4", "none",
	 GRADE_EXACT},
	{"h2, CCM_8", BOTH, SNI, CCM_8, X25519, "24/0 866/0 273/0 45/0", "45/4", "h2", GRADE_EXACT},
	{"a suite of unknown lengths", BOTH, SNI, 0xc0b4, X25519, FULL(32), "69/4", UNKNOWN,
	 GRADE_NONE},
};

static const struct row optional[] = {
	/* record_size_limit, 6: http/1.1 is h2 and 6 */
	{"h2 with RSL", BOTH, RSL, SHA384, X25519, FULL(38), "69/4", UNKNOWN, GRADE_NONE},
	{"none, RSL answered", BOTH, RSL, SHA384, X25519, FULL(29), "69/4", "none", GRADE_EXACT},
	{"http/1.1, RSL answered: h2 and three groups?", BOTH, RSL, SHA384, P256, FULL(44), "69/4",
	 UNKNOWN, GRADE_NONE},
	{"http/1.1, RSL answered", BOTH, RSL, SHA384, X25519, FULL(44), "69/4", "http/1.1",
	 GRADE_LIKELY},
	/* max_fragment_length, 5 */
	{"none, MFL answered", BOTH, MFL, SHA384, X25519, FULL(28), "69/4", "none", GRADE_EXACT},
	{"h2, MFL answered: four groups?", BOTH, MFL, SHA384, P256, FULL(37), "69/4", UNKNOWN,
	 GRADE_NONE},
	{"h2, MFL not answered: none, 4 and 5?", BOTH, SNI | MFL, SHA384, X25519, FULL(32), "69/4",
	 UNKNOWN, GRADE_NONE},
	/* early data accepted, 4, only with a PSK */
	{"none, early", BOTH, EARLY | PSK, SHA384, X25519, "27/1 69/1", "86/0 21/2 69/2", "none",
	 GRADE_EXACT},
	{"h2, early", BOTH, EARLY | PSK, SHA384, X25519, "36/1 69/1", "86/0 21/2 69/2", "h2",
	 GRADE_EXACT},
	{"http/1.1, early", BOTH, EARLY | PSK, SHA384, X25519, "42/1 69/1", "86/0 21/2 69/2",
	 "http/1.1", GRADE_LIKELY},
	{"none, early, acknowledged", BOTH, SNI | EARLY | PSK, SHA384, X25519, "31/1 69/1",
	 "86/0 21/2 69/2", "none", GRADE_EXACT},
	{"early data goes on in the flight", BOTH, EARLY | PSK, SHA384, X25519, "36/1 69/2",
	 "86/0 86/1 21/2 69/2", "h2", GRADE_EXACT},
	{"early data refused: no 4", BOTH, EARLY, SHA384, X25519, "27/1 874/1 281/1 69/1",
	 "86/0 69/4", UNKNOWN, GRADE_NONE},
	/* application_settings: h2, 9, with a frame of settings, 4 + 9, is none and 8 groups */
	{"none or h2 with settings", BOTH, SNI | AS_X_ALPS, SHA384, X25519, FULL(45), "69/4",
	 UNKNOWN, GRADE_NONE},
	{"h2 with settings, resumed in one record", BOTH, SNI | AS_X_ALPS | PSK, SHA384, X25519,
	 ONE(97), "69/1", UNKNOWN, GRADE_NONE},
	{"none, application_settings", BOTH, SNI | AS_X_ALPS, SHA384, X25519, FULL(23), "69/4",
	 "none", GRADE_EXACT},
	{"h2, and no settings of the server's", BOTH, SNI | AS_X_ALPS, SHA384, X25519, FULL(36),
	 "69/4", "h2", GRADE_EXACT},
	{"http/1.1, application_settings", BOTH, SNI | AS_X_ALPS, SHA384, X25519, FULL(38), "69/4",
	 "http/1.1", GRADE_EXACT},
	{"http/1.1, application_settings, padded, 11 groups", BOTH, SNI | AS_X_ALPS, SHA384, X25519,
	 JSSE(82), "85/4", "http/1.1", GRADE_LISTED},
	/* ticket_request is answered with 5 bytes (RFC 9149 section 3): h2's 14 is 4 groups */
	{"h2, tickets counted", BOTH, SNI | AS_X_OTHER, SHA384, X25519, FULL(37), "69/4", UNKNOWN,
	 GRADE_NONE},
	/* offers */
	{"h2 alone", "h2", SNI, SHA384, X25519, FULL(32), "69/4", "h2", GRADE_EXACT},
	{"h2 alone, none", "h2", SNI, SHA384, X25519, FULL(23), "69/4", "none", GRADE_EXACT},
	{"http/1.1 alone", "http/1.1", SNI, SHA384, X25519, FULL(38), "69/4", "http/1.1",
	 GRADE_EXACT},
	{"http/1.1 though not offered", "h2", SNI, SHA384, X25519, FULL(38), "69/4", UNKNOWN,
	 GRADE_NONE},
	{"http/1.1 though not offered, ack", "h2", SNI, SHA384, X25519, FULL(42), "69/4", UNKNOWN,
	 GRADE_NONE},
	{"names of one length", "http/1.1,http/1.0", SNI, SHA384, X25519, FULL(38), "69/4", UNKNOWN,
	 GRADE_NONE},
	{"none of names of one length", "http/1.1,http/1.0", SNI, SHA384, X25519, FULL(23), "69/4",
	 "none", GRADE_EXACT},
	{"h2 among its drafts", "h2,h2-16,h2-14", SNI, SHA384, X25519, FULL(32), "69/4", "h2",
	 GRADE_EXACT},
	{"a draft, or none and three groups", "h2,h2-16", SNI, SHA384, P256, FULL(35), "69/4",
	 UNKNOWN, GRADE_NONE},
	{"a draft", "h2,h2-16", SNI, SHA384, X25519, FULL(35), "69/4", "h2-16", GRADE_LIKELY},
};

static const struct row padded[] = {
	/* JSSE: 16 more in each record, and always a list of 10 or 11 groups */
	{"none, 10 groups", BOTH, SNI, SHA384, X25519, JSSE(65), "69/4", "none", GRADE_EXACT},
	{"h2, 10 groups", BOTH, SNI, SHA384, X25519, JSSE(74), "69/4", "h2", GRADE_LISTED},
	{"http/1.1, 10 groups", BOTH, 0, SHA384, X25519, JSSE(80), "69/4", "http/1.1",
	 GRADE_LISTED},
	{"none, 11 groups", BOTH, SNI, SHA384, X25519, JSSE(67), "69/4", "none", GRADE_EXACT},
	{"h2, 11 groups", BOTH, SNI, SHA384, X25519, JSSE(76), "69/4", "h2", GRADE_LISTED},
	{"http/1.1, 11 groups", BOTH, SNI, SHA384, X25519, JSSE(82), "69/4", "http/1.1",
	 GRADE_LISTED},
	{"h2, resumed", BOTH, SNI | PSK, SHA384, X25519, "74/0 85/0 1146/2", "69/2", "h2",
	 GRADE_LISTED},
	{"http/1.1, or h2 acknowledged and 11 groups", BOTH, SNI, SHA384, X25519, JSSE(80), "69/4",
	 UNKNOWN, GRADE_NONE},
	{"not padded: a record is too short for it", BOTH, SNI, SHA384, X25519,
	 "74/0 890/0 297/0 85/0 26/1", "69/4", UNKNOWN, GRADE_NONE},
	/* mbedTLS: multiples of 16, 32 for none and for h2 */
	{"none or h2", BOTH, SNI, SHA384, X25519, GRID(32), "69/4", UNKNOWN, GRADE_NONE},
	{"http/1.1, or h2 acknowledged", BOTH, SNI, SHA384, X25519, GRID(48), "69/4", UNKNOWN,
	 GRADE_NONE},
	{"http/1.1, no server name", BOTH, 0, SHA384, X25519, GRID(48), "69/4", "http/1.1",
	 GRADE_LIKELY},
	{"http/1.1, no server name, P-256", BOTH, 0, SHA384, P256, GRID(48), "69/4", UNKNOWN,
	 GRADE_NONE},
	{"none where http/1.1 alone was offered", "http/1.1", SNI, SHA384, X25519, GRID(32), "69/4",
	 "none", GRADE_EXACT},
	/* OpenSSL's record padding: 512 tells nothing, 64 little */
	{"512", BOTH, SNI, SHA384, X25519, "528/0 1040/0 528/0 528/0", "69/4", UNKNOWN, GRADE_NONE},
	{"64", BOTH, SNI, SHA384, X25519, "80/0 912/0 336/0 80/0", "69/4", UNKNOWN, GRADE_NONE},
	{"a Finished off the grid of the others", BOTH, SNI, SHA384, X25519,
	 "32/0 874/0 281/0 80/0", "69/4", UNKNOWN, GRADE_NONE},
};

static const struct row layouts[] = {
	/* BoringSSL, rustls: 75, 84, 90 and with SHA-256 59, 68, 74 */
	{"none", BOTH, SNI | PSK, SHA384, X25519, ONE(75), "69/1", "none", GRADE_EXACT},
	{"h2", BOTH, SNI | PSK, SHA384, X25519, ONE(84), "69/1", "h2", GRADE_EXACT},
	{"http/1.1", BOTH, SNI | PSK, SHA384, X25519, ONE(90), "69/1", "http/1.1", GRADE_EXACT},
	{"none, SHA-256", BOTH, SNI | PSK, SHA256, X25519, ONE(59), "53/1", "none", GRADE_EXACT},
	{"h2, SHA-256", BOTH, SNI | PSK, SHA256, X25519, ONE(68), "53/1", "h2", GRADE_EXACT},
	{"http/1.1, SHA-256", BOTH, SNI | PSK, SHA256, X25519, ONE(74), "53/1", "http/1.1",
	 GRADE_EXACT},
	/* NSS: always a list, of three groups here; its SETTINGS may follow at once */
	{"none, NSS", BOTH, SNI | PSK, SHA256, X25519, ONE(71), "53/1", "none", GRADE_EXACT},
	{"h2, NSS", BOTH, SNI | PSK, SHA256, X25519, ONE(80), "53/1", "h2", GRADE_EXACT},
	{"http/1.1, NSS", BOTH, SNI | PSK, SHA256, X25519, ONE(86), "53/1", "http/1.1",
	 GRADE_LISTED},
	{"h2, NSS, SETTINGS as long as a padded Finished", BOTH, SNI | PSK, SHA256, X25519,
	 "80/0 69/0 198/1 26/2", "53/2", "h2", GRADE_EXACT},
	{"h2, SETTINGS as long as a Finished", BOTH, SNI | PSK, SHA384, X25519, "84/0 69/0", "69/2",
	 "h2", GRADE_EXACT},
	{"h2, NSS, 6 that RSL may be", BOTH, SNI | RSL | PSK, SHA256, X25519, ONE(80), "53/1",
	 UNKNOWN, GRADE_NONE},
	/* full handshakes */
	{"one record hides it", BOTH, SNI, SHA384, X25519, "1209/0 445/2", "69/1", UNKNOWN,
	 GRADE_NONE},
	{"two records hide it", BOTH, SNI, SHA384, X25519, "32/0 1224/0", "69/2", UNKNOWN,
	 GRADE_NONE},
	{"no Finished", BOTH, SNI, SHA384, X25519, "32/0 874/0 281/0", "", UNKNOWN, GRADE_NONE},
	{"a Finished too early", BOTH, SNI, SHA384, X25519, "32/0 874/0 69/0", "69/3", UNKNOWN,
	 GRADE_NONE},
	{"data behind Finished", BOTH, SNI, SHA256, X25519, "32/0 874/0 281/0 53/0 147/0 50/0",
	 "53/6", "h2", GRADE_EXACT},
	{"a certificate is asked for", BOTH, SNI, SHA384, X25519, "32/0 62/0 874/0 281/0 69/0",
	 "718/5 281/5 69/5", "h2", GRADE_EXACT},
	{"it is asked for in the first record", BOTH, SNI, SHA384, X25519, "48/0 874/0 281/0 69/0",
	 "718/4 281/4 69/4", UNKNOWN, GRADE_NONE},
	{"one that the client has not got", BOTH, SNI, SHA384, X25519, "48/0 874/0 281/0 69/0",
	 "25/4 69/4", UNKNOWN, GRADE_NONE},
	{"nothing was seen", BOTH, SNI, SHA384, X25519, "", "", UNKNOWN, GRADE_NONE},
	{"no encrypted record", BOTH, SNI, SHA384, X25519, "32t21/0 874/0 281/0 69/0", "69/4",
	 UNKNOWN, GRADE_NONE},
	/* refusals */
	{"an alert alone", BOTH, SNI, SHA384, X25519, "19/0", "", "refused", GRADE_STRONG},
	{"an alert alone, CCM_8", BOTH, SNI, CCM_8, X25519, "11/0", "", "refused", GRADE_STRONG},
	{"not alone", BOTH, SNI, SHA384, X25519, "19/0 874/0 281/0 69/0", "69/4", UNKNOWN,
	 GRADE_NONE},
	{"of another suite's length", BOTH, SNI, SHA384, X25519, "11/0", "", UNKNOWN, GRADE_NONE},
};

static struct inference infer(const struct as_handshake *hs)
{
	static struct alpn_list offered;
	struct flight f;

	alpn_parse(as_alpn(hs), hs->alpn_len, &offered);
	flight_shape(hs, &f);
	return evidence_infer(hs, &offered, &f);
}

static void answer_text(const struct inference *i, char *text, size_t size)
{
	static const char *const names[] = {"unknown", "none", "", "refused"};

	if (i->answer == ANSWER_NAME)
		snprintf(text, size, "%.*s", i->name.len, (const char *)i->name.bytes);
	else
		snprintf(text, size, "%s", names[i->answer]);
}

static enum evidence evidence_of(const struct row *r)
{
	if (r->grade == GRADE_NONE)
		return EVIDENCE_NONE;
	return r->grade == GRADE_STRONG ? EVIDENCE_ALERT : EVIDENCE_RECORD_LENGTH;
}

static void check(const struct row *row, size_t count)
{
	char text[64];

	for (; count--; row++) {
		struct as_handshake hs = tls13(row->offer, row->ext, row->server, row->client);
		struct inference i;

		hs.cipher = (__u16)row->cipher;
		hs.group = (__u16)row->group;
		i = infer(&hs);
		answer_text(&i, text, sizeof(text));
		if (strcmp(text, row->answer) || i.grade != row->grade ||
		    i.evidence != evidence_of(row))
			fail_msg("%s (%s): %s, %s, %s", row->what, row->server, text,
				 evidence_name(i.evidence),
				 i.grade ? grade_name(i.grade) : "no grade");
	}
}

#define CHECK(rows) check(rows, sizeof(rows) / sizeof((rows)[0]))

static void a_record_of_its_own(void **state)
{
	(void)state;
	CHECK(separate);
}

static void what_else_may_be_in_it(void **state)
{
	(void)state;
	CHECK(optional);
}

static void padding(void **state)
{
	(void)state;
	CHECK(padded);
}

static void which_record_it_is(void **state)
{
	(void)state;
	CHECK(layouts);
}

/* RFC 8446 section 4.2.10: no early data after a HelloRetryRequest. */
static void a_retry_ends_early_data(void **state)
{
	struct as_handshake hs = tls13(BOTH, EARLY | PSK, "27/0 69/0", "69/2");

	(void)state;
	assert_int_equal(infer(&hs).answer, ANSWER_NONE);
	hs.flags |= AS_F_RETRY;
	assert_int_equal(infer(&hs).answer, ANSWER_UNKNOWN);
}

/* A server answers supported_groups only if the client sent it. */
static void no_groups_no_list(void **state)
{
	struct as_handshake hs = tls13(BOTH, SNI | PSK, RESUMED(42), "69/2");

	(void)state;
	hs.group = 0;
	assert_int_equal(infer(&hs).answer, ANSWER_UNKNOWN);
	hs.client_ext &= ~AS_X_SUPPORTED_GROUPS;
	assert_int_equal(infer(&hs).answer, ANSWER_NAME);
	assert_int_equal(infer(&hs).grade, GRADE_EXACT);
}

/* More may have followed what looks like a lone alert. */
static void an_alert_behind_which_a_record_was_missed(void **state)
{
	struct as_handshake hs = tls13(BOTH, SNI, "19/0", "");

	(void)state;
	hs.flags |= AS_F_GAP;
	assert_int_equal(infer(&hs).answer, ANSWER_UNKNOWN);
	hs.flags ^= AS_F_GAP | AS_F_PRESSURE;
	assert_int_equal(infer(&hs).answer, ANSWER_UNKNOWN);
}

/* What came before a gap stays true. */
/* 45 bytes of extensions (http/1.1, name, 10 groups), or 9 and a Finished that was not missed? */
static void a_gap_before_finished(void **state)
{
	struct as_handshake hs = tls13(BOTH, SNI | PSK, "68/0", "");

	(void)state;
	hs.cipher = SHA256;
	assert_int_equal(infer(&hs).answer, ANSWER_NAME);
	hs.flags |= AS_F_GAP;
	assert_int_equal(infer(&hs).answer, ANSWER_UNKNOWN);
}

static void a_gap_behind_finished(void **state)
{
	struct as_handshake hs = tls13(BOTH, SNI, FULL(32), "69/4");

	(void)state;
	hs.flags |= AS_F_GAP;
	assert_int_equal(infer(&hs).grade, GRADE_EXACT);
}

/* Counts beyond the arrays, as no engine writes them, are not followed. */
static void a_record_that_lies(void **state)
{
	struct as_handshake hs = tls13(BOTH, SNI, FULL(32), "69/4");

	(void)state;
	hs.server_flight.count = hs.client_flight.count = 255;
	memset(hs.client_flight.before, 255, sizeof(hs.client_flight.before));
	infer(&hs);
	memset(&hs.server_flight, 0, sizeof(hs.server_flight));
	hs.server_flight.count = 1;
	assert_int_equal(infer(&hs).answer, ANSWER_UNKNOWN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_record_of_its_own),
		cmocka_unit_test(what_else_may_be_in_it),
		cmocka_unit_test(padding),
		cmocka_unit_test(which_record_it_is),
		cmocka_unit_test(a_retry_ends_early_data),
		cmocka_unit_test(no_groups_no_list),
		cmocka_unit_test(an_alert_behind_which_a_record_was_missed),
		cmocka_unit_test(a_gap_before_finished),
		cmocka_unit_test(a_gap_behind_finished),
		cmocka_unit_test(a_record_that_lies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
