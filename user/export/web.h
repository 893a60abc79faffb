/* SPDX-License-Identifier: GPL-2.0-only */
/* web.h - who may ask the web server, by a configuration that is read again when it changes. */
#ifndef ALPNSCOPE_WEB_H
#define ALPNSCOPE_WEB_H

#include "bcrypt.h"
#include "web_config.h"

struct web;

/**
 * web_open - read the file @path, as web_config_load().
 * @said: appended: errors without a result, else notes
 */
struct web *web_open(const char *path, struct buf *said);

/** web_serve - be ready to compare passwords on @loop. Returns 0 or -errno. */
int web_serve(struct web *w, struct loop *loop);

/** web_end - passwords that wait are told wrong, and none are compared any more. */
void web_end(struct web *w);

/** web_free - NULL is fine. */
void web_free(struct web *w);

/**
 * web_now - what holds now: the files are read again if one has changed. When they are wrong, or
 * switch between HTTP and HTTPS, that is said once and what held goes on to hold.
 * Take a reference (refs++) to keep it beyond the next call.
 */
struct web_config *web_now(struct web *w);

enum web_answer {
	WEB_RIGHT,
	WEB_WRONG, /* or none given: 401 */
	WEB_BUSY, /* too many wait: 429 */
	WEB_WAIT, /* @fn will be told */
};

/** Told later of what web_ask() left open; WEB_RIGHT or WEB_WRONG. */
typedef void (*web_fn)(void *arg, enum web_answer answer);

/**
 * web_ask - may @user with @password (NULL: none given) come in?
 * @fn: called once if the answer is WEB_WAIT, never from within this call
 */
enum web_answer web_ask(struct web *w, const char *user, const char *password, web_fn fn,
			void *arg);

#endif
