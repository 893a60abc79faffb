/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * library.h - what the kernel and the agent tell each other about the TLS libraries of running
 * processes (--library). All that an answer holds was read from another process: hostile bytes.
 */
#ifndef ALPNSCOPE_LIBRARY_ABI_H
#define ALPNSCOPE_LIBRARY_ABI_H

#include "port.h"

#define AS_LIBRARY_FILES 256 /* executables and libraries that can be attached to */
#define AS_LIBRARY_CALLS 8192 /* calls and handshakes in progress at one time */
#define AS_LIBRARY_HOPS 4
#define AS_LIBRARY_NAME_MAX 255 /* RFC 7301 section 3.1 */

/* What a record in the ring is: its first number. */
enum as_library_word {
	AS_LIBRARY_ANSWER = 1, /* struct as_library_answer */
	AS_LIBRARY_EXEC = 2, /* struct as_library_exec */
};

/**
 * struct as_library_path - from an object to a field of it: for each offset but the last one
 * p = *(p + offset), then the field is at p + offset. @count: how many; 0 for not known.
 */
struct as_library_path {
	__u32 count;
	__s32 offset[AS_LIBRARY_HOPS];
};

/** struct as_library_file - where one file's objects have what is asked for; by cookie - 1. */
struct as_library_file {
	struct as_library_path random; /* 32 bytes */
	struct as_library_path alpn; /* the pointer to the name */
	struct as_library_path alpn_len; /* its length, 32 bits */
};

/* as_library_answer.how */
enum as_library_how {
	AS_LIBRARY_OUT = 1, /* the library's own answer to a call that asks for the name */
	AS_LIBRARY_FIELD = 2, /* read from its memory, where it keeps the answer */
	AS_LIBRARY_MESSAGE = 3, /* read from EncryptedExtensions in clear (Go) */
};

/* as_library_answer.side: whose end the process is, where that shows. */
enum as_library_side { AS_LIBRARY_EITHER, AS_LIBRARY_SERVER, AS_LIBRARY_CLIENT };

/**
 * struct as_library_answer - one end of a handshake says what was chosen.
 * @time_ns: CLOCK_MONOTONIC
 * @random: ServerHello.random (RFC 8446 section 4.1.3)
 * @tgid: the process
 * @file: whose answer: the number of its struct as_library_file
 * @agrees: 1 when @how is AS_LIBRARY_OUT, there is a name, and the fields hold the same one
 * @name_len: 0 when no protocol was chosen
 */
struct as_library_answer {
	__u32 word;
	__u32 tgid;
	__u64 time_ns;
	__u8 random[32];
	__u16 file;
	__u8 how;
	__u8 side;
	__u8 agrees;
	__u8 name_len;
	__u8 pad[2];
	__u8 name[AS_LIBRARY_NAME_MAX + 1];
};

AS_ASSERT(sizeof(struct as_library_answer) == 312, "as_library_answer has no hidden padding");

/** struct as_library_exec - a process runs another program now, or will in a moment. */
struct as_library_exec {
	__u32 word;
	__u32 tgid;
};

/* What became of an answer before it reached the agent, beside all that did. */
enum as_library_lost {
	AS_LIBRARY_RING_FULL,
	AS_LIBRARY_TABLE_FULL, /* the call, or Go's ServerHello, was not in the table any more */
	AS_LIBRARY_UNREADABLE, /* the process' memory was not as it should be */
	AS_LIBRARY_LOST_COUNT
};

#endif
