// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <linux/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "doctor.h"

/* The finding has this status and all of the words (NULL ends them). */
static void expect(const struct doctor_finding *f, enum doctor_status status,
		   const char *const words[4])
{
	if (f->status != status)
		fail_msg("status %d, want %d: %s", f->status, status, f->text);
	for (int i = 0; i < 4 && words[i]; i++)
		if (!strstr(f->text, words[i]))
			fail_msg("no \"%s\" in: %s", words[i], f->text);
}

#define EXPECT(f, status, ...) expect(f, status, (const char *const[4]){__VA_ARGS__})

static void test_line(void **state)
{
	static const struct {
		enum doctor_status status;
		const char *check, *text, *line;
	} rows[] = {
		{DOCTOR_OK, "kernel", "6.1.0", "ok    kernel      6.1.0\n"},
		{DOCTOR_NO, "privileges", "missing: CAP_BPF",
		 "no    privileges  missing: CAP_BPF\n"},
		{DOCTOR_NOTE, "interface", "a\x1b[31m\xff: up",
		 "note  interface   a\\x1b[31m\\xff: up\n"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct doctor_finding f;
		struct buf out = {0};

		doctor_find(&f, rows[i].status, "%s", rows[i].text);
		doctor_line(&out, rows[i].check, &f);
		assert_string_equal(out.data, rows[i].line);
		buf_free(&out);
	}
}

static void test_finding_is_bounded(void **state)
{
	struct doctor_finding f;
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	doctor_find(&f, DOCTOR_OK, "%s", text);
	assert_int_equal(strlen(f.text), sizeof(f.text) - 1);
}

static void test_version(void **state)
{
	static const struct {
		const char *release;
		uint32_t version;
	} rows[] = {
		{"6.1.0-18-amd64", DOCTOR_VERSION(6, 1)},
		{"5.10.0", DOCTOR_VERSION(5, 10)},
		{"6.18.44-fc", DOCTOR_VERSION(6, 18)},
		{"7.3-rc1", DOCTOR_VERSION(7, 3)},
		{"", 0},
		{"next", 0},
		{"6", 0},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (doctor_version(rows[i].release) != rows[i].version)
			fail_msg("\"%s\" became %#x", rows[i].release,
				 doctor_version(rows[i].release));
	assert_true(DOCTOR_VERSION(6, 10) > DOCTOR_VERSION(6, 9));
	assert_true(DOCTOR_VERSION(6, 0) > DOCTOR_VERSION(5, 19));
}

static void test_kernel(void **state)
{
	struct doctor_finding f;

	(void)state;
	doctor_kernel(&f, "6.1.0-18-amd64");
	EXPECT(&f, DOCTOR_OK, "6.1.0-18-amd64");
	doctor_kernel(&f, "6.0.19");
	EXPECT(&f, DOCTOR_NOTE, "6.0.19", "6.1");
	doctor_kernel(&f, "5.10.0-28");
	EXPECT(&f, DOCTOR_NOTE, "tested from 5.10", "boot a newer one if");
	doctor_kernel(&f, "5.9.16");
	EXPECT(&f, DOCTOR_NOTE, "older than 5.10", "boot 6.1");
	doctor_kernel(&f, "next");
	EXPECT(&f, DOCTOR_NOTE, "next");
}

static void test_privileges(void **state)
{
	struct doctor_caps caps = {.initial_userns = true};
	struct doctor_finding f;

	(void)state;
	doctor_privileges(&f, &caps);
	EXPECT(&f, DOCTOR_NO, "missing: CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN;", "root", "setcap",
	       "AmbientCapabilities");
	caps.bpf = caps.net_admin = true;
	doctor_privileges(&f, &caps);
	EXPECT(&f, DOCTOR_NO, "missing: CAP_PERFMON;");
	caps.perfmon = true;
	doctor_privileges(&f, &caps);
	EXPECT(&f, DOCTOR_OK, "CAP_BPF");
	caps = (struct doctor_caps){.sys_admin = true, .initial_userns = true};
	doctor_privileges(&f, &caps);
	EXPECT(&f, DOCTOR_OK, "CAP_SYS_ADMIN");
	caps.initial_userns = false;
	doctor_privileges(&f, &caps);
	EXPECT(&f, DOCTOR_NO, "user namespace", "run on the host");
}

static void test_lockdown(void **state)
{
	struct doctor_finding f;

	(void)state;
	doctor_lockdown(&f, "[none] integrity confidentiality\n");
	EXPECT(&f, DOCTOR_OK, "none");
	doctor_lockdown(&f, "none [integrity] confidentiality\n");
	EXPECT(&f, DOCTOR_OK, "integrity");
	doctor_lockdown(&f, "none integrity [confidentiality]\n");
	EXPECT(&f, DOCTOR_NOTE, "confidentiality", "lockdown=integrity");
}

static void test_memlock(void **state)
{
	struct doctor_finding f;

	(void)state;
	assert_false(doctor_memlock(&f, DOCTOR_VERSION(5, 11), 65536, false));
	assert_false(doctor_memlock(&f, DOCTOR_VERSION(6, 1), 65536, false));
	assert_true(doctor_memlock(&f, DOCTOR_VERSION(5, 10), 65536, false));
	EXPECT(&f, DOCTOR_NOTE, "64 KiB", "CAP_SYS_RESOURCE", "LimitMEMLOCK");
	assert_true(doctor_memlock(&f, DOCTOR_VERSION(5, 10), 65536, true));
	EXPECT(&f, DOCTOR_OK, "");
	assert_true(doctor_memlock(&f, DOCTOR_VERSION(5, 10), RLIM_INFINITY, false));
	EXPECT(&f, DOCTOR_OK, "");
}

static void test_refused(void **state)
{
	struct doctor_finding f;

	(void)state;
	doctor_refused(&f, EPERM, 16384);
	EXPECT(&f, DOCTOR_NO, "not permitted", "above");
	doctor_refused(&f, EOPNOTSUPP, 16384);
	EXPECT(&f, DOCTOR_NO, "5.18", "leave out --hook xdp");
	doctor_refused(&f, ENOMEM, 1048576);
	EXPECT(&f, DOCTOR_NO, "memory", "--flow-table", "1048576");
	doctor_refused(&f, EINVAL, 16384);
	EXPECT(&f, DOCTOR_NO, "Invalid argument", "-v");
}

static void test_interface(void **state)
{
	const struct doctor_link up = {
		.name = "eth7", .arphrd = ARPHRD_ETHER, .up = true, .tried = true, .hook = "tcx"};
	struct doctor_finding f;
	struct doctor_link link = up;

	(void)state;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_OK, "eth7: up", "Ethernet", "tcx");
	link.arphrd = ARPHRD_NONE;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_OK, "raw IP");
	link.arphrd = ARPHRD_CAN;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "eth7", "280", "not read", "observe");
	link = up;
	link.up = false;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "eth7: down", "comes up");
	link = up;
	link.tried = false;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "eth7: up", "once the programs load");
}

static void test_interface_refused(void **state)
{
	struct doctor_link link = {
		.name = "eth7", .arphrd = ARPHRD_ETHER, .up = true, .tried = true, .hook = "none"};
	struct doctor_finding f;

	(void)state;
	link.err = -EOPNOTSUPP;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "eth7", "cannot attach", "6.6", "--hook tcx");
	link.err = -EPERM;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "not permitted", "CAP_NET_ADMIN");
	link.err = -EADDRINUSE;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "cannot attach", "priority 1", "tc filter show");
	link.err = -EEXIST;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "cannot attach", "ingress qdisc", "clsact");
	link.err = -EALREADY;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "cannot attach", "XDP program", "not replaced", "--hook xdp");
	link.err = -EIO;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "Input/output error");
}

static void test_interface_with_others(void **state)
{
	struct doctor_link link = {
		.name = "eth7", .arphrd = ARPHRD_ETHER, .up = true, .tried = true, .hook = "tcx"};
	struct doctor_finding f;

	(void)state;
	link.others = 1;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_OK, "ahead of 1 other program");
	assert_null(strstr(f.text, "programs"));
	link.others = 3;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_OK, "ahead of 3 other programs");
	link.ahead = 2;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "2 programs", "running agent", "restart it");
	link.ahead = 0;
	link.hook = "clsact";
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "3 tcx programs", "leave out --hook clsact");
	link.others = 0;
	snprintf(link.xdp, sizeof(link.xdp), "xdp_filter");
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "XDP program xdp_filter", "not seen");
}

static void test_interface_xdp(void **state)
{
	struct doctor_link link = {
		.name = "eth7", .arphrd = ARPHRD_ETHER, .up = true, .tried = true, .hook = "tcx"};
	static const char *const words[] = {
		[XDP_MODE_UNKNOWN] = "XDP not tried",
		[XDP_MODE_GENERIC] = "XDP would be generic",
		[XDP_MODE_NATIVE] = "XDP would be native",
		[XDP_MODE_NATIVE_FRAGS] = "XDP would be native, multi-buffer",
	};
	struct doctor_finding f;

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		link.mode = (enum xdp_mode)i;
		doctor_interface(&f, &link);
		EXPECT(&f, DOCTOR_OK, "eth7: up", words[i]);
	}
	link.hook = "native XDP, tcx egress"; /* tried: no need to guess */
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_OK, "native XDP, tcx egress");
	assert_null(strstr(f.text, "would"));
	link.arphrd = ARPHRD_LOOPBACK; /* XDP is not put there */
	link.hook = "tcx";
	doctor_interface(&f, &link);
	assert_null(strstr(f.text, "XDP"));
}

/* What is there already: an agent's own, or somebody else's, by its name. */
static void test_interface_taken(void **state)
{
	struct doctor_link link = {.name = "eth7",
				   .arphrd = ARPHRD_ETHER,
				   .up = true,
				   .tried = true,
				   .hook = "none",
				   .err = -EALREADY};
	struct doctor_finding f;

	(void)state;
	snprintf(link.xdp, sizeof(link.xdp), "xdp_filter");
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "cannot attach", "XDP program xdp_filter", "--hook xdp");
	link.xdp[0] = '\0';
	link.own_xdp = true;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_OK, "eth7: up", "XDP by the running agent");
	link.err = 0;
	link.hook = "tcx";
	link.mode = XDP_MODE_NATIVE;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_OK, "tcx; XDP by the running agent");
	assert_null(strstr(f.text, "would"));
	link.tapped = true;
	doctor_interface(&f, &link);
	EXPECT(&f, DOCTOR_NOTE, "eth7: up", "tapped by an agent", "dropped");
}

static void test_xdp(void **state)
{
	struct doctor_finding f;

	(void)state;
	doctor_xdp(&f, 0, false);
	EXPECT(&f, DOCTOR_OK, "possible", "--hook xdp");
	doctor_xdp(&f, 0, true);
	EXPECT(&f, DOCTOR_OK, "offloads", "MTU");
	doctor_xdp(&f, -EINVAL, false);
	EXPECT(&f, DOCTOR_OK, "5.18");
	doctor_xdp(&f, -EINVAL, true);
	EXPECT(&f, DOCTOR_NO, "5.18", "leave out --hook xdp");
	doctor_xdp(&f, -EPERM, false);
	EXPECT(&f, DOCTOR_NOTE, "not permitted");
}

static void test_port(void **state)
{
	static const char at[] = "127.0.0.1:10035", refused[] = "127.0.0.1:10035: in use; move";
	static const struct {
		const char *refused;
		bool agent, answers;
		enum doctor_status status;
		const char *word;
	} rows[] = {
		{NULL, false, false, DOCTOR_OK, "free"},
		{NULL, true, false, DOCTOR_OK, "free"}, /* an agent with another address */
		{refused, true, true, DOCTOR_OK, "running agent"},
		{refused, false, true, DOCTOR_NO, "another --socket"},
		{refused, false, false, DOCTOR_NO, "in use; move"},
		{refused, true, false, DOCTOR_NOTE, "in use; move"},
	};
	struct doctor_finding f;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		doctor_port(&f, at, rows[i].refused, rows[i].agent, rows[i].answers);
		EXPECT(&f, rows[i].status, at, rows[i].word);
	}
}

static void test_limits(void **state)
{
	static const char *const hidden[] = {
		"TLS 1.3", "Encrypted ClientHello", "QUIC", "over 16 KiB", "fragment", "tunnel",
		"loopback"};
	struct doctor_finding f;

	(void)state;
	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++) {
		unsigned int n = 0;

		while (doctor_limit(&f, n++) && !strstr(f.text, hidden[i]))
			assert_true(n < 100);
		EXPECT(&f, DOCTOR_NOTE, hidden[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),
		cmocka_unit_test(test_finding_is_bounded),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_kernel),
		cmocka_unit_test(test_privileges),
		cmocka_unit_test(test_lockdown),
		cmocka_unit_test(test_memlock),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_interface),
		cmocka_unit_test(test_interface_refused),
		cmocka_unit_test(test_interface_with_others),
		cmocka_unit_test(test_interface_xdp),
		cmocka_unit_test(test_interface_taken),
		cmocka_unit_test(test_xdp),
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
