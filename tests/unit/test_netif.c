// SPDX-License-Identifier: GPL-2.0-only
/*
 * netif against the kernel: each test has a network namespace of its own. Bridges
 * without ports serve as interfaces: not every kernel has the dummy type.
 */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <linux/if_tun.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "netif.h"

#define CHANGES_MAX 8192
#define QUIET_MS 100

struct change {
	enum netif_event event;
	struct netif_link link;
	char old_name[IF_NAMESIZE];
};

struct fixture {
	struct loop *loop;
	struct netif *netif;
	unsigned int count;
	struct change change[CHANGES_MAX];
};

static void record(void *arg, const struct netif_change *c)
{
	struct fixture *f = arg;
	struct change *to = &f->change[f->count++];

	assert_true(f->count <= CHANGES_MAX);
	to->event = c->event;
	to->link = *c->link;
	snprintf(to->old_name, sizeof(to->old_name), "%s", c->old_name ? c->old_name : "");
	if (f->netif && c->event == NETIF_VANISHED)
		assert_null(netif_name(f->netif, c->link->index));
	else if (f->netif)
		assert_string_equal(netif_name(f->netif, c->link->index), c->link->name);
}

static void ip(const char *arguments)
{
	char command[256];

	snprintf(command, sizeof(command), "ip %s", arguments);
	if (system(command))
		fail_msg("failed: %s", command);
}

static void follow(struct fixture *f)
{
	char error[256] = "";

	f->netif = netif_new(f->loop, record, f, error, sizeof(error));
	if (!f->netif)
		fail_msg("netif_new: %s", error);
}

/* Let it hear everything; from here on only what comes after is recorded. */
static void settle(struct fixture *f)
{
	while (loop_once(f->loop, QUIET_MS) > 0)
		;
}

static void forget(struct fixture *f)
{
	settle(f);
	f->count = 0;
}

static void expect_change(const struct fixture *f, unsigned int i, enum netif_event event,
			  const char *name)
{
	if (i >= f->count)
		fail_msg("change %u (event %d of %s) was not reported", i, event, name);
	assert_int_equal(f->change[i].event, event);
	assert_string_equal(f->change[i].link.name, name);
}

static unsigned int count_changes(const struct fixture *f, enum netif_event event, const char *name)
{
	unsigned int n = 0;

	for (unsigned int i = 0; i < f->count; i++)
		n += f->change[i].event == event && !strcmp(f->change[i].link.name, name);
	return n;
}

static bool is_local(const struct fixture *f, const char *text)
{
	uint8_t addr[16] = {[10] = 0xff, [11] = 0xff};

	if (!inet_pton(AF_INET, text, addr + 12))
		assert_int_equal(inet_pton(AF_INET6, text, addr), 1);
	return netif_is_local(f->netif, addr);
}

/* Bring an interface up or down without the cost of a process. */
static void set_up(const char *name, bool up)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct ifreq req = {.ifr_flags = up ? IFF_UP : 0};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &req), 0);
	close(fd);
}

static int setup(void **state)
{
	struct fixture *f;

	*state = NULL;
	if (unshare(CLONE_NEWNET)) {
		print_message("a network namespace cannot be made: %s\n", strerror(errno));
		return 0;
	}
	f = calloc(1, sizeof(*f));
	f->loop = loop_new();
	assert_non_null(f->loop);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	if (!f)
		return 0;
	netif_free(f->netif);
	loop_free(f->loop);
	free(f);
	return 0;
}

static struct fixture *fixture(void **state)
{
	if (!*state)
		skip();
	return *state;
}

static void test_existing(void **state)
{
	struct fixture *f = fixture(state);
	struct if_nameindex *there;
	unsigned int n = 0;

	ip("link add there type bridge");
	ip("link set there up");
	follow(f);
	there = if_nameindex();
	assert_non_null(there);
	for (; there[n].if_index; n++) {
		assert_int_equal(count_changes(f, NETIF_APPEARED, there[n].if_name), 1);
		assert_string_equal(netif_name(f->netif, there[n].if_index), there[n].if_name);
	}
	if_freenameindex(there);
	assert_int_equal(f->count, n);
	assert_false(netif_by_name(f->netif, "lo")->up);
	assert_int_equal(netif_by_name(f->netif, "lo")->arphrd, ARPHRD_LOOPBACK);
	assert_true(netif_by_name(f->netif, "there")->up);
	assert_int_equal(netif_by_name(f->netif, "there")->arphrd, ARPHRD_ETHER);
	assert_null(netif_by_name(f->netif, "nowhere"));
	assert_null(netif_name(f->netif, 999999));
}

static void test_life(void **state)
{
	struct fixture *f = fixture(state);

	follow(f);
	forget(f);
	ip("link add one type bridge");
	ip("link set one up");
	ip("link set one down");
	ip("link set one name two");
	ip("link set two up");
	ip("link delete two");
	settle(f);
	expect_change(f, 0, NETIF_APPEARED, "one");
	assert_false(f->change[0].link.up);
	expect_change(f, 1, NETIF_UP, "one");
	expect_change(f, 2, NETIF_DOWN, "one");
	expect_change(f, 3, NETIF_RENAMED, "two");
	assert_string_equal(f->change[3].old_name, "one");
	assert_int_equal(f->change[3].link.index, f->change[0].link.index);
	expect_change(f, 4, NETIF_UP, "two");
	/* Its deletion takes it down first. */
	if (f->change[5].event == NETIF_DOWN)
		expect_change(f, 6, NETIF_VANISHED, "two");
	else
		expect_change(f, 5, NETIF_VANISHED, "two");
	assert_null(netif_by_name(f->netif, "two"));
}

static void test_veth(void **state)
{
	struct fixture *f = fixture(state);

	follow(f);
	forget(f);
	ip("link add left type veth peer name right");
	settle(f);
	assert_int_equal(f->count, 2);
	assert_int_equal(count_changes(f, NETIF_APPEARED, "left"), 1);
	assert_int_equal(count_changes(f, NETIF_APPEARED, "right"), 1);
	forget(f);
	ip("link delete left");
	settle(f);
	assert_int_equal(f->count, 2);
	assert_int_equal(count_changes(f, NETIF_VANISHED, "left"), 1);
	assert_int_equal(count_changes(f, NETIF_VANISHED, "right"), 1);
}

/* A port that leaves its bridge is said to be "deleted", by the bridge. */
static void test_bridge_port(void **state)
{
	struct fixture *f = fixture(state);

	ip("link add port type veth peer name other_end");
	ip("link add bridge0 type bridge");
	follow(f);
	forget(f);
	ip("link set port master bridge0");
	ip("link set port nomaster");
	settle(f);
	assert_int_equal(f->count, 0);
	assert_non_null(netif_by_name(f->netif, "port"));
}

static void test_addresses(void **state)
{
	struct fixture *f = fixture(state);

	ip("link add one type bridge");
	ip("link add two type bridge");
	ip("link set one up");
	ip("addr add 192.0.2.1/24 dev one");
	ip("addr add 2001:db8::1/64 dev one");
	follow(f);
	assert_true(is_local(f, "192.0.2.1"));
	assert_true(is_local(f, "2001:db8::1"));
	assert_false(is_local(f, "192.0.2.2"));
	assert_false(is_local(f, "2001:db8::2"));
	ip("addr add 198.51.100.7/32 dev one");
	ip("addr add 198.51.100.7/24 dev one");
	ip("addr del 198.51.100.7/32 dev one");
	settle(f);
	assert_true(is_local(f, "198.51.100.7"));
	ip("addr add 198.51.100.7/24 dev two");
	ip("addr del 198.51.100.7/24 dev one");
	settle(f);
	assert_true(is_local(f, "198.51.100.7"));
	ip("link delete two");
	settle(f);
	assert_false(is_local(f, "198.51.100.7"));
	ip("addr del 2001:db8::1/64 dev one");
	ip("link delete one");
	settle(f);
	assert_false(is_local(f, "2001:db8::1"));
	assert_false(is_local(f, "192.0.2.1"));
}

static void test_point_to_point(void **state)
{
	struct fixture *f = fixture(state);

	ip("link add one type bridge");
	follow(f);
	ip("addr add 192.0.2.1 peer 192.0.2.2 dev one");
	ip("addr add 192.0.2.1 peer 192.0.2.3 dev one");
	ip("addr add 2001:db8::1 peer 2001:db8::2 dev one");
	settle(f);
	assert_true(is_local(f, "192.0.2.1"));
	assert_true(is_local(f, "2001:db8::1"));
	assert_false(is_local(f, "192.0.2.2"));
	assert_false(is_local(f, "192.0.2.3"));
	assert_false(is_local(f, "2001:db8::2"));
	ip("addr del 192.0.2.1 peer 192.0.2.2 dev one");
	settle(f);
	assert_true(is_local(f, "192.0.2.1"));
	ip("addr del 192.0.2.1 peer 192.0.2.3 dev one");
	settle(f);
	assert_false(is_local(f, "192.0.2.1"));
}

static void test_loopback(void **state)
{
	struct fixture *f = fixture(state);

	follow(f); /* lo is down and has no address */
	assert_true(is_local(f, "127.0.0.1"));
	assert_true(is_local(f, "127.0.0.0"));
	assert_true(is_local(f, "127.255.255.255"));
	assert_true(is_local(f, "::1"));
	assert_false(is_local(f, "126.255.255.255"));
	assert_false(is_local(f, "128.0.0.0"));
	assert_false(is_local(f, "::"));
	assert_false(is_local(f, "::2"));
	assert_false(is_local(f, "::127.0.0.1"));
}

/* A tun device that becomes Ethernet needs another entry point: a new interface. */
static void test_type_change(void **state)
{
	struct fixture *f = fixture(state);
	struct ifreq req = {.ifr_name = "tun0", .ifr_flags = IFF_TUN | IFF_NO_PI};
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

	if (fd < 0) {
		print_message("/dev/net/tun: %s\n", strerror(errno));
		skip();
	}
	assert_int_equal(ioctl(fd, TUNSETIFF, &req), 0);
	ip("addr add 192.0.2.1/24 dev tun0");
	follow(f);
	assert_int_equal(netif_by_name(f->netif, "tun0")->arphrd, ARPHRD_NONE);
	forget(f);
	assert_int_equal(ioctl(fd, TUNSETLINK, ARPHRD_ETHER), 0);
	settle(f);
	expect_change(f, 0, NETIF_VANISHED, "tun0");
	expect_change(f, 1, NETIF_APPEARED, "tun0");
	assert_int_equal(f->change[1].link.arphrd, ARPHRD_ETHER);
	assert_int_equal(f->count, 2);
	assert_true(is_local(f, "192.0.2.1"));
	close(fd);
	settle(f);
	expect_change(f, 2, NETIF_VANISHED, "tun0");
}

/* A dump of many interfaces comes in several messages. */
static void test_many(void **state)
{
	struct fixture *f = fixture(state);
	FILE *batch = popen("ip -batch -", "w");
	char name[32];

	assert_non_null(batch);
	for (int i = 0; i < 150; i++) {
		fprintf(batch, "link add many%d type bridge\n", i);
		fprintf(batch, "addr add 192.0.2.%d/32 dev many%d\n", i, i);
	}
	assert_int_equal(pclose(batch), 0);
	follow(f);
	for (int i = 0; i < 150; i++) {
		snprintf(name, sizeof(name), "many%d", i);
		assert_int_equal(count_changes(f, NETIF_APPEARED, name), 1);
		snprintf(name, sizeof(name), "192.0.2.%d", i);
		assert_true(is_local(f, name));
	}
}

/* More messages than the queue holds: what was lost is found by comparing. */
static void test_overrun(void **state)
{
	const unsigned int rounds = 3000;
	struct fixture *f = fixture(state);

	ip("link add busy type bridge");
	ip("link add stays type bridge");
	ip("link add leaves type bridge");
	ip("link add gets_name type bridge");
	ip("addr add 192.0.2.1/24 dev leaves");
	ip("addr add 192.0.2.2/24 dev stays");
	ip("addr add 192.0.2.3/24 dev stays");
	follow(f);
	forget(f);
	for (unsigned int i = 0; i < rounds; i++) {
		set_up("busy", true);
		set_up("busy", false);
	}
	ip("link delete leaves");
	ip("link set gets_name name named");
	ip("link add comes type bridge");
	ip("addr add 192.0.2.4/32 dev comes");
	ip("addr del 192.0.2.3/24 dev stays");
	set_up("busy", true);
	settle(f);
	/* Else nothing was lost, and this test shows nothing. */
	assert_true(count_changes(f, NETIF_UP, "busy") < rounds);
	assert_int_equal(count_changes(f, NETIF_VANISHED, "leaves"), 1);
	assert_int_equal(count_changes(f, NETIF_RENAMED, "named"), 1);
	assert_int_equal(count_changes(f, NETIF_APPEARED, "comes"), 1);
	assert_int_equal(count_changes(f, NETIF_APPEARED, "stays"), 0);
	assert_int_equal(count_changes(f, NETIF_VANISHED, "stays"), 0);
	assert_true(netif_by_name(f->netif, "busy")->up);
	assert_false(is_local(f, "192.0.2.1"));
	assert_true(is_local(f, "192.0.2.2"));
	assert_false(is_local(f, "192.0.2.3"));
	assert_true(is_local(f, "192.0.2.4"));
	forget(f);
	ip("link delete comes");
	settle(f);
	assert_int_equal(count_changes(f, NETIF_VANISHED, "comes"), 1);
}

/* What a message leads to takes time: the loop's others have their turn after each. */
static void test_turns(void **state)
{
	struct fixture *f = fixture(state);

	follow(f);
	forget(f);
	ip("link add one type bridge");
	ip("link add two type bridge");
	assert_true(loop_once(f->loop, QUIET_MS) > 0);
	assert_int_equal(count_changes(f, NETIF_APPEARED, "two"), 0);
	settle(f);
	assert_int_equal(count_changes(f, NETIF_APPEARED, "one"), 1);
	assert_int_equal(count_changes(f, NETIF_APPEARED, "two"), 1);
}

static void test_free_stops(void **state)
{
	struct fixture *f = fixture(state);

	follow(f);
	forget(f);
	netif_free(f->netif);
	f->netif = NULL;
	ip("link add one type bridge");
	assert_int_equal(loop_once(f->loop, QUIET_MS), 0);
	assert_int_equal(f->count, 0);
	netif_free(NULL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_existing),	TEST(test_life),	TEST(test_veth),
		TEST(test_bridge_port), TEST(test_addresses),	TEST(test_point_to_point),
		TEST(test_loopback),	TEST(test_type_change), TEST(test_many),
		TEST(test_overrun),	TEST(test_turns),	TEST(test_free_stops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
