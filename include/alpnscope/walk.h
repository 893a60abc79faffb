/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * walk.h - a cursor that goes from header to header, for frames that packet.h found not
 * plain, and its way through IP.
 *
 * It lives in scratch memory (see AS_FRESH), and so do the bytes that are looked at. Every
 * read is held against the end of what encloses it. Each as_walk_*() takes the header at the
 * cursor and returns AS_MORE when the cursor stands on the next one, or what the frame is.
 */
#ifndef ALPNSCOPE_WALK_H
#define ALPNSCOPE_WALK_H

#include "packet.h"

#define AS_MORE AS_TUNNEL /* of enum as_parsed: go on to the next header */

/**
 * struct as_walk - the cursor.
 * @next: what begins at @off: an ethertype or AS_NEXT_*
 * @end: where the innermost enclosing block ends, or the frame
 * @ip_end: where the innermost IP packet ends, by its own length
 * @ips: IP headers so far: behind the first stands a tunnel's
 * @fragment: the UDP header at @off is that of a first fragment
 * @at: bytes of the header
 */
struct as_walk {
	__u32 next;
	__u32 off;
	__u32 end;
	__u32 ip_end;
	__u32 fragment;
	__u32 ips;
	__u8 at[AS_IPV6_HLEN];
};

/* Read @len bytes (a constant) at @skip behind the cursor. Nonzero if they are not there. */
AS_INLINE int as_peek(AS_ENV *env, struct as_walk *w, __u32 skip, __u32 len)
{
	__u32 off = AS_FRESH(w->off) + skip, end = AS_FRESH(w->end);

	return end < len || off > end - len || as_load(env, off, w->at, len);
}

/* The header of @len bytes at the cursor is done, and @next follows it. */
AS_INLINE int as_step(struct as_walk *w, __u32 next, __u32 len)
{
	AS_FRESH(w->next) = next;
	AS_FRESH(w->off) += len;
	return AS_MORE;
}

/* As as_step(), by a field that holds an ethertype or the length of an LLC frame. */
AS_INLINE int as_step_type(struct as_walk *w, __u32 type, __u32 len)
{
	__u32 off = AS_FRESH(w->off) + len;

	if (type >= AS_ETH_TYPE_MIN)
		return as_step(w, type, len);
	AS_FRESH(w->end) = as_min(AS_FRESH(w->end), off + type);
	return as_step(w, AS_NEXT_LLC, len);
}

/* The block at the cursor has @len bytes, its header included. */
AS_INLINE void as_bound(struct as_walk *w, __u32 len)
{
	AS_FRESH(w->end) = as_min(AS_FRESH(w->end), AS_FRESH(w->off) + len);
}

/* A fragment of @protocol: TCP, or what may carry it, is counted. Of a UDP datagram the
 * first fragment tells by its ports whether it is a tunnel; the others are not guessed. */
AS_INLINE int as_walk_fragment(struct as_walk *w, __u32 protocol, int first, __u32 len)
{
	if (protocol == AS_IPPROTO_TCP || as_is_carrier(protocol))
		return AS_FRAGMENT;
	if (protocol != AS_IPPROTO_UDP || !first)
		return AS_NOT_TCP;
	AS_FRESH(w->fragment) = 1;
	return as_step(w, AS_NEXT_IP + AS_IPPROTO_UDP, len);
}

AS_INLINE int as_walk_ipv4(AS_ENV *env, struct as_walk *w, struct as_packet *p)
{
	__u32 hlen, len, fragment, protocol;

	if (as_peek(env, w, 0, AS_IPV4_HLEN) || w->at[0] >> 4 != 4)
		return AS_NOT_TCP;
	hlen = (__u32)(w->at[0] & 15) * 4;
	len = as_be16(w->at + 2);
	if (!len) /* BIG TCP, and TSO captures */
		len = AS_FRESH(w->end) - AS_FRESH(w->off);
	if (hlen < AS_IPV4_HLEN || len < hlen)
		return AS_NOT_TCP;
	as_ends_ipv4(p, w->at);
	AS_FRESH(w->ips)++;
	AS_FRESH(w->ip_end) = AS_FRESH(w->off) + len;
	as_bound(w, len);
	protocol = w->at[9];
	fragment = as_be16(w->at + 6) & AS_IPV4_FRAG_MASK;
	if (fragment)
		return as_walk_fragment(w, protocol, !(fragment & AS_IPV4_OFFSET_MASK), hlen);
	return as_step(w, AS_NEXT_IP + protocol, hlen);
}

AS_INLINE int as_walk_ipv6(AS_ENV *env, struct as_walk *w, struct as_packet *p)
{
	__u32 len;

	if (as_peek(env, w, 0, AS_IPV6_HLEN) || w->at[0] >> 4 != 6)
		return AS_NOT_TCP;
	len = as_be16(w->at + 4);
	/* RFC 2675 jumbograms, which are what BIG TCP sends. */
	len = len ? AS_IPV6_HLEN + len : AS_FRESH(w->end) - AS_FRESH(w->off);
	as_ends_ipv6(p, w->at);
	AS_FRESH(w->ips)++;
	AS_FRESH(w->ip_end) = AS_FRESH(w->off) + len;
	as_bound(w, len);
	return as_step(w, AS_NEXT_IP + w->at[6], AS_IPV6_HLEN);
}

/* RFC 8200 section 4; AH counts in words of 4 bytes, RFC 4302. */
AS_INLINE int as_walk_extension(AS_ENV *env, struct as_walk *w, int ah)
{
	if (as_peek(env, w, 0, 2))
		return AS_NOT_TCP;
	return as_step(w, AS_NEXT_IP + w->at[0], ah ? (w->at[1] + 2) * 4 : (w->at[1] + 1) * 8);
}

/* RFC 8200 section 4.5; a fragment that is the whole packet: RFC 6946. */
AS_INLINE int as_walk_ipv6_fragment(AS_ENV *env, struct as_walk *w)
{
	__u32 fragment;

	if (as_peek(env, w, 0, 8))
		return AS_NOT_TCP;
	fragment = as_be16(w->at + 2);
	if (fragment & AS_IPV6_FRAG_MASK)
		return as_walk_fragment(w, w->at[0], !(fragment & AS_IPV6_OFFSET_MASK), 8);
	return as_step(w, AS_NEXT_IP + w->at[0], 8);
}

AS_INLINE int as_walk_udp(AS_ENV *env, struct as_walk *w)
{
	__u32 len, port;

	if (as_peek(env, w, 0, AS_UDP_HLEN))
		return AS_NOT_TCP;
	port = as_udp_tunnel(w->at);
	if (!port)
		return AS_NOT_TCP;
	if (AS_FRESH(w->fragment))
		return AS_FRAGMENT;
	len = as_be16(w->at + 4);
	if (len) /* 0: a jumbogram, RFC 2675 section 4 */
		as_bound(w, len);
	return as_step(w, AS_NEXT_UDP + port, AS_UDP_HLEN);
}

#endif
