/* SPDX-License-Identifier: GPL-2.0-only */
/* textfile.h - the metrics in a file, for the textfile collector of node_exporter. */
#ifndef ALPNSCOPE_TEXTFILE_H
#define ALPNSCOPE_TEXTFILE_H

#include <stdbool.h>
#include <stddef.h>

#include "buf.h"
#include "loop.h"

#define TEXTFILE_INTERVAL_MS 15000 /* as often as many a Prometheus looks */

struct textfile;

/** textfile_is_path - may @path be such a file? The collector reads what ends in ".prom" only. */
bool textfile_is_path(const char *path);

/**
 * textfile_start - write @path now, and every TEXTFILE_INTERVAL_MS whenever @loop runs.
 * @path: lives on; PATH.tmp beside it is ours too
 * @page: append the text to @out
 * @error: on failure one line that names the option, the cause and the next step
 *
 * The file is replaced by rename(2) and has mode 0644: a reader has a whole one, the old or the
 * new. When it cannot be written later on, that is said once, and once more when it can again.
 * Returns NULL on failure.
 */
struct textfile *textfile_start(struct loop *loop, const char *path,
				void (*page)(void *arg, struct buf *out), void *arg, char *error,
				size_t error_size);

/** textfile_write - write it now, too. */
void textfile_write(struct textfile *t);

/** textfile_end - write it a last time; the file stays. NULL is fine. */
void textfile_end(struct textfile *t);

#endif
