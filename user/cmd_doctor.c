// SPDX-License-Identifier: GPL-2.0-only
/* Finds out, by trying where that leaves nothing behind; doctor.c says what it means. */
#include <cap-ng.h>
#include <errno.h>
#include <net/if_arp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "alpnscope.skel.h"
#include "commands.h"
#include "compat.h"
#include "control.h"
#include "doctor.h"
#include "doctor_library.h"
#include "doctor_look.h"
#include "listen.h"
#include "netif.h"
#include "options.h"
#include "probe.h"
#include "program.h"
#include "xdp.h"

#define ERROR_MAX 512
#define BTF_PATH "/sys/kernel/btf/vmlinux"
#define LOCKDOWN_PATH "/sys/kernel/security/lockdown"
#define JIT_PATH "/proc/sys/net/core/bpf_jit_enable"
#define INITIAL_USERNS 0xEFFFFFFDU /* PROC_USER_INIT_INO of linux/proc_ns.h */

/**
 * struct doctor - what later checks need of earlier ones.
 * @cannot: a line said DOCTOR_NO
 * @skel, @attach: NULL when the programs do not load
 * @observed: interfaces that could be attached to
 */
struct doctor {
	const struct options *opt;
	bool cannot;
	uint32_t version;
	struct alpnscope_bpf *skel;
	struct attach *attach;
	unsigned int observed;
};

static void say(struct doctor *d, const char *check, const struct doctor_finding *f)
{
	struct buf line = {0};

	doctor_line(&line, check, f);
	if (!line.failed) {
		fputs(line.data, stdout);
		fflush(stdout); /* the next check may take a second */
	}
	buf_free(&line);
	d->cannot |= f->status == DOCTOR_NO;
}

/* The start of a file of /proc or /sys, terminated. 0 or -errno. */
static int read_text(const char *path, char *text, size_t size)
{
	FILE *file = fopen(path, "re");
	size_t len;

	if (!file)
		return -errno;
	len = fread(text, 1, size - 1, file);
	text[len] = '\0';
	fclose(file);
	return len ? 0 : -EIO;
}

/* ---- this kernel, these privileges ---- */

static void check_kernel(struct doctor *d)
{
	struct doctor_finding f;
	struct utsname name;
	char text[128];

	uname(&name);
	d->version = doctor_version(name.release);
	doctor_kernel(&f, name.release);
	say(d, "kernel", &f);
	if (access(BTF_PATH, R_OK))
		doctor_find(&f, DOCTOR_NO,
			    BTF_PATH ": %s; boot a kernel with CONFIG_DEBUG_INFO_BTF=y, or mount "
				     "/sys",
			    strerror(errno));
	else
		doctor_find(&f, DOCTOR_OK, BTF_PATH);
	say(d, "BTF", &f);
	if (!read_text(LOCKDOWN_PATH, text, sizeof(text))) {
		doctor_lockdown(&f, text);
		say(d, "lockdown", &f);
	}
}

static bool has(unsigned int capability)
{
	return capng_have_capability(CAPNG_EFFECTIVE, capability) == 1;
}

static void check_privileges(struct doctor *d)
{
	struct doctor_caps caps = {.initial_userns = true};
	struct rlimit limit = {.rlim_max = RLIM_INFINITY};
	struct doctor_finding f;
	struct stat ns;

	capng_get_caps_process();
	caps.bpf = has(CAP_BPF);
	caps.perfmon = has(CAP_PERFMON);
	caps.net_admin = has(CAP_NET_ADMIN);
	caps.sys_admin = has(CAP_SYS_ADMIN);
	if (!stat("/proc/self/ns/user", &ns))
		caps.initial_userns = ns.st_ino == INITIAL_USERNS;
	doctor_privileges(&f, &caps);
	say(d, "privileges", &f);
	getrlimit(RLIMIT_MEMLOCK, &limit);
	if (doctor_memlock(&f, d->version, limit.rlim_max, has(CAP_SYS_RESOURCE)))
		say(d, "memlock", &f);
}

/* ---- the programs ---- */

static double mebibytes(uint64_t bytes)
{
	return (double)bytes / (1 << 20);
}

static void load(struct doctor *d, struct doctor_finding *f)
{
	struct program_config config = {
		.flows = d->opt->flows, .slots = d->opt->slots, .xdp = d->opt->hook == ATTACH_XDP};
	struct timespec from, to;
	char error[ERROR_MAX];

	clock_gettime(CLOCK_MONOTONIC, &from);
	d->skel = program_load(&config, error, sizeof(error));
	clock_gettime(CLOCK_MONOTONIC, &to);
	/* Its own words would send the reader here. */
	if (!d->skel)
		doctor_refused(f, errno, d->opt->flows);
	else
		doctor_find(f, DOCTOR_OK, "loaded, past the verifier in %lld ms",
			    (long long)(to.tv_sec - from.tv_sec) * 1000 +
				    (to.tv_nsec - from.tv_nsec) / 1000000);
}

/* The length of the machine code, 0 when the program is interpreted. */
static unsigned int jited(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);

	return bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len) ? 0 : info.jited_prog_len;
}

static void check_jit(struct doctor *d)
{
	struct doctor_finding f;
	char text[16] = "";
	bool on;

	if (!d->skel && read_text(JIT_PATH, text, sizeof(text)))
		return; /* root's to read; the line above says what is missing */
	on = d->skel ? jited(d->skel->progs.alpnscope_in) > 0 : *text != '0';
	if (on)
		doctor_find(&f, DOCTOR_OK, "on");
	else
		doctor_find(&f, DOCTOR_NOTE,
			    "off: every packet costs several times as much; `sysctl -w "
			    "net.core.bpf_jit_enable=1`");
	say(d, "JIT", &f);
}

static void check_programs(struct doctor *d)
{
	struct doctor_finding f;

	load(d, &f);
	say(d, "programs", &f);
	check_jit(d);
	if (!d->skel)
		return;
	doctor_find(&f, DOCTOR_OK,
		    "%.1f MiB of the kernel's: %.1f the ring buffer, %.1f for --reassembly-table "
		    "%u, %.1f for --flow-table %u",
		    mebibytes(program_bytes(d->skel)),
		    mebibytes(bpf_map__max_entries(d->skel->maps.events)),
		    mebibytes((uint64_t)d->opt->slots * bpf_map__value_size(d->skel->maps.slots)),
		    d->opt->slots,
		    mebibytes((uint64_t)d->opt->flows * bpf_map__value_size(d->skel->maps.flows)),
		    d->opt->flows);
	say(d, "memory", &f);
	d->attach = attach_new(d->skel, d->opt->hook);
}

/* ---- the hook and the interfaces ---- */

/* Our programs only look: to attach for a moment is harmless. By XDP it may be noticed, and
 * is done for --hook xdp only. */
static int try_attach(struct doctor *d, const struct attach_target *target,
		      char how[ATTACH_HOW_MAX])
{
	char error[ERROR_MAX];
	int err = attach_add(d->attach, target, error, sizeof(error));

	attach_describe(d->attach, target->ifindex, how);
	attach_remove(d->attach, target->ifindex, false);
	return err;
}

static void check_hook(struct doctor *d)
{
	const struct attach_target lo = {
		.ifindex = if_nametoindex("lo"), .name = "lo", .arphrd = ARPHRD_LOOPBACK};
	char how[ATTACH_HOW_MAX];
	struct doctor_finding f;
	int err;

	if (!d->attach)
		return;
	err = try_attach(d, &lo, how);
	if (err)
		doctor_unattached(&f, DOCTOR_NOTE, "lo", err); /* another one may do */
	else if (!strcmp(how, "tcx"))
		doctor_find(&f, DOCTOR_OK,
			    "tcx: ahead of other programs, gone with the agent even if it "
			    "crashes");
	else
		doctor_find(&f, DOCTOR_OK,
			    "clsact%s: what a crashed agent leaves, the next one removes",
			    d->opt->hook != ATTACH_CLSACT
				    ? ", as this kernel has no tcx (Linux 6.6)"
				    : "");
	say(d, "hook", &f);
	doctor_xdp(&f, xdp_supported(), d->opt->hook == ATTACH_XDP);
	say(d, "XDP", &f);
}

static void on_interface(void *arg, const struct netif_change *change)
{
	struct doctor *d = arg;
	const struct netif_link *link = change->link;
	struct doctor_link found = {.name = link->name, .arphrd = link->arphrd, .up = link->up};
	const struct attach_target target = {
		.ifindex = link->index, .name = link->name, .arphrd = link->arphrd};
	char how[ATTACH_HOW_MAX];
	struct doctor_finding f;

	if (!options_observes(d->opt, link->name))
		return;
	if (d->attach && link->up && attach_kind(link->arphrd) != ATTACH_UNKNOWN) {
		found.tried = true;
		doctor_look(&found, link->index);
		found.err = try_attach(d, &target, how);
		found.hook = how;
		d->observed += !found.err || found.tapped || found.own_xdp;
	}
	doctor_interface(&f, &found);
	say(d, "interface", &f);
}

/* Are those there that -i names? */
static bool check_named(struct doctor *d, const struct netif *netif)
{
	struct doctor_finding f;
	bool there = true;

	for (unsigned int i = 0; i < d->opt->interfaces; i++) {
		if (netif_by_name(netif, d->opt->interface[i]))
			continue;
		doctor_find(&f, DOCTOR_NO, "%s: no such interface; `ip link` lists them",
			    d->opt->interface[i]);
		say(d, "interface", &f);
		there = false;
	}
	return there;
}

static void check_interfaces(struct doctor *d)
{
	struct loop *loop = loop_new();
	struct netif *netif = NULL;
	char error[ERROR_MAX] = "out of memory";
	struct doctor_finding f;

	if (loop)
		netif = netif_new(loop, on_interface, d, error, sizeof(error));
	if (!netif) {
		doctor_find(&f, DOCTOR_NO, "%s", error);
		say(d, "interface", &f);
	} else if (check_named(d, netif) && d->attach && !d->observed) {
		doctor_find(&f, DOCTOR_NO,
			    "none could be observed; see the lines above, and set one up");
		say(d, "interface", &f);
	}
	netif_free(netif);
	if (loop)
		loop_free(loop);
}

/* On clsact what we attach would outlive us: not to be ended in between. */
static void try_kernel(struct doctor *d)
{
	sigset_t set, old;

	check_programs(d);
	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGPIPE);
	sigprocmask(SIG_BLOCK, &set, &old);
	check_hook(d);
	check_interfaces(d);
	attach_free(d->attach);
	program_free(d->skel);
	sigprocmask(SIG_SETMASK, &old, NULL);
}

/* ---- a running agent, and its port ---- */

/* True when an agent is running, or may be. */
static bool check_agent(struct doctor *d)
{
	const char *path = d->opt->socket;
	int fd = control_connect(path);
	struct doctor_finding f;
	struct ucred peer = {0};
	socklen_t len = sizeof(peer);

	if (fd >= 0) {
		getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len);
		close(fd);
		doctor_find(&f, DOCTOR_OK, "running, pid %d; `alpnscope watch` shows its events",
			    (int)peer.pid);
	} else if (fd == -EACCES) {
		doctor_find(&f, DOCTOR_NOTE, "%s: %s; ask as root or as a member of its group",
			    path, strerror(-fd));
	} else if (!probe_can_make(path)) {
		doctor_find(&f, DOCTOR_NO,
			    "not running; this user cannot make %s; run as root, or with "
			    "RuntimeDirectory=alpnscope in its systemd unit",
			    path);
	} else {
		doctor_find(&f, DOCTOR_OK, "not running; `alpnscope run` starts one");
	}
	say(d, "agent", &f);
	return fd >= 0 || fd == -EACCES;
}

static void check_port(struct doctor *d, bool agent)
{
	const char *address = d->opt->listen_address;
	char error[ERROR_MAX];
	struct listener listener;
	struct doctor_finding f;

	if (!listen_on(address, &listener, error, sizeof(error))) {
		close(listener.fd);
		doctor_port(&f, address, NULL, agent, false);
	} else {
		doctor_port(&f, address, error, agent, probe_is_alpnscope(address));
	}
	say(d, "port", &f);
}

/* ---- TLS libraries ---- */

static void say_library(void *arg, const struct doctor_finding *f)
{
	say(arg, "library", f);
}

/* ---- what no check can better ---- */

static void tell_limits(struct doctor *d)
{
	struct doctor_finding f;

	for (unsigned int i = 0; doctor_limit(&f, i); i++)
		say(d, "not seen", &f);
}

int cmd_doctor(int argc, char **argv)
{
	struct options opt;
	struct doctor d = {.opt = &opt};
	int rc = options_parse(&opt, FOR_DOCTOR, "doctor", NULL, argc, argv);

	if (rc >= 0)
		return rc;
	check_kernel(&d);
	check_privileges(&d);
	try_kernel(&d);
	check_port(&d, check_agent(&d));
	doctor_libraries(say_library, &d);
	tell_limits(&d);
	return d.cannot ? EXIT_ERROR : EXIT_OK;
}
