// SPDX-License-Identifier: GPL-2.0-only
/* merge.c: nobody hides another's handshake, and no bound loses one. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "merge_rig.h"

/* ---- who means ill ---- */

/* The hello of a handshake that is then answered is replayed from many addresses. */
static void flood_of_replays(void **state)
{
	struct rig *r = *state;
	struct as_handshake victim = seen(ANSWERED, ORIGINAL, T0), other = victim;
	struct as_handshake copy = seen(ANSWERED, SNAT, T0 + 2 * MS);

	for (uint32_t i = 0; i < 20000; i++) {
		struct as_handshake replay = seen(UNANSWERED, SNAT, T0 + MS);

		replay.client_port = 0;
		memcpy(replay.client_addr, &i, sizeof(i));
		replay.client_ack = i; /* of servers of his own */
		add(r, &replay, T0 + MS);
		assert_true(merge_held(r->m) <= MERGE_HELD_MAX);
		if (i == 15000)
			add(r, &victim, T0 + MS);
		if (i == 15001)
			add(r, &copy, T0 + MS);
	}
	assert_int_equal(flush(r), 20001);
	assert_int_equal(r->client_ports, victim.client_port);
	/* And still its own copy is known. */
	other.client_addr[0]++;
	other.hello_ns++;
	add(r, &other, T0 + 60 * MS);
	assert_int_equal(flush(r), 20001);
}

/* Replays that agree in all numbers, so that no server answers them, hide their sender only. */
static void exact_replays(void **state)
{
	struct rig *r = *state;
	struct as_handshake victim = seen(UNANSWERED, ORIGINAL, T0);
	struct as_handshake replay = seen(UNANSWERED, SNAT, T0 + MS);

	victim.end = AS_END_TIMEOUT;
	add(r, &replay, T0 + 2 * MS); /* he resets his connection at once */
	add(r, &replay, T0 + 2 * MS);
	replay.client_addr[0]++;
	add(r, &replay, T0 + 2 * MS);
	merge_release(r->m, T0 + 100 * MS);
	assert_int_equal(r->client_ports, 2 * 60001);
	victim.end_ns = T0 + 10 * SECOND;
	add(r, &victim, T0 + 10 * SECOND);
	assert_int_equal(flush(r), 3);
	assert_int_equal(r->last.hs.client_port, victim.client_port);
	assert_int_equal(r->last.hs.end, AS_END_TIMEOUT);
	assert_false(r->last.client_moved);
}

/* Both randoms on another tuple, to a socket of this host: who copies comes later. */
static void answer_is_copied(void **state)
{
	struct rig *r = *state;
	struct as_handshake victim = seen(ANSWERED, ORIGINAL, T0);
	struct as_handshake forged = seen(ANSWERED, DNAT, T0 + MS);

	forged.server = owner(6, "evil");
	forged.client = owner(7, "evil");
	add(r, &victim, T0);
	add(r, &forged, T0 + MS);
	assert_int_equal(flush(r), 1);
	assert_int_equal(r->last.hs.server_port, 443);
	assert_int_equal(r->last.hs.server.cookie | r->last.hs.client.cookie, 0);
}

/* A ServerHello that is copied onto another tuple changes nothing. */
static void orphan_is_silent(void **state)
{
	struct rig *r = *state;
	struct as_handshake victim = seen(ANSWERED, ORIGINAL, T0);
	struct as_handshake forged = seen(ORPHAN, DNAT, T0 + MS);

	forged.server = owner(6, "evil");
	add(r, &victim, T0);
	add(r, &forged, T0 + MS);
	assert_int_equal(flush(r), 1);
	assert_int_equal(r->last.hs.server.cookie, 0);
	assert_false(r->last.server_moved);
}

/* ---- proxies, bounds, time ---- */

/* A proxy that passes TLS on: two connections with the same randoms, each behind NAT. */
static void proxy_keeps_hops(void **state)
{
	struct rig *r = *state;
	struct as_handshake hop[4] = {seen(ANSWERED, ORIGINAL, T0), seen(ANSWERED, DNAT, T0 + 1),
				      seen(ANSWERED, ORIGINAL, T0 + 2),
				      seen(ANSWERED, SNAT, T0 + 3)};

	hop[2].client_seq = hop[3].client_seq = 99;
	memset(hop[2].client_addr, 7, 16);
	for (int i = 4; i--;)
		add(r, &hop[i], T0);
	assert_int_equal(flush(r), 2);
	assert_int_equal(merge_merged(r->m), 2);
}

/* The same randoms, more than can be told apart: none is lost. */
static void many_of_the_same(void **state)
{
	struct rig *r = *state;

	for (uint32_t i = 0; i < 3 * MERGE_SAME_MAX; i++) {
		struct as_handshake hs = seen(ANSWERED, ORIGINAL, T0 + i);

		hs.client_seq = i;
		add(r, &hs, T0);
	}
	assert_int_equal(flush(r), 3 * MERGE_SAME_MAX);
	/* They give way to the next ones after a while. */
	for (enum place at = ORIGINAL; at <= SNAT; at++) {
		struct as_handshake hs = seen(ANSWERED, at, T0 + 5 * SECOND + at);

		add(r, &hs, T0 + 5 * SECOND);
	}
	assert_int_equal(flush(r), 3 * MERGE_SAME_MAX + 1);
}

/* A scanner sends one and the same hello everywhere: only its connections differ. */
static void same_hello_everywhere(void **state)
{
	struct rig *r = *state;

	for (uint32_t i = 0; i < 1000; i++) {
		for (enum place at = ORIGINAL; at <= SNAT; at++) {
			struct as_handshake hs = seen(UNANSWERED, at, T0 + at);

			hs.client_seq = i;
			add(r, &hs, T0);
		}
	}
	assert_int_equal(flush(r), 1000);
}

/* Too many at a time: the oldest are handed over at once, and their copies are known. */
static void overflow(void **state)
{
	struct rig *r = *state;

	for (uint32_t i = 0; i < MERGE_HELD_MAX + 100; i++) {
		struct as_handshake hs = numbered(i, ORIGINAL);

		add(r, &hs, T0);
	}
	assert_int_equal(r->events, 100);
	assert_int_equal(r->last.hs.hello_ns, T0 + 99);
	assert_int_equal(merge_held(r->m), MERGE_HELD_MAX);
	for (uint32_t i = 0; i < MERGE_HELD_MAX + 100; i++) {
		struct as_handshake hs = numbered(i, SNAT);

		hs.hello_ns++;
		add(r, &hs, T0);
	}
	assert_int_equal(flush(r), MERGE_HELD_MAX + 100);
	assert_int_equal(merge_merged(r->m), MERGE_HELD_MAX + 100);
}

/* Known handshakes are bounded: the oldest is forgotten, and then its copy is an event. */
static void forgotten(void **state)
{
	struct rig *r = *state;
	uint64_t now = T0;

	for (uint32_t i = 0; i <= MERGE_KNOWN_MAX; i++) {
		struct as_handshake hs = numbered(i, ORIGINAL);

		add(r, &hs, now);
		merge_release(r->m, now += 60 * MS);
	}
	assert_int_equal(r->events, MERGE_KNOWN_MAX + 1);
	for (uint32_t i = 0; i <= 1; i++) {
		struct as_handshake hs = numbered(1 - i, SNAT);

		add(r, &hs, now);
		assert_int_equal(flush(r), MERGE_KNOWN_MAX + 1 + i);
	}
}

/* Anything in any order: add() asserts the ledger at every step. */
static void any_order(void **state)
{
	struct rig *r = *state;
	uint64_t now = T0, random = 1;

	for (uint32_t i = 0; i < 200000; i++) {
		struct as_handshake hs;

		random = random * 6364136223846793005ULL + 1442695040888963407ULL;
		hs = seen((random >> 33) % 3, (random >> 37) % 3, now - (random >> 40) % (2 * MS));
		hs.client_seq = (random >> 45) % 7;
		hs.client_random[0] = (random >> 50) % 50;
		hs.server_random[0] = (random >> 56) % 50;
		hs.server.cookie = (random >> 62);
		add(r, &hs, now);
		now += (random >> 35) % MS;
		if (random >> 63)
			merge_release(r->m, now);
	}
	flush(r);
	assert_true(merge_merged(r->m) > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(flood_of_replays, setup, teardown),
		cmocka_unit_test_setup_teardown(exact_replays, setup, teardown),
		cmocka_unit_test_setup_teardown(answer_is_copied, setup, teardown),
		cmocka_unit_test_setup_teardown(orphan_is_silent, setup, teardown),
		cmocka_unit_test_setup_teardown(proxy_keeps_hops, setup, teardown),
		cmocka_unit_test_setup_teardown(many_of_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(same_hello_everywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(overflow, setup, teardown),
		cmocka_unit_test_setup_teardown(forgotten, setup, teardown),
		cmocka_unit_test_setup_teardown(any_order, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
