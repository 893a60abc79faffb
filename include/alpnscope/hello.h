/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hello.h - ClientHello and ServerHello (RFC 8446 section 4.1, RFC 5246 section 7.4.1)
 * into the facts of handshake.h.
 *
 * Every length is held against the block that encloses it, and a block must close
 * exactly. Names are copied as they stand; the agent cuts them up.
 */
#ifndef ALPNSCOPE_HELLO_H
#define ALPNSCOPE_HELLO_H

#include "counters.h"
#include "extension.h"
#include "handshake.h"
#include "stream.h"
#include "wire.h"

#define AS_EXTENSIONS_MAX 64 /* real hellos have up to about 25 */
#define AS_NAMES_WALK AS_ALPN_MAX /* a list of 256 bytes holds 256 empty names */
#define AS_SUITES_WALK 256
#define AS_SHARES_WALK 16
#define AS_VERSIONS_WALK 32

/** struct as_span - a block of the message: bytes at..end-1. */
struct as_span {
	__u32 at;
	__u32 end;
};

/**
 * struct as_hello - the parser's notes, in scratch memory (see AS_FRESH).
 * @at, @end: what is left of the block at hand
 * @n: a length
 * @seen: AS_X_* present
 * @ext: the extension of bit i
 * @session_id: padded with zeros
 */
struct as_hello {
	__u32 at;
	__u32 end;
	__u32 n;
	__u32 seen;
	struct as_span ext[16];
	__u8 session_id[AS_SESSION_ID_MAX];
};

/**
 * struct as_answer - what a ServerHello says.
 * @retry: it is a HelloRetryRequest
 */
struct as_answer {
	__u32 flags;
	__u32 ext;
	__u16 version;
	__u16 cipher;
	__u16 group;
	__u16 selected_len;
	__u32 retry;
	__u32 pad;
	__u8 random[AS_RANDOM_LEN];
	__u8 selected[AS_ALPN_MAX];
	struct as_owner owner;
};

AS_INLINE __u32 as_byte(const struct as_bytes *b, __u32 at)
{
	as_barrier(at);
	return at < AS_HELLO_MAX ? b->at[at] : 0;
}

AS_INLINE __u32 as_word(const struct as_bytes *b, __u32 at)
{
	as_barrier(at);
	return at < AS_HELLO_MAX ? (__u32)b->at[at] << 8 | b->at[at + 1] : 0;
}

/* @n bytes (8 at the most) at @at as they stand in memory, zeros behind them. */
AS_INLINE __u64 as_eight(const struct as_bytes *b, __u32 at, __u32 n)
{
#ifdef __bpf__
	as_barrier(at);
	return at < AS_HELLO_MAX ? AS_RAW64(b->at + at) & as_widen((1ULL << n) - 1) : 0;
#else
	__u64 bytes = 0;

	AS_MEMCPY(&bytes, b->at + at, n);
	return bytes;
#endif
}

/* Keep the session id of @n bytes that stands at @at. */
AS_INLINE void as_session_id(const struct as_bytes *b, __u32 at, __u32 n, struct as_hello *h)
{
	AS_FRESH(h->at) = at;
	AS_FRESH(h->n) = n;
	for (__u32 i = 0; i < AS_SESSION_ID_MAX / 8; i++) {
		__u32 from = as_min(n, 8 * i);
		__u64 bytes = as_eight(b, at + from, as_min(n - from, 8));

		AS_MEMCPY(h->session_id + 8UL * i, &bytes, 8);
	}
}

/* Note the extension of @type, with @len bytes of content at @at. */
AS_INLINE int as_note(struct as_hello *h, __u32 type, __u32 at, __u32 len)
{
	__u32 bit;

	AS_FRESH(h->n) = (__u32)as_ext_bit(type); /* else each case is a path of its own */
	bit = AS_FRESH(h->n);
	if (bit >= 32)
		return 0;
	if (bit >= 16) { /* of several kinds, so there may be two */
		h->seen |= 1U << bit;
		return 0;
	}
	if (h->seen & 1U << bit) /* RFC 8446 section 4.2: at most one */
		return AS_ERR_DUPLICATE_EXTENSION;
	h->seen |= 1U << bit;
	h->ext[bit].at = at;
	h->ext[bit].end = at + len;
	return 0;
}

/* Find the extensions in at..end-1 (of @h); returns 0 or the counter of what is wrong. */
AS_INLINE int as_extensions(const struct as_bytes *b, struct as_hello *h)
{
	__u32 at = AS_FRESH(h->at), end = AS_FRESH(h->end);

	h->seen = 0;
	if (at == end) /* RFC 8446 section 4.1.2: old hellos have no block */
		return 0;
	if (end - at < 2 || as_word(b, at) > end - at - 2)
		return AS_ERR_EXTENSION_OVERRUN;
	if (as_word(b, at) != end - at - 2)
		return AS_ERR_TRAILING_BYTES;
	AS_FRESH(h->at) = at + 2;
	for (__u32 i = 0; i < AS_EXTENSIONS_MAX; i++) {
		__u32 left, len;
		int err;

		at = AS_FRESH(h->at);
		left = AS_FRESH(h->end) - at;
		if (!left)
			return 0;
		if (left < 4)
			return AS_ERR_EXTENSION_OVERRUN;
		len = as_word(b, at + 2);
		if (len > left - 4)
			return AS_ERR_EXTENSION_OVERRUN;
		err = as_note(h, as_word(b, at), at + 4, len);
		if (err)
			return err;
		AS_FRESH(h->at) = at + 4 + len;
	}
	return AS_FRESH(h->at) == AS_FRESH(h->end) ? 0 : AS_ERR_TOO_MANY_EXTENSIONS;
}

/* Copy a name block of @len bytes (at most AS_ALPN_MAX) to @to, where AS_ALPN_MAX bytes
 * fit. For BPF a fixed size is one straight copy: the bytes beyond @len are overwritten
 * by the next block or cut off the record. */
AS_INLINE void as_copy_names(__u8 *to, const struct as_bytes *b, __u32 at, __u32 len)
{
#ifdef __bpf__
	(void)len;
	as_barrier(at);
	if (at < AS_HELLO_MAX)
		as_copy(to, b->at + at, AS_ALPN_MAX);
#else
	AS_MEMCPY(to, b->at + at, len);
#endif
}

/* Walk the names in at..end-1 (of @h): they must close the list exactly, but one that is
 * longer than its kept part is walked only as far as that reaches. */
AS_INLINE int as_names_close(const struct as_bytes *b, struct as_hello *h)
{
	for (__u32 i = 0; i < AS_NAMES_WALK; i++) {
		__u32 at = AS_FRESH(h->at);

		if (at >= AS_FRESH(h->end))
			break;
		AS_FRESH(h->at) = at + 1 + as_byte(b, at);
	}
	return AS_FRESH(h->at) == AS_FRESH(h->end) ||
	       (AS_FRESH(h->n) > AS_ALPN_MAX && AS_FRESH(h->at) < AS_FRESH(h->end));
}

/**
 * as_alpn_list - check an ALPN extension and keep its list (RFC 7301 section 3.1).
 * @h: its extension; at, end and n are used
 * @to: AS_ALPN_MAX bytes
 * @len: bytes kept
 * Returns 0 or AS_ERR_ALPN; h->n is the list's whole length. Names of length 0 are kept:
 * they are the sender's fault, and a fact.
 */
AS_INLINE int as_alpn_list(const struct as_bytes *b, struct as_hello *h, __u8 *to, __u16 *len)
{
	__u32 at = AS_FRESH(h->ext[3].at), end = AS_FRESH(h->ext[3].end), n;

	if (end - at < 2)
		return AS_ERR_ALPN;
	n = as_word(b, at);
	if (n != end - at - 2)
		return AS_ERR_ALPN;
	AS_FRESH(h->n) = n;
	AS_FRESH(h->at) = at + 2;
	AS_FRESH(h->end) = end;
	n = as_min(n, AS_ALPN_MAX);
	*len = (__u16)n;
	as_copy_names(to, b, at + 2, n);
	return as_names_close(b, h) ? 0 : AS_ERR_ALPN;
}

/* RFC 6066 section 3: the first name, when it is a host_name. */
AS_INLINE int as_server_name(const struct as_bytes *b, struct as_hello *h, struct as_handshake *hs)
{
	__u32 at = AS_FRESH(h->ext[0].at), end = AS_FRESH(h->ext[0].end), len;

	if (end - at < 5 || as_word(b, at) != end - at - 2)
		return AS_ERR_SERVER_NAME;
	len = as_word(b, at + 3);
	if (!len || len > end - at - 5)
		return AS_ERR_SERVER_NAME;
	if (as_byte(b, at + 2) != AS_SNI_HOST_NAME)
		return 0;
	if (len > AS_SNI_MAX) {
		hs->flags |= AS_F_SNI_TRUNCATED;
		len = AS_SNI_MAX;
	}
	hs->sni_len = (__u16)len;
	as_copy_names(hs->names, b, at + 5, len);
	return 0;
}

/* The highest version of a client's supported_versions (RFC 8446 section 4.2.1). */
AS_INLINE void as_client_versions(const struct as_bytes *b, struct as_hello *h,
				  struct as_handshake *hs)
{
	AS_FRESH(h->n) = 0;
	for (__u32 i = 0; i < AS_VERSIONS_WALK; i++) {
		__u32 at = AS_FRESH(h->ext[8].at) + 1 + 2 * i, v;

		if (at + 2 > AS_FRESH(h->ext[8].end))
			break;
		v = as_word(b, at);
		if (v >> 8 == AS_TLS13_DRAFT)
			v = AS_TLS13;
		if (v <= AS_TLS13 && v > AS_FRESH(h->n))
			AS_FRESH(h->n) = v;
	}
	if (AS_FRESH(h->n)) /* legacy_version is then no offer */
		hs->client_version = (__u16)AS_FRESH(h->n);
}

/* Flag a hybrid post-quantum share (RFC 8446 section 4.2.8). */
AS_INLINE void as_client_shares(const struct as_bytes *b, struct as_hello *h,
				struct as_handshake *hs)
{
	AS_FRESH(h->at) = AS_FRESH(h->ext[9].at) + 2;
	for (__u32 i = 0; i < AS_SHARES_WALK; i++) {
		__u32 at = AS_FRESH(h->at), group;

		if (at + 4 > AS_FRESH(h->ext[9].end))
			break;
		group = as_word(b, at);
		if ((group >= AS_GROUP_P256_MLKEM768 && group <= AS_GROUP_P384_MLKEM1024) ||
		    group == AS_GROUP_X25519_KYBER768)
			hs->flags |= AS_F_PQ;
		AS_FRESH(h->at) = at + 4 + as_word(b, at + 2);
	}
}

/* The extensions' facts; SNI before ALPN, for their names are packed in that order. */
AS_INLINE int as_client_extensions(const struct as_bytes *b, struct as_hello *h,
				   struct as_handshake *hs)
{
	__u32 seen = AS_FRESH(h->seen);
	int err;

	hs->client_ext = seen;
	if (seen & AS_X_SERVER_NAME) {
		err = as_server_name(b, h, hs);
		if (err)
			return err;
	}
	if (AS_FRESH(h->seen) & AS_X_ALPN) {
		err = as_alpn_list(b, h, hs->names + (AS_FRESH(hs->sni_len) & 0xff), &hs->alpn_len);
		if (err)
			return err;
		if (AS_FRESH(h->n) > AS_ALPN_MAX)
			hs->flags |= AS_F_ALPN_TRUNCATED;
	}
	if (AS_FRESH(h->seen) & AS_X_SUPPORTED_VERSIONS)
		as_client_versions(b, h, hs);
	if (AS_FRESH(h->seen) & AS_X_KEY_SHARE)
		as_client_shares(b, h, hs);
	return 0;
}

/* Is @number, not 0, one of four 16-bit numbers in network order? */
AS_INLINE int as_is_among(__u64 four, __u16 number)
{
	const __u64 ones = 0x0001000100010001ULL;
	__u64 x = four ^ AS_NET16(number) * ones; /* where it stands is 0 */

	return !!((x - ones) & ~x & ones << 15);
}

/* Step over the cipher suites at h->at; 0, or the counter of what is wrong. */
AS_INLINE int as_client_suites(const struct as_bytes *b, struct as_hello *h,
			       struct as_handshake *hs)
{
	__u32 at = AS_FRESH(h->at), left = AS_FRESH(h->end) - at, n;

	if (left < 2)
		return AS_ERR_HELLO_OVERRUN;
	n = as_word(b, at);
	if (n > left - 2)
		return AS_ERR_HELLO_OVERRUN;
	if (n & 1)
		return AS_ERR_FIELD;
	AS_FRESH(h->n) = n;
	AS_FRESH(h->at) = at + 2;
	for (__u32 i = 0; i < AS_SUITES_WALK / 4; i++) {
		__u32 ahead = AS_FRESH(h->n) - 8 * i;

		if (8 * i >= AS_FRESH(h->n))
			break;
		if (as_is_among(as_eight(b, AS_FRESH(h->at) + 8 * i, as_min(ahead, 8)),
				AS_CIPHER_FALLBACK_SCSV))
			hs->flags |= AS_F_FALLBACK_SCSV;
	}
	AS_FRESH(h->at) += AS_FRESH(h->n);
	return 0;
}

/**
 * as_client_hello - parse a ClientHello.
 * @b: the message, its header included
 * @h: notes
 * @hs: client_random, client_version, client_ext, flags and names are set; all but
 *      `names` must be zero before
 * Returns 0 or the counter (AS_ERR_*) of what is wrong with it.
 */
AS_INLINE int as_client_hello(const struct as_bytes *b, struct as_hello *h, struct as_handshake *hs)
{
	__u32 at = AS_HS_HLEN + 2 + AS_RANDOM_LEN, len = AS_FRESH(b->len), n;
	int err;

	if (len < at + 1)
		return AS_ERR_HELLO_OVERRUN;
	hs->client_version = (__u16)as_word(b, AS_HS_HLEN);
	as_copy(hs->client_random, b->at + AS_HS_HLEN + 2, AS_RANDOM_LEN);
	n = as_byte(b, at);
	if (n > AS_SESSION_ID_MAX)
		return AS_ERR_FIELD;
	if (n > len - at - 1)
		return AS_ERR_HELLO_OVERRUN;
	as_session_id(b, at + 1, n, h);
	AS_FRESH(h->at) += AS_FRESH(h->n);
	AS_FRESH(h->end) = len;
	err = as_client_suites(b, h, hs);
	if (err)
		return err;
	at = AS_FRESH(h->at); /* compression methods */
	len = AS_FRESH(h->end) - at;
	if (!len || as_byte(b, at) > len - 1)
		return AS_ERR_HELLO_OVERRUN;
	AS_FRESH(h->at) = at + 1 + as_byte(b, at);
	err = as_extensions(b, h);
	return err ? err : as_client_extensions(b, h, hs);
}

/* SHA-256("HelloRetryRequest"), RFC 8446 section 4.1.3. */
AS_INLINE int as_is_retry(const __u8 *random)
{
	return as_be32(random) == 0xcf21ad74 && as_be32(random + 4) == 0xe59a6111 &&
	       as_be32(random + 8) == 0xbe1d8c02 && as_be32(random + 12) == 0x1e65b891 &&
	       as_be32(random + 16) == 0xc2a21116 && as_be32(random + 20) == 0x7abb8c5e &&
	       as_be32(random + 24) == 0x079e09e2 && as_be32(random + 28) == 0xc8a8339c;
}

AS_INLINE int as_server_extensions(const struct as_bytes *b, struct as_hello *h,
				   struct as_answer *a)
{
	__u32 seen = AS_FRESH(h->seen);
	int err;

	a->ext = seen;
	if ((seen & AS_X_SUPPORTED_VERSIONS) && h->ext[8].end - h->ext[8].at == 2)
		a->version = (__u16)as_word(b, AS_FRESH(h->ext[8].at));
	if ((AS_FRESH(h->seen) & AS_X_KEY_SHARE) && h->ext[9].end - h->ext[9].at >= 2)
		a->group = (__u16)as_word(b, AS_FRESH(h->ext[9].at));
	if (!(AS_FRESH(h->seen) & AS_X_ALPN))
		return 0;
	err = as_alpn_list(b, h, a->selected, &a->selected_len);
	if (AS_FRESH(h->n) > AS_ALPN_MAX)
		a->flags |= AS_F_SELECTED_TRUNCATED;
	return err;
}

/**
 * as_server_hello - parse a ServerHello.
 * @b: the message, its header included
 * @h: notes
 * @a: filled; all but `selected` must be zero before
 * Returns 0 or the counter (AS_ERR_*) of what is wrong with it.
 */
AS_INLINE int as_server_hello(const struct as_bytes *b, struct as_hello *h, struct as_answer *a)
{
	__u32 at = AS_HS_HLEN + 2 + AS_RANDOM_LEN, len = AS_FRESH(b->len), n = 0;
	int err;

	if (len < at + 2)
		return AS_ERR_HELLO_OVERRUN;
	a->version = (__u16)as_word(b, AS_HS_HLEN);
	as_copy(a->random, b->at + AS_HS_HLEN + 2, AS_RANDOM_LEN);
	a->retry = (__u32)as_is_retry(a->random);
	if (AS_FRESH(a->version) <= AS_TLS12) {
		n = as_byte(b, at);
		if (n > AS_SESSION_ID_MAX)
			return AS_ERR_FIELD;
		if (n + 4 > len - at)
			return AS_ERR_HELLO_OVERRUN;
		as_session_id(b, at + 1, n, h);
		at = AS_FRESH(h->at) + AS_FRESH(h->n);
		n = 1; /* the compression method */
	} else { /* TLS 1.3 up to draft 21: neither session id nor compression */
		as_session_id(b, at, 0, h);
	}
	a->cipher = (__u16)as_word(b, at);
	AS_FRESH(h->at) = at + 2 + n;
	AS_FRESH(h->end) = AS_FRESH(b->len);
	err = as_extensions(b, h);
	return err ? err : as_server_extensions(b, h, a);
}

#endif
