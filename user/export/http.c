// SPDX-License-Identifier: GPL-2.0-only
#include "http.h"

#include <microhttpd.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

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
	struct peer *peers;
};

/**
 * struct peer - one connection.
 * @web: its terms, NULL without TLS
 * @since: when it came, or had its last answer, ms
 * @asked: it has sent a whole request, and waits for us
 */
struct peer {
	struct peer *next;
	struct web_config *web;
	int fd;
	uint64_t since;
	bool asked;
};

/* One request; it is what libmicrohttpd keeps for us with it. */
struct request {
	const struct http *http;
	struct MHD_Connection *connection;
	enum web_answer answer; /* WEB_WAIT: not asked yet, or under way */
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

static void add_headers(const struct http *http, const struct answer *a,
			struct MHD_Response *response)
{
	const struct web_config *web = http->config.web ? web_now(http->config.web) : NULL;

	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, a->type);
	MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
	if (a->varies)
		MHD_add_response_header(response, MHD_HTTP_HEADER_VARY, MHD_HTTP_HEADER_ACCEPT);
	if (a->status == MHD_HTTP_METHOD_NOT_ALLOWED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
	if (a->status == MHD_HTTP_UNAUTHORIZED)
		MHD_add_response_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE,
					"Basic realm=\"alpnscope\"");
	if (a->status == MHD_HTTP_TOO_MANY_REQUESTS)
		MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, "1");
	for (unsigned int i = 0; web && i < web->headers; i++)
		MHD_add_response_header(response, web->header[i].name, web->header[i].value);
}

/* Hand @a to libmicrohttpd, which frees its body. */
static enum MHD_Result reply(const struct http *http, struct MHD_Connection *connection,
			     struct answer *a)
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
	add_headers(http, a, response);
	result = MHD_queue_response(connection, a->status, response);
	MHD_destroy_response(response);
	return result;
}

/* ---- who may ask ---- */

/* The password was compared; libmicrohttpd calls on_request() once more in its next run, for which
 * it does not call itself without a thread of its own. */
static void on_answer(void *arg, enum web_answer answer)
{
	struct request *request = arg;

	request->answer = answer;
	MHD_resume_connection(request->connection);
	loop_timer_set(request->http->loop, request->http->timer, 1);
}

static enum web_answer authorize(const struct http *http, struct request *request)
{
	char *user, *password = NULL;

	if (!http->config.web)
		return request->answer = WEB_RIGHT;
	user = MHD_basic_auth_get_username_password(request->connection, &password);
	request->answer = web_ask(http->config.web, user, password, on_answer, request);
	if (password)
		explicit_bzero(password, strlen(password));
	MHD_free(password);
	MHD_free(user);
	return request->answer;
}

/* ---- who keeps others out ---- */

static uint64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

/* Has it left, and nothing to read behind? */
static bool has_left(const struct peer *p)
{
	struct pollfd fd = {.fd = p->fd, .events = POLLRDHUP};
	int unread = 0;

	return poll(&fd, 1, 0) > 0 && !ioctl(p->fd, FIONREAD, &unread) && !unread;
}

/* libmicrohttpd (0.9.75) keeps who leaves in the midst of a header until it has been idle for long,
 * and who sends a byte now and then for ever. */
static void turn_out(const struct http *http)
{
	uint64_t now = now_ms();

	for (const struct peer *p = http->peers; p; p = p->next)
		if (!p->asked && (now - p->since >= IDLE_SECONDS * 1000ULL || has_left(p)))
			shutdown(p->fd, SHUT_RDWR);
}

static struct peer *peer_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void set_asked(struct MHD_Connection *connection, bool asked)
{
	struct peer *p = peer_of(connection);

	if (!p)
		return;
	p->asked = asked;
	p->since = now_ms();
}

static struct peer *peer_add(struct http *http, struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct peer *p = info ? calloc(1, sizeof(*p)) : NULL;

	if (!p)
		return NULL;
	*p = (struct peer){.next = http->peers, .fd = info->connect_fd, .since = now_ms()};
	http->peers = p;
	return p;
}

static void peer_remove(struct http *http, struct peer *p)
{
	struct peer **at = &http->peers;

	while (*at && *at != p)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = p->next;
	web_config_put(p->web);
	free(p);
}

/* ---- libmicrohttpd calls ---- */

static enum MHD_Result begin(const struct http *http, struct MHD_Connection *connection,
			     void **state)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return MHD_NO;
	*request = (struct request){.http = http, .connection = connection, .answer = WEB_WAIT};
	*state = request;
	set_asked(connection, true);
	return MHD_YES;
}

static enum MHD_Result answer(const struct http *http, struct request *request, const char *url)
{
	struct MHD_Connection *connection = request->connection;
	struct answer a = {0};

	if (request->answer == WEB_WAIT && authorize(http, request) == WEB_WAIT) {
		MHD_suspend_connection(connection);
		return MHD_YES;
	}
	if (request->answer == WEB_RIGHT)
		route(http, url,
		      MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
						  MHD_HTTP_HEADER_ACCEPT),
		      &a);
	else if (request->answer == WEB_BUSY)
		plain(&a, MHD_HTTP_TOO_MANY_REQUESTS,
		      "429: too many passwords are being compared; try again\n");
	else
		plain(&a, MHD_HTTP_UNAUTHORIZED, "401: give a user and the right password\n");
	return reply(http, connection, &a);
}

/* Once after the headers, once more after the body, and again when a password was compared. */
static enum MHD_Result on_request(void *arg, struct MHD_Connection *connection, const char *url,
				  const char *method, const char *version, const char *upload,
				  size_t *upload_len, void **state)
{
	struct answer a = {0};

	(void)version;
	(void)upload;
	if (strcmp(method, MHD_HTTP_METHOD_GET) && strcmp(method, MHD_HTTP_METHOD_HEAD)) {
		plain(&a, MHD_HTTP_METHOD_NOT_ALLOWED, "405: only GET and HEAD\n");
		return reply(arg, connection, &a);
	}
	if (!*state)
		return begin(arg, connection, state);
	if (*upload_len) {
		*upload_len = 0;
		return MHD_YES;
	}
	return answer(arg, *state, url);
}

static void on_completed(void *arg, struct MHD_Connection *connection, void **state,
			 enum MHD_RequestTerminationCode why)
{
	(void)arg;
	(void)why;
	set_asked(connection, false);
	free(*state);
	*state = NULL;
}

/* Each connection has the terms of its own time, and keeps them to its end. A session without
 * credentials, should there be no memory, comes to nothing: see web_tls_nothing(). */
static void begin_tls(const struct http *http, struct MHD_Connection *connection, struct peer *p)
{
	struct web_config *web = http->config.web ? web_now(http->config.web) : NULL;
	const union MHD_ConnectionInfo *info;

	if (!p || !web || !web->has_tls)
		return;
	info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
	if (!info || web_tls_session(&web->tls, info->tls_session))
		return;
	web->refs++;
	p->web = web;
}

static void on_connection(void *arg, struct MHD_Connection *connection, void **state,
			  enum MHD_ConnectionNotificationCode what)
{
	struct http *http = arg;

	if (what == MHD_CONNECTION_NOTIFY_STARTED) {
		*state = peer_add(http, connection);
		begin_tls(http, connection, *state);
		return;
	}
	http->closed = true;
	peer_remove(http, *state);
	*state = NULL;
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
	turn_out(http);
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

static struct MHD_Daemon *new_daemon(struct http *http)
{
	struct web *web = http->config.web;
	bool tls = web && web_now(web)->has_tls;
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | (tls ? MHD_USE_TLS : 0);
	struct MHD_OptionItem options[] = {
		{tls ? MHD_OPTION_HTTPS_CERT_CALLBACK : MHD_OPTION_END, 0, (void *)web_tls_nothing},
		{MHD_OPTION_END, 0, NULL},
	};

	return MHD_start_daemon(flags, 0, NULL, NULL, on_request, http, MHD_OPTION_LISTEN_SOCKET,
				http->listener.fd, MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS_MAX,
				MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
				MHD_OPTION_NOTIFY_CONNECTION, on_connection, http,
				MHD_OPTION_NOTIFY_COMPLETED, on_completed, http, MHD_OPTION_ARRAY,
				options, MHD_OPTION_END);
}

static bool start_daemon(struct http *http)
{
	const union MHD_DaemonInfo *info;

	if (http->config.web && web_serve(http->config.web, http->loop))
		return false;
	http->daemon = new_daemon(http);
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
	if (http->config.web)
		web_end(http->config.web); /* resumes who waits, as libmicrohttpd demands */
	if (http->epoll >= 0)
		loop_remove(http->loop, http->epoll);
	if (http->timer >= 0) /* it stays in the loop, stopped, until the loop is freed */
		loop_timer_set(http->loop, http->timer, 0);
	if (http->daemon)
		MHD_stop_daemon(http->daemon); /* closes the listening socket too */
	free(http->telemetry_path);
	free(http);
}
