/* SPDX-License-Identifier: GPL-2.0-only */
/* walk_link.h - headers below IP: Ethernet, tags, labels, sessions, mirrors, radio. */
#ifndef ALPNSCOPE_WALK_LINK_H
#define ALPNSCOPE_WALK_LINK_H

#include "walk.h"

AS_INLINE int as_walk_ethernet(AS_ENV *env, struct as_walk *w)
{
	if (as_peek(env, w, 0, AS_ETH_HLEN))
		return AS_NOT_TCP;
	return as_step_type(w, as_be16(w->at + 12), AS_ETH_HLEN);
}

/* A tag of @len bytes, of which the last two are the next ethertype. */
AS_INLINE int as_walk_tag(AS_ENV *env, struct as_walk *w, __u32 len)
{
	if (as_peek(env, w, len - 2, 2))
		return AS_NOT_TCP;
	return as_step_type(w, as_be16(w->at), len);
}

/* IEEE 802.2 with SNAP (RFC 1042; IEEE 802.1H), or with IP's own service access point. */
AS_INLINE int as_walk_llc(AS_ENV *env, struct as_walk *w)
{
	__u32 oui;

	if (as_peek(env, w, 0, 8) || w->at[2] != 3)
		return AS_NOT_TCP;
	if (w->at[0] == 6 && w->at[1] == 6)
		return as_step(w, AS_ETH_P_IPV4, 3);
	oui = as_be24(w->at + 3);
	if (w->at[0] != 0xaa || w->at[1] != 0xaa || (oui && oui != 0xf8) ||
	    as_be16(w->at + 6) < AS_ETH_TYPE_MIN)
		return AS_NOT_TCP;
	return as_step(w, as_be16(w->at + 6), 8);
}

/* RFC 3032 section 2.1: one label, and whether it is the last. */
AS_INLINE int as_walk_mpls(AS_ENV *env, struct as_walk *w)
{
	if (as_peek(env, w, 0, 4))
		return AS_NOT_TCP;
	return as_step(w, w->at[2] & 1 ? AS_NEXT_GUESS : AS_ETH_P_MPLS, 4);
}

/* Do these 15 bytes look like an Ethernet header with IP or a VLAN tag behind it? */
AS_INLINE int as_looks_ethernet(const __u8 *b)
{
	__u32 type = as_be16(b + 12), version = b[14] >> 4;

	return (type == AS_ETH_P_IPV4 && version == 4) || (type == AS_ETH_P_IPV6 && version == 6) ||
	       type == AS_ETH_P_8021Q || type == AS_ETH_P_8021AD;
}

/* Does an IP packet of @len bytes fill @left, but for what Ethernet pads? */
AS_INLINE int as_fills(__u32 len, __u32 left)
{
	return len <= left && left - len < 64;
}

/*
 * What no header names: IPv4 or IPv6 by the first half byte, as RFC 4928 section 3 has it,
 * or an Ethernet pseudowire with a control word (RFC 4448 section 4.6: a half byte of 0) or
 * without. An Ethernet address may begin with any half byte, so its header must look like
 * one; if it begins with 4 or 6 it is still taken for IP where IP's length fits.
 */
AS_INLINE int as_walk_guess(AS_ENV *env, struct as_walk *w)
{
	__u32 left = AS_FRESH(w->end) - AS_FRESH(w->off), version, ethernet;

	if (as_peek(env, w, 0, AS_IPV4_HLEN))
		return AS_NOT_TCP;
	version = w->at[0] >> 4;
	ethernet = (__u32)as_looks_ethernet(w->at);
	if (version == 4 && (w->at[0] & 15) >= 5 &&
	    (!ethernet || as_fills(as_be16(w->at + 2), left)))
		return as_step(w, AS_ETH_P_IPV4, 0);
	if (version == 6 && (!ethernet || as_fills(40U + as_be16(w->at + 4), left)))
		return as_step(w, AS_ETH_P_IPV6, 0);
	if (version == 0 && as_looks_ethernet(w->at + 4))
		return as_step(w, AS_ETH_P_TEB, 4);
	return ethernet ? as_step(w, AS_ETH_P_TEB, 0) : AS_NOT_TCP;
}

/* RFC 2516 section 4 with code 0, a session's data. */
AS_INLINE int as_walk_pppoe(AS_ENV *env, struct as_walk *w)
{
	if (as_peek(env, w, 0, 6) || w->at[0] != 0x11 || w->at[1])
		return AS_NOT_TCP;
	as_bound(w, 6U + as_be16(w->at + 4));
	return as_step(w, AS_ETH_P_PPP, 6);
}

/* RFC 1661 section 2, behind HDLC's address and control (RFC 1662 section 3.1) or not; a
 * protocol may be compressed to one byte, which is odd then (RFC 1661 section 6.5). */
AS_INLINE int as_walk_ppp(AS_ENV *env, struct as_walk *w)
{
	__u32 protocol, len = 2;

	if (as_peek(env, w, 0, 4))
		return AS_NOT_TCP;
	protocol = as_be16(w->at);
	if (protocol == 0xff03) {
		protocol = as_be16(w->at + 2);
		len = 4;
	}
	if (protocol & 0x100) {
		protocol >>= 8;
		len--;
	}
	switch (protocol) {
	case 0x0021: /* RFC 1332 */
		return as_step(w, AS_ETH_P_IPV4, len);
	case 0x0057: /* RFC 5072 */
		return as_step(w, AS_ETH_P_IPV6, len);
	case 0x0281: /* RFC 3032 section 4.3 */
		return as_step(w, AS_ETH_P_MPLS, len);
	default:
		return AS_NOT_TCP;
	}
}

/* The next protocol of NSH (RFC 8300 section 2.2) and VXLAN-GPE. */
AS_INLINE int as_step_nsh(struct as_walk *w, __u32 protocol, __u32 len)
{
	switch (protocol) {
	case 1:
		return as_step(w, AS_ETH_P_IPV4, len);
	case 2:
		return as_step(w, AS_ETH_P_IPV6, len);
	case 3:
		return as_step(w, AS_ETH_P_TEB, len);
	case 4:
		return as_step(w, AS_ETH_P_NSH, len);
	case 5:
		return as_step(w, AS_ETH_P_MPLS, len);
	default:
		return AS_NOT_TCP;
	}
}

/* RFC 8300 section 2.2; the length counts words of 4 bytes. */
AS_INLINE int as_walk_nsh(AS_ENV *env, struct as_walk *w)
{
	__u32 len;

	if (as_peek(env, w, 0, 8) || w->at[0] >> 6)
		return AS_NOT_TCP;
	len = (w->at[1] & 0x3fU) * 4;
	return len < 8 ? AS_NOT_TCP : as_step_nsh(w, w->at[3], len);
}

/* draft-foschiano-erspan-03 section 4.2: version 1. */
AS_INLINE int as_walk_erspan(AS_ENV *env, struct as_walk *w)
{
	if (as_peek(env, w, 0, 8) || w->at[0] >> 4 != 1)
		return AS_NOT_TCP;
	return as_step(w, AS_ETH_P_TEB, 8);
}

/* Section 4.3: version 2, frame type 0 (Ethernet) or 2 (IP), 8 bytes more with flag O. */
AS_INLINE int as_walk_erspan3(AS_ENV *env, struct as_walk *w)
{
	__u32 type, len;

	if (as_peek(env, w, 0, 12) || w->at[0] >> 4 != 2)
		return AS_NOT_TCP;
	type = w->at[10] >> 2 & 31;
	len = w->at[11] & 1 ? 20 : 12;
	if (type == 2)
		return as_step(w, AS_NEXT_GUESS, len);
	return type ? AS_NOT_TCP : as_step(w, AS_ETH_P_TEB, len);
}

/* IEEE 802.11-2020 section 9.2: a data frame, whole and in clear, with LLC behind it. */
AS_INLINE int as_walk_wlan(AS_ENV *env, struct as_walk *w)
{
	__u32 type, flags, len = 24;

	if (as_peek(env, w, 0, 24))
		return AS_NOT_TCP;
	type = w->at[0];
	flags = w->at[1];
	/* Cisco's access points exchange the two bytes in CAPWAP. */
	if ((type & 0xf) != 8 && (flags & 0xf) == 8) {
		type = w->at[1];
		flags = w->at[0];
	}
	/* Data that is not null; no more fragments and not protected; fragment 0. */
	if ((type & 0x4f) != 8 || flags & 0x44 || w->at[22] & 15)
		return AS_NOT_TCP;
	if ((flags & 3) == 3) /* between access points: a fourth address */
		len += 6;
	if (type & 0x80) { /* QoS control, and HT control with it */
		if (as_peek(env, w, len, 2) || w->at[0] & 0x80) /* several frames in one */
			return AS_NOT_TCP;
		len += flags & 0x80 ? 6 : 2;
	}
	return as_step(w, AS_NEXT_LLC, len);
}

#endif
