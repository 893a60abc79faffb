// SPDX-License-Identifier: GPL-2.0-only
#include "web_files.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

bool web_files_changed(const struct web_files *files)
{
	for (unsigned int i = 0; i < files->count; i++) {
		const struct stat *was = &files->file[i].st;
		struct stat is = {0};

		if (stat(files->file[i].path, &is))
			memset(&is, 0, sizeof(is));
		if (is.st_dev != was->st_dev || is.st_ino != was->st_ino ||
		    is.st_size != was->st_size || is.st_ctim.tv_sec != was->st_ctim.tv_sec ||
		    is.st_ctim.tv_nsec != was->st_ctim.tv_nsec)
			return true;
	}
	return false;
}

const char *web_files_add(struct web_files *files, const char *path)
{
	struct web_file *file = &files->file[files->count];

	if (files->count == WEB_FILES_MAX)
		return strerror(E2BIG);
	file->path = strdup(path);
	if (!file->path)
		return strerror(ENOMEM);
	files->count++;
	if (stat(path, &file->st)) {
		memset(&file->st, 0, sizeof(file->st));
		return strerror(errno);
	}
	/* it is read again when it has changed, and a pipe would be waited for */
	return S_ISREG(file->st.st_mode) ? NULL : "no regular file";
}

void web_files_clear(struct web_files *files)
{
	for (unsigned int i = 0; i < files->count; i++)
		free(files->file[i].path);
	*files = (struct web_files){0};
}
