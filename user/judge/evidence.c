// SPDX-License-Identifier: GPL-2.0-only
#include "evidence.h"

#include <string.h>

#define ALPN_OVERHEAD 7 /* extension header 4, list length 2, name length 1: RFC 7301 3.1 */
#define GROUPS_OVERHEAD 6 /* extension header 4, list length 2: RFC 8446 section 4.2.7 */
#define GROUPS_MAX 16 /* groups in a list that may explain a length; no limit on doubts */
#define SETTINGS_EXT_MIN (4 + 9) /* application_settings of one frame: draft-vvv-httpbis-alps */
#define GROUP_X25519 0x001d
#define GROUP_X25519MLKEM768 0x11ec

#define RECORD_OVERHEAD (1 + 16) /* inner type and tag; the pattern is not for CCM_8 */
#define CLOSE_NOTIFY 2
#define GOAWAY (9 + 8) /* RFC 9113 section 6.8, without debug data */
#define SETTINGS_ACK (9 + RECORD_OVERHEAD) /* RFC 9113 section 6.5: an empty frame */
#define SETTINGS_MAX 110 /* the longest record with a server's SETTINGS that was met */
#define CONTINUE (25 + RECORD_OVERHEAD) /* "100 Continue" of HTTP/1.1; no SETTINGS is as long */
#define OPENING 6 /* client records that are looked at for an acknowledgement */

/* In how many ways an answer explains a length. */
struct fit {
	bool plain; /* without a list of groups */
	bool known; /* with one that a library sends by default */
	bool small; /* with any of up to GROUPS_MAX groups */
	bool any; /* with any at all */
	bool settings; /* with the server's settings for the protocol */
};

/* Bytes of supported_groups as libraries send it by default; 0 ends. By layout, for what sends
 * its messages in one record has other defaults than what pads them. */
static const int groups_separate[] = {22, 26, 0};
static const int groups_padded[] = {26, 28, 0};
static const int groups_short[] = {10, 12, 0};
static const int groups_none[] = {0};

static const int *known_groups(const struct flight *f)
{
	if (f->layout == FLIGHT_SHORT)
		return groups_short;
	if (f->padding == FLIGHT_GRID)
		return groups_none;
	return f->padding == FLIGHT_CONSTANT ? groups_padded : groups_separate;
}

/* @rest bytes are left beside ALPN and what has a fixed length: are they a list of groups? */
static void fit_rest(struct fit *fit, int rest, const struct as_handshake *hs, const int *known)
{
	if (rest == 0)
		fit->plain = true;
	if (!(hs->client_ext & AS_X_SUPPORTED_GROUPS) || rest < GROUPS_OVERHEAD + 2 || rest % 2)
		return;
	fit->any = true;
	if (rest <= GROUPS_OVERHEAD + 2 * GROUPS_MAX)
		fit->small = true;
	for (; *known; known++)
		if (rest == *known)
			fit->known = true;
}

/*
 * Does @alpn bytes of ALPN explain @ext bytes of extensions? A server may only answer what the
 * client sent (RFC 8446 section 4.2): an empty server_name and early_data of 4 bytes each,
 * max_fragment_length of 5, record_size_limit of 6, each or none; early_data with a PSK only,
 * and not after a HelloRetryRequest (section 4.2.10).
 */
static void fit_length(struct fit *fit, int ext, int alpn, const struct as_handshake *hs,
		       const int *known)
{
	bool early = (hs->client_ext & AS_X_EARLY_DATA) && (hs->server_ext & AS_X_PRE_SHARED_KEY) &&
		     !(hs->flags & AS_F_RETRY);
	const int optional[] = {hs->client_ext & AS_X_SERVER_NAME ? 4 : 0, early ? 4 : 0,
				hs->client_ext & AS_X_MAX_FRAGMENT_LENGTH ? 5 : 0,
				hs->client_ext & AS_X_RECORD_SIZE_LIMIT ? 6 : 0};

	unsigned int absent = 0;

	for (unsigned int i = 0; i < 4; i++)
		absent |= !optional[i] << i;
	for (unsigned int set = 0; set < 1U << 4; set++) {
		int rest = ext - alpn;

		if (set & absent)
			continue;
		for (unsigned int i = 0; i < 4; i++)
			if (set & 1U << i)
				rest -= optional[i];
		fit_rest(fit, rest, hs, known);
	}
}

/*
 * Who offers application_settings is answered with the server's, if a protocol was chosen: with
 * none (4 bytes) or with frames of HTTP/2, which nobody knows the length of. A doubt, no answer;
 * and none where records are padded, which those that know it (BoringSSL's kin) do not do.
 */
static void fit_settings(struct fit *fit, int rest)
{
	if (rest == 4 || rest >= SETTINGS_EXT_MIN)
		fit->settings = true;
}

bool inference_equal(const struct inference *a, const struct inference *b)
{
	return a->answer == b->answer &&
	       (a->answer != ANSWER_NAME || alpn_equal(&a->name, &b->name));
}

/* One answer for each count of ALPN bytes; names of one length cannot be told apart. */
struct candidate {
	struct inference answer;
	bool possible; /* to be told: a single name, and an offered one */
	struct fit fit;
};

#define CANDIDATES (ALPN_NAMES_MAX + 2)

static struct candidate candidate_of(const struct as_handshake *hs, const struct flight *f,
				     const struct alpn_name *name)
{
	struct candidate c = {.possible = true};
	int alpn = name ? ALPN_OVERHEAD + name->len : 0;

	c.answer.answer = name ? ANSWER_NAME : ANSWER_NONE;
	if (name)
		c.answer.name = *name;
	for (int ext = f->ext_min; ext <= f->ext_max; ext++) {
		fit_length(&c.fit, ext, alpn, hs, known_groups(f));
		if (name && hs->client_ext & AS_X_ALPS && f->padding == FLIGHT_PLAIN)
			fit_settings(&c.fit, ext - alpn);
	}
	return c;
}

/* All that the server may have answered. Returns how many there are. */
static unsigned int candidates(const struct as_handshake *hs, const struct alpn_list *offered,
			       const struct flight *f, struct candidate c[CANDIDATES])
{
	static const struct alpn_name http1_1 = {(const uint8_t *)"http/1.1", 8};
	unsigned int n = 0;

	c[n++] = candidate_of(hs, f, NULL);
	for (unsigned int i = 0; i < offered->count; i++)
		c[n++] = candidate_of(hs, f, &offered->name[i]);
	if (!alpn_contains(offered, &http1_1)) {
		/* Apache httpd chooses it though nobody offered it: a doubt, not an answer. */
		c[n] = candidate_of(hs, f, &http1_1);
		c[n++].possible = false;
	}
	return n;
}

enum way { WAY_PLAIN = 1, WAY_KNOWN = 2, WAY_SMALL = 4, WAY_ANY = 8 };

static bool fits(const struct fit *fit, unsigned int ways)
{
	return (ways & WAY_PLAIN && fit->plain) || (ways & WAY_KNOWN && fit->known) ||
	       (ways & WAY_SMALL && fit->small) || (ways & WAY_ANY && fit->any);
}

/* The one candidate that @own ways explain while no other is explained by @others; or NULL. */
static const struct candidate *only(const struct candidate *c, unsigned int n, unsigned int own,
				    unsigned int others)
{
	const struct candidate *found = NULL;

	for (unsigned int i = 0; i < n; i++) {
		if (!fits(&c[i].fit, own))
			continue;
		if (found)
			return NULL;
		found = &c[i];
	}
	for (unsigned int i = 0; found && i < n; i++)
		if (&c[i] != found && (c[i].fit.settings || fits(&c[i].fit, others)))
			return NULL;
	return found && found->possible ? found : NULL;
}

/* A list of groups is sent to a client whose share was not the server's first choice. */
static bool group_is_first_choice(const struct as_handshake *hs)
{
	return hs->group == GROUP_X25519 || hs->group == GROUP_X25519MLKEM768;
}

/* Something explains the length, even if more than one thing does. */
static bool explained(const struct candidate *c, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (fits(&c[i].fit, WAY_PLAIN | WAY_KNOWN | WAY_SMALL))
			return true;
	return false;
}

static struct inference by_shape(const struct as_handshake *hs, const struct alpn_list *offered,
				 const struct flight *f, bool *has_explanation)
{
	struct candidate c[CANDIDATES];
	const struct candidate *found;
	struct inference answer = {0};
	unsigned int n = candidates(hs, offered, f, c);
	enum grade grade = GRADE_EXACT;

	*has_explanation = explained(c, n);
	found = only(c, n, WAY_PLAIN | WAY_SMALL, WAY_PLAIN | WAY_ANY);
	if (!found && group_is_first_choice(hs)) {
		grade = GRADE_LIKELY;
		found = only(c, n, WAY_PLAIN, WAY_KNOWN);
	}
	if (!found) {
		grade = GRADE_LISTED;
		found = only(c, n, WAY_KNOWN, WAY_PLAIN);
	}
	if (!found)
		return answer;
	answer = found->answer;
	answer.evidence = EVIDENCE_RECORD_LENGTH;
	answer.grade = grade;
	return answer;
}

/*
 * Early data of the server may look like the Finished of a resumed handshake, which is then in
 * the first record: the other reading counts where this one explains nothing. Where both explain,
 * a Finished without padding is believed, for few other records are as long as that; a padded
 * one is not.
 */
static struct inference by_length(const struct as_handshake *hs, const struct alpn_list *offered,
				  const struct flight *f)
{
	struct inference answer, other, none = {0};
	struct flight shorter = *f;
	bool explains, other_explains;

	if (f->layout != FLIGHT_SEPARATE && f->layout != FLIGHT_SHORT)
		return none;
	if (hs->client_ext & AS_X_OTHER) /* what its answer takes is not known */
		return none;
	answer = by_shape(hs, offered, f, &explains);
	if (f->layout == FLIGHT_SHORT || f->short_ext < 0)
		return answer;
	shorter.layout = FLIGHT_SHORT;
	shorter.padding = FLIGHT_PLAIN;
	shorter.ext_min = shorter.ext_max = f->short_ext;
	other = by_shape(hs, offered, &shorter, &other_explains);
	if (!explains)
		return other;
	if (other_explains && f->padding != FLIGHT_PLAIN && !inference_equal(&answer, &other))
		return none;
	return answer;
}

/*
 * May the client's record @at answer the server's SETTINGS? They are 9 bytes and 6 for each, and
 * an acknowledgement (9) or a WINDOW_UPDATE (13) may come with them (RFC 9113 sections 6.5, 6.9),
 * so never 25; but a body of 9 bytes may follow on "100 Continue".
 */
static bool settings_before(const struct as_handshake *hs, const struct flight *f, unsigned int at)
{
	const struct as_flight *s = &hs->server_flight;
	unsigned int pad = f->padding == FLIGHT_CONSTANT ? FLIGHT_PAD : 0;

	for (unsigned int i = f->server_app; i < s->count && i < AS_FLIGHT_MAX; i++)
		if (i < hs->client_flight.before[at] && s->len[i] >= SETTINGS_ACK + pad &&
		    s->len[i] <= SETTINGS_MAX + pad && s->len[i] != CONTINUE + pad)
			return true;
	return false;
}

/* The place of the only record of @len bytes from @from on and before @end; 0: none, or several. */
static unsigned int only_record(const struct as_flight *f, unsigned int from, unsigned int end,
				unsigned int len)
{
	unsigned int at = 0, found = 0;

	for (unsigned int i = from; i < f->count && i < AS_FLIGHT_MAX && i < end; i++) {
		if (f->len[i] != len)
			continue;
		found++;
		at = i;
	}
	return found == 1 ? at : 0;
}

/*
 * The opening of HTTP/2 (RFC 9113 section 3.4): the client acknowledges the server's SETTINGS,
 * once, and never with the first thing that it sends.
 */
static bool opens_http2(const struct as_handshake *hs, const struct flight *f)
{
	const struct as_flight *c = &hs->client_flight;
	unsigned int pad = f->client_padding == FLIGHT_CONSTANT ? FLIGHT_PAD : 0;
	unsigned int at =
		only_record(c, f->client_app, f->client_app + OPENING, SETTINGS_ACK + pad);

	return at > f->client_app && settings_before(hs, f, at);
}

/* The bytes that a record of the server holds, the most if it is on a grid. */
static bool server_sent(const struct as_handshake *hs, const struct flight *f, unsigned int at,
			unsigned int bytes)
{
	unsigned int len = bytes + RECORD_OVERHEAD;

	if (f->padding == FLIGHT_CONSTANT)
		len += FLIGHT_PAD;
	if (f->padding == FLIGHT_GRID)
		len = (bytes + 1 + 15) / 16 * 16 + RECORD_OVERHEAD - 1;
	return hs->server_flight.len[at] == len;
}

/* All that the server sent from record @at on may be a farewell. */
static bool server_is_done(const struct as_handshake *hs, const struct flight *f, unsigned int at)
{
	const struct as_flight *s = &hs->server_flight;

	for (; at < s->count && at < AS_FLIGHT_MAX; at++)
		if (!server_sent(hs, f, at, GOAWAY) && !server_sent(hs, f, at, CLOSE_NOTIFY))
			return false;
	return true;
}

/* The server's last records are a GOAWAY and close_notify. */
static bool server_left(const struct as_handshake *hs, const struct flight *f)
{
	unsigned int count = hs->server_flight.count;

	return count <= AS_FLIGHT_MAX && count > f->server_app + 2 &&
	       server_sent(hs, f, count - 2, GOAWAY) && server_sent(hs, f, count - 1, CLOSE_NOTIFY);
}

/*
 * The end of HTTP/2 (RFC 9113 section 6.8): the last records of both sides are a GOAWAY, the
 * client's maybe with its acknowledgement before it, and close_notify, though that of the client
 * may not have been seen. One side's GOAWAY is not enough: as long is what a WebSocket client
 * says to leave with a reason of 9 letters (RFC 6455 section 5.5.1; the echo is 4 shorter), or a
 * body of 17 bytes that nobody answers, and a ticket may be as short as SETTINGS. The shortest
 * answer of HTTP/1.1 that is of use, a status line alone, is 19 bytes and not 17.
 */
static bool closes_http2(const struct as_handshake *hs, const struct flight *f)
{
	const struct as_flight *c = &hs->client_flight;
	unsigned int pad = f->client_padding == FLIGHT_CONSTANT ? FLIGHT_PAD : 0;
	unsigned int at = c->count <= AS_FLIGHT_MAX ? c->count : 0, len;
	bool closed = at > 1 && c->len[at - 1] == CLOSE_NOTIFY + RECORD_OVERHEAD + pad;

	at -= closed ? 2 : 1;
	if (c->count < 2 || c->count > AS_FLIGHT_MAX || at <= f->client_app)
		return false;
	len = c->len[at] - pad;
	if (len != GOAWAY + RECORD_OVERHEAD && len != GOAWAY + SETTINGS_ACK)
		return false;
	return only_record(c, f->client_app, AS_FLIGHT_MAX, c->len[at]) == at &&
	       server_is_done(hs, f, c->before[at]) && server_left(hs, f);
}

static struct inference by_pattern(const struct as_handshake *hs, const struct alpn_list *offered,
				   const struct flight *f)
{
	struct inference answer = {
		.answer = ANSWER_NAME, .evidence = EVIDENCE_RECORD_PATTERN, .grade = GRADE_STRONG};

	if (!f->client_app || f->client_padding == FLIGHT_GRID)
		return (struct inference){0};
	for (unsigned int i = 0; i < offered->count; i++) {
		if (!alpn_is(&offered->name[i], "h2"))
			continue;
		answer.name = offered->name[i];
		if (opens_http2(hs, f) || closes_http2(hs, f))
			return answer;
	}
	return (struct inference){0};
}

struct inference evidence_infer(const struct as_handshake *hs, const struct alpn_list *offered,
				const struct flight *f)
{
	struct inference length, pattern, none = {0};

	if (f->layout == FLIGHT_ALERT && offered->count &&
	    !(hs->flags & (AS_F_GAP | AS_F_PRESSURE)))
		return (struct inference){.answer = ANSWER_REFUSED,
					  .evidence = EVIDENCE_ALERT,
					  .grade = GRADE_STRONG};
	length = by_length(hs, offered, f);
	pattern = by_pattern(hs, offered, f);
	if (length.answer == ANSWER_UNKNOWN)
		return pattern;
	if (pattern.answer == ANSWER_UNKNOWN || inference_equal(&length, &pattern))
		return length;
	return none;
}

static const char *const evidence_names[EVIDENCE_COUNT] = {
	[EVIDENCE_NONE] = "none",
	[EVIDENCE_CLIENT_HELLO] = "client_hello",
	[EVIDENCE_SERVER_HELLO] = "server_hello",
	[EVIDENCE_ALERT] = "alert",
	[EVIDENCE_RECORD_LENGTH] = "record_length",
	[EVIDENCE_RECORD_PATTERN] = "record_pattern",
	[EVIDENCE_LIBRARY] = "library",
};

static const char *const grade_names[GRADE_COUNT] = {
	[GRADE_EXACT] = "exact",   [GRADE_LIKELY] = "likely",	[GRADE_LISTED] = "listed",
	[GRADE_STRONG] = "strong", [GRADE_LEARNED] = "learned",
};

const char *evidence_name(enum evidence evidence)
{
	return evidence_names[evidence];
}

const char *grade_name(enum grade grade)
{
	return grade_names[grade];
}
