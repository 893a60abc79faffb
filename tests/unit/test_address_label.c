// SPDX-License-Identifier: GPL-2.0-only
/* address_label.c: the label server_address and its bound, up to /metrics. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "metrics.h"
#include "sample.h"

static void named(struct sample *s, const char *sni, size_t len)
{
	sample_init(s);
	sample_names(s, sni, len, "\x02h2", 3, "\x02h2", 3);
	sample_judge(s);
	s->ev.side[0].role = ROLE_CLIENT;
}

static void assert_label(struct address_labels *labels, const struct sample *s, const char *want)
{
	char got[ADDRESS_LABEL_MAX];

	address_label(labels, &s->ev, got);
	assert_string_equal(got, want);
}

static void name_or_address(void **state)
{
	struct address_labels labels = {.limit = 10};
	struct sample s;

	(void)state;
	named(&s, "WWW.Example.org", 15);
	assert_label(&labels, &s, "www.example.org");
	named(&s, "\xff\n\"", 3);
	assert_label(&labels, &s, "\\xff\\x0a\"");
	named(&s, "", 0);
	assert_label(&labels, &s, "10.0.0.2");
	s.hs.family = 6;
	assert_label(&labels, &s, "::ffff:10.0.0.2");
	address_labels_clear(&labels);
}

static void so_many_and_no_more(void **state)
{
	struct address_labels labels = {.limit = 2};
	struct sample s;
	char sni[16];

	(void)state;
	for (int i = 0; i < 1000; i++) {
		snprintf(sni, sizeof(sni), "h%d", i);
		named(&s, sni, strlen(sni));
		assert_label(&labels, &s, i < 2 ? sni : "_other");
	}
	named(&s, "H1", 2);
	assert_label(&labels, &s, "h1");
	labels.limit = 0;
	assert_label(&labels, &s, "");
	address_labels_clear(&labels);
}

static void a_long_name_is_cut(void **state)
{
	struct address_labels labels = {.limit = 2};
	char sni[255], want[128];
	struct sample s;

	(void)state;
	memset(sni, 'a', sizeof(sni));
	memset(want, 'a', sizeof(want) - 1);
	want[127] = '\0';
	named(&s, sni, sizeof(sni));
	assert_label(&labels, &s, want);
	address_labels_clear(&labels);
}

static void count(struct aggregate *agg, enum role role, const char *sni)
{
	struct sample s;

	named(&s, sni, strlen(sni));
	s.ev.side[0].role = role;
	assert_int_equal(aggregate_event(agg, &s.ev), 0);
}

static void in_the_metrics_of_clients_only(void **state)
{
	const struct metrics_self self = {.version = "", .libbpf = "", .hook = ""};
	static const char *const wanted[] = {
		"role=\"client\",peer=\"remote\",transport=\"tcp\",offered=\"h2\","
		"next_protocol=\"h2\",outcome=\"negotiated\",server_address=\"a\"} 2\n",
		"role=\"client\",peer=\"remote\",transport=\"tcp\",offered=\"h2\","
		"next_protocol=\"h2\",outcome=\"negotiated\",server_address=\"_other\"} 3\n",
		"role=\"server\",peer=\"remote\",transport=\"tcp\",offered=\"h2\","
		"next_protocol=\"h2\",outcome=\"negotiated\"} 1\n",
	};
	struct aggregate *agg = aggregate_new(100);
	struct buf out = {0};

	(void)state;
	agg->addresses.limit = 1;
	count(agg, ROLE_CLIENT, "a");
	count(agg, ROLE_CLIENT, "b");
	count(agg, ROLE_CLIENT, "A");
	count(agg, ROLE_CLIENT, "longer.than._other.example");
	count(agg, ROLE_CLIENT, "d");
	count(agg, ROLE_SERVER, "a");
	metrics_write(&out, EXPO_TEXT, agg, &self);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		if (!strstr(out.data, wanted[i]))
			fail_msg("missing: %s\n%s", wanted[i], out.data);
	assert_int_equal(HASH_COUNT(agg->services), 2);
	buf_free(&out);
	aggregate_free(agg);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_or_address),
		cmocka_unit_test(so_many_and_no_more),
		cmocka_unit_test(a_long_name_is_cut),
		cmocka_unit_test(in_the_metrics_of_clients_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
