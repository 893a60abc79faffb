// SPDX-License-Identifier: GPL-2.0-only
#include "doctor.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define PROMISED DOCTOR_VERSION(6, 1)
#define TESTED DOCTOR_VERSION(5, 10)
#define MEMCG_CHARGED DOCTOR_VERSION(5, 11) /* maps are charged to the memory cgroup since */

void doctor_find(struct doctor_finding *f, enum doctor_status status, const char *format, ...)
{
	va_list args;

	f->status = status;
	va_start(args, format);
	vsnprintf(f->text, sizeof(f->text), format, args);
	va_end(args);
}

void doctor_line(struct buf *out, const char *check, const struct doctor_finding *f)
{
	static const char *const names[] = {"ok", "no", "note"};

	buf_printf(out, "%-4s  %-10s  ", names[f->status], check);
	buf_escaped(out, (const uint8_t *)f->text, strlen(f->text));
	buf_puts(out, "\n");
}

uint32_t doctor_version(const char *release)
{
	unsigned int major, minor;

	if (sscanf(release, "%3u.%3u", &major, &minor) != 2)
		return 0;
	return DOCTOR_VERSION(major, minor);
}

void doctor_kernel(struct doctor_finding *f, const char *release)
{
	uint32_t version = doctor_version(release);

	if (version >= PROMISED)
		doctor_find(f, DOCTOR_OK, "%s (promised from 6.1, tested from 5.10)", release);
	else if (version >= TESTED)
		doctor_find(f, DOCTOR_NOTE,
			    "%s: tested from 5.10, promised from 6.1 only; boot a newer one if "
			    "a check below fails",
			    release);
	else
		doctor_find(f, DOCTOR_NOTE,
			    "%s: older than 5.10, the oldest that is tested; boot 6.1 or newer",
			    release);
}

void doctor_privileges(struct doctor_finding *f, const struct doctor_caps *caps)
{
	const struct {
		const char *name;
		bool held;
	} need[] = {{"CAP_BPF", caps->bpf},
		    {"CAP_PERFMON", caps->perfmon},
		    {"CAP_NET_ADMIN", caps->net_admin}};
	char missing[64] = "";
	size_t len = 0;

	for (size_t i = 0; i < sizeof(need) / sizeof(need[0]); i++)
		if (!need[i].held && !caps->sys_admin)
			len += (size_t)snprintf(missing + len, sizeof(missing) - len, "%s%s",
						len ? ", " : "", need[i].name);
	if (!caps->initial_userns)
		doctor_find(f, DOCTOR_NO,
			    "capabilities of a user namespace do not count for BPF; run on the "
			    "host, or in a container that has none of its own (--userns=host)");
	else if (*missing)
		doctor_find(f, DOCTOR_NO,
			    "missing: %s; run as root, or give them: `setcap "
			    "cap_bpf,cap_perfmon,cap_net_admin=ep` on the program, or "
			    "AmbientCapabilities= in its systemd unit",
			    missing);
	else
		doctor_find(f, DOCTOR_OK, "%s",
			    caps->sys_admin ? "CAP_SYS_ADMIN, which stands for CAP_BPF, "
					      "CAP_PERFMON and CAP_NET_ADMIN"
					    : "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN");
}

void doctor_lockdown(struct doctor_finding *f, const char *text)
{
	if (strstr(text, "[confidentiality]"))
		doctor_find(f, DOCTOR_NOTE,
			    "confidentiality: the kernel refuses programs that read its memory, "
			    "ours do for process names; boot with lockdown=integrity");
	else if (strstr(text, "[integrity]"))
		doctor_find(f, DOCTOR_OK, "integrity, which does not concern our programs");
	else
		doctor_find(f, DOCTOR_OK, "none");
}

bool doctor_memlock(struct doctor_finding *f, uint32_t version, uint64_t limit, bool sys_resource)
{
	if (!version || version >= MEMCG_CHARGED)
		return false;
	if (limit == RLIM_INFINITY || sys_resource)
		doctor_find(f, DOCTOR_OK, "no limit that would hold");
	else
		doctor_find(f, DOCTOR_NOTE,
			    "this kernel charges maps to it, and it is %llu KiB; give "
			    "CAP_SYS_RESOURCE, or LimitMEMLOCK=infinity (`ulimit -l unlimited`)",
			    (unsigned long long)limit / 1024);
	return true;
}

void doctor_xdp(struct doctor_finding *f, int err, bool asked)
{
	if (err == -EINVAL)
		doctor_find(f, asked ? DOCTOR_NO : DOCTOR_OK,
			    "not in this kernel (it takes Linux 5.18)%s",
			    asked ? "; leave out --hook xdp" : "");
	else if (err)
		doctor_find(f, asked ? DOCTOR_NO : DOCTOR_NOTE, "not tried: %s", strerror(-err));
	else if (asked)
		doctor_find(f, DOCTOR_OK,
			    "for what arrives on Ethernet; drivers may change offloads and MTU "
			    "limits as long as it is attached (README)");
	else
		doctor_find(f, DOCTOR_OK, "possible, not used: --hook xdp");
}

void doctor_refused(struct doctor_finding *f, int err, uint32_t flows)
{
	if (err == EPERM || err == EACCES)
		doctor_find(f, DOCTOR_NO,
			    "not loaded: %s; give what the lines above miss; -v shows the "
			    "kernel's own words",
			    strerror(err));
	else if (err == EOPNOTSUPP)
		doctor_find(f, DOCTOR_NO,
			    "not loaded: this kernel has no bpf_xdp_load_bytes (it came with Linux "
			    "5.18); leave out --hook xdp");
	else if (err == ENOMEM || err == E2BIG)
		doctor_find(f, DOCTOR_NO, "not loaded: %s; give a smaller --flow-table than %u",
			    strerror(err), flows);
	else
		doctor_find(f, DOCTOR_NO,
			    "not loaded: %s; report the kernel's own words, which -v shows, and "
			    "its release",
			    strerror(err));
}

/* The cause of -@err from attach_add and what to do; NULL: only the kernel knows. */
static const char *attach_cause(int err)
{
	switch (err) {
	case -EOPNOTSUPP:
		return "this kernel has no tcx (it came with Linux 6.6); leave out --hook tcx";
	case -EPERM:
	case -EACCES:
		return "not permitted; CAP_NET_ADMIN is needed in this network namespace";
	case -ENODEV:
		return "it is gone; run doctor again";
	case -EALREADY:
		return "another's XDP program is on it, and is not replaced; leave out --hook xdp, "
		       "or end that one (`bpftool net`)";
	case -EBUSY:
		return "too many agents are attached; stop one";
	case -ENOENT:
		return "this kernel has no clsact; load the modules sch_ingress and cls_bpf "
		       "(CONFIG_NET_SCH_INGRESS, CONFIG_NET_CLS_BPF)";
	case -EEXIST:
		return "it has an ingress qdisc, which lacks the other direction; put clsact in "
		       "its place, which takes the same filters";
	case -EADDRINUSE:
		return "a filter of another kind has priority 1, which ours need; give it 2 or "
		       "more (`tc filter show`)";
	default:
		return NULL;
	}
}

void doctor_unattached(struct doctor_finding *f, enum doctor_status status, const char *name,
		       int err)
{
	const char *cause = attach_cause(err);

	if (cause)
		doctor_find(f, status, "%s: cannot attach: %s", name, cause);
	else
		doctor_find(
			f, status,
			"%s: cannot attach: %s; `tc filter show` and `bpftool net` show what is "
			"on it, -v the kernel's own words",
			name, strerror(-err));
}

/* What --hook xdp would be there; nothing when it was given. */
static const char *would_be(const struct doctor_link *link)
{
	static const char *const words[] = {
		[XDP_MODE_UNKNOWN] = "; XDP not tried",
		[XDP_MODE_GENERIC] = "; XDP would be generic",
		[XDP_MODE_NATIVE] = "; XDP would be native",
		[XDP_MODE_NATIVE_FRAGS] = "; XDP would be native, multi-buffer",
	};

	if (link->own_xdp)
		return "; XDP by the running agent";
	return strstr(link->hook, "XDP") ? "" : words[link->mode];
}

/* Observed; is anybody between it and the wire? */
static void observed(struct doctor_finding *f, const struct doctor_link *link, const char *frames)
{
	const char *name = link->name;

	if (*link->xdp)
		doctor_find(f, DOCTOR_NOTE,
			    "%s: up, %s, %s; but the XDP program %s comes first: what that drops "
			    "or redirects is not seen; observe where it is redirected to",
			    name, frames, link->hook, link->xdp);
	else if (link->others && !strcmp(link->hook, "clsact"))
		doctor_find(f, DOCTOR_NOTE,
			    "%s: up, %s, clsact; but %u tcx program%s before it may hide packets; "
			    "leave out --hook clsact",
			    name, frames, link->others, link->others == 1 ? "" : "s");
	else if (link->ahead)
		doctor_find(f, DOCTOR_NOTE,
			    "%s: up, %s, tcx; but %u program%s before the running agent's may hide "
			    "packets from it; restart it: it goes to the head",
			    name, frames, link->ahead, link->ahead == 1 ? "" : "s");
	else if (link->others)
		doctor_find(f, DOCTOR_OK, "%s: up, %s, %s, ahead of %u other program%s", name,
			    frames, link->hook, link->others, link->others == 1 ? "" : "s");
	else
		doctor_find(f, DOCTOR_OK, "%s: up, %s, %s%s", name, frames, link->hook,
			    link->arphrd == ARPHRD_ETHER ? would_be(link) : "");
}

void doctor_interface(struct doctor_finding *f, const struct doctor_link *link)
{
	enum attach_kind kind = attach_kind(link->arphrd);
	const char *frames = kind == ATTACH_IP ? "raw IP" : "Ethernet";

	if (kind == ATTACH_UNKNOWN)
		doctor_find(f, DOCTOR_NOTE,
			    "%s: frames of hardware type %u are not read; observe the interface "
			    "that its traffic goes on to",
			    link->name, link->arphrd);
	else if (!link->up)
		doctor_find(f, DOCTOR_NOTE,
			    "%s: down, %s; observed when it comes up (`ip link set %s up`)",
			    link->name, frames, link->name);
	else if (!link->tried)
		doctor_find(f, DOCTOR_NOTE, "%s: up, %s; observed once the programs load",
			    link->name, frames);
	else if (link->tapped)
		doctor_find(
			f, DOCTOR_NOTE,
			"%s: up, %s, tapped by an agent: all that arrives there is dropped once it "
			"was seen; end that agent if it is no mirror port",
			link->name, frames);
	else if (link->err == -EALREADY && link->own_xdp)
		doctor_find(f, DOCTOR_OK, "%s: up, %s, XDP by the running agent", link->name,
			    frames);
	else if (link->err == -EALREADY && *link->xdp)
		doctor_find(f, DOCTOR_NOTE,
			    "%s: cannot attach: the XDP program %s is on it, and is not replaced; "
			    "leave "
			    "out --hook xdp, or end that one (`bpftool net`)",
			    link->name, link->xdp);
	else if (link->err)
		doctor_unattached(f, DOCTOR_NOTE, link->name, link->err);
	else
		observed(f, link, frames);
}

void doctor_port(struct doctor_finding *f, const char *address, const char *refused, bool agent,
		 bool answers)
{
	if (!refused)
		doctor_find(f, DOCTOR_OK, "%s is free", address);
	else if (agent && answers)
		doctor_find(f, DOCTOR_OK, "%s is the running agent's", address);
	else if (answers)
		doctor_find(f, DOCTOR_NO,
			    "%s: an alpnscope with another --socket has it; stop that one, or "
			    "give --web.listen-address another port",
			    address);
	else
		/* An agent that runs has found itself another address. */
		doctor_find(f, agent ? DOCTOR_NOTE : DOCTOR_NO, "%s", refused);
}

bool doctor_limit(struct doctor_finding *f, unsigned int number)
{
	static const char *const limits[] = {
		"TLS 1.3: the choice, encrypted, is inferred or undetermined (--library asks)",
		"Encrypted ClientHello: the inner hello; the outer one is told",
		"QUIC and HTTP/3: only TLS over TCP is read",
		"a hello of over 16 KiB or 64 TLS records: counted (alpnscope_lost_total)",
		"IP fragments: counted (alpnscope_parse_errors_total), not put together",
		"inside a tunnel that is encrypted, or on another port: observe its own device",
		"other network namespaces' loopback: run alpnscope inside (nsenter -t PID -n)",
	};

	if (number >= sizeof(limits) / sizeof(limits[0]))
		return false;
	doctor_find(f, DOCTOR_NOTE, "%s", limits[number]);
	return true;
}
