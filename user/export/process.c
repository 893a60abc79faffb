// SPDX-License-Identifier: GPL-2.0-only
#include "process.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define SECOND UINT64_C(1000000000)

/* proc_pid_stat(5); times in clock ticks, sizes in bytes and pages. */
struct stat_line {
	unsigned long user, system, virtual_bytes;
	unsigned long long started; /* since boot */
	long resident_pages;
};

static bool read_stat(struct stat_line *s)
{
	char line[1024] = "";
	FILE *f = fopen("/proc/self/stat", "re");
	const char *at;
	int n = 0;

	if (!f)
		return false;
	/* field 2 is our name in parentheses and may hold anything; field 3 follows it */
	if (fgets(line, sizeof(line), f) && (at = strrchr(line, ')')))
		n = sscanf(at + 1,
			   " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu"
			   " %*d %*d %*d %*d %*d %*d %llu %lu %ld",
			   &s->user, &s->system, &s->started, &s->virtual_bytes,
			   &s->resident_pages);
	fclose(f);
	return n == 5;
}

/* When the host booted, seconds since 1970; 0 when /proc/stat does not tell. */
static unsigned long long boot_time(void)
{
	FILE *f = fopen("/proc/stat", "re");
	unsigned long long when = 0;
	char *line = NULL;
	size_t size = 0;

	if (!f)
		return 0;
	while (getline(&line, &size, f) > 0) /* the line of interrupts may be very long */
		if (sscanf(line, "btime %llu", &when) == 1)
			break;
	free(line);
	fclose(f);
	return when;
}

static int open_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int count = -1; /* the directory itself */
	struct dirent *e;

	if (!dir)
		return -1;
	while ((e = readdir(dir)))
		count += e->d_name[0] != '.';
	closedir(dir);
	return count;
}

static void write_number(struct buf *out, enum expo_format format, const char *name,
			 const char *unit, const char *help, uint64_t value)
{
	struct expo_family f = {name, EXPO_GAUGE, unit, help};

	expo_family(out, format, &f);
	expo_sample(out, name, NULL);
	expo_number(out, value);
}

static void write_stat(struct buf *out, enum expo_format format, const struct stat_line *s)
{
	static const struct expo_family cpu = {"process_cpu_seconds", EXPO_COUNTER, "seconds",
					       "User and system CPU time spent."};
	static const struct expo_family start = {"process_start_time_seconds", EXPO_GAUGE,
						 "seconds",
						 "When the process started, since 1970."};
	uint64_t tick = SECOND / (uint64_t)sysconf(_SC_CLK_TCK);
	uint64_t booted = boot_time();

	expo_family(out, format, &cpu);
	expo_sample(out, "process_cpu_seconds_total", NULL);
	expo_seconds(out, (s->user + s->system) * tick);
	write_number(out, format, "process_virtual_memory_bytes", "bytes",
		     "Virtual memory size in bytes.", s->virtual_bytes);
	write_number(out, format, "process_resident_memory_bytes", "bytes",
		     "Resident memory size in bytes.",
		     (uint64_t)s->resident_pages * (uint64_t)sysconf(_SC_PAGESIZE));
	if (!booted)
		return;
	expo_family(out, format, &start);
	expo_sample(out, "process_start_time_seconds", NULL);
	expo_seconds(out, booted * SECOND + s->started * tick);
}

void process_write(struct buf *out, enum expo_format format)
{
	struct stat_line stat;
	struct rlimit limit;
	int fds = open_fds();

	if (read_stat(&stat))
		write_stat(out, format, &stat);
	if (fds >= 0)
		write_number(out, format, "process_open_fds", NULL,
			     "Number of open file descriptors.", (uint64_t)fds);
	if (!getrlimit(RLIMIT_NOFILE, &limit) && limit.rlim_cur != RLIM_INFINITY)
		write_number(out, format, "process_max_fds", NULL,
			     "Maximum number of open file descriptors.", limit.rlim_cur);
}
