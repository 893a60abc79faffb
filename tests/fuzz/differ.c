// SPDX-License-Identifier: GPL-2.0-only
/*
 * differ - the differential test of reassembly (differ_check.h), as many cases as asked for.
 *
 * usage: differ [--seed N] [--cases N] [--case N]
 *
 * Prints TAP. A case that fails is told by its number: --case N runs it alone and shows
 * its frames.
 */
#include "check.h"

#include <getopt.h>
#include <time.h>

#include "differ_check.h"

#define CASES 100000
#define ROUND 0xfffff0U /* cases of one seed: each has an address of its own */
#define TOLD 10
#define SELF_CASES 100

static struct differ differ;
static bool shown;

/* A frame: who sends it, its place in the stream, its flags. */
static void show(const uint8_t *bytes, uint32_t len)
{
	uint32_t tcp = AS_ETH_HLEN + (bytes[12] == 8 ? AS_IPV4_HLEN : AS_IPV6_HLEN);
	bool server = as_be16(bytes + tcp) == 443;
	uint32_t at = as_be32(bytes + tcp + 4) - differ.c.isn[server] - 1;

	printf("# %s flags %02x at %d: %u bytes", server ? "server" : "client", bytes[tcp + 13],
	       (int)at, len - tcp - AS_TCP_HLEN);
	for (uint32_t i = tcp + AS_TCP_HLEN; i < len && i < tcp + AS_TCP_HLEN + 8; i++)
		printf(" %02x", bytes[i]);
	printf("\n");
}

static void give(void *arg, const uint8_t *bytes, uint32_t len, uint64_t ns)
{
	const struct native_frame frame = {.bytes = bytes, .caplen = len, .ns = ns, .ifindex = 1};

	if (shown && arg == &differ.cut)
		show(bytes, len);
	native_frame((struct native *)(uintptr_t)((struct differ_side *)arg)->native, &frame);
}

static void side(struct differ_side *s, struct differ_run *r)
{
	native_free((struct native *)(uintptr_t)s->native);
	memset(s, 0, sizeof(*s));
	s->native = native_new(RIG_FLOWS, differ_record, s);
	CHECK(s->native);
	differ_side(r, give, s, DIFFER_SEGMENT_MAX);
}

static void restart(void)
{
	side(&differ.whole, &differ.run[0]);
	side(&differ.cut, &differ.run[1]);
}

static void tell(const char *wrong, uint64_t seed, uint32_t number)
{
	const struct differ_case *c = &differ.c;

	printf("# --seed %llu --case %u: %s (lead %u, answer %u, spoilt %u, hello of %u bytes)\n",
	       (unsigned long long)seed, number, wrong, c->lead, c->answer,
	       differ.run[1].spoilt ? differ.run[1].spoil : 0, c->part[0].len);
}

/* Run cases, and return how many of them failed. */
static uint64_t run(uint64_t seed, uint64_t cases)
{
	uint64_t failed = 0;

	for (uint64_t i = 0; i < cases; i++) {
		uint32_t number = (uint32_t)(i % ROUND);
		const char *wrong;

		if (!number && i) { /* the addresses come again, the randoms do not */
			restart();
			seed++;
		}
		wrong = differ_case(&differ, seed, number, SPOIL_NONE);
		if (wrong && failed++ < TOLD)
			tell(wrong, seed, number);
	}
	return failed;
}

/* A hello of which one byte is another must not pass: else nothing is compared. */
static uint64_t run_changed(uint64_t seed)
{
	uint64_t seen = 0;

	restart();
	for (uint32_t i = 0; i < SELF_CASES; i++)
		seen += differ_case(&differ, seed, i, SPOIL_NAME) != NULL;
	return seen;
}

static void report(double seconds)
{
	const struct differ *d = &differ;

	printf("# %llu cases in %.1f s: %llu hellos cut; ", (unsigned long long)d->cases, seconds,
	       (unsigned long long)d->hellos_cut);
	printf("%llu conflicts, %llu of over 64 records, %llu too long, %llu unfinished\n",
	       (unsigned long long)d->spoilt[SPOIL_CONFLICT],
	       (unsigned long long)d->spoilt[SPOIL_RECORDS],
	       (unsigned long long)d->spoilt[SPOIL_LONG],
	       (unsigned long long)d->spoilt[SPOIL_MISSING]);
	printf("# behind PROXY v1 %llu, v2 %llu, STARTTLS %llu, CONNECT %llu; ",
	       (unsigned long long)d->lead[LEAD_PROXY1], (unsigned long long)d->lead[LEAD_PROXY2],
	       (unsigned long long)d->lead[LEAD_STARTTLS],
	       (unsigned long long)d->lead[LEAD_CONNECT]);
	printf("TLS 1.2 %llu, 1.3 %llu, retries %llu, no answer %llu; %llu frames\n",
	       (unsigned long long)d->answer[ANSWER_TLS12],
	       (unsigned long long)d->answer[ANSWER_TLS13],
	       (unsigned long long)d->answer[ANSWER_RETRY],
	       (unsigned long long)d->answer[ANSWER_NONE],
	       (unsigned long long)(d->run[0].frames + d->run[1].frames));
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int run_one(uint64_t seed, uint32_t number)
{
	const char *wrong;

	shown = true;
	wrong = differ_case(&differ, seed, number, SPOIL_NONE);
	tell(wrong ? wrong : "as it must be", seed, number);
	return wrong != NULL;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"seed", required_argument, NULL, 's'},
						{"cases", required_argument, NULL, 'n'},
						{"case", required_argument, NULL, 'c'},
						{NULL, 0, NULL, 0}};
	uint64_t seed = 1, cases = CASES, failed, seen;
	double start = now();
	const char *one = NULL;
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 's')
			seed = strtoull(optarg, NULL, 0);
		else if (opt == 'n')
			cases = strtoull(optarg, NULL, 0);
		else if (opt == 'c')
			one = optarg;
		else
			return 2;
	}
	restart();
	if (one)
		return run_one(seed, (uint32_t)strtoul(one, NULL, 0));
	printf("1..2\n");
	failed = run(seed, cases);
	printf("%sok 1 - %llu handshakes, cut, are the same as whole (%llu are not)\n",
	       failed ? "not " : "", (unsigned long long)cases, (unsigned long long)failed);
	report(now() - start);
	seen = run_changed(seed);
	printf("%sok 2 - a byte that is another is seen in each of %u (%llu were)\n",
	       seen == SELF_CASES ? "" : "not ", SELF_CASES, (unsigned long long)seen);
	return failed || seen != SELF_CASES;
}
