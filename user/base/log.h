/* SPDX-License-Identifier: GPL-2.0-only */
/* log.h - chatter on stderr. Data goes to stdout and not through here. */
#ifndef ALPNSCOPE_LOG_H
#define ALPNSCOPE_LOG_H

enum log_level { LOG_QUIET = -1, LOG_NORMAL = 0, LOG_VERBOSE = 1 };

/** log_set_level - what is said from now on; errors always are. */
void log_set_level(enum log_level level);

/** log_error - "alpnscope: ..." on stderr. Name the thing, the cause, the next step. */
void log_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** log_info - said unless quiet. */
void log_info(const char *format, ...) __attribute__((format(printf, 1, 2)));

/** log_verbose - said with -v. */
void log_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
