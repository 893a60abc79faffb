/* SPDX-License-Identifier: GPL-2.0-only */
/* program.h - the BPF object: loaded into the kernel, not yet attached to anything. */
#ifndef ALPNSCOPE_PROGRAM_H
#define ALPNSCOPE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROGRAM_FLOWS_MIN 64
#define PROGRAM_FLOWS_MAX (1U << 20)

struct alpnscope_bpf; /* the generated skeleton */

/**
 * struct program_config - how to load.
 * @flows: handshakes in progress that the table holds, PROGRAM_FLOWS_MIN..MAX
 * @slots: split hellos that are put together at one time, AS_SLOTS_MIN..MAX, a power of two
 * @testing: for BPF_PROG_TEST_RUN: the clock is skel->bss->test_now
 * @xdp, @tap: the programs for --hook xdp and --tap, which are not loaded otherwise. @xdp
 *             needs Linux 5.18: errno is EOPNOTSUPP before.
 */
struct program_config {
	uint32_t flows;
	uint32_t slots;
	bool testing;
	bool xdp, tap;
};

/**
 * program_load - load the object.
 * @error: on failure one line: what is refused, why, what to do
 * Returns the skeleton, or NULL with errno set.
 */
struct alpnscope_bpf *program_load(const struct program_config *config, char *error,
				   size_t error_size);

/** program_free - unload; NULL is fine. */
void program_free(struct alpnscope_bpf *skel);

/** program_bytes - kernel memory of the maps' keys and values, in bytes. */
uint64_t program_bytes(const struct alpnscope_bpf *skel);

#endif
