/* SPDX-License-Identifier: GPL-2.0-only */
/* library_scan.h - which files running processes execute. */
#ifndef ALPNSCOPE_LIBRARY_SCAN_H
#define ALPNSCOPE_LIBRARY_SCAN_H

#include <stdint.h>
#include <sys/types.h>

#define LIBRARY_FILES_MAX 65536 /* a process can map that many files to keep us busy */

/**
 * struct library_file - a file that some process has mapped executable. The strings are the
 * caller's to copy; @name and @comm are other people's bytes, never to be printed as they are.
 * @dev, @ino: which file it is, as /proc/PID/maps says (not always what stat says of it: on
 *  btrfs and overlayfs it differs). Good for comparing with one another.
 * @path: opens just this file while the process has it mapped, whatever its mount namespace,
 *  and also when it was deleted or replaced (/proc/PID/map_files/...). To follow it takes
 *  CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE.
 * @name: its path as the process' mount namespace has it, with " (deleted)" when it was
 * @pid, @comm: the first process that was seen with it, and that one's name
 */
struct library_file {
	dev_t dev;
	uint64_t ino;
	const char *path;
	const char *name;
	pid_t pid;
	const char *comm;
};

typedef void (*library_scan_fn)(void *arg, const struct library_file *file);

/**
 * library_scan - call @fn once for every file that is mapped executable.
 * @pid: of this process only; 0: of all of this PID namespace
 *
 * Processes that end meanwhile, kernel threads and those that we may not look into are passed
 * over. Returns 0; -ESRCH when @pid is gone, -E2BIG after LIBRARY_FILES_MAX files, -ENOMEM, or why
 * /proc cannot be read.
 */
int library_scan(pid_t pid, library_scan_fn fn, void *arg);

#endif
