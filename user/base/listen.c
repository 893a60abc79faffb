// SPDX-License-Identifier: GPL-2.0-only
#include "listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 64

/* The two halves of the option's text; an empty host stands for all addresses. */
struct target {
	char host[256];
	char port[6];
};

static int split(const char *address, struct target *t)
{
	const char *colon = strrchr(address, ':');
	size_t len = colon ? (size_t)(colon - address) : 0;
	const char *host = address;

	if (!colon || strlen(colon + 1) >= sizeof(t->port) || !colon[1] ||
	    strspn(colon + 1, "0123456789") != strlen(colon + 1) ||
	    strtoul(colon + 1, NULL, 10) > UINT16_MAX)
		return -1;
	strcpy(t->port, colon + 1);
	if (len >= 2 && host[0] == '[' && host[len - 1] == ']') {
		host++;
		len -= 2;
		if (!len)
			return -1;
	} else if (memchr(host, ':', len)) {
		return -1; /* which colon would be the port's? */
	}
	if (len >= sizeof(t->host))
		return -1;
	memcpy(t->host, host, len);
	t->host[len] = '\0';
	return 0;
}

bool listen_is_address(const char *text)
{
	struct target t;

	return !split(text, &t);
}

/* The addresses of @t in @family. 0 or an EAI_ number. */
static int resolve(const struct target *t, int family, struct addrinfo **found)
{
	struct addrinfo hints = {.ai_family = family,
				 .ai_socktype = SOCK_STREAM,
				 .ai_flags = AI_PASSIVE | AI_NUMERICSERV};

	return getaddrinfo(*t->host ? t->host : NULL, t->port, &hints, found);
}

/* A socket that listens on @a, or -errno. */
static int open_socket(const struct addrinfo *a)
{
	int on = 1, off = 0, err;
	int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (a->ai_family == AF_INET6) /* "::" takes IPv4 too, whatever the host's default */
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	if (!bind(fd, a->ai_addr, a->ai_addrlen) && !listen(fd, BACKLOG))
		return fd;
	err = -errno;
	close(fd);
	return err;
}

static void describe(struct listener *l)
{
	struct sockaddr_storage addr = {0};
	socklen_t len = sizeof(addr);
	char text[INET6_ADDRSTRLEN] = "";

	getsockname(l->fd, (struct sockaddr *)&addr, &len);
	if (addr.ss_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)&addr;

		inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text));
		snprintf(l->address, sizeof(l->address), "[%s]:%u", text, ntohs(in6->sin6_port));
		l->loopback = IN6_IS_ADDR_LOOPBACK(&in6->sin6_addr);
	} else {
		const struct sockaddr_in *in = (struct sockaddr_in *)&addr;

		inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text));
		snprintf(l->address, sizeof(l->address), "%s:%u", text, ntohs(in->sin_port));
		l->loopback = ntohl(in->sin_addr.s_addr) >> 24 == IN_LOOPBACKNET;
	}
}

/* The cause of -@err and what to do about it. */
static void explain(int err, const char *address, char *error, size_t size)
{
	const char *cause = strerror(err), *next = "choose another address";

	if (err == EADDRINUSE) {
		cause = "address in use";
		next = "stop the other alpnscope (or what else listens there), or choose another "
		       "port; port 0 takes any free one";
	} else if (err == EACCES) {
		next = "choose a port above 1023";
	} else if (err == EADDRNOTAVAIL) {
		cause = "this host has no such address";
		next = "choose one that `ip address` shows, or :PORT for all of them";
	}
	snprintf(error, size, "--web.listen-address %s: %s; %s", address, cause, next);
}

/* Every error ends here; @eai is told when no address was found to try. */
static int refuse(const char *address, int err, int eai, char *error, size_t size)
{
	if (err)
		explain(err, address, error, size);
	else
		snprintf(error, size,
			 "--web.listen-address %s: %s; name an address of this host, or :PORT "
			 "for all of them",
			 address, gai_strerror(eai));
	return -1;
}

int listen_on(const char *address, struct listener *listener, char *error, size_t error_size)
{
	/* For all addresses "::", which takes both families; else IPv4 first, as most
	 * scrapers are pointed at 127.0.0.1. */
	int families[] = {AF_INET, AF_INET6};
	int err = 0, eai = 0;
	struct target t;

	if (split(address, &t)) {
		snprintf(error, error_size,
			 "--web.listen-address %s: not HOST:PORT; write 127.0.0.1:10035, "
			 "[::1]:10035, or :10035 for all addresses",
			 address);
		return -1;
	}
	if (!*t.host) {
		families[0] = AF_INET6;
		families[1] = AF_INET;
	}
	for (int i = 0; i < 2 && (!err || err == EADDRNOTAVAIL || err == EAFNOSUPPORT); i++) {
		struct addrinfo *found;
		int none = resolve(&t, families[i], &found);

		if (none) {
			eai = eai ? eai : none;
			continue;
		}
		listener->fd = open_socket(found);
		freeaddrinfo(found);
		if (listener->fd >= 0) {
			describe(listener);
			return 0;
		}
		err = -listener->fd;
	}
	return refuse(address, err, eai, error, error_size);
}
