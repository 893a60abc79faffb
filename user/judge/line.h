/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * line.h - the lengths of one server's TLS 1.3 flights, and what one says of another: what all
 * have in common, and ALPN on top (docs/TLS13.md, "Learning"). No hostile byte is kept.
 */
#ifndef ALPNSCOPE_LINE_H
#define ALPNSCOPE_LINE_H

#include <stdbool.h>
#include <stdint.h>

#define LINE_SAMPLES 2 /* how many must speak against an answer to rule it out */
#define LINE_SIZES 8 /* in one offer */
#define LINE_KINDS 12 /* of one server: the one not met for longest makes way */

/** struct line_sizes - how many bytes ALPN may take in the answer to an offer, each once. */
struct line_sizes {
	uint16_t count;
	uint16_t size[LINE_SIZES];
};

/**
 * struct line_flight - what was measured of one flight.
 * @hash: of the offer; flights with another one are another kind
 * @shape: all else that the length may depend on; only equal ones are compared
 * @at: its place in the line: line_next() for a new one
 * @length: bytes, with ALPN
 * @certificate: it has a certificate and a signature in it: those may vary, and be renewed
 * @sizes: what the answer may have been
 */
struct line_flight {
	uint64_t hash;
	uint64_t shape;
	uint32_t at;
	uint16_t length;
	bool certificate;
	struct line_sizes sizes;
};

/* Flights of one offer and one shape, all of one length (an ECDSA signature varies a little). */
struct line_kind {
	uint64_t hash, shape;
	uint32_t first, last; /* places */
	uint16_t count; /* 0: free */
	uint16_t proved; /* of them: whose answer was known otherwise, and took this size */
	uint16_t proved_size;
	uint16_t min, max; /* bytes */
	bool certificate;
	struct line_sizes sizes;
};

/** struct line - all zero is an empty one. */
struct line {
	uint32_t clock;
	uint32_t broken; /* a kind changed its length here: 0 never */
	struct line_kind kind[LINE_KINDS];
};

enum line_fit {
	LINE_UNKNOWN, /* more than one answer is possible */
	LINE_FITS, /* one is, and enough speaks against each other */
	LINE_BROKEN, /* its own kind had another length: another certificate, or answer */
	LINE_MISFIT, /* nothing explains it: what is known is of another certificate */
};

/** line_add_size - put @size into @z, in its order; false when there is no place. */
bool line_add_size(struct line_sizes *z, unsigned int size);

/** line_next - the place of the flight that comes next. */
uint32_t line_next(const struct line *l);

/**
 * line_judge - how many bytes of @f are ALPN's?
 * @size: set with LINE_FITS
 *
 * An answer must agree with all flights of the same shape, and LINE_SAMPLES of them must speak
 * against each other one. Flights that a run spans together with @f count as that many, even a
 * single one: a run is flights of one kind with one length, between which nothing changed. Where
 * no run spans both, the lengths must agree to the byte, until a signature was seen to vary.
 * Behind a break only those count that were met since.
 */
enum line_fit line_judge(const struct line *l, const struct line_flight *f, unsigned int *size);

/**
 * line_overlaps - was @f, or its like before and after it, met between places @first and @last?
 * So that what holds from one of these to the other holds for @f, whose length did not change.
 */
bool line_overlaps(const struct line *l, const struct line_flight *f, uint32_t first,
		   uint32_t last);

/**
 * line_add - remember @f, whose place is line_next(), after line_judge().
 * @proved: the size of its answer when that is known otherwise, -1 when not
 */
void line_add(struct line *l, const struct line_flight *f, int proved);

/** line_break - its kind changed its length with @f: what was not met since the last break goes. */
void line_break(struct line *l, const struct line_flight *f);

/** line_forget - forget all flights that are compared with @f; with a certificate, all of such. */
void line_forget(struct line *l, const struct line_flight *f);

#endif
