/* SPDX-License-Identifier: GPL-2.0-only */
/* linktype.h - what a captured frame begins with, by the link type of its capture. */
#ifndef ALPNSCOPE_LINKTYPE_H
#define ALPNSCOPE_LINKTYPE_H

#include "capture.h"

/** A decoder sets @ethertype and @offset of a frame whose other fields are set. */
typedef void (*linktype_fn)(struct capture_frame *f);

/**
 * linktype_decoder - the decoder of a link type.
 * @link: libpcap's number, DLT_*
 *
 * Known are Ethernet, Linux cooked v1 and v2, raw IP, null and loop; PPP (also in HDLC
 * framing, with a direction, or behind PPPoE), Cisco HDLC; 802.11 (also behind radiotap or
 * PPI); and MPLS, RFC 1483, IP over FireWire and InfiniBand, NFLOG, PFLOG, ENC and PKTAP.
 *
 * Returns NULL when it is not known.
 */
linktype_fn linktype_decoder(int link);

#endif
