/* SPDX-License-Identifier: GPL-2.0-only */
/* library_accessor.h - where in an object a field is, by the code of the library's own function
 * that gives it out. So no table of versions is needed, and none can be out of date. */
#ifndef ALPNSCOPE_LIBRARY_ACCESSOR_H
#define ALPNSCOPE_LIBRARY_ACCESSOR_H

#include <stdbool.h>

#include "library_look.h"

/**
 * enum library_gives - how a function gives a field of its first argument, an object, out by
 * another argument. LIBRARY_CONTENT: *argument = object->field, or a copy of its bytes.
 * LIBRARY_ADDRESS: *argument = &object->field.
 */
enum library_gives { LIBRARY_CONTENT, LIBRARY_ADDRESS };

/**
 * library_accessor - follow a function's code, on every way through it, from its first argument
 * to what it stores where another argument points to.
 * @machine: EM_X86_64 or EM_AARCH64
 * @code, @size: the function, bytes; nothing outside of it is looked at
 * @argument: by which it gives: 1 or 2, its second or third
 * @width: bytes that must be read of the field at once, at least
 *
 * If ways differ, the one with the fewest pointers counts: BoringSSL's other one is an early-data
 * session's. Two different fields equally near are none.
 *
 * Returns true, or false with @out->count 0 when the code is not understood.
 */
bool library_accessor(uint16_t machine, const uint8_t *code, size_t size, unsigned int argument,
		      enum library_gives gives, unsigned int width, struct library_path *out);

#endif
