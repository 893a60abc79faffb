/* SPDX-License-Identifier: GPL-2.0-only */
/* packet.h - from a frame to its TCP segment: tuple, sequence, payload window. */
#ifndef ALPNSCOPE_PACKET_H
#define ALPNSCOPE_PACKET_H

#include "flow.h"
#include "port.h"
#include "wire.h"

/* The target's, see port.h. */
AS_INLINE int as_load(AS_ENV *env, __u32 off, void *dst, __u32 len);

/* Directly where that is possible; by as_load() only, off the fast path, for each bound that is
 * checked directly is another state for the verifier; or from memory. */
enum as_how { AS_DIRECT, AS_LOADED, AS_FLAT };

#define AS_FLAT_MAX 16384

/**
 * struct as_frame - a frame as its hook hands it over.
 * @data, @data_end: the part that can be read directly (may be less than the frame)
 * @len: bytes of the whole frame
 * @how: how as_view() reads it, enum as_how, known when compiling
 * @flat: for AS_FLAT engine memory to read instead: @len bytes, in a slot (stream.h)
 */
struct as_frame {
	AS_ENV *env;
	const __u8 *flat;
	enum as_how how;
	const __u8 *data;
	const __u8 *data_end;
	__u32 len;
};

/**
 * struct as_packet - one TCP segment.
 * @from_lo: the `lo` end of the tuple sent it
 * @flags: AS_TCP_*
 * @ethertype: with AS_TUNNEL, of the header at @payload
 * @seq: of the first payload byte
 * @payload: frame offset of the first payload byte; with AS_TUNNEL, of the first header
 * @payload_len: payload by the IP length: an Ethernet trailer is not payload
 * @avail: how much of it the frame holds (less when cut by snaplen)
 * @tunnel: it was found inside a tunnel
 */
struct as_packet {
	struct as_tuple key;
	__u8 from_lo;
	__u8 flags;
	__u16 ethertype;
	__u32 seq;
	__u32 ack;
	__u32 payload;
	__u32 payload_len;
	__u32 avail;
	__u32 tunnel;
	__u32 pad;
};

enum as_parsed {
	AS_PARSED = 0,
	AS_NOT_TCP = 1, /* nothing to us */
	AS_FRAGMENT = 2, /* a fragment of an IP packet that carries TCP or a tunnel */
	AS_TUNNEL = 3, /* TCP may lie behind more headers: see tunnel.h */
};

/**
 * as_view - @len bytes (a constant) at frame offset @off.
 * @copy: room for them, used when they cannot be read directly
 * Returns a pointer to the bytes, or NULL when the frame ends before.
 */
AS_INLINE const __u8 *as_view(const struct as_frame *fr, __u32 off, __u32 len, __u8 *copy)
{
#ifdef __bpf__
	as_barrier(off);
	if (fr->how == AS_LOADED)
		return as_load(fr->env, off, copy, len) ? 0 : copy;
	if (fr->how == AS_FLAT) /* a slot has room behind its end for what is viewed at once */
		return fr->len >= len && off <= fr->len - len && off <= AS_FLAT_MAX ? fr->flat + off
										    : 0;
	if (off < 0x8000) { /* the verifier follows packet offsets below 0xffff only */
		const __u8 *p = fr->data + off;

		if (p + len <= fr->data_end)
			return p;
	}
	/* GRO and TSO leave headers or payload in fragments. */
	return as_load(fr->env, off, copy, len) ? 0 : copy;
#else
	const __u8 *from = fr->how == AS_FLAT ? fr->flat : fr->data;

	(void)copy;
	return fr->len >= len && off <= fr->len - len ? from + off : 0;
#endif
}

AS_INLINE void as_swap64(__u64 *a, __u64 *b)
{
	__u64 t = *a;

	*a = *b;
	*b = t;
}

/* Put the smaller end first; any total order will do. */
AS_INLINE void as_tuple_sort(struct as_packet *p)
{
	struct as_tuple *k = &p->key;
	__u16 port = k->lo_port;

	p->from_lo = 1;
	if (k->lo_addr[1] != k->hi_addr[1]) {
		if (k->lo_addr[1] < k->hi_addr[1])
			return;
	} else if (k->lo_addr[0] != k->hi_addr[0]) {
		if (k->lo_addr[0] < k->hi_addr[0])
			return;
	} else if (k->lo_port <= k->hi_port) {
		return;
	}
	p->from_lo = 0;
	as_swap64(&k->lo_addr[0], &k->hi_addr[0]);
	as_swap64(&k->lo_addr[1], &k->hi_addr[1]);
	k->lo_port = k->hi_port;
	k->hi_port = port;
}

/** as_tuple_equal - the same connection. */
AS_INLINE int as_tuple_equal(const struct as_tuple *a, const struct as_tuple *b)
{
	return a->lo_addr[0] == b->lo_addr[0] && a->lo_addr[1] == b->lo_addr[1] &&
	       a->hi_addr[0] == b->hi_addr[0] && a->hi_addr[1] == b->hi_addr[1] &&
	       a->lo_port == b->lo_port && a->hi_port == b->hi_port && a->family == b->family;
}

/* What two words of the two ends add to the hash. */
AS_INLINE __u64 as_pair(__u64 a, __u64 b, __u64 seed)
{
	return (a + seed) * (b + seed);
}

/* The end with the last 4 bytes of an address at @addr; both in network order. */
AS_INLINE __u64 as_end_word(const __u8 *addr, __u16 port)
{
	return (__u64)AS_RAW32(addr) << 16 | port;
}

AS_INLINE __u32 as_hash_end(__u64 h)
{
	/* The low bits of a product are those of its factors' low bits alone. */
	return (__u32)(((h ^ h >> 32) * 0x61c88647) >> 32);
}

/**
 * as_hash4 - the hash of a connection over IPv4, the same for both of its directions.
 * @a, @b: 4 bytes of address; @a_port, @b_port: all in network order
 * @seed: AS_SEEDS secret numbers, so that nobody outside can aim connections at one place
 *
 * A product needs no sorting, and what is multiplied are sums with a secret, as in NH (Black et
 * al., "UMAC", 1999). No word has more than 48 bits: of a 64-bit product the topmost bit of a
 * factor changes only the topmost bit, and that for one secret in two.
 */
AS_INLINE __u32 as_hash4(const __u8 *a, const __u8 *b, __u16 a_port, __u16 b_port,
			 const __u64 *seed)
{
	return as_hash_end(as_pair(as_end_word(a, a_port), as_end_word(b, b_port), seed[0]));
}

/** as_hash6 - as_hash4() for IPv6; @a, @b: 16 bytes of address. */
AS_INLINE __u32 as_hash6(const __u8 *a, const __u8 *b, __u16 a_port, __u16 b_port,
			 const __u64 *seed)
{
	__u64 h = as_pair(as_end_word(a + 12, a_port), as_end_word(b + 12, b_port), seed[0]);

	h += as_pair(AS_RAW32(a), AS_RAW32(b), seed[1]);
	h += as_pair(AS_RAW32(a + 4), AS_RAW32(b + 4), seed[2]);
	h += as_pair(AS_RAW32(a + 8), AS_RAW32(b + 8), seed[3]);
	return as_hash_end(h);
}

/** as_tuple_hash - as_hash4() or as_hash6() of a tuple. */
AS_INLINE __u32 as_tuple_hash(const struct as_tuple *k, const __u64 *seed)
{
	const __u8 *lo = (const __u8 *)k->lo_addr, *hi = (const __u8 *)k->hi_addr;
	__u16 lo_port = AS_NET16(k->lo_port), hi_port = AS_NET16(k->hi_port);

	return k->family == 4 ? as_hash4(lo + 12, hi + 12, lo_port, hi_port, seed)
			      : as_hash6(lo, hi, lo_port, hi_port, seed);
}

/* RFC 9293 section 3.1; @end is the frame offset where the IP packet ends. */
AS_INLINE int as_parse_tcp(const struct as_frame *fr, __u32 off, __u32 end, struct as_packet *p)
{
	__u8 copy[AS_TCP_HLEN];
	const __u8 *t = as_view(fr, off, AS_TCP_HLEN, copy);
	__u32 hlen;

	if (!t)
		return AS_NOT_TCP;
	hlen = (__u32)(t[12] >> 4) * 4;
	if (hlen < AS_TCP_HLEN || off + hlen > end)
		return AS_NOT_TCP;
	p->key.lo_port = as_be16(t);
	p->key.hi_port = as_be16(t + 2);
	p->seq = as_be32(t + 4);
	p->ack = as_be32(t + 8);
	p->flags = t[13];
	if (p->flags & AS_TCP_SYN) /* TCP Fast Open: data follow the SYN's own number */
		p->seq++;
	p->payload = off + hlen;
	p->payload_len = end - p->payload;
	p->avail = fr->len > p->payload ? as_min(fr->len - p->payload, p->payload_len) : 0;
	as_tuple_sort(p);
	return AS_PARSED;
}

/* The ends of a packet by its IPv4 header; as_parse_tcp() puts them in order. */
AS_INLINE void as_ends_ipv4(struct as_packet *p, const __u8 *ip)
{
	AS_MEMSET(p->key.lo_addr, 0, 32);
	AS_MEMSET((__u8 *)p->key.lo_addr + 10, 0xff, 2); /* ::ffff:a.b.c.d, */
	AS_MEMSET((__u8 *)p->key.hi_addr + 10, 0xff, 2); /* RFC 4291 section 2.5.5.2 */
	AS_MEMCPY((__u8 *)p->key.lo_addr + 12, ip + 12, 4);
	AS_MEMCPY((__u8 *)p->key.hi_addr + 12, ip + 16, 4);
	p->key.family = 4;
}

/* The same by its IPv6 header. */
AS_INLINE void as_ends_ipv6(struct as_packet *p, const __u8 *ip)
{
	AS_MEMCPY(p->key.lo_addr, ip + 8, 16);
	AS_MEMCPY(p->key.hi_addr, ip + 24, 16);
	p->key.family = 6;
}

/* Can TCP lie behind this protocol's header? UDP, of which only a few ports can, is not
 * meant. */
AS_INLINE int as_is_carrier(__u32 protocol)
{
	switch (protocol) {
	case AS_IPPROTO_HOP_BY_HOP:
	case AS_IPPROTO_IPV4:
	case AS_IPPROTO_IPV6:
	case AS_IPPROTO_ROUTING:
	case AS_IPPROTO_FRAGMENT:
	case AS_IPPROTO_GRE:
	case AS_IPPROTO_AH:
	case AS_IPPROTO_OPTIONS:
	case AS_IPPROTO_ETHERIP:
	case AS_IPPROTO_MPLS:
		return 1;
	default:
		return 0;
	}
}

/**
 * as_udp_tunnel - the tunnel that a UDP header names.
 * @ports: source and destination, 4 bytes in network order
 * Returns AS_PORT_*, or 0. Senders of most tunnels choose their source port by the inner
 * flow; L2TP, Teredo and CAPWAP answer from the tunnel's port.
 */
AS_INLINE __u32 as_udp_tunnel(const __u8 *ports)
{
	__u32 from = as_be16(ports), to = as_be16(ports + 2);

	switch (to) {
	case AS_PORT_L2TP:
	case AS_PORT_GTPU:
	case AS_PORT_TEREDO:
	case AS_PORT_GRE:
	case AS_PORT_VXLAN:
	case AS_PORT_VXLAN_GPE:
	case AS_PORT_CAPWAP:
	case AS_PORT_GENEVE:
	case AS_PORT_MPLS:
	case AS_PORT_VXLAN_LINUX:
		return to;
	}
	return from == AS_PORT_L2TP || from == AS_PORT_TEREDO || from == AS_PORT_CAPWAP ? from : 0;
}

/* An IP packet without TCP in front; its payload stands at @off. */
AS_INLINE int as_parse_other(const struct as_frame *fr, __u32 off, __u32 protocol)
{
	__u8 copy[4];
	const __u8 *ports;

	if (protocol != AS_IPPROTO_UDP)
		return as_is_carrier(protocol) ? AS_TUNNEL : AS_NOT_TCP;
	ports = as_view(fr, off, sizeof(copy), copy);
	return ports && as_udp_tunnel(ports) ? AS_TUNNEL : AS_NOT_TCP;
}

AS_INLINE int as_parse_ipv4(const struct as_frame *fr, __u32 off, struct as_packet *p)
{
	__u8 copy[AS_IPV4_HLEN];
	const __u8 *ip = as_view(fr, off, AS_IPV4_HLEN, copy);
	__u32 hlen, len;

	if (!ip || ip[0] >> 4 != 4)
		return AS_NOT_TCP;
	hlen = (__u32)(ip[0] & 15) * 4;
	if (ip[9] != AS_IPPROTO_TCP) {
		/* Only the first fragment of a datagram has its UDP header. */
		if (ip[9] == AS_IPPROTO_UDP && as_be16(ip + 6) & AS_IPV4_OFFSET_MASK)
			return AS_NOT_TCP;
		return as_parse_other(fr, off + hlen, ip[9]);
	}
	len = as_be16(ip + 2);
	if (!len) /* BIG TCP, and TSO captures: longer than the field can say */
		len = fr->len - off;
	if (hlen < AS_IPV4_HLEN || len < hlen)
		return AS_NOT_TCP;
	if (as_be16(ip + 6) & AS_IPV4_FRAG_MASK)
		return AS_FRAGMENT;
	as_ends_ipv4(p, ip);
	return as_parse_tcp(fr, off + hlen, off + len, p);
}

AS_INLINE int as_parse_ipv6(const struct as_frame *fr, __u32 off, struct as_packet *p)
{
	__u8 copy[AS_IPV6_HLEN];
	const __u8 *ip = as_view(fr, off, AS_IPV6_HLEN, copy);
	__u32 len;

	if (!ip || ip[0] >> 4 != 6)
		return AS_NOT_TCP;
	if (ip[6] != AS_IPPROTO_TCP)
		return as_parse_other(fr, off + AS_IPV6_HLEN, ip[6]);
	len = as_be16(ip + 4);
	if (!len) /* BIG TCP, as above */
		len = fr->len - off - AS_IPV6_HLEN;
	as_ends_ipv6(p, ip);
	return as_parse_tcp(fr, off + AS_IPV6_HLEN, off + AS_IPV6_HLEN + len, p);
}

/* At most one VLAN tag, IPv4 or IPv6, TCP: nearly every frame. */
AS_INLINE int as_parse_plain(const struct as_frame *fr, __u32 off, __u32 ethertype,
			     struct as_packet *p)
{
	if (ethertype == AS_ETH_P_8021Q || ethertype == AS_ETH_P_8021AD) {
		__u8 copy[2];
		const __u8 *type = as_view(fr, off + 2, 2, copy);

		if (!type)
			return AS_NOT_TCP;
		ethertype = as_be16(type);
		off += AS_VLAN_HLEN;
	}
	if (ethertype == AS_ETH_P_IPV4)
		return as_parse_ipv4(fr, off, p);
	if (ethertype == AS_ETH_P_IPV6)
		return as_parse_ipv6(fr, off, p);
	return ethertype == AS_ETH_P_ARP ? AS_NOT_TCP : AS_TUNNEL;
}

/**
 * as_parse - find the TCP segment in a frame.
 * @off: frame offset of the header that @ethertype names
 * @ethertype: AS_ETH_P_* or AS_NEXT_LLC..., host order
 * @p: filled when AS_PARSED is returned; with AS_TUNNEL, where tunnel.h shall begin
 * Returns enum as_parsed.
 */
AS_INLINE int as_parse(const struct as_frame *fr, __u32 off, __u16 ethertype, struct as_packet *p)
{
	int parsed = as_parse_plain(fr, off, ethertype, p);

	if (parsed == AS_TUNNEL) {
		p->payload = off;
		p->ethertype = ethertype;
	}
	return parsed;
}

/** as_parse_ethernet - as_parse for a frame that begins with an Ethernet header. */
AS_INLINE int as_parse_ethernet(const struct as_frame *fr, struct as_packet *p)
{
	__u8 copy[2];
	const __u8 *type = as_view(fr, AS_ETH_HLEN - 2, 2, copy);
	int parsed = type ? as_parse_plain(fr, AS_ETH_HLEN, as_be16(type), p) : AS_NOT_TCP;

	if (parsed == AS_TUNNEL) {
		p->payload = 0;
		p->ethertype = AS_ETH_P_TEB;
	}
	return parsed;
}

/** as_parse_ip - as_parse for a frame that begins with an IP header (tun, wireguard). */
AS_INLINE int as_parse_ip(const struct as_frame *fr, struct as_packet *p)
{
	__u8 copy[1];
	const __u8 *first = as_view(fr, 0, 1, copy);

	if (!first)
		return AS_NOT_TCP;
	return as_parse(fr, 0, *first >> 4 == 6 ? AS_ETH_P_IPV6 : AS_ETH_P_IPV4, p);
}

#endif
