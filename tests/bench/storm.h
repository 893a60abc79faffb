/* SPDX-License-Identifier: GPL-2.0-only */
/* storm.h - what storm.c and storm.bpf.c share. */
#ifndef BENCH_STORM_H
#define BENCH_STORM_H

#define STORM_KINDS 4 /* of handshakes; a power of two */
#define STORM_STEPS 8 /* frames of one, at the most; a power of two */
#define STORM_FRAME 1514

/**
 * struct storm_frame - a frame of a handshake, as it is but for what each handshake has of its own.
 * @len: bytes of it
 * @from_client: the client's address and port are the source's
 * @random_at: where the random of a hello begins, 0 without
 */
struct storm_frame {
	__u32 len;
	__u32 from_client;
	__u32 random_at;
	__u8 bytes[STORM_FRAME];
};

#endif
