// SPDX-License-Identifier: GPL-2.0-only
/* library_scan.c - executable mappings of processes, by /proc/PID/maps. */
#include "library_scan.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

/* An entry that did not fit is left out of its table, and hh.tbl is then NULL. */
#define HASH_NONFATAL_OOM 1
#include "hash.h"

#define COMM_SIZE 64 /* of a kernel thread's name; others have 16 */

struct seen_key {
	uint64_t dev, ino;
};

struct seen {
	struct seen_key key;
	UT_hash_handle hh;
};

struct scan {
	library_scan_fn fn;
	void *arg;
	struct seen *seen;
	unsigned int files;
	int err; /* why it stopped */
};

/* Is it a file that was not met before? */
static bool is_new(struct scan *s, uint64_t dev, uint64_t ino)
{
	const struct seen_key key = {.dev = dev, .ino = ino};
	struct seen *entry;

	HASH_FIND(hh, s->seen, &key, sizeof(key), entry);
	if (entry)
		return false;
	if (s->files == LIBRARY_FILES_MAX) {
		s->err = -E2BIG;
		return false;
	}
	s->err = -ENOMEM;
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return false;
	entry->key = key;
	HASH_ADD(hh, s->seen, key, sizeof(entry->key), entry);
	if (!entry->hh.tbl) {
		free(entry);
		return false;
	}
	s->err = 0;
	s->files++;
	return true;
}

static void free_seen(struct scan *s)
{
	struct seen *entry, *next;

	HASH_ITER (hh, s->seen, entry, next) {
		HASH_DEL(s->seen, entry);
		free(entry);
	}
}

static void read_comm(pid_t pid, char comm[COMM_SIZE])
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)pid);
	f = fopen(path, "re");
	comm[0] = 0;
	if (!f)
		return;
	if (!fgets(comm, COMM_SIZE, f))
		comm[0] = 0;
	comm[strcspn(comm, "\n")] = 0;
	fclose(f);
}

/* One line: "start-end perms offset major:minor inode   name" (proc(5)). A newline in a name is
 * written \012 by the kernel. Memory that is no file has inode 0. */
static void take_line(struct scan *s, pid_t pid, const char *line)
{
	unsigned long long start, end, ino;
	struct library_file file = {.pid = pid};
	char perms[5], path[96], comm[COMM_SIZE];
	unsigned int major, minor;
	int name = 0;

	if (sscanf(line, "%llx-%llx %4s %*s %x:%x %llu %n", &start, &end, perms, &major, &minor,
		   &ino, &name) != 6 ||
	    !name || perms[2] != 'x' || !ino || line[name] != '/')
		return;
	file.dev = makedev(major, minor);
	file.ino = ino;
	if (!is_new(s, file.dev, file.ino))
		return;
	/* The kernel writes eight digits or more in maps, but as many as there are in map_files. */
	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", (int)pid, start, end);
	read_comm(pid, comm);
	file.path = path;
	file.name = line + name;
	file.comm = comm;
	s->fn(s->arg, &file);
}

/* Files of one process. */
static int scan_one(struct scan *s, pid_t pid)
{
	size_t size = 0;
	char *line = NULL, path[64];
	ssize_t got;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/maps", (int)pid);
	f = fopen(path, "re");
	if (!f)
		return errno == ENOENT ? -ESRCH : -errno;
	while (!s->err && (got = getline(&line, &size, f)) > 0) {
		if (line[got - 1] == '\n')
			line[got - 1] = 0;
		take_line(s, pid, line);
	}
	free(line);
	fclose(f);
	return 0;
}

static int scan_all(struct scan *s)
{
	DIR *proc = opendir("/proc");
	const struct dirent *e;

	if (!proc)
		return -errno;
	while (!s->err && (e = readdir(proc)))
		if (isdigit((unsigned char)e->d_name[0]))
			scan_one(s, (pid_t)strtol(e->d_name, NULL, 10));
	closedir(proc);
	return 0;
}

int library_scan(pid_t pid, library_scan_fn fn, void *arg)
{
	struct scan s = {.fn = fn, .arg = arg};
	int err = pid ? scan_one(&s, pid) : scan_all(&s);

	free_seen(&s);
	return s.err ? s.err : err;
}
