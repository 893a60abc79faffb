// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "library_scan.h"

#define FILES 512

/* What a scan found of the file that is looked for, and of all. */
struct found {
	struct stat of;
	unsigned int times, files;
	uint64_t key[FILES][2];
	char name[512], comm[64];
	pid_t pid;
};

static void take(void *arg, const struct library_file *file)
{
	struct found *f = arg;
	struct stat st;

	for (unsigned int i = 0; i < f->files; i++)
		assert_false(f->key[i][0] == file->dev && f->key[i][1] == file->ino);
	if (f->files < FILES) {
		f->key[f->files][0] = file->dev;
		f->key[f->files++][1] = file->ino;
	}
	if (stat(file->path, &st) || st.st_dev != f->of.st_dev || st.st_ino != f->of.st_ino)
		return;
	f->times++;
	f->pid = file->pid;
	snprintf(f->name, sizeof(f->name), "%s", file->name);
	snprintf(f->comm, sizeof(f->comm), "%s", file->comm);
}

static void this_process(void **state)
{
	static struct found f;
	char exe[512] = "", comm[64] = "";
	FILE *file = fopen("/proc/self/comm", "re");

	(void)state;
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_non_null(fgets(comm, sizeof(comm), file));
	fclose(file);
	comm[strcspn(comm, "\n")] = 0;
	assert_int_equal(stat("/proc/self/exe", &f.of), 0);
	assert_int_equal(library_scan(getpid(), take, &f), 0);
	assert_int_equal(f.times, 1);
	assert_string_equal(f.name, exe);
	assert_string_equal(f.comm, comm);
	assert_int_equal(f.pid, getpid());
}

/* A file that is gone, with an odd name, mapped twice, beside data that is not executable. */
static void deleted_files_open(void **state)
{
	static struct found f;
	char path[] = "/tmp/look \n\\x-XXXXXX";
	int fd = mkstemp(path);
	void *map[2], *data;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 8192), 0);
	assert_int_equal(fstat(fd, &f.of), 0);
	data = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
	assert_ptr_not_equal(data, MAP_FAILED);
	assert_int_equal(library_scan(getpid(), take, &f), 0);
	assert_int_equal(f.times, 0);
	for (int i = 0; i < 2; i++) {
		map[i] = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 4096L * i);
		if (map[i] == MAP_FAILED) {
			unlink(path);
			print_message("/tmp is mounted noexec\n");
			skip();
		}
	}
	unlink(path);
	close(fd);
	f.files = 0;
	assert_int_equal(library_scan(getpid(), take, &f), 0);
	assert_int_equal(f.times, 1);
	assert_non_null(strstr(f.name, " (deleted)"));
	assert_null(strchr(f.name, '\n'));
	munmap(data, 4096);
	munmap(map[0], 4096);
	munmap(map[1], 4096);
}

/* All processes: another one's file is found, and one that two have is met once. */
static void every_process(void **state)
{
	static struct found f;
	pid_t pid = fork();

	(void)state;
	if (!pid) {
		execl("/bin/sleep", "sleep", "20", NULL);
		_exit(1);
	}
	assert_true(pid > 0);
	assert_int_equal(stat("/bin/sleep", &f.of), 0);
	for (int i = 0; i < 500 && !f.times; i++) { /* until it has begun */
		usleep(10000);
		f.files = 0;
		assert_int_equal(library_scan(0, take, &f), 0);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(f.times, 1);
	assert_true(f.files > 1);
	assert_int_equal(library_scan(pid, take, &f), -ESRCH);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(this_process),
		cmocka_unit_test(deleted_files_open),
		cmocka_unit_test(every_process),
	};

	cmocka_set_message_output(CM_OUTPUT_TAP);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
