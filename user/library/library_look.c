// SPDX-License-Identifier: GPL-2.0-only
/* library_look.c - which TLS library an executable file is or holds, and where to ask it. */
#include "library_look.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "library_accessor.h"
#include "library_elf.h"
#include "library_go.h"
#include "library_passing.h"

#define ACCESSOR_MAX 4096 /* bytes of code */
#define POINTER 8
#define LENGTH 4 /* the accessor gives an unsigned int */

/* The code of a function, @size bytes of it; NULL when it cannot be had. */
static uint8_t *load(const struct library_elf *elf, const struct library_symbol *of, size_t *size)
{
	uint64_t offset;

	*size = of->size && of->size < ACCESSOR_MAX ? of->size : ACCESSOR_MAX;
	offset = of->size ? library_elf_code(elf, of->at, *size) : 0;
	return offset ? library_elf_load(elf, offset, *size, ACCESSOR_MAX) : NULL;
}

static uint64_t passing(const struct library_elf *elf, const struct library_symbol *of)
{
	size_t size, at = 0;
	uint8_t *code = load(elf, of, &size);

	if (code)
		at = library_passing(LIBRARY_MACHINE, code, size);
	free(code);
	return at ? library_elf_code(elf, of->at, 1) + at : 0;
}

/* What a library's accessor says of a field. */
static void decode(const struct library_elf *elf, const struct library_symbol *of,
		   unsigned int argument, enum library_gives gives, unsigned int width,
		   struct library_path *out)
{
	size_t size;
	uint8_t *code = load(elf, of, &size);

	if (code)
		library_accessor(LIBRARY_MACHINE, code, size, argument, gives, width, out);
	free(code);
}

static bool look_openssl(const struct library_elf *elf, struct library_look *out)
{
	enum { GET_ALPN, HANDSHAKE, GET_RANDOM, COUNT };
	struct library_symbol want[COUNT] = {[GET_ALPN] = {.name = "SSL_get0_alpn_selected"},
					     [HANDSHAKE] = {.name = "SSL_do_handshake"},
					     [GET_RANDOM] = {.name = "SSL_get_server_random"}};

	library_elf_symbols(elf, want, COUNT);
	out->get_alpn = library_elf_code(elf, want[GET_ALPN].at, 1);
	if (!out->get_alpn)
		return false;
	out->handshake = library_elf_code(elf, want[HANDSHAKE].at, 1);
	out->passing = passing(elf, &want[GET_ALPN]);
	decode(elf, &want[GET_RANDOM], 1, LIBRARY_CONTENT, 1, &out->random);
	decode(elf, &want[GET_ALPN], 1, LIBRARY_CONTENT, POINTER, &out->alpn);
	decode(elf, &want[GET_ALPN], 2, LIBRARY_CONTENT, LENGTH, &out->alpn_len);
	return true;
}

static bool look_gnutls(const struct library_elf *elf, struct library_look *out)
{
	enum { GET_ALPN, GET_RANDOM, COUNT };
	struct library_symbol want[COUNT] = {
		[GET_ALPN] = {.name = "gnutls_alpn_get_selected_protocol"},
		[GET_RANDOM] = {.name = "gnutls_session_get_random"}};

	library_elf_symbols(elf, want, COUNT);
	out->get_alpn = library_elf_code(elf, want[GET_ALPN].at, 1);
	if (!out->get_alpn)
		return false;
	/* (session, client, server): each a datum that is set to point into the session. */
	decode(elf, &want[GET_RANDOM], 2, LIBRARY_ADDRESS, POINTER, &out->random);
	return true;
}

int library_look(const char *path, struct library_look *out, char *why, size_t why_size)
{
	struct library_elf elf;
	int err;

	memset(out, 0, sizeof(*out));
	err = library_elf_open(&elf, path);
	if (err == -ENOEXEC)
		return 0;
	if (err) {
		snprintf(why, why_size,
			 "cannot read %s: %s; it takes root, and a process that still runs it",
			 path, strerror(-err));
		return err;
	}
	if (look_openssl(&elf, out))
		out->kind = LIBRARY_OPENSSL;
	else if (look_gnutls(&elf, out))
		out->kind = LIBRARY_GNUTLS;
	else if (library_go(&elf, &out->go))
		out->kind = LIBRARY_GO;
	library_elf_close(&elf);
	return 0;
}
