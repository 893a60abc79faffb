/* SPDX-License-Identifier: GPL-2.0-only */
/* wire.h - protocol numbers, each with the document that defines it. */
#ifndef ALPNSCOPE_WIRE_H
#define ALPNSCOPE_WIRE_H

/* Ethernet: IEEE 802.3, 802.1Q; numbers from the IANA ethertype registry. */
#define AS_ETH_HLEN 14
#define AS_ETH_P_IPV4 0x0800
#define AS_ETH_P_ARP 0x0806
#define AS_ETH_P_IPV6 0x86dd
#define AS_ETH_P_8021Q 0x8100
#define AS_ETH_P_8021AD 0x88a8
#define AS_ETH_P_QINQ 0x9100 /* service tags ahead of 802.1ad */
#define AS_ETH_P_TEB 0x6558 /* an Ethernet frame (RFC 1701) */
#define AS_ETH_P_PPP 0x880b /* PPP, RFC 1661 */
#define AS_ETH_P_MPLS 0x8847 /* RFC 3032 */
#define AS_ETH_P_MPLS_UPSTREAM 0x8848 /* RFC 5332 */
#define AS_ETH_P_PPPOE 0x8864 /* RFC 2516, session stage */
#define AS_ETH_P_ERSPAN 0x88be /* draft-foschiano-erspan-03, types I and II */
#define AS_ETH_P_ERSPAN3 0x22eb /* the same, type III */
#define AS_ETH_P_PBB 0x88e7 /* IEEE 802.1ah I-tag */
#define AS_ETH_P_VNTAG 0x8926 /* Cisco VN-Tag */
#define AS_ETH_P_ETAG 0x893f /* IEEE 802.1BR */
#define AS_ETH_P_CMD 0x8909 /* Cisco MetaData: a security group tag */
#define AS_ETH_P_NSH 0x894f /* RFC 8300 */
#define AS_ETH_TYPE_MIN 0x600 /* a smaller one is a length (IEEE 802.3 section 3.2.6) */
#define AS_VLAN_HLEN 4

/* IPv4: RFC 791. IPv6: RFC 8200. TCP: RFC 9293. */
#define AS_IPV4_HLEN 20
#define AS_IPV4_FRAG_MASK 0x3fff /* MF flag and fragment offset */
#define AS_IPV4_OFFSET_MASK 0x1fff
#define AS_IPV6_HLEN 40
#define AS_IPV6_FRAG_MASK 0xfff9 /* fragment offset and M flag, RFC 8200 section 4.5 */
#define AS_IPV6_OFFSET_MASK 0xfff8
#define AS_IPPROTO_HOP_BY_HOP 0
#define AS_IPPROTO_IPV4 4 /* RFC 2003 */
#define AS_IPPROTO_TCP 6
#define AS_IPPROTO_UDP 17
#define AS_IPPROTO_IPV6 41 /* RFC 4213 */
#define AS_IPPROTO_ROUTING 43
#define AS_IPPROTO_FRAGMENT 44
#define AS_IPPROTO_GRE 47 /* RFC 2784 */
#define AS_IPPROTO_AH 51 /* RFC 4302 */
#define AS_IPPROTO_OPTIONS 60
#define AS_IPPROTO_ETHERIP 97 /* RFC 3378 */
#define AS_IPPROTO_MPLS 137 /* RFC 4023 */
#define AS_UDP_HLEN 8
#define AS_TCP_HLEN 20
#define AS_TCP_FIN 0x01
#define AS_TCP_SYN 0x02
#define AS_TCP_RST 0x04
#define AS_TCP_ACK 0x10

/* PROXY protocol, versions 1 and 2: HAProxy's proxy-protocol.txt, sections 2.1 and 2.2. */
#define AS_PROXY1_MAX 107
#define AS_PROXY2_HLEN 16

/* Tunnels in UDP, by port: IANA "Service Name and Transport Protocol Port Number". */
#define AS_PORT_L2TP 1701 /* RFC 2661 */
#define AS_PORT_GTPU 2152 /* 3GPP TS 29.281 */
#define AS_PORT_TEREDO 3544 /* RFC 4380 */
#define AS_PORT_GRE 4754 /* RFC 8086 */
#define AS_PORT_VXLAN 4789 /* RFC 7348 */
#define AS_PORT_VXLAN_GPE 4790 /* draft-ietf-nvo3-vxlan-gpe-12 */
#define AS_PORT_CAPWAP 5247 /* RFC 5415, data */
#define AS_PORT_GENEVE 6081 /* RFC 8926 */
#define AS_PORT_MPLS 6635 /* RFC 7510 */
#define AS_PORT_VXLAN_LINUX 8472 /* what Linux and Cilium take unless told otherwise */

/* What begins at a place of a frame: an ethertype, a number that no ethertype can have, an
 * IP protocol, or the port of a tunnel in UDP. */
#define AS_NEXT_LLC 1 /* IEEE 802.2 */
#define AS_NEXT_WLAN 2 /* IEEE 802.11 */
#define AS_NEXT_GUESS 3 /* IPv4, IPv6 or Ethernet: no header says which */
#define AS_NEXT_GTP_EXTENSION 4
#define AS_NEXT_IP 0x10000 /* + protocol */
#define AS_NEXT_UDP 0x20000 /* + port */

/* TLS records: RFC 8446 section 5.1 (RFC 5246 section 6.2.1). */
#define AS_REC_HLEN 5
#define AS_REC_CHANGE_CIPHER_SPEC 20
#define AS_REC_ALERT 21
#define AS_REC_HANDSHAKE 22
#define AS_REC_APPLICATION_DATA 23
#define AS_REC_HEARTBEAT 24 /* RFC 6520 */
#define AS_REC_MAX 16384 /* 2^14, the longest plaintext fragment */

/* SSL 2.0 form of a ClientHello: RFC 5246 appendix E.2. */
#define AS_V2_HLEN 2
#define AS_V2_FIELDS 11 /* header, type, version and three lengths */
#define AS_V2_CHALLENGE_MIN 16

/* Handshake messages: RFC 8446 section 4. */
#define AS_HS_HLEN 4
#define AS_HS_CLIENT_HELLO 1
#define AS_HS_SERVER_HELLO 2
#define AS_HS_ENCRYPTED_EXTENSIONS 8
#define AS_RANDOM_LEN 32
#define AS_SESSION_ID_MAX 32

/* Versions: RFC 8446 section 4.1.2; drafts of TLS 1.3 are 0x7f00 + number. */
#define AS_SSL30 0x0300
#define AS_TLS10 0x0301
#define AS_TLS12 0x0303
#define AS_TLS13 0x0304
#define AS_TLS13_DRAFT 0x7f

/* Extensions: IANA "TLS ExtensionType Values". */
#define AS_EXT_SERVER_NAME 0 /* RFC 6066 section 3 */
#define AS_EXT_MAX_FRAGMENT_LENGTH 1
#define AS_EXT_SUPPORTED_GROUPS 10 /* RFC 8422, RFC 7919 */
#define AS_EXT_ALPN 16 /* RFC 7301 section 3.1 */
#define AS_EXT_RECORD_SIZE_LIMIT 28 /* RFC 8449 */
#define AS_EXT_SESSION_TICKET 35 /* RFC 5077 */
#define AS_EXT_PRE_SHARED_KEY 41 /* RFC 8446 section 4.2.11 */
#define AS_EXT_EARLY_DATA 42 /* RFC 8446 section 4.2.10 */
#define AS_EXT_SUPPORTED_VERSIONS 43 /* RFC 8446 section 4.2.1 */
#define AS_EXT_KEY_SHARE 51 /* RFC 8446 section 4.2.8 */
#define AS_EXT_ALPS_OLD 17513 /* application_settings, draft-vvv-tls-alps */
#define AS_EXT_ALPS 17613
#define AS_EXT_TRUST_ANCHORS 0xca34 /* draft-ietf-tls-trust-anchor-ids */
#define AS_EXT_RENEGOTIATION_INFO 0xff01 /* RFC 5746 */
#define AS_EXT_NPN 13172 /* draft-agl-tls-nextprotoneg-04 */
#define AS_EXT_ECH 0xfe0d /* RFC 9849 */
#define AS_SNI_HOST_NAME 0 /* RFC 6066 section 3 */

/* Hybrid post-quantum groups: IANA "TLS Supported Groups". */
#define AS_GROUP_P256_MLKEM768 0x11eb
#define AS_GROUP_X25519_MLKEM768 0x11ec
#define AS_GROUP_P384_MLKEM1024 0x11ed
#define AS_GROUP_X25519_KYBER768 0x6399 /* the draft that browsers shipped first */

#define AS_CIPHER_FALLBACK_SCSV 0x5600 /* RFC 7507 */

/* Alerts: RFC 8446 section 6. */
#define AS_ALERT_LEN 2
#define AS_ALERT_WARNING 1
#define AS_ALERT_FATAL 2
#define AS_ALERT_CLOSE_NOTIFY 0
#define AS_ALERT_NO_APPLICATION_PROTOCOL 120 /* RFC 7301 section 3.2 */

#endif
