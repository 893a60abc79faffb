// SPDX-License-Identifier: GPL-2.0-only
#include "library_attach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cap-ng.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "library.skel.h"
#include "log.h"
#include "links.h"

/* Go: an entry and returns of two functions each. Others have four at the most. */
#define LINKS_MAX (2 * (1 + LIBRARY_RETS))

/* @asking: of the links, those at the end that library_settle() takes away. */
struct attached {
	unsigned int links, asking;
	struct bpf_link *link[LINKS_MAX];
};

struct library_programs {
	struct library_words words;
	struct library_bpf *skel;
	struct ring_buffer *ring;
	struct attached *file[AS_LIBRARY_FILES];
	struct links *links;
	unsigned int going[AS_LIBRARY_FILES]; /* links of a file that was let go of */
};

_Static_assert(sizeof(struct library_path) == sizeof(struct as_library_path) &&
		       LIBRARY_HOPS == AS_LIBRARY_HOPS,
	       "a path is handed to the kernel as it is");

static int on_word(void *arg, void *data, size_t size)
{
	struct library_programs *p = arg;
	const uint32_t *word = data;

	if (*word == AS_LIBRARY_ANSWER && size >= sizeof(struct as_library_answer))
		p->words.answer(p->words.arg, data);
	else if (*word == AS_LIBRARY_EXEC && size >= sizeof(struct as_library_exec))
		p->words.exec(p->words.arg, ((const struct as_library_exec *)data)->tgid);
	return 0;
}

/*
 * What this process has not got; "" for nothing. CAP_PERFMON and CAP_CHECKPOINT_RESTORE are not
 * enough: Linux 6.18 wants CAP_SYS_ADMIN for uprobes.
 */
static void missing_caps(char *names, size_t size)
{
	static const struct {
		unsigned int cap;
		const char *name;
	} need[] = {{CAP_SYS_ADMIN, "CAP_SYS_ADMIN"},
		    {CAP_SYS_PTRACE, "CAP_SYS_PTRACE"},
		    {CAP_DAC_READ_SEARCH, "CAP_DAC_READ_SEARCH"}};
	size_t at = 0;

	*names = '\0';
	if (capng_get_caps_process())
		return;
	for (size_t i = 0; i < sizeof(need) / sizeof(need[0]) && at < size; i++)
		if (!capng_have_capability(CAPNG_EFFECTIVE, need[i].cap))
			at += (size_t)snprintf(names + at, size - at, "%s%s", at ? ", " : "",
					       need[i].name);
}

static void refused(int err, char *error, size_t size)
{
	char caps[64];

	missing_caps(caps, sizeof(caps));
	if (*caps)
		snprintf(error, size,
			 "--library: this process lacks %s; run as root, or leave out --library",
			 caps);
	else
		snprintf(error, size,
			 "--library: cannot load the programs that ask TLS libraries: %s; they "
			 "need Linux 5.15 and uprobes (CONFIG_UPROBE_EVENTS): leave out --library, "
			 "-v shows the kernel's own words",
			 strerror(err));
}

struct library_programs *library_load(const struct library_words *words, char *error, size_t size)
{
	struct library_programs *p = calloc(1, sizeof(*p));
	char caps[64];
	int err = ENOMEM;

	missing_caps(caps, sizeof(caps));
	if (!p || *caps)
		goto out;
	p->words = *words;
	p->skel = library_bpf__open_and_load();
	if (!p->skel) {
		err = errno;
		goto out;
	}
	p->links = links_new();
	if (!p->links)
		goto out;
	p->ring = ring_buffer__new(bpf_map__fd(p->skel->maps.answers), on_word, p, NULL);
	p->skel->links.library_exec = bpf_program__attach(p->skel->progs.library_exec);
	if (p->ring && p->skel->links.library_exec)
		return p;
	err = errno;
out:
	refused(err, error, size);
	library_unload(p);
	return NULL;
}

void library_unload(struct library_programs *p)
{
	unsigned int links = 0;

	if (!p)
		return;
	for (unsigned int i = 0; i < AS_LIBRARY_FILES; i++)
		links += p->file[i] ? p->file[i]->links : 0;
	/* perf_uprobe_destroy() waits, under one mutex, until no task can be in it any more. */
	if (links)
		log_info("letting go of %u probes, some 0.1 s each", links);
	for (unsigned int i = 0; i < AS_LIBRARY_FILES; i++)
		library_detach(p, i);
	links_free(p->links);
	ring_buffer__free(p->ring);
	library_bpf__destroy(p->skel);
	free(p);
}

/* One place of a file; @offset 0 is not there. Returns 0, or -errno. */
static int attach(struct attached *a, const struct bpf_program *prog, bool at_return,
		  unsigned int number, const char *path, uint64_t offset)
{
	DECLARE_LIBBPF_OPTS(bpf_uprobe_opts, opts, .bpf_cookie = number + 1, .retprobe = at_return);
	struct bpf_link *link;

	if (!offset)
		return 0;
	link = bpf_program__attach_uprobe_opts(prog, -1, path, offset, &opts);
	if (!link)
		return -errno;
	a->link[a->links++] = link;
	return 0;
}

/* A call and its return. The call first: a return whose call was not seen is a loss. */
static int attach_call(struct attached *a, const struct bpf_program *call,
		       const struct bpf_program *ret, unsigned int number, const char *path,
		       uint64_t offset)
{
	int err = attach(a, call, false, number, path, offset);

	return err ? err : attach(a, ret, true, number, path, offset);
}

static int attach_go(struct attached *a, const struct library_bpf *skel, unsigned int number,
		     const char *path, const struct library_go *go)
{
	int err = attach(a, skel->progs.library_go_hello_in, false, number, path,
			 go->server_hello_in);

	for (unsigned int i = 0; !err && i < LIBRARY_RETS; i++)
		err = attach(a, skel->progs.library_go_hello_out, false, number, path,
			     go->server_hello_out[i]);
	if (!err)
		err = attach(a, skel->progs.library_go_extensions_in, false, number, path,
			     go->extensions_in);
	for (unsigned int i = 0; !err && i < LIBRARY_RETS; i++)
		err = attach(a, skel->progs.library_go_extensions_out, false, number, path,
			     go->extensions_out[i]);
	return err;
}

/* The call that asks last: it may go once it has shown where the fields are. */
static int attach_openssl(struct attached *a, const struct library_bpf *skel, unsigned int number,
			  const char *path, const struct library_look *look)
{
	bool fields = look->alpn.count && look->alpn_len.count;
	unsigned int before;
	int err = 0;

	if (fields)
		err = attach_call(a, skel->progs.library_begin, skel->progs.library_done, number,
				  path, look->handshake);
	if (!err && fields)
		err = attach(a, skel->progs.library_pass, false, number, path, look->passing);
	before = a->links;
	if (!err)
		err = attach_call(a, skel->progs.library_ask, skel->progs.library_told_openssl,
				  number, path, look->get_alpn);
	a->asking = fields && look->passing ? a->links - before : 0;
	return err;
}

static int attach_all(struct attached *a, const struct library_bpf *skel, unsigned int number,
		      const char *path, const struct library_look *look)
{
	if (look->kind == LIBRARY_GO)
		return attach_go(a, skel, number, path, &look->go);
	if (!look->random.count) /* an answer could never be joined */
		return -ENOENT;
	if (look->kind == LIBRARY_OPENSSL)
		return attach_openssl(a, skel, number, path, look);
	return attach_call(a, skel->progs.library_ask, skel->progs.library_told_gnutls, number,
			   path, look->get_alpn);
}

static int set_file(const struct library_programs *p, uint32_t number,
		    const struct library_look *look)
{
	struct as_library_file file;

	memcpy(&file.random, &look->random, sizeof(file.random));
	memcpy(&file.alpn, &look->alpn, sizeof(file.alpn));
	memcpy(&file.alpn_len, &look->alpn_len, sizeof(file.alpn_len));
	return bpf_map__update_elem(p->skel->maps.files, &number, sizeof(number), &file,
				    sizeof(file), BPF_ANY);
}

int library_attach(struct library_programs *p, unsigned int number, const char *path,
		   const struct library_look *look)
{
	int err = set_file(p, number, look);
	struct attached *a;

	if (err)
		return err;
	a = calloc(1, sizeof(*a));
	if (!a)
		return -ENOMEM;
	p->file[number] = a;
	err = attach_all(a, p->skel, number, path, look);
	if (!err && !a->links)
		err = -ENOENT;
	if (err)
		library_detach(p, number);
	return err;
}

void library_detach(struct library_programs *p, unsigned int number)
{
	struct attached *a = p->file[number];

	if (!a)
		return;
	while (a->links) /* a call's return first */
		links_let_go(p->links, a->link[--a->links], &p->going[number]);
	free(a);
	p->file[number] = NULL;
}

void library_settle(struct library_programs *p, unsigned int number)
{
	struct attached *a = p->file[number];

	for (; a && a->asking; a->asking--)
		links_let_go(p->links, a->link[--a->links], &p->going[number]);
}

bool library_is_free(const struct library_programs *p, unsigned int number)
{
	return !p->file[number] && links_are_gone(&p->going[number]);
}

int library_fd(const struct library_programs *p)
{
	return ring_buffer__epoll_fd(p->ring);
}

void library_looking(struct library_programs *p, bool soon)
{
	__atomic_store_n(&p->skel->bss->looking, soon, __ATOMIC_SEQ_CST);
}

void library_read(struct library_programs *p)
{
	ring_buffer__consume(p->ring);
}

void library_lost(const struct library_programs *p, uint64_t lost[AS_LIBRARY_LOST_COUNT])
{
	for (unsigned int i = 0; i < AS_LIBRARY_LOST_COUNT; i++)
		lost[i] = __atomic_load_n(&p->skel->bss->lost[i], __ATOMIC_RELAXED);
}
