/* SPDX-License-Identifier: GPL-2.0-only */
/* web_files.h - the files of the web configuration, to see when one has changed. */
#ifndef ALPNSCOPE_WEB_FILES_H
#define ALPNSCOPE_WEB_FILES_H

#include <stdbool.h>
#include <sys/stat.h>

#define WEB_FILES_MAX 4 /* the configuration, certificate, key, authorities of clients */

/**
 * struct web_files - the files that a configuration was read from, as they were then, so that a
 * change is seen. Filled also when they were wrong.
 */
struct web_files {
	unsigned int count;
	struct web_file {
		char *path;
		struct stat st;
	} file[WEB_FILES_MAX];
};

/**
 * web_files_add - one more file that will be read.
 * Returns NULL, or why it cannot be, a static string.
 */
const char *web_files_add(struct web_files *files, const char *path);

/** web_files_changed - is a file another than it was? */
bool web_files_changed(const struct web_files *files);

/** web_files_clear - empty it. */
void web_files_clear(struct web_files *files);

#endif
