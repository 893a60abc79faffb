// SPDX-License-Identifier: GPL-2.0-only
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "http.h"

#define REPLY_MAX 4000000

/* What the server is told to answer, and the loop that it runs on. */
struct fixture {
	struct loop *loop;
	struct http *http;
	bool ready;
	size_t padding; /* bytes of metrics beyond the first line */
	char accept[256]; /* what the metrics were asked for */
};

static const char *give_metrics(void *arg, const char *accept, struct buf *out)
{
	struct fixture *f = arg;

	snprintf(f->accept, sizeof(f->accept), "%s", accept ? accept : "(none)");
	buf_puts(out, "up 1\n");
	for (size_t i = 0; i < f->padding; i++)
		buf_puts(out, "#");
	return "text/plain; version=0.0.4; charset=utf-8";
}

static bool give_ready(void *arg)
{
	return ((struct fixture *)arg)->ready;
}

static struct http *start(struct fixture *f, const char *address, const char *path, char *error,
			  size_t size)
{
	struct http_config config = {.listen_address = address,
				     .telemetry_path = path,
				     .metrics = give_metrics,
				     .ready = give_ready,
				     .arg = f};

	return http_start(f->loop, &config, error, size);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char error[256];

	if (!f)
		return -1;
	f->loop = loop_new();
	f->http = start(f, "127.0.0.1:0", "/metrics", error, sizeof(error));
	*state = f;
	return f->loop && f->http ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	http_stop(f->http);
	loop_free(f->loop);
	free(f);
	return 0;
}

static int port_of(const struct http *http)
{
	return atoi(strrchr(http_address(http), ':') + 1);
}

static int dial(const struct fixture *f)
{
	struct sockaddr_in to = {.sin_family = AF_INET,
				 .sin_port = htons((uint16_t)port_of(f->http)),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

/* Run the loop and gather what comes until @until is seen or the server closes, at most
 * 10 s. Returns the reply, terminated; the caller frees it. */
static char *gather(const struct fixture *f, int fd, const char *until)
{
	char *reply = calloc(1, REPLY_MAX);
	time_t end = time(NULL) + 10;
	size_t len = 0;

	assert_non_null(reply);
	while (time(NULL) < end && len < REPLY_MAX - 1) {
		ssize_t n;

		loop_once(f->loop, 10);
		n = recv(fd, reply + len, REPLY_MAX - 1 - len, MSG_DONTWAIT);
		if (n == 0 || (n < 0 && errno != EAGAIN))
			break;
		len += n > 0 ? (size_t)n : 0;
		if (until && strstr(reply, until))
			return reply;
	}
	assert_true(time(NULL) < end); /* else nothing came */
	assert_null(until);
	return reply;
}

static char *ask(const struct fixture *f, const char *request)
{
	int fd = dial(f);
	char *reply;

	assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
	reply = gather(f, fd, NULL);
	close(fd);
	return reply;
}

/* @method of @path on a connection of its own. */
static char *ask_path(const struct fixture *f, const char *method, const char *path)
{
	char request[256];

	snprintf(request, sizeof(request), "%s %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
		 method, path);
	return ask(f, request);
}

static void assert_has(const char *reply, const char *text)
{
	if (!strstr(reply, text))
		fail_msg("not found: %s\nin:\n%.2000s", text, reply);
}

static void assert_status(const char *reply, int status)
{
	char line[32];

	snprintf(line, sizeof(line), "HTTP/1.1 %d ", status);
	if (strncmp(reply, line, strlen(line)))
		fail_msg("not %d:\n%.2000s", status, reply);
}

static const char *body_of(const char *reply)
{
	const char *end = strstr(reply, "\r\n\r\n");

	assert_non_null(end);
	return end + 4;
}

static void test_metrics(void **state)
{
	struct fixture *f = *state;
	char *reply = ask(f, "GET /metrics HTTP/1.1\r\nHost: x\r\n"
			     "Accept: application/openmetrics-text;q=0.7\r\n"
			     "Connection: close\r\n\r\n");

	assert_status(reply, 200);
	assert_has(reply, "\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
	assert_has(reply, "\r\nX-Content-Type-Options: nosniff\r\n");
	assert_has(reply, "\r\nVary: Accept\r\n");
	assert_string_equal(body_of(reply), "up 1\n");
	assert_string_equal(f->accept, "application/openmetrics-text;q=0.7");
	free(reply);
	reply = ask_path(f, "GET", "/metrics?name=x");
	assert_status(reply, 200);
	assert_string_equal(f->accept, "(none)");
	free(reply);
}

static void test_landing_page(void **state)
{
	char *reply = ask_path(*state, "GET", "/");

	assert_status(reply, 200);
	assert_has(reply, "\r\nContent-Type: text/html; charset=utf-8\r\n");
	assert_has(reply, "\r\nX-Content-Type-Options: nosniff\r\n");
	assert_has(reply, "<a href=\"/metrics\">");
	assert_has(reply, "<a href=\"/-/healthy\">");
	assert_has(reply, "<a href=\"/-/ready\">");
	free(reply);
}

static void test_health(void **state)
{
	struct fixture *f = *state;
	char *reply = ask_path(f, "GET", "/-/healthy");

	assert_status(reply, 200);
	free(reply);
	reply = ask_path(f, "GET", "/-/ready");
	assert_status(reply, 503);
	assert_has(reply, "\r\nX-Content-Type-Options: nosniff\r\n");
	free(reply);
	f->ready = true;
	reply = ask_path(f, "GET", "/-/ready");
	assert_status(reply, 200);
	free(reply);
}

static void test_other_paths(void **state)
{
	static const char *const paths[] = {"/metric", "/metrics/", "/../etc/passwd", "/%2e",
					    "//",      "/-/",	    "/<script>"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		char *reply = ask_path(*state, "GET", paths[i]);

		assert_status(reply, 404);
		assert_has(reply, "\r\nContent-Type: text/plain; charset=utf-8\r\n");
		assert_null(strstr(reply, "script")); /* never send back what was asked */
		free(reply);
	}
}

static void test_methods(void **state)
{
	static const char *const methods[] = {"PUT", "DELETE", "OPTIONS", "TRACE", "X"};
	char *reply;

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		reply = ask_path(*state, methods[i], "/metrics");
		assert_status(reply, 405);
		assert_has(reply, "\r\nAllow: GET, HEAD\r\n");
		free(reply);
	}
	reply = ask(*state, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nabcd");
	assert_status(reply, 405);
	free(reply);
	reply = ask_path(*state, "HEAD", "/metrics");
	assert_status(reply, 200);
	assert_has(reply, "\r\nContent-Length: 5\r\n");
	assert_string_equal(body_of(reply), "");
	free(reply);
}

static void test_one_connection_many_requests(void **state)
{
	static const char request[] = "GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n";
	int fd = dial(*state);

	for (unsigned int i = 0; i < 3; i++) {
		char *reply;

		assert_int_equal(send(fd, request, strlen(request), 0), strlen(request));
		reply = gather(*state, fd, "healthy\n");
		assert_status(reply, 200);
		free(reply);
	}
	close(fd);
}

/* More than a socket buffer takes at once, with the loop turning in between. */
static void test_large_answer(void **state)
{
	struct fixture *f = *state;
	char *reply;

	f->padding = 3000000;
	reply = ask_path(f, "GET", "/metrics");
	assert_status(reply, 200);
	assert_int_equal(strlen(body_of(reply)), 3000005);
	free(reply);
}

static void test_request_in_pieces(void **state)
{
	static const char request[] =
		"GET /-/healthy HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
	struct fixture *f = *state;
	int fd = dial(f);
	char *reply;

	for (size_t i = 0; i < strlen(request); i++) {
		assert_int_equal(send(fd, request + i, 1, 0), 1);
		loop_once(f->loop, 10);
	}
	reply = gather(f, fd, NULL);
	assert_status(reply, 200);
	free(reply);
	close(fd);
}

/* Clients that say nothing take all places; who comes next waits until one is free. */
static void test_silent_clients(void **state)
{
	struct fixture *f = *state;
	int silent[64];
	char *reply;
	int fd;

	for (unsigned int i = 0; i < 64; i++)
		silent[i] = dial(f);
	while (loop_once(f->loop, 50) > 0)
		;
	fd = dial(f);
	assert_int_equal(send(fd, "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
	loop_once(f->loop, 50);
	assert_int_equal(recv(fd, &(char){0}, 1, MSG_DONTWAIT), -1);
	assert_int_equal(errno, EAGAIN);
	for (unsigned int i = 0; i < 64; i++)
		close(silent[i]);
	reply = gather(f, fd, "</html>");
	assert_has(reply, " 200 ");
	free(reply);
	close(fd);
}

static void test_rubbish(void **state)
{
	static const char *const requests[] = {
		"\r\n\r\n", "GET\r\n\r\n", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
		"GET /\xff\"<\n HTTP/9.9\r\n\r\n"};
	struct fixture *f = *state;
	char *reply;

	for (size_t i = 0; i < sizeof(requests) / sizeof(requests[0]); i++) {
		int fd = dial(f);

		send(fd, requests[i], strlen(requests[i]), 0);
		loop_once(f->loop, 10);
		loop_once(f->loop, 10);
		close(fd);
	}
	reply = ask_path(f, "GET", "/-/healthy");
	assert_status(reply, 200);
	free(reply);
}

static void test_address_is_the_real_one(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(strncmp(http_address(f->http), "127.0.0.1:", 10), 0);
	assert_in_range(port_of(f->http), 1, 65535);
	assert_true(http_is_loopback(f->http));
}

/* ":PORT" is every address of both families. */
static void test_all_addresses_take_ipv4(void **state)
{
	struct fixture *f = *state;
	char error[256], *reply;

	http_stop(f->http);
	f->http = start(f, ":0", "/metrics", error, sizeof(error));
	if (!f->http)
		fail_msg("%s", error);
	assert_false(http_is_loopback(f->http));
	reply = ask_path(f, "GET", "/-/healthy"); /* dials 127.0.0.1 */
	assert_status(reply, 200);
	free(reply);
}

/* What is wrong with an address test_listen has; here that it gets through. */
static void test_bad_options(void **state)
{
	static const char *const paths[] = {"", "metrics", "/m\"><b>", "/a b", "/m?x"};
	struct fixture *f = *state;
	char error[256];

	assert_null(start(f, http_address(f->http), "/metrics", error, sizeof(error)));
	assert_has(error, ": address in use; ");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		*error = '\0';
		if (start(f, "127.0.0.1:0", paths[i], error, sizeof(error)))
			fail_msg("\"%s\" was taken", paths[i]);
		assert_has(error, "--web.telemetry-path");
	}
}

static unsigned int open_fds(void)
{
	unsigned int count = 0;

	for (int fd = 0; fd < 1000; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void test_stop_gives_all_back(void **state)
{
	struct fixture *f = *state;
	unsigned int before = open_fds();
	char address[64], error[256];

	for (unsigned int i = 0; i < 10; i++) {
		snprintf(address, sizeof(address), "%s", http_address(f->http));
		http_stop(f->http);
		f->http = start(f, address, "/metrics", error, sizeof(error));
		if (!f->http)
			fail_msg("%s", error);
	}
	assert_int_equal(open_fds(), before + 10); /* a timer each, the loop's own */
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_metrics),
		TEST(test_landing_page),
		TEST(test_health),
		TEST(test_other_paths),
		TEST(test_methods),
		TEST(test_one_connection_many_requests),
		TEST(test_large_answer),
		TEST(test_request_in_pieces),
		TEST(test_silent_clients),
		TEST(test_rubbish),
		TEST(test_address_is_the_real_one),
		TEST(test_all_addresses_take_ipv4),
		TEST(test_bad_options),
		TEST(test_stop_gives_all_back),
	};

	return cmocka_run_group_tests_name("http", tests, NULL, NULL);
}
