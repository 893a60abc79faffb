/* SPDX-License-Identifier: GPL-2.0-only */
/* metrics_library.h - what /metrics says with --library; docs/METRICS.md is its reader's side. */
#ifndef ALPNSCOPE_METRICS_LIBRARY_H
#define ALPNSCOPE_METRICS_LIBRARY_H

#include "exposition.h"
#include "library.h"
#include "evidence.h"

/** metrics_library - append the families of --library to @out. */
void metrics_library(struct buf *out, enum expo_format format, const struct library_stats *s,
		     const struct inference_check *check);

#endif
