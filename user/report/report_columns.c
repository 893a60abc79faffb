// SPDX-License-Identifier: GPL-2.0-only
/* Tables for people. Every cell is cut to its width. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "format.h"
#include "report_list.h"

#define COLUMNS_MAX 8
#define HOUR INT64_C(3600)
#define DAY (24 * HOUR)
#define BOLD "\033[1m"
#define RED_BOLD "\033[1;31m"
#define YELLOW "\033[33m"

/* The widths and the gaps fill FORMAT_WIDTH at the most. */
struct column {
	const char *name;
	size_t width;
};

struct cell {
	struct buf text;
	const char *color; /* NULL for none */
};

/* One line of a table; the cells are given back. */
static void put_line(struct buf *out, const struct column *columns, struct cell *cell, bool color)
{
	for (int i = 0; i < COLUMNS_MAX; i++) {
		struct buf cut = {0};

		buf_cut(&cut, cell[i].text.data ? cell[i].text.data : "", columns[i].width);
		if (color && cell[i].color)
			buf_printf(out, "%s%s\033[0m", cell[i].color, cut.data ? cut.data : "");
		else
			buf_puts(out, cut.data ? cut.data : "");
		if (i < COLUMNS_MAX - 1)
			buf_printf(out, "%*s", (int)(columns[i].width - cut.len + 1), "");
		buf_free(&cut);
		buf_free(&cell[i].text);
	}
	buf_puts(out, "\n");
}

static void put_header(struct buf *out, const struct column *columns, bool color)
{
	struct cell cell[COLUMNS_MAX] = {0};

	for (int i = 0; i < COLUMNS_MAX; i++) {
		buf_puts(&cell[i].text, columns[i].name);
		cell[i].color = BOLD;
	}
	put_line(out, columns, cell, color);
}

/* A blank would look like two cells. */
static void put_name(struct buf *b, const char *name)
{
	for (; *name; name++)
		buf_add(b, *name > ' ' && *name < 0x7f ? name : "_", 1);
}

static void put_age(struct buf *b, int64_t now_ns, int64_t then_ns)
{
	int64_t seconds = (now_ns - then_ns) / 1000000000;

	if (!then_ns)
		buf_puts(b, "-");
	else if (seconds < 1)
		buf_puts(b, "now");
	else if (seconds < 120)
		buf_printf(b, "%" PRId64 "s", seconds);
	else if (seconds < 2 * HOUR)
		buf_printf(b, "%" PRId64 "m", seconds / 60);
	else if (seconds < 2 * DAY)
		buf_printf(b, "%" PRId64 "h", seconds / HOUR);
	else
		buf_printf(b, "%" PRId64 "d", seconds / DAY);
}

/* Whole items as long as they fit: "a 3,b 2,+1". */
struct items {
	struct buf *b;
	size_t room;
	unsigned int left; /* items that found no room */
};

static void put_item(struct items *it, const char *label, uint64_t count)
{
	char text[64];
	size_t len = (size_t)snprintf(text, sizeof(text), "%s%s %" PRIu64, it->b->len ? "," : "",
				      label, count);

	/* Room for ",+N" stays. */
	if (it->left || (it->b->len && it->b->len + len > it->room - 3))
		it->left++;
	else
		buf_puts(it->b, text);
}

static void end_items(struct items *it)
{
	if (it->left)
		buf_printf(it->b, ",+%u", it->left);
}

/* As events show them: `-` for none, `?` for not known. */
static const char *short_label(const char *label)
{
	if (!strcmp(label, "none"))
		return "-";
	return strcmp(label, "unknown") ? label : "?";
}

static void put_mix(struct buf *b, size_t room, const struct report_mix *mix)
{
	struct report_mix sorted = report_mix_sorted(mix);
	struct items it = {.b = b, .room = room};

	for (unsigned int i = 0; i < sorted.used; i++)
		put_item(&it, short_label(sorted.tally[i].label), sorted.tally[i].count);
	end_items(&it);
	if (!sorted.used)
		buf_puts(b, "-");
}

/* Causes, the server's first; then what may be one. "-" where nothing is expected. */
static void put_causes(struct cell *c, size_t room, const struct report_service *s)
{
	struct items it = {.b = &c->text, .room = room};

	for (int cause = CAUSE_NONE + 1; cause < CAUSE_COUNT; cause++)
		if (s->causes[cause]) {
			put_item(&it, cause_name((enum cause)cause), s->causes[cause]);
			c->color = c->color ? c->color : YELLOW;
		}
	if (report_fallbacks(s))
		c->color = RED_BOLD;
	if (s->maybe)
		put_item(&it, "?", s->maybe);
	end_items(&it);
	if (!c->text.len)
		buf_puts(&c->text, s->expect.source == EXPECT_NONE ? "-" : "0");
}

static void put_service(const struct report_query *q, const struct report_service *s,
			const struct column *columns, struct buf *out)
{
	struct cell cell[COLUMNS_MAX] = {0};

	put_name(&cell[0].text, s->key.name);
	buf_printf(&cell[1].text, "%u", s->key.port);
	buf_puts(&cell[2].text, role_name((enum role)s->key.role));
	buf_printf(&cell[3].text, "%" PRIu64, s->handshakes);
	put_mix(&cell[4].text, columns[4].width, &s->mix);
	put_causes(&cell[5], columns[5].width, s);
	put_age(&cell[6].text, q->now_ns, s->last_fallback_ns);
	put_age(&cell[7].text, q->now_ns, s->last_ns);
	put_line(out, columns, cell, q->color);
}

/* By what the latest answer is known; `~`: inferred, and by less than an exact length. */
static void put_evidence(struct buf *b, const struct report_grpc *g)
{
	if (!g->refused) {
		buf_puts(b, "-");
		return;
	}
	buf_puts(b, evidence_name(g->last.evidence));
	if (g->last.grade != GRADE_NONE && g->last.grade != GRADE_EXACT)
		buf_puts(b, "~");
}

static void put_grpc(const struct report_query *q, const struct report_service *s,
		     const struct column *columns, struct buf *out)
{
	const struct report_grpc *g = &s->grpc;
	struct cell cell[COLUMNS_MAX] = {0};
	enum grpc_verdict verdict = grpc_verdict(s);

	put_name(&cell[0].text, s->key.name);
	buf_printf(&cell[1].text, "%u", s->key.port);
	buf_puts(&cell[2].text, grpc_verdict_name(verdict));
	cell[2].color = verdict >= GRPC_MIXED ? RED_BOLD : YELLOW;
	buf_printf(&cell[3].text, "%" PRIu64, g->h2);
	if (!g->refused && g->followed)
		buf_printf(&cell[4].text, "as client prefers %" PRIu64, g->followed);
	else
		put_mix(&cell[4].text, columns[4].width, &g->mix);
	put_evidence(&cell[5].text, g);
	buf_printf(&cell[6].text, "%" PRIu64, g->unknown);
	put_age(&cell[7].text, q->now_ns, g->refused ? g->last.wall_ns : s->last_ns);
	put_line(out, columns, cell, q->color);
}

void report_columns(const struct report_query *q, const struct report_list *list, struct buf *out)
{
	static const struct column services[COLUMNS_MAX] = {
		{"SERVICE", 20}, {"PORT", 5},	    {"ROLE", 7}, {"COUNT", 7},
		{"CHOSEN", 23},	 {"FALLBACKS", 20}, {"FELL", 5}, {"LAST", 5},
	};
	static const struct column grpc[COLUMNS_MAX] = {
		{"SERVICE", 22},  {"PORT", 5},	    {"FOR GRPC", 12}, {"H2", 5},
		{"ANSWERED", 21}, {"KNOWN BY", 15}, {"UNKNOWN", 7},   {"LAST", 5},
	};
	bool is_grpc = q->kind == REPORT_GRPC_READY;
	const struct column *columns = is_grpc ? grpc : services;

	put_header(out, columns, q->color);
	for (size_t i = 0; i < list->count; i++)
		(is_grpc ? put_grpc : put_service)(q, list->service[i], columns, out);
}
