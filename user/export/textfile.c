// SPDX-License-Identifier: GPL-2.0-only
#include "textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define ERROR_MAX 512

struct textfile {
	const char *path;
	char *tmp;
	void (*page)(void *arg, struct buf *out);
	void *arg;
	struct buf text;
	bool failed;
};

bool textfile_is_path(const char *path)
{
	const char *name = strrchr(path, '/');
	size_t len;

	name = name ? name + 1 : path;
	len = strlen(name);
	return len > strlen(".prom") && !strcmp(name + len - strlen(".prom"), ".prom");
}

static int write_all(int fd, const struct buf *text)
{
	size_t done = 0;

	while (done < text->len) {
		ssize_t n = write(fd, text->data + done, text->len - done);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			done += (size_t)n;
	}
	return 0;
}

/* A file of our own making: not one that somebody else has left there, or a link. No fsync():
 * after a crash of the machine the collector has nothing to tell of us in any case. */
static int write_tmp(const char *path, const struct buf *text)
{
	int fd, err;

	unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	err = write_all(fd, text);
	if (!err && fchmod(fd, 0644))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	return err;
}

/* Returns 0 or -errno, with what could not be done in @error. */
static int replace(struct textfile *t, char *error, size_t error_size)
{
	const char *what = t->tmp;
	int err;

	buf_clear(&t->text);
	t->page(t->arg, &t->text);
	err = t->text.failed ? -ENOMEM : write_tmp(t->tmp, &t->text);
	if (!err && rename(t->tmp, t->path)) {
		err = -errno;
		what = t->path;
	}
	if (err) {
		unlink(t->tmp);
		snprintf(error, error_size,
			 "--textfile: cannot write %s: %s; is there a directory that the agent may "
			 "write, with room in it?",
			 what, strerror(-err));
	}
	return err;
}

void textfile_write(struct textfile *t)
{
	char error[ERROR_MAX];
	bool failed = replace(t, error, sizeof(error)) < 0;

	if (failed && !t->failed)
		log_error("%s", error);
	if (!failed && t->failed)
		log_info("--textfile: %s is written again", t->path);
	t->failed = failed;
}

static void on_time(void *arg, uint32_t ready)
{
	(void)ready;
	textfile_write(arg);
}

static void textfile_free(struct textfile *t)
{
	buf_free(&t->text);
	free(t->tmp);
	free(t);
}

struct textfile *textfile_start(struct loop *loop, const char *path,
				void (*page)(void *arg, struct buf *out), void *arg, char *error,
				size_t error_size)
{
	struct textfile *t = calloc(1, sizeof(*t));
	int timer;

	if (!t || asprintf(&t->tmp, "%s.tmp", path) < 0) {
		snprintf(error, error_size, "--textfile: out of memory");
		free(t);
		return NULL;
	}
	t->path = path;
	t->page = page;
	t->arg = arg;
	if (replace(t, error, error_size)) {
		textfile_free(t);
		return NULL;
	}
	timer = loop_timer(loop, TEXTFILE_INTERVAL_MS, on_time, t);
	if (timer < 0) {
		snprintf(error, error_size, "--textfile: no timer: %s", strerror(-timer));
		textfile_free(t);
		return NULL;
	}
	return t;
}

void textfile_end(struct textfile *t)
{
	if (!t)
		return;
	textfile_write(t);
	textfile_free(t);
}
