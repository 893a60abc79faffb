// SPDX-License-Identifier: GPL-2.0-only
/* merge.c: which records are copies of one handshake, and what the one event shows. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "identity.h"
#include "merge_rig.h"

/* ---- which are one ---- */

/*
 * Every pair of @a, which is seen first, and @b 1 ms after it, on another tuple: events when
 * both are held together; when @b comes after @a was handed over; when @b's record comes
 * first, though @a was seen first, and they are held together.
 */
static const struct {
	enum what a, b;
	uint64_t together, late, reversed;
} pairs[] = {
	{ANSWERED, ANSWERED, 1, 1, 1},
	{UNANSWERED, UNANSWERED, 1, 1, 1},
	{ORPHAN, ORPHAN, 1, 1, 1},
	{ANSWERED, UNANSWERED, 2, 2, 2},
	{UNANSWERED, ANSWERED, 2, 2, 2},
	/* A ServerHello that was seen before was not copied from this one. */
	{ANSWERED, ORPHAN, 1, 1, 2},
	{ORPHAN, ANSWERED, 2, 2, 2},
	{UNANSWERED, ORPHAN, 2, 2, 2},
	{ORPHAN, UNANSWERED, 2, 2, 2},
};

static uint64_t events_of(const struct as_handshake *first, const struct as_handshake *then,
			  uint64_t wait)
{
	struct rig *r;
	void *state;
	uint64_t events;

	assert_int_equal(setup(&state), 0);
	r = state;
	add(r, first, T0);
	merge_release(r->m, T0 + wait);
	add(r, then, T0 + wait);
	events = flush(r);
	teardown(&state);
	return events;
}

static void every_pair(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		for (enum place at = ORIGINAL; at <= DNAT; at++) {
			struct as_handshake a = seen(pairs[i].a, ORIGINAL, T0);
			struct as_handshake b = seen(pairs[i].b, at, T0 + MS);
			struct as_handshake after = seen(pairs[i].b, at, T0 + 1001 * MS);
			bool other = at != ORIGINAL;

			assert_int_equal(events_of(&a, &b, 1 * MS), other ? pairs[i].together : 2);
			assert_int_equal(events_of(&a, &b, 60 * MS), other ? pairs[i].late : 2);
			assert_int_equal(events_of(&b, &a, 1 * MS), other ? pairs[i].reversed : 2);
			/* What was seen first is never dropped. */
			assert_int_equal(events_of(&b, &a, 60 * MS), 2);
			/* Seen more than a second apart. */
			assert_int_equal(events_of(&a, &after, 1 * MS), 2);
			assert_int_equal(events_of(&a, &after, 1001 * MS), 2);
		}
	}
}

/* One byte of difference in what copies have in common makes two handshakes. */
static void every_difference(void **state)
{
#define AT(field) offsetof(struct as_handshake, field)
	static const size_t answered[] = {
		AT(client_random) + 31,
		AT(server_random) + 31,
		AT(client_seq),
		AT(client_version),
		AT(client_ext),
		AT(server_version),
		AT(server_ext),
		AT(cipher),
		AT(group),
		AT(names),
		AT(names) + 10,
		AT(names) + 23,
	};
	struct as_handshake a = seen(UNANSWERED, ORIGINAL, T0), b = seen(UNANSWERED, SNAT, T0 + MS);

	(void)state;
	b.client_ack++;
	assert_int_equal(events_of(&a, &b, 1 * MS), 2);
	for (size_t i = 0; i < sizeof(answered) / sizeof(answered[0]); i++) {
		a = seen(ANSWERED, ORIGINAL, T0);
		b = seen(ANSWERED, SNAT, T0 + MS);
		assert_int_equal(events_of(&a, &b, 1 * MS), 1);
		((uint8_t *)&b)[answered[i]]++;
		assert_int_equal(events_of(&a, &b, 1 * MS), 2);
	}
	/* The same bytes, another name: one ends where the other goes on. */
	b = seen(ANSWERED, SNAT, T0 + MS);
	b.sni_len--;
	b.alpn_len++;
	assert_int_equal(events_of(&a, &b, 1 * MS), 2);
#undef AT
}

/* An answer proves the connection: what the server's numbers are does not matter (SYNPROXY). */
static void answered_with_other_ack(void **state)
{
	struct as_handshake a = seen(ANSWERED, ORIGINAL, T0), b = seen(ANSWERED, DNAT, T0 + MS);

	(void)state;
	b.client_ack++;
	assert_int_equal(events_of(&a, &b, 1 * MS), 1);
}

/* ---- what is shown ---- */

/* A published port: the hello is seen at the client's tuple first, the answer at the
 * server's. Whatever record comes first. */
static void port_of_a_container(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct as_handshake a = seen(ANSWERED, ORIGINAL, T0), b = seen(ANSWERED, DNAT, T0);
		struct rig *r;
		void *fresh;

		assert_int_equal(setup(&fresh), 0);
		r = fresh;
		a.client = owner(1, "curl");
		b.server = owner(2, "nginx");
		b.hello_ns = T0 + 1000;
		b.server_ns = b.end_ns = T0 + 5000;
		a.server_ns = a.end_ns = T0 + 6000;
		add(r, order ? &a : &b, T0 + MS);
		add(r, order ? &b : &a, T0 + MS);
		assert_int_equal(flush(r), 1);
		assert_int_equal(r->last.hs.server_port, 8443);
		assert_memory_equal(r->last.hs.server_addr, b.server_addr, 16);
		assert_memory_equal(&r->last.hs.client, &a.client, sizeof(a.client));
		assert_memory_equal(&r->last.hs.server, &b.server, sizeof(b.server));
		assert_int_equal(r->last.hs.hello_ns, T0);
		assert_int_equal(r->last.hs.server_ns, T0 + 5000);
		assert_int_equal(r->last.hs.ifindex, a.ifindex);
		assert_true(r->last.server_moved);
		assert_false(r->last.client_moved);
		teardown(&fresh);
	}
}

/* Forwarded behind a masquerade: the tuple that was seen first, in any order. */
static void masqueraded(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct as_handshake a = seen(ANSWERED, ORIGINAL, T0), b = seen(ANSWERED, SNAT, T0);
		struct rig *r;
		void *fresh;

		assert_int_equal(setup(&fresh), 0);
		r = fresh;
		a.client = owner(1, "curl");
		b.hello_ns = T0 + 1000;
		b.server_ns = b.end_ns = T0 + 5000;
		a.server_ns = a.end_ns = T0 + 6000;
		add(r, order ? &a : &b, T0 + MS);
		add(r, order ? &b : &a, T0 + MS);
		assert_int_equal(flush(r), 1);
		assert_int_equal(r->last.hs.client_port, 50001);
		assert_int_equal(r->last.hs.client.cookie, 1);
		assert_int_equal(r->last.hs.server.cookie, 0);
		assert_int_equal(r->last.hs.server_ns, T0 + 5000);
		assert_true(r->last.client_moved);
		assert_false(r->last.server_moved);
		assert_string_equal((char *)r->last.hs.names, "a.example\2h2\x08http/1.1\2h2");
		teardown(&fresh);
	}
}

/* A refusal by a container: the alert leaves at the server's own tuple first. */
static void refused_by_a_container(void **state)
{
	(void)state;
	for (int order = 0; order < 2; order++) {
		struct as_handshake a = seen(UNANSWERED, ORIGINAL, T0),
				    b = seen(UNANSWERED, DNAT, T0);
		struct rig *r;
		void *fresh;

		assert_int_equal(setup(&fresh), 0);
		r = fresh;
		a.end = b.end = AS_END_ALERT;
		b.hello_ns = T0 + 1000;
		b.end_ns = T0 + 5000;
		a.end_ns = T0 + 6000;
		b.server = owner(2, "nginx");
		add(r, order ? &a : &b, T0 + MS);
		add(r, order ? &b : &a, T0 + MS);
		assert_int_equal(flush(r), 1);
		assert_int_equal(r->last.hs.server_port, 8443);
		assert_int_equal(r->last.hs.server.pid, 20);
		assert_int_equal(r->last.hs.hello_ns, T0);
		teardown(&fresh);
	}
}

/* Three copies: a container's server behind two translations, whatever comes when. */
static void three_copies(void **state)
{
	static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
					 {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

	(void)state;
	for (int order = 0; order < 6; order++) {
		struct as_handshake hs[3];
		struct rig *r;
		void *fresh;

		assert_int_equal(setup(&fresh), 0);
		r = fresh;
		for (int i = 0; i < 3; i++) {
			hs[i] = seen(ANSWERED, (enum place)i, T0);
			hs[i].hello_ns += (uint64_t)i * 1000; /* the hello's way in */
			hs[i].server_ns += 9000 - (uint64_t)i * 1000; /* the answer's way out */
		}
		hs[2].server = owner(2, "nginx");
		hs[1].server = owner(3, "forged"); /* was seen before: it is not its own */
		for (int i = 0; i < 3; i++)
			add(r, &hs[orders[order][i]], T0 + MS);
		assert_int_equal(flush(r), 1);
		assert_int_equal(r->last.hs.server_port, 8443);
		assert_int_equal(r->last.hs.server.cookie, 2);
		assert_int_equal(r->last.hs.hello_ns, T0);
		assert_int_equal(r->last.hs.server_ns, T0 + 7000);
		assert_int_equal(r->last.hs.ifindex, 10);
		teardown(&fresh);
	}
}

/* One copy was reset, the other waited in vain: seen at one time, ended at others. */
static void ended_at_other_times(void **state)
{
	struct rig *r = *state;
	struct as_handshake a = seen(UNANSWERED, ORIGINAL, T0);
	struct as_handshake b = seen(UNANSWERED, SNAT, T0 + MS);

	add(r, &a, T0);
	b.end = AS_END_TIMEOUT;
	b.end_ns = T0 + 10 * SECOND;
	merge_release(r->m, b.end_ns);
	add(r, &b, b.end_ns);
	assert_int_equal(flush(r), 1);
	assert_int_equal(r->last.hs.end, AS_END_RST);
}

static bool host_address(const void *arg, unsigned int ifindex, const uint8_t addr[16])
{
	(void)ifindex;
	return addr[0] == *(const uint8_t *)arg;
}

/* The role by the host's addresses: not by one that NAT put there. */
static enum role role_of(const struct merged *m, uint8_t address)
{
	struct identity *id = identity_new(host_address, &address);
	struct event ev = {
		.hs = &m->hs, .client_moved = m->client_moved, .server_moved = m->server_moved};

	assert_non_null(id);
	identity_sides(id, &ev);
	identity_free(id);
	assert_int_equal(ev.side_count, 1);
	return ev.side[0].role;
}

static void roles(void **state)
{
	struct rig *r = *state;
	struct as_handshake a = seen(ANSWERED, ORIGINAL, T0), b = seen(ANSWERED, SNAT, T0 + MS);

	add(r, &a, T0);
	flush(r);
	assert_int_equal(role_of(&r->last, 3), ROLE_SERVER);
	assert_int_equal(role_of(&r->last, 1), ROLE_CLIENT);
	memset(a.server_random, 1, 32);
	memset(b.server_random, 1, 32);
	add(r, &a, T0);
	add(r, &b, T0);
	flush(r);
	assert_int_equal(role_of(&r->last, 3), ROLE_SERVER);
	assert_int_equal(role_of(&r->last, 1), ROLE_TRANSIT);
}

/* Inside a tunnel, whoever sends to it chooses the addresses; a socket is proof. */
static void role_in_tunnel(void **state)
{
	struct rig *r = *state;
	struct as_handshake a = seen(ANSWERED, ORIGINAL, T0);

	a.flags |= AS_F_TUNNEL;
	add(r, &a, T0);
	flush(r);
	assert_int_equal(role_of(&r->last, 3), ROLE_TRANSIT);
	assert_int_equal(role_of(&r->last, 1), ROLE_TRANSIT);
	memset(a.server_random, 1, 32);
	a.server = owner(2, "nginx");
	add(r, &a, T0);
	flush(r);
	assert_int_equal(role_of(&r->last, 3), ROLE_SERVER);
}

static void time_of_release(void **state)
{
	struct rig *r = *state;
	struct as_handshake a = numbered(1, ORIGINAL), b = numbered(2, ORIGINAL);

	assert_int_equal(merge_release(r->m, T0), 0);
	add(r, &a, T0);
	assert_int_equal(merge_release(r->m, T0), 50 * MS);
	add(r, &b, T0 + 20 * MS);
	assert_int_equal(merge_release(r->m, T0 + 50 * MS - 1), 1);
	assert_int_equal(r->events, 0);
	assert_int_equal(merge_release(r->m, T0 + 50 * MS), 20 * MS);
	assert_int_equal(r->events, 1);
	assert_int_equal(r->last.hs.hello_ns, a.hello_ns);
	assert_int_equal(merge_release(r->m, T0 + 70 * MS), 0);
	assert_int_equal(r->events, 2);
	assert_int_equal(r->last.hs.hello_ns, b.hello_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_pair),
		cmocka_unit_test(every_difference),
		cmocka_unit_test(answered_with_other_ack),
		cmocka_unit_test(port_of_a_container),
		cmocka_unit_test(masqueraded),
		cmocka_unit_test(refused_by_a_container),
		cmocka_unit_test(three_copies),
		cmocka_unit_test_setup_teardown(ended_at_other_times, setup, teardown),
		cmocka_unit_test_setup_teardown(roles, setup, teardown),
		cmocka_unit_test_setup_teardown(role_in_tunnel, setup, teardown),
		cmocka_unit_test_setup_teardown(time_of_release, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
