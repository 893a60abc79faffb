// SPDX-License-Identifier: GPL-2.0-only
/* Services as JSON. All strings here are printable: names from the wire are escaped already. */
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "report_list.h"

static void put_string(struct buf *b, const char *text)
{
	buf_puts(b, "\"");
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			buf_puts(b, "\\");
		buf_add(b, text, 1);
	}
	buf_puts(b, "\"");
}

/* As events have them, UTC; null for never. */
static void put_time(struct buf *b, const char *key, int64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	char text[32];
	struct tm tm;

	buf_printf(b, ",\"%s\":", key);
	if (ns <= 0) {
		buf_puts(b, "null");
		return;
	}
	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, "\"%s.%09" PRId64 "Z\"", text, ns % 1000000000);
}

static void put_mix(struct buf *b, const char *key, const struct report_mix *mix)
{
	struct report_mix sorted = report_mix_sorted(mix);

	buf_printf(b, ",\"%s\":{", key);
	for (unsigned int i = 0; i < sorted.used; i++)
		buf_printf(b, "%s\"%s\":%" PRIu64, i ? "," : "", sorted.tally[i].label,
			   sorted.tally[i].count);
	buf_puts(b, "}");
}

static void put_service(struct buf *b, const struct report_service *s)
{
	buf_puts(b, "{\"service\":{\"name\":");
	put_string(b, s->key.name);
	buf_printf(b, "},\"server\":{\"port\":%u},\"alpn\":{\"role\":\"%s\"", s->key.port,
		   role_name((enum role)s->key.role));
}

static void put_outcomes(struct buf *b, const struct report_service *s)
{
	const char *comma = "";

	buf_puts(b, ",\"outcomes\":{");
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		if (!s->outcomes[i])
			continue;
		buf_printf(b, "%s\"%s\":%" PRIu64, comma, outcome_name((enum outcome)i),
			   s->outcomes[i]);
		comma = ",";
	}
	buf_puts(b, "}");
}

static void put_fallbacks(struct buf *b, const struct report_service *s)
{
	const struct expectation *e = &s->expect;
	const char *source = e->source == EXPECT_CONFIGURED ? "\"configured\"" : "\"observed\"";

	buf_printf(b, ",\"expected\":%s", e->source == EXPECT_NONE ? "null" : "[");
	for (unsigned int i = 0; e->source != EXPECT_NONE && i < e->count; i++) {
		buf_puts(b, i ? "," : "");
		put_string(b, e->name[i]);
	}
	buf_printf(b, "%s,\"expected_source\":%s", e->source == EXPECT_NONE ? "" : "]",
		   e->source == EXPECT_NONE ? "null" : source);
	buf_puts(b, ",\"causes\":{");
	for (int cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++)
		buf_printf(b, "%s\"%s\":%" PRIu64, cause > CAUSE_NONE + 1 ? "," : "",
			   cause_name((enum cause)cause), s->causes[cause]);
	buf_printf(b,
		   "},\"fallbacks_at_least\":%" PRIu64 ",\"fallbacks_at_most\":%" PRIu64
		   ",\"exempt\":%" PRIu64,
		   report_fallbacks(s), report_fallbacks(s) + s->maybe, s->exempt);
}

static void put_grpc(struct buf *b, const struct report_service *s)
{
	const struct report_grpc *g = &s->grpc;

	buf_printf(b, ",\"grpc\":\"%s\",\"h2\":%" PRIu64, grpc_verdict_name(grpc_verdict(s)),
		   g->h2);
	put_mix(b, "answered", &g->mix);
	buf_printf(b,
		   ",\"inferred\":%" PRIu64 ",\"as_client_prefers\":%" PRIu64
		   ",\"undetermined\":%" PRIu64,
		   g->inferred, g->followed, g->unknown);
	if (g->refused)
		buf_printf(b, ",\"evidence\":\"%s\",\"grade\":", evidence_name(g->last.evidence));
	else
		buf_puts(b, ",\"evidence\":null,\"grade\":");
	if (g->refused && g->last.grade != GRADE_NONE)
		put_string(b, grade_name(g->last.grade));
	else
		buf_puts(b, "null");
	put_time(b, "last", g->last.wall_ns);
	put_time(b, "last_h2", g->last_h2_ns);
}

void report_json(const struct report_query *q, const struct report_list *list, struct buf *out)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct report_service *s = list->service[i];

		put_service(out, s);
		if (q->kind == REPORT_GRPC_READY) {
			put_grpc(out, s);
		} else {
			buf_printf(out, ",\"handshakes\":%" PRIu64, s->handshakes);
			put_mix(out, "protocols", &s->mix);
			put_outcomes(out, s);
			put_fallbacks(out, s);
			put_time(out, "last_fallback", s->last_fallback_ns);
			put_time(out, "last_expected", s->last_expected_ns);
			put_time(out, "first", s->first_ns);
			put_time(out, "last", s->last_ns);
		}
		buf_puts(out, "}}\n");
	}
}
