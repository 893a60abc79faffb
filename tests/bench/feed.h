/* SPDX-License-Identifier: GPL-2.0-only */
/* feed.h - what feed.bpf.c and packet.c share. */
#ifndef BENCH_FEED_H
#define BENCH_FEED_H

#include <linux/types.h>

#define FEED_FRAMES 64
#define FEED_BYTES 1514

/**
 * struct feed_frame - a frame of a connection, but for whose it is.
 * @len: bytes that count; what is behind them is an Ethernet trailer
 * @address: where the client's IPv4 address stands
 * @random: where 4 bytes of a hello's random stand, 0 in others
 */
struct feed_frame {
	__u32 len;
	__u32 address;
	__u32 random;
	__u8 bytes[FEED_BYTES + 2];
};

/**
 * struct feed - what comes next: frames @first.. of connection @number, then of the next one.
 * @count: frames of each connection; @at: which of them is next
 * @begin, @end: the connections: behind the last the first comes again
 * @have: the frame that the packet holds already, plus 1
 */
struct feed {
	__u32 first, count, at;
	__u32 number, begin, end;
	__u32 have;
};

#endif
