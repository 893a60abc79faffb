/* SPDX-License-Identifier: GPL-2.0-only */
/* doctor_library.h - which TLS libraries of running processes --library would ask, and what it
 * cannot see here. */
#ifndef ALPNSCOPE_DOCTOR_LIBRARY_H
#define ALPNSCOPE_DOCTOR_LIBRARY_H

#include "doctor.h"

/**
 * doctor_libraries - look at all processes and say what was found, line by line.
 * @say: takes each line; the texts hold other people's names
 *
 * The programs are loaded for a moment, and attached to none of the files.
 */
void doctor_libraries(void (*say)(void *arg, const struct doctor_finding *f), void *arg);

#endif
