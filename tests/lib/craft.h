/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * craft.h - TLS hellos and TCP frames, byte by byte, right or wrong on purpose.
 *
 * RFC 8446, RFC 5246 (TLS), RFC 7301 (ALPN), RFC 6066 (server_name), RFC 9293 (TCP),
 * RFC 791 (IPv4), RFC 8200 (IPv6). Checksums are left zero: nobody looks at them.
 */
#ifndef TESTS_CRAFT_H
#define TESTS_CRAFT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "alpnscope/wire.h"

#define CRAFT_MAX 66000

/* A string literal as bytes and their number. */
#define BYTES(s) (s), sizeof(s) - 1

/* Bytes under construction. */
struct craft {
	uint32_t len;
	uint8_t at[CRAFT_MAX];
};

static inline void craft_put(struct craft *c, const void *data, size_t len)
{
	if (len)
		memcpy(c->at + c->len, data, len);
	c->len += (uint32_t)len;
}

static inline void craft_zero(struct craft *c, size_t len)
{
	memset(c->at + c->len, 0, len);
	c->len += (uint32_t)len;
}

/* Write @value in @size bytes, network order, at @at. */
static inline void craft_number_at(struct craft *c, uint32_t at, uint64_t value, unsigned int size)
{
	for (unsigned int i = 0; i < size; i++)
		c->at[at + i] = (uint8_t)(value >> 8 * (size - 1 - i));
}

static inline void craft_number(struct craft *c, uint64_t value, unsigned int size)
{
	craft_number_at(c, c->len, value, size);
	c->len += size;
}

/* A block behind its length of @size bytes: what is put between open and close. */
static inline uint32_t craft_open(struct craft *c, unsigned int size)
{
	c->len += size;
	return c->len;
}

static inline void craft_close(struct craft *c, uint32_t start, unsigned int size)
{
	craft_number_at(c, start - size, c->len - start, size);
}

static inline void craft_vector(struct craft *c, unsigned int size, const void *data, size_t len)
{
	craft_number(c, len, size);
	craft_put(c, data, len);
}

/* ---- TLS ---- */

/* A random that no other @number gives. */
static inline const uint8_t *craft_random(uint32_t number)
{
	static uint8_t random[4][AS_RANDOM_LEN];
	static unsigned int turn;
	uint8_t *r = random[turn++ % 4];

	for (int i = 0; i < AS_RANDOM_LEN; i++)
		r[i] = (uint8_t)(0x40 + i);
	for (int i = 0; i < 4; i++)
		r[1 + i] = (uint8_t)(number >> 8 * i);
	return r;
}

/* The random of a HelloRetryRequest: RFC 8446 section 4.1.3. */
static const uint8_t craft_retry[AS_RANDOM_LEN] = {0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11,
						   0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
						   0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e,
						   0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c};

static inline void craft_ext(struct craft *x, uint16_t type, const void *body, size_t len)
{
	craft_number(x, type, 2);
	craft_vector(x, 2, body, len);
}

/* server_name with one name; RFC 6066 section 3. */
static inline void craft_sni(struct craft *x, const void *name, size_t len)
{
	uint32_t ext, list;

	craft_number(x, AS_EXT_SERVER_NAME, 2);
	ext = craft_open(x, 2);
	list = craft_open(x, 2);
	craft_number(x, AS_SNI_HOST_NAME, 1);
	craft_vector(x, 2, name, len);
	craft_close(x, list, 2);
	craft_close(x, ext, 2);
}

/* ALPN around the inside of its list, "\x02h2" say; RFC 7301 section 3.1. */
static inline void craft_alpn(struct craft *x, const void *inside, size_t len)
{
	uint32_t ext;

	craft_number(x, AS_EXT_ALPN, 2);
	ext = craft_open(x, 2);
	craft_vector(x, 2, inside, len);
	craft_close(x, ext, 2);
}

/* supported_versions as a client sends it, of @len bytes of versions. */
static inline void craft_versions(struct craft *x, const void *versions, size_t len)
{
	uint32_t ext;

	craft_number(x, AS_EXT_SUPPORTED_VERSIONS, 2);
	ext = craft_open(x, 2);
	craft_vector(x, 1, versions, len);
	craft_close(x, ext, 2);
}

/* One more entry of a client's key_share: a key of @len zeros (RFC 8446 section 4.2.8). */
static inline void craft_share(struct craft *entries, uint16_t group, size_t len)
{
	craft_number(entries, group, 2);
	craft_number(entries, len, 2);
	craft_zero(entries, len);
}

static inline void craft_shares(struct craft *x, const struct craft *entries)
{
	uint32_t ext;

	craft_number(x, AS_EXT_KEY_SHARE, 2);
	ext = craft_open(x, 2);
	craft_vector(x, 2, entries->at, entries->len);
	craft_close(x, ext, 2);
}

/* The fields of a hello; what is zero gets a usual value, `ext` NULL leaves the block out. */
struct craft_hello {
	const uint8_t *random;
	uint16_t version;
	uint16_t cipher; /* the server's */
	const void *session_id;
	uint32_t session_id_len;
	const void *ciphers; /* the client's, in bytes */
	uint32_t ciphers_len;
	const struct craft *ext;
};

/* The body of a ClientHello, RFC 8446 section 4.1.2. */
static inline void craft_client_body(struct craft *c, const struct craft_hello *h)
{
	craft_number(c, h->version ? h->version : AS_TLS12, 2);
	craft_put(c, h->random, AS_RANDOM_LEN);
	craft_vector(c, 1, h->session_id, h->session_id_len);
	if (h->ciphers)
		craft_vector(c, 2, h->ciphers, h->ciphers_len);
	else
		craft_vector(c, 2, "\x13\x01\xc0\x2b", 4);
	craft_vector(c, 1, "\0", 1);
	if (h->ext)
		craft_vector(c, 2, h->ext->at, h->ext->len);
}

/* The body of a ServerHello, RFC 8446 section 4.1.3. */
static inline void craft_server_body(struct craft *c, const struct craft_hello *h)
{
	craft_number(c, h->version ? h->version : AS_TLS12, 2);
	craft_put(c, h->random, AS_RANDOM_LEN);
	craft_vector(c, 1, h->session_id, h->session_id_len);
	craft_number(c, h->cipher ? h->cipher : 0xc02b, 2);
	craft_number(c, 0, 1);
	if (h->ext)
		craft_vector(c, 2, h->ext->at, h->ext->len);
}

/* One record with one handshake message. */
static inline void craft_message(struct craft *c, uint8_t type, const void *body, size_t len)
{
	uint32_t record;

	craft_number(c, AS_REC_HANDSHAKE, 1);
	craft_number(c, AS_TLS10, 2);
	record = craft_open(c, 2);
	craft_number(c, type, 1);
	craft_vector(c, 3, body, len);
	craft_close(c, record, 2);
}

static inline void craft_client_hello(struct craft *c, const struct craft_hello *h)
{
	static struct craft body;

	body.len = 0;
	craft_client_body(&body, h);
	craft_message(c, AS_HS_CLIENT_HELLO, body.at, body.len);
}

static inline void craft_server_hello(struct craft *c, const struct craft_hello *h)
{
	static struct craft body;

	body.len = 0;
	craft_server_body(&body, h);
	craft_message(c, AS_HS_SERVER_HELLO, body.at, body.len);
}

static inline void craft_alert(struct craft *c, uint8_t level, uint8_t description)
{
	craft_put(c, "\x15\x03\x03\x00\x02", 5);
	craft_number(c, level, 1);
	craft_number(c, description, 1);
}

/* ---- frames ---- */

/**
 * struct craft_conn - a TCP connection.
 * @client_seq, @server_seq: what comes next on each side
 * @tag: ethertype of a VLAN tag, 0 for none
 * @ip_options, @tcp_options: bytes of options, a multiple of 4
 * @trailer: bytes behind the IP packet
 * @bare: no Ethernet header
 */
struct craft_conn {
	int family;
	uint8_t client[16];
	uint8_t server[16];
	uint16_t client_port;
	uint16_t server_port;
	uint32_t client_seq;
	uint32_t server_seq;
	uint16_t tag;
	uint8_t ip_options;
	uint8_t tcp_options;
	uint32_t trailer;
	bool bare;
};

/* A segment as it is to be built. */
struct craft_segment {
	bool from_client;
	uint8_t flags;
	uint32_t seq;
	uint32_t ack;
	const void *data;
	size_t len;
};

/* Connection @number of 10.0.x.x to 192.0.2.1:443: each has an address of its own. */
static inline struct craft_conn craft_ipv4(uint32_t number)
{
	struct craft_conn c = {.family = 4, .client_port = 40000, .server_port = 443};

	memcpy(c.client, "\x0a\0\0\0", 4);
	c.client[1] = (uint8_t)(number >> 16);
	c.client[2] = (uint8_t)(number >> 8);
	c.client[3] = (uint8_t)number;
	memcpy(c.server, "\xc0\0\x02\x01", 4);
	c.client_seq = 0x10000000 + number;
	c.server_seq = 0x50000000 + number;
	return c;
}

/* Connection @number of 2001:db8::x to 2001:db8:ffff::1 port 443. */
static inline struct craft_conn craft_ipv6(uint32_t number)
{
	struct craft_conn c = craft_ipv4(number);

	c.family = 6;
	memset(c.client, 0, 16);
	memcpy(c.client, "\x20\x01\x0d\xb8", 4);
	memcpy(c.server, c.client, 16);
	c.server[4] = c.server[5] = 0xff;
	c.server[15] = 1;
	for (int i = 0; i < 4; i++)
		c.client[15 - i] = (uint8_t)(number >> 8 * i);
	return c;
}

static inline void craft_ip_header(struct craft *f, const struct craft_conn *c,
				   const struct craft_segment *s)
{
	const uint8_t *from = s->from_client ? c->client : c->server;
	const uint8_t *to = s->from_client ? c->server : c->client;
	uint32_t tcp = AS_TCP_HLEN + c->tcp_options + (uint32_t)s->len;

	if (c->family == 4) {
		craft_number(f, 0x40 | (AS_IPV4_HLEN + c->ip_options) / 4, 1);
		craft_number(f, 0, 1);
		craft_number(f, AS_IPV4_HLEN + c->ip_options + tcp, 2);
		craft_number(f, 0x4000, 4); /* id 0, do not fragment */
		craft_put(f, "\x40\x06\0\0", 4);
		craft_put(f, from, 4);
		craft_put(f, to, 4);
		memset(f->at + f->len, 1, c->ip_options); /* no operation */
		f->len += c->ip_options;
	} else {
		craft_number(f, 6U << 28, 4);
		craft_number(f, tcp, 2);
		craft_put(f, "\x06\x40", 2);
		craft_put(f, from, 16);
		craft_put(f, to, 16);
	}
}

/* Put the frame of one segment into @f, which it replaces. */
static inline void craft_frame(struct craft *f, const struct craft_conn *c,
			       const struct craft_segment *s)
{
	f->len = 0;
	if (!c->bare) {
		craft_put(f, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
		if (c->tag) {
			craft_number(f, c->tag, 2);
			craft_number(f, 42, 2);
		}
		craft_number(f, c->family == 4 ? AS_ETH_P_IPV4 : AS_ETH_P_IPV6, 2);
	}
	craft_ip_header(f, c, s);
	craft_number(f, s->from_client ? c->client_port : c->server_port, 2);
	craft_number(f, s->from_client ? c->server_port : c->client_port, 2);
	craft_number(f, s->seq, 4);
	craft_number(f, s->ack, 4);
	craft_number(f, (AS_TCP_HLEN + c->tcp_options) / 4 << 4, 1);
	craft_number(f, s->flags, 1);
	craft_put(f, "\xff\xff\0\0\0\0", 6);
	memset(f->at + f->len, 1, c->tcp_options);
	f->len += c->tcp_options;
	craft_put(f, s->data, s->len);
	/* What looks like a hello must not be taken for one. */
	memset(f->at + f->len, 0x16, c->trailer);
	f->len += c->trailer;
}

#endif
