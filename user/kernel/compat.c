// SPDX-License-Identifier: GPL-2.0-only
#include "compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* Newer than the UAPI headers of the build floor: linux/bpf.h of 6.6. */
#define TCX_INGRESS 46
#define TCX_EGRESS 47
#define TCX_BEFORE (1U << 3)

/* Our filters' place. The low bit of the handle tells other agents, and a successor, that
 * the qdisc is an agent's; another live agent takes the next pair of handles. */
#define FILTER_PRIORITY 1
#define FILTER_HANDLE 0xa1b0
#define FILTER_CREATED 1U
#define FILTER_AGENTS 8
#define FILTERS_CREATED 0xaaaaU /* that bit in a set of the handles */

static enum bpf_attach_type tcx_type(enum compat_side side)
{
	return (enum bpf_attach_type)(side == COMPAT_INGRESS ? TCX_INGRESS : TCX_EGRESS);
}

int compat_tcx_attach(int prog_fd, unsigned int ifindex, enum compat_side side)
{
	/* Appended behind a program that returns TCX_PASS we would see nothing. */
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = TCX_BEFORE);
	int fd = bpf_link_create(prog_fd, (int)ifindex, tcx_type(side), &opts);

	/* A kernel without tcx does not know the attach type: EINVAL. */
	return fd == -EINVAL ? -EOPNOTSUPP : fd;
}

unsigned int compat_tcx_list(unsigned int ifindex, enum compat_side side,
			     uint32_t ids[COMPAT_TCX_MAX])
{
	uint32_t count = COMPAT_TCX_MAX;

	return bpf_prog_query((int)ifindex, tcx_type(side), 0, NULL, ids, &count) ? 0 : count;
}

/* Agents have numbers: abstract sockets are per network namespace and go with their
 * process, so a number that can be bound belongs to nobody alive. Returns the fd that
 * holds number @n, or -errno. */
static int number_take(unsigned int n)
{
	struct sockaddr_un sa = {.sun_family = AF_UNIX};
	socklen_t len = offsetof(struct sockaddr_un, sun_path) + sizeof("alpnscope-clsact");
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	memcpy(sa.sun_path + 1, "alpnscope-clsact", sizeof("alpnscope-clsact") - 1);
	sa.sun_path[sizeof("alpnscope-clsact")] = (char)('0' + n);
	if (!bind(fd, (struct sockaddr *)&sa, len + 1))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static int agent_number(void)
{
	static int number = -1;

	for (unsigned int n = 0; number < 0 && n < FILTER_AGENTS; n++) {
		int fd = number_take(n);

		if (fd >= 0)
			number = (int)n; /* the fd stays open as long as we live */
		else if (fd != -EADDRINUSE)
			return fd;
	}
	return number < 0 ? -EBUSY : number;
}

static int filter_attach(unsigned int ifindex, enum bpf_tc_attach_point point, int prog_fd,
			 uint32_t handle)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = FILTER_PRIORITY,
			    .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);

	int err = bpf_tc_attach(&hook, &opts);

	/* All filters of one priority must be of one kind and protocol. */
	return err == -EINVAL ? -EADDRINUSE : err;
}

static void filter_detach(unsigned int ifindex, enum bpf_tc_attach_point point, uint32_t handle)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = FILTER_PRIORITY);

	bpf_tc_detach(&hook, &opts);
}

/* The filters on one side of a clsact; @agents: bit i stands for handle FILTER_HANDLE + i.
 * @tap: one of those drops. */
struct filters {
	unsigned int count;
	uint32_t agents;
	bool tap;
};

/* libbpf names a filter NAME:[ID], after its program. */
static bool is_tap(const struct nlmsghdr *nlh)
{
	static const char start[] = "alpnscope_tap:";
	const struct nlattr *attr, *inner;

	mnl_attr_for_each(attr, nlh, sizeof(struct tcmsg))
	{
		if (mnl_attr_get_type(attr) != TCA_OPTIONS)
			continue;
		mnl_attr_for_each_nested(inner, attr)
		{
			if (mnl_attr_get_type(inner) == TCA_BPF_NAME &&
			    mnl_attr_get_payload_len(inner) >= sizeof(start) &&
			    !memcmp(mnl_attr_get_payload(inner), start, sizeof(start) - 1))
				return true;
		}
	}
	return false;
}

static int note_filter(const struct nlmsghdr *nlh, void *arg)
{
	const struct tcmsg *tc = mnl_nlmsg_get_payload(nlh);
	uint32_t i = tc->tcm_handle - FILTER_HANDLE;
	struct filters *f = arg;

	f->count++;
	if (TC_H_MAJ(tc->tcm_info) >> 16 == FILTER_PRIORITY && i < 2 * FILTER_AGENTS) {
		f->agents |= 1U << i;
		f->tap |= is_tap(nlh);
	}
	return MNL_CB_OK;
}

/* 0 or -errno. */
static int list_side(struct mnl_socket *nl, unsigned int ifindex, enum bpf_tc_attach_point point,
		     struct filters *f)
{
	char buf[16384];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	ssize_t n;

	nlh->nlmsg_type = RTM_GETTFILTER;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = point;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = TC_H_MAKE(TC_H_CLSACT,
				   point == BPF_TC_INGRESS ? TC_H_MIN_INGRESS : TC_H_MIN_EGRESS);
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while ((n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0) {
		int rc = mnl_cb_run(buf, (size_t)n, point, mnl_socket_get_portid(nl), note_filter,
				    f);

		if (rc == MNL_CB_STOP)
			return 0;
		if (rc < 0)
			break;
	}
	return -errno;
}

static int list_filters(unsigned int ifindex, struct filters *in, struct filters *out)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int err = !nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ? -errno : 0;

	*in = *out = (struct filters){0};
	if (!err)
		err = list_side(nl, ifindex, BPF_TC_INGRESS, in);
	if (!err)
		err = list_side(nl, ifindex, BPF_TC_EGRESS, out);
	if (nl)
		mnl_socket_close(nl);
	return err;
}

/* Remove what dead agents left of the filters in @agents. A number is held meanwhile, so
 * that no new agent takes it. */
static void remove_leftovers(unsigned int ifindex, uint32_t agents, unsigned int own)
{
	for (unsigned int n = 0; n < FILTER_AGENTS; n++) {
		int fd = -1;

		if (!(agents >> 2 * n & 3))
			continue;
		if (n != own) {
			fd = number_take(n);
			if (fd < 0)
				continue;
		}
		for (uint32_t bit = 0; bit <= FILTER_CREATED; bit++) {
			filter_detach(ifindex, BPF_TC_INGRESS, FILTER_HANDLE + 2 * n + bit);
			filter_detach(ifindex, BPF_TC_EGRESS, FILTER_HANDLE + 2 * n + bit);
		}
		if (fd >= 0)
			close(fd);
	}
}

/* Whose qdisc is it that was there? @created: an agent's, alive or dead; the last one to
 * leave removes it. */
static int adopt(unsigned int ifindex, unsigned int own, bool *created)
{
	struct filters in, out;
	int err = list_filters(ifindex, &in, &out);

	if (err)
		return err;
	*created = (in.agents | out.agents) & FILTERS_CREATED;
	remove_leftovers(ifindex, in.agents | out.agents, own);
	return 0;
}

/* One filter list for both sides: that of an `ingress` qdisc, which has no egress. It shows
 * when one side has our filter, and the other must not have it yet. */
static bool is_one_sided(const struct compat_clsact *c, enum compat_side other)
{
	uint32_t bit = 1U << (c->handle - FILTER_HANDLE);
	struct filters side[2];

	return !list_filters(c->ifindex, &side[COMPAT_INGRESS], &side[COMPAT_EGRESS]) &&
	       side[other].agents & bit;
}

/* Attach the filters of the sides that are wanted. 0 or -errno. */
static int attach_filters(const struct compat_clsact *c, int in_fd, int out_fd)
{
	bool shared = !c->created && out_fd >= 0;
	int err = 0;

	if (in_fd >= 0)
		err = filter_attach(c->ifindex, BPF_TC_INGRESS, in_fd, c->handle);
	if (!err && shared && in_fd >= 0 && is_one_sided(c, COMPAT_EGRESS))
		return -EEXIST;
	if (!err && out_fd >= 0)
		err = filter_attach(c->ifindex, BPF_TC_EGRESS, out_fd, c->handle);
	if (!err && shared && in_fd < 0 && is_one_sided(c, COMPAT_INGRESS))
		return -EEXIST;
	return err;
}

int compat_clsact_attach(int in_fd, int out_fd, unsigned int ifindex, struct compat_clsact *c)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
			    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int number = agent_number(), err;

	if (number < 0)
		return number;
	*c = (struct compat_clsact){.ifindex = ifindex,
				    .created = true,
				    .side = {in_fd >= 0, out_fd >= 0},
				    .handle = FILTER_HANDLE + 2 * (uint32_t)number};
	err = bpf_tc_hook_create(&hook);
	if (err == -EEXIST)
		err = adopt(ifindex, (unsigned int)number, &c->created);
	if (err)
		return err;
	if (c->created)
		c->handle |= FILTER_CREATED;
	err = attach_filters(c, in_fd, out_fd);
	if (err)
		compat_clsact_detach(c);
	return err;
}

static bool is_empty(unsigned int ifindex)
{
	struct filters in, out;

	return !list_filters(ifindex, &in, &out) && !in.count && !out.count;
}

bool compat_clsact_has_tap(unsigned int ifindex)
{
	struct filters in, out;

	return !list_filters(ifindex, &in, &out) && in.tap;
}

void compat_clsact_clean(unsigned int ifindex)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
			    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	struct filters in, out;
	uint32_t agents;

	if (list_filters(ifindex, &in, &out))
		return;
	agents = in.agents | out.agents;
	remove_leftovers(ifindex, agents, FILTER_AGENTS);
	if (agents & FILTERS_CREATED && is_empty(ifindex))
		bpf_tc_hook_destroy(&hook);
}

void compat_clsact_detach(const struct compat_clsact *c)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)c->ifindex,
			    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	if (c->side[COMPAT_INGRESS])
		filter_detach(c->ifindex, BPF_TC_INGRESS, c->handle);
	if (c->side[COMPAT_EGRESS])
		filter_detach(c->ifindex, BPF_TC_EGRESS, c->handle);
	if (c->created && is_empty(c->ifindex))
		bpf_tc_hook_destroy(&hook);
}
