// SPDX-License-Identifier: GPL-2.0-only
/* The agent's end of the socket. */
#include "control.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "format.h"

/*
 * One reader.
 * @since: when it came, ms
 * @asked: its request was read
 * @last: close when all is sent
 * @mute: it has said all it will (a half-close); only its leaving counts
 * @events: what the loop waits for
 * @sent: how much of `out` is gone
 * @dropped: events not shown since there was room
 */
struct watcher {
	struct control *control;
	unsigned int slot;
	int fd;
	uint64_t since;
	bool asked, last, mute;
	uint32_t events;
	size_t request_len;
	char request[CONTROL_REQUEST_MAX];
	struct watch watch;
	uint64_t shown, dropped;
	struct buf out;
	size_t sent;
};

struct control {
	struct loop *loop;
	int fd;
	bool paused; /* no more fds: accepting would spin */
	struct sockaddr_un addr;
	struct stat made;
	control_ask_fn ask;
	void *ask_arg;
	struct watcher *watcher[CONTROL_WATCHERS_MAX];
};

static void watcher_close(struct watcher *w)
{
	struct control *c = w->control;

	c->watcher[w->slot] = NULL;
	loop_remove(c->loop, w->fd);
	close(w->fd);
	buf_free(&w->out);
	free(w);
	if (c->paused)
		c->paused = loop_change(c->loop, c->fd, EPOLLIN) < 0;
}

static size_t pending(const struct watcher *w)
{
	return w->out.len - w->sent;
}

static void tell_dropped(struct watcher *w)
{
	if (w->watch.json)
		buf_printf(&w->out, "{\"alpnscope\":{\"dropped\":%" PRIu64 "}}\n", w->dropped);
	else
		buf_printf(&w->out, "# %" PRIu64 " events not shown: the reader was too slow\n",
			   w->dropped);
	w->dropped = 0;
}

/* What is sent makes room; moving seldom keeps that cheap. */
static void compact(struct watcher *w)
{
	if (w->sent < w->out.len && w->sent < CONTROL_BACKLOG_MAX / 2)
		return;
	memmove(w->out.data, w->out.data + w->sent, pending(w));
	w->out.len -= w->sent;
	w->sent = 0;
}

/* Send what the socket takes. False when the watcher is gone. */
static bool watcher_flush(struct watcher *w)
{
	uint32_t events = w->mute ? 0 : EPOLLIN;

	for (;;) {
		ssize_t n;

		/* Not at the first free byte, or every other line were such a notice. */
		if (w->dropped && pending(w) < CONTROL_BACKLOG_MAX / 2)
			tell_dropped(w);
		if (!pending(w))
			break;
		n = send(w->fd, w->out.data + w->sent, pending(w), MSG_NOSIGNAL);
		if (n < 0 && errno == EAGAIN)
			break;
		if (n < 0) {
			watcher_close(w);
			return false;
		}
		w->sent += (size_t)n;
	}
	if (w->out.data)
		compact(w);
	if (w->last && !pending(w)) {
		watcher_close(w);
		return false;
	}
	if (pending(w))
		events |= EPOLLOUT;
	if (events != w->events && !loop_change(w->control->loop, w->fd, events))
		w->events = events;
	return true;
}

static void refuse(struct watcher *w, const char *why)
{
	buf_puts(&w->out, "error: ");
	buf_escaped(&w->out, (const uint8_t *)why, strlen(why));
	buf_puts(&w->out, "\n");
	w->last = w->mute = true;
	watcher_flush(w);
}

/* The socket's mode lets a group watch; to change something takes more. */
static bool is_owner(const struct watcher *w)
{
	struct ucred peer;
	socklen_t len = sizeof(peer);

	return !getsockopt(w->fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
	       (peer.uid == 0 || peer.uid == geteuid());
}

void control_on_ask(struct control *control, control_ask_fn fn, void *arg)
{
	control->ask = fn;
	control->ask_arg = arg;
}

static void answer(struct watcher *w, char *line)
{
	const struct control *c = w->control;
	char error[256];
	int err = -ENOENT;

	if (c->ask)
		err = c->ask(c->ask_arg, is_owner(w), line, &w->out, error, sizeof(error));
	if (!err) {
		w->last = w->mute = true;
		watcher_flush(w);
		return;
	}
	if (err != -ENOENT) {
		refuse(w, error);
		return;
	}
	if (control_parse(line, &w->watch, error, sizeof(error))) {
		refuse(w, error);
		return;
	}
	w->asked = true;
	if (!w->watch.json)
		format_header(&w->out, &(struct format_style){.color = w->watch.color});
	watcher_flush(w);
}

/* Take in the request; what comes after it has no meaning. */
static void watcher_read(struct watcher *w)
{
	char ignored[512], *end;
	char *to = w->asked ? ignored : w->request + w->request_len;
	size_t room = w->asked ? sizeof(ignored) : sizeof(w->request) - w->request_len;
	ssize_t n = recv(w->fd, to, room, 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < 0 || (!n && !w->asked)) {
		watcher_close(w);
		return;
	}
	if (!n) {
		w->mute = true;
		watcher_flush(w);
		return;
	}
	if (w->asked)
		return;
	w->request_len += (size_t)n;
	end = memchr(w->request, '\n', w->request_len);
	if (end) {
		*end = '\0';
		answer(w, w->request);
	} else if (w->request_len == sizeof(w->request)) {
		refuse(w, "the request is too long: send one line of at most 4096 bytes");
	}
}

static void on_watcher(void *arg, uint32_t events)
{
	struct watcher *w = arg;

	if (events & (EPOLLHUP | EPOLLERR))
		watcher_close(w);
	else if (!(events & EPOLLOUT) || watcher_flush(w))
		if (events & EPOLLIN && !w->mute)
			watcher_read(w);
}

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static unsigned int free_slot(const struct control *c)
{
	unsigned int slot = 0;

	while (slot < CONTROL_WATCHERS_MAX && c->watcher[slot])
		slot++;
	return slot;
}

/* Who does not say what it wants must not keep others out. */
static void close_silent(struct control *c)
{
	uint64_t now = now_ms();

	for (int i = 0; i < CONTROL_WATCHERS_MAX; i++) {
		struct watcher *w = c->watcher[i];

		if (w && !w->asked && now - w->since >= CONTROL_ASK_MS)
			watcher_close(w);
	}
}

static void watcher_add(struct control *c, int fd)
{
	static const char full[] = "error: 16 readers are connected already: end one of them\n";
	struct watcher *w = NULL;
	unsigned int slot = free_slot(c);

	if (slot == CONTROL_WATCHERS_MAX) {
		close_silent(c);
		slot = free_slot(c);
	}
	if (slot == CONTROL_WATCHERS_MAX)
		(void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL);
	else
		w = calloc(1, sizeof(*w));
	if (!w) {
		close(fd);
		return;
	}
	w->control = c;
	w->slot = slot;
	w->fd = fd;
	w->since = now_ms();
	w->events = EPOLLIN;
	if (loop_add(c->loop, fd, EPOLLIN, on_watcher, w)) {
		close(fd);
		free(w);
		return;
	}
	c->watcher[slot] = w;
}

static void on_accept(void *arg, uint32_t events)
{
	struct control *c = arg;
	int fd = accept4(c->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd >= 0)
		watcher_add(c, fd);
	else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
		c->paused = !loop_change(c->loop, c->fd, 0);
}

static void watcher_event(struct watcher *w, const struct event *ev)
{
	const struct format_style style = {.color = w->watch.color};
	size_t before = w->out.len;

	if (!w->asked || w->last || !filter_match(&w->watch.filter, ev))
		return;
	if (w->dropped) {
		w->dropped++;
		return;
	}
	if (w->watch.json)
		format_json(ev, &w->out);
	else
		format_columns(ev, &w->out, &style);
	if (w->out.failed) { /* out of memory: an end is honest, half a line is not */
		watcher_close(w);
		return;
	}
	if (pending(w) > CONTROL_BACKLOG_MAX) {
		w->out.len = before;
		w->dropped = 1;
		return;
	}
	w->last = ++w->shown == w->watch.count;
	watcher_flush(w);
}

void control_event(struct control *control, const struct event *ev)
{
	if (control->paused)
		control->paused = loop_change(control->loop, control->fd, EPOLLIN) < 0;
	for (int i = 0; i < CONTROL_WATCHERS_MAX; i++)
		if (control->watcher[i])
			watcher_event(control->watcher[i], ev);
}

/* 1 when an agent listens on the socket, 0 when nothing is there, or -errno. */
static int probe_once(const struct sockaddr_un *addr, pid_t *pid)
{
	struct ucred peer = {0};
	socklen_t peer_len = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct stat st;
	int err;

	if (fd < 0)
		return -errno;
	err = connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) ? errno : 0;
	if (!err && !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &peer_len))
		*pid = peer.pid;
	close(fd);
	switch (err) {
	case 0:
	case EAGAIN: /* it listens, and has much to do */
		return 1;
	case ENOENT:
		return 0;
	case ECONNREFUSED: /* left behind, or (as Linux has it) no socket at all */
		break;
	default:
		return -err;
	}
	if (lstat(addr->sun_path, &st))
		return -errno;
	if (!S_ISSOCK(st.st_mode))
		return -ENOTSOCK;
	return unlink(addr->sun_path) ? -errno : 0;
}

/* The kernel takes a moment to close the socket of an agent that was killed. */
static int probe(const struct sockaddr_un *addr, pid_t *pid)
{
	const struct timespec pause = {.tv_nsec = 50000000};
	int answers = 1;

	for (int i = 0; i < 10 && answers > 0; i++) {
		if (i)
			nanosleep(&pause, NULL);
		answers = probe_once(addr, pid);
	}
	return answers;
}

static int make_directory(const char *path)
{
	char *copy = strdup(path), *slash;
	int err = 0;

	if (!copy)
		return -ENOMEM;
	slash = strrchr(copy, '/');
	if (slash && slash != copy) {
		*slash = '\0';
		if (mkdir(copy, 0750) && errno != EEXIST)
			err = -errno;
	}
	free(copy);
	return err;
}

/* Listen on the path, with its mode from the first moment on. */
static int listen_on(struct control *c)
{
	const struct sockaddr *addr = (const struct sockaddr *)&c->addr;
	mode_t old;
	int err = 0;

	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return -errno;
	old = umask(0117);
	if (bind(c->fd, addr, sizeof(c->addr)))
		err = -errno;
	umask(old);
	if (err)
		return err;
	if (listen(c->fd, CONTROL_WATCHERS_MAX) || stat(c->addr.sun_path, &c->made))
		err = -errno;
	else
		err = loop_add(c->loop, c->fd, EPOLLIN, on_accept, c);
	if (err)
		unlink(c->addr.sun_path);
	return err;
}

static const char *advice(int err)
{
	if (err == -EACCES || err == -EPERM || err == -EROFS)
		return "run as root, or choose a directory that you may write";
	if (err == -ENOTSOCK || err == -EPROTOTYPE)
		return "this is not a socket of alpnscope: remove it or choose another path";
	return "choose another path";
}

struct control *control_new(struct loop *loop, const char *path, char *error, size_t error_size)
{
	struct control *c = calloc(1, sizeof(*c));
	int err = -ENOMEM;
	pid_t pid = 0;

	if (!c)
		goto out;
	c->loop = loop;
	c->fd = -1;
	c->addr.sun_family = AF_UNIX;
	err = -ENAMETOOLONG;
	if (strlen(path) >= sizeof(c->addr.sun_path))
		goto out;
	strcpy(c->addr.sun_path, path);
	err = make_directory(path);
	if (!err)
		err = probe(&c->addr, &pid);
	if (err > 0) {
		snprintf(
			error, error_size,
			"another alpnscope is running (pid %d, %s answers): stop it first, or give "
			"this one its own --socket",
			(int)pid, path);
		goto fail;
	}
	if (!err)
		err = listen_on(c);
	if (!err)
		return c;
out:
	snprintf(error, error_size, "%s: %s: %s", path, strerror(-err), advice(err));
fail:
	if (c && c->fd >= 0)
		close(c->fd);
	free(c);
	return NULL;
}

void control_free(struct control *control)
{
	struct stat now;

	if (!control)
		return;
	for (int i = 0; i < CONTROL_WATCHERS_MAX; i++)
		if (control->watcher[i] && watcher_flush(control->watcher[i]))
			watcher_close(control->watcher[i]);
	loop_remove(control->loop, control->fd);
	close(control->fd);
	/* Not one that another agent has put there since. */
	if (!stat(control->addr.sun_path, &now) && now.st_ino == control->made.st_ino &&
	    now.st_dev == control->made.st_dev)
		unlink(control->addr.sun_path);
	free(control);
}
