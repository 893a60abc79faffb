// SPDX-License-Identifier: GPL-2.0-only
/* Who is told to have made a handshake, and when nobody is. Roles are in test_merge.c. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "identity.h"

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static bool server_is_local(const void *arg, unsigned int ifindex, const uint8_t addr[16])
{
	(void)arg;
	(void)ifindex;
	return addr[15] == 2;
}

/* A handshake with our server 2 at @port; @pid held its socket, 0: nothing of ours answered. */
static struct as_handshake handshake(uint16_t port, uint32_t pid)
{
	struct as_handshake hs = {.kind = AS_KIND_HANDSHAKE, .server_port = port};

	hs.client_addr[15] = 1;
	hs.server_addr[15] = 2;
	hs.hello_ns = hs.server_ns = hs.end_ns = now();
	if (pid) {
		hs.server = (struct as_owner){.cookie = 7, .pid = pid};
		memcpy(hs.server.comm, "0123456789\n\\def", 16);
	}
	return hs;
}

static struct event judge(struct identity *id, const struct as_handshake *hs)
{
	struct event ev = {.hs = hs};

	identity_sides(id, &ev);
	assert_int_equal(ev.side_count, 1);
	assert_int_equal(ev.side[0].role, ROLE_SERVER);
	return ev;
}

static pid_t child(void)
{
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	return pid;
}

/* Its place is in whatever cgroup this test runs; its name is as hostile as a name may be. */
static void answered(void **state)
{
	struct identity *id = identity_new(server_is_local, NULL);
	pid_t pid = child();
	struct as_handshake hs = handshake(443, (uint32_t)pid);
	struct event ev = judge(id, &hs), again;

	(void)state;
	assert_int_equal(ev.side[0].work.pid, pid);
	assert_string_equal(ev.side[0].work.process, "0123456789\\x0a\\x5cdef");
	/* another to the same port that is not answered, or whose process is not known */
	hs = handshake(443, 0);
	again = judge(id, &hs);
	assert_string_equal(again.side[0].service, ev.side[0].service);
	assert_int_equal(again.side[0].work.pid, pid);
	hs.server.cookie = 7;
	again = judge(id, &hs);
	assert_string_equal(again.side[0].service, ev.side[0].service);
	assert_int_equal(again.side[0].work.pid, 0);
	/* another port is another's, and who has ended listens no more */
	hs = handshake(444, 0);
	again = judge(id, &hs);
	assert_string_equal(again.side[0].service, "unknown");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	hs = handshake(443, 0);
	again = judge(id, &hs);
	assert_string_equal(again.side[0].service, "unknown");
	identity_free(id);
}

/* The task at a tunnel's outer frame need not be the sender of what is inside. */
static void tunnelled(void **state)
{
	struct identity *id = identity_new(server_is_local, NULL);
	struct as_handshake hs = handshake(443, (uint32_t)getpid());
	struct event ev;

	(void)state;
	hs.flags |= AS_F_TUNNEL;
	ev = judge(id, &hs);
	assert_string_equal(ev.side[0].service, "unknown");
	assert_int_equal(ev.side[0].work.pid, 0);
	assert_string_equal(ev.side[0].work.cgroup, "");
	identity_free(id);
}

/* More places than are remembered: the one not heard of for longest is forgotten. */
static void many(void **state)
{
	struct identity *id = identity_new(server_is_local, NULL);
	struct as_handshake hs;
	struct event ev;

	(void)state;
	for (uint32_t port = 1; port <= IDENTITY_PORTS_MAX + 1; port++) {
		hs = handshake((uint16_t)port, (uint32_t)getpid());
		judge(id, &hs);
	}
	hs = handshake(1, 0);
	ev = judge(id, &hs);
	assert_string_equal(ev.side[0].service, "unknown");
	hs = handshake(2, 0);
	ev = judge(id, &hs);
	assert_string_not_equal(ev.side[0].service, "unknown");
	identity_free(id);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(answered),
		cmocka_unit_test(tunnelled),
		cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
