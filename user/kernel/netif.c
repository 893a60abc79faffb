// SPDX-License-Identifier: GPL-2.0-only
/*
 * One socket carries the kernel's messages and our dumps, in the order in which
 * things happened. A dump marks what it finds with its round; what an older round
 * marked is gone when the dump is over. So the first dump and the one after an
 * overrun are the same thing.
 */
#include "netif.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define HASH_NONFATAL_OOM 1
#include "hash.h"

#include "addrset.h"
#include "log.h"

#define MESSAGE_MAX 32768 /* the most the kernel puts into one dump message */
#define RECEIVE_BUFFER (1 << 20) /* a host that starts many containers at once */
#define FIRST_DUMP_MS 10000

struct link_entry {
	struct netif_link link;
	unsigned int round;
	UT_hash_handle hh;
};

enum stage { STAGE_FOLLOW, STAGE_LINKS, STAGE_ADDRS };

struct netif {
	struct loop *loop;
	netif_fn fn;
	void *arg;
	struct mnl_socket *socket;
	struct link_entry *links;
	struct addrset addrs;
	enum stage stage;
	unsigned int round;
	bool stale; /* messages were lost: dump again */
	_Alignas(struct nlmsghdr) uint8_t buffer[MESSAGE_MAX];
};

static void tell(const struct netif *n, enum netif_event event, const struct netif_link *link,
		 const char *old_name)
{
	const struct netif_change change = {.event = event, .link = link, .old_name = old_name};

	n->fn(n->arg, &change);
}

static void link_drop(struct netif *n, struct link_entry *e)
{
	HASH_DEL(n->links, e);
	addrset_link_gone(&n->addrs, e->link.index);
	tell(n, NETIF_VANISHED, &e->link, NULL);
	free(e);
}

static int link_add(struct netif *n, const struct netif_link *link)
{
	struct link_entry *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->link = *link;
	e->round = n->round;
	HASH_ADD(hh, n->links, link.index, sizeof(e->link.index), e);
	if (!e->hh.tbl) {
		free(e);
		return -ENOMEM;
	}
	tell(n, NETIF_APPEARED, &e->link, NULL);
	return 0;
}

static struct link_entry *link_find(const struct netif *n, unsigned int index)
{
	struct link_entry *e;

	HASH_FIND(hh, n->links, &index, sizeof(index), e);
	return e;
}

static int link_seen(struct netif *n, const struct netif_link *link)
{
	struct link_entry *e = link_find(n, link->index);
	struct netif_link old;

	if (e && e->link.arphrd != link->arphrd) {
		link_drop(n, e);
		e = NULL;
		n->stale = true; /* its addresses went with it */
	}
	if (!e)
		return link_add(n, link);
	old = e->link;
	e->link = *link;
	e->round = n->round;
	if (strcmp(old.name, link->name))
		tell(n, NETIF_RENAMED, &e->link, old.name);
	if (old.up != link->up)
		tell(n, link->up ? NETIF_UP : NETIF_DOWN, &e->link, NULL);
	return 0;
}

/* The value of the attribute @type of a route message, or NULL. */
static const void *attribute(const struct nlmsghdr *nlh, size_t header, uint16_t type, size_t least)
{
	const struct nlattr *attr;

	mnl_attr_for_each(attr, nlh, header)
	{
		if (mnl_attr_get_type(attr) == type && mnl_attr_get_payload_len(attr) >= least)
			return mnl_attr_get_payload(attr);
	}
	return NULL;
}

static int link_message(struct netif *n, const struct nlmsghdr *nlh)
{
	const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
	const char *name = attribute(nlh, sizeof(*ifi), IFLA_IFNAME, 2);
	struct link_entry *e;

	/* Others speak of a role, as of a bridge's port: "deleted" is not gone. */
	if (ifi->ifi_family != AF_UNSPEC)
		return 0;
	if (nlh->nlmsg_type == RTM_DELLINK) {
		e = link_find(n, (unsigned int)ifi->ifi_index);
		if (e)
			link_drop(n, e);
	} else if (name) {
		struct netif_link link = {.index = (unsigned int)ifi->ifi_index,
					  .arphrd = ifi->ifi_type,
					  .up = ifi->ifi_flags & IFF_UP};

		snprintf(link.name, sizeof(link.name), "%s", name);
		return link_seen(n, &link);
	}
	return 0;
}

static void map_addr(uint8_t to[16], const void *from, bool ipv4)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (ipv4) {
		memcpy(to, mapped, sizeof(mapped));
		memcpy(to + sizeof(mapped), from, 4);
	} else {
		memcpy(to, from, 16);
	}
}

/* On a point-to-point interface IFA_ADDRESS is the peer's and IFA_LOCAL ours. */
static int addr_message(struct netif *n, const struct nlmsghdr *nlh)
{
	const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
	bool ipv4 = ifa->ifa_family == AF_INET;
	size_t len = ipv4 ? 4 : 16;
	const void *local = attribute(nlh, sizeof(*ifa), IFA_LOCAL, len);
	const void *address = attribute(nlh, sizeof(*ifa), IFA_ADDRESS, len);
	struct addrset_key key;

	if ((!ipv4 && ifa->ifa_family != AF_INET6) || (!local && !address))
		return 0;
	memset(&key, 0, sizeof(key));
	key.ifindex = ifa->ifa_index;
	key.prefix_len = ifa->ifa_prefixlen;
	map_addr(key.addr, local ? local : address, ipv4);
	if (address)
		map_addr(key.peer, address, ipv4);
	if (nlh->nlmsg_type == RTM_NEWADDR)
		return addrset_seen(&n->addrs, &key, n->round);
	addrset_gone(&n->addrs, &key);
	return 0;
}

static int request_dump(struct netif *n, enum stage stage)
{
	_Alignas(struct nlmsghdr) uint8_t buf[64] = {0};
	struct nlmsghdr *nlh = mnl_nlmsg_put_header(buf);
	size_t header = stage == STAGE_LINKS ? sizeof(struct ifinfomsg) : sizeof(struct ifaddrmsg);

	nlh->nlmsg_type = stage == STAGE_LINKS ? RTM_GETLINK : RTM_GETADDR;
	nlh->nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP;
	mnl_nlmsg_put_extra_header(nlh, header); /* all zero: every family */
	n->stage = stage;
	return mnl_socket_sendto(n->socket, nlh, nlh->nlmsg_len) < 0 ? -errno : 0;
}

static int start_dump(struct netif *n)
{
	n->stale = false;
	n->round++;
	return request_dump(n, STAGE_LINKS);
}

/* Everything was listed; what was not seen in this round is gone. */
static void sweep(struct netif *n)
{
	struct link_entry *e, *next_link;

	HASH_ITER (hh, n->links, e, next_link) {
		if (e->round != n->round)
			link_drop(n, e);
	}
	addrset_sweep(&n->addrs, n->round);
}

static int dump_done(struct netif *n)
{
	if (n->stage == STAGE_LINKS)
		return request_dump(n, STAGE_ADDRS);
	n->stage = STAGE_FOLLOW;
	if (!n->stale)
		sweep(n);
	return 0;
}

static int message(struct netif *n, const struct nlmsghdr *nlh)
{
	const struct nlmsgerr *refused = mnl_nlmsg_get_payload(nlh);

	if (nlh->nlmsg_flags & NLM_F_DUMP_INTR && nlh->nlmsg_flags & NLM_F_MULTI)
		n->stale = true; /* the list changed while it was read */
	switch (nlh->nlmsg_type) {
	case NLMSG_DONE:
		return dump_done(n);
	case NLMSG_ERROR:
		return refused->error; /* of a dump */
	case RTM_NEWLINK:
	case RTM_DELLINK:
		return link_message(n, nlh);
	case RTM_NEWADDR:
	case RTM_DELADDR:
		return addr_message(n, nlh);
	default:
		return 0;
	}
}

static int messages(struct netif *n, int len)
{
	const struct nlmsghdr *nlh = (const struct nlmsghdr *)n->buffer;
	int err = 0;

	for (; !err && mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
		err = message(n, nlh);
	return err;
}

/*
 * Take one message: to attach to what it tells of takes the kernel 20 ms, and the loop's other
 * work must not wait for a host's hundreds. After a loss take and leave all that are there: a
 * dump asked for while the queue is full fails, and tells what they would. 0 or -errno.
 */
static int receive(struct netif *n)
{
	do {
		ssize_t len = mnl_socket_recvfrom(n->socket, n->buffer, sizeof(n->buffer));
		bool drop = n->stale && n->stage == STAGE_FOLLOW;
		int err = len < 0 ? -errno : drop ? 0 : messages(n, (int)len);

		if (err == -EAGAIN)
			return drop ? start_dump(n) : 0;
		if (err == -ENOBUFS || err == -ENOSPC)
			n->stale = true; /* the queue or our buffer was too small */
		else if (err && err != -EINTR)
			return err;
	} while (n->stale && n->stage == STAGE_FOLLOW);
	return 0;
}

static void on_readable(void *arg, uint32_t events)
{
	struct netif *n = arg;
	int err = receive(n);

	(void)events;
	if (!err)
		return;
	loop_remove(n->loop, mnl_socket_get_fd(n->socket));
	log_error("network interfaces are no longer followed: rtnetlink: %s; restart to follow "
		  "them again",
		  strerror(-err));
}

static int open_socket(struct netif *n)
{
	unsigned int groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR;
	int size = RECEIVE_BUFFER, fd;

	n->socket = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (!n->socket || mnl_socket_bind(n->socket, groups, MNL_SOCKET_AUTOPID) < 0)
		return -errno;
	/* Only root may pass the host's limit; without it overruns are likelier. */
	fd = mnl_socket_get_fd(n->socket);
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)))
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
	return 0;
}

/* Wait for the first dump, so that the tables are whole from the start. */
static int first_dump(struct netif *n)
{
	struct pollfd fd = {.fd = mnl_socket_get_fd(n->socket), .events = POLLIN};
	int err = start_dump(n);

	while (!err && (n->stale || n->stage != STAGE_FOLLOW)) {
		int ready = poll(&fd, 1, FIRST_DUMP_MS);

		if (!ready)
			return -ETIMEDOUT;
		if (ready > 0)
			err = receive(n);
		else if (errno != EINTR)
			err = -errno;
	}
	return err;
}

struct netif *netif_new(struct loop *loop, netif_fn fn, void *arg, char *error, size_t error_size)
{
	struct netif *n = calloc(1, sizeof(*n));
	int err = n ? 0 : -ENOMEM;

	if (n) {
		n->loop = loop;
		n->fn = fn;
		n->arg = arg;
		err = open_socket(n);
		if (!err)
			err = first_dump(n);
		if (!err)
			err = loop_add(loop, mnl_socket_get_fd(n->socket), EPOLLIN, on_readable, n);
	}
	if (!err)
		return n;
	snprintf(error, error_size,
		 "cannot list the network interfaces: rtnetlink: %s; try again, and check that "
		 "AF_NETLINK sockets are allowed here",
		 strerror(-err));
	netif_free(n);
	return NULL;
}

void netif_free(struct netif *netif)
{
	struct link_entry *e, *next_link;

	if (!netif)
		return;
	addrset_clear(&netif->addrs);
	HASH_ITER (hh, netif->links, e, next_link) {
		HASH_DEL(netif->links, e);
		free(e);
	}
	if (netif->socket) {
		loop_remove(netif->loop, mnl_socket_get_fd(netif->socket));
		mnl_socket_close(netif->socket);
	}
	free(netif);
}

bool netif_is_local(const struct netif *netif, const uint8_t addr[16])
{
	static const uint8_t loopback4[13] = {[10] = 0xff, [11] = 0xff, [12] = 127};
	static const uint8_t loopback6[16] = {[15] = 1};

	if (!memcmp(addr, loopback4, sizeof(loopback4)) ||
	    !memcmp(addr, loopback6, sizeof(loopback6)))
		return true;
	return addrset_has(&netif->addrs, addr);
}

const char *netif_name(const struct netif *netif, unsigned int ifindex)
{
	const struct link_entry *e = link_find(netif, ifindex);

	return e ? e->link.name : NULL;
}

const struct netif_link *netif_by_name(const struct netif *netif, const char *name)
{
	const struct link_entry *e;

	for (e = netif->links; e; e = e->hh.next)
		if (!strcmp(e->link.name, name))
			return &e->link;
	return NULL;
}
