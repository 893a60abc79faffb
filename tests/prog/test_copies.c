// SPDX-License-Identifier: GPL-2.0-only
/* events: handshakes that the agent ends 2 s after their answer. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <time.h>
#include <cmocka.h>

#define RIG_TWIN
#include "rig.h"

#include "flight_rig.h"

static uint64_t monotonic(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* A handshake whose ServerHello, with random @number, came at @answered. */
static void answered_at(uint32_t connection, uint32_t number, uint64_t answered)
{
	static struct craft frame;
	struct craft_conn c = craft_ipv4(connection);
	const struct craft *hello = rig_hello(number);

	twin.skel->bss->test_now = answered;
	craft_frame(&frame, &c,
		    &(struct craft_segment){.from_client = true,
					    .flags = AS_TCP_ACK,
					    .seq = c.client_seq,
					    .ack = c.server_seq,
					    .data = hello->at,
					    .len = hello->len});
	twin_frame(frame.at, frame.len, false);
	out.len = ext.len = 0;
	craft_ext(&ext, AS_EXT_SUPPORTED_VERSIONS, "\x03\x04", 2);
	craft_server_hello(
		&out, &(struct craft_hello){.random = craft_random(number << 24 | 7), .ext = &ext});
	/* The places of a random by which copies are known. */
	memset(out.at + AS_REC_HLEN + AS_HS_HLEN + 2 + 8, (int)number, 2);
	craft_frame(&frame, &c,
		    &(struct craft_segment){.flags = AS_TCP_ACK,
					    .seq = c.server_seq,
					    .ack = c.client_seq + hello->len,
					    .data = out.at,
					    .len = out.len});
	twin_frame(frame.at, frame.len, false);
}

/* What is overdue ends, and with it its copy behind NAT, which is so a moment later; another
 * handshake of that moment does not. */
static void test_copies_stay_together(void **state)
{
	uint64_t now;

	(void)state;
	twin_begin(TWIN_FLOWS);
	now = monotonic();
	answered_at(1, 1, now - AS_RECORDS_NS - 1000000);
	answered_at(2, 1, now - AS_RECORDS_NS + 15000000);
	answered_at(3, 2, now - AS_RECORDS_NS + 15000000);
	twin.skel->bss->test_now = monotonic();
	assert_int_equal(events_in_flight(twin.events), 3);
	if (monotonic() - now > 10000000)
		skip(); /* a machine too busy to tell */
	events_expire(twin.events);
	events_read(twin.events);
	assert_int_equal(twin.count, 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(twin.rec[i].end, AS_END_QUIET);
		assert_int_equal(twin.rec[i].flags, AS_F_SERVER_HELLO);
		assert_memory_equal(twin.rec[i].client_random, craft_random(1), 32);
	}
	assert_int_equal(events_in_flight(twin.events), 1);
	events_end(twin.events);
	events_read(twin.events);
	assert_int_equal(twin.count, 3);
	assert_int_equal(twin.rec[2].end, AS_END_EOF);
	assert_int_equal(twin.rec[2].flags, AS_F_SERVER_HELLO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_copies_stay_together)};

	return cmocka_run_group_tests(tests, NULL, rig_done);
}
