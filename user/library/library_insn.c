// SPDX-License-Identifier: GPL-2.0-only
/* library_insn.c - capstone's instructions of two machines, in one reduced form. */
#include "library_insn.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#define VECTORS 32 /* the first vector register; below are those for integers */
#define BIT(n) (1ULL << (n))

struct insn_reader {
	csh capstone;
	cs_insn *insn;
	const uint8_t *code;
	size_t size;
	bool arm;
};

/* Numbers as the machine encodes them. A part (al) counts as the whole. */
static uint8_t reg_of_x86(unsigned int reg)
{
	static const uint16_t low[][8] = {
		{X86_REG_AL, X86_REG_CL, X86_REG_DL, X86_REG_BL, X86_REG_SPL, X86_REG_BPL,
		 X86_REG_SIL, X86_REG_DIL},
		{X86_REG_AX, X86_REG_CX, X86_REG_DX, X86_REG_BX, X86_REG_SP, X86_REG_BP, X86_REG_SI,
		 X86_REG_DI},
		{X86_REG_EAX, X86_REG_ECX, X86_REG_EDX, X86_REG_EBX, X86_REG_ESP, X86_REG_EBP,
		 X86_REG_ESI, X86_REG_EDI},
		{X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP,
		 X86_REG_RSI, X86_REG_RDI},
		{X86_REG_AH, X86_REG_CH, X86_REG_DH, X86_REG_BH},
	};
	static const struct {
		uint16_t first, last;
		uint8_t to;
	} rows[] = {
		{X86_REG_R8, X86_REG_R15, 8},		{X86_REG_R8D, X86_REG_R15D, 8},
		{X86_REG_R8W, X86_REG_R15W, 8},		{X86_REG_R8B, X86_REG_R15B, 8},
		{X86_REG_XMM0, X86_REG_XMM31, VECTORS}, {X86_REG_YMM0, X86_REG_YMM31, VECTORS},
		{X86_REG_ZMM0, X86_REG_ZMM31, VECTORS},
	};

	for (unsigned int row = 0; row < sizeof(low) / sizeof(low[0]); row++)
		for (uint8_t i = 0; i < 8; i++)
			if (reg && low[row][i] == reg)
				return i;
	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (reg >= rows[i].first && reg <= rows[i].last)
			return rows[i].to + (reg - rows[i].first);
	return INSN_NO_REG;
}

static uint8_t reg_of_arm(unsigned int reg, uint8_t *width)
{
	static const struct {
		uint16_t first, last;
		uint8_t to, width;
	} rows[] = {
		{ARM64_REG_X0, ARM64_REG_X28, 0, 8},
		{ARM64_REG_X29, ARM64_REG_X30, 29, 8},
		{ARM64_REG_SP, ARM64_REG_SP, 31, 8},
		{ARM64_REG_W0, ARM64_REG_W30, 0, 4},
		{ARM64_REG_B0, ARM64_REG_B31, VECTORS, 1},
		{ARM64_REG_H0, ARM64_REG_H31, VECTORS, 2},
		{ARM64_REG_S0, ARM64_REG_S31, VECTORS, 4},
		{ARM64_REG_D0, ARM64_REG_D31, VECTORS, 8},
		{ARM64_REG_Q0, ARM64_REG_Q31, VECTORS, 16},
		{ARM64_REG_V0, ARM64_REG_V31, VECTORS, 16},
	};

	for (unsigned int i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (reg >= rows[i].first && reg <= rows[i].last) {
			*width = rows[i].width;
			return rows[i].to + (reg - rows[i].first);
		}
	return INSN_NO_REG;
}

static struct operand constant(int64_t n)
{
	return (struct operand){.kind = OPERAND_CONSTANT, .reg = INSN_NO_REG, .width = 8, .n = n};
}

static struct operand x86_operand(const cs_x86_op *op)
{
	struct operand o = {.kind = OPERAND_NONE, .reg = INSN_NO_REG, .width = op->size};

	if (op->type == X86_OP_IMM)
		return constant(op->imm);
	if (op->type == X86_OP_REG) {
		o.kind = OPERAND_REGISTER;
		o.reg = reg_of_x86(op->reg);
	} else if (op->type == X86_OP_MEM) {
		o.kind = OPERAND_MEMORY;
		o.n = op->mem.disp;
		if (op->mem.index == X86_REG_INVALID && op->mem.segment == X86_REG_INVALID)
			o.reg = reg_of_x86(op->mem.base);
	}
	return o;
}

static struct operand arm_operand(const cs_arm64 *arm, unsigned int index)
{
	const cs_arm64_op *op = &arm->operands[index];
	struct operand o = {.kind = OPERAND_NONE, .reg = INSN_NO_REG, .width = 8};

	if (op->type == ARM64_OP_IMM && (op->shift.type == ARM64_SFT_INVALID ||
					 (op->shift.type == ARM64_SFT_LSL && op->shift.value < 32)))
		return constant((int64_t)((uint64_t)op->imm << op->shift.value));
	if (op->type == ARM64_OP_REG && op->shift.type == ARM64_SFT_INVALID &&
	    op->ext == ARM64_EXT_INVALID) {
		if (op->reg == ARM64_REG_XZR || op->reg == ARM64_REG_WZR)
			return constant(0);
		o.kind = OPERAND_REGISTER;
		o.reg = reg_of_arm(op->reg, &o.width);
	} else if (op->type == ARM64_OP_MEM) {
		o.kind = OPERAND_MEMORY;
		o.n = op->mem.disp;
		if (op->mem.index == ARM64_REG_INVALID && !arm->writeback)
			o.reg = reg_of_arm(op->mem.base, &o.width);
	}
	return o;
}

static bool is_x86_move(unsigned int id)
{
	static const uint16_t moves[] = {
		X86_INS_MOV,	 X86_INS_MOVABS,  X86_INS_MOVZX,   X86_INS_MOVSX,   X86_INS_MOVSXD,
		X86_INS_MOVUPS,	 X86_INS_MOVAPS,  X86_INS_MOVUPD,  X86_INS_MOVAPD,  X86_INS_MOVDQU,
		X86_INS_MOVDQA,	 X86_INS_MOVQ,	  X86_INS_MOVD,	   X86_INS_LDDQU,   X86_INS_VMOVUPS,
		X86_INS_VMOVAPS, X86_INS_VMOVDQU, X86_INS_VMOVDQA, X86_INS_VMOVUPD, X86_INS_VMOVAPD,
		X86_INS_VMOVQ,	 X86_INS_VMOVD,	  X86_INS_VLDDQU,
	};

	for (unsigned int i = 0; i < sizeof(moves) / sizeof(moves[0]); i++)
		if (moves[i] == id)
			return true;
	return false;
}

/* to = from, or to = to + from. */
static void x86_data(const cs_insn *in, struct insn *out)
{
	const cs_x86 *x = &in->detail->x86;
	struct operand to = x86_operand(&x->operands[0]), from = x86_operand(&x->operands[1]);
	bool same = to.kind == OPERAND_REGISTER && from.kind == OPERAND_REGISTER &&
		    to.reg == from.reg && to.width == from.width;

	out->to[0] = to;
	out->from[0] = from;
	if (is_x86_move(in->id)) {
		out->kind = INSN_MOVE;
	} else if ((in->id == X86_INS_TEST && same) ||
		   (in->id == X86_INS_CMP && from.kind == OPERAND_CONSTANT && !from.n)) {
		out->kind = INSN_TEST;
		out->from[0] = to;
	} else if (in->id == X86_INS_LEA && to.width == 8) {
		out->kind = INSN_MOVE;
		out->from[0].kind = OPERAND_ADDRESS;
	} else if ((in->id == X86_INS_XOR || in->id == X86_INS_SUB) && same) {
		out->kind = INSN_MOVE;
		out->from[0] = constant(0);
	} else if (in->id == X86_INS_ADD && to.kind == OPERAND_REGISTER) {
		out->kind = INSN_ADD;
		out->from[1] = to;
	} else if (in->id == X86_INS_SUB && to.kind == OPERAND_REGISTER &&
		   from.kind == OPERAND_CONSTANT && from.n > INT32_MIN) {
		out->kind = INSN_ADD;
		out->from[0] = to;
		out->from[1] = constant(-from.n);
	} else if (!strncmp(in->mnemonic, "cmov", 4)) {
		out->kind = INSN_SELECT;
		out->from[1] = to;
	}
}

/* What a call may overwrite (System V ABI). */
#define X86_CALL_CLEARS (0x0fc7ULL | ~0ULL << VECTORS)
#define ARM_CALL_CLEARS (0x4007ffffULL | ~0ULL << VECTORS)

static void read_x86(const cs_insn *in, struct insn *out)
{
	const cs_x86 *x = &in->detail->x86;
	bool here = x->op_count == 1 && x->operands[0].type == X86_OP_IMM;
	bool jump = false, call = false;

	for (unsigned int i = 0; i < in->detail->groups_count; i++) {
		jump |= in->detail->groups[i] == CS_GRP_JUMP;
		call |= in->detail->groups[i] == CS_GRP_CALL;
	}
	out->target = here ? x->operands[0].imm : -1;
	if (in->id == X86_INS_RET) {
		out->kind = INSN_RETURN;
	} else if (call) {
		out->kind = INSN_CALL;
		out->clears = X86_CALL_CLEARS;
	} else if (jump) {
		out->kind = in->id == X86_INS_JMP ? INSN_JUMP : INSN_BRANCH;
		if (in->id == X86_INS_JE || in->id == X86_INS_JNE)
			out->on = in->id == X86_INS_JE ? INSN_ON_ZERO : INSN_ON_NONZERO;
	} else if (x->op_count == 2 && x->operands[0].type == X86_OP_MEM &&
		   x->operands[1].type == X86_OP_MEM) {
		out->kind = INSN_COPY; /* movs: bytes from (rsi) to (rdi) */
		if (strncmp(in->mnemonic, "rep movs", 8) && strncmp(in->mnemonic, "movs", 4))
			out->kind = INSN_OTHER;
	} else if (x->op_count == 2) {
		x86_data(in, out);
	}
}

static void arm_data(const cs_insn *in, struct insn *out, bool store, bool pair)
{
	const cs_arm64 *arm = &in->detail->arm64;
	struct operand memory = arm_operand(arm, pair ? 2 : 1);
	size_t length = strlen(in->mnemonic);

	if (memory.kind != OPERAND_MEMORY)
		return; /* a literal beside the code */
	out->kind = INSN_MOVE;
	for (unsigned int i = 0; i < (pair ? 2 : 1); i++) {
		struct operand reg = arm_operand(arm, i), mem = memory;

		if (reg.kind == OPERAND_CONSTANT) /* xzr or wzr */
			reg.width = arm->operands[i].reg == ARM64_REG_WZR ? 4 : 8;
		mem.width = reg.width;
		if (in->mnemonic[length - 1] == 'b')
			mem.width = 1;
		else if (in->mnemonic[length - 1] == 'h')
			mem.width = 2;
		else if (in->mnemonic[length - 1] == 'w')
			mem.width = 4;
		mem.n += i ? mem.width : 0;
		out->to[i] = store ? mem : reg;
		out->from[i] = store ? reg : mem;
	}
}

static void arm_arithmetic(const cs_insn *in, struct insn *out)
{
	const cs_arm64 *arm = &in->detail->arm64;

	out->to[0] = arm_operand(arm, 0);
	out->from[0] = arm_operand(arm, 1);
	out->from[1] = arm->op_count > 2 ? arm_operand(arm, 2) : constant(0);
	switch (in->id) {
	case ARM64_INS_MOV:
	case ARM64_INS_MOVZ:
		out->kind = INSN_MOVE;
		break;
	case ARM64_INS_ADD:
		out->kind = INSN_ADD;
		break;
	case ARM64_INS_SUB:
		out->kind = out->from[1].kind == OPERAND_CONSTANT ? INSN_ADD : INSN_OTHER;
		out->from[1].n = -out->from[1].n;
		break;
	case ARM64_INS_CSEL:
		out->kind = INSN_SELECT;
		break;
	case ARM64_INS_CMP:
		if (out->from[0].kind == OPERAND_CONSTANT && !out->from[0].n)
			out->kind = INSN_TEST;
		out->from[0] = out->to[0];
		break;
	default:
		break;
	}
}

static void read_arm(const cs_insn *in, struct insn *out)
{
	const cs_arm64 *arm = &in->detail->arm64;
	unsigned int last = arm->op_count ? arm->op_count - 1 : 0;

	out->target = arm->operands[last].type == ARM64_OP_IMM ? arm->operands[last].imm : -1;
	switch (in->id) {
	case ARM64_INS_RET:
		out->kind = INSN_RETURN;
		return;
	case ARM64_INS_BL:
	case ARM64_INS_BLR:
		out->kind = INSN_CALL;
		out->clears = ARM_CALL_CLEARS;
		return;
	case ARM64_INS_BR:
	case ARM64_INS_B:
		out->kind = arm->cc == ARM64_CC_INVALID || arm->cc >= ARM64_CC_AL ? INSN_JUMP
										  : INSN_BRANCH;
		if (arm->cc == ARM64_CC_EQ || arm->cc == ARM64_CC_NE)
			out->on = arm->cc == ARM64_CC_EQ ? INSN_ON_ZERO : INSN_ON_NONZERO;
		return;
	case ARM64_INS_CBZ:
	case ARM64_INS_CBNZ:
		out->on = in->id == ARM64_INS_CBZ ? INSN_ON_ZERO : INSN_ON_NONZERO;
		out->from[0] = arm_operand(arm, 0);
		out->kind = INSN_BRANCH;
		return;
	case ARM64_INS_TBZ:
	case ARM64_INS_TBNZ:
		out->kind = INSN_BRANCH;
		return;
	default:
		break;
	}
	if (!strncmp(in->mnemonic, "ldp", 3) || !strncmp(in->mnemonic, "stp", 3))
		arm_data(in, out, in->mnemonic[0] == 's', true);
	else if (!strncmp(in->mnemonic, "ldr", 3) || !strncmp(in->mnemonic, "ldur", 4) ||
		 !strncmp(in->mnemonic, "str", 3) || !strncmp(in->mnemonic, "stur", 4))
		arm_data(in, out, in->mnemonic[0] == 's', false);
	else
		arm_arithmetic(in, out);
}

/* What an instruction that is not understood overwrites: what capstone says, and, as its tables
 * have faults, every register it names. */
static uint64_t clears(const struct insn_reader *reader, const cs_insn *in)
{
	uint8_t reads = 0, writes = 0, width;
	cs_regs read, write;
	uint64_t bits = 0;

	if (cs_regs_access(reader->capstone, in, read, &reads, write, &writes))
		return ~0ULL;
	for (unsigned int i = 0; i < writes; i++) {
		uint8_t reg = reader->arm ? reg_of_arm(write[i], &width) : reg_of_x86(write[i]);

		bits |= reg < INSN_REGS ? BIT(reg) : 0;
	}
	if (!strncmp(in->mnemonic, "cmp", 3) || !strncmp(in->mnemonic, "test", 4) ||
	    !strncmp(in->mnemonic, "tst", 3) || !strncmp(in->mnemonic, "push", 4) ||
	    !strncmp(in->mnemonic, "st", 2))
		return bits;
	for (unsigned int i = 0; reader->arm && i < in->detail->arm64.op_count; i++) {
		struct operand o = arm_operand(&in->detail->arm64, i);

		bits |= o.kind == OPERAND_REGISTER && o.reg < INSN_REGS ? BIT(o.reg) : 0;
	}
	for (unsigned int i = 0; !reader->arm && i < in->detail->x86.op_count; i++) {
		struct operand o = x86_operand(&in->detail->x86.operands[i]);

		bits |= o.kind == OPERAND_REGISTER && o.reg < INSN_REGS ? BIT(o.reg) : 0;
	}
	return bits;
}

bool insn_read(struct insn_reader *reader, size_t offset, struct insn *out)
{
	const uint8_t *code = reader->code + offset;
	size_t left = offset < reader->size ? reader->size - offset : 0;
	uint64_t at = offset;

	memset(out, 0, sizeof(*out));
	if (!left || !cs_disasm_iter(reader->capstone, &code, &left, &at, reader->insn))
		return false;
	out->size = reader->insn->size;
	if (reader->arm)
		read_arm(reader->insn, out);
	else
		read_x86(reader->insn, out);
	if (out->kind == INSN_OTHER || out->kind == INSN_COPY ||
	    (reader->arm && reader->insn->detail->arm64.writeback))
		out->clears |= clears(reader, reader->insn);
	return true;
}

struct insn_reader *insn_reader_new(uint16_t machine, const uint8_t *code, size_t size)
{
	struct insn_reader *reader = calloc(1, sizeof(*reader));
	cs_err err;

	if (!reader)
		return NULL;
	reader->arm = machine == EM_AARCH64;
	reader->code = code;
	reader->size = size;
	if (!reader->arm && machine != EM_X86_64)
		err = CS_ERR_ARCH;
	else
		err = cs_open(reader->arm ? CS_ARCH_ARM64 : CS_ARCH_X86,
			      reader->arm ? CS_MODE_LITTLE_ENDIAN : CS_MODE_64, &reader->capstone);
	if (!err)
		err = cs_option(reader->capstone, CS_OPT_DETAIL, CS_OPT_ON);
	if (!err)
		reader->insn = cs_malloc(reader->capstone);
	if (reader->insn)
		return reader;
	insn_reader_free(reader);
	return NULL;
}

void insn_reader_free(struct insn_reader *reader)
{
	if (!reader)
		return;
	if (reader->insn)
		cs_free(reader->insn, 1);
	if (reader->capstone)
		cs_close(&reader->capstone);
	free(reader);
}

uint8_t insn_argument(const struct insn_reader *reader, unsigned int index)
{
	static const uint8_t x86[INSN_ARGS] = {7, 6, 2}; /* rdi, rsi, rdx */

	return reader->arm ? (uint8_t)index : x86[index];
}
