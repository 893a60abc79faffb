// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_library_look - a file that a process executes, as --library reads it. What is said of it
 * lies within it, and a file that is no library has nothing said of it.
 */
#include "check.h"

#include <sys/mman.h>
#include <unistd.h>

#include "library_look.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_go(const struct library_go *go, size_t size)
{
	CHECK(go->server_hello_in < size && go->extensions_in < size);
	for (unsigned int i = 0; i < LIBRARY_RETS; i++) {
		CHECK(go->server_hello_out[i] < size && go->extensions_out[i] < size);
		CHECK(!i || go->server_hello_out[i - 1] || !go->server_hello_out[i]);
		CHECK(!i || go->extensions_out[i - 1] || !go->extensions_out[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct library_look zero;
	struct library_look l;
	char why[256] = "", path[32];
	static int fd = -1;
	int err;

	if (fd < 0)
		fd = memfd_create("library", MFD_CLOEXEC);
	CHECK(fd >= 0 && !ftruncate(fd, 0));
	CHECK(pwrite(fd, data, size, 0) == (ssize_t)size);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	err = library_look(path, &l, why, sizeof(why));
	CHECK(!err && !why[0]);
	CHECK(l.kind != LIBRARY_NONE || !memcmp(&l, &zero, sizeof(l)));
	if (!size)
		return 0;
	CHECK(l.get_alpn < size && l.handshake < size);
	CHECK(l.random.count <= LIBRARY_HOPS && l.alpn.count <= LIBRARY_HOPS);
	CHECK(l.alpn_len.count <= LIBRARY_HOPS);
	check_go(&l.go, size);
	return 0;
}
