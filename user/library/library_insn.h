/* SPDX-License-Identifier: GPL-2.0-only */
/* library_insn.h - machine instructions, reduced to what small accessor functions are made of.
 * The disassembler is capstone's. */
#ifndef ALPNSCOPE_LIBRARY_INSN_H
#define ALPNSCOPE_LIBRARY_INSN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_REGS 64 /* 0 to 31 hold integers and addresses, 32 to 63 are vectors */
#define INSN_NO_REG 0xff
#define INSN_ARGS 3

/**
 * enum insn_kind - INSN_OTHER: only what it overwrites is known. INSN_MOVE: to = from, by pair.
 * INSN_ADD: to = from[0] + from[1]. INSN_SELECT: to = one or the other. INSN_COPY: bytes, from
 * where the second argument's register points to where the first one's does. INSN_CALL:
 * a function elsewhere. INSN_TEST: is from[0] zero? INSN_JUMP, INSN_BRANCH (on a condition):
 * @target.
 */
enum insn_kind {
	INSN_OTHER,
	INSN_MOVE,
	INSN_ADD,
	INSN_SELECT,
	INSN_COPY,
	INSN_CALL,
	INSN_TEST,
	INSN_JUMP,
	INSN_BRANCH,
	INSN_RETURN
};

enum operand_kind {
	OPERAND_NONE,
	OPERAND_REGISTER,
	OPERAND_CONSTANT,
	OPERAND_MEMORY,
	OPERAND_ADDRESS
};

/**
 * struct operand - what is read or written.
 * @reg: the register; of memory, or an address, the one that n is added to, INSN_NO_REG if
 *  there is more to it (an index, no register)
 * @width: bytes
 * @n: the constant
 */
struct operand {
	enum operand_kind kind;
	uint8_t reg, width;
	int64_t n;
};

/** enum insn_on - a branch's condition: what was last tested (or from[0], if there is one) is
 * zero, is not, or something else. */
enum insn_on { INSN_ON_OTHER, INSN_ON_ZERO, INSN_ON_NONZERO };

/**
 * struct insn - one instruction.
 * @size: in bytes
 * @on: of a branch: when it is taken
 * @target: of a jump, as an offset from the code's start; negative or past the end: elsewhere
 * @clears: registers whose content is unknown afterwards, a bit each (done before @to)
 */
struct insn {
	enum insn_kind kind;
	unsigned int size;
	struct operand to[2], from[2];
	enum insn_on on;
	int64_t target;
	uint64_t clears;
};

struct insn_reader;

/**
 * insn_reader_new - read @size bytes of @code of @machine: EM_X86_64 or EM_AARCH64.
 * Returns NULL for another machine, or when out of memory.
 */
struct insn_reader *insn_reader_new(uint16_t machine, const uint8_t *code, size_t size);

void insn_reader_free(struct insn_reader *reader);

/** insn_read - the instruction at @offset. Returns false past the end, or if it is none. */
bool insn_read(struct insn_reader *reader, size_t offset, struct insn *out);

/** insn_argument - the register that holds the argument @index (below INSN_ARGS) of a function. */
uint8_t insn_argument(const struct insn_reader *reader, unsigned int index);

#endif
