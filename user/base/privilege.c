// SPDX-License-Identifier: GPL-2.0-only
#include "privilege.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

void privilege_fix(void)
{
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

bool privilege_has(unsigned int cap)
{
	return !capng_get_caps_process() && capng_have_capability(CAPNG_EFFECTIVE, cap) == 1;
}

int privilege_keep(uint64_t keep)
{
	bool bounds = privilege_has(CAP_SETPCAP);
	uint64_t have = 0;

	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (keep & PRIVILEGE(cap) && capng_have_capability(CAPNG_PERMITTED, cap) == 1)
			have |= PRIVILEGE(cap);
	capng_clear(CAPNG_SELECT_ALL);
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (have & PRIVILEGE(cap))
			capng_update(CAPNG_ADD,
				     CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_BOUNDING_SET, cap);
	errno = 0;
	if (capng_apply(bounds ? CAPNG_SELECT_ALL : CAPNG_SELECT_CAPS))
		return errno ? -errno : -EPERM;
	return 0;
}

bool privilege_writes(const char *dir, uint64_t without)
{
	bool writes;

	if (capng_get_caps_process())
		return true;
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (without & PRIVILEGE(cap))
			capng_update(CAPNG_DROP, CAPNG_EFFECTIVE, cap);
	if (capng_apply(CAPNG_SELECT_CAPS))
		return true;
	writes = !faccessat(AT_FDCWD, dir, W_OK | X_OK, AT_EACCESS);
	for (unsigned int cap = 0; cap <= CAP_LAST_CAP; cap++)
		if (without & PRIVILEGE(cap) && capng_have_capability(CAPNG_PERMITTED, cap) == 1)
			capng_update(CAPNG_ADD, CAPNG_EFFECTIVE, cap);
	capng_apply(CAPNG_SELECT_CAPS);
	return writes;
}
