// SPDX-License-Identifier: GPL-2.0-only
#include "report.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "text.h"

struct report *report_new(size_t limit)
{
	struct report *report = calloc(1, sizeof(*report));

	if (report)
		report->limit = limit;
	return report;
}

void report_free(struct report *report)
{
	struct report_service *s, *next;

	if (!report)
		return;
	HASH_ITER (hh, report->services, s, next) {
		HASH_DEL(report->services, s);
		free(s);
	}
	free(report);
}

void report_address(char *text, size_t size, const uint8_t addr[16])
{
	struct in6_addr v6;

	memcpy(&v6, addr, sizeof(v6));
	if (IN6_IS_ADDR_V4MAPPED(&v6))
		inet_ntop(AF_INET, addr + 12, text, (socklen_t)size);
	else
		inet_ntop(AF_INET6, addr, text, (socklen_t)size);
}

/* Text under construction, empty; its memory is kept for the next one. */
static struct buf *scratch(void)
{
	static struct buf b;

	buf_clear(&b);
	return &b;
}

static void put_text(char *to, size_t size, const struct buf *text)
{
	static struct buf cut;

	buf_clear(&cut);
	buf_cut(&cut, text->data ? text->data : "", size - 1);
	text_copy(to, size, cut.data ? cut.data : "");
}

static void put_sni(char *to, size_t size, const struct as_handshake *hs)
{
	struct buf *b = scratch();

	buf_escaped(b, as_sni(hs), hs->sni_len);
	put_text(to, size, b);
}

/* A comma and a blank in a name would look like two names. */
static void put_name(struct buf *b, const struct alpn_name *name)
{
	for (unsigned int i = 0; i < name->len; i++)
		if (name->bytes[i] == ',' || name->bytes[i] == ' ')
			buf_printf(b, "\\x%02x", name->bytes[i]);
		else
			buf_escaped(b, name->bytes + i, 1);
	if (!name->len)
		buf_puts(b, "\"\"");
}

static void put_offer(struct report_case *c, const struct event *ev)
{
	const struct verdict *v = &ev->verdict;
	struct buf *b = scratch();

	for (unsigned int i = 0; i < v->offered.count && b->len < sizeof(c->offered); i++) {
		buf_puts(b, i ? "," : "");
		put_name(b, &v->offered.name[i]);
	}
	if (!v->has_offer)
		buf_puts(b, ev->hs->kind == AS_KIND_ORPHAN ? "?" : "-");
	put_text(c->offered, sizeof(c->offered), b);
	buf_clear(b);
	if (v->has_chosen)
		put_name(b, &v->chosen);
	else
		buf_puts(b, v->outcome == OUTCOME_IGNORED || v->outcome == OUTCOME_NOT_OFFERED
				    ? "-"
				    : "?");
	put_text(c->chosen, sizeof(c->chosen), b);
}

/* A hash of all that put_sni() and put_offer() look at; not 0. */
static uint64_t text_of(const struct event *ev)
{
	const struct as_handshake *hs = ev->hs;
	const struct verdict *v = &ev->verdict;
	const uint32_t facts[] = {hs->sni_len,	 hs->alpn_len, hs->kind,     v->has_offer,
				  v->has_chosen, v->outcome,   v->chosen.len};
	uint64_t parts[] = {hash_bytes(facts, sizeof(facts)),
			    hash_bytes(hs->names, (size_t)hs->sni_len + hs->alpn_len),
			    v->has_chosen ? hash_bytes(v->chosen.bytes, v->chosen.len) : 0};

	return hash_bytes(parts, sizeof(parts)) | 1;
}

static void keep_case(struct report_case *c, const struct event *ev)
{
	if (ev->wall_ns < c->wall_ns) /* handshakes end in another order than they began in */
		return;
	c->wall_ns = ev->wall_ns;
	c->ends = event_ends(ev);
	if (c->text != text_of(ev)) { /* seldom, and dear */
		c->text = text_of(ev);
		put_sni(c->sni, sizeof(c->sni), ev->hs);
		put_offer(c, ev);
	}
	c->version = ev->verdict.version;
	c->outcome = ev->verdict.outcome;
	c->evidence = ev->verdict.evidence;
	c->grade = ev->verdict.grade;
}

static struct report_tally *tally_of(struct report_mix *mix, const char *label)
{
	for (unsigned int i = 0; i < mix->used; i++)
		if (!strcmp(mix->tally[i].label, label))
			return &mix->tally[i];
	return NULL;
}

/* The last place is for "other". */
static void mix_add(struct report_mix *mix, const char *label)
{
	struct report_tally *t = tally_of(mix, label);

	if (!t && mix->used >= REPORT_TALLIES - 1) {
		label = "other";
		t = tally_of(mix, label);
	}
	if (!t) {
		t = &mix->tally[mix->used++];
		t->label = label;
	}
	t->count++;
}

/* Where @name stands in the offer, or its count. */
static unsigned int place_of(const struct alpn_list *offered, const char *name)
{
	unsigned int i = 0;

	while (i < offered->count && !alpn_is(&offered->name[i], name))
		i++;
	return i;
}

static void count_order(struct report_order *order, const struct verdict *v)
{
	unsigned int h2 = place_of(&v->offered, "h2");
	unsigned int http1 = place_of(&v->offered, "http/1.1");

	if (v->outcome != OUTCOME_NEGOTIATED || h2 == v->offered.count || http1 == v->offered.count)
		return;
	if (alpn_is(&v->chosen, "h2"))
		(h2 < http1 ? &order->h2_first : &order->http1_first)->h2++;
	else if (alpn_is(&v->chosen, "http/1.1"))
		(h2 < http1 ? &order->h2_first : &order->http1_first)->http1++;
}

/* What was answered to an offer of h2 in its place; NULL when nothing was. */
static const char *other_answer(const struct verdict *v)
{
	switch (v->outcome) {
	case OUTCOME_NEGOTIATED:
	case OUTCOME_IGNORED:
		return verdict_protocol_label(v);
	case OUTCOME_REJECTED:
	case OUTCOME_VIOLATION:
		return outcome_name(v->outcome);
	default:
		return NULL;
	}
}

static void count_grpc(struct report_grpc *g, const struct event *ev)
{
	const struct verdict *v = &ev->verdict;
	unsigned int h2 = place_of(&v->offered, "h2");
	const char *answer = other_answer(v);

	if (h2 == v->offered.count)
		return;
	g->unknown += v->outcome == OUTCOME_UNDETERMINED;
	if (!answer)
		return;
	if (v->outcome == OUTCOME_NEGOTIATED && alpn_is(&v->chosen, "h2")) {
		g->h2++;
		if (ev->wall_ns > g->last_h2_ns)
			g->last_h2_ns = ev->wall_ns;
		return;
	}
	for (unsigned int i = 0; v->outcome == OUTCOME_NEGOTIATED && i < h2; i++)
		if (alpn_equal(&v->offered.name[i], &v->chosen)) {
			g->followed++;
			return;
		}
	g->refused++;
	g->inferred += v->grade != GRADE_NONE;
	mix_add(&g->mix, answer);
	keep_case(&g->last, ev);
}

/* Would it be a fallback if the server had answered with the least? */
static bool may_be_fallback(const struct verdict *v, const struct event_side *side)
{
	struct verdict least;

	if (v->outcome != OUTCOME_UNDETERMINED || side->exempt || side->cause != CAUSE_NONE)
		return false;
	if (!v->has_offer) /* ECH: what the inner hello offers is not known */
		return side->expect.source != EXPECT_NONE;
	verdict_copy(&least, v);
	least.outcome = OUTCOME_IGNORED;
	return cause_is_fallback(verdict_cause(&least, &side->expect));
}

static void keep_processes(struct report_service *s, const struct event *ev)
{
	for (unsigned int i = 0; i < ev->side_count; i++) {
		const struct event_side *side = &ev->side[i];
		char *to = side->role == ROLE_CLIENT ? s->client : s->server;

		if (side->role != ROLE_TRANSIT && side->work.process[0])
			text_copy(to, sizeof(s->server), side->work.process);
	}
}

static void count_fallback(struct report_service *s, const struct event *ev,
			   const struct event_side *side, const uint8_t *peer)
{
	if (side->cause != CAUSE_NONE)
		s->causes[side->cause]++;
	s->maybe += may_be_fallback(&ev->verdict, side);
	s->exempt += side->exempt;
	if (cause_is_fallback(side->cause)) {
		topk_add(&s->fallen_peers, peer);
		keep_case(&s->fallen, ev);
		s->last_fallback_ns = s->fallen.wall_ns;
	} else if (side->cause != CAUSE_NONE) {
		topk_add(&s->lesser_peers, peer);
	}
	if (verdict_expected(&ev->verdict, &side->expect, side->cause) &&
	    ev->wall_ns > s->last_expected_ns)
		s->last_expected_ns = ev->wall_ns;
	expectation_join(&s->expect, &side->expect);
}

static void count_side(struct report_service *s, const struct event *ev,
		       const struct event_side *side)
{
	const struct ends ends = event_ends(ev);
	const uint8_t *peer = side->role == ROLE_CLIENT ? ends.server_addr : ends.client_addr;

	s->handshakes++;
	mix_add(&s->mix, verdict_protocol_label(&ev->verdict));
	s->outcomes[ev->verdict.outcome]++;
	s->known[ev->verdict.evidence][ev->verdict.grade]++;
	if (!s->first_ns || ev->wall_ns < s->first_ns)
		s->first_ns = ev->wall_ns;
	if (ev->wall_ns > s->last_ns)
		s->last_ns = ev->wall_ns;
	count_order(&s->order, &ev->verdict);
	count_grpc(&s->grpc, ev);
	topk_add(&s->peers, peer);
	keep_case(&s->last, ev);
	keep_processes(s, ev);
	count_fallback(s, ev, side, peer);
}

/* In transit nobody here has a name for it: what the client asked for stands for the service. */
static void transit_key(struct report_key *key, const struct event *ev)
{
	const struct ends ends = event_ends(ev);
	char text[INET6_ADDRSTRLEN];

	key->port = ends.server_port;
	if (ev->hs->sni_len) {
		put_sni(key->name, sizeof(key->name), ev->hs);
		for (char *c = key->name; *c; c++) /* RFC 6066 section 3 */
			if (*c >= 'A' && *c <= 'Z')
				*c += 'a' - 'A';
		return;
	}
	report_address(text, sizeof(text), ends.server_addr);
	snprintf(key->name, sizeof(key->name), strchr(text, ':') ? "[%s]" : "%s", text);
}

static bool is_unknown(const struct event_side *side)
{
	return !strcmp(side->service, "unknown");
}

static void key_of(struct report_key *key, const struct event *ev, const struct event_side *side)
{
	memset(key, 0, sizeof(*key));
	key->role = (uint16_t)side->role;
	key->port = ev->hs->server_port;
	if (side->role == ROLE_TRANSIT && is_unknown(side))
		transit_key(key, ev);
	else
		text_copy(key->name, sizeof(key->name), side->service);
}

static struct report_service *find(struct report *report, const struct report_key *key)
{
	struct report_service *s;

	HASH_FIND(hh, report->services, key, sizeof(*key), s);
	return s;
}

static struct report_service *add(struct report *report, const struct report_key *key)
{
	struct report_service *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->key = *key;
	HASH_ADD(hh, report->services, key, sizeof(s->key), s);
	if (!s->hh.tbl) {
		free(s);
		return NULL;
	}
	return s;
}

/* Names that anybody can invent must leave room for those of this host's servers. */
static size_t room(const struct report *report, const struct event_side *side)
{
	if (side->reserved)
		return SIZE_MAX;
	if (side->role == ROLE_TRANSIT || is_unknown(side))
		return report->limit / 2;
	return side->role == ROLE_CLIENT ? report->limit / 4 * 3 : report->limit;
}

void report_event(struct report *report, const struct event *ev)
{
	if (ev->wall_ns > report->last_ns)
		report->last_ns = ev->wall_ns;
	for (unsigned int i = 0; i < ev->side_count; i++) {
		const struct event_side *side = &ev->side[i];
		struct report_service *s;
		struct report_key key;

		key_of(&key, ev, side);
		s = find(report, &key);
		if (!s && HASH_COUNT(report->services) < room(report, side))
			s = add(report, &key);
		if (s)
			count_side(s, ev, side);
		else
			report->overflow++;
	}
}

void report_declare(struct report *report, const char *name, uint16_t port, enum role role,
		    const struct expectation *expect)
{
	struct report_service *s;
	struct report_key key;

	memset(&key, 0, sizeof(key));
	snprintf(key.name, sizeof(key.name), "%s", name);
	key.port = port;
	key.role = (uint16_t)role;
	s = find(report, &key);
	s = s ? s : add(report, &key);
	if (s)
		expectation_join(&s->expect, expect);
}

void report_expect_nothing(struct report *report)
{
	for (struct report_service *s = report->services; s; s = s->hh.next)
		memset(&s->expect, 0, sizeof(s->expect));
}

uint64_t report_fallbacks(const struct report_service *s)
{
	uint64_t count = 0;

	for (int cause = 0; cause < CAUSE_COUNT; cause++)
		if (cause_is_fallback((enum cause)cause))
			count += s->causes[cause];
	return count;
}
