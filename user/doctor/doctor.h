/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * doctor.h - from what was found out about this host to what it means for alpnscope and
 * what to do about it: pure functions; cmd_doctor.c finds out.
 */
#ifndef ALPNSCOPE_DOCTOR_H
#define ALPNSCOPE_DOCTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "attach.h"
#include "buf.h"
#include "xdp.h"

/** enum doctor_status - DOCTOR_NO: `run` would fail; DOCTOR_NOTE: it would see less. */
enum doctor_status { DOCTOR_OK, DOCTOR_NO, DOCTOR_NOTE };

/** struct doctor_finding - one line of the report; the text may hold hostile names. */
struct doctor_finding {
	enum doctor_status status;
	char text[512];
};

/** doctor_find - fill @f. */
void doctor_find(struct doctor_finding *f, enum doctor_status status, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/** doctor_line - append the line of @f: status, @check, text, aligned; names escaped. */
void doctor_line(struct buf *out, const char *check, const struct doctor_finding *f);

/** A kernel version that compares as a number. */
#define DOCTOR_VERSION(major, minor) ((uint32_t)(major) << 16 | (minor))

/** doctor_version - DOCTOR_VERSION() of a release such as "6.1.0-18-amd64"; 0 if it is none. */
uint32_t doctor_version(const char *release);

/** doctor_kernel - is @release (uname) one that alpnscope is made for? Never DOCTOR_NO: the
 * load tells what works. */
void doctor_kernel(struct doctor_finding *f, const char *release);

/**
 * struct doctor_caps - effective capabilities.
 * @initial_userns: they are those of the host, not of a user namespace
 */
struct doctor_caps {
	bool bpf, perfmon, net_admin, sys_admin;
	bool initial_userns;
};

/** doctor_privileges - may we load and attach? Since Linux 5.8 (2c78ee898d8f) by CAP_BPF and
 * friends; CAP_SYS_ADMIN stands for all of them. */
void doctor_privileges(struct doctor_finding *f, const struct doctor_caps *caps);

/** doctor_lockdown - @text is that of /sys/kernel/security/lockdown, the mode in brackets. */
void doctor_lockdown(struct doctor_finding *f, const char *text);

/**
 * doctor_memlock - before Linux 5.11 maps are charged to RLIMIT_MEMLOCK.
 * @version: DOCTOR_VERSION; @limit: the hard limit in bytes, RLIM_INFINITY for none
 * @sys_resource: the limit may be raised
 * Returns false, with @f untouched, when this kernel does not charge.
 */
bool doctor_memlock(struct doctor_finding *f, uint32_t version, uint64_t limit, bool sys_resource);

/** doctor_xdp - @err: of xdp_supported(); @asked: --hook xdp was given. */
void doctor_xdp(struct doctor_finding *f, int err, bool asked);

/** doctor_refused - the programs did not load: @err is the errno, @flows what was asked for. */
void doctor_refused(struct doctor_finding *f, int err, uint32_t flows);

/**
 * struct doctor_link - one interface.
 * @tried: attaching was tried; @err: 0, or the -errno that came of it
 * @hook: attach_describe() when it went well
 * @others: tcx programs of others on it, both directions
 * @ahead: how many of those run before the running agent's
 * @tapped: an agent's --tap is on it
 * @own_xdp: an agent's XDP program is on it
 * @xdp: an XDP program of somebody else's is on it: its name or number, "" for none
 * @mode: what XDP would be there, by its driver's word
 */
struct doctor_link {
	const char *name;
	uint16_t arphrd;
	bool up;
	bool tried;
	int err;
	const char *hook;
	unsigned int others, ahead;
	bool tapped, own_xdp;
	char xdp[32];
	enum xdp_mode mode;
};

/** doctor_interface - would it be observed? Never DOCTOR_NO: another one may do. */
void doctor_interface(struct doctor_finding *f, const struct doctor_link *link);

/** doctor_unattached - attaching to @name failed: @err is the -errno of attach_add. */
void doctor_unattached(struct doctor_finding *f, enum doctor_status status, const char *name,
		       int err);

/**
 * doctor_port - may `run` listen there?
 * @address: that of --web.listen-address
 * @refused: NULL when it is free, else why it is not, and what to do
 * @agent: an agent is running, or may be
 * @answers: what listens there is an alpnscope
 */
void doctor_port(struct doctor_finding *f, const char *address, const char *refused, bool agent,
		 bool answers);

/** doctor_limit - the @number-th (from 0) of what alpnscope cannot see, on any host, and what
 * it does instead. Returns false when there are no more. */
bool doctor_limit(struct doctor_finding *f, unsigned int number);

#endif
