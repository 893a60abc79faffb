/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * small.h - check.h with an engine of small tables: a new one for each input is cheap, and
 * a few frames fill them.
 */
#ifndef TESTS_FUZZ_SMALL_H
#define TESTS_FUZZ_SMALL_H

#include "check.h"

#undef AS_GATES
#define AS_GATES 64
#undef AS_RECENTS
#define AS_RECENTS 64
#undef AS_SLOTS_DEFAULT
#define AS_SLOTS_DEFAULT 8

#include "../../user/capture/native.c"

#define SMALL_FLOWS 16

#endif
