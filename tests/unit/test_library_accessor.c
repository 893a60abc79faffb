// SPDX-License-Identifier: GPL-2.0-only
/* Accessors as compilers write them: in assembler, with the field's place in plain sight. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "library_accessor.h"

/* What library_accessor says of @code. */
static struct library_path path_of(uint16_t machine, const void *code, size_t size,
				   unsigned int argument, enum library_gives gives,
				   unsigned int width)
{
	struct library_path p;
	/* Flush at the end of memory of its own: to read past it is seen. */
	uint8_t *copy = malloc(size);
	bool found;

	assert_non_null(copy);
	memcpy(copy, code, size);
	found = library_accessor(machine, copy, size, argument, gives, width, &p);
	assert_int_equal(found, p.count > 0);
	free(copy);
	return p;
}

static void assert_path(struct library_path p, unsigned int count, int32_t first, int32_t second)
{
	const struct library_path expected = {.count = count, .offset = {first, second}};

	assert_int_equal(p.count, expected.count);
	assert_memory_equal(p.offset, expected.offset, sizeof(expected.offset));
}

#ifdef __x86_64__

#define CODE(name, ...)                                                                            \
	extern const char name[], name##_end[];                                                    \
	__asm__(".text\n.globl " #name "\n" #name ":\n" __VA_ARGS__ "\n" #name "_end:\n")
#define PATH(name, argument, gives, width)                                                         \
	path_of(EM_X86_64, name, (size_t)(name##_end - name), argument, gives, width)

/* if (size) memcpy(out, object->p->field, size < 32 ? size : 32), kept in saved registers */
CODE(x_memcpy, "endbr64; push %rbx; test %rdx, %rdx; je 1f; cmp $0x20, %rdx\n"
	       "mov $0x20, %ebx; cmovb %rdx, %rbx; mov 0x30(%rdi), %rax; add $0x10, %rax\n"
	       "mov %rsi, %rdi; mov %rax, %rsi; mov %rbx, %rdx; call memcpy@PLT; jmp 2f\n"
	       "1: mov $0x20, %ebx\n 2: mov %rbx, %rax; pop %rbx; ret");
/* the same, as a jump to memcpy */
CODE(x_tail, "mov %rsi, %rax; lea 0x140(%rdi), %rsi; mov %rax, %rdi; jmp memcpy@PLT");
/* the same for size: rep movsb */
CODE(x_rep, "mov %rsi, %rax; lea 0x98(%rdi), %rsi; mov %rax, %rdi; mov $32, %ecx\n"
	    "rep movsb; ret");
/* 32 bytes by vectors */
CODE(x_vector, "movups 0x44(%rdi), %xmm0; movups 0x54(%rdi), %xmm1; movups %xmm1, 0x10(%rsi)\n"
	       "movups %xmm0, (%rsi); ret");
/* the memcpy of a library that lies elsewhere, of something else */
CODE(x_other, "mov 0x140(%rip), %rsi; jmp memcpy@PLT");
/* type check: another type is asked for its inner object */
CODE(x_type, "push %rbp; mov %rsi, %rbp; mov (%rdi), %eax; test %eax, %eax; je 1f\n"
	     "test $0x80, %al; je 2f; call abort@PLT; mov %rax, %rdi; test %rax, %rax; je 2f\n"
	     "1: mov 0x168(%rdi), %rdx; mov %rdx, (%rbp)\n"
	     "2: xor %eax, %eax; pop %rbp; ret");
/* *data = NULL; if (o->p && (*data = o->p->name)) *length = o->p->length; else *length = 0 */
CODE(x_alpn, "movq $0, (%rsi); mov 0xa8(%rdi), %rcx; xor %eax, %eax; test %rcx, %rcx; je 1f\n"
	     "mov 0x3e0(%rcx), %rcx; mov %rcx, (%rsi); test %rcx, %rcx; je 1f\n"
	     "mov 0xa8(%rdi), %rax; mov 0x3e8(%rax), %eax\n 1: mov %eax, (%rdx); ret");
/* the length chosen without a jump */
CODE(x_select, "mov 0x488(%rdi), %rax; mov 0x490(%rdi), %ecx; mov %rax, (%rsi)\n"
	       "xor %r8d, %r8d; test %rax, %rax; cmove %r8d, %ecx; mov %ecx, (%rdx); ret");
/* no name is a length of zero already: its register is used again; also by a copy of it */
CODE(x_reused, "mov 0x488(%rdi), %rax; mov %rax, %rcx; mov %rax, (%rsi); test %rax, %rax; je 1f\n"
	       "mov 0x490(%rdi), %ecx\n 1: mov %ecx, (%rdx); ret");
CODE(x_reused_not, "mov 0x488(%rdi), %rax; mov %rax, (%rsi); cmp $0, %rax; jne 1f\n"
		   "mov %eax, (%rdx); ret\n 1: mov 0x490(%rdi), %eax; mov %eax, (%rdx); ret");
/* in early data another object is asked, further away */
CODE(x_early, "mov 0x30(%rdi), %rax; mov 0x118(%rax), %rcx; test %rcx, %rcx; je 1f\n"
	      "mov 0x5f8(%rcx), %rax; mov 0x178(%rax), %rax; mov %rax, (%rsi); ret\n"
	      "1: mov $0x1e8, %eax; add 0x30(%rdi), %rax; mov (%rax), %rax; mov %rax, (%rsi); ret");
/* two fields, equally near */
CODE(x_two, "cmpb $0, (%rdi); je 1f; mov 0x10(%rdi), %rax; mov %rax, (%rsi); ret\n"
	    "1: mov 0x18(%rdi), %rax; mov %rax, (%rsi); ret");
/* both datums are set to point into the object */
CODE(x_datum, "test %rsi, %rsi; je 1f; lea 0x50(%rdi), %rax; movl $32, 8(%rsi)\n"
	      "mov %rax, (%rsi)\n 1: test %rdx, %rdx; je 2f; add $0x70, %rdi; movl $32, 8(%rdx)\n"
	      "mov %rdi, (%rdx)\n 2: ret");
CODE(x_loop, "1: mov (%rdi), %rdi; test %rdi, %rdi; jne 1b; jmp 1b");
CODE(x_deep, "mov 8(%rdi), %rax; mov 8(%rax), %rax; mov 8(%rax), %rax; mov 8(%rax), %rax\n"
	     "mov 8(%rax), %rax; mov %rax, (%rsi); ret");
/* of thread-local memory at the same offset, by an index, from half of an address */
CODE(x_segment, "mov %fs:0x10(%rdi), %rax; mov %rax, (%rsi); ret");
CODE(x_index, "mov 0x10(%rdi,%rdx,1), %rax; mov %rax, (%rsi); ret");
CODE(x_half, "mov %edi, %eax; mov 0x10(%rax), %rax; mov %rax, (%rsi); ret");
/* overwritten on the way */
CODE(x_lost, "mov 0x10(%rdi), %rax; bswap %rax; mov %rax, (%rsi); ret");
CODE(x_called, "mov 0x10(%rdi), %rax; call abort@PLT; mov %rax, (%rsi); ret");

static void random_is_copied(void **state)
{
	(void)state;
	assert_path(PATH(x_memcpy, 1, LIBRARY_CONTENT, 1), 2, 0x30, 0x10);
	assert_path(PATH(x_tail, 1, LIBRARY_CONTENT, 1), 1, 0x140, 0);
	assert_path(PATH(x_rep, 1, LIBRARY_CONTENT, 1), 1, 0x98, 0);
	assert_path(PATH(x_vector, 1, LIBRARY_CONTENT, 1), 1, 0x44, 0);
	assert_path(PATH(x_type, 1, LIBRARY_CONTENT, 1), 1, 0x168, 0);
	assert_path(PATH(x_other, 1, LIBRARY_CONTENT, 1), 0, 0, 0);
	assert_path(PATH(x_memcpy, 2, LIBRARY_CONTENT, 1), 0, 0, 0); /* nothing by the third */
}

static void name_and_length_are_given(void **state)
{
	(void)state;
	assert_path(PATH(x_alpn, 1, LIBRARY_CONTENT, 8), 2, 0xa8, 0x3e0);
	assert_path(PATH(x_alpn, 2, LIBRARY_CONTENT, 4), 2, 0xa8, 0x3e8);
	assert_path(PATH(x_alpn, 2, LIBRARY_CONTENT, 8), 0, 0, 0); /* it reads but four bytes */
	assert_path(PATH(x_select, 1, LIBRARY_CONTENT, 8), 1, 0x488, 0);
	assert_path(PATH(x_select, 2, LIBRARY_CONTENT, 4), 1, 0x490, 0);
	assert_path(PATH(x_reused, 2, LIBRARY_CONTENT, 4), 1, 0x490, 0);
	assert_path(PATH(x_reused_not, 2, LIBRARY_CONTENT, 4), 1, 0x490, 0);
	assert_path(PATH(x_early, 1, LIBRARY_CONTENT, 8), 2, 0x30, 0x1e8);
}

static void an_address_is_given(void **state)
{
	(void)state;
	assert_path(PATH(x_datum, 1, LIBRARY_ADDRESS, 8), 1, 0x50, 0);
	assert_path(PATH(x_datum, 2, LIBRARY_ADDRESS, 8), 1, 0x70, 0);
	assert_path(PATH(x_datum, 2, LIBRARY_CONTENT, 1), 0, 0, 0);
}

static void what_is_not_understood_is_not_known(void **state)
{
	(void)state;
	assert_path(PATH(x_two, 1, LIBRARY_CONTENT, 8), 0, 0, 0);
	assert_path(PATH(x_loop, 1, LIBRARY_CONTENT, 8), 0, 0, 0);
	assert_path(PATH(x_deep, 1, LIBRARY_CONTENT, 8), 0, 0, 0);
	assert_path(PATH(x_segment, 1, LIBRARY_CONTENT, 8), 0, 0, 0);
	assert_path(PATH(x_index, 1, LIBRARY_CONTENT, 8), 0, 0, 0);
	assert_path(PATH(x_half, 1, LIBRARY_CONTENT, 8), 0, 0, 0);
	assert_path(PATH(x_lost, 1, LIBRARY_CONTENT, 8), 0, 0, 0);
	assert_path(PATH(x_called, 1, LIBRARY_CONTENT, 8), 0, 0, 0);
}

/* Cut anywhere, it is what it was or not known: a call or a store at the end is whole or not there. */
static void cut_code_is_no_other_code(void **state)
{
	size_t size = (size_t)(x_memcpy_end - x_memcpy);

	(void)state;
	for (size_t n = 0; n < size; n++) {
		struct library_path p = path_of(EM_X86_64, x_memcpy, n, 1, LIBRARY_CONTENT, 1);

		if (p.count)
			assert_path(p, 2, 0x30, 0x10);
	}
}

#else

static void only_on_amd64(void **state)
{
	(void)state;
	print_message("the code of these tests is amd64's\n");
	skip();
}
#define random_is_copied only_on_amd64
#define name_and_length_are_given only_on_amd64
#define an_address_is_given only_on_amd64
#define what_is_not_understood_is_not_known only_on_amd64
#define cut_code_is_no_other_code only_on_amd64

#endif

/* clang 14 -O2 of these, for arm64:
 *  struct object { int type; char client[64]; unsigned char random[32]; struct inner *p; };
 *  struct inner { char pad[24]; const unsigned char *name; size_t length; struct inner *early; };
 * if (size) memcpy(out, object->random, size < 32 ? size : 32) */
static const uint32_t a_random[] = {0xa9be7bfd, 0xf9000bf3, 0x910003fd, 0xb4000142, 0xf100805f,
				    0x52800408, 0x9a883053, 0x91011008, 0xaa0103e0, 0xaa0803e1,
				    0xaa1303e2, 0x94000000, 0x14000002, 0x52800413, 0xaa1303e0,
				    0xf9400bf3, 0xa8c27bfd, 0xd65f03c0};
/* *name = NULL; if (o->p) *name = o->p->name; *length = *name ? o->p->length : 0 */
static const uint32_t a_alpn[] = {0xf900003f, 0xf9403408, 0xb40000c8, 0xf9400d08, 0xf9000028,
				  0xb4000068, 0xf9403408, 0xb9402108, 0xb9000048, 0xd65f03c0};
/* s = o->p; if (o->type == 3) s = s->early; *name = s->name; *length = s->length */
static const uint32_t a_session[] = {0xb9400009, 0xf9403408, 0x71000d3f, 0x54000041, 0xf9401508,
				     0xa941a109, 0xf9000029, 0xb9000048, 0xd65f03c0};
/* two datums point to client and random */
static const uint32_t a_datum[] = {0xb40000a1, 0x91001008, 0x52800409, 0xf9000028,
				   0xb9000829, 0xb40000a2, 0x91011008, 0x52800409,
				   0xf9000048, 0xb9000849, 0xd65f03c0};

static void arm64_is_understood(void **state)
{
	(void)state;
#define ARM(name, argument, gives, width)                                                          \
	path_of(EM_AARCH64, name, sizeof(name), argument, gives, width)
	assert_path(ARM(a_random, 1, LIBRARY_CONTENT, 1), 1, 68, 0);
	assert_path(ARM(a_alpn, 1, LIBRARY_CONTENT, 8), 2, 104, 24);
	assert_path(ARM(a_alpn, 2, LIBRARY_CONTENT, 4), 2, 104, 32);
	assert_path(ARM(a_session, 1, LIBRARY_CONTENT, 8), 2, 104, 24);
	assert_path(ARM(a_session, 2, LIBRARY_CONTENT, 4), 2, 104, 32);
	assert_path(ARM(a_datum, 1, LIBRARY_ADDRESS, 8), 1, 4, 0);
	assert_path(ARM(a_datum, 2, LIBRARY_ADDRESS, 8), 1, 68, 0);
}

static void garbage_ends(void **state)
{
	static const uint16_t machines[] = {EM_X86_64, EM_AARCH64};
	uint8_t code[600];
	struct library_path p;

	(void)state;
	srand(1);
	for (unsigned int round = 0; round < 4000; round++) {
		for (size_t i = 0; i < sizeof(code); i++)
			code[i] = (uint8_t)rand();
		p = path_of(machines[round & 1], code, sizeof(code), 1, LIBRARY_CONTENT, 1);
		assert_true(p.count <= LIBRARY_HOPS);
	}
	p = path_of(EM_386, code, sizeof(code), 1, LIBRARY_CONTENT, 1);
	assert_int_equal(p.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(random_is_copied),
		cmocka_unit_test(name_and_length_are_given),
		cmocka_unit_test(an_address_is_given),
		cmocka_unit_test(what_is_not_understood_is_not_known),
		cmocka_unit_test(cut_code_is_no_other_code),
		cmocka_unit_test(arm64_is_understood),
		cmocka_unit_test(garbage_ends),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
