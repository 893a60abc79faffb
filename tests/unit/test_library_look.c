// SPDX-License-Identifier: GPL-2.0-only
/* library_look against the libraries of this machine: what it says is where they keep it. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "handshake.h"
#include "library_look.h"
#include "sofile.h"

/* The field's address in this process, as the BPF program walks there. */
static const void *field(const void *object, const struct library_path *p)
{
	const char *at = object;

	assert_in_range(p->count, 1, LIBRARY_HOPS);
	for (unsigned int i = 0; i + 1 < p->count; i++)
		memcpy(&at, at + p->offset[i], sizeof(at));
	return at + p->offset[p->count - 1];
}

static struct library_look look(const char *path, enum library_kind kind)
{
	struct library_look l;
	char why[256] = "";

	assert_int_equal(library_look(path, &l, why, sizeof(why)), 0);
	assert_string_equal(why, "");
	assert_int_equal(l.kind, kind);
	return l;
}

/* Is what the file has at @offset what this process runs as @function? */
static void assert_place(void *library, const char *function, uint64_t offset)
{
	int fd = open(loaded_from(library, function), O_RDONLY | O_CLOEXEC);
	uint8_t bytes[16];

	assert_true(fd >= 0);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), (off_t)offset), sizeof(bytes));
	/* Not the first byte: it is a breakpoint while somebody's uprobe is there. */
	assert_memory_equal(bytes + 1, (const uint8_t *)dlsym(library, function) + 1,
			    sizeof(bytes) - 1);
	close(fd);
}

static void assert_alpn(const struct library_look *l, const struct openssl *o, int end)
{
	const uint8_t *name, *found;
	unsigned int len;
	uint32_t found_len;

	FUNCTION(o->library, void, "SSL_get0_alpn_selected", void *, const uint8_t **,
		 unsigned int *)
	(o->ssl[end], &name, &len);
	memcpy(&found, field(o->ssl[end], &l->alpn), sizeof(found));
	assert_ptr_equal(found, name);
	if (!name)
		return;
	memcpy(&found_len, field(o->ssl[end], &l->alpn_len), sizeof(found_len));
	assert_int_equal(found_len, len);
}

static void openssl_is_understood(void **state)
{
	static const char *const offers[] = {"\2h2\10http/1.1", "\10http/1.1", ""};
	struct openssl o = {.library = dlopen("libssl.so.3", RTLD_NOW)};
	struct library_look l;

	(void)state;
	if (!o.library)
		o.library = dlopen("libssl.so.1.1", RTLD_NOW);
	if (!o.library) {
		print_message("no libssl.so.3 or libssl.so.1.1 on this machine\n");
		skip();
	}
	l = look(loaded_from(o.library, "SSL_new"), LIBRARY_OPENSSL);
	assert_place(o.library, "SSL_get0_alpn_selected", l.get_alpn);
	assert_place(o.library, "SSL_do_handshake", l.handshake);
	for (unsigned int i = 0; i < sizeof(offers) / sizeof(offers[0]); i++) {
		assert_true(openssl_connect(&o, offers[i]));
		for (int end = 0; end < 2; end++) {
			uint8_t random[32];

			assert_int_equal(FUNCTION(o.library, size_t, "SSL_get_server_random",
						  void *, uint8_t *,
						  size_t)(o.ssl[end], random, sizeof(random)),
					 sizeof(random));
			assert_memory_equal(field(o.ssl[end], &l.random), random, sizeof(random));
			assert_alpn(&l, &o, end);
		}
		openssl_free(&o);
	}
	dlclose(o.library);
}

static void gnutls_is_understood(void **state)
{
	static struct gnutls g;
	struct gnutls_datum client, server;
	struct library_look l;

	(void)state;
	g.library = dlopen("libgnutls.so.30", RTLD_NOW);
	if (!g.library) {
		print_message("no libgnutls.so.30 on this machine\n");
		skip();
	}
	l = look(loaded_from(g.library, "gnutls_init"), LIBRARY_GNUTLS);
	assert_place(g.library, "gnutls_alpn_get_selected_protocol", l.get_alpn);
	assert_int_equal(l.handshake, 0);
	assert_true(gnutls_connect(&g));
	for (int end = 0; end < 2; end++) {
		FUNCTION(g.library, void, "gnutls_session_get_random", void *,
			 struct gnutls_datum *, struct gnutls_datum *)
		(g.session[end], &client, &server);
		assert_int_equal(server.size, 32);
		assert_memory_equal(field(g.session[end], &l.random), server.data, 32);
		assert_memory_not_equal(field(g.session[end], &l.random), client.data, 32);
	}
	gnutls_free_all(&g);
	dlclose(g.library);
}

#ifdef __x86_64__
static struct library_look look_made(const struct so_function *f, unsigned int count, uint32_t type,
				     enum library_kind kind)
{
	int fd = memfd_create("made", MFD_CLOEXEC);
	struct library_look l;
	uint8_t file[SO_SIZE];
	char path[64];

	so_file(file, f, count, type);
	assert_int_equal(write(fd, file, sizeof(file)), sizeof(file));
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	l = look(path, kind);
	close(fd);
	return l;
}

/* Exported, or kept by a program that holds its library; not where it is only called. */
static void symbols_are_found(void **state)
{
	static const uint32_t types[] = {SHT_DYNSYM, SHT_SYMTAB};
	struct so_function f[3];
	struct library_look l;

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		l = look_made(so_openssl, 3, types[i], LIBRARY_OPENSSL);
		assert_int_equal(l.get_alpn, SO_CODE + SO_STEP);
		assert_int_equal(l.handshake, SO_CODE + 2 * SO_STEP);
		assert_int_equal(l.random.count, 1);
		assert_int_equal(l.random.offset[0], 0x98);
		assert_int_equal(l.alpn.offset[0], 0x20);
		assert_int_equal(l.alpn_len.offset[0], 0x28);
		l = look_made(so_gnutls, 2, types[i], LIBRARY_GNUTLS);
		assert_int_equal(l.get_alpn, SO_CODE + SO_STEP);
		assert_int_equal(l.random.offset[0], 0x70);
	}
	memcpy(f, so_openssl, sizeof(f));
	f[1].size = 0;
	look_made(f, 3, SHT_DYNSYM, LIBRARY_NONE);
	memcpy(f, so_openssl, sizeof(f));
	f[0].name = "SSL_get_client_random";
	l = look_made(f, 3, SHT_DYNSYM, LIBRARY_OPENSSL);
	assert_int_equal(l.random.count, 0); /* and no other way to it is made up */
}
#else
static void symbols_are_found(void **state)
{
	(void)state;
	print_message("the file of this test is amd64's\n");
	skip();
}
#endif

static void others_are_none(void **state)
{
	static const struct library_look zero;
	static const char *const paths[] = {"/bin/sh", "/etc/passwd", "/dev/null", "/",
					    "/proc/self/maps"};
	struct library_look l;
	char why[256] = "";

	(void)state;
	for (unsigned int i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		l = look(paths[i], LIBRARY_NONE);
		assert_memory_equal(&l, &zero, sizeof(l));
	}
	memset(&l, 1, sizeof(l));
	assert_int_equal(library_look("/nonexistent/x", &l, why, sizeof(why)), -ENOENT);
	assert_non_null(strstr(why, "/nonexistent/x"));
	assert_memory_equal(&l, &zero, sizeof(l));
}

/* A copy of a file in memory that can be spoilt. */
struct copy {
	int fd;
	size_t size;
	uint8_t *bytes;
	char path[64];
};

static bool copy_of(struct copy *c, const char *path)
{
	int from = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;

	if (from < 0 || fstat(from, &st))
		return false;
	c->size = (size_t)st.st_size;
	c->bytes = malloc(c->size);
	assert_int_equal(read(from, c->bytes, c->size), c->size);
	close(from);
	c->fd = memfd_create("copy", MFD_CLOEXEC);
	assert_int_equal(write(c->fd, c->bytes, c->size), c->size);
	snprintf(c->path, sizeof(c->path), "/proc/self/fd/%d", c->fd);
	return true;
}

/* It must end, without a crash, and say nothing when it says it is none. */
static void look_at_garbage(const struct copy *c)
{
	static const struct library_look zero;
	struct library_look l;
	char why[256];

	if (library_look(c->path, &l, why, sizeof(why)) || l.kind == LIBRARY_NONE)
		assert_memory_equal(&l, &zero, sizeof(l));
	assert_true(l.random.count <= LIBRARY_HOPS);
	assert_true(l.get_alpn < c->size && l.handshake < c->size);
}

static void spoil(const char *path, unsigned int rounds)
{
	struct copy c;

	if (!copy_of(&c, path))
		return;
	srand(1);
	for (unsigned int i = 0; i < rounds; i++) {
		const Elf64_Ehdr *eh = (const void *)c.bytes;
		/* the header, a segment, a section, or anywhere */
		uint64_t areas[] = {0, eh->e_phoff, eh->e_shoff, (uint64_t)rand() % c.size};
		uint64_t at = areas[rand() % 4] + (uint64_t)(rand() % 1024);
		uint8_t byte = rand() % 2 ? (uint8_t)rand() : 0xff;

		if (at >= c.size)
			continue;
		for (uint64_t n = 0; n < 8 && at + n < c.size; n += 1 + rand() % 8)
			assert_int_equal(pwrite(c.fd, &byte, 1, (off_t)(at + n)), 1);
		look_at_garbage(&c);
		for (uint64_t n = 0; n < 8 && at + n < c.size; n++)
			assert_int_equal(pwrite(c.fd, c.bytes + at + n, 1, (off_t)(at + n)), 1);
	}
	for (size_t size = c.size; size; size -= size / 16 + 1) { /* cut */
		assert_int_equal(ftruncate(c.fd, (off_t)size), 0);
		look_at_garbage(&c);
	}
	free(c.bytes);
	close(c.fd);
}

static void spoilt_files_end(void **state)
{
	void *library = dlopen("libssl.so.3", RTLD_NOW);

	(void)state;
	spoil("/proc/self/exe", 300);
	if (library) {
		spoil(loaded_from(library, "SSL_new"), 600);
		dlclose(library);
	}
}

/* A file of terabytes without content that claims as much as can be claimed. */
static void a_sparse_file_costs_nothing(void **state)
{
	Elf64_Ehdr *eh;
	struct copy c;

	(void)state;
	assert_true(copy_of(&c, "/proc/self/exe"));
	eh = (Elf64_Ehdr *)(void *)c.bytes;
	eh->e_shnum = 0xfeff;
	eh->e_shoff = c.size;
	eh->e_phnum = 0xfffe;
	assert_int_equal(pwrite(c.fd, eh, sizeof(*eh), 0), sizeof(*eh));
	c.size = 1ULL << 42;
	assert_int_equal(ftruncate(c.fd, (off_t)c.size), 0);
	look_at_garbage(&c);
	free(c.bytes);
	close(c.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(openssl_is_understood),
		cmocka_unit_test(gnutls_is_understood),
		cmocka_unit_test(symbols_are_found),
		cmocka_unit_test(others_are_none),
		cmocka_unit_test(spoilt_files_end),
		cmocka_unit_test(a_sparse_file_costs_nothing),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
