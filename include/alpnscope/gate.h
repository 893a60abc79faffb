/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gate.h - turns away what cannot matter, before anything else is done with a frame.
 *
 * Nearly every packet of a busy server is one of an established connection, and this is all
 * that it costs. A frame that is unusual in any way goes on to packet.h, which decides.
 */
#ifndef ALPNSCOPE_GATE_H
#define ALPNSCOPE_GATE_H

#include "mark.h"
#include "packet.h"
#include "record.h"

/* The target's, see port.h. */
AS_INLINE const __u64 *as_seed(AS_ENV *env);

/* Can @len bytes (a constant) at @p, in the frame or behind it, be read directly? */
AS_INLINE int as_holds(const struct as_frame *fr, const __u8 *p, __u32 len)
{
#ifdef __bpf__
	return p + len <= fr->data_end;
#else
	return fr->data_end - p >= (long)len;
#endif
}

/* Can a payload that begins with these 3 bytes be news on a tuple without a handshake? More than
 * as_record_at() with as_may_open() says, never less. */
AS_INLINE int as_may_begin(const __u8 *b)
{
	if (b[0] == AS_REC_APPLICATION_DATA)
		return 0;
	if (b[0] == AS_REC_HANDSHAKE)
		return b[1] == 3;
	if (b[0] & 0x80)
		return b[2] == AS_HS_CLIENT_HELLO;
	return as_is_proxy(b);
}

/* Is nothing in progress on tuples with this hash, and no client's first segment awaited? Marks are
 * read first: another CPU raises a counter before it takes a mark away, so that one of them is
 * seen. */
AS_INLINE int as_is_quiet(AS_ENV *env, __u32 hash)
{
	const struct as_block *block = as_block(env, hash);
	const struct as_gate *gate;
	__u32 mark = AS_FRESH(*as_marked(env, hash));

	as_order();
	if (!(mark | (__u32)block->busy))
		return 1;
	gate = as_gate(env, hash);
	mark = AS_FRESH(gate->mark);
	as_order();
	return (!mark || (mark ^ hash) & AS_MARK_TUPLE) &&
	       !AS_RAW64(&gate->count); /* nor gate->slots */
}

/* The hash of the connection whose IP header, of @ip_len bytes, is at @ip, with the ports behind. */
AS_INLINE __u32 as_header_hash(AS_ENV *env, const __u8 *ip, __u32 ip_len)
{
	__u16 from = AS_RAW16(ip + ip_len), to = AS_RAW16(ip + ip_len + 2);

	return ip_len == AS_IPV4_HLEN ? as_hash4(ip + 12, ip + 16, from, to, as_seed(env))
				      : as_hash6(ip + 8, ip + 24, from, to, as_seed(env));
}

/* as_is_idle_tcp() of a payload, at frame offset @payload, that GRO or TSO left in fragments. A stage, for what a call needs (registers saved, a stack) would cost every
 * packet. */
AS_STAGE int as_is_idle_apart(AS_ENV *env, __u32 payload, __u32 hash)
{
	__u8 begin[3];

	return !as_load(env, payload, begin, sizeof(begin)) && !as_may_begin(begin) &&
	       as_is_quiet(env, hash);
}

/* The TCP segment of @len bytes behind the IP header @ip of @ip_len bytes (a constant) at frame
 * offset @off. Returns 1 when it cannot matter. */
AS_INLINE int as_is_idle_tcp(AS_ENV *env, const struct as_frame *fr, const __u8 *ip, __u32 ip_len,
			     __u32 off, __u32 len)
{
	const __u8 *t = ip + ip_len, *p;
	__u32 hash;
	/* What is wrong here is no segment, so it is idle too, or found not to be further down. */
	__u32 hlen = (t[12] & 0xf0U) >> 2, payload_len = len - hlen;

	if (t[13] & (AS_TCP_SYN | AS_TCP_RST | AS_TCP_FIN))
		return 0;
	if (payload_len < 3) /* an acknowledgement only; or what it begins with cannot be told */
		return !payload_len;
	hash = as_header_hash(env, ip, ip_len);
	p = t + hlen;
	if (!as_holds(fr, p, 3))
		return as_is_idle_apart(env, off + ip_len + hlen, hash);
	return !as_may_begin(p) && as_is_quiet(env, hash);
}

AS_INLINE int as_is_idle_ipv4(AS_ENV *env, const struct as_frame *fr, __u32 off)
{
	const __u8 *ip = fr->data + off;

	/* No options, and no fragment. */
	if (!as_holds(fr, ip, AS_IPV4_HLEN + AS_TCP_HLEN) || ip[0] != 0x45 ||
	    AS_RAW16(ip + 6) & AS_NET16(AS_IPV4_FRAG_MASK))
		return 0;
	if (__builtin_expect(ip[9] == AS_IPPROTO_TCP, 1))
		return as_is_idle_tcp(env, fr, ip, AS_IPV4_HLEN, off,
				      AS_NET16(AS_RAW16(ip + 2)) - AS_IPV4_HLEN);
	return ip[9] == AS_IPPROTO_UDP && !as_udp_tunnel(ip + AS_IPV4_HLEN);
}

AS_INLINE int as_is_idle_ipv6(AS_ENV *env, const struct as_frame *fr, __u32 off)
{
	const __u8 *ip = fr->data + off;

	if (!as_holds(fr, ip, AS_IPV6_HLEN + AS_TCP_HLEN))
		return 0;
	if (ip[6] == AS_IPPROTO_TCP)
		return as_is_idle_tcp(env, fr, ip, AS_IPV6_HLEN, off, AS_NET16(AS_RAW16(ip + 4)));
	return ip[6] == AS_IPPROTO_UDP && !as_udp_tunnel(ip + AS_IPV6_HLEN);
}

/**
 * as_is_idle - is this a frame that as_on_frame() would do nothing with?
 * @fr: @data and @data_end are set; the others need not be
 * @off: frame offset of what @type names, a constant for BPF
 * @type: an ethertype as it stands in a frame (network order)
 * Returns 1 when it is, 0 when that takes a closer look.
 */
AS_INLINE int as_is_idle(AS_ENV *env, const struct as_frame *fr, __u32 off, __u16 type)
{
	if (__builtin_expect(type == AS_NET16(AS_ETH_P_IPV4), 1))
		return as_is_idle_ipv4(env, fr, off);
	if (type == AS_NET16(AS_ETH_P_IPV6))
		return as_is_idle_ipv6(env, fr, off);
	return type == AS_NET16(AS_ETH_P_ARP);
}

/** as_is_idle_ethernet - as_is_idle() for a frame that begins with an Ethernet header. */
AS_INLINE int as_is_idle_ethernet(AS_ENV *env, const struct as_frame *fr)
{
	return as_holds(fr, fr->data, AS_ETH_HLEN) &&
	       as_is_idle(env, fr, AS_ETH_HLEN, AS_RAW16(fr->data + 12));
}

/** as_is_idle_ip - as_is_idle() for a frame that begins with an IP header. */
AS_INLINE int as_is_idle_ip(AS_ENV *env, const struct as_frame *fr)
{
	if (!as_holds(fr, fr->data, 1))
		return 0;
	return *fr->data >> 4 == 6 ? as_is_idle_ipv6(env, fr, 0) : as_is_idle_ipv4(env, fr, 0);
}

#endif
