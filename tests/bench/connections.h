/* SPDX-License-Identifier: GPL-2.0-only */
/* connections.h - many new connections through a lane, timed, and what became of them. */
#ifndef BENCH_CONNECTIONS_H
#define BENCH_CONNECTIONS_H

#include "lane.h"

#define REPEAT 200000 /* of one frame */
#define CONNECTIONS 4000 /* in a round */

static struct sequence tls12, tls13, short_hello, long_hello, established;
static uint32_t next_connection = 1, next_frame;

/* Put the frames of a sequence where the feeder finds them. */
static inline void feed_sequence(struct sequence *s)
{
	s->first = next_frame;
	for (uint32_t i = 0; i < s->count; i++, next_frame++)
		if (bpf_map__update_elem(feeder->maps.frames, &next_frame, sizeof(next_frame),
					 &s->frame[i], sizeof(s->frame[i]), BPF_ANY))
			die("no room for frame %u: %s", next_frame, strerror(errno));
}

/* Frames @at.. (@count of them) of @number connections from @begin on; ns for one connection. */
static inline double step(enum hook hook, struct lane *l, const struct sequence *s, uint32_t at,
			  uint32_t count, uint32_t begin, uint32_t number)
{
	double ns = 0;

	for (uint32_t done = 0, part; done < number; done += part) {
		struct feed feed = {.first = s->first + at, .count = count, .begin = begin + done};

		part = number - done < RING_SAFE ? number - done : RING_SAFE;
		feed.end = feed.begin + part;
		ns += feed_run(hook, l, feed, part * count) * count * part;
		lane_drain(l);
	}
	return ns / number;
}

/* Did each of them become a record? */
static inline void expect_records(struct lane *l, uint64_t before, uint32_t number,
				  const char *what)
{
	if (l->object && l->records - before != number)
		die("%s: %s: %llu records of %u handshakes (counted %llu, hellos %llu)", l->name,
		    what, (unsigned long long)(l->records - before), number,
		    (unsigned long long)lane_counter(l, AS_RECORDS),
		    (unsigned long long)lane_counter(l, AS_HELLOS));
}

/* All @number connections at the same time: the first frame of each, then the second of each...;
 * ns for one frame of each kind into @ns. The segments of one hello follow each other: no more than
 * AS_SLOTS_DEFAULT hellos can be incomplete at one time. */
static inline void interleaved(enum hook hook, struct lane *l, const struct sequence *s,
			       uint32_t begin, uint32_t number, double *ns)
{
	uint64_t before = l->records;

	for (uint32_t at = 0, count; at < s->count; at += count) {
		expect_records(l, before, 0, "before the last frame");
		count = at == s->hello ? s->hello_segments : 1;
		memset(ns + at, 0, count * sizeof(*ns));
		ns[at] = step(hook, l, s, at, count, begin, number);
	}
	expect_records(l, before, number, "interleaved");
}

/* One connection after the other; ns for one connection. */
static inline double one_by_one(enum hook hook, struct lane *l, const struct sequence *s,
				uint32_t begin, uint32_t number)
{
	struct feed feed = {
		.first = s->first, .count = s->count, .begin = begin, .end = begin + number};
	uint64_t before = l->records;
	double ns = feed_run(hook, l, feed, number * s->count) * s->count;

	lane_drain(l);
	expect_records(l, before, number, "one by one");
	return ns;
}

#endif
