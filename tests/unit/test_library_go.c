// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gofile.h"
#include "library_look.h"

static uint8_t file[GO_SIZE];
static const struct library_look zero;

/* What is found in the file. */
static struct library_look look(void)
{
	char path[64], why[256] = "";
	struct library_look l;
	int fd = memfd_create("go", MFD_CLOEXEC);

	assert_int_equal(write(fd, file, sizeof(file)), sizeof(file));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	assert_int_equal(library_look(path, &l, why, sizeof(why)), 0);
	close(fd);
	return l;
}

static uint64_t place(unsigned int function)
{
	return GO_CODE + (uint64_t)function * GO_STEP;
}

static void all_are_found(const struct go_options *o)
{
	struct library_look l, expected = {.kind = LIBRARY_GO};

	go_file(file, o);
	expected.go.server_hello_in = place(GO_HELLO_IN);
	expected.go.extensions_in = place(GO_EXTENSIONS_IN);
	expected.go.server_hello_out[0] = place(GO_HELLO_OUT);
	expected.go.extensions_out[0] = place(GO_EXTENSIONS_OUT);
	l = look();
	assert_memory_equal(&l, &expected, sizeof(l));
}

static void every_form_is_read(void **state)
{
	static const uint32_t magics[] = {0xfffffff0, 0xfffffff1}; /* Go 1.18, 1.20 */

	(void)state;
	for (unsigned int m = 0; m < 2; m++)
		for (int sections = 0; sections < 3; sections++)
			for (int relocated = 0; relocated < 2; relocated++)
				all_are_found(&(struct go_options){magics[m], relocated, sections});
}

static void older_tables_are_none(void **state)
{
	struct library_look l;

	(void)state;
	go_file(file, &(struct go_options){.magic = 0xfffffffa, .sections = 1}); /* Go 1.16 */
	l = look();
	assert_memory_equal(&l, &zero, sizeof(l));
}

/* test rax, rax; je 1f; ret; 1: mov rax, 0xc3; ret */
static const uint8_t two_returns[] = {0x48, 0x85, 0xc0, 0x74, 1, 0xc3, 0x48,
				      0xc7, 0xc0, 0xc3, 0,    0, 0,    0xc3};

static void returns_are_instructions(void **state)
{
	struct library_look l;

	(void)state;
	go_file(file, &(struct go_options){.magic = 0xfffffff1, .sections = 1});
	memcpy(file + place(GO_HELLO_OUT), two_returns, sizeof(two_returns));
	l = look();
	assert_int_equal(l.go.server_hello_out[0], place(GO_HELLO_OUT) + 5);
	assert_int_equal(l.go.server_hello_out[1], place(GO_HELLO_OUT) + 13);
	assert_int_equal(l.go.server_hello_out[2], 0);
	assert_int_equal(l.go.extensions_out[0], place(GO_EXTENSIONS_OUT));
}

/* Returns are given all, or none. */
static void a_function_in_doubt_is_none(void **state)
{
	struct library_look l;

	(void)state;
	go_file(file, &(struct go_options){.magic = 0xfffffff1, .sections = 1});
	file[place(GO_EXTENSIONS_OUT) + 1] = 0x06; /* no instruction of 64-bit code */
	memset(file + place(GO_HELLO_OUT), 0xc3, LIBRARY_RETS + 1);
	l = look();
	assert_int_equal(l.kind, LIBRARY_GO);
	assert_int_equal(l.go.extensions_out[0], 0);
	assert_int_equal(l.go.server_hello_out[0], 0);
	assert_int_equal(l.go.server_hello_in, place(GO_HELLO_IN));
	memset(file + place(GO_HELLO_OUT), 0xcc, GO_STEP);
	memset(file + place(GO_HELLO_OUT), 0xc3, LIBRARY_RETS);
	l = look();
	assert_int_equal(l.go.server_hello_out[LIBRARY_RETS - 1],
			 place(GO_HELLO_OUT) + LIBRARY_RETS - 1);
}

/* The text's place is confirmed by two words, or nothing is said. */
static void a_module_in_doubt_is_none(void **state)
{
	struct library_look l;

	(void)state;
	go_file(file, &(struct go_options){.magic = 0xfffffff1, .sections = 1});
	file[GO_DATA + 64 + 176] ^= 1;
	l = look();
	assert_memory_equal(&l, &zero, sizeof(l));
}

static void garbage_ends(void **state)
{
	(void)state;
	srand(1);
	for (unsigned int round = 0; round < 6000; round++) {
		static const uint64_t areas[] = {0,	     GO_TABLE, GO_TABLE + 0x200, GO_DATA,
						 GO_DYNAMIC, GO_RELA,  GO_SECTIONS,	 GO_CODE};

		if (round % 8 == 0)
			go_file(file, &(struct go_options){.magic = 0xfffffff1,
							   .relocated = round & 8,
							   .sections = (int)(round / 16 % 3)});
		for (unsigned int i = 0; i < 3; i++)
			file[areas[rand() % 8] + (uint64_t)(rand() % 128)] =
				rand() % 2 ? 0xff : (uint8_t)rand();
		(void)look();
	}
}

/* What objdump makes of the bytes from @from on, in the file @path: has it @expected? */
static bool is_code(const char *path, uint64_t from, unsigned int bytes, const char *expected)
{
	char command[512], line[256];
	bool found = false;
	FILE *p;

	snprintf(command, sizeof(command),
		 "objdump -D -b binary -m i386:x86-64 --no-show-raw-insn --start-address=%#llx "
		 "--stop-address=%#llx %s",
		 (unsigned long long)from, (unsigned long long)from + bytes, path);
	p = popen(command, "re"); /* NOLINT: a fixed path */
	assert_non_null(p);
	while (fgets(line, sizeof(line), p))
		found |= strstr(line, expected) != NULL;
	pclose(p);
	return found;
}

/* Before Go 1.21 the stack pointer is set last, with a number of one or four bytes; then rbp. */
static bool gives_frame_back(const char *path, uint64_t end)
{
	return is_code(path, end - 1, 1, "pop    %rbp") || is_code(path, end - 4, 4, ",%rsp") ||
	       is_code(path, end - 7, 7, ",%rsp");
}

/* A real one, stripped: Go's functions begin by comparing the stack with what g (r14) allows, and
 * these end by giving their frame back. */
static void prometheus_is_read(void **state)
{
	static const char path[] = "build/testroot/fs/usr/bin/prometheus";
	struct library_look l;
	char why[256] = "";

	(void)state;
	if (access(path, R_OK)) {
		print_message("%s is not there; tests/testroot.sh gets it\n", path);
		skip();
	}
	assert_int_equal(library_look(path, &l, why, sizeof(why)), 0);
	assert_int_equal(l.kind, LIBRARY_GO);
	assert_true(is_code(path, l.go.server_hello_in, 16, "0x10(%r14)"));
	assert_true(is_code(path, l.go.extensions_in, 16, "0x10(%r14)"));
	assert_true(l.go.server_hello_out[0] && l.go.extensions_out[0]);
	for (unsigned int i = 0; i < 2 * LIBRARY_RETS; i++) {
		uint64_t at = i < LIBRARY_RETS ? l.go.server_hello_out[i]
					       : l.go.extensions_out[i - LIBRARY_RETS];

		if (at)
			assert_true(is_code(path, at, 1, "ret") && gives_frame_back(path, at));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_form_is_read),
		cmocka_unit_test(older_tables_are_none),
		cmocka_unit_test(returns_are_instructions),
		cmocka_unit_test(a_function_in_doubt_is_none),
		cmocka_unit_test(a_module_in_doubt_is_none),
		cmocka_unit_test(garbage_ends),
		cmocka_unit_test(prometheus_is_read),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
#ifndef __x86_64__
	printf("1..0 # SKIP the files of these tests are amd64's\n");
	return 0;
#endif
	return cmocka_run_group_tests(tests, NULL, NULL);
}
