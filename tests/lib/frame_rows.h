/* SPDX-License-Identifier: GPL-2.0-only */
/* frame_rows.h - nestings of headers, each around an IP packet with TCP. Innermost first. */
#ifndef TESTS_FRAME_ROWS_H
#define TESTS_FRAME_ROWS_H

#include "craft_frames.h"

/* Tags by ethertype and bytes. */
#define TAG_Q                                                                                      \
	{                                                                                          \
		put_tag, 0x8100 << 8 | 4                                                           \
	}
#define TAG_AD                                                                                     \
	{                                                                                          \
		put_tag, 0x88a8 << 8 | 4                                                           \
	}
#define TAG_9100                                                                                   \
	{                                                                                          \
		put_tag, 0x9100 << 8 | 4                                                           \
	}
#define TAG_CMD                                                                                    \
	{                                                                                          \
		put_tag, 0x8909 << 8 | 8                                                           \
	}
#define TAG_VN                                                                                     \
	{                                                                                          \
		put_tag, 0x8926 << 8 | 6                                                           \
	}
#define TAG_E                                                                                      \
	{                                                                                          \
		put_tag, 0x893f << 8 | 8                                                           \
	}
#define TAG_PBB                                                                                    \
	{                                                                                          \
		put_bytes, 0x88e7 << 8 | 4                                                         \
	}
#define CONTROL_WORD                                                                               \
	{                                                                                          \
		put_bytes, 4                                                                       \
	}
#define ETH                                                                                        \
	{                                                                                          \
		put_ethernet, 0                                                                    \
	}
#define IP4                                                                                        \
	{                                                                                          \
		put_ipv4, 0                                                                        \
	}
#define IP6                                                                                        \
	{                                                                                          \
		put_ipv6, 0                                                                        \
	}
#define UDP_TO(port)                                                                               \
	{                                                                                          \
		put_udp, 51234U << 16 | (port)                                                     \
	}
#define UDP_FROM(port)                                                                             \
	{                                                                                          \
		put_udp, (uint32_t)(port) << 16 | 51234                                            \
	}

/* @family: 4, 6, or 0 for both: what the inner packet can be. */
struct frame_row {
	const char *name;
	int family;
	struct craft_layer layer[STACK_LAYERS];
};

static const struct frame_row frame_rows[] = {
	/* Tags: IEEE 802.1Q, 802.1ad, 802.1ah, 802.1BR, Cisco's */
	{"one tag", 0, {TAG_Q, ETH}},
	{"two tags", 0, {TAG_Q, TAG_AD, ETH}},
	{"three tags", 0, {TAG_Q, TAG_AD, TAG_9100, ETH}},
	{"0x9100", 0, {TAG_9100, ETH}},
	{"Cisco MetaData", 0, {TAG_CMD, ETH}},
	{"MetaData behind a tag", 0, {TAG_CMD, TAG_Q, ETH}},
	{"VN-Tag", 0, {TAG_Q, TAG_VN, ETH}},
	{"E-Tag", 0, {TAG_Q, TAG_E, ETH}},
	{"MAC in MAC", 0, {ETH, TAG_PBB, TAG_AD, ETH}},
	/* LLC */
	{"SNAP", 0, {{put_snap, 0}, {put_8023, 0}}},
	{"SNAP of 802.1H", 0, {{put_snap, 0xf8}, {put_8023, 0}}},
	{"LLC for IP", 4, {{put_llc_ip, 0}, {put_8023, 0}}},
	/* MPLS */
	{"MPLS", 0, {{put_mpls, 1}, ETH}},
	{"three labels", 0, {{put_mpls, 1}, {put_mpls, 0}, {put_mpls, 0}, ETH}},
	{"pseudowire, control word", 0, {ETH, CONTROL_WORD, {put_mpls, 1}, {put_mpls, 0}, ETH}},
	{"pseudowire", 0, {ETH, {put_mpls, 1}, ETH}},
	{"pseudowire, tag", 0, {TAG_Q, ETH, {put_mpls, 1}, ETH}},
	{"MPLS in IP", 0, {{put_mpls, 1}, IP4, ETH}},
	{"MPLS in UDP", 0, {{put_mpls, 1}, UDP_TO(6635), IP4, ETH}},
	/* PPP */
	{"PPPoE", 0, {{put_ppp, 0}, {put_pppoe, 0}, ETH}},
	{"PPPoE, one byte", 0, {{put_ppp, 2}, {put_pppoe, 0}, ETH}},
	{"PPPoE, two tags", 0, {{put_ppp, 0}, {put_pppoe, 0}, TAG_Q, TAG_AD, ETH}},
	{"MPLS in PPP", 0, {{put_mpls, 1}, {put_ppp, 0}, {put_pppoe, 0}, ETH}},
	{"L2TP", 0, {{put_ppp, 1}, {put_l2tp, 0}, UDP_TO(1701), IP4, ETH}},
	{"L2TP, all fields", 0, {{put_ppp, 0}, {put_l2tp, 0x4a00}, UDP_TO(1701), IP4, ETH}},
	{"L2TP, answer", 0, {{put_ppp, 2}, {put_l2tp, 0x4000}, UDP_FROM(1701), IP6, ETH}},
	{"PPTP", 0, {{put_ppp, 1}, {put_gre, 0x130}, IP4, ETH}},
	{"PPTP, acknowledging", 0, {{put_ppp, 0}, {put_gre, 0x330}, IP4, ETH}},
	/* IP in IP, extension headers */
	{"in IPv4", 0, {IP4, ETH}},
	{"in IPv4 with options", 0, {{put_ipv4, 40}, ETH}},
	{"in IPv6", 0, {IP6, ETH}},
	{"hop by hop", 0, {{put_extension, 0x100 | 0}, IP6, ETH}},
	{"all extensions",
	 0,
	 {{put_ah, 0},
	  {put_extension, 0x300 | 60},
	  {put_extension, 0x200 | 43},
	  {put_extension, 0x800 | 0},
	  IP6,
	  ETH}},
	{"atomic fragment", 0, {{put_fragment, 0}, IP6, ETH}},
	{"AH in IPv4", 0, {{put_ah, 0}, IP4, ETH}},
	{"EtherIP", 0, {ETH, {put_etherip, 0}, IP4, ETH}},
	/* GRE */
	{"GRE", 0, {{put_gre, 0}, IP4, ETH}},
	{"GRE in IPv6", 0, {{put_gre, 0}, IP6, ETH}},
	{"GRE, checksum", 0, {{put_gre, 0x80}, IP4, ETH}},
	{"GRE, key", 0, {{put_gre, 0x20}, IP4, ETH}},
	{"GRE, sequence", 0, {{put_gre, 0x10}, IP4, ETH}},
	{"GRE, all", 0, {{put_gre, 0xb0}, IP4, ETH}},
	{"NVGRE", 0, {ETH, {put_gre, 0x20}, IP4, ETH}},
	{"GRE in UDP", 0, {{put_gre, 0}, UDP_TO(4754), IP4, ETH}},
	{"MPLS in GRE", 0, {{put_mpls, 1}, {put_gre, 0}, IP4, ETH}},
	{"ERSPAN I", 0, {ETH, {put_erspan1, 0}, IP4, ETH}},
	{"ERSPAN II", 0, {ETH, {put_erspan2, 0}, {put_gre, 0x10}, IP4, ETH}},
	{"ERSPAN III", 0, {ETH, {put_erspan3, 0}, {put_gre, 0x10}, IP4, ETH}},
	{"ERSPAN III, IP", 0, {{put_erspan3, 2}, {put_gre, 0x10}, IP4, ETH}},
	{"ERSPAN III, more", 0, {TAG_Q, ETH, {put_erspan3, 0x100}, {put_gre, 0x10}, IP6, ETH}},
	/* VXLAN, Geneve, NSH */
	{"VXLAN", 0, {ETH, {put_vxlan, 8}, UDP_TO(4789), IP4, ETH}},
	{"VXLAN in IPv6", 0, {ETH, {put_vxlan, 8}, UDP_TO(4789), IP6, ETH}},
	{"VXLAN, Linux's port", 0, {ETH, {put_vxlan, 8}, UDP_TO(8472), IP4, ETH}},
	{"VXLAN, tag in and out", 0, {TAG_Q, ETH, {put_vxlan, 8}, UDP_TO(4789), IP4, TAG_Q, ETH}},
	{"VXLAN-GPE", 0, {{put_vxlan, 12}, UDP_TO(4790), IP4, ETH}},
	{"VXLAN-GPE, Ethernet", 0, {ETH, {put_vxlan, 12}, UDP_TO(4790), IP4, ETH}},
	{"VXLAN-GPE, not named", 0, {ETH, {put_vxlan, 8}, UDP_TO(4790), IP4, ETH}},
	{"NSH in VXLAN-GPE", 0, {{put_nsh, 3}, {put_vxlan, 12}, UDP_TO(4790), IP4, ETH}},
	{"NSH", 0, {ETH, {put_nsh, 4}, ETH}},
	{"MPLS in NSH", 0, {{put_mpls, 1}, {put_nsh, 0}, ETH}},
	{"Geneve", 0, {ETH, {put_geneve, 0}, UDP_TO(6081), IP4, ETH}},
	{"Geneve, IP", 0, {{put_geneve, 0}, UDP_TO(6081), IP4, ETH}},
	{"Geneve, options", 0, {ETH, {put_geneve, 63}, UDP_TO(6081), IP6, ETH}},
	/* GTP-U, Teredo, CAPWAP */
	{"GTP-U", 0, {{put_gtpu, 0}, UDP_TO(2152), IP4, ETH}},
	{"GTP-U, sequence", 0, {{put_gtpu, 2}, UDP_TO(2152), IP4, ETH}},
	{"GTP-U, extension", 0, {{put_gtpu, 0x104}, UDP_TO(2152), IP4, ETH}},
	{"GTP-U, extensions", 0, {{put_gtpu, 0x307}, UDP_TO(2152), IP6, ETH}},
	{"GTP-U, no extension", 0, {{put_gtpu, 4}, UDP_TO(2152), IP4, ETH}},
	{"Ethernet in GTP-U", 0, {ETH, {put_gtpu, 0x104}, UDP_TO(2152), IP4, ETH}},
	{"Teredo", 6, {UDP_TO(3544), IP4, ETH}},
	{"Teredo, answer", 6, {{put_teredo, 3}, UDP_FROM(3544), IP4, ETH}},
	{"CAPWAP", 0, {ETH, {put_capwap, 0}, UDP_TO(5247), IP4, ETH}},
	{"CAPWAP, answer", 0, {ETH, {put_capwap, 0x10}, UDP_FROM(5247), IP4, ETH}},
	{"CAPWAP, 802.11",
	 0,
	 {{put_snap, 0}, {put_wlan, 0x8801}, {put_capwap, 0x110}, UDP_TO(5247), IP4, ETH}},
	{"CAPWAP, 802.11 as Cisco writes it",
	 0,
	 {{put_snap, 0}, {put_wlan, 0x18802}, {put_capwap, 0x100}, UDP_TO(5247), IP4, ETH}},
	/* Nestings as providers and clouds have them */
	{"tag, labels, pseudowire, GRE, VXLAN",
	 0,
	 {TAG_Q,
	  ETH,
	  {put_vxlan, 8},
	  UDP_TO(4789),
	  IP4,
	  ETH,
	  {put_gre, 0x20},
	  IP4,
	  {put_mpls, 1},
	  {put_mpls, 0},
	  TAG_Q,
	  ETH}},
	{"PPPoE, 6in4, GRE in IPv6",
	 0,
	 {{put_gre, 0}, IP6, IP4, {put_ppp, 0}, {put_pppoe, 0}, TAG_AD, ETH}},
	{"ERSPAN of GTP-U of IPIP",
	 0,
	 {IP4,
	  {put_gtpu, 0x104},
	  UDP_TO(2152),
	  IP4,
	  ETH,
	  {put_erspan2, 0},
	  {put_gre, 0x10},
	  IP4,
	  ETH}},
};

#define FRAME_ROWS (sizeof(frame_rows) / sizeof(frame_rows[0]))

#endif
