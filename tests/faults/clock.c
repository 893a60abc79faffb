// SPDX-License-Identifier: GPL-2.0-only
/* clock.c - preloaded: CLOCK_REALTIME is off by the seconds in the file that CLOCK_STEP names. The
 * machine's own clock cannot be set without moving everybody's. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

int clock_gettime(clockid_t id, struct timespec *t)
{
	static int (*real)(clockid_t, struct timespec *);
	const char *path = getenv("CLOCK_STEP");
	FILE *file;
	long step;
	int err;

	if (!real)
		*(void **)&real = dlsym(RTLD_NEXT, "clock_gettime");
	err = real(id, t);
	if (err || id != CLOCK_REALTIME || !path)
		return err;
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%ld", &step) == 1)
		t->tv_sec += step;
	fclose(file);
	return 0;
}

time_t time(time_t *to)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	if (to)
		*to = t.tv_sec;
	return t.tv_sec;
}
