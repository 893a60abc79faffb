# SPDX-License-Identifier: GPL-2.0-only
"""A relay (tests/lib/relay.py) that spoils the order of what the clients open with:
reorder.py DEVICE DEVICE MODE, where the clients are behind the second device.

Of each connection it keeps the segments of the first TLS record until it has them all. Then, by
MODE, `reverse` sends the last first, `duplicate` sends each twice, `lose` sends all but the first.
All else passes untouched, the client's retransmission too.
"""
import struct
import sys

import relay
import wire

CLIENTS = 1  # place of the device


def reverse(frames):
    return frames[::-1]


def duplicate(frames):
    """1 2 1 2, or 1 1 2 2 for every other client port."""
    if wire.segment(frames[0]).sport % 2:
        return frames * 2
    return [frame for frame in frames for _ in range(2)]


def lose(frames):
    return frames[1:]


class Spoiler:
    """What becomes of each frame."""

    def __init__(self, mode):
        self.mode = mode
        self.open = {}  # (address, port): where its stream begins, and the frames that are kept

    def __call__(self, place, frame):
        segment = wire.segment(frame) if place == CLIENTS else None
        if segment is None:
            return [frame]
        key = segment.source, segment.sport
        if segment.flags & wire.SYN:
            self.open[key] = segment.seq, []
        if key not in self.open or not segment.payload:
            return [frame]
        start, kept = self.open[key]
        kept.append(frame)
        first = wire.segment(kept[0])
        size = 5 + struct.unpack_from("!H", first.payload, 3)[0]
        end = ((segment.seq - start) & 0xffffffff) + len(segment.payload)
        if first.seq == start and end < size:
            return []
        del self.open[key]
        return self.mode(kept) if len(kept) > 1 else kept


MODES = {mode.__name__: mode for mode in (reverse, duplicate, lose)}
relay.carry(sys.argv[1:3], Spoiler(MODES[sys.argv[3]]))
