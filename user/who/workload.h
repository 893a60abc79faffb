/* SPDX-License-Identifier: GPL-2.0-only */
/* workload.h - what is known of the program at one end of a handshake. */
#ifndef ALPNSCOPE_WORKLOAD_H
#define ALPNSCOPE_WORKLOAD_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct workload - who holds the socket. Every string is printable ASCII (what is not is written
 * \xNN), terminated, cut to its room, and "" when not known.
 * @pid: thread group leader, as this host counts it; 0 when not known
 * @process: its name
 * @cgroup: the path below the root of cgroup2 (or of systemd's hierarchy of version 1),
 *          "/system.slice/nginx.service"
 * @unit: the systemd unit, "nginx.service", when its name stays the same over restarts; in a
 *        container the one inside it
 * @container: the container's name, when one is known that stays the same
 * @container_id: what the runtime calls it, 64 hex digits
 */
struct workload {
	uint32_t pid;
	char process[64];
	char cgroup[256];
	char unit[64];
	char container[64];
	char container_id[65];
};

/**
 * workload_text - write hostile bytes as printable text.
 * @to: @size bytes; what does not fit is left out, and no escape is cut in two
 */
void workload_text(char *to, size_t size, const char *bytes, size_t len);

/**
 * workload_place - what a cgroup's path tells: fills in cgroup, unit, container and container_id.
 * @path: as cgroups_path() returns it; NULL leaves all of them ""
 *
 * docs/DESIGN.md, "Whose handshake it is", lists what is recognised.
 */
void workload_place(struct workload *w, const char *path);

/**
 * workload_name - what the service of @w is called: container, unit, container/unit, or the
 * process' name; "" when none is known.
 * @name: @size bytes
 */
void workload_name(const struct workload *w, char *name, size_t size);

#endif
