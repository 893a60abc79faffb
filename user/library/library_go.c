// SPDX-License-Identifier: GPL-2.0-only
/* library_go.c - functions of a Go program by its own table (runtime/symtab.go). */
#include "library_go.h"

#include <stdlib.h>
#include <string.h>

#include "library_insn.h"

#define MAGIC_118 0xfffffff0U /* Go 1.18 and 1.19 */
#define MAGIC_120 0xfffffff1U /* since 1.20; the start of the text is 0 since 1.26 */
#define TABLE_MAX (128U << 20) /* Kubernetes' largest have some 30 MB */
#define SEARCH_MAX (512ULL << 20) /* bytes, of all segments together */
#define CODE_MAX (256U << 10) /* of a function */
#define TABLES_MAX 4 /* places that look like the table */
#define MODULES_MAX 8 /* places that point to it */
#define RELOCATIONS_MAX (4U << 20)
#define STEP 65536

/* runtime.pcHeader: the table's head; offsets from its start. */
struct head {
	uint32_t magic;
	uint8_t pad[2], quantum, pointer;
	uint64_t functions, files, text;
	uint64_t names, units, file_names, pc_values, functab;
};

/* runtime.moduledata, its first words: which head, and where the code is. */
struct module {
	uint64_t head, slices[18], findfunctab, min_pc, max_pc, text, end_of_text;
};
_Static_assert(offsetof(struct module, text) == 176, "as runtime/symtab.go has it");

/* runtime.functab: both relative, to the text and to the table of functions. */
struct entry {
	uint32_t code, function;
};

/**
 * struct go - a program.
 * @at: address of the table, of which @size bytes are in @table
 * @searched: bytes, of SEARCH_MAX
 * @relative: relocations of a position-independent program; they hold what the file has as 0
 */
struct go {
	const struct library_elf *elf;
	uint64_t at, size, text, searched;
	uint8_t *table;
	struct head head;
	Elf64_Rela *relative;
	size_t relatives;
};

enum { SERVER_HELLO_IN, EXTENSIONS_IN, SERVER_HELLO_OUT, EXTENSIONS_OUT, FUNCTIONS };

static const char *const function_names[FUNCTIONS] = {
	[SERVER_HELLO_IN] = "crypto/tls.(*serverHelloMsg).unmarshal",
	[EXTENSIONS_IN] = "crypto/tls.(*encryptedExtensionsMsg).unmarshal",
	[SERVER_HELLO_OUT] = "crypto/tls.(*serverHelloMsg).marshal",
	[EXTENSIONS_OUT] = "crypto/tls.(*encryptedExtensionsMsg).marshal",
};

static bool is_head(const struct head *h, uint64_t size)
{
	unsigned int quantum = LIBRARY_MACHINE == EM_X86_64 ? 1 : 4;

	return (h->magic == MAGIC_118 || h->magic == MAGIC_120) && !h->pad[0] && !h->pad[1] &&
	       h->quantum == quantum && h->pointer == 8 && h->names >= sizeof(*h) &&
	       h->names < h->units && h->units <= h->functab && h->functab < size &&
	       h->functions < (size - h->functab) / sizeof(struct entry);
}

static bool load_table(struct go *g, uint64_t offset, uint64_t at, uint64_t size)
{
	if (size > TABLE_MAX)
		size = TABLE_MAX;
	if (!library_elf_read(g->elf, offset, &g->head, sizeof(g->head)) ||
	    !is_head(&g->head, size))
		return false;
	free(g->table);
	g->table = library_elf_load(g->elf, offset, size, TABLE_MAX);
	g->at = at;
	g->size = size;
	return g->table != NULL;
}

/* What looks like the table's head: its first eight bytes, at an address that is a multiple of
 * eight (the linker gives it 32). */
static bool find_head(struct go *g, const Elf64_Phdr *p, unsigned int *tries)
{
	uint64_t bytes[STEP / 8];

	for (uint64_t done = 0; done + 8 <= p->p_filesz && g->searched < SEARCH_MAX; done += STEP) {
		uint64_t left = p->p_filesz - done;
		size_t step = left < STEP ? left & ~7ULL : STEP;

		g->searched += step;
		if (!library_elf_read(g->elf, p->p_offset + done, bytes, step))
			return false;
		for (size_t i = 0; i < step / 8; i++) {
			uint32_t magic = (uint32_t)bytes[i];
			uint64_t in = done + i * 8;

			if ((magic != MAGIC_118 && magic != MAGIC_120) || bytes[i] >> 56 != 8)
				continue;
			if (load_table(g, p->p_offset + in, p->p_vaddr + in, p->p_filesz - in))
				return true;
			if (++*tries == TABLES_MAX)
				return false;
		}
	}
	return false;
}

static bool find_table(struct go *g)
{
	static const char *const names[] = {".gopclntab", ".data.rel.ro.gopclntab"};
	const struct library_elf *elf = g->elf;
	unsigned int tries = 0;

	for (unsigned int i = 0; i < 2; i++) {
		const Elf64_Shdr *s = library_elf_section(elf, names[i]);

		if (s && s->sh_type != SHT_NOBITS)
			return load_table(g, s->sh_offset, s->sh_addr, s->sh_size);
	}
	/* All segments of all files are not searched: only where Go has left a trace, or where
	 * there are no names of sections to go by. */
	if (elf->names_size && !library_elf_section(elf, ".go.buildinfo") &&
	    !library_elf_section(elf, ".note.go.buildid"))
		return false;
	for (unsigned int i = 0; i < elf->ph_count && tries < TABLES_MAX; i++)
		if (elf->ph[i].p_type == PT_LOAD && !(elf->ph[i].p_flags & PF_X) &&
		    find_head(g, &elf->ph[i], &tries))
			return true;
	return false;
}

/* The segment PT_DYNAMIC names the relocations, whether there are sections or not. */
static void load_relocations(struct go *g)
{
	uint64_t at = 0, size = 0;
	const Elf64_Phdr *p;

	for (unsigned int i = 0; i < g->elf->ph_count; i++) {
		Elf64_Dyn d = {.d_tag = DT_NULL + 1};

		p = &g->elf->ph[i];
		for (uint64_t n = 0; p->p_type == PT_DYNAMIC && d.d_tag != DT_NULL && n < 256;
		     n++) {
			if (!library_elf_read(g->elf, p->p_offset + n * sizeof(d), &d, sizeof(d)))
				break;
			if (d.d_tag == DT_RELA)
				at = d.d_un.d_ptr;
			else if (d.d_tag == DT_RELASZ)
				size = d.d_un.d_val;
		}
	}
	size -= size % sizeof(*g->relative);
	p = size ? library_elf_segment(g->elf, at, size) : NULL;
	if (!p)
		return;
	g->relative = library_elf_load(g->elf, p->p_offset + (at - p->p_vaddr), size,
				       RELOCATIONS_MAX * sizeof(*g->relative));
	g->relatives = g->relative ? size / sizeof(*g->relative) : 0;
}

/* The word of 64 bits at an address, as the loader leaves it. */
static uint64_t word_at(const struct go *g, uint64_t at)
{
	const Elf64_Phdr *p = library_elf_segment(g->elf, at, 8);
	uint64_t word = 0;

	if (p && !library_elf_read(g->elf, p->p_offset + (at - p->p_vaddr), &word, sizeof(word)))
		return 0;
	for (size_t i = 0; !word && i < g->relatives; i++)
		if (g->relative[i].r_offset == at)
			word = (uint64_t)g->relative[i].r_addend;
	return word;
}

/* Is it the module's description that is at @at? Then the text is where it says: the first
 * function lies at the lowest address there is. */
static bool is_module(struct go *g, uint64_t at)
{
	uint64_t text = word_at(g, at + offsetof(struct module, text));
	struct entry first;

	memcpy(&first, g->table + g->head.functab, sizeof(first));
	if (word_at(g, at + offsetof(struct module, min_pc)) != text + first.code ||
	    !library_elf_code(g->elf, text + first.code, 1))
		return false;
	g->text = text;
	return true;
}

/* Search a segment for words that are the table's address. */
static bool find_module(struct go *g, const Elf64_Phdr *p, unsigned int *tries)
{
	uint64_t words[STEP / 8];

	for (uint64_t done = 0; done + 8 <= p->p_filesz && g->searched < SEARCH_MAX; done += STEP) {
		uint64_t left = p->p_filesz - done;
		size_t step = left < STEP ? left & ~7ULL : STEP;

		g->searched += step;
		if (!library_elf_read(g->elf, p->p_offset + done, words, step))
			return false;
		for (size_t i = 0; i < step / 8; i++) {
			if (words[i] != g->at)
				continue;
			if (is_module(g, p->p_vaddr + done + i * 8))
				return true;
			if (++*tries == MODULES_MAX)
				return false;
		}
	}
	return false;
}

/* Where the text begins. The table's head does not say it (since Go 1.26), or by a relocation,
 * and the section .text may begin with C's code; runtime.moduledata has it in all versions. */
static bool find_text(struct go *g)
{
	unsigned int tries = 0;

	for (size_t i = 0; i < g->relatives && tries < MODULES_MAX; i++) {
		if ((uint64_t)g->relative[i].r_addend != g->at)
			continue;
		if (is_module(g, g->relative[i].r_offset))
			return true;
		tries++;
	}
	for (unsigned int i = 0; i < g->elf->ph_count && tries < MODULES_MAX; i++)
		if (g->elf->ph[i].p_type == PT_LOAD && g->elf->ph[i].p_flags & PF_W &&
		    find_module(g, &g->elf->ph[i], &tries))
			return true;
	return false;
}

/* The return instructions of a function, as places in the file. None unless all is understood:
 * what is read must end where the function does, but for what fills it up. */
static void find_returns(const struct go *g, uint64_t offset, size_t size,
			 uint64_t out[LIBRARY_RETS])
{
	uint8_t *code = library_elf_load(g->elf, offset, size, CODE_MAX);
	struct insn_reader *reader = NULL;
	size_t at = 0, end = size, n = 0;
	struct insn in;

	while (code && end && code[end - 1] == (LIBRARY_MACHINE == EM_X86_64 ? 0xcc : 0))
		end--;
	end = LIBRARY_MACHINE == EM_X86_64 ? end : (end + 3) & ~3ULL;
	if (code)
		reader = insn_reader_new(LIBRARY_MACHINE, code, size);
	while (reader && at < end && n <= LIBRARY_RETS && insn_read(reader, at, &in)) {
		if (in.kind == INSN_RETURN && n++ < LIBRARY_RETS)
			out[n - 1] = offset + at;
		at += in.size;
	}
	if (at != end || n > LIBRARY_RETS)
		memset(out, 0, LIBRARY_RETS * sizeof(*out));
	insn_reader_free(reader);
	free(code);
}

static void take(const struct go *g, unsigned int which, uint64_t at, size_t size,
		 struct library_go *out)
{
	uint64_t offset = library_elf_code(g->elf, at, size);

	if (!offset)
		return;
	if (which == SERVER_HELLO_IN)
		out->server_hello_in = offset;
	else if (which == EXTENSIONS_IN)
		out->extensions_in = offset;
	else
		find_returns(g, offset, size,
			     which == SERVER_HELLO_OUT ? out->server_hello_out
						       : out->extensions_out);
}

/* Which of ours is the function whose description is at @function in the table? */
static unsigned int which_function(const struct go *g, uint64_t function)
{
	uint64_t names = g->head.units - g->head.names, left;
	const uint8_t *name;
	uint32_t index;

	function += g->head.functab;
	if (function + 8 > g->size)
		return FUNCTIONS;
	memcpy(&index, g->table + function + 4, sizeof(index)); /* behind the entry's address */
	if (index >= names)
		return FUNCTIONS;
	name = g->table + g->head.names + index;
	left = names - index;
	for (unsigned int i = 0; i < FUNCTIONS; i++) {
		size_t length = strlen(function_names[i]) + 1;

		if (length <= left && !memcmp(name, function_names[i], length))
			return i;
	}
	return FUNCTIONS;
}

static void find_functions(const struct go *g, struct library_go *out)
{
	bool seen[FUNCTIONS] = {false};

	for (uint64_t i = 0; i < g->head.functions; i++) {
		struct entry two[2]; /* the last one is followed by the end of all */
		unsigned int which;

		memcpy(two, g->table + g->head.functab + i * sizeof(*two), sizeof(two));
		which = which_function(g, two[0].function);
		if (which == FUNCTIONS || seen[which] || two[1].code <= two[0].code)
			continue;
		seen[which] = true;
		take(g, which, g->text + two[0].code, two[1].code - two[0].code, out);
	}
}

bool library_go(const struct library_elf *elf, struct library_go *out)
{
	struct go g = {.elf = elf};

	memset(out, 0, sizeof(*out));
	if (find_table(&g)) {
		load_relocations(&g);
		if (find_text(&g))
			find_functions(&g, out);
	}
	free(g.table);
	free(g.relative);
	return out->server_hello_in || out->extensions_in || out->server_hello_out[0] ||
	       out->extensions_out[0];
}
