// SPDX-License-Identifier: GPL-2.0-only
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "hash.h"

#define ROOT_ID 1 /* of every kernfs, cgroup_root included */
#define HANDLE_KERNFS 0xfe /* FILEID_KERNFS, Linux 5.5 (33c5ac917ae2): the id, 8 bytes */
#define SECOND UINT64_C(1000000000)
#define TEXT_MAX 16384 /* bytes of /proc/PID/cgroup: a line for each of some 15 hierarchies */

struct known {
	uint64_t id;
	char *path; /* NULL: it was gone when we looked */
	UT_hash_handle hh;
};

/* A process whose cgroup was read. */
struct lived {
	uint32_t pid;
	uint64_t from, to; /* it was there, CLOCK_MONOTONIC */
	char *path;
	UT_hash_handle hh;
};

struct cgroups {
	int root; /* the cgroup2 hierarchy's, -1 without one */
	char *mount; /* where it is mounted */
	bool v1; /* systemd keeps its own hierarchy of version 1 */
	struct known *known;
	struct lived *lived;
	char text[TEXT_MAX]; /* of a file in /proc */
	char path[CGROUP_PATH_MAX]; /* what was returned last, unless it is remembered */
};

/* A mount of the whole hierarchy: below another directory, or in a cgroup namespace, paths would
 * begin elsewhere. */
static void take_mount(struct cgroups *c, const struct mntent *m)
{
	struct stat st;
	int fd;

	if (!strcmp(m->mnt_type, "cgroup") && hasmntopt(m, "name=systemd"))
		c->v1 = true;
	if (c->root >= 0 || strcmp(m->mnt_type, "cgroup2"))
		return;
	fd = open(m->mnt_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return;
	if (!fstat(fd, &st) && st.st_ino == ROOT_ID && (c->mount = strdup(m->mnt_dir)))
		c->root = fd;
	else
		close(fd);
}

struct cgroups *cgroups_new(void)
{
	struct cgroups *c = calloc(1, sizeof(*c));
	struct mntent m;
	char line[4096];
	FILE *mounts;

	if (!c)
		return NULL;
	c->root = -1;
	mounts = setmntent("/proc/self/mounts", "re");
	if (!mounts)
		return c;
	while (getmntent_r(mounts, &m, line, sizeof(line)))
		take_mount(c, &m);
	endmntent(mounts);
	return c;
}

static void forget(struct cgroups *c, struct known *k)
{
	HASH_DEL(c->known, k);
	free(k->path);
	free(k);
}

static void forget_process(struct cgroups *c, struct lived *l)
{
	HASH_DEL(c->lived, l);
	free(l->path);
	free(l);
}

void cgroups_free(struct cgroups *c)
{
	if (!c)
		return;
	while (c->known)
		forget(c, c->known);
	while (c->lived)
		forget_process(c, c->lived);
	if (c->root >= 0)
		close(c->root);
	free(c->mount);
	free(c);
}

/* Remember what is in c->path for @id (@there), or that it is gone. */
static void remember(struct cgroups *c, uint64_t id, bool there)
{
	struct known *k;

	if (HASH_COUNT(c->known) >= CGROUP_PATHS_MAX)
		forget(c, c->known); /* the one that was found first */
	k = calloc(1, sizeof(*k));
	if (!k)
		return;
	k->id = id;
	k->path = there ? strdup(c->path) : NULL;
	if (there && !k->path)
		free(k);
	else
		HASH_ADD(hh, c->known, id, sizeof(k->id), k);
}

static int open_id(const struct cgroups *c, uint64_t id)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + sizeof(uint64_t)];
	} handle = {.h = {.handle_bytes = sizeof(id), .handle_type = HANDLE_KERNFS}};

	memcpy(handle.h.f_handle, &id, sizeof(id));
	return open_by_handle_at(c->root, &handle.h, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* c->path by the id; 0 or -errno. */
static int find_by_id(struct cgroups *c, uint64_t id)
{
	char link[64], full[CGROUP_PATH_MAX];
	size_t above = strlen(c->mount);
	ssize_t len;
	int fd = open_id(c, id), err;

	if (fd < 0)
		return -errno;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	len = readlink(link, full, sizeof(full) - 1);
	err = len < 0 ? -errno : 0;
	close(fd);
	if (err)
		return err;
	full[len] = '\0';
	if (strncmp(full, c->mount, above) || (full[above] && full[above] != '/'))
		return -EXDEV; /* it is mounted over */
	snprintf(c->path, sizeof(c->path), "%s", full[above] ? full + above : "/");
	return 0;
}

/* The file @name of a process in /proc, as text; what does not fit is left out. False when it is
 * gone. A stdio stream would take memory for each. */
static bool read_proc(uint32_t pid, const char *name, char *text, size_t size)
{
	char path[64];
	size_t len = 0;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += (size_t)n;
	close(fd);
	text[len] = '\0';
	return len > 0;
}

bool cgroup_same_process(const struct cgroup_process *process)
{
	struct timespec boot, mono;
	unsigned long long began;
	char line[1024];
	const char *at;
	uint64_t seen;
	bool got;

	/* Field 2 is the name in parentheses and may hold anything; field 22 is when it began, in
	 * ticks since the machine was booted (proc_pid_stat(5)). */
	got = read_proc(process->pid, "stat", line, sizeof(line)) && (at = strrchr(line, ')')) &&
	      sscanf(at + 1,
		     " %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d"
		     " %llu",
		     &began) == 1;
	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &boot); /* runs while the machine sleeps, too */
	seen = process->seen_ns + (uint64_t)(boot.tv_sec - mono.tv_sec) * SECOND +
	       (uint64_t)(boot.tv_nsec - mono.tv_nsec);
	return got && began <= seen / (SECOND / (uint64_t)sysconf(_SC_CLK_TCK));
}

/* The path in a line of /proc/PID/cgroup (cgroups(7)), if it is of version 2's hierarchy or of
 * systemd's own, else NULL. */
static const char *path_in(const char *line)
{
	static const char systemd[] = ":name=systemd:";
	const char *at = strchr(line, ':');

	if (!strncmp(line, "0::", 3))
		return line + 3;
	return at && !strncmp(at, systemd, strlen(systemd)) ? at + strlen(systemd) : NULL;
}

/* c->path by /proc/PID/cgroup: where both hierarchies are in use a process may be in the root of
 * one, which tells nothing. */
static bool find_by_process(struct cgroups *c, const struct cgroup_process *process)
{
	char *line, *rest = c->text;

	if (!read_proc(process->pid, "cgroup", c->text, sizeof(c->text)))
		return false;
	c->path[0] = '\0';
	while ((line = strsep(&rest, "\n"))) {
		const char *path = path_in(line);

		if (path && path[0] == '/' && (!c->path[0] || !strcmp(c->path, "/")))
			snprintf(c->path, sizeof(c->path), "%s", path);
	}
	/* asked last: it was that process then */
	return c->path[0] && cgroup_same_process(process);
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * SECOND + (uint64_t)t.tv_nsec;
}

/* Remember that @process was in c->path at @now. */
static void remember_process(struct cgroups *c, struct lived *l,
			     const struct cgroup_process *process, uint64_t now)
{
	if (l && strcmp(l->path, c->path) != 0) {
		forget_process(c, l);
		l = NULL;
	}
	if (!l) {
		if (HASH_COUNT(c->lived) >= CGROUP_PATHS_MAX)
			forget_process(c, c->lived);
		l = calloc(1, sizeof(*l));
		if (!l || !(l->path = strdup(c->path))) {
			free(l);
			return;
		}
		l->pid = process->pid;
		HASH_ADD(hh, c->lived, pid, sizeof(l->pid), l);
	}
	l->from = process->seen_ns;
	l->to = now;
}

/* The path by the process, which is read anew only for what was seen since the last time: a storm
 * of handshakes comes in batches, and nobody leaves a cgroup within one. */
static const char *path_of_process(struct cgroups *c, const struct cgroup_process *process)
{
	uint64_t now;
	struct lived *l;

	HASH_FIND(hh, c->lived, &process->pid, sizeof(process->pid), l);
	if (l && process->seen_ns >= l->from && process->seen_ns <= l->to)
		return l->path;
	now = now_ns();
	if (!find_by_process(c, process))
		return NULL;
	remember_process(c, l, process, now);
	return c->path;
}

const char *cgroups_path(struct cgroups *c, uint64_t id, const struct cgroup_process *process)
{
	struct known *k;
	int err;

	HASH_FIND(hh, c->known, &id, sizeof(id), k);
	if (k)
		return k->path;
	/* Where systemd uses version 1, everything may be in the root of version 2. */
	if (id && c->root >= 0 && !(c->v1 && id == ROOT_ID)) {
		err = find_by_id(c, id);
		if (!err || err == -ESTALE)
			remember(c, id, !err);
		if (!err)
			return c->path;
	}
	return process->pid ? path_of_process(c, process) : NULL;
}
