// SPDX-License-Identifier: GPL-2.0-only
/*
 * fuzz_hello - the parser of hellos beside a second reader of them (reference.h): they must
 * agree on what is malformed, on the server's name and on the names offered.
 *
 * An input is a byte, even for a ClientHello and odd for a ServerHello, and the body.
 */
#include <sanitizer/asan_interface.h>

#include "check.h"

#include "alpnscope/hello.h"
#include "reference.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The target's, see port.h; the parser of a message that is there needs none of them. */
AS_INLINE int as_load(AS_ENV *env, __u32 off, void *dst, __u32 len)
{
	(void)env;
	(void)off;
	(void)dst;
	(void)len;
	return -1;
}

AS_INLINE void as_move(void *dst, const void *src, __u32 len)
{
	memcpy(dst, src, len);
}

AS_INLINE void as_room(struct as_bytes *b, __u32 len)
{
	ASAN_UNPOISON_MEMORY_REGION(b->at, sizeof(b->at));
	ASAN_POISON_MEMORY_REGION(b->at + len, sizeof(b->at) - len);
}

static struct as_bytes bytes;
static struct as_hello notes;

static void same_list(const struct ref *want, const uint8_t *names, uint32_t len)
{
	uint32_t kept = want->left < AS_ALPN_MAX ? want->left : AS_ALPN_MAX;

	CHECK(len == kept);
	CHECK(!len || !memcmp(names, want->at, len));
}

/* Does the parser's result @err fit what the other reader says? Beyond the parser's bounds
 * it may: the first says that it is too much, or reads no further than it keeps. */
static void same_verdict(const struct ref_hello *ref, int err)
{
	CHECK(err >= 0 && err < AS_COUNTER_COUNT);
	if (err != AS_ERR_TOO_MANY_EXTENSIONS && ref->alpn.left <= AS_ALPN_MAX)
		CHECK(!err == !ref->bad);
}

static void client(const uint8_t *body, uint32_t len)
{
	struct ref_hello ref = ref_hello(body, len, true);
	struct as_handshake hs = {0};
	int err = as_client_hello(&bytes, &notes, &hs);

	same_verdict(&ref, err);
	if (err || ref.bad)
		return;
	CHECK(!memcmp(hs.client_random, ref.random, AS_RANDOM_LEN));
	CHECK(hs.sni_len == (ref.sni.left < AS_SNI_MAX ? ref.sni.left : AS_SNI_MAX));
	CHECK(!hs.sni_len || !memcmp(as_sni(&hs), ref.sni.at, hs.sni_len));
	same_list(&ref.alpn, as_alpn(&hs), hs.alpn_len);
}

static void server(const uint8_t *body, uint32_t len)
{
	struct ref_hello ref = ref_hello(body, len, false);
	struct as_answer a = {0};
	int err = as_server_hello(&bytes, &notes, &a);

	/* Drafts of TLS 1.3 had a shape of their own, which the reference does not know. */
	if (len >= 2 && as_be16(body) > AS_TLS12)
		return;
	same_verdict(&ref, err);
	if (err || ref.bad)
		return;
	CHECK(!memcmp(a.random, ref.random, AS_RANDOM_LEN));
	same_list(&ref.alpn, a.selected, a.selected_len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint32_t len = (uint32_t)size - 1;

	if (!size || len > AS_HELLO_MAX - AS_HS_HLEN)
		return 0;
	as_room(&bytes, AS_HS_HLEN + len);
	bytes.len = AS_HS_HLEN + len;
	bytes.at[0] = data[0] % 2 ? AS_HS_SERVER_HELLO : AS_HS_CLIENT_HELLO;
	bytes.at[1] = 0;
	bytes.at[2] = (uint8_t)(len >> 8);
	bytes.at[3] = (uint8_t)len;
	memcpy(bytes.at + AS_HS_HLEN, data + 1, len);
	(data[0] % 2 ? server : client)(data + 1, len);
	return 0;
}
