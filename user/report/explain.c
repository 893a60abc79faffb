// SPDX-License-Identifier: GPL-2.0-only
#include "explain.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "advice.h"
#include "alpnscope/wire.h"
#include "report_list.h"

#define PEERS_SHOWN 5
#define INDENT "             " /* as wide as a label */

static void label(struct buf *out, const char *name)
{
	buf_printf(out, "  %-11s", name);
}

static void put_time(struct buf *out, int64_t ns)
{
	time_t t = (time_t)(ns / 1000000000);
	char text[32];
	struct tm tm;

	localtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &tm);
	buf_puts(out, text);
}

static uint64_t all_causes(const struct report_service *s)
{
	uint64_t count = 0;

	for (int cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++)
		count += s->causes[cause];
	return count;
}

static const char *verdict_text(const struct report_service *s)
{
	if (!s->handshakes)
		return "nothing was seen of it yet";
	if (report_fallbacks(s))
		return "FALLS BACK, and it is the server's doing";
	if (all_causes(s) && s->last_expected_ns)
		return "as expected, but some clients ask for less";
	if (all_causes(s))
		return "its clients ask for less than is expected";
	if (s->expect.source == EXPECT_NONE)
		return "nothing is expected of it, so nothing is a fallback";
	if (s->maybe)
		return "no fallback is known, but not every answer is";
	if (s->last_expected_ns)
		return "as expected";
	return s->outcomes[OUTCOME_REJECTED] ? "refuses what its clients offer"
					     : "no fallback, nor what is expected";
}

static void put_mix(struct buf *out, const struct report_mix *mix)
{
	struct report_mix sorted = report_mix_sorted(mix);

	for (unsigned int i = 0; i < sorted.used; i++)
		buf_printf(out, "%s%s %" PRIu64, i ? ", " : "", sorted.tally[i].label,
			   sorted.tally[i].count);
	buf_puts(out, sorted.used ? "\n" : "-\n");
}

/* "record_length 3 (exact 2, likely 1)": certain evidence has no grades. */
static void put_known(struct buf *out, const struct report_service *s)
{
	const char *comma = "";

	for (int e = EVIDENCE_NONE + 1; e < EVIDENCE_COUNT; e++) {
		uint64_t all = 0;
		const char *sep = " (";

		for (int g = 0; g < GRADE_COUNT; g++)
			all += s->known[e][g];
		if (!all)
			continue;
		buf_printf(out, "%s%s %" PRIu64, comma, evidence_name((enum evidence)e), all);
		comma = ", ";
		for (int g = GRADE_NONE + 1; g < GRADE_COUNT; g++) {
			if (!s->known[e][g])
				continue;
			buf_printf(out, "%s%s %" PRIu64, sep, grade_name((enum grade)g),
				   s->known[e][g]);
			sep = ", ";
		}
		buf_puts(out, sep[0] == ',' ? ")" : "");
	}
	buf_puts(out, *comma ? "\n" : "-\n");
}

static void put_seen(struct buf *out, const struct report_service *s)
{
	const char *comma = "";

	label(out, "seen");
	buf_printf(out, "%" PRIu64 " handshakes, ", s->handshakes);
	put_time(out, s->first_ns);
	buf_puts(out, " to ");
	put_time(out, s->last_ns);
	buf_puts(out, "\n");
	label(out, "chosen");
	put_mix(out, &s->mix);
	label(out, "outcomes");
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		if (!s->outcomes[i])
			continue;
		buf_printf(out, "%s%s %" PRIu64, comma, outcome_name((enum outcome)i),
			   s->outcomes[i]);
		comma = ", ";
	}
	buf_puts(out, "\n");
	label(out, "known by");
	put_known(out, s);
	label(out, "not known");
	buf_printf(out,
		   "%" PRIu64 " undetermined (answered, encrypted), %" PRIu64
		   " incomplete (no answer was seen)\n",
		   s->outcomes[OUTCOME_UNDETERMINED], s->outcomes[OUTCOME_INCOMPLETE]);
}

static void put_expected(struct buf *out, const struct report_service *s)
{
	label(out, "expected");
	for (unsigned int i = 0; i < s->expect.count; i++)
		buf_printf(out, "%s%s", i ? "," : "", s->expect.name[i]);
	if (s->expect.source == EXPECT_NONE)
		buf_puts(out, "nothing: neither configured nor was it seen to choose an HTTP "
			      "protocol\n");
	else
		buf_puts(out, s->expect.source == EXPECT_CONFIGURED
				      ? " (configured)\n"
				      : " (observed: it chose that itself before)\n");
}

/* "10:00:00: 10.0.0.1 offered h2,http/1.1 to www.example.org, got http/1.1 (TLS 1.2, ...)" */
static void put_case(struct buf *out, const struct report_case *c)
{
	char client[64];

	report_address(client, sizeof(client), c->ends.client_addr);
	put_time(out, c->wall_ns);
	buf_printf(out, ": %s offered %s%s%s, got %s (", client, c->offered,
		   c->sni[0] ? " to " : "", c->sni, c->chosen);
	if (c->version >= AS_TLS10)
		buf_printf(out, "TLS 1.%u, ", c->version - AS_TLS10);
	buf_puts(out, evidence_name(c->evidence));
	if (c->grade != GRADE_NONE)
		buf_printf(out, ", %s", grade_name(c->grade));
	buf_puts(out, ")\n");
}

static void put_fallbacks(struct buf *out, const struct report_service *s)
{
	uint64_t least = report_fallbacks(s);

	label(out, "fallbacks");
	buf_printf(out, "at least %" PRIu64 ", at most %" PRIu64 " of %" PRIu64, least,
		   least + s->maybe, s->handshakes);
	for (int cause = CAUSE_NONE + 1, any = 0; cause < CAUSE_COUNT; cause++)
		if (s->causes[cause])
			buf_printf(out, "%s%s %" PRIu64, any++ ? ", " : ": ",
				   cause_name((enum cause)cause), s->causes[cause]);
	buf_puts(out, "\n");
	if (s->exempt) {
		label(out, "exempt");
		buf_printf(out, "%" PRIu64 " of clients that the configuration exempts\n",
			   s->exempt);
	}
	if (!least)
		return;
	label(out, "the last");
	put_case(out, &s->fallen);
	label(out, "since then");
	if (s->last_expected_ns > s->last_fallback_ns) {
		buf_puts(out, "as expected, the last time ");
		put_time(out, s->last_expected_ns);
		buf_puts(out, ": it may be mended, or differ by server name\n");
	} else {
		buf_puts(out, "never as expected");
		if (s->last_expected_ns) {
			buf_puts(out, "; before, the last time ");
			put_time(out, s->last_expected_ns);
		}
		buf_puts(out, "\n");
	}
}

static void put_peers(struct buf *out, const char *name, const struct topk *peers)
{
	struct topk sorted = *peers;
	char text[64];

	if (!peers->used)
		return;
	topk_sort(&sorted);
	label(out, name);
	for (unsigned int i = 0; i < sorted.used && i < PEERS_SHOWN; i++) {
		const struct topk_entry *e = &sorted.entry[i];

		report_address(text, sizeof(text), e->addr);
		buf_printf(out, "%s%s %" PRIu64, i ? ", " : "", text, e->count);
		if (e->over)
			buf_printf(out, " (or up to %" PRIu64 " less)", e->over);
	}
	if (sorted.used > PEERS_SHOWN)
		buf_printf(out, ", and %s%u more", sorted.used == TOPK_PLACES ? "at least " : "",
			   sorted.used - PEERS_SHOWN);
	buf_puts(out, "\n");
}

static bool expects_http(const struct report_service *s)
{
	struct alpn_name name = {(const uint8_t *)s->expect.name[0],
				 (uint8_t)strlen(s->expect.name[0])};

	return s->expect.source == EXPECT_NONE || alpn_family(&name) == ALPN_HTTP2;
}

/* Who is to change, by its process or, for want of one, what the service is called. */
static void put_program(struct buf *out, const struct report_service *s, bool server)
{
	const char *name = server ? s->server : s->client;

	if (!*name && s->key.role == (server ? ROLE_SERVER : ROLE_CLIENT))
		name = s->key.name;
	if (!expects_http(s)) {
		buf_printf(out, "%s: have it list %s first among its ALPN protocols\n",
			   server ? "the server" : "the client", s->expect.name[0]);
		return;
	}
	buf_printf(out, "%s: have it %s h2\n", advice_title(name, server),
		   server ? "choose" : "offer");
	advice_fix(out, name, server, s->key.port, INDENT "  ");
}

static void put_fix(struct buf *out, const struct report_service *s)
{
	bool server = report_fallbacks(s) > 0;

	label(out, "fix");
	if (server || all_causes(s)) {
		put_program(out, s, server);
		if (!server)
			buf_puts(out, INDENT "or say that it need not: exempt_clients in the "
					     "configuration file\n");
	} else if (s->outcomes[OUTCOME_REJECTED] && !s->last_expected_ns) {
		put_program(out, s, true);
	} else if (s->grpc.refused && s->expect.source == EXPECT_NONE) {
		buf_printf(out, "if h2 should be chosen here, say so: --expect %u=h2\n" INDENT,
			   s->key.port);
		put_program(out, s, true);
	} else {
		buf_puts(out, "nothing to mend\n");
	}
}

static void put_result(struct buf *out, const struct report_case *c, bool curl)
{
	bool none = c->outcome == OUTCOME_IGNORED || c->outcome == OUTCOME_NOT_OFFERED;

	buf_puts(out, INDENT "  # as seen: ");
	if (c->outcome == OUTCOME_REJECTED)
		buf_puts(out, "alert no application protocol\n");
	else if (none)
		buf_puts(out,
			 curl ? "server did not agree on a protocol\n" : "No ALPN negotiated\n");
	else if (c->outcome == OUTCOME_NEGOTIATED)
		buf_printf(out, curl ? "server accepted %s\n" : "ALPN protocol: %s\n", c->chosen);
	else
		buf_puts(out, "not known\n");
}

static void put_verify(struct buf *out, const struct report_service *s)
{
	const struct report_case *c = s->fallen.wall_ns	     ? &s->fallen
				      : s->grpc.last.wall_ns ? &s->grpc.last
							     : &s->last;
	struct advice_target target = {
		.port = c->ends.server_port, .sni = c->sni, .offer = c->offered};
	char address[64];
	bool same;

	report_address(address, sizeof(address), c->ends.server_addr);
	target.address = address;
	same = !strcmp(advice_offer(&target), c->offered);
	label(out, "verify");
	advice_openssl(out, &target);
	buf_puts(out, "\n");
	if (same)
		put_result(out, c, false);
	buf_puts(out, INDENT);
	if (!advice_curl(out, &target))
		buf_puts(out, "# curl offers h2,http/1.1 or http/1.1 only");
	else if (same) {
		buf_puts(out, "\n");
		put_result(out, c, true);
	}
	if (c->sni[0] && !advice_is_host(c->sni))
		buf_puts(out, "\n" INDENT "# without the server name: it is none that a command "
			      "line should hold");
	if (out->len && out->data[out->len - 1] != '\n')
		buf_puts(out, "\n");
}

void explain(const struct report_service *s, struct buf *out)
{
	bool client = s->key.role == ROLE_CLIENT;

	buf_printf(out, "%s:%u (%s): %s\n", s->key.name, s->key.port,
		   role_name((enum role)s->key.role), verdict_text(s));
	if (!s->handshakes) {
		put_expected(out, s);
		return;
	}
	put_seen(out, s);
	put_expected(out, s);
	put_fallbacks(out, s);
	label(out, "order");
	explain_order(s, out);
	buf_puts(out, "\n");
	put_peers(out, client ? "servers" : "clients", &s->peers);
	put_peers(out, "fell back", &s->fallen_peers);
	put_peers(out, "asked less", &s->lesser_peers);
	put_fix(out, s);
	put_verify(out, s);
}
