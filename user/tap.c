// SPDX-License-Identifier: GPL-2.0-only
#include "tap.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <libmnl/libmnl.h>
#include <linux/if_packet.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What is looked for in the kernel's answers about @ifindex. */
struct tie {
	unsigned int ifindex;
	unsigned int master;
	bool route;
};

static int note_link(const struct nlmsghdr *nlh, void *arg)
{
	struct tie *t = arg;
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, sizeof(struct ifinfomsg))
	{
		if (mnl_attr_get_type(attr) == IFLA_MASTER)
			t->master = mnl_attr_get_u32(attr);
	}
	return MNL_CB_OK;
}

/* One of a route's several ways. */
static bool hops_through(const struct nlattr *multipath, unsigned int ifindex)
{
	const struct rtnexthop *hop = mnl_attr_get_payload(multipath);
	int left = mnl_attr_get_payload_len(multipath);

	for (; RTNH_OK(hop, left); left -= RTNH_ALIGN(hop->rtnh_len), hop = RTNH_NEXT(hop))
		if (hop->rtnh_ifindex == (int)ifindex)
			return true;
	return false;
}

static int note_route(const struct nlmsghdr *nlh, void *arg)
{
	const struct rtmsg *route = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	struct tie *t = arg;

	if (route->rtm_dst_len || route->rtm_type != RTN_UNICAST)
		return MNL_CB_OK;
	mnl_attr_for_each(attr, nlh, sizeof(*route))
	{
		uint16_t type = mnl_attr_get_type(attr);

		if ((type == RTA_OIF && mnl_attr_get_u32(attr) == t->ifindex) ||
		    (type == RTA_MULTIPATH && hops_through(attr, t->ifindex)))
			t->route = true;
	}
	return MNL_CB_OK;
}

/* Ask for one link, or for all routes. 0 or -errno. */
static int ask(struct mnl_socket *nl, uint16_t type, uint16_t flags, struct tie *t)
{
	char buf[32768] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	struct ifinfomsg *ifi; /* the longer of the two */
	int rc = MNL_CB_OK;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | flags;
	ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));
	if (type == RTM_GETLINK)
		ifi->ifi_index = (int)t->ifindex;
	if (mnl_socket_sendto(nl, nlh, nlh->nlmsg_len) < 0)
		return -errno;
	while (rc == MNL_CB_OK) {
		ssize_t n = mnl_socket_recvfrom(nl, buf, sizeof(buf));

		rc = n < 0 ? MNL_CB_ERROR
			   : mnl_cb_run(buf, (size_t)n, 0, mnl_socket_get_portid(nl),
					type == RTM_GETLINK ? note_link : note_route, t);
	}
	return rc == MNL_CB_STOP ? 0 : -errno;
}

static int find_ties(struct tie *t)
{
	struct mnl_socket *nl = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	int err = !nl || mnl_socket_bind(nl, 0, MNL_SOCKET_AUTOPID) ? -errno : 0;

	if (!err)
		err = ask(nl, RTM_GETLINK, NLM_F_ACK, t);
	if (!err)
		err = ask(nl, RTM_GETROUTE, NLM_F_DUMP, t);
	if (nl)
		mnl_socket_close(nl);
	return err;
}

/* An address that others may reach this host by. */
static bool address_text(const struct sockaddr *sa, char text[INET6_ADDRSTRLEN])
{
	if (sa && sa->sa_family == AF_INET)
		return inet_ntop(AF_INET, &((const struct sockaddr_in *)sa)->sin_addr, text,
				 INET6_ADDRSTRLEN);
	if (sa && sa->sa_family == AF_INET6) {
		const struct in6_addr *in6 = &((const struct sockaddr_in6 *)sa)->sin6_addr;

		return !IN6_IS_ADDR_LINKLOCAL(in6) &&
		       inet_ntop(AF_INET6, in6, text, INET6_ADDRSTRLEN);
	}
	return false;
}

/* Has @name one? 0 or -errno; @text is empty when it has none. */
static int find_address(const char *name, char text[INET6_ADDRSTRLEN])
{
	struct ifaddrs *all, *a;

	*text = '\0';
	if (getifaddrs(&all))
		return -errno;
	for (a = all; a && !*text; a = a->ifa_next)
		if (!strcmp(a->ifa_name, name) && !address_text(a->ifa_addr, text))
			*text = '\0';
	freeifaddrs(all);
	return 0;
}

int tap_check(unsigned int ifindex, const char *name, char *error, size_t size)
{
	struct tie t = {.ifindex = ifindex};
	char address[INET6_ADDRSTRLEN], master[IF_NAMESIZE];
	int err = find_address(name, address);

	if (!err)
		err = find_ties(&t);
	if (err)
		snprintf(error, size, "cannot tap %s: its addresses and routes: %s", name,
			 strerror(-err));
	else if (*address)
		snprintf(error, size,
			 "cannot tap %s: it has the address %s, and a tap drops all that arrives; "
			 "take it away if this is a mirror port (`ip addr del`), else observe: "
			 "-i %s",
			 name, address, name);
	else if (t.route)
		snprintf(error, size,
			 "cannot tap %s: a default route goes out there, and a tap drops all "
			 "that arrives; take it away if this is a mirror port (`ip route del`), "
			 "else observe: -i %s",
			 name, name);
	else if (t.master)
		snprintf(error, size,
			 "cannot tap %s: it is a port of %s, which would get nothing any more; "
			 "take it out if this is a mirror port (`ip link set %s nomaster`), else "
			 "observe: -i %s",
			 name, if_indextoname(t.master, master) ? master : "another interface",
			 name, name);
	else
		return 0;
	return err ? err : -EBUSY;
}

int tap_promiscuous(unsigned int ifindex)
{
	struct packet_mreq on = {.mr_ifindex = (int)ifindex, .mr_type = PACKET_MR_PROMISC};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0); /* 0: it receives nothing */
	int err;

	if (fd < 0)
		return -errno;
	if (!setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &on, sizeof(on)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}
