/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * packet_growth.h - a packet's cost with connections established and handshakes in flight.
 *
 * Of what is established nothing is kept but its place in `recents`, so what may grow is what is
 * touched: data packets of all N connections come in turn. Handshakes in flight keep a flow each,
 * and let packets of other connections with the same place in `gates` go on to a look-up. With
 * 60,000 in flight the agent, which is not here, would tell that the table is more than half full.
 */
#ifndef BENCH_PACKET_GROWTH_H
#define BENCH_PACKET_GROWTH_H

#include "connections.h"
#include "rows.h"

#define IN_FLIGHT_ROOM 65536
#define PASSING 100000 /* established connections whose packets come while handshakes wait */

static const uint32_t held[] = {0, 1000, 100000, 1000000}, waiting[] = {0, 1000, 16000, 60000};

/* A data packet of each of the connections @begin.. in turn. Without any, of one that never was. */
static inline double passing(enum hook hook, struct lane *l, uint32_t begin, uint32_t number)
{
	struct feed feed = {.first = established.first, .count = 1, .begin = begin};

	feed.end = begin + (number ? number : 1);
	return feed_run(hook, l, feed, number > REPEAT ? number : REPEAT);
}

/* Complete handshakes of @number connections from @begin on. */
static inline void establish(enum hook hook, struct lane *l, uint32_t begin, uint32_t number)
{
	for (uint32_t done = 0, part; l->object && done < number; done += part) {
		part = number - done < RING_SAFE ? number - done : RING_SAFE;
		one_by_one(hook, l, &tls12, begin + done, part);
	}
}

/* @number handshakes up to the ClientHello, or their answers. */
static inline void open_or_answer(struct lane *l, uint32_t begin, uint32_t number, bool answer)
{
	uint64_t before = l->records;

	for (uint32_t at = answer ? tls12.answer : 0; at <= (answer ? tls12.answer : tls12.hello);
	     at++)
		step(TC, l, &tls12, at, 1, begin, number);
	if (answer)
		expect_records(l, before, number, "in flight");
}

/* While @number handshakes wait for their answer: a data packet, and a whole handshake. */
static inline void measure_waiting(struct lane *l, uint32_t number, double *data_ns,
				   double *handshake_ns)
{
	uint32_t begin = next_connection, more = begin + number;

	if (number)
		open_or_answer(l, begin, number, false);
	*data_ns = passing(TC, l, 1, PASSING);
	*handshake_ns = one_by_one(TC, l, &tls12, more, CONNECTIONS);
	if (number)
		open_or_answer(l, begin, number, true);
}

static inline void measure_growth(void)
{
	struct row *r[HOOKS][4], *data_row[4], *handshake[4];
	char name[96];

	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "data packet, %u established", held[i]);
		r[TC][i] = new_row(TC, name);
		r[XDP][i] = new_row(XDP, name);
		snprintf(name, sizeof(name), "data packet of 100,000, %u in flight", waiting[i]);
		data_row[i] = new_row(TC, name);
		snprintf(name, sizeof(name), "handshake, %u in flight", waiting[i]);
		handshake[i] = new_row(TC, name);
	}
	next_connection += held[3];
	for (int l = 0; l < lanes; l++)
		establish(TC, &lane[l], 1, held[3]);
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < 4 * lanes; i++) {
			int l = (i + round) % lanes, n = i / lanes;

			for (int hook = TC; hook < HOOKS; hook++)
				r[hook][n]->ns[l][round] =
					passing((enum hook)hook, &lane[l], n ? 1 : 0, held[n]);
			measure_waiting(&lane[l], waiting[n], &data_row[n]->ns[l][round],
					&handshake[n]->ns[l][round]);
			if (i % lanes == lanes - 1)
				next_connection += waiting[n] + CONNECTIONS;
		}
	}
}

#endif
