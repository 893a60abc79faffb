/* SPDX-License-Identifier: GPL-2.0-only */
/* extension.h - which extensions of a hello are noted, and by which bit of AS_X_*. */
#ifndef ALPNSCOPE_EXTENSION_H
#define ALPNSCOPE_EXTENSION_H

#include "handshake.h"
#include "wire.h"

/*
 * Of the first 64 extensions those that are never answered in EncryptedExtensions: by RFC 8446
 * section 4.2 or the one that defines them, or since they end with TLS 1.2. Not among them are
 * use_srtp, heartbeat, the certificate types (RFC 7250), ticket_request (RFC 9149), tls_flags.
 */
#define AS_EXT_QUIET                                                                               \
	(1ULL << 2 | 1ULL << 3 | 1ULL << 4 | 1ULL << 5 | 1ULL << 11 | 1ULL << 13 | 1ULL << 17 |    \
	 1ULL << 18 | 1ULL << 21 | 1ULL << 22 | 1ULL << 23 | 1ULL << 27 | 1ULL << 34 |             \
	 1ULL << 44 | 1ULL << 45 | 1ULL << 47 | 1ULL << 48 | 1ULL << 49 | 1ULL << 50)

/*
 * May a server answer it there? One that nobody here knows, too, but not GREASE (RFC 8701).
 * trust_anchors, which browsers send, is answered together with a certificate only, by a library
 * (BoringSSL) that puts both into one record: no length is read from that.
 */
AS_INLINE int as_is_answered(__u32 type)
{
	if (type < 64)
		return !(AS_EXT_QUIET >> type & 1);
	return (type & 0x0f0f) != 0x0a0a && type != AS_EXT_RENEGOTIATION_INFO &&
	       type != AS_EXT_TRUST_ANCHORS;
}

/* The bit number of an extension of interest, or -1. Those from 16 on are only noted. */
AS_INLINE int as_ext_bit(__u32 type)
{
	switch (type) {
	case AS_EXT_SERVER_NAME:
		return 0;
	case AS_EXT_MAX_FRAGMENT_LENGTH:
		return 1;
	case AS_EXT_SUPPORTED_GROUPS:
		return 2;
	case AS_EXT_ALPN:
		return 3;
	case AS_EXT_RECORD_SIZE_LIMIT:
		return 4;
	case AS_EXT_SESSION_TICKET:
		return 5;
	case AS_EXT_PRE_SHARED_KEY:
		return 6;
	case AS_EXT_EARLY_DATA:
		return 7;
	case AS_EXT_SUPPORTED_VERSIONS:
		return 8;
	case AS_EXT_KEY_SHARE:
		return 9;
	case AS_EXT_NPN:
		return 10;
	case AS_EXT_ECH:
		return 11;
	case AS_EXT_ALPS_OLD:
	case AS_EXT_ALPS:
		return 16;
	default:
		return as_is_answered(type) ? 17 : -1;
	}
}

AS_ASSERT(AS_X_ALPN == 1 << 3 && AS_X_ECH == 1 << 11 && AS_X_OTHER == 1 << 17,
	  "as_ext_bit and AS_X_* agree");

#endif
