// SPDX-License-Identifier: GPL-2.0-only
/*
 * packet.c - what a packet costs in the kernel.
 *
 * usage: packet [--rounds N] [--growth] OBJECT [OBJECT]
 *
 * OBJECT is build/linked.o. Two are compared with each other (and with the empty programs): a
 * table of medians. One gives lines for section_packet.py: hook, name, ours..., empty... by tabs.
 *
 * Rows without a handshake repeat one frame. All others go by feed.bpf.c, where every connection is
 * a new one, and are checked by the records that came. Rounds alternate: empty, ours, (other),
 * empty... The agent's part is played awake: no record wakes anybody, as in a storm.
 */
#include <getopt.h>
#include <sched.h>

#include "alpnscope/flow.h"
#include "packet_growth.h"

#define INTERLEAVED 500 /* handshakes at the same time: 10 ms of 50,000 handshakes/s */

/* ---- one frame, over and over ---- */

struct single {
	const char *name;
	struct craft frame;
	uint32_t linear[HOOKS]; /* 0: all of it */
};

static struct single single[24];
static int singles;

static struct single *new_single(const char *name)
{
	single[singles].name = name;
	return &single[singles++];
}

/* A data segment of a connection on which nothing else was seen. */
static struct single *data(const char *name, int family, const char *payload, size_t len)
{
	struct craft_conn c = family == 4 ? craft_ipv4(1) : craft_ipv6(1);
	struct single *s = new_single(name);
	static uint8_t bytes[DATA_LEN];

	memset(bytes, 0xa5, sizeof(bytes));
	memcpy(bytes, payload, len);
	c.tcp_options = TIMESTAMPS;
	craft_frame(&s->frame, &c,
		    &(struct craft_segment){.from_client = true,
					    .flags = PUSH,
					    .seq = c.client_seq,
					    .ack = c.server_seq,
					    .data = bytes,
					    .len = len ? sizeof(bytes) : 0});
	return s;
}

#define TLS_DATA BYTES("\x17\x03\x03\x05\x73")

static void make_singles(void)
{
	static const uint32_t headers = AS_ETH_HLEN + AS_IPV4_HLEN + AS_TCP_HLEN + TIMESTAMPS;
	struct single *s;

	s = new_single("ARP");
	craft_put(&s->frame, "\2\0\0\0\0\2\2\0\0\0\0\1\x08\x06\0\1\x08\0\6\4\0\1", 22);
	craft_zero(&s->frame, 38);
	s = data("UDP, 1,400 B", 4, "u", 1);
	s->frame.at[AS_ETH_HLEN + 9] = AS_IPPROTO_UDP;
	data("ACK without data", 4, NULL, 0);
	data("established TLS data, 1,400 B", 4, TLS_DATA);
	s = data("established TLS data, payload not linear", 4, TLS_DATA);
	s->linear[TC] = s->linear[XDP] = headers;
	s = data("established TLS data, headers not linear either", 4, TLS_DATA);
	s->linear[TC] = s->linear[XDP] = AS_ETH_HLEN;
	data("established TLS data, 1,400 B, IPv6", 6, TLS_DATA);
	data("ACK without data, IPv6", 6, NULL, 0);
	data("plaintext, 1,400 B", 4, BYTES("HTTP/1.1 200 OK\r\n"));
	s = new_single(
		"ClientHello, 570 B, repeated"); /* the first one opens a flow, which stays */
	craft_put(&s->frame, tls12.frame[tls12.hello].bytes, tls12.frame[tls12.hello].len);
}

static void measure_single(enum hook hook, const struct single *s, struct row *r, int round)
{
	for (int turn = 0; turn < lanes; turn++) {
		int l = (turn + round) % lanes;

		r->ns[l][round] = test_run(hook, lane[l].program[hook], s->frame.at, s->frame.len,
					   s->linear[hook], REPEAT);
		r->refused |= r->ns[l][round] < 0;
	}
}

/* ---- connections, each a new one ---- */

static double sum(const double *ns, uint32_t count)
{
	double all = 0;

	for (uint32_t i = 0; i < count; i++)
		all += ns[i];
	return all;
}

/* What a sequence of frames tells: hello, answer, all frames interleaved, all one by one. */
static void measure_lane(enum hook hook, struct lane *l, const struct sequence *s, double *at[4])
{
	uint32_t begin = next_connection;
	double ns[SEQUENCE_MAX], all[SEQUENCE_MAX] = {0};

	for (uint32_t done = 0; done < CONNECTIONS; done += INTERLEAVED) {
		interleaved(hook, l, s, begin + done, INTERLEAVED, ns);
		for (uint32_t i = 0; i < s->count; i++)
			all[i] += ns[i] * INTERLEAVED / CONNECTIONS;
	}
	*at[0] = all[s->hello];
	*at[1] = all[s->answer];
	*at[2] = sum(all, s->count);
	*at[3] = one_by_one(hook, l, s, begin + CONNECTIONS, CONNECTIONS);
}

static void measure_sequence(enum hook hook, const struct sequence *s, struct row *r[4], int round)
{
	double unwanted;

	for (int turn = 0; turn < lanes; turn++) {
		int l = (turn + round) % lanes;
		double *at[4];

		for (int i = 0; i < 4; i++)
			at[i] = r[i] ? &r[i]->ns[l][round] : &unwanted;
		measure_lane(hook, &lane[l], s, at);
	}
	next_connection += 2 * CONNECTIONS;
}

static void measure_packets(enum hook hook)
{
	struct row *r[24], *connection[4][4] = {{0}};
	static const struct sequence *const all[] = {&short_hello, &tls12, &long_hello, &tls13};

	for (int i = 0; i < singles; i++)
		r[i] = new_row(hook, single[i].name);
	connection[0][0] = new_row(hook, "ClientHello, 250 B, new");
	connection[1][0] = new_row(hook, "ClientHello, 570 B, new");
	connection[2][0] = new_row(hook, "ClientHello, 1,700 B in two segments, new");
	connection[1][1] = new_row(hook, "ServerHello, TLS 1.2, ends the handshake");
	connection[3][1] = new_row(hook, "ServerHello, TLS 1.3, with its flight");
	connection[1][3] = new_row(hook, "whole handshake, TLS 1.2, 5 frames");
	connection[1][2] = new_row(hook, "whole handshake, TLS 1.2, 500 interleaved");
	connection[3][3] = new_row(hook, "whole handshake, TLS 1.3, 13 frames");
	connection[3][2] = new_row(hook, "whole handshake, TLS 1.3, 500 interleaved");
	for (int round = 0; round < rounds; round++) {
		for (int i = 0; i < singles; i++)
			measure_single(hook, &single[i], r[i], round);
		for (int i = 0; i < 4; i++)
			measure_sequence(hook, all[i], connection[i], round);
	}
}

static void prepare(char **object, uint32_t flows)
{
	lane_empty(&lane[lanes++]);
	for (; *object; object++)
		lane_load(&lane[lanes++], *object, flows);
	sequence_tls12(&tls12);
	sequence_tls13(&tls13);
	sequence_given_up(&short_hello, 250);
	sequence_given_up(&long_hello, 1700);
	feed_sequence(&tls12);
	feed_sequence(&tls13);
	feed_sequence(&short_hello);
	feed_sequence(&long_hello);
	sequence_connect(&established);
	established.count = 0;
	established.conn.client_seq += 100000; /* long after the hello */
	sequence_records(&established, true, LENGTHS(DATA_LEN - AS_REC_HLEN));
	feed_sequence(&established);
}

int main(int argc, char **argv)
{
	static const struct option option[] = {
		{"rounds", required_argument, NULL, 'r'}, {"growth", no_argument, NULL, 'g'}, {0}};
	bool growth = false;
	cpu_set_t cpu;

	for (int o; (o = getopt_long(argc, argv, "", option, NULL)) != -1;) {
		if (o == 'g')
			growth = true;
		else if (o != 'r' || (rounds = atoi(optarg)) < 1 || rounds > ROUNDS_MAX)
			die("usage: packet [--rounds 1..%d] [--growth] OBJECT [OBJECT]",
			    ROUNDS_MAX);
	}
	if (argc - optind < 1 || argc - optind > LANES_MAX - 1)
		die("one object, or two to compare: build/linked.o");
	CPU_ZERO(&cpu);
	CPU_SET(sched_getcpu(), &cpu);
	sched_setaffinity(0, sizeof(cpu), &cpu);
	libbpf_set_print(NULL);
	prepare(argv + optind, growth ? IN_FLIGHT_ROOM : AS_FLOWS_DEFAULT);
	expect_no_statistics(&lane[0]);
	if (growth) {
		measure_growth();
	} else {
		make_singles();
		measure_packets(TC);
		measure_packets(XDP);
	}
	expect_no_statistics(&lane[0]); /* nor began to */
	if (lanes == 2)
		print_lines();
	else
		print_table();
	return 0;
}
