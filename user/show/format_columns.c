// SPDX-License-Identifier: GPL-2.0-only
/* Lines for people. Every cell is cut to its width, so hostile names cannot move others. */
#include "format.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The widths and the seven gaps fill FORMAT_WIDTH. */
enum column { TIME, ROLE, SERVICE, CLIENT, SERVER, OFFERED, CHOSEN, RESULT, COLUMNS };

static const struct {
	const char *name;
	int width;
} columns[COLUMNS] = {
	[TIME] = {"TIME", 12},	   [ROLE] = {"ROLE", 7},      [SERVICE] = {"SERVICE", 7},
	[CLIENT] = {"CLIENT", 15}, [SERVER] = {"SERVER", 15}, [OFFERED] = {"OFFERED", 11},
	[CHOSEN] = {"CHOSEN", 8},  [RESULT] = {"RESULT", 18},
};

#define BOLD "\033[1m"
#define DIM "\033[2m"
#define RED "\033[31m"
#define GREEN "\033[32m"
#define YELLOW "\033[33m"
#define RED_BOLD "\033[1;31m"

struct cell {
	struct buf text;
	const char *color; /* NULL for none */
};

static const char *data(const struct buf *b)
{
	return b->data ? b->data : "";
}

/* As buf_escaped, and blanks and commas too: they part cells and names here. */
static void put_name(struct buf *b, const uint8_t *bytes, size_t len)
{
	if (!len)
		buf_puts(b, "\"\"");
	for (size_t i = 0; i < len; i++) {
		if (bytes[i] == ' ' || bytes[i] == ',')
			buf_printf(b, "\\x%02x", bytes[i]);
		else
			buf_escaped(b, bytes + i, 1);
	}
}

/* At most @room columns of @text, its middle cut: both ends of an address tell. */
static void put_elided(struct buf *b, const char *text, size_t room)
{
	size_t len = strlen(text), head = room / 2;

	if (len <= room) {
		buf_puts(b, text);
		return;
	}
	buf_add(b, text, head);
	buf_puts(b, "~");
	buf_puts(b, text + len - (room - head - 1));
}

static void time_cell(struct cell *c, int64_t wall_ns)
{
	int64_t ms = wall_ns / 1000000 - (wall_ns % 1000000 < 0);
	int64_t part = (ms % 1000 + 1000) % 1000;
	time_t t = (time_t)((ms - part) / 1000);
	struct tm tm;

	localtime_r(&t, &tm);
	buf_printf(&c->text, "%02d:%02d:%02d.%03d", tm.tm_hour, tm.tm_min, tm.tm_sec, (int)part);
	c->color = DIM;
}

static void service_cell(struct cell *c, const char *service)
{
	if (!strcmp(service, "unknown"))
		service = "-";
	for (; *service; service++) /* a blank would look like two cells */
		buf_add(&c->text, *service > ' ' && *service < 0x7f ? service : "_", 1);
}

static void address_text(int family, const __u8 *addr, char *text, socklen_t size)
{
	if (family == 4)
		inet_ntop(AF_INET, addr + 12, text, size);
	else
		inet_ntop(AF_INET6, addr, text, size);
}

/* Who matters more than from which port: where both do not fit, the port goes. */
static void client_cell(struct cell *c, const struct ends *ends)
{
	char text[INET6_ADDRSTRLEN], whole[INET6_ADDRSTRLEN + 8];

	address_text(ends->family, ends->client_addr, text, sizeof(text));
	snprintf(whole, sizeof(whole), ends->family == 4 ? "%s:%u" : "[%s]:%u", text,
		 ends->client_port);
	if (strlen(whole) <= (size_t)columns[CLIENT].width)
		buf_puts(&c->text, whole);
	else
		put_elided(&c->text, text, (size_t)columns[CLIENT].width);
}

static void server_cell(struct cell *c, const struct as_handshake *hs, const struct ends *ends)
{
	bool bracket = !hs->sni_len && ends->family != 4 && ends->server_port != 443;
	size_t room = (size_t)columns[SERVER].width;
	char address[INET6_ADDRSTRLEN], port[8] = "";
	struct buf name = {0};

	if (ends->server_port != 443)
		room -= (size_t)snprintf(port, sizeof(port), ":%u", ends->server_port);
	if (bracket)
		room -= 2;
	buf_puts(&c->text, bracket ? "[" : "");
	if (hs->sni_len) {
		put_name(&name, as_sni(hs), hs->sni_len);
		buf_cut(&c->text, data(&name), room);
	} else {
		address_text(ends->family, ends->server_addr, address, sizeof(address));
		put_elided(&c->text, address, room);
	}
	buf_puts(&c->text, bracket ? "]" : "");
	buf_puts(&c->text, port);
	buf_free(&name);
}

/* The first @shown names, then how many more there are. */
static void put_names(struct buf *b, const struct alpn_list *list, unsigned int shown)
{
	for (unsigned int i = 0; i < shown; i++) {
		buf_puts(b, i ? "," : "");
		put_name(b, list->name[i].bytes, list->name[i].len);
	}
	if (shown < list->count)
		buf_printf(b, ",+%u", list->count - shown);
}

/* Whole names as long as they fit: part of a name could be taken for another. */
static void offered_cell(struct cell *c, const struct event *ev)
{
	const struct alpn_list *list = &ev->verdict.offered;
	bool cut = ev->hs->flags & AS_F_ALPN_TRUNCATED;
	size_t room = (size_t)columns[OFFERED].width - cut;
	/* A name and its comma take two columns or more: no need to try them all. */
	unsigned int shown = as_min(list->count, (__u32)room / 2 + 1);
	struct buf first = {0};

	do {
		buf_clear(&c->text);
		put_names(&c->text, list, shown);
	} while (c->text.len > room && shown-- > 1);
	if (c->text.len > room) { /* not even the first one fits */
		put_name(&first, list->name[0].bytes, list->name[0].len);
		buf_clear(&c->text);
		buf_cut(&c->text, data(&first), room - (list->count > 1 ? 5 : 0));
		if (list->count > 1)
			buf_printf(&c->text, ",+%u", list->count - 1);
		buf_free(&first);
	}
	if (!list->count && !cut)
		buf_puts(&c->text, "[]");
	buf_puts(&c->text, cut ? "~" : "");
}

static void chosen_cell(struct cell *c, const struct verdict *v)
{
	bool none = v->outcome == OUTCOME_IGNORED || v->outcome == OUTCOME_NOT_OFFERED;

	if (!v->has_chosen) {
		buf_puts(&c->text, none ? "-" : "?");
		return;
	}
	put_name(&c->text, v->chosen.bytes, v->chosen.len);
	c->color = BOLD;
}

static const char *result_color(enum outcome outcome, enum cause cause)
{
	if (cause_is_fallback(cause))
		return RED_BOLD;
	if (cause != CAUSE_NONE)
		return YELLOW;
	switch (outcome) {
	case OUTCOME_NEGOTIATED:
		return GREEN;
	case OUTCOME_REJECTED:
	case OUTCOME_FAILED:
	case OUTCOME_VIOLATION:
		return RED;
	case OUTCOME_INCOMPLETE:
	case OUTCOME_UNDETERMINED:
		return DIM;
	default:
		return NULL;
	}
}

/* Inferred, and by less than an exact length; where there is room for it. */
static void put_doubt(struct cell *c, const struct verdict *v)
{
	if (v->grade != GRADE_NONE && v->grade != GRADE_EXACT &&
	    c->text.len + 2 <= (size_t)columns[RESULT].width)
		buf_puts(&c->text, " ~");
}

static void result_cell(struct cell *c, const struct event *ev)
{
	enum cause cause = ev->side[0].cause;

	c->color = result_color(ev->verdict.outcome, cause);
	if (cause != CAUSE_NONE) {
		buf_puts(&c->text, cause_is_fallback(cause) ? "!" : "");
		buf_puts(&c->text, cause_name(cause));
		put_doubt(c, &ev->verdict);
		return;
	}
	buf_puts(&c->text, outcome_name(ev->verdict.outcome));
	put_doubt(c, &ev->verdict);
	if (ev->verdict.outcome != OUTCOME_FAILED)
		return;
	if (ev->hs->end == AS_END_ALERT)
		buf_printf(&c->text, " alert %u", ev->hs->alert_desc);
	else if (ev->hs->end == AS_END_RST)
		buf_puts(&c->text, " rst");
	else if (ev->hs->end == AS_END_FIN)
		buf_puts(&c->text, " fin");
}

/* Cut, pad and colour the cells, and give their memory back. */
static void put_line(struct buf *b, struct cell cell[COLUMNS], const struct format_style *style)
{
	static const char blanks[] = "                   "; /* the widest column's, and a gap */

	for (int i = 0; i < COLUMNS; i++) {
		size_t width = (size_t)columns[i].width, used;
		const char *color = style->color ? cell[i].color : NULL;
		struct buf cut = {0};

		buf_cut(&cut, data(&cell[i].text), width);
		used = cut.len;
		if (color)
			buf_printf(b, "%s%s\033[0m", color, data(&cut));
		else
			buf_puts(b, data(&cut));
		if (i < RESULT)
			buf_add(b, blanks, width - used + 1);
		buf_free(&cut);
		buf_free(&cell[i].text);
	}
	buf_puts(b, "\n");
}

void format_header(struct buf *b, const struct format_style *style)
{
	struct cell cell[COLUMNS] = {0};

	for (int i = 0; i < COLUMNS; i++) {
		buf_puts(&cell[i].text, columns[i].name);
		cell[i].color = BOLD;
	}
	put_line(b, cell, style);
}

void format_columns(const struct event *ev, struct buf *b, const struct format_style *style)
{
	struct cell cell[COLUMNS] = {0};
	struct ends ends = event_ends(ev);

	time_cell(&cell[TIME], ev->wall_ns);
	buf_puts(&cell[ROLE].text, role_name(ev->side[0].role));
	service_cell(&cell[SERVICE], ev->side[0].service);
	client_cell(&cell[CLIENT], &ends);
	server_cell(&cell[SERVER], ev->hs, &ends);
	if (ev->verdict.has_offer)
		offered_cell(&cell[OFFERED], ev);
	else
		buf_puts(&cell[OFFERED].text, ev->hs->kind == AS_KIND_ORPHAN ? "?" : "-");
	chosen_cell(&cell[CHOSEN], &ev->verdict);
	result_cell(&cell[RESULT], ev);
	put_line(b, cell, style);
}
