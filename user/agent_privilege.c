// SPDX-License-Identifier: GPL-2.0-only
#include "agent_privilege.h"

#include <libgen.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#include "doctor.h"
#include "log.h"
#include "privilege.h"

/* Since Linux 5.19 (c8644cd0efe7) bpf() on what is open takes none; before, any bpf() does. */
#define BPF_BY_FD DOCTOR_VERSION(5, 19)

static bool writes_beside(const char *path)
{
	char *copy = path ? strdup(path) : NULL;
	bool writes = !copy || privilege_writes(dirname(copy), PRIVILEGE(CAP_DAC_OVERRIDE));

	free(copy);
	return writes;
}

/* Are all files that are written or removed later where this user may? Root may own none of the
 * directories, as that of node_exporter's text files. */
static bool writes_all(const struct options *opt)
{
	return writes_beside(opt->socket) && writes_beside(opt->textfile) &&
	       (!opt->state_dir || privilege_writes(opt->state_dir, PRIVILEGE(CAP_DAC_OVERRIDE)));
}

static uint64_t needed(const struct options *opt, const struct attach *attach)
{
	/* cgroups, programs, sockets and containers of other users */
	uint64_t keep = PRIVILEGE(CAP_DAC_READ_SEARCH) | PRIVILEGE(CAP_SYS_PTRACE);
	struct utsname name;

	uname(&name);
	if (doctor_version(name.release) < BPF_BY_FD)
		keep |= PRIVILEGE(CAP_BPF);
	/* Filters of interfaces to come; a link of tcx or XDP takes the program's fd alone. */
	if (!attach_is_by_links(attach) || opt->taps)
		keep |= PRIVILEGE(CAP_NET_ADMIN);
	if (opt->taps) /* promiscuous mode */
		keep |= PRIVILEGE(CAP_NET_RAW);
	if (opt->library) /* uprobes in programs that start later */
		keep |= PRIVILEGE(CAP_SYS_ADMIN);
	if (!writes_all(opt))
		keep |= PRIVILEGE(CAP_DAC_OVERRIDE);
	return keep;
}

/* What the rest costs, said once. */
static void say_missing(void)
{
	bool read = privilege_has(CAP_DAC_READ_SEARCH), trace = privilege_has(CAP_SYS_PTRACE);

	if (read && trace)
		return;
	log_info("without %s%s%s: %s%s%s", read ? "" : "CAP_DAC_READ_SEARCH",
		 read || trace ? "" : " and ", trace ? "" : "CAP_SYS_PTRACE",
		 read ? "" : "some handshakes have no unit, containers no name",
		 read || trace ? "" : "; ",
		 trace ? "" : "servers of other users have no name before they answer");
}

int agent_privilege_drop(const struct options *opt, const struct attach *attach)
{
	int err = privilege_keep(needed(opt, attach));

	if (!err)
		say_missing();
	return err;
}
