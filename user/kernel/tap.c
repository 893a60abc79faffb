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

/**
 * struct tie - how this host lives by @ifindex.
 * @master: the bridge or bond whose port it is; @upper: a VLAN or macvlan device on it
 * @route: a default route goes out there
 */
struct tie {
	unsigned int ifindex;
	unsigned int master, upper;
	bool route;
};

/* A veth names its peer as a VLAN device names what it is on. */
static bool is_veth(const struct nlattr *linkinfo)
{
	const struct nlattr *attr;

	mnl_attr_for_each_nested(attr, linkinfo)
	{
		if (mnl_attr_get_type(attr) == IFLA_INFO_KIND)
			return !strcmp(mnl_attr_get_str(attr), "veth");
	}
	return false;
}

static int note_link(const struct nlmsghdr *nlh, void *arg)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const struct nlattr *attr;
	bool below = false, elsewhere = false;
	struct tie *t = arg;

	mnl_attr_for_each(attr, nlh, sizeof(*ifi))
	{
		uint16_t type = mnl_attr_get_type(attr);

		if (type == IFLA_MASTER && ifi->ifi_index == (int)t->ifindex)
			t->master = mnl_attr_get_u32(attr);
		else if (type == IFLA_LINK)
			below = mnl_attr_get_u32(attr) == t->ifindex;
		else if (type == IFLA_LINK_NETNSID) /* the number is another namespace's */
			elsewhere = true;
		else if (type == IFLA_LINKINFO && is_veth(attr))
			elsewhere = true;
	}
	/* lo and the like name themselves. */
	if (below && !elsewhere && ifi->ifi_index != (int)t->ifindex)
		t->upper = (unsigned int)ifi->ifi_index;
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

/* Go through all links, or all routes. 0 or -errno. */
static int dump(struct mnl_socket *nl, uint16_t type, struct tie *t)
{
	char buf[32768] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	int rc = MNL_CB_OK;

	nlh->nlmsg_type = type;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifinfomsg)); /* the longer of the two */
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
		err = dump(nl, RTM_GETLINK, t);
	if (!err)
		err = dump(nl, RTM_GETROUTE, t);
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

static bool find_address(const char *name, char text[INET6_ADDRSTRLEN])
{
	struct ifaddrs *all, *a;
	bool found = false;

	if (getifaddrs(&all))
		return false;
	for (a = all; a && !found; a = a->ifa_next)
		found = !strcmp(a->ifa_name, name) && address_text(a->ifa_addr, text);
	freeifaddrs(all);
	return found;
}

/* Why not; *next is what to do about it. NULL when nothing speaks against it. */
static const char *objection(const struct tie *t, const char *name, const char **next)
{
	static char why[64 + INET6_ADDRSTRLEN], how[64];
	char address[INET6_ADDRSTRLEN], other[IF_NAMESIZE];

	*next = how;
	if (find_address(name, address)) {
		snprintf(why, sizeof(why), "it has the address %s", address);
		snprintf(how, sizeof(how), "ip addr del");
	} else if (t->route) {
		snprintf(why, sizeof(why), "a default route goes out there");
		snprintf(how, sizeof(how), "ip route del");
	} else if (t->master) {
		snprintf(why, sizeof(why), "it is a port of %s",
			 if_indextoname(t->master, other) ? other : "another one");
		snprintf(how, sizeof(how), "ip link set %s nomaster", name);
	} else if (t->upper) {
		if (!if_indextoname(t->upper, other))
			snprintf(other, sizeof(other), "another one");
		snprintf(why, sizeof(why), "%s is on top of it", other);
		snprintf(how, sizeof(how), "ip link del %s", other);
	} else {
		return NULL;
	}
	return why;
}

int tap_check(unsigned int ifindex, const char *name, char *error, size_t size)
{
	struct tie t = {.ifindex = ifindex};
	const char *why, *next;
	int err = find_ties(&t);

	if (err) {
		snprintf(
			error, size,
			"cannot tap %s: what depends on it cannot be found out: rtnetlink: %s; try "
			"again, and check that AF_NETLINK sockets are allowed here",
			name, strerror(-err));
		return err;
	}
	why = objection(&t, name, &next);
	if (!why)
		return 0;
	snprintf(error, size,
		 "cannot tap %s: %s, and a tap drops all that arrives; end that if it is a mirror "
		 "port (`%s`), else observe it: -i %s",
		 name, why, next, name);
	return -EBUSY;
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
