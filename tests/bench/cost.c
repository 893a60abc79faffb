// SPDX-License-Identifier: GPL-2.0-only
/*
 * cost - what a command costs.
 *
 * usage: cost FILE COMMAND...
 *
 * Runs COMMAND and writes to FILE its CPU seconds (user, system) and its peak memory in KiB.
 * Exits as it did. A small process must start it: the kernel counts what the starter held into
 * the peak of what it starts.
 */
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv)
{
	struct rusage use;
	int status;
	pid_t pid;
	FILE *f;

	if (argc < 3) {
		fprintf(stderr, "usage: cost FILE COMMAND...\n");
		return 2;
	}
	pid = fork();
	if (pid == 0) {
		execvp(argv[2], argv + 2);
		perror(argv[2]);
		_exit(127);
	}
	if (pid < 0 || wait4(pid, &status, 0, &use) != pid) {
		perror("cost");
		return 1;
	}
	f = fopen(argv[1], "w");
	if (!f ||
	    fprintf(f, "%ld.%06ld %ld.%06ld %ld\n", use.ru_utime.tv_sec, use.ru_utime.tv_usec,
		    use.ru_stime.tv_sec, use.ru_stime.tv_usec, use.ru_maxrss) < 0 ||
	    fclose(f)) {
		perror(argv[1]);
		return 1;
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
