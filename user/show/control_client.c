// SPDX-License-Identifier: GPL-2.0-only
/* The request line, both ways, and the reader's end of the socket. */
#include "control.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "log.h"

#define ERROR_PREFIX "error: "

int control_connect(const char *path)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd, err;

	if (strlen(path) >= sizeof(addr.sun_path))
		return -ENAMETOOLONG;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (!connect(fd, (const struct sockaddr *)&addr, sizeof(addr)))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* RFC 3986: all but the unreserved characters are encoded. */
void control_word(struct buf *b, const char *key, const char *value)
{
	buf_printf(b, " %s=", key);
	for (; *value; value++) {
		if (isalnum((unsigned char)*value) || strchr("-._~", *value))
			buf_add(b, value, 1);
		else
			buf_printf(b, "%%%02X", (unsigned char)*value);
	}
}

void control_request(const struct watch *watch, struct buf *line)
{
	const struct event_filter *f = &watch->filter;

	buf_printf(line, "watch output=%s", watch->json ? "json" : "columns");
	if (watch->color)
		buf_puts(line, " color=1");
	if (watch->count)
		buf_printf(line, " count=%" PRIu64, watch->count);
	for (unsigned int i = 0; i < f->port_count; i++)
		buf_printf(line, " port=%u", f->port[i]);
	for (int i = 0; i < OUTCOME_COUNT; i++)
		if (f->outcomes & 1U << i)
			control_word(line, "outcome", outcome_name((enum outcome)i));
	if (f->sni[0])
		control_word(line, "sni", f->sni);
	if (f->alpn[0])
		control_word(line, "alpn", f->alpn);
	if (f->fallback_only)
		buf_puts(line, " fallback_only=1");
	buf_puts(line, "\n");
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int control_decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++) {
		int high, low;

		if (*from != '%') {
			*to++ = *from;
			continue;
		}
		high = hex(from[1]);
		low = high < 0 ? -1 : hex(from[2]);
		if (low < 0 || !(high << 4 | low))
			return -EINVAL;
		*to++ = (char)(high << 4 | low);
		from += 2;
	}
	*to = '\0';
	return 0;
}

static int parse_count(struct watch *watch, const char *value, char *error, size_t error_size)
{
	char *end;

	errno = 0;
	watch->count = strtoull(value, &end, 10);
	if (isdigit((unsigned char)*value) && !*end && !errno && watch->count)
		return 0;
	snprintf(error, error_size, "count \"%s\": give a number of events from 1 up", value);
	return -EINVAL;
}

static int parse_word(char *word, struct watch *watch, char *error, size_t error_size)
{
	char *value = strchr(word, '=');

	if (!value || control_decode(value + 1)) {
		snprintf(error, error_size, "\"%s\": give key=value, the value percent-encoded",
			 word);
		return -EINVAL;
	}
	*value++ = '\0';
	if (!strcmp(word, "count"))
		return parse_count(watch, value, error, error_size);
	if (!strcmp(word, "output") && (!strcmp(value, "json") || !strcmp(value, "columns")))
		watch->json = !strcmp(value, "json");
	else if (!strcmp(word, "color") && !strcmp(value, "1"))
		watch->color = true;
	else if (!strcmp(word, "output") || !strcmp(word, "color")) {
		snprintf(error, error_size,
			 "%s \"%s\": give output=columns, output=json or color=1", word, value);
		return -EINVAL;
	} else
		return filter_set(&watch->filter, word, value, error, error_size) ? -EINVAL : 0;
	return 0;
}

int control_parse(char *line, struct watch *watch, char *error, size_t error_size)
{
	char *save = NULL, *word = strtok_r(line, " ", &save);

	*watch = (struct watch){0};
	if (!word || strcmp(word, "watch")) {
		snprintf(error, error_size, "request \"%s\" is not known: this agent knows watch",
			 word ? word : "");
		return -EINVAL;
	}
	while ((word = strtok_r(NULL, " ", &save)))
		if (parse_word(word, watch, error, error_size))
			return -EINVAL;
	return 0;
}

static int write_all(int out, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(out, data, len);

		if (n < 0)
			return -errno;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

/* Whoever made the socket wrote this: it is shown, not obeyed. */
static void say_error(const char *text, size_t len)
{
	const char *end = memchr(text, '\n', len);
	struct buf shown = {0};

	buf_escaped(&shown, (const uint8_t *)text, end ? (size_t)(end - text) : len);
	log_error("the running agent says: %s", shown.data ? shown.data : "");
	buf_free(&shown);
}

/* Read until it is clear whether this is an error: its whole line, else what came. */
static ssize_t read_start(int fd, char *data, size_t size, bool *error)
{
	const size_t prefix = strlen(ERROR_PREFIX);
	size_t len = 0;

	*error = false;
	while (len < size) {
		ssize_t n = read(fd, data + len, size - len);

		if (n < 0)
			return -errno;
		len += (size_t)n;
		*error = len >= prefix && !memcmp(data, ERROR_PREFIX, prefix);
		if (!n || (len >= prefix && !*error) || memchr(data, '\n', len))
			break;
	}
	return (ssize_t)len;
}

/* As control_copy(), and counts the lines in @lines. Returns 2 when the agent hung up. */
static int copy(int fd, int out, uint64_t *lines)
{
	char data[65536];
	bool error;
	ssize_t n = read_start(fd, data, sizeof(data), &error);

	if (n > 0 && error) {
		say_error(data + strlen(ERROR_PREFIX), (size_t)n - strlen(ERROR_PREFIX));
		return 1;
	}
	while (n > 0) {
		int err = write_all(out, data, (size_t)n);

		if (err == -EPIPE || err == -EINTR)
			return 0;
		if (err) {
			log_error("standard output: %s: free space or write elsewhere",
				  strerror(-err));
			return 1;
		}
		for (ssize_t i = 0; i < n; i++)
			*lines += data[i] == '\n';
		n = read(fd, data, sizeof(data));
		if (n < 0)
			n = -errno;
	}
	if (n == -EINTR)
		return 0;
	if (!n || n == -ECONNRESET)
		return 2;
	log_error("the running agent's socket: %s: try again", strerror((int)-n));
	return 1;
}

int control_copy(int fd, int out)
{
	uint64_t lines = 0;
	int end = copy(fd, out, &lines);

	return end == 2 ? 0 : end;
}

/* When the agent has hung up already, what it said before is still to be read. */
static int send_line(int fd, const struct buf *line)
{
	if (send(fd, line->data, line->len, MSG_NOSIGNAL) >= 0 || errno == EPIPE)
		return 0;
	log_error("the running agent's socket: %s: try again", strerror(errno));
	return 1;
}

int control_ask(int fd, const struct buf *line, int out)
{
	return send_line(fd, line) ? 1 : control_copy(fd, out);
}

int control_fetch(int fd, const struct buf *line, struct buf *answer)
{
	char data[65536];
	bool error;
	ssize_t n;

	if (send_line(fd, line))
		return 1;
	n = read_start(fd, data, sizeof(data), &error);
	if (n > 0 && error) {
		say_error(data + strlen(ERROR_PREFIX), (size_t)n - strlen(ERROR_PREFIX));
		return 1;
	}
	while (n > 0) {
		buf_add(answer, data, (size_t)n);
		n = read(fd, data, sizeof(data));
		if (n < 0)
			n = -errno;
	}
	if (!n && !answer->failed)
		return 0;
	log_error("the running agent's socket: %s: try again",
		  n ? strerror((int)-n) : strerror(ENOMEM));
	return 1;
}

int control_watch(int fd, const struct watch *watch, int out)
{
	struct buf line = {0};
	uint64_t lines = 0;
	int end;

	control_request(watch, &line);
	end = send_line(fd, &line);
	buf_free(&line);
	if (end)
		return end;
	end = copy(fd, out, &lines);
	if (end != 2)
		return end;
	/* Columns begin with a header. */
	if (watch->count && lines >= watch->count + !watch->json)
		return 0;
	log_error("the agent has ended; start it again (`alpnscope run`)");
	return 1;
}
