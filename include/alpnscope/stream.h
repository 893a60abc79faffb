/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * stream.h - one direction's handshake bytes, put in order.
 *
 * A hello that lies in one segment is copied out of the frame, so that the parser
 * reads flat memory: through offsets into packet data it would cost the verifier ten
 * to a hundred times as many instructions.
 */
#ifndef ALPNSCOPE_STREAM_H
#define ALPNSCOPE_STREAM_H

#include "packet.h"

#define AS_HELLO_MAX AS_REC_MAX /* bytes of a hello: one record at the most */
#define AS_CHUNK 256

/**
 * struct as_bytes - a handshake message of @len bytes.
 * The slack lets the verifier see that a chunk at any offset below AS_HELLO_MAX fits.
 */
struct as_bytes {
	__u32 len;
	__u32 pad;
	__u8 at[AS_HELLO_MAX + AS_CHUNK];
};

/**
 * as_take - copy @to->len (1..AS_HELLO_MAX) bytes at frame offset @off.
 * Returns 0, or negative when the frame does not hold them.
 */
AS_INLINE int as_take(AS_ENV *env, __u32 off, struct as_bytes *to)
{
	for (__u32 i = 0; i < AS_HELLO_MAX / AS_CHUNK; i++) {
		__u32 done = i * AS_CHUNK;
		__u32 len = AS_FRESH(to->len), n;

		if (done >= len)
			break;
		n = as_min(len - done, AS_CHUNK) - 1;
		/* clang 14 and 19 differ in what they fold here; in this form every
		 * verifier from 5.10 on sees 1 <= n + 1 <= AS_CHUNK. */
		as_barrier(n);
		n &= AS_CHUNK - 1;
		if (as_load(env, off + done, to->at + done, n + 1))
			return -1;
	}
	return 0;
}

#endif
