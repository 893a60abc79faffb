/* SPDX-License-Identifier: GPL-2.0-only */
/* library_passing.h - where in a function a breakpoint is cheap. */
#ifndef ALPNSCOPE_LIBRARY_PASSING_H
#define ALPNSCOPE_LIBRARY_PASSING_H

#include <stddef.h>
#include <stdint.h>

/**
 * library_passing - the first branch of a function, if every call comes there with the first
 * argument still in its register. The kernel emulates a branch, while most instructions at a
 * uprobe are single-stepped, which costs a trap more (on a virtual machine some 40 us).
 * @machine: EM_X86_64 or EM_AARCH64
 * @code, @size: the function, bytes
 *
 * Returns its offset in the function; 0 when there is none.
 */
size_t library_passing(uint16_t machine, const uint8_t *code, size_t size);

#endif
