// SPDX-License-Identifier: GPL-2.0-only
/* Paths of cgroups, of ones made here; and which process is still the same. */
#include <errno.h>
#include <mntent.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "cgroup.h"

static const struct cgroup_process nobody;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

/* Makes a cgroup of this test's own: its directory and the path below the root. Skips when there is
 * no hierarchy of version 2 that may be written. */
static uint64_t make(char dir[256], const char **path)
{
	FILE *mounts = setmntent("/proc/self/mounts", "re");
	struct stat st = {0};
	struct mntent *m;
	size_t above = 0;

	assert_non_null(mounts);
	dir[0] = '\0';
	while (!dir[0] && (m = getmntent(mounts))) {
		if (strcmp(m->mnt_type, "cgroup2") || stat(m->mnt_dir, &st) || st.st_ino != 1)
			continue;
		above = strlen(m->mnt_dir);
		snprintf(dir, 256, "%s/alpnscope-test-%d", m->mnt_dir, getpid());
	}
	endmntent(mounts);
	if (!dir[0] || mkdir(dir, 0755) || stat(dir, &st)) {
		printf("a cgroup cannot be made: %s\n",
		       dir[0] ? strerror(errno) : "no cgroup2 hierarchy is mounted");
		skip();
	}
	*path = dir + above;
	return st.st_ino;
}

static void by_id(void **state)
{
	struct cgroups *c = cgroups_new();
	const char *path, *found;
	char dir[256];
	uint64_t id;

	(void)state;
	assert_non_null(c);
	id = make(dir, &path);
	found = cgroups_path(c, id, &nobody);
	rmdir(dir);
	if (!found) {
		printf("this process may not open a cgroup by its id (CAP_DAC_READ_SEARCH)\n");
		cgroups_free(c);
		skip();
	}
	assert_string_equal(found, path);
	/* It is gone, its path is not. */
	assert_string_equal(cgroups_path(c, id, &nobody), path);
	cgroups_free(c);
	c = cgroups_new();
	assert_null(cgroups_path(c, id, &nobody));
	assert_null(cgroups_path(c, id, &nobody));
	assert_null(cgroups_path(c, 0, &nobody));
	cgroups_free(c);
}

/* More cgroups than are remembered; none of them is there. */
static void many(void **state)
{
	struct cgroups *c = cgroups_new();

	(void)state;
	for (uint64_t id = 1ULL << 40; id < (1ULL << 40) + 2 * CGROUP_PATHS_MAX; id++)
		assert_null(cgroups_path(c, id, &nobody));
	cgroups_free(c);
}

static void by_process(void **state)
{
	struct cgroup_process us = {(uint32_t)getpid(), now()}, before = {(uint32_t)getpid(), 1};
	struct cgroups *c = cgroups_new();

	(void)state;
	assert_non_null(cgroups_path(c, 0, &us));
	assert_int_equal(cgroups_path(c, 0, &us)[0], '/');
	assert_null(cgroups_path(c, 0, &before)); /* another had the number then */
	cgroups_free(c);
}

static void same_process(void **state)
{
	struct cgroup_process child = {0};
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		pause();
		_exit(0);
	}
	child.pid = (uint32_t)pid;
	child.seen_ns = now() - 1000000000;
	assert_false(cgroup_same_process(&child)); /* it was not there a second ago */
	child.seen_ns = now();
	assert_true(cgroup_same_process(&child));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_false(cgroup_same_process(&child));
	assert_false(cgroup_same_process(&nobody));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(by_id),
		cmocka_unit_test(many),
		cmocka_unit_test(by_process),
		cmocka_unit_test(same_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
