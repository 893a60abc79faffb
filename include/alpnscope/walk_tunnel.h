/* SPDX-License-Identifier: GPL-2.0-only */
/* walk_tunnel.h - headers of tunnels in IP and in UDP. */
#ifndef ALPNSCOPE_WALK_TUNNEL_H
#define ALPNSCOPE_WALK_TUNNEL_H

#include "walk.h"
#include "walk_link.h"

/* RFC 2784, 2890; version 1, which carries PPP: RFC 2637 section 4.1. */
AS_INLINE int as_walk_gre(AS_ENV *env, struct as_walk *w)
{
	__u32 len = 4, type, flags, version;

	if (as_peek(env, w, 0, 8))
		return AS_NOT_TCP;
	flags = w->at[0];
	version = w->at[1] & 7;
	type = as_be16(w->at + 2);
	if (flags & 0x40 || version > 1) /* source routes of RFC 1701 */
		return AS_NOT_TCP;
	if (flags & 0x80) /* checksum */
		len += 4;
	if (flags & 0x20) /* key */
		len += 4;
	if (flags & 0x10) /* sequence number */
		len += 4;
	if (version && w->at[1] & 0x80) /* acknowledgement number */
		len += 4;
	if (version)
		as_bound(w, len + as_be16(w->at + 4));
	/* Without a sequence number it is ERSPAN type I, which has no header. */
	if (type == AS_ETH_P_ERSPAN && !(flags & 0x10))
		type = AS_ETH_P_TEB;
	return type < AS_ETH_TYPE_MIN ? AS_NOT_TCP : as_step(w, type, len);
}

/* RFC 3378: the version, 3, and 12 bits of 0. */
AS_INLINE int as_walk_etherip(AS_ENV *env, struct as_walk *w)
{
	if (as_peek(env, w, 0, 2) || w->at[0] >> 4 != 3)
		return AS_NOT_TCP;
	return as_step(w, AS_ETH_P_TEB, 2);
}

/* RFC 7348 section 5; the flag I must be set. */
AS_INLINE int as_walk_vxlan(AS_ENV *env, struct as_walk *w, int gpe)
{
	if (as_peek(env, w, 0, 8) || !(w->at[0] & 8))
		return AS_NOT_TCP;
	if (gpe && w->at[0] & 4) /* flag P: the next protocol is named */
		return as_step_nsh(w, w->at[3], 8);
	return as_step(w, AS_ETH_P_TEB, 8);
}

/* RFC 8926 section 3.4: version 0, options in words of 4 bytes, flag O for control. */
AS_INLINE int as_walk_geneve(AS_ENV *env, struct as_walk *w)
{
	if (as_peek(env, w, 0, 8) || w->at[0] >> 6 || w->at[1] & 0x80 ||
	    as_be16(w->at + 2) < AS_ETH_TYPE_MIN)
		return AS_NOT_TCP;
	return as_step(w, as_be16(w->at + 2), 8 + (w->at[0] & 0x3fU) * 4);
}

/* 3GPP TS 29.281 section 5.1: version 1, a user's packet. Any of the flags E, S and PN adds
 * 4 bytes, of which the last names an extension header. */
AS_INLINE int as_walk_gtpu(AS_ENV *env, struct as_walk *w)
{
	__u32 flags;

	if (as_peek(env, w, 0, 8) || (w->at[0] & 0xf0) != 0x30 || w->at[1] != 0xff)
		return AS_NOT_TCP;
	flags = w->at[0] & 7;
	as_bound(w, 8U + as_be16(w->at + 2));
	if (!flags)
		return as_step(w, AS_NEXT_GUESS, 8);
	if (as_peek(env, w, 8, 4))
		return AS_NOT_TCP;
	return as_step(w, flags & 4 && w->at[3] ? AS_NEXT_GTP_EXTENSION : AS_NEXT_GUESS, 12);
}

/* Section 5.2.1: the length in words of 4 bytes, ..., the next one's type. */
AS_INLINE int as_walk_gtp_extension(AS_ENV *env, struct as_walk *w)
{
	__u32 len;

	if (as_peek(env, w, 0, 1) || !w->at[0])
		return AS_NOT_TCP;
	len = w->at[0] * 4U;
	if (as_peek(env, w, len - 1, 1))
		return AS_NOT_TCP;
	return as_step(w, w->at[0] ? AS_NEXT_GTP_EXTENSION : AS_NEXT_GUESS, len);
}

/* RFC 4380 section 5.1.1: authentication and origin may come ahead of the IPv6 packet. */
AS_INLINE int as_walk_teredo(AS_ENV *env, struct as_walk *w)
{
	if (as_peek(env, w, 0, 4))
		return AS_NOT_TCP;
	if (w->at[0] >> 4 == 6)
		return as_step(w, AS_ETH_P_IPV6, 0);
	if (w->at[0])
		return AS_NOT_TCP;
	if (w->at[1] == 1)
		return as_step(w, AS_NEXT_UDP + AS_PORT_TEREDO, 13U + w->at[2] + w->at[3]);
	return w->at[1] ? AS_NOT_TCP : as_step(w, AS_NEXT_UDP + AS_PORT_TEREDO, 8);
}

/* RFC 2661 section 3.1: a data message of version 2; its fields are there by flags. */
AS_INLINE int as_walk_l2tp(AS_ENV *env, struct as_walk *w)
{
	__u32 flags, len = 6;

	if (as_peek(env, w, 0, 6))
		return AS_NOT_TCP;
	flags = as_be16(w->at);
	if (flags & 0x8000 || (flags & 15) != 2)
		return AS_NOT_TCP;
	if (flags & 0x4000) { /* length */
		as_bound(w, as_be16(w->at + 2));
		len += 2;
	}
	if (flags & 0x0800) /* sequence numbers */
		len += 4;
	if (flags & 0x0200) { /* offset */
		if (as_peek(env, w, len, 2))
			return AS_NOT_TCP;
		len += 2U + as_be16(w->at);
	}
	return as_step(w, AS_ETH_P_PPP, len);
}

/* RFC 5415 section 4.3: version 0, not DTLS; flag T: native frames, of which 1 is 802.11. */
AS_INLINE int as_walk_capwap(AS_ENV *env, struct as_walk *w)
{
	__u32 len, native, binding;

	if (as_peek(env, w, 0, 8) || w->at[0])
		return AS_NOT_TCP;
	len = (w->at[1] >> 3) * 4U;
	native = w->at[2] & 1;
	binding = w->at[2] >> 1 & 31;
	if (len < 8 || w->at[3] & 8) /* keep alive */
		return AS_NOT_TCP;
	if (w->at[3] & 0x80)
		return AS_FRAGMENT;
	if (!native)
		return as_step(w, AS_ETH_P_TEB, len);
	return binding == 1 ? as_step(w, AS_NEXT_WLAN, len) : AS_NOT_TCP;
}

#endif
