/* SPDX-License-Identifier: GPL-2.0-only */
/* sofile.h - a shared library with nothing but functions of given names. */
#ifndef TESTS_SOFILE_H
#define TESTS_SOFILE_H

#include <elf.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define SO_SIZE 0x800
#define SO_CODE 0x200 /* places in the file; a page less than the addresses */
#define SO_SYMBOLS 0x400
#define SO_STRINGS 0x500
#define SO_SECTIONS 0x600
#define SO_ADD 0x1000
#define SO_STEP 64

struct so_function {
	const char *name;
	const void *code;
	size_t size; /* 0: it is another file's */
};

/**
 * so_file - make it. Function number i is at SO_CODE + i * SO_STEP.
 * @type: of the table of symbols: SHT_DYNSYM, SHT_SYMTAB
 */
static inline void so_file(uint8_t file[SO_SIZE], const struct so_function *f, unsigned int count,
			   uint32_t type)
{
	const Elf64_Ehdr eh = {.e_ident = ELFMAG "\2\1\1", /* 64 bits, little-endian */
			       .e_type = ET_DYN,
			       .e_machine = EM_X86_64,
			       .e_version = 1,
			       .e_phoff = 64,
			       .e_phentsize = sizeof(Elf64_Phdr),
			       .e_phnum = 1,
			       .e_shentsize = sizeof(Elf64_Shdr),
			       .e_shoff = SO_SECTIONS,
			       .e_shnum = 2};
	const Elf64_Phdr text = {.p_type = PT_LOAD,
				 .p_flags = PF_R | PF_X,
				 .p_offset = SO_CODE,
				 .p_vaddr = SO_CODE + SO_ADD,
				 .p_filesz = SO_SYMBOLS - SO_CODE,
				 .p_memsz = SO_SYMBOLS - SO_CODE};
	const Elf64_Shdr section[2] = {{.sh_type = type,
					.sh_offset = SO_SYMBOLS,
					.sh_size = count * sizeof(Elf64_Sym),
					.sh_link = 1},
				       {.sh_type = SHT_STRTAB,
					.sh_offset = SO_STRINGS,
					.sh_size = SO_SECTIONS - SO_STRINGS}};
	uint32_t name = 1;

	memset(file, 0, SO_SIZE);
	memcpy(file, &eh, sizeof(eh));
	memcpy(file + 64, &text, sizeof(text));
	memcpy(file + SO_SECTIONS, section, sizeof(section));
	for (unsigned int i = 0; i < count; i++) {
		const Elf64_Sym sym = {.st_name = name,
				       .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
				       .st_shndx = f[i].size ? 1 : SHN_UNDEF,
				       .st_value = SO_CODE + SO_ADD + SO_STEP * i,
				       .st_size = f[i].size};

		memcpy(file + SO_SYMBOLS + i * sizeof(sym), &sym, sizeof(sym));
		memcpy(file + SO_CODE + SO_STEP * i, f[i].code, f[i].size);
		name += (uint32_t)sprintf((char *)file + SO_STRINGS + name, "%s", f[i].name) + 1;
	}
}

/* lea 0x98(%rdi), %rax; mov (%rax), %rcx; mov %rcx, (%rsi); ret */
#define SO_RANDOM "\x48\x8d\x87\x98\0\0\0\x48\x8b\x08\x48\x89\x0e\xc3"
/* mov 0x20(%rdi), %rax; mov 0x28(%rdi), %ecx; mov %rax, (%rsi); mov %ecx, (%rdx); ret */
#define SO_ALPN "\x48\x8b\x47\x20\x8b\x4f\x28\x48\x89\x06\x89\x0a\xc3"
/* add $0x70, %rdi; mov %rdi, (%rdx); ret */
#define SO_DATUM "\x48\x83\xc7\x70\x48\x89\x3a\xc3"

#define SO_FUNCTION(name, bytes)                                                                   \
	{                                                                                          \
		name, bytes, sizeof(bytes) - 1                                                     \
	}

static const struct so_function so_openssl[] = {
	SO_FUNCTION("SSL_get_server_random", SO_RANDOM),
	SO_FUNCTION("SSL_get0_alpn_selected", SO_ALPN),
	SO_FUNCTION("SSL_do_handshake", "\xc3"),
};

static const struct so_function so_gnutls[] = {
	SO_FUNCTION("gnutls_session_get_random", SO_DATUM),
	SO_FUNCTION("gnutls_alpn_get_selected_protocol", "\xc3"),
};

#endif
