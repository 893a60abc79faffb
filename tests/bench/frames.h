/* SPDX-License-Identifier: GPL-2.0-only */
/* frames.h - the frames that packet.c measures: single ones, and connections from SYN to the
 * packet that ends the handshake. */
#ifndef BENCH_FRAMES_H
#define BENCH_FRAMES_H

#include <stdlib.h>

#include "craft.h"
#include "feed.h"

#define SEQUENCE_MAX 16
#define BENCH_OFFER "\x02h2\x08http/1.1"
#define DATA_LEN 1400
#define PUSH (AS_TCP_ACK | 8)
#define TIMESTAMPS 12 /* bytes of TCP options, as nearly every segment has */

/**
 * struct sequence - one connection's frames.
 * @first: the number of its first frame in the feed
 * @hello, @answer: which frame the ClientHello begins in, and the ServerHello (0: none)
 */
struct sequence {
	uint32_t first;
	uint32_t count;
	uint32_t hello;
	uint32_t hello_segments;
	uint32_t answer;
	struct feed_frame frame[SEQUENCE_MAX];
	struct craft_conn conn;
};

/* A segment at the sender's next sequence number, which moves on. */
static inline void sequence_send(struct sequence *s, bool from_client, uint8_t flags,
				 const void *data, size_t len)
{
	uint32_t *here = from_client ? &s->conn.client_seq : &s->conn.server_seq;
	struct feed_frame *f = &s->frame[s->count++];
	static struct craft frame;

	craft_frame(&frame, &s->conn,
		    &(struct craft_segment){.from_client = from_client,
					    .flags = flags,
					    .seq = *here,
					    .ack = from_client ? s->conn.server_seq
							       : s->conn.client_seq,
					    .data = data,
					    .len = len});
	*here += (uint32_t)len + (flags & (AS_TCP_SYN | AS_TCP_FIN) ? 1 : 0);
	if (frame.len > FEED_BYTES || s->count > SEQUENCE_MAX)
		abort();
	memset(f, 0, sizeof(*f));
	memcpy(f->bytes, frame.at, frame.len);
	f->len = frame.len;
	f->address = AS_ETH_HLEN + (from_client ? 12 : 16);
}

/* The same with a hello in front, whose random each connection has of its own. */
static inline void sequence_hello(struct sequence *s, bool from_client, const void *data,
				  size_t len)
{
	struct feed_frame *f = &s->frame[s->count];

	sequence_send(s, from_client, PUSH, data, len);
	f->random = f->len - (uint32_t)len + AS_REC_HLEN + AS_HS_HLEN + 2 + 1;
}

static inline void sequence_connect(struct sequence *s)
{
	s->count = 0;
	s->conn = craft_ipv4(0);
	s->conn.tcp_options = TIMESTAMPS;
	sequence_send(s, true, AS_TCP_SYN, NULL, 0);
	sequence_send(s, false, AS_TCP_SYN | AS_TCP_ACK, NULL, 0);
	sequence_send(s, true, AS_TCP_ACK, NULL, 0);
}

/* A ClientHello for a.example with h2 and http/1.1, @len bytes with its record header; from
 * 1,400 on with a post-quantum key share, as browsers send it. */
static inline const struct craft *make_hello(uint32_t len)
{
	static struct craft hello, ext, shares, empty;
	uint32_t padding = 0;

	for (int turn = 0; turn < 2; turn++) {
		hello.len = ext.len = shares.len = 0;
		craft_sni(&ext, BYTES("a.example"));
		craft_alpn(&ext, BYTES(BENCH_OFFER));
		craft_versions(&ext, BYTES("\x03\x04\x03\x03"));
		if (len > DATA_LEN)
			craft_share(&shares, 0x11ec, 1216); /* X25519MLKEM768 */
		craft_share(&shares, 0x001d, 32);
		craft_shares(&ext, &shares);
		craft_ext(&ext, 21, empty.at, padding); /* RFC 7685 */
		craft_client_hello(&hello, &(struct craft_hello){.random = craft_random(0),
								 .session_id = empty.at,
								 .session_id_len = 32,
								 .ext = &ext});
		if (!turn && hello.len > len)
			abort();
		padding = len - hello.len;
	}
	return &hello;
}

/* A ServerHello of TLS 1.2 that chooses h2. */
static inline const struct craft *make_answer(void)
{
	static struct craft hello, ext;

	hello.len = ext.len = 0;
	craft_ext(&ext, 0xff01, "", 1); /* renegotiation_info */
	craft_alpn(&ext, BYTES("\x02h2"));
	craft_server_hello(&hello, &(struct craft_hello){.random = craft_random(1), .ext = &ext});
	return &hello;
}

static inline void put_records(struct craft *c, uint8_t type, const uint16_t *len)
{
	for (; *len; len++) {
		craft_number(c, type, 1);
		craft_number(c, AS_TLS12, 2);
		craft_number(c, *len, 2);
		memset(c->at + c->len, type == 20 ? 1 : 0xa5, *len);
		c->len += *len;
	}
}

#define LENGTHS(...) ((const uint16_t[]){__VA_ARGS__, 0})

/* A server's first flight of TLS 1.3 with a small certificate, in one
 * segment: ServerHello, ChangeCipherSpec, EncryptedExtensions, Certificate, CertificateVerify,
 * Finished. */
static inline const struct craft *make_flight(void)
{
	static struct craft out, ext, empty;

	out.len = ext.len = 0;
	craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, "\x03\x04", 2);
	craft_number(&ext, AS_EXT_KEY_SHARE, 2);
	craft_number(&ext, 36, 2);
	craft_share(&ext, 0x001d, 32);
	craft_server_hello(&out, &(struct craft_hello){.random = craft_random(1),
						       .session_id = empty.at,
						       .session_id_len = 32,
						       .cipher = 0x1301,
						       .ext = &ext});
	put_records(&out, 20, LENGTHS(1));
	put_records(&out, 23, LENGTHS(32, 700, 281, 53));
	return &out;
}

/* Encrypted records in one segment. */
static inline void sequence_records(struct sequence *s, bool from_client, const uint16_t *len)
{
	static struct craft out;

	out.len = 0;
	put_records(&out, 23, len);
	sequence_send(s, from_client, PUSH, out.at, out.len);
}

/* SYN, SYN and ACK, ACK, ClientHello of @hello bytes. */
static inline void sequence_open(struct sequence *s, uint32_t hello)
{
	const struct craft *h = make_hello(hello);

	sequence_connect(s);
	s->hello = s->count;
	s->hello_segments = h->len > DATA_LEN ? 2 : 1;
	if (s->hello_segments == 2) {
		sequence_hello(s, true, h->at, 1388);
		sequence_send(s, true, PUSH, h->at + 1388, h->len - 1388);
	} else {
		sequence_hello(s, true, h->at, h->len);
	}
}

/* 5 frames: a ClientHello of 570 bytes, a ServerHello of TLS 1.2. */
static inline void sequence_tls12(struct sequence *s)
{
	const struct craft *answer = make_answer();

	sequence_open(s, 570);
	s->answer = s->count;
	sequence_hello(s, false, answer->at, answer->len);
}

/* 13 frames: a ClientHello of 570 bytes, the server's flight of TLS 1.3, the client's Finished,
 * an opening of HTTP/2; the handshake's record is made at the client's sixth. */
static inline void sequence_tls13(struct sequence *s)
{
	const struct craft *flight = make_flight();
	static struct craft out;

	sequence_open(s, 570);
	s->answer = s->count;
	sequence_hello(s, false, flight->at, flight->len);
	out.len = 0;
	put_records(&out, 20, LENGTHS(1)); /* ChangeCipherSpec */
	put_records(&out, 23, LENGTHS(53)); /* Finished */
	sequence_send(s, true, PUSH, out.at, out.len);
	sequence_records(s, true, LENGTHS(81)); /* preface, SETTINGS, WINDOW_UPDATE */
	sequence_records(s, false, LENGTHS(250, 250, 50)); /* tickets, SETTINGS */
	sequence_records(s, true, LENGTHS(120)); /* HEADERS */
	sequence_records(s, true, LENGTHS(26)); /* SETTINGS with ACK */
	sequence_records(s, false, LENGTHS(26, 500)); /* the same; an answer */
	sequence_records(s, true, LENGTHS(90));
	sequence_records(s, true, LENGTHS(90));
}

/* A ClientHello of @hello bytes, and the client goes. */
static inline void sequence_given_up(struct sequence *s, uint32_t hello)
{
	sequence_open(s, hello);
	s->answer = 0;
	sequence_send(s, true, AS_TCP_RST | AS_TCP_ACK, NULL, 0);
}

#endif
