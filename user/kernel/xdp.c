// SPDX-License-Identifier: GPL-2.0-only
#include "xdp.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/bpf.h>
#include <linux/genetlink.h>
#include <linux/if_link.h>
#include <string.h>
#include <unistd.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>

/* linux/netdev.h of Linux 6.3, newer than the UAPI headers of the build floor. */
#define NETDEV_CMD_DEV_GET 1
#define NETDEV_A_DEV_IFINDEX 1
#define NETDEV_A_DEV_XDP_FEATURES 3
#define NETDEV_XDP_ACT_BASIC 1U
#define NETDEV_XDP_ACT_RX_SG 32U

int xdp_supported(void)
{
	static const struct bpf_insn pass[] = {
		{.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = XDP_PASS},
		{.code = BPF_JMP | BPF_EXIT},
	};
	/* The flag came with bpf_xdp_load_bytes: 5.18. Before, EINVAL. */
	DECLARE_LIBBPF_OPTS(bpf_prog_load_opts, opts, .prog_flags = BPF_F_XDP_HAS_FRAGS);
	int fd = bpf_prog_load(BPF_PROG_TYPE_XDP, "alpnscope_try", "GPL", pass, 2, &opts);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int create(int prog_fd, unsigned int ifindex, uint32_t mode)
{
	DECLARE_LIBBPF_OPTS(bpf_link_create_opts, opts, .flags = mode);
	int fd = bpf_link_create(prog_fd, (int)ifindex, BPF_XDP, &opts);

	/* The kernel puts no link in place of a program, nor generic beside native. */
	return fd == -EBUSY || fd == -EEXIST ? -EALREADY : fd;
}

int xdp_attach(int prog_fd, unsigned int ifindex, struct xdp_link *link)
{
	int fd = create(prog_fd, ifindex, XDP_FLAGS_DRV_MODE);

	*link = (struct xdp_link){.native = fd >= 0};
	/* A driver refuses for reasons of its own: no XDP, queues, memory, the MTU. */
	if (fd < 0 && fd != -EALREADY && fd != -EPERM && fd != -ENODEV) {
		link->refused = fd;
		fd = create(prog_fd, ifindex, XDP_FLAGS_SKB_MODE);
	}
	link->fd = fd;
	return fd < 0 ? fd : 0;
}

bool xdp_find(unsigned int ifindex, struct xdp_program *prog)
{
	DECLARE_LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	struct bpf_prog_info info = {0};
	uint32_t len = sizeof(info);
	int fd;

	*prog = (struct xdp_program){0};
	if (bpf_xdp_query((int)ifindex, 0, &opts))
		return false;
	/* Several: the hardware's and another. */
	prog->id = opts.prog_id ? opts.prog_id : opts.drv_prog_id;
	if (!prog->id)
		prog->id = opts.skb_prog_id ? opts.skb_prog_id : opts.hw_prog_id;
	if (!prog->id)
		return false;
	fd = bpf_prog_get_fd_by_id(prog->id);
	if (fd < 0)
		return true;
	if (!bpf_obj_get_info_by_fd(fd, &info, &len))
		memcpy(prog->name, info.name, sizeof(prog->name) - 1);
	close(fd);
	return true;
}

/* ---- the netdev family ---- */

/* An attribute that is looked for in an answer. */
struct wanted {
	uint16_t type;
	size_t size;
	void *value;
	bool found;
};

static int note_attribute(const struct nlmsghdr *nlh, void *arg)
{
	struct wanted *w = arg;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct genlmsghdr))
	{
		if (mnl_attr_get_type(attr) != w->type || mnl_attr_get_payload_len(attr) < w->size)
			continue;
		memcpy(w->value, mnl_attr_get_payload(attr), w->size);
		w->found = true;
	}
	return MNL_CB_OK;
}

static struct nlmsghdr *request(char *buf, uint16_t family, uint8_t command)
{
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct genlmsghdr *genl = mnl_nlmsg_put_extra_header(nlh, sizeof(*genl));

	nlh->nlmsg_type = family;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	genl->cmd = command;
	genl->version = 1;
	return nlh;
}

/* Send, and read up to the acknowledgement. Was the attribute there? */
static bool ask(struct mnl_socket *nl, const struct nlmsghdr *nlh, struct wanted *w)
{
	char buf[8192];
	int rc = MNL_CB_OK;

	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return false;
	while (rc == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));

		rc = n < 0 ? MNL_CB_ERROR
			   : mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(nl),
					note_attribute, w);
	}
	return rc == MNL_CB_STOP && w->found;
}

static bool ask_features(struct mnl_socket *nl, unsigned int ifindex, uint64_t *features)
{
	char buf[256] = {0};
	uint16_t family = 0;
	struct wanted w = {CTRL_ATTR_FAMILY_ID, sizeof(family), &family, false};
	struct nlmsghdr *nlh = request(buf, GENL_ID_CTRL, CTRL_CMD_GETFAMILY);

	mnl_attr_put_strz(nlh, CTRL_ATTR_FAMILY_NAME, "netdev");
	if (!ask(nl, nlh, &w))
		return false;
	w = (struct wanted){NETDEV_A_DEV_XDP_FEATURES, sizeof(*features), features, false};
	nlh = request(buf, family, NETDEV_CMD_DEV_GET);
	mnl_attr_put_u32(nlh, NETDEV_A_DEV_IFINDEX, ifindex);
	return ask(nl, nlh, &w);
}

enum xdp_mode xdp_mode(unsigned int ifindex)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	uint64_t features = 0;
	bool known = nl && !mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) &&
		     ask_features(nl, ifindex, &features);

	if (nl)
		mnl_socket_close(nl);
	if (!known)
		return XDP_MODE_UNKNOWN;
	if (!(features & NETDEV_XDP_ACT_BASIC))
		return XDP_MODE_GENERIC;
	return features & NETDEV_XDP_ACT_RX_SG ? XDP_MODE_NATIVE_FRAGS : XDP_MODE_NATIVE;
}
