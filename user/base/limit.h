/* SPDX-License-Identifier: GPL-2.0-only */
/* limit.h - what the system lets this process have. */
#ifndef ALPNSCOPE_LIMIT_H
#define ALPNSCOPE_LIMIT_H

/** limit_files - let this process have @wanted open files, or as many as the hard limit allows;
 * never fewer than before. The soft limit is 1,024 as a rule, for the sake of select(2), which we
 * do not use. */
void limit_files(unsigned int wanted);

#endif
