/* SPDX-License-Identifier: GPL-2.0-only */
/* workload.h - what is known of the program at one end of a handshake. */
#ifndef ALPNSCOPE_WORKLOAD_H
#define ALPNSCOPE_WORKLOAD_H

#include <stdint.h>

/**
 * struct workload - who holds the socket. Every string is printable ASCII (what is not is written
 * \xNN), terminated, and "" when not known.
 * @pid: thread group leader, as this host counts it; 0 when not known
 * @process: its name
 * @cgroup: the path below the root of cgroup2 (or of systemd's hierarchy of version 1),
 *          "/system.slice/nginx.service"
 * @unit: the systemd unit, "nginx.service", when its name stays the same over restarts
 * @container: the container's name, when one is known that stays the same
 * @container_id: what the runtime calls it, 64 hex digits with most of them
 */
struct workload {
	uint32_t pid;
	char process[64];
	char cgroup[256];
	char unit[64];
	char container[64];
	char container_id[65];
};

#endif
