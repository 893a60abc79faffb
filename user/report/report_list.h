/* SPDX-License-Identifier: GPL-2.0-only */
/* report_list.h - which services of a report are shown, and in which order; as tables and JSON. */
#ifndef ALPNSCOPE_REPORT_LIST_H
#define ALPNSCOPE_REPORT_LIST_H

#include "buf.h"
#include "filter.h"
#include "report.h"

enum report_kind { REPORT_SERVICES, REPORT_EXPLAIN, REPORT_GRPC_READY };

/**
 * struct report_query - what is asked.
 * @color: columns in colour
 * @filter: its ports and fallback_only
 * @roles: bits 1 << enum role; 0 is all, or for REPORT_GRPC_READY ROLE_SERVER
 * @service: for REPORT_EXPLAIN: a name, or a name and ":PORT"
 * @now_ns: CLOCK_REALTIME to count ages from
 */
struct report_query {
	enum report_kind kind;
	bool json, color;
	struct event_filter filter;
	unsigned int roles;
	char service[REPORT_NAME_MAX + 8];
	int64_t now_ns;
};

/** struct report_list - services that were asked for, in the order to show them in. */
struct report_list {
	size_t count;
	const struct report_service **service;
};

/**
 * report_select - the services of @report that @q asks for.
 * @list: filled; give list->service to free()
 * Returns 0, -ENOMEM, or for REPORT_EXPLAIN -ESRCH when there is none.
 */
int report_select(const struct report *report, const struct report_query *q,
		  struct report_list *list);

/** report_columns - a table of services, at most FORMAT_WIDTH wide. */
void report_columns(const struct report_query *q, const struct report_list *list, struct buf *out);

/** report_json - one object a line. */
void report_json(const struct report_query *q, const struct report_list *list, struct buf *out);

/** enum grpc_verdict - what a gRPC client that takes nothing but h2 finds. */
enum grpc_verdict {
	GRPC_NOT_ASKED, /* nobody offered h2, or nobody answered */
	GRPC_READY, /* whatever is known was h2 */
	GRPC_UNDETERMINED, /* nothing is known that tells */
	GRPC_MIXED, /* h2, and something else: by server name, or over time */
	GRPC_REFUSED, /* something else, always */
};

/** grpc_verdict - of one service. */
enum grpc_verdict grpc_verdict(const struct report_service *s);

/** grpc_verdict_name - e.g. "refused"; a static string. */
const char *grpc_verdict_name(enum grpc_verdict verdict);

/** report_mix_sorted - a copy of @mix, most frequent first, equal ones by name. */
struct report_mix report_mix_sorted(const struct report_mix *mix);

#endif
