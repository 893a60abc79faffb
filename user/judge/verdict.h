/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * verdict.h - from facts to judgement: pure functions, no state.
 * docs/DESIGN.md has the tables that this implements.
 */
#ifndef ALPNSCOPE_VERDICT_H
#define ALPNSCOPE_VERDICT_H

#include <stddef.h>
#include <string.h>

#include "alpn.h"
#include "alpnscope/handshake.h"
#include "evidence.h"

enum outcome {
	OUTCOME_NEGOTIATED, /* the server chose one of the offered protocols */
	OUTCOME_IGNORED, /* the client offered, the server answered without ALPN */
	OUTCOME_NOT_OFFERED, /* the client sent no ALPN extension */
	OUTCOME_REJECTED, /* alert no_application_protocol */
	OUTCOME_FAILED, /* ended otherwise before a choice: other alert, RST, FIN */
	OUTCOME_INCOMPLETE, /* no usable answer of the server was seen */
	OUTCOME_UNDETERMINED, /* answered, but the choice could not be known */
	OUTCOME_VIOLATION, /* chose what was not offered, more than one, or nothing */
	OUTCOME_COUNT
};

enum cause {
	CAUSE_NONE,
	CAUSE_SERVER_DECLINED, /* the expected was offered, a lesser one chosen */
	CAUSE_SERVER_NO_ALPN, /* it was offered, the answer was without ALPN */
	CAUSE_CLIENT_PREFERRED, /* the client listed the lesser one first */
	CAUSE_CLIENT_NOT_OFFERED, /* ALPN without the expected protocol */
	CAUSE_CLIENT_NO_ALPN, /* no ALPN */
	CAUSE_COUNT
};

enum role {
	ROLE_SERVER, /* the server's end is on this host */
	ROLE_CLIENT, /* the client's end is */
	ROLE_TRANSIT, /* neither is */
	ROLE_COUNT
};

enum expect_source { EXPECT_NONE, EXPECT_OBSERVED, EXPECT_CONFIGURED };

#define EXPECT_MAX 8 /* protocols in one expectation */
#define EXPECT_NAME_MAX 32 /* bytes of one, terminator included */

/**
 * struct expectation - what a service should negotiate, best first.
 * A configured list may hold any ALPN ID; an observed one holds one name.
 */
struct expectation {
	enum expect_source source;
	unsigned int count;
	char name[EXPECT_MAX][EXPECT_NAME_MAX];
};

/**
 * struct verdict - the judgement of one handshake.
 * @grade: GRADE_NONE when the evidence is certain
 * @has_offer: the ClientHello was seen and had an ALPN extension
 * @offered: its names; pointers into the record
 * @offer_truncated: names may be missing at the end of `offered`
 * @has_chosen: `chosen` is set (outcome negotiated or violation)
 * @chosen: what the server chose; a violation with several names keeps the first,
 *          one with an empty name, or without a whole one, has length 0
 * @version: negotiated, 0x0300..0x0304 (a draft of TLS 1.3 counts as it), 0 unknown
 * @resumed: 1 yes, 0 no, -1 not known
 * @inferred: by EVIDENCE_LIBRARY: what would have been inferred without it
 * @scsv, @sentinel, @npn: signals of a downgrade (RFC 7507; RFC 8446 section 4.1.3,
 *          only when the client offered TLS 1.3 and got less) and of NPN in
 *          either hello
 */
struct verdict {
	enum outcome outcome;
	enum evidence evidence;
	enum grade grade;
	bool has_offer;
	bool offer_truncated;
	bool has_chosen;
	struct alpn_name chosen;
	uint16_t version;
	int resumed;
	struct inference inferred;
	bool scsv, sentinel, npn;
	struct alpn_list offered; /* last, for it is nearly empty: verdict_copy() */
};

/** verdict_copy - copy @from, with as many names as there are. */
static inline void verdict_copy(struct verdict *to, const struct verdict *from)
{
	memcpy(to, from,
	       offsetof(struct verdict, offered.name) +
		       from->offered.count * sizeof(from->offered.name[0]));
}

/**
 * verdict_outcome - judge what happened in @hs.
 * @v: filled whole; keeps pointers into @hs
 *
 * An alert, RST or FIN decides only while no choice has been seen. An orphan is
 * `incomplete` even when its ServerHello names a protocol: what was offered is not
 * known. Up to TLS 1.2 the choice, or its absence, is read from ServerHello (RFC 7301
 * section 3.1). In TLS 1.3 it is encrypted (RFC 8446 section 4.3.1), unless an old stack
 * shows its choice in ServerHello: it is inferred (evidence.h), or `undetermined`; so is
 * the absence of an offer under ECH, where the inner hello may have one.
 */
void verdict_outcome(const struct as_handshake *hs, struct verdict *v);

/**
 * verdict_infer - let @v, of an offer in TLS 1.3, say what was inferred of the server's choice.
 * @i: ANSWER_UNKNOWN makes it `undetermined`
 */
void verdict_infer(struct verdict *v, const struct inference *i);

/** verdict_is_open - was the choice made and is it encrypted, so that @v, by verdict_outcome(),
 * rests on an inference or is `undetermined`? */
bool verdict_is_open(const struct as_handshake *hs, const struct verdict *v);

/**
 * verdict_library - let @v, which is open, say what a TLS library answered.
 * @name: what was chosen, len 0 for nothing; must outlive @v
 *
 * With ECH the offer that counts is hidden: then any name may have been offered, and without
 * one in sight no name tells nothing (@v is left as it was).
 */
void verdict_library(const struct as_handshake *hs, struct verdict *v,
		     const struct alpn_name *name);

/** verdict_inference - what @v says of the server's choice by inference, or by the library:
 * what verdict_infer() was given. */
struct inference verdict_inference(const struct verdict *v);

/**
 * verdict_cause - was the outcome worse than @e, and by whose doing?
 *
 * The expected protocol is the first of @e that the client offered: any name of its
 * HTTP family, or the same bytes when it is not HTTP. It is met by the same, and by a
 * better HTTP family. Client causes are only told against a configured expectation;
 * when the choice is not known (`undetermined`) they are the only ones. acme-tls/1
 * (RFC 8737), chosen or the only name offered, is never a fallback. On a truncated
 * offer a cause is told only when the visible part proves it.
 *
 * Returns CAUSE_NONE also for outcomes without an answer of the server.
 */
enum cause verdict_cause(const struct verdict *v, const struct expectation *e);

/** verdict_is_acme_only - was acme-tls/1 (RFC 8737), a certificate authority's check, all that was
 * offered, as far as it is known? */
bool verdict_is_acme_only(const struct verdict *v);

/** cause_is_fallback - true for the causes that are the server's doing: server_*. */
bool cause_is_fallback(enum cause cause);

/** verdict_expected - did the server choose what is expected, or another member of its family?
 * @cause: as verdict_cause() says */
bool verdict_expected(const struct verdict *v, const struct expectation *e, enum cause cause);

/**
 * expectation_join - let @have, what is expected of a service, take in what was expected in one more
 * handshake. A configured one is the same for every server name, so the latest word holds;
 * observed ones differ by server name, and the best of them stands for the service.
 */
void expectation_join(struct expectation *have, const struct expectation *e);

/**
 * verdict_offered_class - label `offered`: the best family in the offer.
 *
 * Returns "h3", "h2", "http/1.1", "other" or "none" (no ALPN, or no name but GREASE
 * in it); "unknown" when the ClientHello was not seen. Static strings.
 */
const char *verdict_offered_class(const struct as_handshake *hs, const struct verdict *v);

/**
 * verdict_protocol_label - label `next_protocol`.
 *
 * Returns for negotiated and violation the IANA ALPN ID or "other", for ignored and
 * not_offered "none", else "unknown". Static strings.
 */
const char *verdict_protocol_label(const struct verdict *v);

/** The names that events and metrics use, e.g. "negotiated"; static strings. */
const char *outcome_name(enum outcome outcome);
/** cause_name - e.g. "server_declined"; NULL for CAUSE_NONE. */
const char *cause_name(enum cause cause);
const char *role_name(enum role role);
/** outcome_by_name - the outcome called @name, or -1. */
int outcome_by_name(const char *name);

#endif
