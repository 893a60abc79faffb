// SPDX-License-Identifier: GPL-2.0-only
#include "metrics_library.h"

/* Where a family is being written, and in which format. */
struct page {
	struct buf *out;
	enum expo_format format;
};

static void family(const struct page *p, enum expo_type type, const char *name, const char *help)
{
	struct expo_family f = {.name = name, .type = type, .help = help};

	expo_family(p->out, p->format, &f);
}

static void sample(const struct page *p, const char *name, const char *label, const char *value,
		   uint64_t number)
{
	expo_sample(p->out, name, label, value, NULL);
	expo_number(p->out, number);
}

static void write_files(const struct page *p, const struct library_stats *s)
{
	family(p, EXPO_GAUGE, "alpnscope_library_files",
	       "Executables and libraries whose TLS library is asked (--library).");
	for (enum library_kind k = LIBRARY_NONE + 1; k < LIBRARY_KINDS; k++)
		sample(p, "alpnscope_library_files", "library", library_name(k),
		       s->files.attached[k]);
	family(p, EXPO_COUNTER, "alpnscope_library_refused",
	       "Executables and libraries with a TLS library that is not asked, by reason.");
	sample(p, "alpnscope_library_refused_total", "reason", "full", s->files.full);
	sample(p, "alpnscope_library_refused_total", "reason", "failed", s->files.failed);
	family(p, EXPO_COUNTER, "alpnscope_library_answers",
	       "Answers of TLS libraries; one handshake may bring several.");
	for (enum library_kind k = LIBRARY_NONE + 1; k < LIBRARY_KINDS; k++)
		sample(p, "alpnscope_library_answers_total", "library", library_name(k),
		       s->answers[k]);
}

static void write_lost(const struct page *p, const struct library_stats *s)
{
	static const char *const reasons[AS_LIBRARY_LOST_COUNT] = {
		[AS_LIBRARY_RING_FULL] = "ring_full",
		[AS_LIBRARY_TABLE_FULL] = "table_full",
		[AS_LIBRARY_UNREADABLE] = "unreadable",
	};

	family(p, EXPO_COUNTER, "alpnscope_library_lost",
	       "Answers of TLS libraries that did not reach the agent, by reason.");
	for (unsigned int i = 0; i < AS_LIBRARY_LOST_COUNT; i++)
		sample(p, "alpnscope_library_lost_total", "reason", reasons[i], s->lost[i]);
}

static void write_joined(const struct page *p, const struct library_stats *s)
{
	static const char *const reasons[ANSWERS_UNMATCHED_COUNT] = {
		[ANSWERS_NO_HANDSHAKE] = "no_handshake",
		[ANSWERS_LATE] = "late",
		[ANSWERS_CONFLICT] = "conflict",
		[ANSWERS_UNVERIFIED] = "unverified",
		[ANSWERS_IN_CLEAR] = "in_clear",
		[ANSWERS_TOO_EARLY] = "too_early",
		[ANSWERS_FULL] = "full",
	};

	family(p, EXPO_COUNTER, "alpnscope_library_joined",
	       "Handshakes whose outcome is known from a TLS library.");
	expo_sample(p->out, "alpnscope_library_joined_total", NULL);
	expo_number(p->out, s->handshakes.taken);
	family(p, EXPO_COUNTER, "alpnscope_library_unmatched",
	       "Handshakes that a TLS library answered for in vain, by reason.");
	for (unsigned int i = 0; i < ANSWERS_UNMATCHED_COUNT; i++)
		sample(p, "alpnscope_library_unmatched_total", "reason", reasons[i],
		       s->handshakes.unmatched[i]);
	family(p, EXPO_GAUGE, "alpnscope_library_waiting",
	       "Handshakes that a TLS library answered for and that were not judged yet.");
	expo_sample(p->out, "alpnscope_library_waiting", NULL);
	expo_number(p->out, s->handshakes.waiting);
}

/* What inference gives: any other pair is 0 for ever. */
static bool is_inferred(enum evidence e, enum grade g)
{
	switch (e) {
	case EVIDENCE_ALERT:
	case EVIDENCE_RECORD_PATTERN:
		return g == GRADE_STRONG;
	case EVIDENCE_RECORD_LENGTH:
		return g != GRADE_NONE && g != GRADE_STRONG;
	default:
		return false;
	}
}

static void write_checks(const struct page *p, const char *name, const char *series,
			 const char *help, const uint64_t count[EVIDENCE_COUNT][GRADE_COUNT])
{
	family(p, EXPO_COUNTER, name, help);
	for (enum evidence e = EVIDENCE_NONE; e < EVIDENCE_COUNT; e++) {
		for (enum grade g = GRADE_NONE; g < GRADE_COUNT; g++) {
			if (!is_inferred(e, g) && !count[e][g])
				continue;
			expo_sample(p->out, series, "evidence", evidence_name(e), "grade",
				    g ? grade_name(g) : "none", NULL);
			expo_number(p->out, count[e][g]);
		}
	}
}

void metrics_library(struct buf *out, enum expo_format format, const struct library_stats *s,
		     const struct inference_check *check)
{
	const struct page page = {out, format};

	write_files(&page, s);
	write_lost(&page, s);
	write_joined(&page, s);
	write_checks(&page, "alpnscope_evidence_agreements", "alpnscope_evidence_agreements_total",
		     "Handshakes in which the inference said what the TLS library said.",
		     check->agreed);
	write_checks(&page, "alpnscope_evidence_disagreements",
		     "alpnscope_evidence_disagreements_total",
		     "Handshakes in which the inference said something else than the TLS library, "
		     "which is believed.",
		     check->disagreed);
}
