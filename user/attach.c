// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <uthash.h>

#include "alpnscope.skel.h"
#include "compat.h"

enum state { ATTACHED_TCX, ATTACHED_CLSACT, FAILED, SKIPPED };

struct port {
	unsigned int ifindex;
	enum state state;
	int link[2]; /* tcx */
	struct compat_clsact clsact;
	UT_hash_handle hh;
};

struct attach {
	struct alpnscope_bpf *skel;
	enum attach_hook hook;
	const char *hook_name;
	struct port *ports;
};

enum attach_kind attach_kind(uint16_t arphrd)
{
	switch (arphrd) {
	case ARPHRD_ETHER:
	case ARPHRD_LOOPBACK:
		return ATTACH_ETHERNET;
	case ARPHRD_NONE: /* tun, wireguard */
	case ARPHRD_RAWIP:
	case ARPHRD_TUNNEL: /* ipip */
	case ARPHRD_TUNNEL6:
	case ARPHRD_SIT:
		return ATTACH_IP;
	default:
		return ATTACH_UNKNOWN;
	}
}

struct attach *attach_new(struct alpnscope_bpf *skel, enum attach_hook hook)
{
	struct attach *a = calloc(1, sizeof(*a));

	if (!a)
		return NULL;
	a->skel = skel;
	a->hook = hook;
	a->hook_name = "none";
	return a;
}

static void detach(struct port *p, bool gone)
{
	if (p->state == ATTACHED_TCX) {
		close(p->link[COMPAT_INGRESS]);
		close(p->link[COMPAT_EGRESS]);
	} else if (p->state == ATTACHED_CLSACT && !gone) {
		compat_clsact_detach(&p->clsact);
	}
}

void attach_free(struct attach *a)
{
	struct port *p, *next;

	if (!a)
		return;
	HASH_ITER (hh, a->ports, p, next) {
		detach(p, false);
		HASH_DEL(a->ports, p);
		free(p);
	}
	free(a);
}

static int attach_tcx(struct port *p, int in_fd, int out_fd)
{
	int fd = compat_tcx_attach(in_fd, p->ifindex, COMPAT_INGRESS);

	if (fd < 0)
		return fd;
	p->link[COMPAT_INGRESS] = fd;
	fd = compat_tcx_attach(out_fd, p->ifindex, COMPAT_EGRESS);
	if (fd < 0) {
		close(p->link[COMPAT_INGRESS]);
		return fd;
	}
	p->link[COMPAT_EGRESS] = fd;
	p->state = ATTACHED_TCX;
	return 0;
}

static int attach_port(struct attach *a, struct port *p, enum attach_kind kind)
{
	const struct bpf_program *in =
		kind == ATTACH_IP ? a->skel->progs.alpnscope_in3 : a->skel->progs.alpnscope_in;
	const struct bpf_program *out =
		kind == ATTACH_IP ? a->skel->progs.alpnscope_out3 : a->skel->progs.alpnscope_out;
	int in_fd = bpf_program__fd(in), out_fd = bpf_program__fd(out);
	int err = -EOPNOTSUPP;

	if (a->hook != ATTACH_CLSACT)
		err = attach_tcx(p, in_fd, out_fd);
	if (!err) {
		a->hook_name = "tcx";
		compat_clsact_clean(p->ifindex);
	} else if (a->hook != ATTACH_TCX && err == -EOPNOTSUPP) {
		err = compat_clsact_attach(in_fd, out_fd, p->ifindex, &p->clsact);
		if (!err) {
			p->state = ATTACHED_CLSACT;
			a->hook_name = "clsact";
		}
	}
	return err;
}

static struct port *port_of(struct attach *a, unsigned int ifindex)
{
	struct port *p;

	HASH_FIND(hh, a->ports, &ifindex, sizeof(ifindex), p);
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->ifindex = ifindex;
	p->state = FAILED;
	HASH_ADD(hh, a->ports, ifindex, sizeof(p->ifindex), p);
	return p;
}

static const char *cause(int err)
{
	switch (err) {
	case -ENODEV:
		return "no such interface";
	case -ENOENT: /* of a qdisc's kind: the kernel found no module */
		return "this kernel has no clsact; load the modules sch_ingress and cls_bpf";
	case -EEXIST:
		return "it has an ingress qdisc, which lacks the other direction: put clsact in "
		       "its place, which takes the same filters";
	case -EADDRINUSE:
		return "a filter of another kind has priority 1, which ours need: give it 2 or "
		       "more";
	default:
		return strerror(-err);
	}
}

int attach_add(struct attach *a, unsigned int ifindex, const char *name, uint16_t arphrd,
	       char *error, size_t size)
{
	enum attach_kind kind = attach_kind(arphrd);
	struct port *p = port_of(a, ifindex);
	int err;

	if (!p) {
		snprintf(error, size, "cannot attach to %s: out of memory", name);
		return -ENOMEM;
	}
	if (p->state == ATTACHED_TCX || p->state == ATTACHED_CLSACT)
		return 0;
	if (kind == ATTACH_UNKNOWN) {
		p->state = SKIPPED;
		snprintf(
			error, size,
			"cannot attach to %s: frames of hardware type %u are not read; observe the "
			"interface that its traffic goes on to",
			name, arphrd);
		return -EPROTONOSUPPORT;
	}
	err = attach_port(a, p, kind);
	if (!err)
		return 0;
	p->state = FAILED;
	if (err == -EOPNOTSUPP)
		snprintf(error, size,
			 "cannot attach to %s: this kernel has no tcx (it came with Linux 6.6); "
			 "leave out --hook tcx",
			 name);
	else
		snprintf(error, size, "cannot attach to %s: %s; `alpnscope doctor` tells more",
			 name, cause(err));
	return err;
}

void attach_remove(struct attach *a, unsigned int ifindex, bool gone)
{
	struct port *p;

	HASH_FIND(hh, a->ports, &ifindex, sizeof(ifindex), p);
	if (!p)
		return;
	detach(p, gone);
	HASH_DEL(a->ports, p);
	free(p);
}

struct attach_count attach_counts(const struct attach *a)
{
	struct attach_count n = {0};

	for (const struct port *p = a->ports; p; p = p->hh.next) {
		n.attached += p->state == ATTACHED_TCX || p->state == ATTACHED_CLSACT;
		n.failed += p->state == FAILED;
		n.skipped += p->state == SKIPPED;
	}
	return n;
}

const char *attach_hook_name(const struct attach *a)
{
	return a->hook_name;
}
