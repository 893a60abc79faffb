/* SPDX-License-Identifier: GPL-2.0-only */
/* record.h - TLS records: what a segment's payload begins with. */
#ifndef ALPNSCOPE_RECORD_H
#define ALPNSCOPE_RECORD_H

#include "packet.h"
#include "wire.h"

enum as_begin {
	AS_BEGIN_OTHER, /* not a record, or one of no interest */
	AS_BEGIN_CLIENT_HELLO,
	AS_BEGIN_SERVER_HELLO,
	AS_BEGIN_ALERT,
	AS_BEGIN_CHANGE_CIPHER_SPEC,
	AS_BEGIN_EMPTY, /* a handshake record without content */
	AS_BEGIN_PREFIX, /* too short to tell, fits a hello so far */
	AS_BEGIN_PART, /* too short to tell, fits an alert or ChangeCipherSpec so far */
	AS_BEGIN_PROXY, /* perhaps a PROXY header, which a hello may follow */
};

#define AS_MESSAGE_MAX (1U << 18) /* OpenSSL takes ClientHellos of up to 2^17 bytes */

/**
 * struct as_record - the record at one place of a payload.
 * @begin: enum as_begin
 * @off: frame offset of the record's header
 * @len: bytes of its fragment, header left out
 * @message_len: bytes of the hello, its own header included, by that header
 * @level, @desc: the alert
 * @v2_version: not 0 for a ClientHello in SSL 2.0 form, the version in it. Its message is then
 *              what follows the version, which is as far from `off` as a record's fragment
 */
struct as_record {
	__u32 begin;
	__u32 off;
	__u32 len;
	__u32 message_len;
	__u8 level;
	__u8 desc;
	__u16 v2_version;
};

/* The first 3 bytes of a PROXY header, version 1 or 2 (HAProxy's proxy-protocol.txt). */
AS_INLINE int as_is_proxy(const __u8 *b)
{
	return (b[0] == 'P' && b[1] == 'R' && b[2] == 'O') ||
	       (b[0] == '\r' && b[1] == '\n' && b[2] == '\r');
}

/* A record header of at least 3 bytes: a type that may stand ahead of or in a handshake,
 * version 3.x (RFC 8446 section 5.1: whatever x is). */
AS_INLINE int as_is_record(const __u8 *b)
{
	return b[0] >= AS_REC_CHANGE_CIPHER_SPEC && b[0] <= AS_REC_HANDSHAKE && b[1] == 3;
}

/* An alert or ChangeCipherSpec record, of which 5 + 2 or 5 + 1 bytes stand at @b. */
AS_INLINE void as_record_small(const __u8 *b, struct as_record *r)
{
	r->len = as_be16(b + 3);
	if (b[0] == AS_REC_CHANGE_CIPHER_SPEC) {
		if (r->len == 1)
			r->begin = AS_BEGIN_CHANGE_CIPHER_SPEC;
	} else if (r->len == AS_ALERT_LEN) {
		r->begin = AS_BEGIN_ALERT;
		r->level = b[AS_REC_HLEN];
		r->desc = b[AS_REC_HLEN + 1];
	}
}

/* Fewer bytes than a hello's first fields take: what the payload may still become. */
AS_INLINE void as_record_short(const struct as_frame *fr, __u32 off, __u32 avail,
			       struct as_record *r)
{
	__u8 copy[AS_REC_HLEN + 1], bytes[AS_REC_HLEN + AS_ALERT_LEN] = {};
	const __u8 *b = as_view(fr, off, 1, copy);
	__u8 type;

	if (!b)
		return;
	type = *b;
	if (type != AS_REC_HANDSHAKE) {
		r->begin = AS_BEGIN_PART;
		if (avail < AS_REC_HLEN + (type == AS_REC_ALERT ? AS_ALERT_LEN : 1))
			return;
		r->begin = AS_BEGIN_OTHER;
		/* Copied, for verifiers before Linux 6.x lose sight of what was checked. */
		b = as_view(fr, off, AS_REC_HLEN + 1, copy);
		if (!b)
			return;
		AS_MEMCPY(bytes, b, AS_REC_HLEN + 1);
		b = type == AS_REC_ALERT ? as_view(fr, off + AS_REC_HLEN + 1, 1, copy) : 0;
		if (b)
			bytes[AS_REC_HLEN + 1] = *b;
		as_record_small(bytes, r);
		return;
	}
	b = avail > AS_REC_HLEN ? as_view(fr, off + AS_REC_HLEN, 1, copy) : 0;
	if (avail <= AS_REC_HLEN || (b && (*b == AS_HS_CLIENT_HELLO || *b == AS_HS_SERVER_HELLO)))
		r->begin = AS_BEGIN_PREFIX;
}

/* One or two bytes that may begin a record of a handshake. */
AS_INLINE void as_record_tiny(const struct as_frame *fr, __u32 off, __u32 avail,
			      struct as_record *r)
{
	__u8 copy[1];
	const __u8 *b = avail ? as_view(fr, off, 1, copy) : 0;

	__u8 type;

	if (!b)
		return;
	type = *b;
	if (type < AS_REC_CHANGE_CIPHER_SPEC || type > AS_REC_HANDSHAKE)
		return;
	b = avail > 1 ? as_view(fr, off + 1, 1, copy) : 0;
	if (avail == 1 || (b && *b == 3))
		r->begin = type == AS_REC_HANDSHAKE ? AS_BEGIN_PREFIX : AS_BEGIN_PART;
}

/* A ClientHello in SSL 2.0 form, for TLS: its three lengths must add up. */
AS_INLINE void as_record_v2(const struct as_frame *fr, __u32 off, __u32 avail, struct as_record *r)
{
	__u8 copy[AS_V2_FIELDS] = {};
	const __u8 *b = avail >= sizeof(copy) ? as_view(fr, off, sizeof(copy), copy) : 0;
	__u32 len, ciphers, session, challenge;

	if (!b || b[3] != 3 || b[4] > 3)
		return;
	len = as_be16(b) & 0x7fff;
	ciphers = as_be16(b + 5);
	session = as_be16(b + 7);
	challenge = as_be16(b + 9);
	if (!ciphers || ciphers % 3 || session > AS_SESSION_ID_MAX ||
	    challenge < AS_V2_CHALLENGE_MIN || challenge > AS_RANDOM_LEN ||
	    len != AS_V2_FIELDS - AS_V2_HLEN + ciphers + session + challenge)
		return;
	r->begin = AS_BEGIN_CLIENT_HELLO;
	r->v2_version = as_be16(b + 3);
	r->len = AS_V2_HLEN + len - AS_REC_HLEN;
	r->message_len = r->len;
}

/* Can a hello of @type have the version at @v? A client may name one that is not yet there (RFC
 * 5246 appendix E.1; 4.0, say, but not 4.192, which with the bytes ahead of it is an
 * X25519MLKEM768 share behind one of GREASE), a server a draft of TLS 1.3, 0x7fxx. */
AS_INLINE int as_is_version(__u8 type, const __u8 *v)
{
	if (type == AS_HS_CLIENT_HELLO && v[0] == 4)
		return v[1] <= 4;
	return v[0] == 3 || (type == AS_HS_SERVER_HELLO && v[0] == AS_TLS13_DRAFT);
}

/**
 * as_record_at - what record stands at frame offset @off.
 * @avail: payload bytes from there on
 *
 * A hello is told from chance by record type and version, message type, a length of at most
 * 2^18 and the version inside it: about 1 in 2^20 for an encrypted handshake record at the
 * start of a segment, whose first 5 bytes are the same.
 */
AS_INLINE void as_record_at(const struct as_frame *fr, __u32 off, __u32 avail, struct as_record *r)
{
	__u8 copy[AS_REC_HLEN + AS_HS_HLEN + 2] = {};
	const __u8 *b;

	r->begin = AS_BEGIN_OTHER;
	r->v2_version = 0;
	r->off = off;
	if (avail < 3) {
		as_record_tiny(fr, off, avail, r);
		return;
	}
	/* Nearly every data packet leaves here. */
	b = as_view(fr, off, 3, copy);
	if (!b)
		return;
	if (!as_is_record(b)) {
		if (as_is_proxy(b))
			r->begin = AS_BEGIN_PROXY;
		else if (b[0] & 0x80 && b[2] == AS_HS_CLIENT_HELLO)
			as_record_v2(fr, off, avail, r);
		return;
	}
	if (avail < sizeof(copy)) {
		as_record_short(fr, off, avail, r);
		return;
	}
	b = as_view(fr, off, sizeof(copy), copy);
	if (!b)
		return;
	if (b[0] != AS_REC_HANDSHAKE) {
		as_record_small(b, r);
		return;
	}
	r->len = as_be16(b + 3);
	r->message_len = AS_HS_HLEN + as_be24(b + 6);
	if (!r->len)
		r->begin = AS_BEGIN_EMPTY;
	if (!r->len || r->len > AS_REC_MAX)
		return;
	/* A record of under 6 bytes splits the message header: the rest is elsewhere. */
	if (r->len >= AS_HS_HLEN + 2 &&
	    (r->message_len > AS_MESSAGE_MAX || !as_is_version(b[5], b + 9)))
		return;
	if (b[5] == AS_HS_CLIENT_HELLO)
		r->begin = AS_BEGIN_CLIENT_HELLO;
	else if (b[5] == AS_HS_SERVER_HELLO)
		r->begin = AS_BEGIN_SERVER_HELLO;
}

#endif
