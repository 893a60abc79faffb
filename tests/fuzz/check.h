/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * check.h - rig.h without cmocka: what does not hold ends the program, so that a fuzzer
 * keeps the input.
 */
#ifndef TESTS_FUZZ_CHECK_H
#define TESTS_FUZZ_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Say what does not hold, and end. */
static inline _Noreturn void check_failed(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
	abort();
}

#define CHECK(cond)                                                                                \
	do {                                                                                       \
		if (!(cond))                                                                       \
			check_failed(__FILE__, __LINE__, #cond);                                   \
	} while (0)

/* The part of cmocka.h that rig.h and capture_file.h use. */
#define assert_true(a) CHECK(a)
#define assert_false(a) CHECK(!(a))
#define assert_non_null(a) CHECK((a) != NULL)
#define assert_null(a) CHECK((a) == NULL)
#define assert_int_equal(a, b) CHECK((uint64_t)(a) == (uint64_t)(b))
#define assert_ptr_not_equal(a, b) CHECK((a) != (b))
#define assert_memory_equal(a, b, n) CHECK(!memcmp(a, b, n))
#define assert_in_range(a, low, high)                                                              \
	CHECK((uint64_t)(a) >= (uint64_t)(low) && (uint64_t)(a) <= (uint64_t)(high))
#define print_error(...) fprintf(stderr, __VA_ARGS__)
#define fail_msg(...) check_failed(__FILE__, __LINE__, "a test")
#define _fail(file, line) check_failed(file, line, "the counters")

#include "rig.h"

#endif
