// SPDX-License-Identifier: GPL-2.0-only
/*
 * mkcapture - a capture as it is taken at a TLS server, the same in every run.
 *
 * usage: mkcapture FILE PACKETS
 *
 * Writes FILE (pcap, Ethernet, microseconds) of exactly PACKETS packets and prints as one line of
 * JSON what is in it. OPEN connections are busy at any time; one that closes is followed by a
 * new one. Each: TCP's handshake, TLS's, 1 to 32 requests with their answers, FIN. The first
 * ones began before the capture, but for one in ten. Of the new ones 45 % are TLS 1.3 with a
 * post-quantum key share (the hello takes two segments), 27 % TLS 1.3 without, 18 % TLS 1.2,
 * 10 % are HTTP in clear. One packet in 17 is UDP: QUIC under way, and DNS. One data segment in
 * 300 is sent twice, out of the handshake.
 */
#include "mkcapture.h"

#include <stdlib.h>

#define OPEN 512
#define SEGMENT 1448 /* 1500 - IPv4, TCP and its timestamps */
#define SEGMENT6 1428
#define RECORD (AS_REC_HLEN + AS_REC_MAX) /* a record of a long answer */
#define GAP_US 50 /* packets come every 25 us */

enum phase { SYN, SYN_ACK, ACK, HELLO, FLIGHT, FINISH, LAST, REQUEST, ANSWER, FIN, FIN_BACK, GONE };

/**
 * struct conn - a connection.
 * @data: what is being sent, @at of @len bytes of it so far; behind @data.len random bytes, in
 *        records unless it is @kind PLAIN
 * @full: full-size segments since the last ACK
 */
struct conn {
	struct craft_conn tcp;
	enum kind kind;
	enum phase phase;
	uint32_t number, left;
	bool from_client, ack_due;
	uint32_t at, len, full;
	struct craft data;
};

static struct {
	uint64_t packets, bytes, hellos, answers, split, tls13, tls12, handshake, data, acks, plain,
		udp, full;
} sum;

static struct conn conns[OPEN];
static uint32_t begun;
static uint64_t now_us = 1700000000000000ULL, wanted;
static FILE *file;

static void put_packet(const struct craft *f)
{
	uint32_t head[4];

	if (sum.packets == wanted)
		return;
	now_us += 1 + chance(GAP_US - 1);
	head[0] = (uint32_t)(now_us / 1000000);
	head[1] = (uint32_t)(now_us % 1000000);
	head[2] = head[3] = f->len;
	fwrite(head, sizeof(head), 1, file);
	fwrite(f->at, f->len, 1, file);
	sum.packets++;
	sum.bytes += f->len;
}

static void put_segment(struct conn *c, bool from_client, uint8_t flags, const uint8_t *data,
			uint32_t len)
{
	static struct craft f;
	uint32_t *seq = from_client ? &c->tcp.client_seq : &c->tcp.server_seq;
	const struct craft_segment s = {.from_client = from_client,
					.flags = flags,
					.seq = *seq,
					.ack = from_client ? c->tcp.server_seq : c->tcp.client_seq,
					.data = data,
					.len = len};

	craft_frame(&f, &c->tcp, &s);
	put_packet(&f);
	*seq += len + !!(flags & (AS_TCP_SYN | AS_TCP_FIN));
	if (len && c->phase >= REQUEST && !chance(300))
		put_packet(&f);
}

/* ---- what is not TCP ---- */

static void put_udp_frame(uint16_t from, uint16_t to, const uint8_t *data, uint32_t len)
{
	static const uint8_t client[] = {10, 99, 0, 1}, server[] = {192, 0, 2, 1};
	static struct craft f;

	f.len = 0;
	craft_put(&f, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\0\x45\0", 16);
	craft_number(&f, AS_IPV4_HLEN + AS_UDP_HLEN + len, 2);
	craft_put(&f, "\0\0\x40\0\x40\x11\0\0", 8);
	craft_put(&f, from == 443 ? server : client, 4);
	craft_put(&f, from == 443 ? client : server, 4);
	craft_number(&f, from, 2);
	craft_number(&f, to, 2);
	craft_number(&f, AS_UDP_HLEN + len, 2);
	craft_number(&f, 0, 2);
	craft_put(&f, data, len);
	put_packet(&f);
	sum.udp++;
}

static void put_udp(void)
{
	static const char question[] = "\1\0\0\1\0\0\0\0\0\0\3www\7example\3org\0\0\1\0\1";
	uint16_t port = (uint16_t)(33000 + chance(2000));
	uint8_t data[1300];

	memcpy(data, random_bytes(sizeof(data)), sizeof(data));
	if (!chance(3)) {
		memcpy(data + 2, question, sizeof(question) - 1);
		put_udp_frame(port, 53, data, 2 + sizeof(question) - 1);
		return;
	}
	data[0] = 0x40 | (data[0] & 0x3f); /* a short header, RFC 9000 section 17.3 */
	if (chance(3))
		put_udp_frame(443, port, data, 1200 + chance(50));
	else
		put_udp_frame(port, 443, data, 30 + chance(50));
}

/* ---- what is sent next ---- */

static uint32_t answer_size(void)
{
	uint32_t of = chance(100);

	if (of < 60)
		return 100 + chance(1300);
	if (of < 90)
		return 1400 + chance(4600);
	return of < 99 ? 6000 + chance(18000) : 24000 + chance(76000);
}

/* @len bytes to be sent, of which c->data holds the first. */
static void say(struct conn *c, bool from_client, uint32_t len)
{
	c->from_client = from_client;
	c->at = 0;
	c->len = len;
	c->full = 0;
}

static void say_exchange(struct conn *c)
{
	bool request = c->phase == REQUEST;
	uint32_t len = request ? 60 + chance(600) : answer_size();
	char text[128];

	c->data.len = 0;
	if (c->kind == PLAIN) {
		snprintf(text, sizeof(text),
			 request ? "GET /%u HTTP/1.1\r\nHost: www.example.org\r\n\r\n"
				 : "HTTP/1.1 200 OK\r\nContent-Type: image/png\r\n"
				   "Content-Length: %u\r\n\r\n",
			 len);
		craft_put(&c->data, text, strlen(text));
		len = request ? c->data.len : len + c->data.len;
	}
	say(c, request, len);
}

static void say_handshake(struct conn *c)
{
	c->data.len = 0;
	if (c->phase == HELLO)
		put_client_hello(&c->data, c->kind, c->number);
	else if (c->phase == FLIGHT && c->kind == TLS12)
		put_flight12(&c->data, c->number);
	else if (c->phase == FLIGHT)
		put_flight13(&c->data, c->kind, c->number);
	else if (c->phase == FINISH)
		put_finish(&c->data, c->kind);
	else
		put_last(&c->data, c->kind);
	say(c, c->phase == HELLO || c->phase == FINISH, c->data.len);
}

/* The headers of the records, as far as they are among the bytes from @at on. */
static void put_record_headers(const struct conn *c, uint8_t *bytes, uint32_t at, uint32_t len)
{
	for (uint32_t record = at / RECORD * RECORD; record < at + len; record += RECORD) {
		uint32_t body = (c->len - record < RECORD ? c->len - record : RECORD) - AS_REC_HLEN;
		uint8_t head[AS_REC_HLEN] = {0x17, 3, 3, (uint8_t)(body >> 8), (uint8_t)body};

		for (uint32_t i = 0; i < AS_REC_HLEN; i++)
			if (record + i >= at && record + i < at + len)
				bytes[record + i - at] = head[i];
	}
}

static void note(const struct conn *c, uint32_t len)
{
	bool whole = c->at == c->len && sum.packets < wanted;

	if (c->kind == PLAIN)
		sum.plain++;
	else if (c->phase < REQUEST && !(c->phase == LAST && c->kind != TLS12))
		sum.handshake++;
	else
		sum.data++;
	sum.full += len >= SEGMENT6;
	if (c->phase == HELLO && whole) {
		sum.hellos++;
		sum.split += len < c->len;
		*(c->kind == TLS12 ? &sum.tls12 : &sum.tls13) += 1;
	}
	sum.answers += c->phase == FLIGHT && c->at == len; /* the ServerHello is in the first */
}

static void send_data(struct conn *c)
{
	uint32_t most = c->tcp.family == 4 ? SEGMENT : SEGMENT6;
	uint32_t len = c->len - c->at < most ? c->len - c->at : most, have = 0;
	uint8_t bytes[SEGMENT];

	memcpy(bytes, random_bytes(len), len);
	if (c->at < c->data.len) {
		have = c->data.len - c->at < len ? c->data.len - c->at : len;
		memcpy(bytes, c->data.at + c->at, have);
	} else if (c->kind != PLAIN) {
		put_record_headers(c, bytes, c->at, len);
	}
	c->at += len;
	note(c, len);
	put_segment(c, c->from_client, AS_TCP_ACK | (c->at == c->len ? 8 : 0), bytes, len);
	c->ack_due = len == most && ++c->full % 2 == 0 && c->at < c->len;
}

static void send_control(struct conn *c)
{
	static const uint8_t flags[] = {[SYN] = AS_TCP_SYN,
					[SYN_ACK] = AS_TCP_SYN | AS_TCP_ACK,
					[ACK] = AS_TCP_ACK,
					[FIN] = AS_TCP_FIN | AS_TCP_ACK,
					[FIN_BACK] = AS_TCP_FIN | AS_TCP_ACK,
					[GONE] = AS_TCP_ACK};

	put_segment(c, c->phase != SYN_ACK && c->phase != FIN_BACK, flags[c->phase], NULL, 0);
}

/* ---- connections ---- */

static void begin(struct conn *c, bool established)
{
	uint32_t of = chance(100), client = chance(60000);

	c->number = begun++;
	c->tcp = chance(4) ? craft_ipv4(client) : craft_ipv6(client);
	c->tcp.tcp_options = 12;
	c->kind = of < 45 ? TLS13_PQ : of < 72 ? TLS13 : of < 90 ? TLS12 : PLAIN;
	c->tcp.client_port = (uint16_t)(32768 + c->number % 28000);
	c->tcp.server_port = c->kind == PLAIN ? 80 : 443;
	c->tcp.client_seq = chance(UINT32_MAX);
	c->tcp.server_seq = chance(UINT32_MAX);
	c->left = 1 + chance(32);
	c->phase = established ? REQUEST : SYN;
	c->ack_due = false;
	c->at = c->len = 0;
	if (established)
		say_exchange(c);
}

/* One phase is over: begin what comes next. */
static void go_on(struct conn *c)
{
	if (c->phase == ANSWER && --c->left)
		c->phase = REQUEST;
	else if (c->phase == ACK && c->kind == PLAIN)
		c->phase = REQUEST;
	else
		c->phase++;
	if (c->phase > GONE)
		begin(c, false);
	else if (c->phase == REQUEST || c->phase == ANSWER)
		say_exchange(c);
	else if (c->phase >= HELLO && c->phase <= LAST)
		say_handshake(c);
}

/* One packet of it. */
static void step(struct conn *c)
{
	if (c->ack_due) {
		put_segment(c, !c->from_client, AS_TCP_ACK, NULL, 0);
		sum.acks++;
		c->ack_due = false;
		return;
	}
	if (c->at < c->len)
		send_data(c);
	else
		send_control(c);
	if (c->at == c->len && !c->ack_due)
		go_on(c);
}

static int run(const char *path)
{
	const uint32_t head[] = {0xa1b2c3d4, 4U << 16 | 2, 0, 0, 262144, 1};

	file = fopen(path, "wb");
	if (!file)
		return -1;
	setvbuf(file, NULL, _IOFBF, 1 << 20);
	fwrite(head, sizeof(head), 1, file);
	fill_pool();
	for (uint32_t i = 0; i < OPEN; i++)
		begin(&conns[i], i % 10 != 0);
	while (sum.packets < wanted) {
		if (chance(17))
			step(&conns[chance(OPEN)]);
		else
			put_udp();
	}
	return ferror(file) | fclose(file);
}

int main(int argc, char **argv)
{
	wanted = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
	if (!wanted) {
		fprintf(stderr, "usage: mkcapture FILE PACKETS\n");
		return 2;
	}
	if (run(argv[1])) {
		perror(argv[1]);
		return 1;
	}
#define SHOW(field) printf("\"" #field "\": %llu, ", (unsigned long long)sum.field)
	printf("{");
	SHOW(packets);
	SHOW(hellos);
	SHOW(answers);
	SHOW(split);
	SHOW(tls13);
	SHOW(tls12);
	SHOW(handshake);
	SHOW(data);
	SHOW(acks);
	SHOW(plain);
	SHOW(udp);
	SHOW(full);
	printf("\"bytes\": %llu}\n", (unsigned long long)sum.bytes);
	return 0;
}
