/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tunnel.h - from header to header to the innermost TCP segment, of which the ends are those
 * of the innermost IP header. Slow beside packet.h, and only for frames that it left.
 */
#ifndef ALPNSCOPE_TUNNEL_H
#define ALPNSCOPE_TUNNEL_H

#include "walk_link.h"
#include "walk_tunnel.h"

#define AS_HEADERS_MAX 16 /* TCP's own included; real stacks have up to about 10 */

/* A tag or another header that names what follows by ethertype. */
AS_INLINE int as_walk_tags(AS_ENV *env, struct as_walk *w, __u32 next)
{
	switch (next) {
	case AS_ETH_P_TEB:
		return as_walk_ethernet(env, w);
	case AS_ETH_P_8021Q:
	case AS_ETH_P_8021AD:
	case AS_ETH_P_QINQ:
		return as_walk_tag(env, w, AS_VLAN_HLEN);
	case AS_ETH_P_VNTAG:
		return as_walk_tag(env, w, 6);
	case AS_ETH_P_ETAG:
	case AS_ETH_P_CMD:
		return as_walk_tag(env, w, 8);
	case AS_ETH_P_PBB: /* the I-tag's 4 bytes, then the customer's Ethernet header */
		return as_step(w, AS_ETH_P_TEB, 4);
	default:
		return AS_NOT_TCP;
	}
}

/* One header below IP; one that is not known ends the walk. */
AS_INLINE int as_walk_link(AS_ENV *env, struct as_walk *w, __u32 next)
{
	switch (next) {
	case AS_NEXT_LLC:
		return as_walk_llc(env, w);
	case AS_NEXT_WLAN:
		return as_walk_wlan(env, w);
	case AS_NEXT_GUESS:
		return as_walk_guess(env, w);
	case AS_NEXT_GTP_EXTENSION:
		return as_walk_gtp_extension(env, w);
	case AS_ETH_P_MPLS:
	case AS_ETH_P_MPLS_UPSTREAM:
		return as_walk_mpls(env, w);
	case AS_ETH_P_PPPOE:
		return as_walk_pppoe(env, w);
	case AS_ETH_P_PPP:
		return as_walk_ppp(env, w);
	case AS_ETH_P_ERSPAN:
		return as_walk_erspan(env, w);
	case AS_ETH_P_ERSPAN3:
		return as_walk_erspan3(env, w);
	case AS_ETH_P_NSH:
		return as_walk_nsh(env, w);
	default:
		return as_walk_tags(env, w, next);
	}
}

/* What an IP header names. */
AS_INLINE int as_walk_protocol(AS_ENV *env, struct as_walk *w, __u32 protocol)
{
	switch (protocol) {
	case AS_IPPROTO_TCP:
		return as_peek(env, w, 0, AS_TCP_HLEN) ? AS_NOT_TCP : AS_PARSED;
	case AS_IPPROTO_HOP_BY_HOP:
	case AS_IPPROTO_ROUTING:
	case AS_IPPROTO_OPTIONS:
		return as_walk_extension(env, w, 0);
	case AS_IPPROTO_AH:
		return as_walk_extension(env, w, 1);
	case AS_IPPROTO_FRAGMENT:
		return as_walk_ipv6_fragment(env, w);
	case AS_IPPROTO_IPV4:
		return as_step(w, AS_ETH_P_IPV4, 0);
	case AS_IPPROTO_IPV6:
		return as_step(w, AS_ETH_P_IPV6, 0);
	case AS_IPPROTO_UDP:
		return as_walk_udp(env, w);
	case AS_IPPROTO_GRE:
		return as_walk_gre(env, w);
	case AS_IPPROTO_ETHERIP:
		return as_walk_etherip(env, w);
	case AS_IPPROTO_MPLS:
		return as_walk_mpls(env, w);
	default:
		return AS_NOT_TCP;
	}
}

/* What a UDP port names. */
AS_INLINE int as_walk_port(AS_ENV *env, struct as_walk *w, __u32 port)
{
	switch (port) {
	case AS_PORT_GRE:
		return as_walk_gre(env, w);
	case AS_PORT_MPLS:
		return as_walk_mpls(env, w);
	case AS_PORT_VXLAN:
	case AS_PORT_VXLAN_LINUX:
		return as_walk_vxlan(env, w, 0);
	case AS_PORT_VXLAN_GPE:
		return as_walk_vxlan(env, w, 1);
	case AS_PORT_GENEVE:
		return as_walk_geneve(env, w);
	case AS_PORT_GTPU:
		return as_walk_gtpu(env, w);
	case AS_PORT_TEREDO:
		return as_walk_teredo(env, w);
	case AS_PORT_L2TP:
		return as_walk_l2tp(env, w);
	case AS_PORT_CAPWAP:
		return as_walk_capwap(env, w);
	default:
		return AS_NOT_TCP;
	}
}

/**
 * as_walk_header - step over one header.
 * @p: the addresses are filled in on the way
 * Returns AS_MORE, or enum as_parsed; AS_PARSED when the walk stands on TCP.
 */
AS_INLINE int as_walk_header(AS_ENV *env, struct as_walk *w, struct as_packet *p)
{
	__u32 next = AS_FRESH(w->next);

	if (next == AS_ETH_P_IPV4)
		return as_walk_ipv4(env, w, p);
	if (next == AS_ETH_P_IPV6)
		return as_walk_ipv6(env, w, p);
	if (next < AS_NEXT_IP)
		return as_walk_link(env, w, next);
	if (next < AS_NEXT_UDP)
		return as_walk_protocol(env, w, next - AS_NEXT_IP);
	return as_walk_port(env, w, next - AS_NEXT_UDP);
}

/**
 * as_walk_begin - stand on what begins at frame offset @off.
 * @next: what it is, as as_parse() left it
 */
AS_INLINE void as_walk_begin(const struct as_frame *fr, struct as_walk *w, __u32 next, __u32 off)
{
	AS_FRESH(w->next) = next;
	AS_FRESH(w->off) = off;
	AS_FRESH(w->end) = fr->len;
	AS_FRESH(w->fragment) = 0;
	AS_FRESH(w->ips) = 0;
}

/**
 * as_walk_end - take the TCP segment that the walk came to.
 * @fr: its length becomes the end of what encloses the segment: one that reaches out of that
 *      is cut, as by a short snaplen
 * @p: filled when AS_PARSED is returned
 * Returns enum as_parsed.
 */
AS_INLINE int as_walk_end(struct as_frame *fr, struct as_walk *w, struct as_packet *p)
{
	p->tunnel = AS_FRESH(w->ips) > 1;
	fr->len = AS_FRESH(w->end);
	return as_parse_tcp(fr, AS_FRESH(w->off), AS_FRESH(w->ip_end), p);
}

#endif
