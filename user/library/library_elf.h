/* SPDX-License-Identifier: GPL-2.0-only */
/* library_elf.h - an ELF file that may be made to deceive, read with bounds.
 *
 * By read() alone, never by mmap: who may shorten the file could else end us by SIGBUS. And not
 * by libelf, which takes memory for as many sections as a (sparse) file claims to have. */
#ifndef ALPNSCOPE_LIBRARY_ELF_H
#define ALPNSCOPE_LIBRARY_ELF_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__x86_64__)
#define LIBRARY_MACHINE EM_X86_64
#elif defined(__aarch64__)
#define LIBRARY_MACHINE EM_AARCH64
#else
#define LIBRARY_MACHINE EM_NONE /* no file has it: nothing is looked into */
#endif

/**
 * struct library_elf - an open file; all zero but fd -1 is a closed one.
 * @size: of the file in bytes, when it was opened
 * @ph, @sh: its segments and sections, host byte order; @sh may be empty
 * @names: the sections' names, @names_size bytes and a terminator
 */
struct library_elf {
	int fd;
	uint64_t size;
	Elf64_Phdr *ph;
	Elf64_Shdr *sh;
	unsigned int ph_count, sh_count;
	char *names;
	size_t names_size;
};

/**
 * library_elf_open - open @path and read its tables of segments and sections.
 *
 * Returns 0; -ENOEXEC when it is no regular file, or no program or shared library in ELF's form
 * of 64 bits for this machine; -ENOMEM; else why it cannot be read. Only when 0 is returned is
 * there something to close.
 */
int library_elf_open(struct library_elf *elf, const char *path);

/** library_elf_close - close the file, give the memory back. */
void library_elf_close(struct library_elf *elf);

/** library_elf_read - copy @size bytes from @offset in the file. Returns true when all are there. */
bool library_elf_read(const struct library_elf *elf, uint64_t offset, void *to, size_t size);

/**
 * library_elf_load - a copy of @size bytes from @offset in the file, and a zero byte behind them.
 * @most: no more than that many bytes are loaded
 * Returns what free() takes, or NULL when there are not that many, too many, or no memory.
 */
void *library_elf_load(const struct library_elf *elf, uint64_t offset, uint64_t size, size_t most);

/** library_elf_section - the first section of that name, or NULL. */
const Elf64_Shdr *library_elf_section(const struct library_elf *elf, const char *name);

/**
 * library_elf_segment - the loaded segment that holds @size bytes at the address @at, in the file.
 * Returns NULL when there is none: nowhere, or memory that is no part of the file.
 */
const Elf64_Phdr *library_elf_segment(const struct library_elf *elf, uint64_t at, uint64_t size);

/**
 * library_elf_code - where in the file the code at the address @at is.
 * Returns 0 when these @size bytes are not within an executable segment.
 */
uint64_t library_elf_code(const struct library_elf *elf, uint64_t at, uint64_t size);

/**
 * struct library_symbol - a function that is looked for by its name.
 * @at: its address, 0: not defined in this file
 * @size: in bytes, 0: the file does not say
 */
struct library_symbol {
	const char *name;
	uint64_t at, size;
};

/**
 * library_elf_symbols - look all @count symbols up, in .dynsym and then, if the first of them is
 * not there, in .symtab (a program that keeps its libraries' symbols).
 */
void library_elf_symbols(const struct library_elf *elf, struct library_symbol *want,
			 unsigned int count);

#endif
