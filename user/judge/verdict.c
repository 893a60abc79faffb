// SPDX-License-Identifier: GPL-2.0-only
#include "verdict.h"

#include <string.h>

#include "alpnscope/wire.h"

/* Facebook numbered its own variants of the TLS 1.3 drafts, e.g. 0xfb17, 0xfb1a. */
#define TLS13_FACEBOOK 0xfb

static uint16_t known_version(uint16_t version)
{
	if (version >> 8 == AS_TLS13_DRAFT || version >> 8 == TLS13_FACEBOOK)
		return AS_TLS13;
	return version >= AS_SSL30 && version <= AS_TLS13 ? version : 0;
}

/* RFC 8446 section 4.1.3: "DOWNGRD" and 1 (TLS 1.2 was chosen) or 0 (an older one). */
static bool has_sentinel(const struct as_handshake *hs, uint16_t version)
{
	const uint8_t *tail = hs->server_random + sizeof(hs->server_random) - 8;

	if (known_version(hs->client_version) != AS_TLS13 || version == AS_TLS13 || version == 0)
		return false;
	if (hs->flags & AS_F_RETRY)
		return false;
	return memcmp(tail, "DOWNGRD", 7) == 0 && tail[7] <= 1;
}

static int is_resumed(const struct as_handshake *hs, uint16_t version)
{
	if (version == 0 || hs->kind == AS_KIND_ORPHAN)
		return -1;
	if (version == AS_TLS13)
		return !!(hs->server_ext & AS_X_PRE_SHARED_KEY);
	return !!(hs->flags & AS_F_SESSION_ID_ECHOED);
}

static void decide(struct verdict *v, enum outcome outcome, enum evidence evidence)
{
	v->outcome = outcome;
	v->evidence = evidence;
}

static bool refused_by_server(const struct as_handshake *hs)
{
	return hs->end == AS_END_ALERT && !(hs->flags & AS_F_END_CLIENT) &&
	       hs->alert_desc == AS_ALERT_NO_APPLICATION_PROTOCOL;
}

static void judge_unanswered(const struct as_handshake *hs, struct verdict *v)
{
	if (refused_by_server(hs))
		decide(v, OUTCOME_REJECTED, EVIDENCE_ALERT);
	else if (hs->flags & AS_F_SERVER_UNREADABLE)
		/* The choice was made in it: what ended the handshake came later. */
		decide(v, OUTCOME_INCOMPLETE, EVIDENCE_NONE);
	else if (hs->end == AS_END_ALERT)
		decide(v, OUTCOME_FAILED, EVIDENCE_ALERT);
	else if (hs->end == AS_END_RST || hs->end == AS_END_FIN ||
		 (hs->end == AS_END_TIMEOUT && hs->flags & AS_F_CLIENT_FIN))
		decide(v, OUTCOME_FAILED, EVIDENCE_NONE);
	else
		decide(v, OUTCOME_INCOMPLETE, EVIDENCE_NONE);
}

/* RFC 7301 section 3.1: the answer holds exactly one name, and it was offered. */
static void judge_selected(const struct as_handshake *hs, struct verdict *v)
{
	const uint8_t *list = as_selected(hs);
	bool offered, alone;

	v->has_chosen = true;
	v->chosen.bytes = list;
	if (hs->selected_len > 0 && list[0] < hs->selected_len) {
		v->chosen.bytes = list + 1;
		v->chosen.len = list[0];
	}
	alone = v->chosen.len > 0 && hs->selected_len == 1 + v->chosen.len &&
		!(hs->flags & AS_F_SELECTED_TRUNCATED);
	/* A name that is not in the visible part may stand in the rest. */
	offered = alpn_contains(&v->offered, &v->chosen) ||
		  (v->offer_truncated && !alpn_grease(&v->chosen));
	decide(v, alone && offered ? OUTCOME_NEGOTIATED : OUTCOME_VIOLATION, EVIDENCE_SERVER_HELLO);
}

void verdict_infer(struct verdict *v, const struct inference *i)
{
	static const enum outcome outcomes[] = {
		[ANSWER_UNKNOWN] = OUTCOME_UNDETERMINED,
		[ANSWER_NONE] = OUTCOME_IGNORED,
		[ANSWER_NAME] = OUTCOME_NEGOTIATED,
		[ANSWER_REFUSED] = OUTCOME_REJECTED,
	};

	decide(v, outcomes[i->answer], i->evidence);
	v->grade = i->grade;
	v->has_chosen = i->answer == ANSWER_NAME;
	v->chosen = i->name;
}

struct inference verdict_inference(const struct verdict *v)
{
	struct inference i = {.evidence = v->evidence, .grade = v->grade, .name = v->chosen};

	if (v->grade == GRADE_NONE && v->evidence != EVIDENCE_LIBRARY)
		return (struct inference){0};
	i.answer = v->has_chosen		   ? ANSWER_NAME
		   : v->outcome == OUTCOME_IGNORED ? ANSWER_NONE
						   : ANSWER_REFUSED;
	return i;
}

bool verdict_is_open(const struct as_handshake *hs, const struct verdict *v)
{
	return hs->kind == AS_KIND_HANDSHAKE && v->version == AS_TLS13 &&
	       (v->outcome == OUTCOME_UNDETERMINED || v->grade != GRADE_NONE);
}

void verdict_library(const struct as_handshake *hs, struct verdict *v, const struct alpn_name *name)
{
	bool hidden = hs->client_ext & AS_X_ECH;
	bool offered = alpn_contains(&v->offered, name) ||
		       ((hidden || v->offer_truncated) && !alpn_grease(name));

	if (!name->len && !v->has_offer)
		return;
	v->inferred = verdict_inference(v);
	v->has_chosen = name->len > 0;
	v->chosen = *name;
	v->grade = GRADE_NONE;
	decide(v,
	       !name->len ? OUTCOME_IGNORED
	       : offered  ? OUTCOME_NEGOTIATED
			  : OUTCOME_VIOLATION,
	       EVIDENCE_LIBRARY);
}

/* TLS 1.3 encrypts the choice; what part of an offer is missing could be it. */
static void judge_encrypted(const struct as_handshake *hs, struct verdict *v)
{
	struct inference i = {0};
	struct flight f;

	if (v->version == AS_TLS13 && !v->offer_truncated) {
		flight_shape(hs, &f);
		i = evidence_infer(hs, &v->offered, &f);
	}
	verdict_infer(v, &i);
}

static void judge_answered(const struct as_handshake *hs, struct verdict *v)
{
	bool in_clear = v->version != 0 && v->version <= AS_TLS12;

	if (hs->server_ext & AS_X_ALPN)
		judge_selected(hs, v);
	else if (!in_clear && refused_by_server(hs))
		decide(v, OUTCOME_REJECTED, EVIDENCE_ALERT);
	else if (v->has_offer && in_clear)
		decide(v, OUTCOME_IGNORED, EVIDENCE_SERVER_HELLO);
	else if (v->has_offer)
		judge_encrypted(hs, v);
	else if (!in_clear && hs->client_ext & AS_X_ECH)
		decide(v, OUTCOME_UNDETERMINED, EVIDENCE_NONE);
	else
		decide(v, OUTCOME_NOT_OFFERED, EVIDENCE_CLIENT_HELLO);
}

void verdict_outcome(const struct as_handshake *hs, struct verdict *v)
{
	memset(v, 0, offsetof(struct verdict, offered.name));
	if (hs->flags & AS_F_SERVER_HELLO)
		v->version = known_version(hs->server_version);
	v->resumed = is_resumed(hs, v->version);
	v->scsv = hs->flags & AS_F_FALLBACK_SCSV;
	v->sentinel = has_sentinel(hs, v->version);
	v->npn = (hs->client_ext | hs->server_ext) & AS_X_NPN;
	if (hs->kind == AS_KIND_ORPHAN) {
		decide(v, OUTCOME_INCOMPLETE, EVIDENCE_NONE);
		return;
	}
	v->has_offer = hs->client_ext & AS_X_ALPN;
	if (v->has_offer) {
		alpn_parse(as_alpn(hs), hs->alpn_len, &v->offered);
		v->offer_truncated = hs->flags & AS_F_ALPN_TRUNCATED;
	}
	if (hs->flags & AS_F_SERVER_HELLO)
		judge_answered(hs, v);
	else
		judge_unanswered(hs, v);
}

static bool same_protocol(const struct alpn_name *a, const struct alpn_name *b)
{
	enum alpn_family family = alpn_family(a);

	return family == ALPN_OTHER ? alpn_equal(a, b) : family == alpn_family(b);
}

static struct alpn_name expected_name(const struct expectation *e, unsigned int rank)
{
	return (struct alpn_name){(const uint8_t *)e->name[rank], strlen(e->name[rank])};
}

/* The first name of the offer that is the same as @name, or its count. */
static unsigned int place_of(const struct alpn_list *offered, const struct alpn_name *name,
			     bool (*is_same)(const struct alpn_name *, const struct alpn_name *))
{
	unsigned int i;

	for (i = 0; i < offered->count && !is_same(&offered->name[i], name); i++)
		;
	return i;
}

/* @chosen is at least as good as the expectation of this @rank. */
static bool meets(const struct alpn_name *chosen, const struct expectation *e, unsigned int rank)
{
	struct alpn_name name;

	for (unsigned int i = 0; i <= rank; i++) {
		name = expected_name(e, i);
		if (same_protocol(chosen, &name))
			return true;
	}
	return alpn_family(&name) != ALPN_OTHER && alpn_family(chosen) > alpn_family(&name);
}

bool verdict_is_acme_only(const struct verdict *v)
{
	for (unsigned int i = 0; i < v->offered.count; i++)
		if (!alpn_is(&v->offered.name[i], "acme-tls/1"))
			return false;
	return v->offered.count > 0;
}

/* No name of @e was offered: the client's doing, unless what it got is better still. */
static enum cause cause_not_offered(const struct verdict *v, const struct expectation *e)
{
	if (e->source != EXPECT_CONFIGURED || v->offer_truncated)
		return CAUSE_NONE;
	if (v->outcome == OUTCOME_NEGOTIATED && meets(&v->chosen, e, e->count - 1))
		return CAUSE_NONE;
	return CAUSE_CLIENT_NOT_OFFERED;
}

/* @place: where the expected protocol, @e's @rank, stands in the offer. */
static enum cause cause_offered(const struct verdict *v, const struct expectation *e,
				unsigned int rank, unsigned int place)
{
	if (v->outcome == OUTCOME_IGNORED)
		return CAUSE_SERVER_NO_ALPN;
	if (v->outcome != OUTCOME_NEGOTIATED || meets(&v->chosen, e, rank) ||
	    alpn_is(&v->chosen, "acme-tls/1"))
		return CAUSE_NONE;
	return place_of(&v->offered, &v->chosen, alpn_equal) < place ? CAUSE_CLIENT_PREFERRED
								     : CAUSE_SERVER_DECLINED;
}

enum cause verdict_cause(const struct verdict *v, const struct expectation *e)
{
	struct alpn_name name;
	unsigned int place;

	if (e->source == EXPECT_NONE || e->count == 0)
		return CAUSE_NONE;
	if (v->outcome == OUTCOME_NOT_OFFERED)
		return e->source == EXPECT_CONFIGURED ? CAUSE_CLIENT_NO_ALPN : CAUSE_NONE;
	if (!v->has_offer || verdict_is_acme_only(v))
		return CAUSE_NONE;
	if (v->outcome != OUTCOME_NEGOTIATED && v->outcome != OUTCOME_IGNORED &&
	    v->outcome != OUTCOME_UNDETERMINED)
		return CAUSE_NONE;
	for (unsigned int rank = 0; rank < e->count; rank++) {
		name = expected_name(e, rank);
		place = place_of(&v->offered, &name, same_protocol);
		if (place < v->offered.count)
			return cause_offered(v, e, rank, place);
	}
	return cause_not_offered(v, e);
}

bool cause_is_fallback(enum cause cause)
{
	return cause == CAUSE_SERVER_DECLINED || cause == CAUSE_SERVER_NO_ALPN;
}

bool verdict_expected(const struct verdict *v, const struct expectation *e, enum cause cause)
{
	if (v->outcome != OUTCOME_NEGOTIATED || cause != CAUSE_NONE)
		return false;
	for (unsigned int i = 0; i < e->count; i++) {
		struct alpn_name name = expected_name(e, i);

		if (alpn_equal(&name, &v->chosen) || same_protocol(&name, &v->chosen))
			return true;
	}
	return false;
}

void expectation_join(struct expectation *have, const struct expectation *e)
{
	if (have->source == EXPECT_OBSERVED) {
		struct alpn_name old = expected_name(have, 0);
		struct alpn_name new = expected_name(e, 0);

		if (e->source == EXPECT_NONE)
			return;
		if (e->source == EXPECT_OBSERVED && alpn_family(&new) <= alpn_family(&old))
			return;
	}
	*have = *e;
}

const char *verdict_offered_class(const struct as_handshake *hs, const struct verdict *v)
{
	enum alpn_family family, best = ALPN_OTHER;

	if (hs->kind == AS_KIND_ORPHAN)
		return "unknown";
	if (v->offered.count == 0)
		return v->offer_truncated ? "other" : "none";
	for (unsigned int i = 0; i < v->offered.count; i++) {
		family = alpn_family(&v->offered.name[i]);
		if (family > best)
			best = family;
	}
	switch (best) {
	case ALPN_HTTP3:
		return "h3";
	case ALPN_HTTP2:
		return "h2";
	case ALPN_HTTP1_1:
		return "http/1.1";
	default:
		return "other";
	}
}

const char *verdict_protocol_label(const struct verdict *v)
{
	const char *name;

	switch (v->outcome) {
	case OUTCOME_NEGOTIATED:
	case OUTCOME_VIOLATION:
		name = alpn_registered(&v->chosen);
		return name ? name : "other";
	case OUTCOME_IGNORED:
	case OUTCOME_NOT_OFFERED:
		return "none";
	default:
		return "unknown";
	}
}

static const char *const outcome_names[OUTCOME_COUNT] = {
	[OUTCOME_NEGOTIATED] = "negotiated",
	[OUTCOME_IGNORED] = "ignored",
	[OUTCOME_NOT_OFFERED] = "not_offered",
	[OUTCOME_REJECTED] = "rejected",
	[OUTCOME_FAILED] = "failed",
	[OUTCOME_INCOMPLETE] = "incomplete",
	[OUTCOME_UNDETERMINED] = "undetermined",
	[OUTCOME_VIOLATION] = "violation",
};

static const char *const cause_names[CAUSE_COUNT] = {
	[CAUSE_SERVER_DECLINED] = "server_declined",
	[CAUSE_SERVER_NO_ALPN] = "server_no_alpn",
	[CAUSE_CLIENT_PREFERRED] = "client_preferred",
	[CAUSE_CLIENT_NOT_OFFERED] = "client_not_offered",
	[CAUSE_CLIENT_NO_ALPN] = "client_no_alpn",
};

static const char *const role_names[ROLE_COUNT] = {
	[ROLE_SERVER] = "server",
	[ROLE_CLIENT] = "client",
	[ROLE_TRANSIT] = "transit",
};

const char *outcome_name(enum outcome outcome)
{
	return outcome_names[outcome];
}

const char *cause_name(enum cause cause)
{
	return cause_names[cause];
}

const char *role_name(enum role role)
{
	return role_names[role];
}

int outcome_by_name(const char *name)
{
	for (int i = 0; i < OUTCOME_COUNT; i++)
		if (strcmp(name, outcome_names[i]) == 0)
			return i;
	return -1;
}
