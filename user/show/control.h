/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * control.h - the unix socket by which `watch` sees a running agent's events.
 *
 * The client sends one line of at most CONTROL_REQUEST_MAX bytes and then only reads:
 *
 *   watch [output=columns|json] [color=1] [count=N] [port=N]... [sni=GLOB]
 *         [alpn=NAME] [outcome=NAME]... [fallback_only=1]
 *
 * Values are percent-encoded (RFC 3986 section 2.1), so a blank or a newline cannot
 * break the line. The agent answers with the lines of format.h (the columns begin with
 * their header) until the client leaves or N events were sent, or with one line
 * "error: ..." and the end. A reader that is too slow is told how many events it missed:
 * "# N events not shown: the reader was too slow", or {"alpnscope":{"dropped":N}}.
 *
 * Other requests are answered by who was given to control_on_ask(), with lines and the end, or
 * with one line "error: ...". What changes the agent is for root and its own user only, whoever
 * else may open the socket: "forget name=NAME".
 */
#ifndef ALPNSCOPE_CONTROL_H
#define ALPNSCOPE_CONTROL_H

#include "buf.h"
#include "filter.h"
#include "loop.h"

#define CONTROL_PATH "/run/alpnscope/alpnscope.sock"
#define CONTROL_REQUEST_MAX 4096 /* bytes, newline included */
#define CONTROL_WATCHERS_MAX 16
#define CONTROL_ASK_MS 1000 /* who has not asked by then makes way for another */
#define CONTROL_BACKLOG_MAX (1U << 20) /* bytes that wait for one reader */

struct control;

/**
 * struct watch - what a reader asks for; all zero is every event, in columns.
 * @json: one JSON object a line instead of columns
 * @color: columns in colour
 * @count: end after so many events, 0 never
 */
struct watch {
	bool json;
	bool color;
	uint64_t count;
	struct event_filter filter;
};

/**
 * control_new - listen on the unix socket @path (mode 0660; its directory is made with
 * mode 0750 when it is not there). The socket of an agent that is gone is replaced.
 * @loop: must outlive the result
 * @error: on failure one line that names the path, the cause and the next step
 * Returns NULL on failure.
 */
struct control *control_new(struct loop *loop, const char *path, char *error, size_t error_size);

/**
 * Answers a request that is not "watch".
 * @owner: root asks, or the user whom the agent runs as
 * @line: without its newline; may be changed when the result is not -ENOENT
 * @out: the answer is appended, whole lines
 * @error: when the result is negative, what is wrong and what is right
 * Returns 0, -ENOENT when the request is not known, or another -errno.
 */
typedef int (*control_ask_fn)(void *arg, bool owner, char *line, struct buf *out, char *error,
			      size_t error_size);

/** control_on_ask - have @fn answer what is not "watch". */
void control_on_ask(struct control *control, control_ask_fn fn, void *arg);

/** control_event - send @ev to every reader that asked for such; never blocks. */
void control_event(struct control *control, const struct event *ev);

/** control_free - part from the readers and remove the socket; NULL is nothing. */
void control_free(struct control *control);

/**
 * control_connect - connect to the agent that listens on @path.
 * Returns a blocking fd to close, or -errno: -ENOENT and -ECONNREFUSED mean that no
 * agent is running, -EACCES that this user may not ask it.
 */
int control_connect(const char *path);

/** control_request - append the request line for @watch, newline included. */
void control_request(const struct watch *watch, struct buf *line);

/** control_word - append " key=value", the value percent-encoded. */
void control_word(struct buf *line, const char *key, const char *value);

/** control_decode - undo percent-encoding in place. 0, or -EINVAL: then @text is damaged. */
int control_decode(char *text);

/**
 * control_parse - read a request line.
 * @line: without its newline; changed in place
 * @watch: filled
 * @error: on failure a sentence that names the word and what is right
 * Returns 0 or -EINVAL.
 */
int control_parse(char *line, struct watch *watch, char *error, size_t error_size);

/**
 * control_copy - copy what the agent sends on @fd to the fd @out as it comes.
 *
 * Ends with the agent's end, a signal, or @out's reader gone (EPIPE). An answer
 * "error: ..." goes to stderr instead. Returns 0, or 1 after an error that was said.
 */
int control_copy(int fd, int out);

/** control_ask - send the request @line, newline included, on @fd, then copy as control_copy()
 * does. */
int control_ask(int fd, const struct buf *line, int out);

/**
 * control_fetch - send the request @line, newline included, on @fd, and append the answer to
 * @answer. An answer "error: ..." goes to stderr instead. Returns 0, or 1 after an error that was
 * said.
 */
int control_fetch(int fd, const struct buf *line, struct buf *answer);

/**
 * control_watch - send the request of @watch on @fd, then copy as control_copy() does.
 * Returns 1, and says so, also when the agent ended before what was asked for.
 */
int control_watch(int fd, const struct watch *watch, int out);

#endif
