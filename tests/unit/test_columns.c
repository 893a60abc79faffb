// SPDX-License-Identifier: GPL-2.0-only
/* Lines for people: the cells stand where the header says, whatever is in them. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdlib.h>
#include <time.h>

#include "format.h"
#include "sample.h"

#define HEADER                                                                                     \
	"TIME         ROLE    SERVICE CLIENT          SERVER          OFFERED     CHOSEN   "       \
	"RESULT\n"

static const struct format_style plain = {.color = false};

static void assert_line(const struct sample *s, const char *expected)
{
	struct buf b = {0};

	format_columns(&s->ev, &b, &plain);
	assert_string_equal(b.data, expected);
	buf_free(&b);
}

/* Where the header's word @column stands, the line has @cell and a blank or the end. */
static void assert_cell(const struct sample *s, const char *column, const char *cell)
{
	size_t at = (size_t)(strstr(HEADER, column) - HEADER), len = strlen(cell);
	struct buf b = {0};

	format_columns(&s->ev, &b, &plain);
	assert_true(b.len > at + len);
	if (strncmp(b.data + at, cell, len) || !strchr(" \n", b.data[at + len]) ||
	    (at && b.data[at - 1] != ' '))
		fail_msg("%s is not \"%s\" in\n%s%s", column, cell, HEADER, b.data);
	if (b.len > FORMAT_WIDTH + 1 || strcspn(b.data, "\n") != b.len - 1)
		fail_msg("not one line of at most %d:\n%s", FORMAT_WIDTH, b.data);
	buf_free(&b);
}

static void test_header(void **state)
{
	struct buf b = {0};

	(void)state;
	format_header(&b, &plain);
	assert_string_equal(b.data, HEADER);
	buf_free(&b);
}

static void test_line(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	strcpy(s.ev.side[0].service, "nginx");
	assert_line(&s, "03:04:05.678 server  nginx   10.0.0.1:50123  www.example.org "
			"h2,http/1.1 h2       negotiated\n");
}

static void test_results(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	sample_expect(&s, "h2", CAUSE_SERVER_DECLINED);
	assert_cell(&s, "RESULT", "!server_declined");
	s.ev.side[0].cause = CAUSE_CLIENT_PREFERRED;
	assert_cell(&s, "RESULT", "client_preferred");
	s.ev.side[0].cause = CAUSE_CLIENT_NOT_OFFERED;
	assert_cell(&s, "RESULT", "client_not_offered");
	s.ev.side[0].cause = CAUSE_NONE;
	for (int i = 0; i < OUTCOME_COUNT; i++) {
		s.ev.verdict.outcome = (enum outcome)i;
		assert_cell(&s, "RESULT", outcome_name((enum outcome)i));
	}
	s.ev.verdict.outcome = OUTCOME_FAILED;
	s.hs.end = AS_END_RST;
	assert_cell(&s, "RESULT", "failed rst");
	s.hs.end = AS_END_FIN;
	assert_cell(&s, "RESULT", "failed fin");
	s.hs.end = AS_END_ALERT;
	s.hs.alert_desc = 112;
	assert_cell(&s, "RESULT", "failed alert 112");
}

static void test_offered(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	SAMPLE_NAMES(&s, "", "\x02h3\x02h2\x08http/1.1\x08http/1.0", "\x02h3");
	sample_judge(&s);
	assert_cell(&s, "OFFERED", "h3,h2,+2");
	SAMPLE_NAMES(&s, "", "\x0bqwertyuiopa", "");
	sample_judge(&s);
	assert_cell(&s, "OFFERED", "qwertyuiopa");
	SAMPLE_NAMES(&s, "", "\x0cqwertyuiopas", "");
	sample_judge(&s);
	assert_cell(&s, "OFFERED", "qwertyuiop~");
	SAMPLE_NAMES(&s, "", "\x0cqwertyuiopas\x02h2", "");
	sample_judge(&s);
	assert_cell(&s, "OFFERED", "qwert~,+1");
	SAMPLE_NAMES(&s, "", "", "");
	sample_judge(&s);
	assert_cell(&s, "OFFERED", "[]");
	s.hs.flags |= AS_F_ALPN_TRUNCATED;
	assert_cell(&s, "OFFERED", "~");
	s.hs.flags &= ~AS_F_ALPN_TRUNCATED;
	s.hs.client_ext = 0;
	sample_judge(&s);
	assert_cell(&s, "OFFERED", "-");
	s.hs.kind = AS_KIND_ORPHAN;
	sample_judge(&s);
	assert_cell(&s, "OFFERED", "?");
}

/* 256 names are the most that a record holds. */
static void test_most_names(void **state)
{
	char alpn[256] = {0};
	struct sample s;

	(void)state;
	sample_init(&s);
	sample_names(&s, "", 0, alpn, sizeof(alpn), "", 0);
	sample_judge(&s);
	assert_cell(&s, "OFFERED", "\"\",\"\",+254");
	s.hs.flags |= AS_F_ALPN_TRUNCATED;
	assert_cell(&s, "OFFERED", "\"\",\"\",+254~");
}

static void test_chosen(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	assert_cell(&s, "CHOSEN", "h2");
	s.ev.verdict.chosen.len = 0;
	assert_cell(&s, "CHOSEN", "\"\"");
	s.ev.verdict.has_chosen = false;
	s.ev.verdict.outcome = OUTCOME_IGNORED;
	assert_cell(&s, "CHOSEN", "-");
	s.ev.verdict.outcome = OUTCOME_NOT_OFFERED;
	assert_cell(&s, "CHOSEN", "-");
	s.ev.verdict.outcome = OUTCOME_REJECTED;
	assert_cell(&s, "CHOSEN", "?");
}

static void test_hostile_names(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	SAMPLE_NAMES(&s, "a b\x1b[31m\n\xff", "\x05h2,h3\x02\n\x1b", "\x03\r\nh");
	strcpy(s.ev.side[0].service, "a b");
	sample_judge(&s);
	assert_cell(&s, "SERVER", "a\\x20b\\x1b[31m~");
	assert_cell(&s, "OFFERED", "h2\\x2ch3,+1");
	assert_cell(&s, "CHOSEN", "\\x0d~");
	assert_cell(&s, "SERVICE", "a_b");
}

static void test_addresses(void **state)
{
	static const __u8 wide[4] = {192, 168, 100, 200};
	struct sample s;

	(void)state;
	sample_init(&s);
	SAMPLE_NAMES(&s, "", "", "");
	sample_judge(&s);
	assert_cell(&s, "SERVER", "10.0.0.2");
	s.hs.server_port = 8443;
	assert_cell(&s, "SERVER", "10.0.0.2:8443");
	memcpy(s.hs.client_addr + 12, wide, 4);
	memcpy(s.hs.server_addr + 12, wide, 4);
	assert_cell(&s, "CLIENT", "192.168.100.200");
	assert_cell(&s, "SERVER", "192.1~.200:8443");
	s.hs.family = 6;
	inet_pton(AF_INET6, "::1", s.hs.client_addr);
	inet_pton(AF_INET6, "::1", s.hs.server_addr);
	assert_cell(&s, "CLIENT", "[::1]:50123");
	assert_cell(&s, "SERVER", "[::1]:8443");
	s.hs.server_port = 443;
	assert_cell(&s, "SERVER", "::1");
	inet_pton(AF_INET6, "2001:db8:1111:2222:3333:4444:5555:6666", s.hs.client_addr);
	memcpy(s.hs.server_addr, s.hs.client_addr, 16);
	assert_cell(&s, "CLIENT", "2001:db~55:6666");
	assert_cell(&s, "SERVER", "2001:db~55:6666");
	s.hs.server_port = 65535;
	assert_cell(&s, "SERVER", "[200~666]:65535");
}

static void test_server_name_keeps_its_port(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	SAMPLE_NAMES(&s, "api.internal.example.org", "", "");
	assert_cell(&s, "SERVER", "api.internal.e~");
	s.hs.server_port = 8443;
	assert_cell(&s, "SERVER", "api.inter~:8443");
}

static void test_time_before_1970(void **state)
{
	struct sample s;

	(void)state;
	sample_init(&s);
	s.ev.wall_ns = -1;
	assert_cell(&s, "TIME", "23:59:59.999");
	s.ev.wall_ns = INT64_MIN;
	assert_cell(&s, "TIME", "00:12:43.145"); /* 1677-09-21, -9223372036.854775808 s */
}

/* Colour adds codes, never text: without them the line is the plain one. */
static void test_color(void **state)
{
	const struct format_style color = {.color = true};
	struct buf b = {0}, without = {0};
	struct sample s;

	(void)state;
	sample_init(&s);
	sample_expect(&s, "h2", CAUSE_SERVER_DECLINED);
	format_columns(&s.ev, &b, &plain);
	assert_null(strchr(b.data, '\033'));
	buf_clear(&b);
	format_columns(&s.ev, &b, &color);
	assert_non_null(strstr(b.data, "\033[1;31m!server_declined\033[0m\n"));
	for (const char *p = b.data; *p; p++) {
		if (*p == '\033')
			p = strchr(p, 'm');
		else
			buf_add(&without, p, 1);
	}
	assert_line(&s, without.data);
	buf_free(&b);
	buf_free(&without);
}

static int set_utc(void **state)
{
	(void)state;
	setenv("TZ", "UTC0", 1);
	tzset();
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header),
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_results),
		cmocka_unit_test(test_offered),
		cmocka_unit_test(test_most_names),
		cmocka_unit_test(test_chosen),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_server_name_keeps_its_port),
		cmocka_unit_test(test_time_before_1970),
		cmocka_unit_test(test_color),
	};

	return cmocka_run_group_tests(tests, set_utc, NULL);
}
