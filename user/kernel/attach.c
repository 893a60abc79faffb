// SPDX-License-Identifier: GPL-2.0-only
#include "attach.h"

#include <errno.h>
#include <linux/if_arp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hash.h"

#include "alpnscope.skel.h"
#include "compat.h"
#include "tap.h"
#include "xdp.h"

#define NONE -1 /* no fd */

enum state { ATTACHED, FAILED, SKIPPED };

/**
 * struct port - one interface.
 * @link: tcx links
 * @filters: clsact has ours
 * @xdp: fd NONE without
 * @promisc: tap_promiscuous()
 */
struct port {
	unsigned int ifindex;
	enum state state;
	bool tap;
	int link[2];
	bool filters;
	struct compat_clsact clsact;
	struct xdp_link xdp;
	int promisc;
	UT_hash_handle hh;
};

struct attach {
	struct alpnscope_bpf *skel;
	enum attach_hook hook;
	const char *hook_name;
	bool by_links; /* tcx works here */
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

static void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = NONE;
}

/* Undo what was attached, all of it or the part that was. */
static void detach(struct port *p, bool gone)
{
	shut(&p->link[COMPAT_INGRESS]);
	shut(&p->link[COMPAT_EGRESS]);
	shut(&p->xdp.fd);
	shut(&p->promisc);
	if (p->filters && !gone)
		compat_clsact_detach(&p->clsact);
	p->filters = false;
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

/* An fd of NONE leaves a side out. 0 or -errno; what is attached then goes by detach(). */
static int attach_tcx(struct port *p, const int fd[2])
{
	for (int side = COMPAT_INGRESS; side <= COMPAT_EGRESS; side++) {
		int link = NONE;

		if (fd[side] >= 0) {
			link = compat_tcx_attach(fd[side], p->ifindex, (enum compat_side)side);
			if (link < 0)
				return link;
		}
		p->link[side] = link;
	}
	return 0;
}

static int attach_tc(struct attach *a, struct port *p, const int fd[2])
{
	int err = a->hook == ATTACH_CLSACT ? -EOPNOTSUPP : attach_tcx(p, fd);

	if (!err) {
		a->hook_name = "tcx";
		a->by_links = true;
		compat_clsact_clean(p->ifindex);
	} else if (a->hook != ATTACH_TCX && err == -EOPNOTSUPP) {
		err = compat_clsact_attach(fd[COMPAT_INGRESS], fd[COMPAT_EGRESS], p->ifindex,
					   &p->clsact);
		p->filters = !err;
		if (!err)
			a->hook_name = "clsact";
	}
	return err;
}

/* The programs at TC; NONE where there is to be none. */
static void choose(const struct attach *a, const struct port *p, enum attach_kind kind, int fd[2])
{
	const struct bpf_program *in =
		kind == ATTACH_IP ? a->skel->progs.alpnscope_in3 : a->skel->progs.alpnscope_in;
	const struct bpf_program *out =
		kind == ATTACH_IP ? a->skel->progs.alpnscope_out3 : a->skel->progs.alpnscope_out;

	if (p->tap)
		in = a->skel->progs.alpnscope_tap;
	fd[COMPAT_INGRESS] = p->xdp.fd >= 0 ? NONE : bpf_program__fd(in);
	fd[COMPAT_EGRESS] = p->tap ? NONE : bpf_program__fd(out);
}

static int attach_xdp(const struct attach *a, struct port *p)
{
	const struct bpf_program *prog =
		p->tap ? a->skel->progs.alpnscope_xtap : a->skel->progs.alpnscope_xdp;

	return xdp_attach(bpf_program__fd(prog), p->ifindex, &p->xdp);
}

static int attach_port(struct attach *a, struct port *p, const struct attach_target *t)
{
	/* On lo and on raw IP XDP would be generic, and gain nothing. */
	bool xdp = a->hook == ATTACH_XDP && t->arphrd == ARPHRD_ETHER;
	int err = xdp ? attach_xdp(a, p) : 0;
	int fd[2];

	if (!err) {
		choose(a, p, attach_kind(t->arphrd), fd);
		err = attach_tc(a, p, fd);
	}
	if (!err && xdp)
		a->hook_name = "xdp";
	if (!err && p->tap) {
		p->promisc = tap_promiscuous(p->ifindex);
		err = p->promisc < 0 ? p->promisc : 0;
	}
	if (err)
		detach(p, false);
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
	p->link[COMPAT_INGRESS] = p->link[COMPAT_EGRESS] = p->xdp.fd = p->promisc = NONE;
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

/* One line for the error of attach_port(). */
static void say(const struct attach_target *t, int err, char *error, size_t size)
{
	const char *verb = t->tap ? "tap" : "attach to";
	struct xdp_program other;

	if (err == -EOPNOTSUPP)
		snprintf(error, size,
			 "cannot %s %s: this kernel has no tcx (it came with Linux 6.6); "
			 "leave out --hook tcx",
			 verb, t->name);
	else if (err == -EALREADY && xdp_find(t->ifindex, &other))
		snprintf(error, size,
			 "cannot %s %s: the XDP program %s (id %u) is on it, and is not replaced; "
			 "leave out --hook xdp, or end that one",
			 verb, t->name, *other.name ? other.name : "of somebody else", other.id);
	else if (err == -EPERM && t->tap)
		snprintf(error, size,
			 "cannot tap %s: %s; it takes CAP_NET_ADMIN, and CAP_NET_RAW for "
			 "promiscuous mode: run as root, or grant them",
			 t->name, strerror(-err));
	else
		snprintf(error, size, "cannot %s %s: %s; `alpnscope doctor` tells more", verb,
			 t->name, cause(err));
}

/* Can it be observed at all? 0, or -errno with @error. */
static int check(const struct attach_target *t, char *error, size_t size)
{
	if (t->tap && t->arphrd != ARPHRD_ETHER) {
		snprintf(error, size, "cannot tap %s: it is %s; observe it: -i %s", t->name,
			 t->arphrd == ARPHRD_LOOPBACK ? "the loopback, and no mirror port"
						      : "not Ethernet, as a mirror port is",
			 t->name);
		return -EPROTONOSUPPORT;
	}
	if (t->tap)
		return tap_check(t->ifindex, t->name, error, size);
	if (attach_kind(t->arphrd) != ATTACH_UNKNOWN)
		return 0;
	snprintf(error, size,
		 "cannot attach to %s: frames of hardware type %u are not read; observe the "
		 "interface that its traffic goes on to",
		 t->name, t->arphrd);
	return -EPROTONOSUPPORT;
}

int attach_add(struct attach *a, const struct attach_target *t, char *error, size_t size)
{
	struct port *p = port_of(a, t->ifindex);
	int err;

	if (!p) {
		snprintf(error, size, "cannot attach to %s: out of memory", t->name);
		return -ENOMEM;
	}
	if (p->state == ATTACHED && p->tap == t->tap)
		return 0;
	detach(p, false); /* renamed to what --tap names, or from it */
	p->tap = t->tap;
	err = check(t, error, size);
	if (!err) {
		err = attach_port(a, p, t);
		if (err)
			say(t, err, error, size);
	}
	p->state = !err ? ATTACHED : err == -EPROTONOSUPPORT ? SKIPPED : FAILED;
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

bool attach_is_attached(const struct attach *a, unsigned int ifindex)
{
	const struct port *p;

	HASH_FIND(hh, a->ports, &ifindex, sizeof(ifindex), p);
	return p && p->state == ATTACHED;
}

struct attach_count attach_counts(const struct attach *a)
{
	struct attach_count n = {0};

	for (const struct port *p = a->ports; p; p = p->hh.next) {
		n.attached += p->state == ATTACHED;
		n.failed += p->state == FAILED;
		n.skipped += p->state == SKIPPED;
	}
	return n;
}

bool attach_is_by_links(const struct attach *a)
{
	return a->by_links;
}

const char *attach_hook_name(const struct attach *a)
{
	return a->hook_name;
}

void attach_describe(const struct attach *a, unsigned int ifindex, char how[ATTACH_HOW_MAX])
{
	const char *tc = "tcx", *why = "";
	const struct port *p;

	HASH_FIND(hh, a->ports, &ifindex, sizeof(ifindex), p);
	if (!p || p->state != ATTACHED) {
		snprintf(how, ATTACH_HOW_MAX, "none");
		return;
	}
	if (p->filters)
		tc = "clsact";
	if (p->xdp.refused)
		why = strerror(-p->xdp.refused);
	if (p->xdp.fd < 0)
		snprintf(how, ATTACH_HOW_MAX, "%s", tc);
	else
		snprintf(how, ATTACH_HOW_MAX, "%s XDP%s%s%s%s%s%s",
			 p->xdp.native ? "native" : "generic", *why ? " (native: " : "", why,
			 *why ? ")" : "", p->tap ? "" : ", ", p->tap ? "" : tc,
			 p->tap ? "" : " egress");
}
