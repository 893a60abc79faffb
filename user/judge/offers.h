/* SPDX-License-Identifier: GPL-2.0-only */
/* offers.h - what one server answered to the offers that it was made. */
#ifndef ALPNSCOPE_OFFERS_H
#define ALPNSCOPE_OFFERS_H

#include "evidence.h"

#define OFFERS_MAX 8 /* the first one makes way for a ninth */
#define OFFERS_NAME_MAX 16 /* bytes of a name; longer ones are not kept */
#define OFFERS_SAMPLES 2 /* that an answer must have been met with */

/** struct offers - all zero is an empty one. */
struct offers {
	struct offers_entry {
		uint64_t hash; /* of the offer, 0: free */
		unsigned int count; /* samples of it */
		uint32_t first, last; /* their places (line.h) */
		enum answer answer;
		uint8_t len;
		uint8_t name[OFFERS_NAME_MAX];
	} offer[OFFERS_MAX];
	unsigned int next; /* the place that is taken next */
};

/**
 * offers_add - the server answered an offer with @answer.
 * @hash: of the offer, not 0
 * @samples: how many this one is worth
 * @at: its place
 *
 * Another answer to the same offer replaces what was known of it.
 */
void offers_add(struct offers *a, uint64_t hash, const struct inference *answer,
		unsigned int samples, uint32_t at);

/**
 * offers_find - what did it answer to this offer?
 * @offered: the offer; the name points to where its names do
 * @first, @last: set to the places of the samples when there is an answer
 *
 * Returns answer and name only; ANSWER_UNKNOWN with fewer than OFFERS_SAMPLES.
 */
struct inference offers_find(const struct offers *a, uint64_t hash, const struct alpn_list *offered,
			     uint32_t *first, uint32_t *last);

#endif
