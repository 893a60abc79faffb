/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * shape.h - what the encrypted records after a TLS 1.3 ServerHello are: which one carries
 * EncryptedExtensions, where Finished ends the handshake, how records are padded.
 * docs/TLS13.md tells how it is known. Pure functions; lengths are bytes of a record's fragment.
 */
#ifndef ALPNSCOPE_SHAPE_H
#define ALPNSCOPE_SHAPE_H

#include <stdbool.h>

#include "alpnscope/handshake.h"

enum flight_layout {
	FLIGHT_UNKNOWN, /* none of the others, or not all of it was seen */
	FLIGHT_SEPARATE, /* each message has a record: the first is EncryptedExtensions */
	FLIGHT_SHORT, /* resumed, EncryptedExtensions and Finished in one record */
	FLIGHT_WHOLE, /* not resumed, the first record has the certificate in it too */
	FLIGHT_ALERT, /* one record, and no longer than an alert */
};

/** enum flight_padding - how a side fills its records up (RFC 8446 section 5.4). */
enum flight_padding {
	FLIGHT_PLAIN, /* not at all */
	FLIGHT_CONSTANT, /* FLIGHT_PAD more bytes in each */
	FLIGHT_GRID, /* up to a multiple of a power of two */
};

#define FLIGHT_PAD 16

/**
 * struct flight - the shape of a handshake's encrypted part.
 * @padding: the server's; FLIGHT_PLAIN where it cannot be told (WHOLE)
 * @ext_min, @ext_max: bytes that the extensions in EncryptedExtensions take, headers included
 *          (SEPARATE and SHORT); a range under FLIGHT_GRID
 * @short_ext: what they take if the first record holds Finished too, though the second one looks
 *          like it; -1 where that cannot be (SEPARATE, resumed)
 * @whole: bytes of the messages in the first record, Finished left out (WHOLE)
 * @server_app: the first server record behind the server's handshake (SEPARATE, SHORT, WHOLE)
 * @client_app: the first client record behind the client's Finished, 0 when that was not seen
 * @client_padding: the client's; set with @client_app
 */
struct flight {
	enum flight_layout layout;
	enum flight_padding padding;
	int ext_min, ext_max;
	int short_ext;
	unsigned int whole;
	unsigned int server_app;
	unsigned int client_app;
	enum flight_padding client_padding;
};

/**
 * flight_shape - make out the shape of what @hs holds of a TLS 1.3 handshake.
 * @out: filled whole; FLIGHT_UNKNOWN also for a cipher suite of unknown lengths
 */
void flight_shape(const struct as_handshake *hs, struct flight *out);

/**
 * flight_broken_off - may a TLS 1.3 handshake have ended before its client had read
 * EncryptedExtensions (RFC 8446 section 4.3.1)? So it is when the server sent nothing, or no
 * more than an alert, or when an alert is the first thing that the client answered. Any record
 * that is as short as an alert, padded too, counts as one.
 */
bool flight_broken_off(const struct as_handshake *hs);

#endif
