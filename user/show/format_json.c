// SPDX-License-Identifier: GPL-2.0-only
/* JSON is written in order and never read back: no tree, no library. */
#include "format.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "alpnscope/wire.h"

/* The alert registry of RFC 8446 section 6 and its predecessors (IANA "TLS Alerts"). */
static const char *const alerts[256] = {
	[0] = "close_notify",
	[10] = "unexpected_message",
	[20] = "bad_record_mac",
	[21] = "decryption_failed",
	[22] = "record_overflow",
	[30] = "decompression_failure",
	[40] = "handshake_failure",
	[41] = "no_certificate",
	[42] = "bad_certificate",
	[43] = "unsupported_certificate",
	[44] = "certificate_revoked",
	[45] = "certificate_expired",
	[46] = "certificate_unknown",
	[47] = "illegal_parameter",
	[48] = "unknown_ca",
	[49] = "access_denied",
	[50] = "decode_error",
	[51] = "decrypt_error",
	[60] = "export_restriction",
	[70] = "protocol_version",
	[71] = "insufficient_security",
	[80] = "internal_error",
	[86] = "inappropriate_fallback",
	[90] = "user_canceled",
	[100] = "no_renegotiation",
	[109] = "missing_extension",
	[110] = "unsupported_extension",
	[111] = "certificate_unobtainable",
	[112] = "unrecognized_name",
	[113] = "bad_certificate_status_response",
	[114] = "bad_certificate_hash_value",
	[115] = "unknown_psk_identity",
	[116] = "certificate_required",
	[120] = "no_application_protocol",
	[121] = "ech_required",
};

/*
 * A JSON string. Of hostile bytes `\` is escaped like an unprintable byte, so that
 * \xNN can be read back; our own text keeps it.
 */
static void json_bytes(struct buf *b, const void *bytes, size_t len, bool hostile)
{
	const uint8_t *p = bytes;

	buf_puts(b, "\"");
	for (size_t i = 0; i < len; i++) {
		if (p[i] < 0x20 || p[i] >= 0x7f || (hostile && p[i] == '\\'))
			buf_printf(b, "\\\\x%02x", p[i]);
		else if (p[i] == '"' || p[i] == '\\')
			buf_printf(b, "\\%c", p[i]);
		else
			buf_add(b, p + i, 1);
	}
	buf_puts(b, "\"");
}

/* Our own text; NULL is null. */
static void json_text(struct buf *b, const char *text)
{
	if (text)
		json_bytes(b, text, strlen(text), false);
	else
		buf_puts(b, "null");
}

static const char *json_bool(bool value)
{
	return value ? "true" : "false";
}

static void json_time(struct buf *b, int64_t wall_ns)
{
	int64_t seconds = wall_ns / 1000000000, ns = wall_ns % 1000000000;
	char text[32];
	struct tm tm;
	time_t t;

	if (ns < 0) { /* before 1970, as a forged capture may claim */
		ns += 1000000000;
		seconds--;
	}
	t = (time_t)seconds;
	gmtime_r(&t, &tm);
	strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	buf_printf(b, "{\"@timestamp\":\"%s.%09" PRId64 "Z\"", text, ns);
}

static const char *event_outcome(enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_REJECTED:
	case OUTCOME_FAILED:
	case OUTCOME_VIOLATION:
		return "failure";
	case OUTCOME_INCOMPLETE:
		return "unknown";
	default:
		return "success";
	}
}

/* FNV-1a, for an id only: no attacker gains by a collision. */
static uint64_t fnv1a(uint64_t h, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		h = (h ^ p[i]) * 0x100000001b3;
	return h;
}

/* The same handshake in the same capture always gets the same id. */
static void json_id(struct buf *b, const struct as_handshake *hs)
{
	const __u8 *random = hs->kind == AS_KIND_ORPHAN ? hs->server_random : hs->client_random;
	uint64_t h = 0xcbf29ce484222325;

	h = fnv1a(h, hs->client_addr, sizeof(hs->client_addr));
	h = fnv1a(h, hs->server_addr, sizeof(hs->server_addr));
	h = fnv1a(h, &hs->client_port, sizeof(hs->client_port));
	h = fnv1a(h, &hs->server_port, sizeof(hs->server_port));
	h = fnv1a(h, &hs->hello_ns, sizeof(hs->hello_ns));
	for (int i = 0; i < 8; i++)
		buf_printf(b, "%02x", random[i]);
	buf_printf(b, "%016" PRIx64, h);
}

/* When the packet that decided the outcome came; 0 when none did. */
static uint64_t decided_ns(const struct event *ev)
{
	const struct as_handshake *hs = ev->hs;

	if (hs->kind == AS_KIND_ORPHAN || ev->verdict.outcome == OUTCOME_INCOMPLETE)
		return 0;
	if (ev->verdict.grade != GRADE_NONE ||
	    (ev->verdict.outcome != OUTCOME_REJECTED && ev->verdict.outcome != OUTCOME_FAILED))
		return hs->server_ns;
	return hs->end == AS_END_ALERT || hs->end == AS_END_RST || hs->end == AS_END_FIN
		       ? hs->end_ns
		       : 0;
}

static void json_event(struct buf *b, const struct event *ev)
{
	uint64_t hello = ev->hs->hello_ns, decided = decided_ns(ev);

	buf_puts(b, ",\"ecs\":{\"version\":\"8.11.0\"},\"event\":{\"kind\":\"event\","
		    "\"category\":[\"network\"],\"type\":[\"protocol\"]");
	buf_printf(b, ",\"outcome\":\"%s\",\"id\":\"", event_outcome(ev->verdict.outcome));
	json_id(b, ev->hs);
	if (decided && decided >= hello)
		buf_printf(b, "\",\"duration\":%" PRIu64 "}", decided - hello);
	else
		buf_puts(b, "\",\"duration\":null}");
}

static void json_address(struct buf *b, int family, const uint8_t *addr, unsigned int port)
{
	char text[INET6_ADDRSTRLEN];

	if (family == 4)
		inet_ntop(AF_INET, addr + 12, text, sizeof(text));
	else
		inet_ntop(AF_INET6, addr, text, sizeof(text));
	buf_printf(b, "\"ip\":\"%s\",\"port\":%u", text, port);
}

/* What an end was translated to; nothing when that is what it is @dialled by. */
static void json_nat(struct buf *b, const struct event *ev, bool server)
{
	const struct ends *to = ev->reached, *of = ev->dialled;
	const uint8_t *addr;
	unsigned int port;

	if (!to)
		return;
	addr = server ? to->server_addr : to->client_addr;
	port = server ? to->server_port : to->client_port;
	if (port == (server ? of->server_port : of->client_port) &&
	    !memcmp(addr, server ? of->server_addr : of->client_addr, 16))
		return;
	buf_puts(b, ",\"nat\":{");
	json_address(b, to->family, addr, port);
	buf_puts(b, "}");
}

static void json_network(struct buf *b, const struct event *ev)
{
	struct ends ends = event_ends(ev);

	buf_printf(b, ",\"network\":{\"transport\":\"tcp\",\"type\":\"ipv%c\"},\"client\":{",
		   ends.family == 4 ? '4' : '6');
	json_address(b, ends.family, ends.client_addr, ends.client_port);
	json_nat(b, ev, false);
	buf_puts(b, "},\"server\":{");
	json_address(b, ends.family, ends.server_addr, ends.server_port);
	json_nat(b, ev, true);
	buf_puts(b, "}");
}

/* What the client said; all of it is unknown when its hello was not seen. */
static void json_client_hello(struct buf *b, const struct event *ev)
{
	const struct as_handshake *hs = ev->hs;
	const struct alpn_list *offered = &ev->verdict.offered;

	if (hs->kind == AS_KIND_ORPHAN) {
		buf_puts(b, "{\"server_name\":null,\"alpn\":null,\"ech\":null,\"pq\":null}");
		return;
	}
	buf_puts(b, "{\"server_name\":");
	if (hs->sni_len)
		json_bytes(b, as_sni(hs), hs->sni_len, true);
	else
		buf_puts(b, "null");
	buf_printf(b, ",\"alpn\":%s", ev->verdict.has_offer ? "[" : "null");
	for (unsigned int i = 0; ev->verdict.has_offer && i < offered->count; i++) {
		buf_puts(b, i ? "," : "");
		json_bytes(b, offered->name[i].bytes, offered->name[i].len, true);
	}
	buf_puts(b, ev->verdict.has_offer ? "]" : "");
	buf_printf(b, ",\"ech\":%s,\"pq\":%s", json_bool(hs->client_ext & AS_X_ECH),
		   json_bool(hs->flags & AS_F_PQ));
	if (hs->flags & AS_F_ALPN_TRUNCATED)
		buf_puts(b, ",\"alpn_truncated\":true");
	if (hs->flags & AS_F_SNI_TRUNCATED)
		buf_puts(b, ",\"server_name_truncated\":true");
	buf_puts(b, "}");
}

static void json_tls(struct buf *b, const struct event *ev)
{
	const struct verdict *v = &ev->verdict;

	if (v->version == AS_SSL30)
		buf_puts(b, ",\"tls\":{\"version\":\"3.0\",\"version_protocol\":\"ssl\"");
	else if (v->version >= AS_TLS10 && v->version <= AS_TLS13)
		buf_printf(b, ",\"tls\":{\"version\":\"1.%u\",\"version_protocol\":\"tls\"",
			   v->version - AS_TLS10);
	else
		buf_puts(b, ",\"tls\":{\"version\":null,\"version_protocol\":null");
	buf_puts(b, ",\"next_protocol\":");
	if (v->has_chosen)
		json_bytes(b, v->chosen.bytes, v->chosen.len, true);
	else
		buf_puts(b, "null");
	buf_printf(b,
		   ",\"resumed\":%s,\"client\":", v->resumed < 0 ? "null" : json_bool(v->resumed));
	json_client_hello(b, ev);
	buf_puts(b, "}");
}

static void json_expected(struct buf *b, const struct expectation *e)
{
	buf_printf(b, ",\"expected\":%s", e->source == EXPECT_NONE ? "null" : "[");
	for (unsigned int i = 0; e->source != EXPECT_NONE && i < e->count; i++) {
		buf_puts(b, i ? "," : "");
		json_text(b, e->name[i]);
	}
	buf_puts(b, e->source == EXPECT_NONE ? "" : "]");
}

static void json_signals(struct buf *b, const struct event *ev)
{
	const struct verdict *v = &ev->verdict;
	const struct {
		bool seen;
		const char *name;
	} signals[] = {
		{v->scsv, "fallback_scsv"},
		{v->sentinel, "downgrade_sentinel"},
		{v->npn, "npn"},
		{ev->hs->flags & AS_F_OVERLAP_CONFLICT, "overlap_conflict"},
	};
	const char *comma = "";

	buf_puts(b, ",\"signals\":[");
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		if (!signals[i].seen)
			continue;
		buf_printf(b, "%s\"%s\"", comma, signals[i].name);
		comma = ",";
	}
	buf_puts(b, "]");
}

static void json_alert(struct buf *b, const struct as_handshake *hs)
{
	buf_puts(b, ",\"alert\":");
	if (hs->end != AS_END_ALERT) {
		buf_puts(b, "null");
		return;
	}
	buf_puts(b, "{\"level\":");
	json_text(b, hs->alert_level == AS_ALERT_WARNING ? "warning"
		     : hs->alert_level == AS_ALERT_FATAL ? "fatal"
							 : NULL);
	buf_puts(b, ",\"description\":");
	json_text(b, alerts[hs->alert_desc]);
	buf_printf(b, ",\"code\":%u,\"from\":\"%s\"}", hs->alert_desc,
		   hs->flags & AS_F_END_CLIENT ? "client" : "server");
}

static void json_alpn(struct buf *b, const struct event *ev)
{
	const struct event_side *side = &ev->side[0];

	buf_printf(b, ",\"alpn\":{\"outcome\":\"%s\",\"evidence\":\"%s\",\"grade\":",
		   outcome_name(ev->verdict.outcome), evidence_name(ev->verdict.evidence));
	json_text(b, grade_name(ev->verdict.grade));
	buf_printf(b, ",\"role\":\"%s\"", role_name(side->role));
	json_expected(b, &side->expect);
	buf_printf(b, ",\"fallback\":%s,\"cause\":", json_bool(cause_is_fallback(side->cause)));
	json_text(b, cause_name(side->cause));
	if (side->exempt)
		buf_puts(b, ",\"exempt\":true");
	json_signals(b, ev);
	buf_printf(b, ",\"retry\":%s", json_bool(ev->hs->flags & AS_F_RETRY));
	json_alert(b, ev->hs);
	buf_puts(b, "}");
}

/* The workload at one end: its service, and what is known of its process and place. All of it is
 * printable; its backslashes begin escapes. */
static void json_workload(struct buf *b, const struct event_side *side)
{
	const struct workload *w = &side->work;

	buf_puts(b, "\"service\":{\"name\":");
	json_text(b, strcmp(side->service, "unknown") ? side->service : NULL);
	buf_puts(b, "}");
	if (w->pid) {
		buf_printf(b, ",\"process\":{\"pid\":%u,\"name\":", w->pid);
		json_text(b, w->process);
		buf_puts(b, "}");
	}
	if (w->cgroup[0]) {
		buf_puts(b, ",\"cgroup\":{\"path\":");
		json_text(b, w->cgroup);
		buf_puts(b, "}");
	}
	if (!w->container_id[0] && !w->container[0])
		return;
	buf_puts(b, ",\"container\":{\"id\":");
	json_text(b, w->container_id[0] ? w->container_id : NULL);
	buf_puts(b, ",\"name\":");
	json_text(b, w->container[0] ? w->container : NULL);
	buf_puts(b, "}");
}

void format_json(const struct event *ev, struct buf *b)
{
	json_time(b, ev->wall_ns);
	json_event(b, ev);
	json_network(b, ev);
	json_tls(b, ev);
	json_alpn(b, ev);
	buf_puts(b, ",\"observer\":{\"ingress\":{\"interface\":{\"name\":");
	json_text(b, ev->ifname[0] ? ev->ifname : NULL);
	buf_puts(b, "}}},");
	json_workload(b, &ev->side[0]);
	if (ev->side_count > 1) {
		buf_puts(b, ",\"peer\":{");
		json_workload(b, &ev->side[1]);
		buf_puts(b, "}");
	}
	buf_puts(b, "}\n");
}
