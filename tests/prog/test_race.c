// SPDX-License-Identifier: GPL-2.0-only
/* Two CPUs with the segments of the same split hellos at the same moment: no hello is lost, none
 * counted twice, and no gate or slot is left behind. */
#define RIG_TWIN
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <sched.h>

#include "rig.h"

#define CONNECTIONS 5000
#define PIECES 4
#define PAUSE_MAX 300 /* rounds of a loop, about 0.3 us */
#define FRAME_MAX 600

/* What one CPU gives to the programs at a time. */
struct load {
	uint32_t count;
	bool paused;
	struct {
		uint32_t len;
		uint8_t at[FRAME_MAX];
	} frame[2 * PIECES];
};

static struct load load[2];
/* Rounds that were begun, and that the second CPU has done. Waited for without sleeping: to
 * wake up takes longer than the race does. */
static uint32_t begun, done;
static bool stop;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	pthread_setaffinity_np(pthread_self(), sizeof(set), &set);
}

/* The two meet at another point each time: every other connection has pauses of any length. */
static void pause_some(uint32_t *dice, bool paused)
{
	*dice = *dice * 1664525 + 1013904223; /* Numerical Recipes' generator */
	for (uint32_t i = paused ? (*dice >> 16) % PAUSE_MAX : 0; i; i--)
		__asm__ volatile("");
}

/* The frames of CPU @cpu, one by ingress and the other by egress: scratch memory is per hook. */
static void give(int cpu)
{
	static uint32_t dice[2] = {1, 2};
	struct bpf_program *program =
		cpu ? twin.skel->progs.alpnscope_out : twin.skel->progs.alpnscope_in;

	for (uint32_t i = 0; i < load[cpu].count; i++) {
		DECLARE_LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = load[cpu].frame[i].at,
				    .data_size_in = load[cpu].frame[i].len);

		pause_some(&dice[cpu], load[cpu].paused);
		if (bpf_prog_test_run_opts(bpf_program__fd(program), &opts))
			abort();
	}
}

static void *second_cpu(void *arg)
{
	pin(1);
	for (uint32_t round = 1;; round++) {
		while (__atomic_load_n(&begun, __ATOMIC_ACQUIRE) != round)
			;
		if (stop)
			return arg;
		give(1);
		__atomic_store_n(&done, round, __ATOMIC_RELEASE);
	}
}

/* Both at once. */
static void go(void)
{
	__atomic_store_n(&begun, begun + 1, __ATOMIC_RELEASE);
	give(0);
	while (__atomic_load_n(&done, __ATOMIC_ACQUIRE) != begun)
		;
	load[0].count = load[1].count = 0;
	events_read(twin.events);
}

static void put(int cpu, const struct craft_conn *c, bool client, uint8_t flags,
		const struct craft *all, uint32_t from, uint32_t to)
{
	static struct craft frame;
	struct load *l = &load[cpu];

	craft_frame(&frame, c,
		    &(struct craft_segment){.from_client = client,
					    .flags = flags,
					    .seq = (client ? c->client_seq : c->server_seq) + from,
					    .ack = client ? c->server_seq : c->client_seq,
					    .data = all ? all->at + from : NULL,
					    .len = to - from});
	assert_true(frame.len <= FRAME_MAX);
	memcpy(l->frame[l->count].at, frame.at, frame.len);
	l->frame[l->count++].len = frame.len;
}

/* @all in @n pieces, every other on each CPU, or each on both. */
static void pieces(const struct craft_conn *c, bool client, const struct craft *all, uint32_t n,
		   bool both)
{
	uint32_t step = (all->len + n - 1) / n;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t from = i * step, to = i + 1 == n ? all->len : from + step;

		for (int cpu = 0; cpu < 2; cpu++)
			if (both || cpu == (int)(i & 1))
				put(cpu, c, client, AS_TCP_ACK, all, from, to);
	}
	go();
}

/* One connection; the record of it is right. */
static void handshake(uint32_t number, uint32_t n, bool both)
{
	struct craft_conn c = craft_ipv4(number);
	static struct craft hello, answer;
	uint32_t had = twin.count;

	hello = *rig_hello(number);
	answer = *rig_answer(number);
	twin.skel->bss->test_now += RIG_STEP_NS;
	load[0].paused = load[1].paused = number & 1;
	put(0, &c, true, AS_TCP_SYN, NULL, 0, 0);
	go();
	c.client_seq++;
	pieces(&c, true, &hello, n, both);
	c.client_seq += hello.len;
	pieces(&c, false, &answer, n, both);
	if (twin.count != had + 1)
		fail_msg("connection %u: %u records", number, twin.count - had);
	assert_int_equal(twin.rec[had].kind, AS_KIND_HANDSHAKE);
	assert_int_equal(twin.rec[had].end, AS_END_SERVER_HELLO);
	RIG_NAMES(&twin.rec[had], "a.example", "\x02h2\x08http/1.1", "\x02h2");
}

static void race(uint32_t n, bool both)
{
	uint64_t after[AS_COUNTER_COUNT];
	pthread_t thread;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2) {
		printf("one CPU only: there is no race\n");
		skip();
	}
	twin_begin(TWIN_FLOWS);
	stop = false;
	begun = done = 0;
	assert_int_equal(pthread_create(&thread, NULL, second_cpu, NULL), 0);
	pin(0);
	for (uint32_t i = 1; i <= CONNECTIONS; i++)
		handshake(i, n, both);
	stop = true;
	__atomic_store_n(&begun, begun + 1, __ATOMIC_RELEASE);
	pthread_join(thread, NULL);
	twin_drain();
	events_counters(twin.events, after);
	for (int i = 0; i < AS_COUNTER_COUNT; i++)
		if (rig_family[i] && !strcmp(rig_family[i], "lost"))
			if (after[i] != twin.before[i])
				fail_msg("%s: %llu lost", rig_counter[i],
					 (unsigned long long)(after[i] - twin.before[i]));
	assert_int_equal(after[AS_RECORDS] - twin.before[AS_RECORDS], CONNECTIONS);
	assert_int_equal(after[AS_HELLOS] - twin.before[AS_HELLOS] - CONNECTIONS,
			 after[AS_REPEAT_AGAIN] - twin.before[AS_REPEAT_AGAIN]);
	twin_gates();
}

static void test_shared(void **state)
{
	(void)state;
	race(PIECES, false);
}

static void test_both_see_all(void **state)
{
	(void)state;
	race(PIECES, true);
}

static void test_both_see_it_whole(void **state)
{
	(void)state;
	race(1, true);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shared),
		cmocka_unit_test(test_both_see_all),
		cmocka_unit_test(test_both_see_it_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
