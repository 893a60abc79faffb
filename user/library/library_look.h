/* SPDX-License-Identifier: GPL-2.0-only */
/* library_look.h - where in an executable file a TLS library can be asked. Only reads the file,
 * and believes nothing of it: it may be a container's, made to deceive. */
#ifndef ALPNSCOPE_LIBRARY_LOOK_H
#define ALPNSCOPE_LIBRARY_LOOK_H

#include <stddef.h>
#include <stdint.h>

#define LIBRARY_HOPS 4 /* of a path from an object to a field */
#define LIBRARY_RETS 16 /* return instructions of one function of Go */

enum library_kind { LIBRARY_NONE, LIBRARY_OPENSSL, LIBRARY_GNUTLS, LIBRARY_GO, LIBRARY_KINDS };

/**
 * struct library_path - from an object's address to a field of it, in bytes.
 * p = object; for each but the last: p = *(p + offset[i]), a pointer; the field is at
 * p + offset[count - 1]. count 0: not known, and then it is not guessed.
 */
struct library_path {
	unsigned int count;
	int32_t offset[LIBRARY_HOPS];
};

/**
 * struct library_go - crypto/tls of a Go program. Messages come with their header of four bytes.
 * @server_hello_in: entry of (*serverHelloMsg).unmarshal
 * @extensions_in: entry of (*encryptedExtensionsMsg).unmarshal
 * @server_hello_out: return instructions of (*serverHelloMsg).marshal, 0 after the last
 * @extensions_out: return instructions of (*encryptedExtensionsMsg).marshal, 0 after the last
 */
struct library_go {
	uint64_t server_hello_in, extensions_in;
	uint64_t server_hello_out[LIBRARY_RETS];
	uint64_t extensions_out[LIBRARY_RETS];
};

/**
 * struct library_look - what was found. Places are offsets in the file, which is what a uprobe
 * wants; 0: not there.
 * @get_alpn: OpenSSL's SSL_get0_alpn_selected, GnuTLS's gnutls_alpn_get_selected_protocol
 * @passing: OpenSSL: in @get_alpn, where every call comes with its SSL * still in the register
 *  of the first argument, and a breakpoint is cheap (library_passing.h)
 * @handshake: OpenSSL's SSL_do_handshake
 * @random: from SSL * or gnutls_session_t to the 32 bytes of the server random
 * @alpn: OpenSSL: from SSL * to the pointer to the chosen name; NULL there: none
 * @alpn_len: OpenSSL: from SSL * to its length: the lower 32 bits, in host order (a field of
 *  64 bits, of 32 in OpenSSL 1.0)
 */
struct library_look {
	enum library_kind kind;
	uint64_t get_alpn, passing, handshake;
	struct library_path random, alpn, alpn_len;
	struct library_go go;
};

/**
 * library_look - read the executable or shared library @path.
 * @why: on error a sentence: the file, the cause, what to do
 *
 * Returns 0; @out->kind is LIBRARY_NONE when it is no TLS library that we know (or no ELF file
 * of this machine's kind), and then the rest is zero. -errno when it cannot be read or is
 * broken; @out is zero then.
 */
int library_look(const char *path, struct library_look *out, char *why, size_t why_size);

#endif
