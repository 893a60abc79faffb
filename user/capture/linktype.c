// SPDX-License-Identifier: GPL-2.0-only
/* linktype.c - the link types of www.tcpdump.org/linktypes.html. */
#include "linktype.h"

#include <pcap/pcap.h>
#include <stdbool.h>
#include <string.h>

#include "alpnscope/port.h"
#include "alpnscope/wire.h"

#define DLT_RAW_OPENBSD 14 /* files of OpenBSD carry its own number for raw IP */
#define SLL_HLEN 16
#define SLL2_HLEN 20
#define NULL_HLEN 4
#define HDLC_HLEN 4
#define ENC_HLEN 12
#define FIREWIRE_HLEN 18
#define IPOIB_HLEN 44
#define PPI_HLEN 8
#define PKTAP_HLEN 12 /* as far as it is looked at */
#define NFLOG_HLEN 4
#define NFLOG_PAYLOAD 9
#define NFLOG_ATTRIBUTES 64 /* a log has about 10 */
#define PFLOG_ALIGN 4
#define COOKED_LLC 4 /* ETH_P_802_2: what Linux calls frames with an LLC header */

static void set_next(struct capture_frame *f, uint16_t ethertype, uint32_t offset)
{
	bool there = offset < f->caplen;

	f->ethertype = there ? ethertype : CAPTURE_NOT_IP;
	f->offset = there ? offset : f->caplen;
}

static uint32_t le16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | le16(p + 2) << 16;
}

static void decode_ethernet(struct capture_frame *f)
{
	f->ethertype = CAPTURE_ETHERNET;
	f->offset = 0;
}

/* A header of @header_len bytes whose protocol stands at @protocol_at. Protocols below 0x600
 * are not ethertypes (IEEE 802.3 section 3.2.6). */
static void decode_cooked(struct capture_frame *f, uint32_t protocol_at, uint32_t header_len)
{
	uint16_t protocol = 0;

	if (f->caplen > header_len)
		protocol = as_be16(f->bytes + protocol_at);
	if (protocol == COOKED_LLC)
		protocol = AS_NEXT_LLC;
	else if (protocol < AS_ETH_TYPE_MIN)
		protocol = CAPTURE_NOT_IP;
	set_next(f, protocol, header_len);
}

/* LINKTYPE_LINUX_SLL: the protocol is the header's last field. */
static void decode_sll(struct capture_frame *f)
{
	decode_cooked(f, SLL_HLEN - 2, SLL_HLEN);
}

/* LINKTYPE_LINUX_SLL2: the protocol is the header's first field. */
static void decode_sll2(struct capture_frame *f)
{
	decode_cooked(f, 0, SLL2_HLEN);
}

/* LINKTYPE_C_HDLC: address, control, ethertype (RFC 1547 section 4.3.1). */
static void decode_hdlc(struct capture_frame *f)
{
	decode_cooked(f, HDLC_HLEN - 2, HDLC_HLEN);
}

/* LINKTYPE_APPLE_IP_OVER_IEEE1394: two addresses of 8 bytes, ethertype. */
static void decode_firewire(struct capture_frame *f)
{
	decode_cooked(f, FIREWIRE_HLEN - 2, FIREWIRE_HLEN);
}

/* LINKTYPE_IPOIB: a global routing header of 40 bytes, ethertype, 2 bytes reserved. */
static void decode_ipoib(struct capture_frame *f)
{
	decode_cooked(f, IPOIB_HLEN - 4, IPOIB_HLEN);
}

static void decode_ipv4(struct capture_frame *f)
{
	set_next(f, AS_ETH_P_IPV4, 0);
}

static void decode_ipv6(struct capture_frame *f)
{
	set_next(f, AS_ETH_P_IPV6, 0);
}

/* LINKTYPE_RAW: the version is the first half byte. */
static void decode_raw(struct capture_frame *f)
{
	uint8_t version = f->caplen ? f->bytes[0] >> 4 : 0;

	if (version == 4)
		decode_ipv4(f);
	else if (version == 6)
		decode_ipv6(f);
	else
		set_next(f, CAPTURE_NOT_IP, 0);
}

/* The address family, as the operating systems that write such files number it. */
static uint16_t family_protocol(uint32_t family)
{
	switch (family) {
	case 2:
		return AS_ETH_P_IPV4;
	case 10: /* Linux */
	case 23: /* Windows */
	case 24: /* NetBSD, OpenBSD */
	case 28: /* FreeBSD */
	case 30: /* macOS */
		return AS_ETH_P_IPV6;
	default:
		return CAPTURE_NOT_IP;
	}
}

/* A header of @header_len bytes that begins with a family, in the byte order of the machine
 * that captured or in network order. Every family is small: the order shows. */
static void decode_family(struct capture_frame *f, uint32_t header_len)
{
	uint32_t family = 0;

	if (f->caplen > header_len)
		family = as_be32(f->bytes);
	if (family > 0xffff)
		family = __builtin_bswap32(family);
	set_next(f, family_protocol(family), header_len);
}

/* LINKTYPE_NULL, LINKTYPE_LOOP. */
static void decode_null(struct capture_frame *f)
{
	decode_family(f, NULL_HLEN);
}

/* LINKTYPE_ENC: family, SPI and flags of OpenBSD's IPsec. */
static void decode_enc(struct capture_frame *f)
{
	decode_family(f, ENC_HLEN);
}

/* LINKTYPE_PFLOG: its own length, which does not count the padding, and a family. */
static void decode_pflog(struct capture_frame *f)
{
	uint32_t len;

	set_next(f, CAPTURE_NOT_IP, 0);
	if (f->caplen < 2)
		return;
	len = (f->bytes[0] + PFLOG_ALIGN - 1U) / PFLOG_ALIGN * PFLOG_ALIGN;
	set_next(f, family_protocol(f->bytes[1]), len);
}

static void decode_ppp(struct capture_frame *f)
{
	set_next(f, AS_ETH_P_PPP, 0);
}

/* LINKTYPE_PPP_HDLC: or Cisco's, by the address byte. */
static void decode_ppp_hdlc(struct capture_frame *f)
{
	if (f->caplen && (f->bytes[0] == 0x0f || f->bytes[0] == 0x8f))
		decode_hdlc(f);
	else
		decode_ppp(f);
}

/* LINKTYPE_PPP_WITH_DIR: one byte tells the direction. */
static void decode_ppp_with_dir(struct capture_frame *f)
{
	set_next(f, AS_ETH_P_PPP, 1);
}

/* LINKTYPE_LINUX_PPP_WITHDIRECTION (pppd): the direction stands where the address would. */
static void decode_pppd(struct capture_frame *f)
{
	bool control = f->caplen > 1 && f->bytes[1] == 3;

	set_next(f, AS_ETH_P_PPP, control ? 2 : 1);
}

static void decode_pppoe(struct capture_frame *f)
{
	set_next(f, AS_ETH_P_PPPOE, 0);
}

static void decode_llc(struct capture_frame *f)
{
	set_next(f, AS_NEXT_LLC, 0);
}

static void decode_mpls(struct capture_frame *f)
{
	set_next(f, AS_ETH_P_MPLS, 0);
}

static void decode_wlan(struct capture_frame *f)
{
	set_next(f, AS_NEXT_WLAN, 0);
}

/* LINKTYPE_IEEE802_11_RADIOTAP: version, padding, its own length. */
static void decode_radiotap(struct capture_frame *f)
{
	set_next(f, CAPTURE_NOT_IP, 0);
	if (f->caplen >= 4)
		set_next(f, AS_NEXT_WLAN, le16(f->bytes + 2));
}

/* As a frame of link type @link from byte @header_len on. */
static void decode_inner(struct capture_frame *f, uint32_t link, uint32_t header_len)
{
	struct capture_frame inner = *f;
	linktype_fn decode = NULL;

	/* These could contain themselves without end. */
	if (link <= INT32_MAX && link != DLT_PPI && link != DLT_PKTAP)
		decode = linktype_decoder((int)link);
	set_next(f, CAPTURE_NOT_IP, header_len);
	if (!decode || header_len > f->caplen)
		return;
	inner.bytes += header_len;
	inner.caplen -= header_len;
	decode(&inner);
	if (inner.ethertype == CAPTURE_ETHERNET)
		inner.ethertype = AS_ETH_P_TEB;
	set_next(f, inner.ethertype, header_len + inner.offset);
}

/* LINKTYPE_PPI: version, flags, its own length, the link type. */
static void decode_ppi(struct capture_frame *f)
{
	set_next(f, CAPTURE_NOT_IP, 0);
	if (f->caplen >= PPI_HLEN)
		decode_inner(f, le32(f->bytes + 4), le16(f->bytes + 2));
}

/* LINKTYPE_PKTAP (macOS): its own length, a type, the link type. */
static void decode_pktap(struct capture_frame *f)
{
	set_next(f, CAPTURE_NOT_IP, 0);
	if (f->caplen >= PKTAP_HLEN)
		decode_inner(f, le32(f->bytes + 8), le32(f->bytes));
}

/* LINKTYPE_NFLOG: family, version, group; then attributes, each with its length and type,
 * which libpcap has put in our byte order. */
static void decode_nflog(struct capture_frame *f)
{
	uint16_t protocol = f->caplen ? family_protocol(f->bytes[0]) : CAPTURE_NOT_IP;
	uint32_t at = NFLOG_HLEN;

	set_next(f, CAPTURE_NOT_IP, 0);
	for (int i = 0; i < NFLOG_ATTRIBUTES && at + 4 <= f->caplen; i++) {
		uint16_t len, type;

		memcpy(&len, f->bytes + at, 2);
		memcpy(&type, f->bytes + at + 2, 2);
		if (type == NFLOG_PAYLOAD) {
			set_next(f, protocol, at + 4);
			return;
		}
		if (len < 4)
			return;
		at += (len + 3U) / 4 * 4;
	}
}

linktype_fn linktype_decoder(int link)
{
	static const struct {
		int link;
		linktype_fn decode;
	} decoders[] = {
		{DLT_EN10MB, decode_ethernet},
		{DLT_LINUX_SLL, decode_sll},
		{DLT_LINUX_SLL2, decode_sll2},
		{DLT_RAW, decode_raw},
		{DLT_RAW_OPENBSD, decode_raw},
		{DLT_IPV4, decode_ipv4},
		{DLT_IPV6, decode_ipv6},
		{DLT_NULL, decode_null},
		{DLT_LOOP, decode_null},
		{DLT_ENC, decode_enc},
		{DLT_PFLOG, decode_pflog},
		{DLT_PPP, decode_ppp_hdlc},
		{DLT_PPP_SERIAL, decode_ppp_hdlc},
		{DLT_PPP_WITH_DIR, decode_ppp_with_dir},
		{DLT_PPP_PPPD, decode_pppd},
		{DLT_PPP_ETHER, decode_pppoe},
		{DLT_C_HDLC, decode_hdlc},
		{DLT_IEEE802_11, decode_wlan},
		{DLT_IEEE802_11_RADIO, decode_radiotap},
		{DLT_PPI, decode_ppi},
		{DLT_PKTAP, decode_pktap},
		{DLT_MPLS, decode_mpls},
		{DLT_ATM_RFC1483, decode_llc},
		{DLT_APPLE_IP_OVER_IEEE1394, decode_firewire},
		{DLT_IPOIB, decode_ipoib},
		{DLT_NFLOG, decode_nflog},
	};

	for (size_t i = 0; i < sizeof(decoders) / sizeof(decoders[0]); i++)
		if (decoders[i].link == link)
			return decoders[i].decode;
	return NULL;
}
