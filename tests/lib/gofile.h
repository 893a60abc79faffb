/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gofile.h - a program of Go as its linker would make it, with nothing in it but what tells where
 * functions are (go/src/runtime/symtab.go: pcHeader, moduledata, functab, _func).
 */
#ifndef TESTS_GOFILE_H
#define TESTS_GOFILE_H

#include <elf.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define GO_SIZE 0xb00
#define GO_TEXT 0x200 /* places in the file; C's startup code comes first */
#define GO_CODE 0x280 /* the first function of Go */
#define GO_TABLE 0x480
#define GO_DATA 0x800
#define GO_DYNAMIC 0x900
#define GO_RELA 0x940
#define GO_SECTIONS 0x9c0
#define GO_NAMES 0xa80
#define GO_STEP 64 /* bytes of code of each function */
#define GO_CODE_AT 0x410000ULL /* added to a place: its address */
#define GO_DATA_AT 0x500000ULL

/**
 * struct go_options - how it is made.
 * @magic: of the table
 * @relocated: position-independent: words of addresses are 0, relocations hold them
 * @sections: 0 none, 1 all named, 2 named but for the table (as some linkers do)
 */
struct go_options {
	uint32_t magic;
	bool relocated;
	int sections;
};

/* Functions in the order of their addresses. */
enum {
	GO_OTHER,
	GO_HELLO_OUT,
	GO_HELLO_OUT_CLOSURE,
	GO_HELLO_IN,
	GO_EXTENSIONS_OUT,
	GO_EXTENSIONS_IN,
	GO_VENDORED,
	GO_FUNCTIONS
};

static const char *const go_names[GO_FUNCTIONS] = {
	"runtime.text",
	"crypto/tls.(*serverHelloMsg).marshal",
	"crypto/tls.(*serverHelloMsg).marshal.func1",
	"crypto/tls.(*serverHelloMsg).unmarshal",
	"crypto/tls.(*encryptedExtensionsMsg).marshal",
	"crypto/tls.(*encryptedExtensionsMsg).unmarshal",
	"vendor/crypto/tls.(*serverHelloMsg).marshal",
};

static inline void go_put(uint8_t *file, uint64_t at, uint64_t n, unsigned int bytes)
{
	memcpy(file + at, &n, bytes); /* both machines are little-endian */
}

/* A word that is an address: in place, or as a relocation. */
static inline void go_address(uint8_t *file, const struct go_options *o, uint64_t at, uint64_t n)
{
	static unsigned int relocations;

	if (at == GO_DATA)
		relocations = 0;
	if (o->relocated) {
		uint64_t r = GO_RELA + 24 * relocations++;

		go_put(file, r, GO_DATA_AT + at, 8);
		go_put(file, r + 8, R_X86_64_RELATIVE, 8);
		go_put(file, r + 16, n, 8);
		go_put(file, GO_DYNAMIC + 24, 24 * relocations, 8); /* DT_RELASZ */
	} else {
		go_put(file, at, n, 8);
	}
}

static inline void go_table(uint8_t *file, const struct go_options *o)
{
	const uint64_t names = GO_TABLE + 80, functab = GO_TABLE + 0x200;
	uint64_t name = 0, function = 8 * (GO_FUNCTIONS + 1);

	go_put(file, GO_TABLE, o->magic, 4);
	file[GO_TABLE + 6] = 1; /* quantum of amd64 */
	file[GO_TABLE + 7] = 8; /* bytes of a pointer */
	go_put(file, GO_TABLE + 8, GO_FUNCTIONS, 8);
	go_put(file, GO_TABLE + 32, names - GO_TABLE, 8);
	for (int i = 40; i < 64; i += 8)
		go_put(file, GO_TABLE + i, 0x200, 8); /* units, file names, pc values */
	go_put(file, GO_TABLE + 64, functab - GO_TABLE, 8);
	for (unsigned int i = 0; i <= GO_FUNCTIONS; i++) {
		go_put(file, functab + 8 * i, GO_STEP * i, 4);
		if (i == GO_FUNCTIONS)
			break;
		go_put(file, functab + 8 * i + 4, function, 4);
		go_put(file, functab + function, GO_STEP * i, 4);
		go_put(file, functab + function + 4, name, 4);
		function += 16;
		strcpy((char *)file + names + name, go_names[i]);
		name += strlen(go_names[i]) + 1;
	}
}

static inline void go_segment(uint8_t *file, unsigned int i, uint32_t type, uint32_t flags,
			      uint64_t at, uint64_t size, uint64_t add)
{
	const Elf64_Phdr p = {.p_type = type,
			      .p_flags = flags,
			      .p_offset = at,
			      .p_vaddr = at + add,
			      .p_filesz = size,
			      .p_memsz = size};

	memcpy(file + 64 + i * sizeof(p), &p, sizeof(p));
}

static inline void go_section(uint8_t *file, unsigned int i, const char *name, uint64_t at,
			      uint64_t size, uint64_t add)
{
	const Elf64_Shdr s = {.sh_name = 1 + 32 * i,
			      .sh_type = SHT_PROGBITS,
			      .sh_addr = at + add,
			      .sh_offset = at,
			      .sh_size = size};

	strcpy((char *)file + GO_NAMES + s.sh_name, name);
	memcpy(file + GO_SECTIONS + i * sizeof(s), &s, sizeof(s));
}

/* Every function is one return and what fills it up. */
static inline void go_file(uint8_t file[GO_SIZE], const struct go_options *o)
{
	Elf64_Ehdr eh = {.e_ident = ELFMAG "\2\1\1", /* 64 bits, little-endian */
			 .e_type = o->relocated ? ET_DYN : ET_EXEC,
			 .e_machine = EM_X86_64,
			 .e_version = 1,
			 .e_phoff = 64,
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 4,
			 .e_shentsize = sizeof(Elf64_Shdr),
			 .e_shoff = GO_SECTIONS,
			 .e_shnum = o->sections ? 3 : 0,
			 .e_shstrndx = 2};

	memset(file, 0, GO_SIZE);
	memcpy(file, &eh, sizeof(eh));
	go_segment(file, 0, PT_LOAD, PF_R | PF_X, GO_TEXT, GO_TABLE - GO_TEXT, GO_CODE_AT);
	go_segment(file, 1, PT_LOAD, PF_R, GO_TABLE, GO_DATA - GO_TABLE, GO_DATA_AT);
	go_segment(file, 2, PT_LOAD, PF_R | PF_W, GO_DATA, GO_SECTIONS - GO_DATA, GO_DATA_AT);
	go_segment(file, 3, PT_DYNAMIC, PF_R | PF_W, GO_DYNAMIC, 48, GO_DATA_AT);
	memset(file + GO_TEXT, 0xcc, GO_TABLE - GO_TEXT);
	for (unsigned int i = 0; i < GO_FUNCTIONS; i++)
		file[GO_CODE + GO_STEP * i] = 0xc3;
	go_table(file, o);
	go_put(file, GO_DYNAMIC, DT_RELA, 8);
	go_put(file, GO_DYNAMIC + 8, GO_DATA_AT + GO_RELA, 8);
	go_put(file, GO_DYNAMIC + 16, DT_RELASZ, 8);
	/* moduledata, after something else that points to the table */
	go_address(file, o, GO_DATA, GO_TABLE + GO_DATA_AT);
	go_address(file, o, GO_DATA + 64, GO_TABLE + GO_DATA_AT);
	go_address(file, o, GO_DATA + 64 + 160, GO_CODE + GO_CODE_AT); /* minpc */
	go_address(file, o, GO_DATA + 64 + 176, GO_CODE + GO_CODE_AT); /* text */
	go_section(file, 0, ".go.buildinfo", GO_DATA, 16, GO_DATA_AT);
	go_section(file, 1, o->sections == 1 ? ".gopclntab" : ".rodata", GO_TABLE,
		   GO_DATA - GO_TABLE, GO_DATA_AT);
	go_section(file, 2, ".shstrtab", GO_NAMES, 128, 0);
}

#endif
