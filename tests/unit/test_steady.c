// SPDX-License-Identifier: GPL-2.0-only
/* 100,000 records of services that are known allocate nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "steady.h"

#define WARM 40000 /* until everything was met, and what is kept of handshakes is full */
#define RECORDS 100000

/* The sanitizers' (sanitizer/allocator_interface.h, which gcc lacks). */
int __sanitizer_install_malloc_and_free_hooks(void (*on_malloc)(const volatile void *, size_t),
					      void (*on_free)(const volatile void *));

static unsigned long allocations;

static void on_malloc(const volatile void *at, size_t size)
{
	(void)at, (void)size;
	allocations++;
}

static void on_free(const volatile void *at)
{
	(void)at;
}

static void nothing_is_allocated(void **state)
{
	static struct rig r;
	unsigned long before;
	void *proof;

	(void)state;
	assert_true(__sanitizer_install_malloc_and_free_hooks(on_malloc, on_free) > 0);
	before = allocations;
	proof = malloc(1);
	assert_non_null(proof);
	assert_true(allocations > before); /* it is counted */
	free(proof);
	assert_int_equal(begin(&r), 0);
	listen_there(&r);
	for (unsigned int i = 0; i < WARM; i++)
		record(&r, (int)(i % KINDS));
	before = allocations;
	for (unsigned int i = 0; i < RECORDS; i++)
		record(&r, (int)(i % KINDS));
	assert_int_equal(allocations - before, 0);
	pipeline_end(&r.p);
	assert_int_equal(r.p.received, WARM + RECORDS + 2);
	assert_int_equal(r.events, r.p.received);
	end(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_is_allocated)};

	return cmocka_run_group_tests_name("steady", tests, NULL, NULL);
}
