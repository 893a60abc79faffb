/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * handshake.h - the fact record: what the kernel tells the agent of a handshake.
 *
 * It holds facts, no judgement. Numbers are in host byte order unless a comment
 * says otherwise; addresses are 16 bytes in network order, IPv4 as ::ffff:a.b.c.d.
 * A change of layout or meaning raises AS_ABI.
 */
#ifndef ALPNSCOPE_HANDSHAKE_H
#define ALPNSCOPE_HANDSHAKE_H

#include "port.h"
#include "wire.h"

#define AS_ABI 4

#define AS_SNI_MAX 255 /* bytes of host name kept (RFC 1035: 253 suffice) */
#define AS_ALPN_MAX 256 /* bytes of a protocol name list kept */
#define AS_NAMES_MAX 768 /* 255 + 256 + 256, rounded up to 8 */

/* as_handshake.kind */
enum as_kind {
	AS_KIND_HANDSHAKE = 1, /* begins with a ClientHello */
	AS_KIND_ORPHAN = 2, /* a ServerHello whose ClientHello was not seen */
};

/* as_handshake.end: why the record was closed. */
enum as_end {
	AS_END_SERVER_HELLO = 1, /* TLS up to 1.2: all that the wire says in clear was seen */
	AS_END_ALERT = 2, /* alert_level, alert_desc; AS_F_END_CLIENT tells whose */
	AS_END_RST = 3, /* AS_F_END_CLIENT tells whose */
	AS_END_FIN = 4,
	AS_END_TIMEOUT = 5, /* no usable answer in time */
	AS_END_REUSED = 6, /* a new connection took the same tuple */
	AS_END_EOF = 7, /* the capture ended, or the agent did */
	AS_END_RECORDS = 8, /* TLS 1.3: enough records followed the ServerHello */
	AS_END_QUIET = 9, /* TLS 1.3: 2 s after the ServerHello */
};

/* as_handshake.flags */
#define AS_F_SERVER_HELLO (1U << 0) /* server_* fields and `selected` are facts */
#define AS_F_RETRY (1U << 1) /* HelloRetryRequest seen, RFC 8446 section 4.1.4 */
#define AS_F_SNI_TRUNCATED (1U << 2)
#define AS_F_ALPN_TRUNCATED (1U << 3)
#define AS_F_SELECTED_TRUNCATED (1U << 4)
#define AS_F_FALLBACK_SCSV (1U << 5) /* RFC 7507, in the offer */
#define AS_F_PQ (1U << 6) /* a hybrid post-quantum key share was offered */
#define AS_F_SESSION_ID_ECHOED (1U << 7) /* the client's, not empty: resumed up to 1.2 */
#define AS_F_END_CLIENT (1U << 8) /* the alert, RST or FIN came from the client */
#define AS_F_CLIENT_FIN (1U << 9) /* the client half-closed before the answer */
#define AS_F_SERVER_UNREADABLE (1U << 10) /* a ServerHello that is cut or malformed */
#define AS_F_HELLO_AGAIN (1U << 11) /* the offer is the second hello's, after a retry */
#define AS_F_OVERLAP_CONFLICT (1U << 12) /* segments said different things; the first counts */

#define AS_F_GAP (1U << 13) /* TLS 1.3: a record header was missed; the flights end before it */
#define AS_F_PRESSURE (1U << 14) /* closed early, for the table was filling up */
#define AS_F_TUNNEL (1U << 15) /* seen inside a tunnel: whoever sends to it chose the addresses */

/* as_handshake.client_ext, .server_ext: which extensions were present. */
#define AS_X_SERVER_NAME (1U << 0)
#define AS_X_MAX_FRAGMENT_LENGTH (1U << 1)
#define AS_X_SUPPORTED_GROUPS (1U << 2)
#define AS_X_ALPN (1U << 3)
#define AS_X_RECORD_SIZE_LIMIT (1U << 4)
#define AS_X_SESSION_TICKET (1U << 5)
#define AS_X_PRE_SHARED_KEY (1U << 6)
#define AS_X_EARLY_DATA (1U << 7)
#define AS_X_SUPPORTED_VERSIONS (1U << 8)
#define AS_X_KEY_SHARE (1U << 9)
#define AS_X_NPN (1U << 10)
#define AS_X_ECH (1U << 11)
/* Of the client's: how long EncryptedExtensions may be. */
#define AS_X_ALPS (1U << 16) /* application_settings, answered with the server's settings */
#define AS_X_OTHER (1U << 17) /* any that is none of these, and that a server may answer there */

/**
 * struct as_owner - who sent a hello, when the sender is on this host.
 * @cookie: the socket's cookie, 0 when the frame had no local socket
 * @cgroup: the id, in the cgroup2 hierarchy, of the sender's cgroup if @pid is known, else of the
 *          one in which the socket was made; 0 without a socket
 * @pid: thread group of the sender, 0 unless it held the socket's lock
 * @comm: that thread group leader's name, not always terminated
 */
struct as_owner {
	__u64 cookie;
	__u64 cgroup;
	__u32 pid;
	__u32 pad;
	char comm[16];
};

#define AS_FLIGHT_MAX 12

/**
 * struct as_flight - the records that one side sent after a ServerHello of TLS 1.3, as their
 * headers tell (RFC 8446 section 5); for the client, after its (last) ClientHello.
 * ChangeCipherSpec records are left out.
 * @count: how many follow, AS_FLIGHT_MAX at the most
 * @len: bytes of the fragment
 * @type: AS_REC_*, nearly always application data: encrypted
 * @before: encrypted records of the other side that were seen before it
 */
struct as_flight {
	__u8 count;
	__u8 pad[3];
	__u16 len[AS_FLIGHT_MAX];
	__u8 type[AS_FLIGHT_MAX];
	__u8 before[AS_FLIGHT_MAX];
};

/**
 * struct as_handshake - one handshake.
 * @abi: AS_ABI
 * @size: bytes of this record that are used, names included
 * @hello_ns: ClientHello seen (the ServerHello for an orphan)
 * @server_ns: the answer (ServerHello) seen, 0 when there was none
 * @end_ns: the packet, or the moment, that closed the record
 * @client_addr: network order; who sent the ClientHello
 * @client_seq: TCP sequence number of the ClientHello's first byte
 * @client_ack: its acknowledgement number, with @client_seq the mark of one connection; 0 when
 *            the hello came with the SYN
 * @ifindex: where the ClientHello was first seen
 * @client_version: highest version offered, GREASE left out; 0x0304 is TLS 1.3
 * @server_version: version chosen, 0 before a ServerHello
 * @cipher: the chosen cipher suite
 * @group: the group of the server's key share, 0 without one
 * @sni_len: bytes of host name in names[], from 0
 * @alpn_len: bytes of the offered ProtocolNameList that follow (RFC 7301
 *            section 3.1, its own length left out)
 * @selected_len: bytes of the ServerHello's ProtocolNameList that follow
 */
struct as_handshake {
	__u16 abi;
	__u16 size;
	__u8 kind;
	__u8 end;
	__u8 family; /* 4 or 6 */
	__u8 alert_level;
	__u8 alert_desc;
	__u8 pad[3];
	__u32 flags;
	__u64 hello_ns;
	__u64 server_ns;
	__u64 end_ns;
	__u8 client_addr[16];
	__u8 server_addr[16];
	__u16 client_port;
	__u16 server_port;
	__u32 client_seq;
	__u32 ifindex;
	__u32 client_ext;
	__u32 server_ext;
	__u16 client_version;
	__u16 server_version;
	__u16 cipher;
	__u16 group;
	__u32 client_ack;
	__u8 client_random[32];
	__u8 server_random[32];
	struct as_owner client;
	struct as_owner server;
	struct as_flight client_flight;
	struct as_flight server_flight;
	__u16 sni_len;
	__u16 alpn_len;
	__u16 selected_len;
	__u16 pad3;
	__u8 names[AS_NAMES_MAX];
};

AS_ASSERT(sizeof(struct as_flight) == 52, "as_flight has no hidden padding");
AS_ASSERT(sizeof(struct as_owner) == 40, "as_owner has no hidden padding");
AS_ASSERT(__builtin_offsetof(struct as_handshake, hello_ns) == 16, "ABI");
AS_ASSERT(__builtin_offsetof(struct as_handshake, client_addr) == 40, "ABI");
AS_ASSERT(__builtin_offsetof(struct as_handshake, client_random) == 104, "ABI");
AS_ASSERT(__builtin_offsetof(struct as_handshake, names) == 360, "ABI");
AS_ASSERT(sizeof(struct as_handshake) == 1128, "as_handshake has no hidden padding");

/** as_is_followed - was it answered with TLS 1.3 or a draft of it, so that records follow which
 * say more? */
AS_INLINE int as_is_followed(const struct as_handshake *hs)
{
	return hs->flags & AS_F_SERVER_HELLO &&
	       (hs->server_version == AS_TLS13 || hs->server_version >> 8 == AS_TLS13_DRAFT);
}

/** as_sni - the host name, as_handshake.sni_len bytes, not terminated, hostile. */
AS_INLINE const __u8 *as_sni(const struct as_handshake *hs)
{
	return hs->names;
}

/** as_alpn - the offered ProtocolNameList, as_handshake.alpn_len bytes. */
AS_INLINE const __u8 *as_alpn(const struct as_handshake *hs)
{
	return hs->names + hs->sni_len;
}

/** as_selected - the ServerHello's ProtocolNameList, selected_len bytes. */
AS_INLINE const __u8 *as_selected(const struct as_handshake *hs)
{
	return hs->names + hs->sni_len + hs->alpn_len;
}

#endif
