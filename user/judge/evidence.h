/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * evidence.h - what the record lengths of TLS 1.3 tell of the server's choice, which is encrypted.
 * docs/TLS13.md explains the rules and what they are worth. Pure functions, no state.
 */
#ifndef ALPNSCOPE_EVIDENCE_H
#define ALPNSCOPE_EVIDENCE_H

#include "alpn.h"
#include "alpnscope/handshake.h"
#include "shape.h"

/** enum evidence - how a choice is known. */
enum evidence {
	EVIDENCE_NONE,
	EVIDENCE_CLIENT_HELLO, /* there was nothing to choose from */
	EVIDENCE_SERVER_HELLO, /* read in clear */
	EVIDENCE_ALERT, /* in clear, or, with a grade, an encrypted one by its length */
	EVIDENCE_RECORD_LENGTH, /* TLS 1.3: of the record with EncryptedExtensions */
	EVIDENCE_RECORD_PATTERN, /* TLS 1.3: of the first application records */
	EVIDENCE_LIBRARY, /* TLS 1.3: a TLS library on this host told us (answers.h) */
	EVIDENCE_COUNT
};

/** enum grade - how far inferred evidence goes; certain evidence has none. */
enum grade {
	GRADE_NONE,
	GRADE_EXACT, /* one answer fits, whatever list of groups the server sent */
	GRADE_LIKELY, /* one fits, unless the server sent an unusual list of groups */
	GRADE_LISTED, /* one fits with a list of groups that is some library's default */
	GRADE_STRONG, /* how the server or the client went on: a refusal, HTTP/2's opening */
	GRADE_LEARNED, /* from other handshakes of the same server: learn.h */
	GRADE_COUNT
};

enum answer {
	ANSWER_UNKNOWN,
	ANSWER_NONE, /* the server answered without ALPN */
	ANSWER_NAME, /* it chose a name */
	ANSWER_REFUSED, /* it sent an alert in place of its choice */
};

/**
 * struct inference - what was concluded; all zero for nothing.
 * @name: for ANSWER_NAME; points to where the offer's names point
 */
struct inference {
	enum answer answer;
	struct alpn_name name;
	enum evidence evidence;
	enum grade grade;
};

/**
 * evidence_infer - what did the server choose?
 * @hs: a handshake whose ServerHello chose TLS 1.3
 * @offered: its offer, whole (AS_F_ALPN_TRUNCATED must not be set)
 * @f: its shape, by flight_shape()
 *
 * Rules that contradict each other give ANSWER_UNKNOWN; nothing is concluded from what was not
 * seen.
 */
struct inference evidence_infer(const struct as_handshake *hs, const struct alpn_list *offered,
				const struct flight *f);

/** struct inference_check - how often inference and a TLS library said the same, and not. */
struct inference_check {
	uint64_t agreed[EVIDENCE_COUNT][GRADE_COUNT];
	uint64_t disagreed[EVIDENCE_COUNT][GRADE_COUNT];
};

/** inference_equal - the same answer, whatever it is known by. */
bool inference_equal(const struct inference *a, const struct inference *b);

/** The names that events and metrics use; static strings. grade_name: NULL for GRADE_NONE. */
const char *evidence_name(enum evidence evidence);
const char *grade_name(enum grade grade);

#endif
