/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * flow.h - a handshake in progress, as the table holds it.
 *
 * A flow goes INIT -> OPEN -> CLOSED and only as_close() (track.h) ends it. A deleted
 * table element is reused at once, so a stale pointer may see the next key's value:
 * state and tuple are compared under the lock before every write.
 */
#ifndef ALPNSCOPE_FLOW_H
#define ALPNSCOPE_FLOW_H

#include "handshake.h"
#include "port.h"
#include "wire.h"

#define AS_FLOWS_DEFAULT 16384
#define AS_GATES 32768 /* power of two */
#define AS_BLOCK 16 /* gates of a block; AS_BLOCK_PART of them share a byte of it */
#define AS_BLOCK_PART 4
#define AS_BLOCKS (AS_GATES / AS_BLOCK)
#define AS_SLOTS_DEFAULT 256 /* hellos that are put together at one time; power of two */
#define AS_SLOTS_MIN 64
#define AS_SLOTS_MAX 4096
#define AS_SLOT_NS 10000000000ULL /* a hello that is not complete after this never will be */
#define AS_SLOT_OLD_NS 50000000ULL /* after this another hello may have the place */
#define AS_SLOT_PROBES 8 /* places of a tuple */
#define AS_SWEEP AS_SLOTS_MIN /* slots that are looked through at once */
#define AS_SEEDS 4 /* of the tuple hash, as_hash4() */
/* They need not be secret for captures and tests. */
#define AS_PLAIN_SEEDS                                                                             \
	{                                                                                          \
		0x243f6a8885a308d3ULL, 0x13198a2e03707344ULL, 0xa4093822299f31d0ULL,               \
			0x082efa98ec4e6c89ULL                                                      \
	}
#define AS_ANSWER_NS 10000000000ULL /* wait for the server's answer: 10 s */
#define AS_RECORDS_NS 2000000000ULL /* and for the records after one of TLS 1.3: 2 s */

enum as_state { AS_INIT, AS_OPEN, AS_CLOSED };

/**
 * struct as_tuple - a connection's two ends, sorted, so that both directions have one
 * key. No interface: a frame that crosses a veth and a bridge is one connection.
 * Addresses are raw network order (IPv4 mapped to IPv6), ports host order.
 */
struct as_tuple {
	__u64 lo_addr[2];
	__u64 hi_addr[2];
	__u16 lo_port;
	__u16 hi_port;
	__u32 family;
};

AS_ASSERT(sizeof(struct as_tuple) == 40, "as_tuple has no hidden padding: it is a hash key");

/**
 * struct as_side - how far the record headers of one side were read (heads.h).
 * @place: sequence number of the next byte of a header that is wanted
 * @ahead: up to there bytes were seen, whatever they were; beyond `place`: a header is missing
 * @encrypted: records so far
 * @part: bytes of a header that ends in the next segment, @head
 * @on: its headers are read; no longer when what stood in the place of one was none
 */
struct as_side {
	__u32 place;
	__u32 ahead;
	__u32 encrypted;
	__u32 part;
	__u8 on;
	__u8 pad[7];
	__u8 head[8];
};

/**
 * struct as_flow - one handshake in progress.
 * @due: when it is given up, on as_time()'s clock
 * @server_seq: the server's next sequence number, by the hello's ACK
 * @server_seq_known: 0 when the hello came with the SYN (RFC 7413)
 * @server_next: up to there the server's bytes were seen without a hole
 * @next_seq: the server took another connection on this tuple, whose first byte is there
 * @next_known: 0 when it did not
 * @client_next: behind the record in which the ClientHello ends
 * @after: encrypted records of the client that came after one of the server
 * @fins: whose FIN came, in its place: 1 the server's, 2 the client's
 * @alerted: an alert in clear ended it
 * @session_id: the client's, padded with zeros
 */
struct as_flow {
	AS_LOCK lock;
	__u32 state;
	struct as_tuple key;
	__u64 due;
	__u32 server_seq;
	__u32 server_seq_known;
	__u32 server_next;
	__u32 next_seq;
	__u32 next_known;
	__u32 client_next;
	__u32 after;
	__u32 alerted;
	__u32 fins;
	__u32 pad;
	struct as_side client_side;
	struct as_side server_side;
	__u8 session_id[AS_SESSION_ID_MAX];
	struct as_handshake rec;
};

/**
 * struct as_gate - may there be more to a packet with this tuple hash than its own bytes?
 * @count: handshakes in progress
 * @slots: hellos that are being put together (stream.h)
 * @mark: 0, or of which direction of which tuple `next` is, by AS_MARK_*
 * @next: a client whose SYN was seen sends this sequence number next
 * @client, @server: as_identity() of the randoms of the last handshake with this hash; here, for a
 *                   new connection then costs one cache miss less
 */
struct as_gate {
	__s32 count;
	__s32 slots;
	__u32 mark;
	__u32 next;
	__u64 client;
	__u64 server;
};

/**
 * struct as_block - the same of AS_BLOCK gates side by side, in so little memory (16 KiB in all)
 * that near caches keep it, however many connections speak in turn.
 * @busy: sum of their counts and slots: raised before one of these, lowered after it
 * @marked: 0 when none of AS_BLOCK_PART gates has a mark; see as_mark(). Marks are best effort:
 *          when a CPU sets one of a gate while another takes one of a neighbour away, it may be 0
 */
struct as_block {
	__s32 busy;
	__u8 marked[AS_BLOCK / AS_BLOCK_PART];
};

AS_ASSERT(sizeof(struct as_block) == 8, "as_block is read as one word");

/** struct as_due - which flow the program alpnscope_due shall end, and as what (enum as_end). */
struct as_due {
	struct as_tuple key;
	__u64 due;
	__u32 end;
	__u32 pad;
};

#endif
