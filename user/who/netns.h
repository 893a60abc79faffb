/* SPDX-License-Identifier: GPL-2.0-only */
/* netns.h - the network namespaces that processes of this host live in, and their addresses. */
#ifndef ALPNSCOPE_NETNS_H
#define ALPNSCOPE_NETNS_H

#include <stdbool.h>
#include <stdint.h>

#define NETNS_MAX 1024
#define NETNS_ADDRESSES_MAX 64 /* of each */

/**
 * struct netns - one namespace.
 * @inode: its number
 * @pid: a process in it, through which /proc shows it; 0 for our own
 * @count: how many addresses follow, 16 bytes each in network order, IPv4 mapped. Of another
 *         namespace those that are reached from outside: no loopback, no link-local ones.
 */
struct netns {
	uint64_t inode;
	uint32_t pid;
	unsigned int count;
	uint8_t addr[NETNS_ADDRESSES_MAX][16];
};

/**
 * netns_scan - report our own namespace, and then each other one that a process lives in which we
 * may look at.
 * @fn: @ns is valid during the call only
 */
void netns_scan(void (*fn)(void *arg, const struct netns *ns), void *arg);

#endif
