// SPDX-License-Identifier: GPL-2.0-only
#include "probe.h"

#include <errno.h>
#include <libgen.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_MS 500
#define ANSWER_READS 8 /* of one who sends byte by byte */

bool probe_can_make(const char *path)
{
	char *copy = strdup(path), *dir = copy ? dirname(copy) : NULL;
	bool can = dir && (!euidaccess(dir, W_OK | X_OK) ||
			   (errno == ENOENT && !euidaccess(dirname(dir), W_OK | X_OK)));

	free(copy);
	return can;
}

static int try_connect(const struct addrinfo *to)
{
	const struct timeval limit = {.tv_usec = (suseconds_t)ANSWER_MS * 1000};
	int fd = socket(to->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
	if (!connect(fd, to->ai_addr, to->ai_addrlen))
		return fd;
	close(fd);
	return -1;
}

/* A connected socket, or -1. */
static int dial(const char *address)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	const char *colon = strrchr(address, ':');
	struct addrinfo *found;
	char host[256];
	size_t len = colon ? (size_t)(colon - address) : sizeof(host);
	int fd;

	if (len >= sizeof(host))
		return -1;
	if (len >= 2 && *address == '[') {
		address++;
		len -= 2;
	}
	memcpy(host, address, len);
	host[len] = '\0';
	if (getaddrinfo(len ? host : NULL, colon + 1, &hints, &found))
		return -1;
	fd = try_connect(found);
	freeaddrinfo(found);
	return fd;
}

bool probe_is_alpnscope(const char *address)
{
	static const char request[] = "GET / HTTP/1.0\r\n\r\n";
	static const char title[] = "<title>alpnscope</title>";
	char text[4096];
	size_t len = 0;
	ssize_t n = 1;
	int fd = dial(address);

	if (fd < 0)
		return false;
	if (send(fd, request, strlen(request), MSG_NOSIGNAL) < 0)
		n = 0;
	for (int i = 0; i < ANSWER_READS && n > 0 && len < sizeof(text); i++) {
		n = read(fd, text + len, sizeof(text) - len);
		len += n > 0 ? (size_t)n : 0;
	}
	close(fd);
	return memmem(text, len, title, strlen(title));
}
