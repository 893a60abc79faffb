// SPDX-License-Identifier: GPL-2.0-only
#include "compat.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/if_ether.h>
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

/* Our filters' place. The low bit of the handle tells a successor that the qdisc is ours
 * too; another live agent takes the next pair of handles. */
#define FILTER_PRIORITY 1
#define FILTER_HANDLE 0xa1b0
#define FILTER_CREATED 1U
#define FILTER_AGENTS 8

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

/* The agent's number in this network namespace: abstract sockets are per namespace and
 * go with their process, so a number that can be bound belongs to nobody alive. */
static int agent_number(void)
{
	static int number = -1;

	for (int i = 0; number < 0 && i < FILTER_AGENTS; i++) {
		struct sockaddr_un sa = {.sun_family = AF_UNIX};
		socklen_t len = offsetof(struct sockaddr_un, sun_path) + sizeof("alpnscope-clsact");
		int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

		if (fd < 0)
			return -errno;
		memcpy(sa.sun_path + 1, "alpnscope-clsact", sizeof("alpnscope-clsact") - 1);
		sa.sun_path[sizeof("alpnscope-clsact")] = (char)('0' + i);
		if (!bind(fd, (struct sockaddr *)&sa, len + 1))
			number = i; /* the fd stays open as long as we live */
		else
			close(fd);
	}
	return number < 0 ? -EBUSY : number;
}

static int filter_attach(unsigned int ifindex, enum bpf_tc_attach_point point, int prog_fd,
			 uint32_t handle)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = FILTER_PRIORITY,
			    .prog_fd = prog_fd, .flags = BPF_TC_F_REPLACE);

	return bpf_tc_attach(&hook, &opts);
}

static void filter_detach(unsigned int ifindex, enum bpf_tc_attach_point point, uint32_t handle)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = FILTER_PRIORITY);

	bpf_tc_detach(&hook, &opts);
}

static bool filter_exists(unsigned int ifindex, enum bpf_tc_attach_point point, uint32_t handle)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = point);
	DECLARE_LIBBPF_OPTS(bpf_tc_opts, opts, .handle = handle, .priority = FILTER_PRIORITY);

	return !bpf_tc_query(&hook, &opts);
}

/* Filters that a dead agent with our number left; true when the qdisc was its own. */
static bool remove_leftovers(unsigned int ifindex, uint32_t handle)
{
	bool created = filter_exists(ifindex, BPF_TC_INGRESS, handle | FILTER_CREATED) ||
		       filter_exists(ifindex, BPF_TC_EGRESS, handle | FILTER_CREATED);

	for (uint32_t bit = 0; bit <= FILTER_CREATED; bit++) {
		filter_detach(ifindex, BPF_TC_INGRESS, handle | bit);
		filter_detach(ifindex, BPF_TC_EGRESS, handle | bit);
	}
	return created;
}

int compat_clsact_attach(int in_fd, int out_fd, unsigned int ifindex, struct compat_clsact *c)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex,
			    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int number = agent_number(), err;

	if (number < 0)
		return number;
	*c = (struct compat_clsact){.ifindex = ifindex,
				    .handle = FILTER_HANDLE + 2 * (uint32_t)number};
	err = bpf_tc_hook_create(&hook);
	if (err && err != -EEXIST)
		return err;
	c->created = !err || remove_leftovers(ifindex, c->handle);
	if (c->created)
		c->handle |= FILTER_CREATED;
	err = filter_attach(ifindex, BPF_TC_INGRESS, in_fd, c->handle);
	if (!err)
		err = filter_attach(ifindex, BPF_TC_EGRESS, out_fd, c->handle);
	if (err)
		compat_clsact_detach(c);
	return err;
}

static int count_filter(const struct nlmsghdr *nlh, void *count)
{
	(void)nlh;
	++*(unsigned int *)count;
	return MNL_CB_OK;
}

/* How many filters one side of the clsact holds; 1 when that cannot be told. */
static unsigned int filters(struct mnl_socket *nl, unsigned int ifindex, uint32_t parent)
{
	char buf[16384];
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct tcmsg *tc = mnl_nlmsg_put_extra_header(nlh, sizeof(*tc));
	unsigned int count = 0;
	ssize_t n;

	nlh->nlmsg_type = RTM_GETTFILTER;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	nlh->nlmsg_seq = parent;
	tc->tcm_ifindex = (int)ifindex;
	tc->tcm_parent = parent;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return 1;
	while ((n = mnl_socket_recvfrom(nl, buf, sizeof(buf))) > 0) {
		int rc = mnl_cb_run(buf, (size_t)n, parent, mnl_socket_get_portid(nl), count_filter,
				    &count);

		if (rc < 0)
			return 1;
		if (rc == MNL_CB_STOP)
			return count;
	}
	return 1;
}

static bool is_empty(unsigned int ifindex)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	bool empty = nl && !mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) &&
		     !filters(nl, ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS)) &&
		     !filters(nl, ifindex, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_EGRESS));

	if (nl)
		mnl_socket_close(nl);
	return empty;
}

void compat_clsact_detach(const struct compat_clsact *c)
{
	DECLARE_LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)c->ifindex,
			    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);

	filter_detach(c->ifindex, BPF_TC_INGRESS, c->handle);
	filter_detach(c->ifindex, BPF_TC_EGRESS, c->handle);
	if (c->created && is_empty(c->ifindex))
		bpf_tc_hook_destroy(&hook);
}
