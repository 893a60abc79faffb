// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "textfile.h"

#define ROUNDS 2000
#define LINES 3000 /* of a page: more than one page of memory, so that a half could be seen */

struct rig {
	char dir[64], path[96], tmp[104], error[512];
	struct loop *loop;
	unsigned int page;
};

static void page(void *arg, struct buf *out)
{
	struct rig *r = arg;

	r->page++;
	for (unsigned int i = 0; i < LINES; i++)
		buf_printf(out, "page %u\n", r->page);
}

static int setup(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));

	strcpy(r->dir, "/tmp/alpnscope-XXXXXX");
	assert_non_null(mkdtemp(r->dir));
	snprintf(r->path, sizeof(r->path), "%s/a.prom", r->dir);
	snprintf(r->tmp, sizeof(r->tmp), "%s.tmp", r->path);
	r->loop = loop_new();
	*state = r;
	return 0;
}

static int teardown(void **state)
{
	struct rig *r = *state;

	loop_free(r->loop);
	unlink(r->path);
	unlink(r->tmp);
	assert_int_equal(rmdir(r->dir), 0); /* nothing else was left there */
	free(r);
	return 0;
}

static struct textfile *start(struct rig *r)
{
	return textfile_start(r->loop, r->path, page, r, r->error, sizeof(r->error));
}

/* The number of the page that is in the file; fails on one that is not whole. */
static unsigned int read_page(const char *path)
{
	FILE *f = fopen(path, "r");
	unsigned int first = 0, lines = 0, n;
	char end;

	assert_non_null(f);
	while (fscanf(f, "page %u%c", &n, &end) == 2) {
		first = first ? first : n;
		assert_int_equal(n, first);
		assert_int_equal(end, '\n');
		lines++;
	}
	fclose(f);
	assert_int_equal(lines, LINES);
	return first;
}

static void test_written_at_start_and_end(void **state)
{
	struct rig *r = *state;
	mode_t mask = umask(077);
	struct textfile *t = start(r);
	struct stat st;

	assert_non_null(t);
	assert_int_equal(read_page(r->path), 1);
	assert_int_equal(stat(r->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644); /* whatever the umask is */
	assert_int_equal(access(r->tmp, F_OK), -1);
	textfile_end(t);
	assert_int_equal(read_page(r->path), 2);
	umask(mask);
}

struct reader {
	const char *path;
	atomic_bool stop;
	unsigned int reads, halves, changes;
};

/* cmocka's assertions belong to the main thread: count only. */
static void *read_on(void *arg)
{
	struct reader *reader = arg;
	char *text = malloc(1 << 20), last[32] = "";

	while (!atomic_load(&reader->stop)) {
		int fd = open(reader->path, O_RDONLY);
		ssize_t len = 0, n;
		char line[32];

		while ((n = read(fd, text + len, 4096)) > 0) /* as slow as a slow reader */
			len += n;
		close(fd);
		text[len] = '\0';
		snprintf(line, sizeof(line), "%.*s", (int)strcspn(text, "\n"), text);
		reader->reads++;
		reader->changes += strcmp(line, last) != 0;
		strcpy(last, line);
		for (unsigned int i = 0; i < LINES; i++) {
			size_t size = strlen(line);

			if (strncmp(text + i * (size + 1), line, size)) {
				reader->halves++;
				break;
			}
		}
		reader->halves += len != (ssize_t)(LINES * (strlen(line) + 1));
	}
	free(text);
	return NULL;
}

static void test_a_reader_never_sees_a_half(void **state)
{
	struct rig *r = *state;
	struct reader reader = {.path = r->path};
	struct textfile *t = start(r);
	pthread_t thread;

	assert_non_null(t);
	assert_int_equal(pthread_create(&thread, NULL, read_on, &reader), 0);
	for (unsigned int i = 0; i < ROUNDS; i++)
		textfile_write(t);
	atomic_store(&reader.stop, true);
	pthread_join(thread, NULL);
	textfile_end(t);
	assert_true(reader.reads > 10);
	assert_true(reader.changes > 10); /* it did read while it was written */
	assert_int_equal(reader.halves, 0);
}

static void test_what_cannot_be_written_is_said(void **state)
{
	struct rig *r = *state;

	snprintf(r->path, sizeof(r->path), "%s/none/a.prom", r->dir);
	assert_null(start(r));
	assert_non_null(strstr(r->error, "--textfile: cannot write"));
	assert_non_null(strstr(r->error, "/none/a.prom.tmp: No such file or directory; "));
	snprintf(r->path, sizeof(r->path), "%s/a.prom", r->dir);
	/* a directory stands in the file's place: rename(2) fails, the temporary file goes */
	assert_int_equal(mkdir(r->path, 0700), 0);
	assert_null(start(r));
	assert_non_null(strstr(r->error, "/a.prom: Is a directory; "));
	assert_int_equal(access(r->tmp, F_OK), -1);
	assert_int_equal(rmdir(r->path), 0);
}

/* What somebody left in the temporary file's place, a link say, is not written through. */
static void test_a_link_is_not_followed(void **state)
{
	struct rig *r = *state;
	char victim[96];
	struct textfile *t;
	struct stat st;

	snprintf(victim, sizeof(victim), "%s/victim", r->dir);
	close(open(victim, O_CREAT | O_WRONLY, 0600));
	assert_int_equal(symlink(victim, r->tmp), 0);
	t = start(r);
	assert_non_null(t);
	assert_int_equal(stat(victim, &st), 0);
	assert_int_equal(st.st_size, 0);
	assert_int_equal(read_page(r->path), 1);
	textfile_end(t);
	assert_int_equal(unlink(victim), 0);
}

/* stderr from here on is read back: what the timer says. */
static void test_errors_are_said_once(void **state)
{
	struct rig *r = *state;
	char said[96], moved[96], text[4096] = "";
	struct textfile *t = start(r);
	int old = dup(2), fd;
	FILE *f;

	assert_non_null(t);
	snprintf(said, sizeof(said), "%s.said", r->dir);
	snprintf(moved, sizeof(moved), "%s.moved", r->dir);
	fd = open(said, O_CREAT | O_RDWR | O_TRUNC, 0600);
	dup2(fd, 2);
	assert_int_equal(rename(r->dir, moved), 0);
	textfile_write(t);
	textfile_write(t);
	assert_int_equal(rename(moved, r->dir), 0);
	textfile_write(t);
	textfile_write(t);
	textfile_end(t);
	dup2(old, 2);
	close(old);
	f = fdopen(fd, "r");
	rewind(f);
	fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	unlink(said);
	assert_non_null(strstr(text, "No such file or directory"));
	assert_null(strstr(strstr(text, "No such file") + 1, "No such file"));
	assert_non_null(strstr(text, "is written again"));
	assert_null(strstr(strstr(text, "is written again") + 1, "is written again"));
	assert_int_equal(read_page(r->path), r->page);
}

static void test_names(void **state)
{
	static const char *const good[] = {"a.prom", "/var/lib/x/a.prom", "./.a.prom"};
	static const char *const bad[] = {"",	   ".prom", "/x/.prom", "a.prom/",
					  "a.txt", "a",	    "prom",	"a.PROM"};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_true(textfile_is_path(good[i]));
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(textfile_is_path(bad[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_written_at_start_and_end, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_reader_never_sees_a_half, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_written_is_said, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_link_is_not_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_errors_are_said_once, setup, teardown),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("textfile", tests, NULL, NULL);
}
