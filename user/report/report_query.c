// SPDX-License-Identifier: GPL-2.0-only
#include "report_query.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control.h"
#include "explain.h"

static const char *const kinds[] = {
	[REPORT_SERVICES] = "services",
	[REPORT_EXPLAIN] = "explain",
	[REPORT_GRPC_READY] = "grpc-ready",
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* ---- the answer ---- */

static void say_none(const struct report *report, const struct report_query *q, char *error,
		     size_t size)
{
	struct report_query all = {.kind = REPORT_SERVICES, .filter = q->filter, .roles = q->roles};
	struct report_list list;
	size_t at = (size_t)snprintf(error, size, "nothing was seen of a service \"%.64s\"; ",
				     q->service);

	if (!report_select(report, &all, &list))
		for (size_t i = 0; i < list.count && i < 3 && at < size; i++)
			at += (size_t)snprintf(error + at, size - at, "%s%.40s:%u",
					       i ? ", " : "there are: ", list.service[i]->key.name,
					       list.service[i]->key.port);
	if (at < size)
		snprintf(error + at, size - at, "%s`alpnscope services` lists them",
			 list.count ? "; " : "");
	free(list.service);
}

static bool is_finding(const struct report_query *q, const struct report_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (q->kind == REPORT_GRPC_READY ? list->service[i]->grpc.refused > 0
						 : report_fallbacks(list->service[i]) > 0)
			return true;
	return false;
}

static void write_answer(const struct report *report, const struct report_query *q,
			 const struct report_list *list, struct buf *out)
{
	if (q->kind == REPORT_EXPLAIN) {
		for (size_t i = 0; i < list->count; i++) {
			buf_puts(out, i ? "\n" : "");
			explain(list->service[i], out);
		}
		return;
	}
	if (q->json)
		report_json(q, list, out);
	else
		report_columns(q, list, out);
	if (report->overflow && q->json)
		buf_printf(out, "{\"alpnscope\":{\"overflow\":%" PRIu64 "}}\n", report->overflow);
	else if (report->overflow)
		buf_printf(out,
			   "# %" PRIu64 " handshakes of services beyond the %zu that are kept\n",
			   report->overflow, report->limit);
}

int report_answer(const struct report *report, const struct report_query *q, struct buf *out,
		  bool *finding, char *error, size_t error_size)
{
	struct report_list list;
	int err = report_select(report, q, &list);

	if (err == -ESRCH)
		say_none(report, q, error, error_size);
	else if (err)
		snprintf(error, error_size, "out of memory: try again");
	if (!err) {
		write_answer(report, q, &list, out);
		*finding = is_finding(q, &list);
	}
	free(list.service);
	return err;
}

/* ---- the request line ---- */

void report_request(const struct report_query *q, struct buf *line)
{
	buf_puts(line, kinds[q->kind]);
	if (q->json)
		buf_puts(line, " output=json");
	if (q->color)
		buf_puts(line, " color=1");
	for (unsigned int i = 0; i < q->filter.port_count; i++)
		buf_printf(line, " port=%u", q->filter.port[i]);
	for (int i = 0; i < ROLE_COUNT; i++)
		if (q->roles & 1U << i)
			buf_printf(line, " role=%s", role_name((enum role)i));
	if (q->filter.fallback_only)
		buf_puts(line, " fallback_only=1");
	if (q->service[0])
		control_word(line, "service", q->service);
	buf_puts(line, "\n");
}

int report_set_role(unsigned int *roles, const char *value, char *error, size_t error_size)
{
	for (int i = 0; i < ROLE_COUNT; i++)
		if (!strcmp(value, role_name((enum role)i))) {
			*roles |= 1U << i;
			return 0;
		}
	snprintf(error, error_size, "'%.64s' is not server, client or transit", value);
	return -EINVAL;
}

static int set_service(struct report_query *q, const char *value, char *error, size_t size)
{
	if (*value && strlen(value) < sizeof(q->service)) {
		strcpy(q->service, value);
		return 0;
	}
	snprintf(error, size, "service= takes a name of 1 to %zu bytes", sizeof(q->service) - 1);
	return -EINVAL;
}

static int parse_word(char *word, struct report_query *q, char *error, size_t size)
{
	char *value = strchr(word, '=');

	if (!value || control_decode(value + 1)) {
		snprintf(error, size, "\"%.64s\": give key=value, the value percent-encoded", word);
		return -EINVAL;
	}
	*value++ = '\0';
	if (!strcmp(word, "output") && (!strcmp(value, "json") || !strcmp(value, "columns"))) {
		q->json = value[0] == 'j';
		return 0;
	}
	if (!strcmp(word, "color") && !strcmp(value, "1")) {
		q->color = true;
		return 0;
	}
	if (!strcmp(word, "service"))
		return set_service(q, value, error, size);
	if (!strcmp(word, "role"))
		return report_set_role(&q->roles, value, error, size);
	if (!strcmp(word, "port") || !strcmp(word, "fallback_only"))
		return filter_set(&q->filter, word, value, error, size) ? -EINVAL : 0;
	snprintf(error, size,
		 "\"%.64s\": there are: output, color, port, role, fallback_only, "
		 "service",
		 word);
	return -EINVAL;
}

int report_ask(const struct report *report, char *line, struct buf *out, char *error,
	       size_t error_size)
{
	struct report_query q = {0};
	size_t len = strcspn(line, " "), kind = 0;
	struct timespec now;
	bool finding;
	int err = 0;

	while (kind < KINDS && (strlen(kinds[kind]) != len || strncmp(line, kinds[kind], len) != 0))
		kind++;
	if (kind == KINDS)
		return -ENOENT;
	q.kind = (enum report_kind)kind;
	clock_gettime(CLOCK_REALTIME, &now);
	q.now_ns = (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
	for (char *save, *word = strtok_r(line + len, " ", &save); word && !err;
	     word = strtok_r(NULL, " ", &save))
		err = parse_word(word, &q, error, error_size);
	if (!err)
		err = report_answer(report, &q, out, &finding, error, error_size);
	if (!err)
		buf_printf(out, REPORT_END "%d\n", finding);
	return err;
}
