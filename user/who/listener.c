// SPDX-License-Identifier: GPL-2.0-only
#include "listener.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "hash.h"

#include "netns.h"

#define STATE_LISTEN 0x0a

/* A socket, and the addresses of its namespace when it takes any of them. */
struct found {
	unsigned long inode;
	bool several; /* programs of different names */
	struct listener l;
	unsigned int count;
	uint8_t (*addr)[16];
	UT_hash_handle hh;
};

/* The kernel prints an address as 32-bit words, each as this machine reads it. */
static void take_address(const char *hex, uint8_t addr[16])
{
	size_t words = strlen(hex) / 8;
	uint32_t word;

	memset(addr, 0, 16);
	if (words == 1)
		memset(addr + 10, 0xff, 2);
	for (size_t i = 0; i < words && i < 4; i++) {
		char part[9] = "";

		memcpy(part, hex + 8 * i, 8);
		word = (uint32_t)strtoul(part, NULL, 16);
		memcpy(addr + (words == 1 ? 12 : 4 * i), &word, 4);
	}
}

/* 0.0.0.0 takes those of IPv4; :: all, unless it was told not to, which /proc does not tell. */
static void take_any(struct found *one, const struct netns *ns)
{
	static const uint8_t any[16], any4[16] = {[10] = 0xff, [11] = 0xff};
	bool four = !memcmp(one->l.addr, any4, 16);

	if (!four && memcmp(one->l.addr, any, 16) != 0)
		return;
	one->addr = calloc(ns->count + 1, sizeof(*one->addr));
	for (unsigned int i = 0; one->addr && i < ns->count; i++)
		if (!four || !memcmp(ns->addr[i], any4, 12))
			memcpy(one->addr[one->count++], ns->addr[i], 16);
}

/* Sockets that listen come first in the file: the rest, which may be long, is left unread. */
static void read_sockets(const char *file, const struct netns *ns, struct found **all)
{
	char line[512], addr[33];
	FILE *f = fopen(file, "re");
	unsigned int port, state;
	unsigned long inode;

	if (!f)
		return;
	if (!fgets(line, sizeof(line), f)) /* the heading */
		line[0] = '\0';
	while (HASH_COUNT(*all) < LISTENERS_MAX && fgets(line, sizeof(line), f)) {
		struct found *one;

		if (sscanf(line,
			   " %*u: %32[0-9A-F]:%x %*32[0-9A-F]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u "
			   "%lu",
			   addr, &port, &state, &inode) != 4 ||
		    state != STATE_LISTEN)
			break;
		HASH_FIND(hh, *all, &inode, sizeof(inode), one);
		one = one ? NULL : calloc(1, sizeof(*one));
		if (!one)
			continue;
		one->inode = inode;
		one->l.port = (uint16_t)port;
		take_address(addr, one->l.addr);
		take_any(one, ns);
		HASH_ADD(hh, *all, inode, sizeof(one->inode), one);
	}
	fclose(f);
}

static void on_netns(void *arg, const struct netns *ns)
{
	char file[64];

	for (int six = 0; six < 2; six++) {
		if (ns->pid)
			snprintf(file, sizeof(file), "/proc/%u/net/tcp%s", ns->pid, six ? "6" : "");
		else
			snprintf(file, sizeof(file), "/proc/self/net/tcp%s", six ? "6" : "");
		read_sockets(file, ns, arg);
	}
}

static bool read_name(uint32_t pid, char comm[16])
{
	char file[64], name[32] = "";
	FILE *f;

	snprintf(file, sizeof(file), "/proc/%u/comm", pid);
	f = fopen(file, "re");
	if (!f)
		return false;
	memset(comm, 0, 16);
	if (fgets(name, sizeof(name), f))
		memcpy(comm, name, strnlen(name, 17) - 1); /* without the line break */
	fclose(f);
	return comm[0];
}

static void claim(struct found *one, uint32_t pid)
{
	char comm[16];

	if (one->l.pid == pid || !read_name(pid, comm))
		return;
	if (pid == 1 && !strcmp(comm, "systemd")) /* it listens for others, and hands over */
		return;
	if (one->l.pid) {
		one->several |= memcmp(comm, one->l.comm, sizeof(comm)) != 0;
		return;
	}
	one->l.pid = pid;
	memcpy(one->l.comm, comm, sizeof(comm));
}

static void read_files(uint32_t pid, struct found *all)
{
	char dir[64], link[64];
	unsigned long inode;
	struct dirent *e;
	DIR *d;

	snprintf(dir, sizeof(dir), "/proc/%u/fd", pid);
	d = opendir(dir);
	while (d && (e = readdir(d))) {
		ssize_t len = readlinkat(dirfd(d), e->d_name, link, sizeof(link) - 1);
		struct found *one;

		if (len <= 0)
			continue;
		link[len] = '\0';
		if (sscanf(link, "socket:[%lu]", &inode) != 1)
			continue;
		HASH_FIND(hh, all, &inode, sizeof(inode), one);
		if (one)
			claim(one, pid);
	}
	if (d)
		closedir(d);
}

static void report(const struct found *one, void (*fn)(void *arg, const struct listener *l),
		   void *arg)
{
	struct listener l = one->l;

	if (!l.pid || one->several)
		return;
	if (!one->addr)
		fn(arg, &l);
	for (unsigned int i = 0; i < one->count; i++) {
		memcpy(l.addr, one->addr[i], 16);
		fn(arg, &l);
	}
}

void listener_scan(void (*fn)(void *arg, const struct listener *l), void *arg)
{
	struct found *all = NULL, *one, *next;
	struct dirent *e;
	DIR *proc;

	netns_scan(on_netns, &all);
	proc = all ? opendir("/proc") : NULL;
	while (proc && (e = readdir(proc)))
		if (isdigit((unsigned char)e->d_name[0]))
			read_files((uint32_t)strtoul(e->d_name, NULL, 10), all);
	if (proc)
		closedir(proc);
	HASH_ITER (hh, all, one, next) {
		report(one, fn, arg);
		HASH_DEL(all, one);
		free(one->addr);
		free(one);
	}
}
