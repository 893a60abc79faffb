/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * exposition.h - the two text formats that Prometheus reads: how they are chosen and
 * how families, labels and numbers are written in them. Knows no metric.
 *
 * Text 0.0.4:  https://prometheus.io/docs/instrumenting/exposition_formats/
 * OpenMetrics: https://github.com/prometheus/OpenMetrics/blob/v1.0.0/specification/OpenMetrics.md
 */
#ifndef ALPNSCOPE_EXPOSITION_H
#define ALPNSCOPE_EXPOSITION_H

#include "buf.h"

enum expo_format {
	EXPO_TEXT, /* 0.0.4 */
	EXPO_OPENMETRICS, /* 1.0.0 */
};

enum expo_type { EXPO_COUNTER, EXPO_GAUGE, EXPO_HISTOGRAM, EXPO_INFO };

/**
 * struct expo_family - a metric family.
 * @name: without the suffix of its samples: no "_total" for a counter, no "_info" for
 *        an info
 * @unit: the last word of @name where that is a unit (OpenMetrics says it once more), or
 *        NULL
 * @help: one line, without quotes and backslashes
 */
struct expo_family {
	const char *name;
	enum expo_type type;
	const char *unit;
	const char *help;
};

/**
 * expo_negotiate - the format that an Accept header asks for (RFC 9110 section 12.5.1).
 * @accept: hostile text, or NULL without the header
 *
 * OpenMetrics is given when it is liked better than text, or as much and by its name;
 * text in every other case, also when neither is acceptable.
 */
enum expo_format expo_negotiate(const char *accept);

/** expo_content_type - the Content-Type of @format; a static string. */
const char *expo_content_type(enum expo_format format);

/** expo_family - begin @family: its HELP, TYPE and UNIT lines. */
void expo_family(struct buf *out, enum expo_format format, const struct expo_family *family);

/**
 * expo_sample - begin a sample line: "name{label="value",...} ".
 * @name: with its suffix
 * @...: pairs of label name and value (const char *), closed by NULL
 *
 * A value may hold any bytes: `\`, `"` and newline are escaped as the formats say,
 * all else outside printable ASCII is shown as \xNN.
 */
void expo_sample(struct buf *out, const char *name, ...) __attribute__((sentinel));

/** expo_number - end a sample line with a whole number. */
void expo_number(struct buf *out, uint64_t value);

/** expo_seconds - end a sample line with @ns nanoseconds, as seconds. */
void expo_seconds(struct buf *out, uint64_t ns);

/** expo_end - the last line of an OpenMetrics text; nothing in the other format. */
void expo_end(struct buf *out, enum expo_format format);

#endif
