// SPDX-License-Identifier: GPL-2.0-only
/* library_elf.c - read an ELF file with bounds. All of it is somebody else's word. */
#include "library_elf.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SEGMENTS_MAX 128
#define SECTIONS_MAX 4096
#define NAMES_MAX (1U << 20) /* of sections */
#define STRINGS_MAX (64U << 20) /* of symbols: a browser's .strtab has some 50 MB */
#define SYMBOLS_MAX (4U << 20)
#define SYMBOLS_STEP 4096 /* read at once */

bool library_elf_read(const struct library_elf *elf, uint64_t offset, void *to, size_t size)
{
	size_t done = 0;

	if (offset > elf->size || size > elf->size - offset)
		return false;
	while (done < size) {
		ssize_t got =
			pread(elf->fd, (char *)to + done, size - done, (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		done += (size_t)got;
	}
	return true;
}

void *library_elf_load(const struct library_elf *elf, uint64_t offset, uint64_t size, size_t most)
{
	char *bytes;

	if (size > most || offset > elf->size || size > elf->size - offset)
		return NULL;
	bytes = malloc(size + 1);
	if (!bytes || !library_elf_read(elf, offset, bytes, size)) {
		free(bytes);
		return NULL;
	}
	bytes[size] = 0;
	return bytes;
}

/* The sections' names; a file without them is as good as one without sections. */
static void load_names(struct library_elf *elf, unsigned int index)
{
	const Elf64_Shdr *s = &elf->sh[index];

	if (index >= elf->sh_count || s->sh_type == SHT_NOBITS)
		return;
	elf->names = library_elf_load(elf, s->sh_offset, s->sh_size, NAMES_MAX);
	elf->names_size = elf->names ? s->sh_size : 0;
}

static int load_tables(struct library_elf *elf)
{
	Elf64_Ehdr eh;

	if (!library_elf_read(elf, 0, &eh, sizeof(eh)) || memcmp(eh.e_ident, ELFMAG, SELFMAG) ||
	    eh.e_ident[EI_CLASS] != ELFCLASS64 || eh.e_ident[EI_DATA] != ELFDATA2LSB ||
	    (eh.e_type != ET_EXEC && eh.e_type != ET_DYN) || eh.e_machine != LIBRARY_MACHINE)
		return -ENOEXEC;
	if (!eh.e_phnum || eh.e_phnum > SEGMENTS_MAX || eh.e_phentsize != sizeof(*elf->ph))
		return -ENOEXEC; /* the kernel could not run it either */
	elf->ph = library_elf_load(elf, eh.e_phoff, sizeof(*elf->ph) * eh.e_phnum,
				   SEGMENTS_MAX * sizeof(*elf->ph));
	if (!elf->ph)
		return -ENOEXEC;
	elf->ph_count = eh.e_phnum;
	if (!eh.e_shnum || eh.e_shnum > SECTIONS_MAX || eh.e_shentsize != sizeof(*elf->sh))
		return 0;
	elf->sh = library_elf_load(elf, eh.e_shoff, sizeof(*elf->sh) * eh.e_shnum,
				   SECTIONS_MAX * sizeof(*elf->sh));
	if (!elf->sh)
		return 0; /* programs run without them */
	elf->sh_count = eh.e_shnum;
	load_names(elf, eh.e_shstrndx);
	return 0;
}

int library_elf_open(struct library_elf *elf, const char *path)
{
	struct stat st;
	int err = 0;

	memset(elf, 0, sizeof(*elf));
	elf->fd = -1;
	/* Processes map devices, too: to open one may do something. */
	if (stat(path, &st))
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	elf->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (elf->fd < 0)
		return -errno;
	if (fstat(elf->fd, &st))
		err = -errno;
	else if (!S_ISREG(st.st_mode) || st.st_size < 0)
		err = -ENOEXEC;
	else
		elf->size = (uint64_t)st.st_size;
	if (!err)
		err = load_tables(elf);
	if (err)
		library_elf_close(elf);
	return err;
}

void library_elf_close(struct library_elf *elf)
{
	if (elf->fd >= 0)
		close(elf->fd);
	free(elf->ph);
	free(elf->sh);
	free(elf->names);
	memset(elf, 0, sizeof(*elf));
	elf->fd = -1;
}

const Elf64_Shdr *library_elf_section(const struct library_elf *elf, const char *name)
{
	for (unsigned int i = 0; i < elf->sh_count; i++)
		if (elf->sh[i].sh_name < elf->names_size &&
		    !strcmp(elf->names + elf->sh[i].sh_name, name))
			return &elf->sh[i];
	return NULL;
}

const Elf64_Phdr *library_elf_segment(const struct library_elf *elf, uint64_t at, uint64_t size)
{
	for (unsigned int i = 0; i < elf->ph_count; i++) {
		const Elf64_Phdr *p = &elf->ph[i];

		if (p->p_type != PT_LOAD || at < p->p_vaddr || at - p->p_vaddr > p->p_filesz ||
		    size > p->p_filesz - (at - p->p_vaddr))
			continue;
		if (p->p_offset <= elf->size && p->p_filesz <= elf->size - p->p_offset)
			return p;
	}
	return NULL;
}

uint64_t library_elf_code(const struct library_elf *elf, uint64_t at, uint64_t size)
{
	const Elf64_Phdr *p = library_elf_segment(elf, at, size);

	return p && p->p_flags & PF_X ? p->p_offset + (at - p->p_vaddr) : 0;
}

/* One table of symbols: @names are its strings. */
static void look_up(const struct library_elf *elf, const Elf64_Shdr *table, const char *names,
		    uint64_t names_size, struct library_symbol *want, unsigned int count)
{
	uint64_t n = table->sh_size / sizeof(Elf64_Sym), done = 0;
	Elf64_Sym *sym = malloc(SYMBOLS_STEP * sizeof(*sym));

	for (n = n > SYMBOLS_MAX ? SYMBOLS_MAX : n; sym && done < n;) {
		size_t step = n - done < SYMBOLS_STEP ? n - done : SYMBOLS_STEP;

		if (!library_elf_read(elf, table->sh_offset + done * sizeof(*sym), sym,
				      step * sizeof(*sym)))
			break;
		done += step;
		for (size_t i = 0; i < step; i++) {
			if (ELF64_ST_TYPE(sym[i].st_info) != STT_FUNC ||
			    sym[i].st_shndx == SHN_UNDEF || sym[i].st_name >= names_size)
				continue;
			for (unsigned int w = 0; w < count; w++)
				if (!want[w].at && !strcmp(names + sym[i].st_name, want[w].name)) {
					want[w].at = sym[i].st_value;
					want[w].size = sym[i].st_size;
				}
		}
	}
	free(sym);
}

void library_elf_symbols(const struct library_elf *elf, struct library_symbol *want,
			 unsigned int count)
{
	static const uint32_t types[] = {SHT_DYNSYM, SHT_SYMTAB};

	for (unsigned int t = 0; t < 2 && !want[0].at; t++)
		for (unsigned int i = 0; i < elf->sh_count; i++) {
			const Elf64_Shdr *table = &elf->sh[i], *strings;
			char *names;

			if (table->sh_type != types[t] || table->sh_link >= elf->sh_count)
				continue;
			strings = &elf->sh[table->sh_link];
			names = library_elf_load(elf, strings->sh_offset, strings->sh_size,
						 STRINGS_MAX);
			if (names)
				look_up(elf, table, names, strings->sh_size, want, count);
			free(names);
			break; /* a file has one of each */
		}
}
