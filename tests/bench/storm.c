// SPDX-License-Identifier: GPL-2.0-only
/*
 * storm.c - handshakes for a running agent, at a rate, on the device that it observes with
 * `--hook xdp`: by BPF_PROG_TEST_RUN of storm.bpf.c, which calls the agent's program.
 *
 * usage: build/bench/storm DEVICE RATE SECONDS (handshakes per second; 0: as fast as it goes)
 *
 * Half of them are TLS 1.2 (SYN to ServerHello, 5 frames), half TLS 1.3 (SYN to six records of the
 * client behind its Finished, 6 frames); half ask for h2 and get it. Prints a JSON object.
 */
#include <errno.h>
#include <limits.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "craft.h"
#include "bench/storm.skel.h"
#include "storm.h"

#define SECOND 1000000000ULL

static struct craft ext, share, out, frame;

static uint64_t clock_ns(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* ---- the handshakes ---- */

static void client_hello(bool tls13, bool alpn)
{
	ext.len = share.len = out.len = 0;
	craft_sni(&ext, BYTES("www.example.org"));
	craft_ext(&ext, 10, BYTES("\0\x06\0\x1d\0\x17\0\x18")); /* supported_groups */
	if (alpn)
		craft_alpn(&ext, BYTES("\x02h2\x08http/1.1"));
	if (tls13) {
		craft_versions(&ext, BYTES("\x03\x04\x03\x03"));
		craft_share(&share, 0x001d, 32);
		craft_shares(&ext, &share);
	}
	craft_ext(&ext, 21, frame.at, 250); /* padding, RFC 7685 */
	craft_client_hello(&out, &(struct craft_hello){.random = craft_random(1), .ext = &ext});
}

/* A record whose content is encrypted. */
static void put_record(uint32_t len)
{
	craft_put(&out, "\x17\x03\x03", 3);
	craft_number(&out, len, 2);
	craft_zero(&out, len);
}

static void put_ccs(void)
{
	craft_put(&out, "\x14\x03\x03\0\1\1", 6);
}

/* With the flight of TLS 1.3: EncryptedExtensions of @extensions bytes, Certificate,
 * CertificateVerify, Finished (RFC 8446 section 4). */
static void server_hello(bool tls13, const char *chosen, uint32_t extensions)
{
	ext.len = out.len = 0;
	if (chosen)
		craft_alpn(&ext, chosen, strlen(chosen));
	if (tls13) {
		craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, "\x03\x04", 2);
		craft_ext(&ext, AS_EXT_KEY_SHARE, BYTES("\x00\x1d\0\1x"));
	}
	craft_server_hello(&out, &(struct craft_hello){.random = craft_random(2),
						       .cipher = tls13 ? 0x1301 : 0xc02b,
						       .ext = &ext});
	if (!tls13)
		return;
	put_ccs();
	put_record(4 + 2 + extensions + 17);
	put_record(700);
	put_record(281);
	put_record(4 + 32 + 17);
}

/* Finished, and what the client goes on with. */
static void client_records(void)
{
	out.len = 0;
	put_ccs();
	put_record(4 + 32 + 17);
	for (int i = 0; i < 6; i++)
		put_record(40 + 7 * (uint32_t)i);
}

/* ---- as frames ---- */

/* What is built up. */
struct storm_plan {
	struct storm_frame frame[STORM_KINDS][STORM_STEPS];
	uint32_t steps[STORM_KINDS];
	struct craft_conn conn;
};

/* The next frame of @kind, around @out; @random: it begins with a hello. */
static void add(struct storm_plan *p, int kind, bool from_client, uint8_t flags, bool random)
{
	struct storm_frame *f = &p->frame[kind][p->steps[kind]++];
	struct craft_segment s = {.from_client = from_client,
				  .flags = flags,
				  .seq = from_client ? p->conn.client_seq : p->conn.server_seq,
				  .ack = from_client ? p->conn.server_seq : p->conn.client_seq,
				  .data = out.at,
				  .len = out.len};
	uint32_t next = out.len + !!(flags & AS_TCP_SYN);

	if (flags == AS_TCP_SYN)
		s.ack = 0;
	craft_frame(&frame, &p->conn, &s);
	if (frame.len > STORM_FRAME)
		abort();
	f->len = frame.len;
	f->from_client = from_client;
	/* behind the headers of record and message, and the version */
	f->random_at = random ? frame.len - out.len + 5 + 4 + 2 : 0;
	memcpy(f->bytes, frame.at, frame.len);
	if (from_client)
		p->conn.client_seq += next;
	else
		p->conn.server_seq += next;
	out.len = 0;
}

/* Odd kinds are TLS 1.3. */
static void plan(struct storm_plan *p, int kind)
{
	bool tls13 = kind & 1, h2 = kind < 2;

	p->conn = craft_ipv4(0);
	p->conn.server_port = h2 ? 443 : 8443;
	out.len = 0;
	add(p, kind, true, AS_TCP_SYN, false);
	add(p, kind, false, AS_TCP_SYN | AS_TCP_ACK, false);
	add(p, kind, true, AS_TCP_ACK, false);
	client_hello(tls13, h2 || !tls13);
	add(p, kind, true, AS_TCP_ACK, true);
	/* server_name is acknowledged; ALPN of h2 takes 9 bytes */
	server_hello(tls13, tls13 ? NULL : h2 ? "\x02h2" : "\x08http/1.1", h2 ? 4 + 9 : 4);
	add(p, kind, false, AS_TCP_ACK, true);
	if (!tls13)
		return;
	client_records();
	add(p, kind, true, AS_TCP_ACK, false);
}

/* ---- into the agent's program ---- */

static int fail(const char *what, int err)
{
	fprintf(stderr, "storm: %s: %s\n", what, strerror(err < 0 ? -err : err));
	return 1;
}

/* The XDP program on the device; an fd, or -errno. */
static int agent_program(unsigned int ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, query);
	int err = bpf_xdp_query((int)ifindex, 0, &query);

	if (err)
		return err;
	return query.prog_id ? bpf_prog_get_fd_by_id(query.prog_id) : -ENOENT;
}

static struct storm_bpf *load(const struct storm_plan *p, int agent, uint64_t rate)
{
	struct storm_bpf *skel = storm_bpf__open();
	uint32_t slot = 0;

	if (!skel)
		return NULL;
	memcpy((void *)skel->rodata->steps, p->steps, sizeof(p->steps));
	skel->rodata->rate = rate;
	if (storm_bpf__load(skel))
		return NULL;
	for (uint32_t i = 0; i < STORM_KINDS * STORM_STEPS; i++)
		if (bpf_map_update_elem(bpf_map__fd(skel->maps.frames), &i,
					&p->frame[i / STORM_STEPS][i % STORM_STEPS], BPF_ANY))
			return NULL;
	if (bpf_map_update_elem(bpf_map__fd(skel->maps.agent), &slot, &agent, BPF_ANY))
		return NULL;
	return skel;
}

/*
 * One call for all frames: before and after a call that repeats, the kernel waits for a grace period
 * of RCU. The program itself waits when it is ahead of the rate, and a signal ends the call.
 */
static int run(struct storm_bpf *skel, unsigned int ifindex, uint32_t repeat)
{
	static uint8_t buffer[STORM_FRAME];
	struct xdp_md ctx = {.data_end = sizeof(buffer), .ingress_ifindex = ifindex};
	DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = buffer,
			    .data_size_in = sizeof(buffer), .ctx_in = &ctx,
			    .ctx_size_in = sizeof(ctx), .repeat = (int)repeat);
	int err = bpf_prog_test_run_opts(bpf_program__fd(skel->progs.storm), &opts);

	if (!err && opts.retval != XDP_PASS)
		return -EPROTO;
	return err == -EINTR ? 0 : err;
}

/* What is left of the group that was interrupted. */
static int finish(struct storm_bpf *skel, unsigned int ifindex)
{
	uint32_t group = skel->rodata->group;
	uint32_t done = skel->bss->step * group + skel->bss->at;

	skel->bss->begun = 0;
	return done ? run(skel, ifindex, group * skel->rodata->steps[skel->bss->kind] - done) : 0;
}

static void on_alarm(int signal)
{
	(void)signal;
}

static int storm(struct storm_bpf *skel, unsigned int ifindex, double seconds)
{
	struct itimerval when = {
		.it_value = {.tv_sec = (time_t)seconds,
			     .tv_usec = (suseconds_t)((seconds - (double)(time_t)seconds) * 1e6)}};
	struct sigaction action = {.sa_handler = on_alarm};
	uint64_t cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID), wall;
	int err;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &when, NULL);
	wall = skel->bss->begun = clock_ns(CLOCK_MONOTONIC);
	err = run(skel, ifindex, INT_MAX);
	wall = clock_ns(CLOCK_MONOTONIC) - wall;
	cpu = clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	if (!err)
		err = finish(skel, ifindex);
	if (!err && skel->bss->failed)
		err = -EPROTO;
	if (err)
		return fail("the agent's program", err);
	printf("{\"handshakes\": %llu, \"frames\": %llu, \"seconds\": %.6f, "
	       "\"cpu_seconds\": %.6f}\n",
	       (unsigned long long)skel->bss->first, (unsigned long long)skel->bss->frames_sent,
	       (double)wall / SECOND, (double)cpu / SECOND);
	return 0;
}

int main(int argc, char **argv)
{
	static struct storm_plan p;
	struct storm_bpf *skel;
	unsigned int ifindex;
	int agent;

	if (argc != 4) {
		fprintf(stderr, "usage: storm DEVICE RATE SECONDS\n");
		return 2;
	}
	ifindex = if_nametoindex(argv[1]);
	if (!ifindex)
		return fail(argv[1], errno);
	agent = agent_program(ifindex);
	if (agent < 0)
		return fail("no XDP program is on the device", agent);
	for (int kind = 0; kind < STORM_KINDS; kind++)
		plan(&p, kind);
	skel = load(&p, agent, strtoull(argv[2], NULL, 10));
	if (!skel)
		return fail("cannot load the generator", errno);
	return storm(skel, ifindex, strtod(argv[3], NULL));
}
