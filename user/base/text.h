/* SPDX-License-Identifier: GPL-2.0-only */
/* text.h - strings in fixed room. */
#ifndef ALPNSCOPE_TEXT_H
#define ALPNSCOPE_TEXT_H

#include <stddef.h>
#include <string.h>

/** text_copy - copy a string into @to, @size bytes (1 or more); what does not fit is left out. As
 * snprintf("%s"), which takes longer than all else that is done with a label. */
static inline void text_copy(char *to, size_t size, const char *from)
{
	if (!memccpy(to, from, '\0', size))
		to[size - 1] = '\0';
}

#endif
