// SPDX-License-Identifier: GPL-2.0-only
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log.h"
#include "state_text.h"

#define NEW_FILE STATE_FILE ".new"
#define LOCK_FILE "lock"
#define SIZE_MAX_READ (64U << 20) /* 10,000 services of the longest names are a quarter of it */
#define DAMAGED_MAX 100 /* files that were set aside within one second */

/*
 * @saved: service_changes() of what the file holds
 * @waits: the timer runs
 * @failing: the last write went wrong, and it was said
 */
struct state {
	struct service_book *book;
	struct loop *loop;
	char *path;
	int dir, lock;
	int timer;
	uint64_t saved;
	bool waits, failing;
};

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Whatever happens meanwhile, either the old file stands there or the new one. */
static int replace(const struct state *s, const struct buf *text)
{
	int fd = openat(s->dir, NEW_FILE, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC,
			0640);
	int err;

	if (fd < 0)
		return -errno;
	err = write_all(fd, text->data, text->len);
	if (!err && fsync(fd))
		err = -errno;
	if (close(fd) && !err)
		err = -errno;
	if (!err && renameat(s->dir, NEW_FILE, s->dir, STATE_FILE))
		err = -errno;
	if (err)
		unlinkat(s->dir, NEW_FILE, 0);
	else if (fsync(s->dir) && errno != EINVAL) /* some file systems have none for directories */
		err = -errno;
	return err;
}

int state_save(struct state *s)
{
	uint64_t changes = service_changes(s->book);
	struct buf text = {0};
	int err;

	if (changes == s->saved)
		return 0;
	state_write_text(s->book, &text);
	err = text.failed ? -ENOMEM : replace(s, &text);
	buf_free(&text);
	if (!err)
		s->saved = changes;
	else if (!s->failing)
		log_error("%s/" STATE_FILE ": %s; what services should choose is known to this "
			  "agent only, until it can be written",
			  s->path, strerror(-err));
	s->failing = err != 0;
	return err;
}

static void on_timer(void *arg, uint32_t ready)
{
	struct state *s = arg;

	(void)ready;
	s->waits = state_save(s) != 0;
	loop_timer_set(s->loop, s->timer, s->waits ? STATE_RETRY_MS : 0);
}

void state_note(struct state *s)
{
	if (s->waits || !s->loop || service_changes(s->book) == s->saved)
		return;
	s->waits = !loop_timer_set(s->loop, s->timer, STATE_DELAY_MS);
}

static int read_all(int fd, struct buf *out)
{
	char chunk[8192];
	ssize_t n;

	while ((n = read(fd, chunk, sizeof(chunk))) > 0 && out->len <= SIZE_MAX_READ)
		buf_add(out, chunk, (size_t)n);
	if (n < 0)
		return -errno;
	if (out->failed)
		return -ENOMEM;
	return out->len > SIZE_MAX_READ ? -EFBIG : 0;
}

/* Keep the file under a name that none has. */
static int set_aside(const struct state *s, char *name, size_t size)
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	for (int i = 0; i < DAMAGED_MAX; i++) {
		int n = snprintf(name, size, STATE_FILE ".damaged-%s", stamp);

		if (i)
			snprintf(name + n, size - (size_t)n, "-%d", i);
		/* link() does not take the place of another */
		if (!linkat(s->dir, STATE_FILE, s->dir, name, 0))
			return unlinkat(s->dir, STATE_FILE, 0) ? -errno : 0;
		if (errno != EEXIST)
			return -errno;
	}
	return -EEXIST;
}

static int take(struct state *s, const struct buf *text)
{
	struct state_read r = state_read_text(s->book, text->data ? text->data : "", text->len);
	char name[96];
	int err;

	if (r.refused)
		log_error("%s/" STATE_FILE ": services without room, which are forgotten: %u; "
			  "`alpnscope services --forget NAME` makes room",
			  s->path, r.refused);
	if (!r.damaged)
		return 0;
	err = set_aside(s, name, sizeof(name));
	if (err)
		return err;
	log_error("%s/" STATE_FILE
		  ":%u: %s; services that could be read: %u, the file is kept as %s: "
		  "see what is missing, then remove it",
		  s->path, r.line, r.why, r.services, name);
	return 0;
}

static int load(struct state *s)
{
	int fd = openat(s->dir, STATE_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint64_t before = service_changes(s->book);
	struct buf text = {0};
	int err;

	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	err = read_all(fd, &text);
	close(fd);
	if (!err)
		err = take(s, &text);
	buf_free(&text);
	/* What was read is there already, unless the file was set aside. */
	if (!err && !faccessat(s->dir, STATE_FILE, F_OK, 0))
		s->saved = service_changes(s->book);
	else
		s->saved = before;
	return err;
}

/* The lock is the kernel's: it ends with the process, however that ends. */
static int enter(struct state *s)
{
	if (mkdir(s->path, 0750) && errno != EEXIST)
		return -errno;
	s->dir = open(s->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (s->dir < 0)
		return -errno;
	s->lock = openat(s->dir, LOCK_FILE, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0640);
	if (s->lock < 0 || flock(s->lock, LOCK_EX | LOCK_NB))
		return -errno;
	unlinkat(s->dir, NEW_FILE, 0); /* of one that was killed while it wrote */
	return load(s);
}

static const char *advice(int err)
{
	if (err == -EWOULDBLOCK)
		return "another agent uses it; give this one a --state-dir of its own";
	if (err == -EACCES || err == -EPERM || err == -EROFS)
		return "run as root, or give a --state-dir that you may write";
	return "give another --state-dir";
}

struct state *state_open(const char *dir, struct service_book *book, struct loop *loop, char *error,
			 size_t error_size)
{
	struct state *s = calloc(1, sizeof(*s));
	int err = -ENOMEM;

	if (!s)
		goto fail;
	s->book = book;
	s->dir = s->lock = -1;
	s->path = strdup(dir);
	if (!s->path)
		goto fail;
	err = enter(s);
	if (!err && loop) {
		s->loop = loop;
		s->timer = loop_timer(loop, 0, on_timer, s);
		err = s->timer < 0 ? s->timer : 0;
	}
	if (!err) {
		state_note(s);
		return s;
	}
fail:
	snprintf(error, error_size, "--state-dir %s: %s: %s", dir, strerror(-err), advice(err));
	if (s && s->lock >= 0)
		close(s->lock);
	if (s && s->dir >= 0)
		close(s->dir);
	free(s ? s->path : NULL);
	free(s);
	return NULL;
}

void state_close(struct state *s)
{
	if (!s)
		return;
	state_save(s);
	if (s->loop)
		loop_timer_set(s->loop, s->timer, 0);
	close(s->lock);
	close(s->dir);
	free(s->path);
	free(s);
}
