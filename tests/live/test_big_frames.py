#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The captures of the corpus with frames that BPF_PROG_TEST_RUN does not take (over 3,712 bytes),
live: every frame sent over a veth of MTU 65535, by TC and by XDP, and each connection compared
with the corpus as tests/corpus does it."""
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lib"), os.path.join(HERE, "..", "corpus")]

import tap  # noqa: E402
import test_corpus  # noqa: E402
import truth  # noqa: E402
from agent import Agent  # noqa: E402
from net import Pair, send_frames  # noqa: E402

BIG = 3712
ETHERNET = 1  # LINKTYPE_ETHERNET


def frames(path):
    """The frames of a pcap file of Ethernet frames; none of another file."""
    with open(path, "rb") as f:
        data = f.read()
    magic = data[:4]
    order = "<" if magic in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") else ">"
    if order == ">" and magic not in (b"\xa1\xb2\xc3\xd4", b"\xa1\xb2\x3c\x4d"):
        return []
    if struct.unpack(order + "I", data[20:24])[0] != ETHERNET:
        return []
    found, at = [], 24
    while at + 16 <= len(data):
        size = struct.unpack(order + "I", data[at + 8:at + 12])[0]
        found.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return found


class Live(test_corpus.Capture):
    """A capture of which the events come from an agent that saw its frames."""

    def __init__(self, book, file, events):
        self.events = events
        super().__init__(book, file)

    def _read(self, path):
        return self.events


def replay(net, book, big, *how):
    """Every frame of the captures @big past an agent; {file: its events}."""
    with Agent(net.host, *how, interface="eth0") as agent:
        for found in big.values():
            send_frames(net.client, "eth0", found)
        agent.drain()
        events = agent.events()
        agent.stop()
    keys = {file: {c.key for c in book.files[file]} for file in big}
    return {file: [e for e in events if test_corpus.event_key(e) in keys[file]] for file in big}


def compare(net, book, big, *how):
    events = replay(net, book, big, *how)
    exceptions = test_corpus.read_exceptions()
    count, wrong = 0, []
    for file in big:
        capture = Live(book, file, events[file])
        count += len(capture.must)
        wrong += [(file, what) for what in capture.broken]
        wrong += [(file, key, name) for key, fields in capture.wrong.items() for name in fields
                  if (file, key, name) not in exceptions]
    assert not wrong, f"{len(wrong)} differences\n{test_corpus.listed(wrong)}"
    assert count, "no connection was compared"
    print(f"# {count} connections of {len(big)} captures, "
          f"{sum(len(f) > BIG for fs in big.values() for f in fs)} frames over {BIG} bytes")


def main():
    if not os.path.isdir(test_corpus.CORPUS):
        print(f"1..0 # SKIP no corpus of captures at {test_corpus.CORPUS}")
        return
    book = truth.Truth(test_corpus.CORPUS)
    big = {file: frames(book.path(file)) for file in sorted(book.files)}
    big = {file: found for file, found in big.items() if any(len(f) > BIG for f in found)}
    net = Pair()
    for end in net.host, net.client:
        end.ip("link", "set", "eth0", "mtu", "65535")
    tap.run([tap.named("by TC", compare, net, book, big),
             tap.named("by XDP", compare, net, book, big, "--hook", "xdp")])


main()
