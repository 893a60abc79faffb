/* SPDX-License-Identifier: GPL-2.0-only */
/* process.h - the process_* metrics that every Prometheus client has, of ourselves. */
#ifndef ALPNSCOPE_PROCESS_H
#define ALPNSCOPE_PROCESS_H

#include "exposition.h"

/**
 * process_write - append the families process_* to @out, read from /proc now.
 * Those that cannot be read are left out.
 */
void process_write(struct buf *out, enum expo_format format);

#endif
