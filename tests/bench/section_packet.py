# SPDX-License-Identifier: GPL-2.0-only
"""Nanoseconds a packet, by BPF_PROG_TEST_RUN, against an empty program: packet.c has the method."""
import packet_rows
from table import Row

DATA = "established TLS data, 1,400 B"
TIMES_EMPTY = {"tc": 1.33, "xdp": 1.67}  # at most, of linear TLS data
HANDSHAKE_NS = 1000
HANDSHAKE_FAR = 4000  # of the longer one of TLS 1.3, which takes 1,700 on a quiet machine
HANDSHAKES = ("whole handshake, TLS 1.2, 5 frames", "whole handshake, TLS 1.3, 13 frames")


def run(quick):
    found = packet_rows.measure(5 if quick else 51)
    rows = []
    for hook in ("tc", "xdp"):
        ours, empty = found[hook, DATA]
        rows.append(Row("packet", f"{hook}: an empty program", "ns", empty))
        rows.append(Row("packet", f"{hook}: {DATA}, linear", "x empty", ours, empty, "ratio",
                        TIMES_EMPTY[hook]))
        for (at, name), (ours, empty) in found.items():
            if at == hook:
                rows.append(Row("packet", f"{hook}: {name}", "ns more", ours, empty, "difference",
                                HANDSHAKE_NS if name in HANDSHAKES else None, far=HANDSHAKE_FAR))
    return rows
