/* SPDX-License-Identifier: GPL-2.0-only */
/* capture.h - frames out of pcap and pcapng files. */
#ifndef ALPNSCOPE_CAPTURE_H
#define ALPNSCOPE_CAPTURE_H

#include <stddef.h>
#include <stdint.h>

#define CAPTURE_ETHERNET 0 /* the frame begins with an Ethernet header */
#define CAPTURE_NOT_IP 0xffff /* reserved in the IANA ethertype registry */

/**
 * struct capture_frame - one frame; it and its bytes last until the callback returns.
 * @wall_ns: nanoseconds since 1970 (UTC)
 * @bytes: @caplen hostile bytes
 * @len: bytes the frame had on the wire; more than @caplen when it was cut
 * @ethertype: CAPTURE_ETHERNET, or what begins at @offset: an ethertype (0x0800, 0x86dd,
 *             0x8100...) or AS_NEXT_* of alpnscope/wire.h, or CAPTURE_NOT_IP when there is
 *             nothing to read
 * @offset: at most @caplen; 0 with CAPTURE_ETHERNET
 */
struct capture_frame {
	int64_t wall_ns;
	const uint8_t *bytes;
	uint32_t caplen;
	uint32_t len;
	uint32_t offset;
	uint16_t ethertype;
};

/** A taker of frames. Returns 0 to go on; another value ends the reading. */
typedef int (*capture_fn)(void *arg, const struct capture_frame *frame);

/**
 * capture_read - hand every frame of a capture to @fn, in the order of the file.
 * @path: a pcap or pcapng file or pipe, "-" for standard input
 * @frames: how many frames @fn was given, also after an error
 * @error: on failure one line: the file, the cause, the next step
 *
 * Link types read: those of linktype.h.
 * A file that is cut short or damaged fails after its whole frames were handed over.
 *
 * Returns 0 at the end of the file, what @fn returned when that was not 0, or -errno
 * with @error set (so @fn should return positive values).
 */
int capture_read(const char *path, capture_fn fn, void *arg, uint64_t *frames, char *error,
		 size_t error_size);

#endif
