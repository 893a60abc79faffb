// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random handshakes, cut (differ_check.h), through the BPF programs: the native engine that
 * is held against the same handshakes sent whole has a twin here, and that must say the same.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define RIG_TWIN
#include "rig.h"

#include "differ_check.h"

#define CASES 4000
#define SEED 7
#define SEGMENT_MAX 3600 /* a frame of TEST_RUN's, headers left out */

static struct differ differ;
static uint32_t taken; /* records of the rig that were looked at */

static void give_whole(void *arg, const uint8_t *bytes, uint32_t len, uint64_t ns)
{
	const struct native_frame frame = {.bytes = bytes, .caplen = len, .ns = ns, .ifindex = 1};

	native_frame(arg, &frame);
}

static void give_cut(void *arg, const uint8_t *bytes, uint32_t len, uint64_t ns)
{
	struct rig *r = arg;

	r->now = ns;
	rig_take(r, bytes, len, false);
	while (taken < r->count)
		differ_record(&differ.cut, &r->rec[taken++]);
}

static void test_differ(void **state)
{
	struct rig *r = rig_new(RIG_FLOWS);
	struct native *whole = native_new(RIG_FLOWS, differ_record, &differ.whole);
	uint32_t wrong = 0;

	(void)state;
	assert_non_null(whole);
	differ.whole.native = whole;
	differ.cut.native = r->native;
	differ_side(&differ.run[0], give_whole, whole, DIFFER_SEGMENT_MAX);
	differ_side(&differ.run[1], give_cut, r, SEGMENT_MAX);
	for (uint32_t i = 0; i < CASES; i++) {
		const char *what = differ_case(&differ, SEED, i, SPOIL_NONE);

		if (what && wrong++ < 10)
			print_error("case %u: %s\n", i, what);
	}
	native_free(whole);
	rig_free(r);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_differ)};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
