// SPDX-License-Identifier: GPL-2.0-only
#include "netns.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <dirent.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define LINES_MAX 20000 /* of a routing table: a router's may have millions */

static void add(struct netns *ns, const void *addr, size_t len)
{
	uint8_t *to = ns->addr[ns->count];

	if (ns->count >= NETNS_ADDRESSES_MAX)
		return;
	memset(to, 0, 16);
	if (len == 4)
		memset(to + 10, 0xff, 2);
	memcpy(to + 16 - len, addr, len);
	for (unsigned int i = 0; i < ns->count; i++)
		if (!memcmp(ns->addr[i], to, 16))
			return;
	ns->count++;
}

static void own_addresses(struct netns *ns)
{
	struct ifaddrs *all = NULL;

	if (getifaddrs(&all))
		return;
	for (struct ifaddrs *one = all; one; one = one->ifa_next) {
		if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET)
			add(ns, &((struct sockaddr_in *)one->ifa_addr)->sin_addr, 4);
		else if (one->ifa_addr && one->ifa_addr->sa_family == AF_INET6)
			add(ns, &((struct sockaddr_in6 *)one->ifa_addr)->sin6_addr, 16);
	}
	freeifaddrs(all);
}

/* /proc/PID/net/fib_trie shows a leaf as "|-- 10.0.0.1", its routes in the lines below; an address
 * of the namespace's own has "/32 host LOCAL". */
static void addresses4(struct netns *ns)
{
	char name[64], line[256], text[16] = "";
	struct in_addr addr;
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%u/net/fib_trie", ns->pid);
	f = fopen(name, "re");
	for (int n = 0; f && n < LINES_MAX && fgets(line, sizeof(line), f); n++) {
		const char *leaf = strstr(line, "|-- ");

		if (leaf)
			sscanf(leaf, "|-- %15[0-9.]", text);
		else if (strstr(line, "/32 host LOCAL") && inet_pton(AF_INET, text, &addr) == 1 &&
			 strncmp(text, "127.", 4) != 0)
			add(ns, &addr, sizeof(addr));
	}
	if (f)
		fclose(f);
}

/* /proc/PID/net/if_inet6: the address in hex, index, prefix length, scope (0 is global), ... */
static void addresses6(struct netns *ns)
{
	char name[64], line[256];
	FILE *f;

	snprintf(name, sizeof(name), "/proc/%u/net/if_inet6", ns->pid);
	f = fopen(name, "re");
	while (f && fgets(line, sizeof(line), f)) {
		unsigned int scope, byte;
		uint8_t addr[16];
		int i = 0;

		while (i < 16 && sscanf(line + (size_t)i * 2, "%2x", &byte) == 1)
			addr[i++] = (uint8_t)byte;
		if (i == 16 && sscanf(line, "%*s %*x %*x %x", &scope) == 1 && !scope)
			add(ns, addr, sizeof(addr));
	}
	if (f)
		fclose(f);
}

static uint64_t inode_of(const char *pid)
{
	char name[300];
	struct stat st;

	snprintf(name, sizeof(name), "/proc/%s/ns/net", pid);
	return stat(name, &st) ? 0 : (uint64_t)st.st_ino;
}

static bool is_new(const uint64_t *seen, unsigned int count, uint64_t inode)
{
	for (unsigned int i = 0; i < count; i++)
		if (seen[i] == inode)
			return false;
	return inode && count < NETNS_MAX;
}

void netns_scan(void (*fn)(void *arg, const struct netns *ns), void *arg)
{
	struct netns ns = {.inode = inode_of("self")};
	uint64_t seen[NETNS_MAX];
	unsigned int count = 0;
	struct dirent *e;
	DIR *proc;

	own_addresses(&ns);
	fn(arg, &ns);
	seen[count++] = ns.inode;
	proc = opendir("/proc");
	while (proc && (e = readdir(proc))) {
		if (!isdigit((unsigned char)e->d_name[0]))
			continue;
		ns = (struct netns){.inode = inode_of(e->d_name),
				    .pid = (uint32_t)strtoul(e->d_name, NULL, 10)};
		if (!is_new(seen, count, ns.inode))
			continue;
		seen[count++] = ns.inode;
		addresses4(&ns);
		addresses6(&ns);
		fn(arg, &ns);
	}
	if (proc)
		closedir(proc);
}
