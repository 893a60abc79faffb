/* SPDX-License-Identifier: GPL-2.0-only */
/* http.h - the web server: metrics, a landing page, health; on the agent's one thread. */
#ifndef ALPNSCOPE_HTTP_H
#define ALPNSCOPE_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "loop.h"
#include "web.h"

#define HTTP_LISTEN_DEFAULT "127.0.0.1:10035"
#define HTTP_TELEMETRY_DEFAULT "/metrics"

struct http;

/**
 * struct http_config - what to serve and where. Copied, but for @arg.
 * @listen_address: "127.0.0.1:10035", "[::1]:10035", "localhost:10035", or ":10035" for
 *                  all addresses; port 0 takes any free one
 * @telemetry_path: where the metrics are, e.g. "/metrics"
 * @web: TLS, users, headers; outlives the server; NULL for plain HTTP for everybody
 * @metrics: append the metrics that the Accept header @accept (hostile, or NULL) asks
 *           for to @out; returns their Content-Type, a static string
 * @ready: is the agent doing its work now?
 */
struct http_config {
	const char *listen_address;
	const char *telemetry_path;
	struct web *web;
	const char *(*metrics)(void *arg, const char *accept, struct buf *out);
	bool (*ready)(void *arg);
	void *arg;
};

/** http_is_path - may @path be a telemetry path? It begins with /; letters, digits, -._~/ follow. */
bool http_is_path(const char *path);

/**
 * http_start - listen, and answer whenever @loop runs.
 * @error: on failure one line that names the option, the cause and the next step
 * Returns NULL on failure.
 */
struct http *http_start(struct loop *loop, const struct http_config *config, char *error,
			size_t error_size);

/** http_address - where it listens, e.g. "127.0.0.1:10035", with the real port. */
const char *http_address(const struct http *http);

/** http_is_loopback - only this host can reach it. */
bool http_is_loopback(const struct http *http);

/** http_stop - close every connection; NULL is fine. Not from within its own callbacks. */
void http_stop(struct http *http);

#endif
