/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * report.h - what the reports (`services`, `explain`, `grpc-ready`) are made of: for each service
 * what its handshakes add up to, beside the metrics and with the same services. docs/REPORTS.md
 * says what each number means.
 */
#ifndef ALPNSCOPE_REPORT_H
#define ALPNSCOPE_REPORT_H

#ifndef HASH_NONFATAL_OOM
#define HASH_NONFATAL_OOM 1
#endif
#include "hash.h"

#include "event.h"
#include "topk.h"

#define REPORT_SERVICES_MAX 1024 /* about 6 KiB each, when they are there */
#define REPORT_NAME_MAX 256 /* bytes, terminator included */
#define REPORT_LIST_MAX 128 /* bytes of an offer as text */
#define REPORT_TALLIES 12

/** struct report_tally - how often something was chosen; @label is a static string. */
struct report_tally {
	const char *label;
	uint64_t count;
};

/** struct report_mix - tallies; what finds no place is counted as "other". */
struct report_mix {
	unsigned int used;
	struct report_tally tally[REPORT_TALLIES];
};

/**
 * struct report_case - one handshake, kept as an example.
 * @wall_ns: CLOCK_REALTIME of its ClientHello, 0 for none
 * @ends: as the client dialled
 * @sni: the server name it asked for, escaped as in events, "" without
 * @offered: names with commas, escaped; "-" for no ALPN, "?" when it was not seen
 * @chosen: escaped; "-" for none, "?" when not known
 * @version: as in struct verdict
 * @text: a hash of what the three texts were made from
 */
struct report_case {
	int64_t wall_ns;
	uint64_t text;
	struct ends ends;
	char sni[REPORT_NAME_MAX];
	char offered[REPORT_LIST_MAX];
	char chosen[REPORT_LIST_MAX];
	uint16_t version;
	enum outcome outcome;
	enum evidence evidence;
	enum grade grade;
};

/** struct report_order - what was chosen, h2 or http/1.1, where both were offered, by what the
 * client listed first. */
struct report_order {
	struct {
		uint64_t h2, http1;
	} h2_first, http1_first;
};

/**
 * struct report_grpc - the answers to offers of "h2" by exactly that name, which is all that a gRPC
 * client takes.
 * @h2: it was chosen
 * @followed: something else was, that the client had listed before h2; a client that offers only h2
 *            may get it all the same
 * @refused: anything else: another protocol, an answer without ALPN, an alert
 * @mix: what it was, of @refused: a protocol, "none", "rejected" or "violation"
 * @inferred: how many of @refused were inferred (TLS 1.3), not read
 * @unknown: undetermined
 * @last_h2_ns: CLOCK_REALTIME, 0 never
 * @last: the latest of @refused
 */
struct report_grpc {
	uint64_t h2, followed, refused, inferred, unknown;
	struct report_mix mix;
	int64_t last_h2_ns;
	struct report_case last;
};

/**
 * struct report_key - one service.
 * @name: as the metrics have it; in transit, where the workload is not known, the server name that
 *        the client asked for (in small letters), else the server's address, "[...]" for IPv6
 * @port: the server's, host byte order; in transit the one that the client dialled
 * @role: enum role; all bytes of a key count
 */
struct report_key {
	char name[REPORT_NAME_MAX];
	uint16_t port;
	uint16_t role;
};

/**
 * struct report_service - what is kept of one service.
 * @known: handshakes by how the outcome is known
 * @causes: without CAUSE_NONE
 * @maybe: undetermined, and a fallback by the server if the answer was one
 * @exempt: of clients that the operator exempts
 * @last_expected_ns: the expected protocol was chosen; like all times CLOCK_REALTIME, 0 never
 * @expect: what is expected; of several that are observed the best
 * @peers: the other ends: clients, or for the role client servers
 * @fallen_peers, @lesser_peers: likewise, of fallbacks (server_*), and of the other causes
 * @last, @fallen: the latest handshake and the latest fallback
 * @server, @client: the processes at either end, "" when not known
 */
struct report_service {
	struct report_key key;
	uint64_t handshakes;
	struct report_mix mix;
	uint64_t outcomes[OUTCOME_COUNT];
	uint64_t known[EVIDENCE_COUNT][GRADE_COUNT];
	uint64_t causes[CAUSE_COUNT];
	uint64_t maybe, exempt;
	int64_t first_ns, last_ns, last_fallback_ns, last_expected_ns;
	struct expectation expect;
	struct report_order order;
	struct report_grpc grpc;
	struct topk peers, fallen_peers, lesser_peers;
	struct report_case last, fallen;
	char server[64], client[64];
	UT_hash_handle hh;
};

/**
 * struct report - read it freely.
 * @limit: the most services. What is named by the wire alone (in transit, or a workload that is not
 *         known) may take half of them, this host's clients three quarters; configured ones come
 *         on top
 * @overflow: sides of events whose service found no place, or no memory
 * @last_ns: of the latest handshake, CLOCK_REALTIME
 */
struct report {
	size_t limit;
	struct report_service *services;
	uint64_t overflow;
	int64_t last_ns;
};

/** report_new - nothing was seen yet; NULL when out of memory. */
struct report *report_new(size_t limit);

/** report_free - NULL is fine. */
void report_free(struct report *report);

/** report_event - count @ev, once for each of its sides. */
void report_event(struct report *report, const struct event *ev);

/** report_declare - the service is configured: it has a place, beyond all limits, and is told of
 * before its first handshake. @port: host byte order. */
void report_declare(struct report *report, const char *name, uint16_t port, enum role role,
		    const struct expectation *expect);

/** report_expect_nothing - the configuration has changed: what is expected is told anew, by
 * report_declare() and by each service's next handshake. */
void report_expect_nothing(struct report *report);

/** report_fallbacks - those by the server (server_*): at least so many; with @s->maybe more at the
 * most. */
uint64_t report_fallbacks(const struct report_service *s);

/** report_address - @addr (16 bytes, network order, IPv4 mapped) as text. */
void report_address(char *text, size_t size, const uint8_t addr[16]);

#endif
