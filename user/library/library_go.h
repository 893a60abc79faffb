/* SPDX-License-Identifier: GPL-2.0-only */
/* library_go.h - crypto/tls in a program of Go, stripped or not, by the table of functions that
 * Go's runtime itself goes by (.gopclntab). */
#ifndef ALPNSCOPE_LIBRARY_GO_H
#define ALPNSCOPE_LIBRARY_GO_H

#include "library_elf.h"
#include "library_look.h"

/**
 * library_go - find the functions of crypto/tls that read and write ServerHello and
 * EncryptedExtensions, in programs of Go 1.18 and later (table versions 0xfffffff0, 0xfffffff1).
 *
 * A return instruction is given only if the whole function could be disassembled: a probe in the
 * middle of an instruction would break the program.
 *
 * Returns true when at least one is there; else @out is zero.
 */
bool library_go(const struct library_elf *elf, struct library_go *out);

#endif
