// SPDX-License-Identifier: GPL-2.0-only
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "topk.h"

static void add(struct topk *t, uint32_t n, unsigned int times)
{
	uint8_t addr[16] = {0};

	memcpy(addr, &n, sizeof(n));
	while (times--)
		topk_add(t, addr);
}

static uint32_t number(const struct topk_entry *e)
{
	uint32_t n;

	memcpy(&n, e->addr, sizeof(n));
	return n;
}

/* As long as there is room every count is exact. */
static void test_exact(void **state)
{
	struct topk t = {0};

	(void)state;
	for (uint32_t i = 0; i < TOPK_PLACES; i++)
		add(&t, i, i + 1);
	topk_sort(&t);
	assert_int_equal(t.used, TOPK_PLACES);
	for (uint32_t i = 0; i < TOPK_PLACES; i++) {
		assert_int_equal(number(&t.entry[i]), TOPK_PLACES - 1 - i);
		assert_int_equal(t.entry[i].count, TOPK_PLACES - i);
		assert_int_equal(t.entry[i].over, 0);
	}
}

static void test_equal_ones_by_address(void **state)
{
	struct topk t = {0};

	(void)state;
	add(&t, 2, 3);
	add(&t, 1, 3);
	topk_sort(&t);
	assert_int_equal(number(&t.entry[0]), 1);
	assert_int_equal(number(&t.entry[1]), 2);
}

/* Each that came more often than one time in TOPK_PLACES has a place, whatever is invented, and
 * count - over is never more than the truth, count never less. */
static void test_flood(void **state)
{
	struct topk t = {0};
	uint64_t sum = 0;

	(void)state;
	for (uint32_t i = 0; i < 100000; i++) {
		add(&t, 1000 + i, 1);
		if (i % 10 == 0)
			add(&t, 7, 1);
	}
	topk_sort(&t);
	assert_int_equal(number(&t.entry[0]), 7);
	assert_true(t.entry[0].count >= 10000);
	assert_true(t.entry[0].count - t.entry[0].over <= 10000);
	for (unsigned int i = 0; i < t.used; i++)
		sum += t.entry[i].count;
	assert_int_equal(sum, 110000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_equal_ones_by_address),
		cmocka_unit_test(test_flood),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
