// SPDX-License-Identifier: GPL-2.0-only
#include "http.h"

#include <microhttpd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "listen.h"

#define CONNECTIONS_MAX 64U
#define IDLE_SECONDS 30U
#define HTML "text/html; charset=utf-8"
#define PLAIN "text/plain; charset=utf-8"

struct http {
	struct http_config config;
	char *telemetry_path;
	struct listener listener;
	struct MHD_Daemon *daemon;
	struct loop *loop;
	int epoll;
	int timer;
	bool closed; /* a connection ended since on_ready began */
};

/* One answer under construction. */
struct answer {
	unsigned int status;
	const char *type;
	bool varies; /* with the request's Accept */
	struct buf body;
};

static void landing_page(const struct http *http, struct buf *out)
{
	const char *path = http->telemetry_path;

	buf_printf(out,
		   "<!DOCTYPE html>\n"
		   "<html lang=\"en\">\n"
		   "<head><meta charset=\"utf-8\"><title>alpnscope</title></head>\n"
		   "<body>\n"
		   "<h1>alpnscope</h1>\n"
		   "<p>Which application protocols TLS clients offer, which one the server\n"
		   "chooses, and whether that is what the service should get.</p>\n"
		   "<ul>\n"
		   "<li><a href=\"%s\">Metrics</a></li>\n"
		   "<li><a href=\"/-/healthy\">Healthy</a></li>\n"
		   "<li><a href=\"/-/ready\">Ready</a></li>\n"
		   "</ul>\n"
		   "<p>Version " ALPNSCOPE_VERSION "</p>\n"
		   "</body>\n"
		   "</html>\n",
		   path);
}

static void plain(struct answer *a, unsigned int status, const char *text)
{
	a->status = status;
	a->type = PLAIN;
	buf_puts(&a->body, text);
}

static void route(const struct http *http, const char *path, const char *accept, struct answer *a)
{
	const struct http_config *config = &http->config;

	a->status = MHD_HTTP_OK;
	if (!strcmp(path, http->telemetry_path)) {
		a->varies = true;
		a->type = config->metrics(config->arg, accept, &a->body);
	} else if (!strcmp(path, "/")) {
		a->type = HTML;
		landing_page(http, &a->body);
	} else if (!strcmp(path, "/-/healthy")) {
		plain(a, MHD_HTTP_OK, "healthy\n");
	} else if (!strcmp(path, "/-/ready")) {
		if (config->ready(config->arg))
			plain(a, MHD_HTTP_OK, "ready\n");
		else
			plain(a, MHD_HTTP_SERVICE_UNAVAILABLE, "not ready\n");
	} else {
		plain(a, MHD_HTTP_NOT_FOUND, "404: no such page; / says what there is\n");
	}
}

/* Hand @a to libmicrohttpd, which frees its body. */
static enum MHD_Result reply(struct MHD_Connection *connection, struct answer *a)
{
	struct MHD_Response *response;
	enum MHD_Result result;

	if (a->body.failed) {
		buf_free(&a->body);
		return MHD_NO; /* closes the connection; there is no memory for words */
	}
	response =
		MHD_create_response_from_buffer(a->body.len, a->body.data, MHD_RESPMEM_MUST_FREE);
	if (!response) {
		buf_free(&a->body);
		return MHD_NO;
	}
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (a->varies)
		MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT);
	if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	result = MHD_queue_response(connection, a->status, response);
	MHD_destroy_response(response);
	return result;
}

/* libmicrohttpd calls this once after the headers and once more after the body. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_len, void **state)
{
	static char headers_seen;
	struct answer a = {0};

	(void)version;
	(void)upload;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD)) {
		plain(&a, MHD_HTTP_METHOD_NOT_ALLOWED, "405: only GET and HEAD\n");
		return reply(connection, &a);
	}
	if (!*state) {
		*state = &headers_seen;
		return MHD_YES;
	}
	if (*upload_len) {
		*upload_len = 0;
		return MHD_YES;
	}
	route(arg, url,
	      MHD_lookup_connection_value(connection, MHD_HEADER_KIND, MHD_HTTP_HEADER_ACCEPT), &a);
	return reply(connection, &a);
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **state,
			  enum MHD_ConnectionNotificationCode what)
{
	struct http *http = arg;

	(void)connection;
	(void)state;
	if (what == MHD_CONNECTION_NOTIFY_CLOSED)
		http->closed = true;
}

/* Let libmicrohttpd work, then ask when it wants to be called though nothing happens:
 * an idle connection to close, or more to do at once. */
static void on_ready(void *arg, uint32_t events)
{
	struct http *http = arg;
	MHD_UNSIGNED_LONG_LONG ms = 0;

	(void)events;
	http->closed = false;
	MHD_run(http->daemon);
	if (MHD_get_timeout(http->daemon, &ms) != MHD_YES)
		ms = 0;
	else if (!ms)
		ms = 1;
	/* At its limit of connections libmicrohttpd (0.9.75) takes the listening socket out
	 * of its epoll; it comes back in the next run, for which nothing else would call. */
	if (http->closed)
		ms = 1;
	loop_timer_set(http->loop, http->timer, ms);
}

/* These need no escaping, neither in a link nor in HTML. */
bool http_is_path(const char *path)
{
	return path[0] == '/' &&
	       path[strspn(path, "/-._~"
				 "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				 "0123456789")] == '\0';
}

static bool start_daemon(struct http *http)
{
	const union MHD_DaemonInfo *info;

	http->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET,
		http->listener.fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
		MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, MHD_OPTION_NOTIFY_CONNECTION,
		on_connection, http, MHD_OPTION_END);
	if (!http->daemon)
		return false;
	info = MHD_get_daemon_info(http->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	if (!info)
		return false;
	http->timer = loop_timer(http->loop, 0, on_ready, http);
	if (http->timer < 0 || loop_add(http->loop, info->epoll_fd, EPOLLIN, on_ready, http))
		return false;
	http->epoll = info->epoll_fd;
	return true;
}

struct http *http_start(struct loop *loop, const struct http_config *config, char *error,
			size_t error_size)
{
	struct http *http;

	if (!http_is_path(config->telemetry_path)) {
		snprintf(error, error_size,
			 "--web.telemetry-path %s: not a path; begin it with / and go on with "
			 "letters, digits and -._~/",
			 config->telemetry_path);
		return NULL;
	}
	http = calloc(1, sizeof(*http));
	if (http) {
		*http = (struct http){.config = *config, .loop = loop, .epoll = -1, .timer = -1};
		http->telemetry_path = strdup(config->telemetry_path);
	}
	if (!http || !http->telemetry_path) {
		snprintf(error, error_size, "web server: out of memory; free some and try again");
		goto fail;
	}
	if (listen_on(config->listen_address, &http->listener, error, error_size))
		goto fail;
	if (start_daemon(http))
		return http;
	snprintf(error, error_size,
		 "web server: libmicrohttpd did not start on %s; is memory or the limit of open "
		 "files (ulimit -n) used up?",
		 http->listener.address);
fail:
	http_stop(http);
	return NULL;
}

const char *http_address(const struct http *http)
{
	return http->listener.address;
}

bool http_is_loopback(const struct http *http)
{
	return http->listener.loopback;
}

void http_stop(struct http *http)
{
	if (!http)
		return;
	if (http->epoll >= 0)
		loop_remove(http->loop, http->epoll);
	if (http->timer >= 0) /* it stays in the loop, stopped, until the loop is freed */
		loop_timer_set(http->loop, http->timer, 0);
	if (http->daemon)
		MHD_stop_daemon(http->daemon); /* closes the listening socket too */
	free(http->telemetry_path);
	free(http);
}
