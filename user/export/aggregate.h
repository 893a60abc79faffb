/* SPDX-License-Identifier: GPL-2.0-only */
/* aggregate.h - what the events add up to. docs/METRICS.md says what each number means. */
#ifndef ALPNSCOPE_AGGREGATE_H
#define ALPNSCOPE_AGGREGATE_H

#ifndef HASH_NONFATAL_OOM
#define HASH_NONFATAL_OOM 1
#endif
#include "hash.h"

#include "address_label.h"
#include "event.h"

#define AGGREGATE_SERIES_DEFAULT 10000
#define AGGREGATE_SERVICE_SERIES 12 /* of a table's cap, for each service that has a place */
#define AGGREGATE_LISTENERS_MAX 512 /* places beyond the caps for who listens on this host */
#define AGGREGATE_OVERFLOW "_overflow" /* service_name once a table is full */
#define AGGREGATE_DELAY_BUCKETS 17
#define AGGREGATE_PROTOCOL_MAX 32 /* bytes of a next_protocol label, terminator included */

/**
 * struct series_id - the labels of a series; those its table does not use are zero.
 * Hashed as bytes: cleared as a whole before it is filled.
 * @port: the server's, host byte order
 * @version: as in struct verdict
 * @peer_local: the other end is on this host as well
 * @address: label server_address of role client, "" when it is not used
 */
struct series_id {
	char service[SERVICE_NAME_MAX];
	char offered[12];
	char protocol[AGGREGATE_PROTOCOL_MAX];
	uint16_t port;
	uint16_t version;
	uint8_t role;
	uint8_t outcome;
	uint8_t evidence;
	uint8_t grade;
	uint8_t peer_local;
	char address[ADDRESS_LABEL_MAX];
};

/* The signals of a downgrade, as facts of the two hellos: RFC 7507; RFC 8446 section 4.1.3. */
enum downgrade { DOWNGRADE_FALLBACK_SCSV, DOWNGRADE_SENTINEL, DOWNGRADE_COUNT };

/** struct series - one series of a table; the tables keep the order of arrival. */
struct series {
	struct series_id id;
	uint64_t count;
	UT_hash_handle hh;
};

/**
 * struct service_series - what is kept for one (service, port, role).
 * @series: first, so that a struct series of the table `services` is one of these;
 *          its count is that of all handshakes
 * @last_fallback_ns, @last_expected_ns: CLOCK_REALTIME, 0 never
 * @listens: it has room for all its series, beyond the caps, by aggregate_listen()
 */
struct service_series {
	struct series series;
	uint64_t fallbacks[CAUSE_COUNT];
	uint64_t rejections;
	uint64_t violations;
	uint64_t downgrades[DOWNGRADE_COUNT];
	int64_t last_fallback_ns;
	int64_t last_expected_ns;
	struct expectation expect;
	bool listens;
};

/** struct delay_bound - the upper end of a bucket, as a number and as its label `le`. */
struct delay_bound {
	uint64_t ns;
	const char *le;
};

extern const struct delay_bound aggregate_delay_bounds[AGGREGATE_DELAY_BUCKETS];

/** struct delay - ClientHello to ServerHello; the buckets are not cumulative. */
struct delay {
	uint64_t bucket[AGGREGATE_DELAY_BUCKETS];
	uint64_t count;
	uint64_t sum_ns;
};

/**
 * struct aggregate - read it freely, change it through aggregate_event only.
 * @max_series: how many series each table may bring before it overflows
 * @handshakes: by service, port, role, peer, offered, protocol, outcome
 * @evidence: by service, role, version, evidence, grade
 * @services: by service, port, role; each is a struct service_series
 * @listening: service and port of those that aggregate_listen() told of
 * @listeners: services that have a place by that, AGGREGATE_LISTENERS_MAX at the most
 * @overflow: sides of events that were counted under AGGREGATE_OVERFLOW
 * @addresses: of the label server_address; its limit may be changed at any time
 */
struct aggregate {
	size_t max_series;
	struct series *handshakes;
	struct series *evidence;
	struct series *services;
	struct series *listening;
	size_t listeners;
	struct delay delay[ROLE_COUNT];
	uint64_t overflow;
	struct address_labels addresses;
};

/** aggregate_new - empty tables with a cap each; NULL when out of memory. */
struct aggregate *aggregate_new(size_t max_series);

/**
 * aggregate_event - count @ev, once for each of its sides.
 * Returns 0, or -ENOMEM: a side that found no memory was not counted at all.
 */
int aggregate_event(struct aggregate *agg, const struct event *ev);

/**
 * aggregate_declare - have the series of a service that no handshake was seen of yet, at 0, so
 * that the first ones show in increase().
 * @service: printable ASCII; @port: the server's, host byte order
 * @expect: what is expected of it; of several that are observed the best stands
 * @reserved: it is configured: it has its place whatever the tables hold already; without, it is
 *            left out where an event would go to AGGREGATE_OVERFLOW
 * Returns 0 or -ENOMEM.
 */
int aggregate_declare(struct aggregate *agg, const char *service, uint16_t port, enum role role,
		      const struct expectation *expect, bool reserved);

/**
 * aggregate_listen - a server of this host listens. It has its place whenever its first handshake
 * comes, whatever the tables hold by then, and room for all its series; it has none before that,
 * for it may not speak TLS at all.
 * @service: printable ASCII; @port: host byte order
 * Returns 0 or -ENOMEM. Beyond AGGREGATE_LISTENERS_MAX it is as any other server.
 */
int aggregate_listen(struct aggregate *agg, const char *service, uint16_t port);

/** aggregate_listen_anew - who listens is told anew. A service that has had a handshake keeps its
 * place. */
void aggregate_listen_anew(struct aggregate *agg);

/** aggregate_expect_nothing - what is expected of services has changed: it is told anew, by
 * aggregate_declare() and by each service's next handshake. */
void aggregate_expect_nothing(struct aggregate *agg);

/** aggregate_free - give everything back; NULL is fine. */
void aggregate_free(struct aggregate *agg);

#endif
