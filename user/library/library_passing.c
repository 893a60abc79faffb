// SPDX-License-Identifier: GPL-2.0-only
#include "library_passing.h"

#include <elf.h>

#include "library_insn.h"

#define INSNS_MAX 32 /* before the branch */

/* Does the kernel emulate it? Of x86's conditional jumps those by flags, without a prefix: see
 * branch_setup_xol_ops() in its arch/x86/kernel/uprobes.c; of arm64's all. */
static bool is_emulated(uint16_t machine, const uint8_t *at, size_t size)
{
	if (machine != EM_X86_64)
		return true;
	return (at[0] & 0xf0) == 0x70 || (size > 1 && at[0] == 0x0f && (at[1] & 0xf0) == 0x80);
}

static bool writes(const struct insn *in, uint8_t reg)
{
	for (int i = 0; i < 2 && in->kind != INSN_TEST; i++)
		if (in->to[i].kind == OPERAND_REGISTER && in->to[i].reg == reg)
			return true;
	return in->clears >> reg & 1;
}

size_t library_passing(uint16_t machine, const uint8_t *code, size_t size)
{
	struct insn_reader *reader = insn_reader_new(machine, code, size);
	size_t at = 0, found = 0;
	struct insn in;

	for (int i = 0; reader && i < INSNS_MAX && insn_read(reader, at, &in); i++) {
		if (in.kind == INSN_BRANCH && is_emulated(machine, code + at, size - at))
			found = at;
		if (in.kind == INSN_BRANCH || in.kind == INSN_JUMP || in.kind == INSN_CALL ||
		    in.kind == INSN_RETURN || writes(&in, insn_argument(reader, 0)))
			break;
		at += in.size;
	}
	insn_reader_free(reader);
	return found;
}
