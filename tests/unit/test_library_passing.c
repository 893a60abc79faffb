// SPDX-License-Identifier: GPL-2.0-only
/* library_passing.c: the first branch of a function, by hand-assembled code (Intel's and Arm's
 * manuals), the argument being in rdi or x0. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>

#include "library_passing.h"

#define CODE(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})
#define LOAD 0x48, 0x8b, 0x87, 0x88, 0x04, 0x00, 0x00 /* mov 0x488(%rdi),%rax */
#define TEST 0x48, 0x85, 0xc0 /* test %rax,%rax */
#define TEST_RDI 0x48, 0x85, 0xff
#define JE 0x74, 0x05
#define JE_NEAR 0x0f, 0x84, 0x40, 0x00, 0x00, 0x00
#define RET 0xc3

static void x86(void **state)
{
	(void)state;
	assert_int_equal(library_passing(EM_X86_64, CODE(LOAD, TEST, JE, RET)), 10);
	assert_int_equal(library_passing(EM_X86_64, CODE(LOAD, TEST, JE_NEAR, RET)), 10);
	/* endbr64, push %rbx, test %rdi,%rdi: nothing of it changes rdi */
	assert_int_equal(
		library_passing(EM_X86_64, CODE(0xf3, 0x0f, 0x1e, 0xfa, 0x53, TEST_RDI, JE, RET)),
		8);
}

static void x86_without(void **state)
{
	(void)state;
	assert_int_equal(library_passing(EM_X86_64, CODE(LOAD, TEST, RET, JE)), 0);
	/* mov 0x8(%rdi),%rdi, and xor %edi,%edi: the object is gone */
	assert_int_equal(library_passing(EM_X86_64, CODE(0x48, 0x8b, 0x7f, 0x08, TEST, JE, RET)),
			 0);
	assert_int_equal(library_passing(EM_X86_64, CODE(0x31, 0xff, TEST, JE, RET)), 0);
	/* a call, a jump: what is behind them is not for every call, or not with rdi */
	assert_int_equal(
		library_passing(EM_X86_64, CODE(0xe8, 0x10, 0x00, 0x00, 0x00, TEST, JE, RET)), 0);
	assert_int_equal(library_passing(EM_X86_64, CODE(0xeb, 0x02, RET, RET, TEST, JE, RET)), 0);
	/* jrcxz, and a prefix: single-stepped */
	assert_int_equal(library_passing(EM_X86_64, CODE(LOAD, 0xe3, 0x05, RET)), 0);
	assert_int_equal(library_passing(EM_X86_64, CODE(LOAD, 0x2e, 0x74, 0x05, RET)), 0);
	assert_int_equal(library_passing(EM_X86_64, CODE(LOAD)), 0);
	assert_int_equal(library_passing(EM_X86_64, CODE(LOAD, TEST, 0x0f)), 0);
}

static void arm64(void **state)
{
	(void)state;
	/* ldr x3, [x0, #1160]; str x3, [x1]; cbz x3, . + 12; ret */
	assert_int_equal(
		library_passing(EM_AARCH64, CODE(0x03, 0x44, 0x42, 0xf9, 0x23, 0x00, 0x00, 0xf9,
						 0x63, 0x00, 0x00, 0xb4, 0xc0, 0x03, 0x5f, 0xd6)),
		8);
	/* ldr x0, [x0, #8]; cbz x0, . + 12 */
	assert_int_equal(
		library_passing(EM_AARCH64, CODE(0x00, 0x04, 0x40, 0xf9, 0x60, 0x00, 0x00, 0xb4)),
		0);
}

static void another_machine(void **state)
{
	(void)state;
	assert_int_equal(library_passing(EM_RISCV, CODE(LOAD, TEST, JE, RET)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(x86),
		cmocka_unit_test(x86_without),
		cmocka_unit_test(arm64),
		cmocka_unit_test(another_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
