# SPDX-License-Identifier: GPL-2.0-only
"""What an attacker on the wire sends: floods, forgeries, halves, garbage.

Frames are put on the client's end of the veth. They go to an address that the host does not have,
so that nobody answers and what is half open stays so; forgeries go to the live server.
"""
import itertools
import os
import random
import time

import craft
import frames

NOWHERE = "198.51.100.7"
SECOND = 10  # ticks in one
# What is sent in a second; at the beginning of a period of so many seconds a burst.
FULL, HALF_OPEN, HALVES, REORDERED, GARBAGE, FORGED = 80, 60, 40, 10, 40, 20
BURST_SECONDS, BURST_OPEN, BURST_HALVES = 60, 20_000, 2_000
FILL, FILL_RATE = 30_000, 3_000  # handshakes with names and ports of their own, to fill tables
PORTS = 20_000


class Wire:
    """All of it, from one thread: run() until `stop`."""

    def __init__(self, pair, server_port, stop):
        self.pair, self.server_port, self.stop = pair, server_port, stop
        self.random = random.Random(1)  # the same in every run
        self.numbers = itertools.count()
        self.full = frames.Frames(NOWHERE, sni="name-00000000.example")
        self.name_at = self.full.hello.index(b"00000000")
        self.half = self._half()
        self.bad = [record for _, record in craft.malformed_client_hellos()]
        self.sent = dict.fromkeys(("complete", "half open", "half a hello", "reordered",
                                   "garbage", "forged"), 0)

    def _half(self):
        """The first segment of a hello whose second one never comes."""
        hello = craft.client_hello([craft.server_name("half.example"),
                                    craft.extension(21, b"\0" * 1500), craft.alpn(b"h2")])
        connection = craft.Connection("198.18.0.0", 1024, NOWHERE, 443)
        return bytearray(connection.client(craft.record(craft.HANDSHAKE, hello)[:700])[0])

    def _put(self, what, s, *made):
        for frame in made:
            s.send(frame)
        self.sent[what] += 1

    def _complete(self, s):
        n = next(self.numbers)
        hello, answer = self.full.number(n, 1024 + n % PORTS)
        hello[self.name_at:self.name_at + 8] = b"%08d" % n
        self._put("complete", s, hello, answer)

    def _half_open(self, s):
        n = next(self.numbers)
        self._put("half open", s, self.full.number(n, 443)[0])

    def _half_hello(self, s):
        n = next(self.numbers)
        self.half[26:30] = (0xc6130000 + n // 60000).to_bytes(4, "big")
        self.half[34:36] = (1024 + n % 60000).to_bytes(2, "big")
        self._put("half a hello", s, self.half)

    def _reordered(self, s):
        n = next(self.numbers)
        c = craft.Connection(f"198.20.{n >> 8 & 255}.{n & 255}", 1024 + n % 60000, NOWHERE, 443,
                             mss=300)
        begin = c.open()
        pieces = c.client(craft.record(craft.HANDSHAKE, craft.client_hello(
            [craft.extension(21, b"\0" * 900), craft.alpn(b"h2", b"http/1.1")])))
        self.random.shuffle(pieces)
        answer = c.server(craft.record(craft.HANDSHAKE, craft.server_hello([craft.alpn(b"h2")])))
        self._put("reordered", s, *begin, *pieces, pieces[0], *answer, *c.close())

    def _garbage(self, s):
        n = next(self.numbers)
        c = craft.Connection(f"198.21.{n >> 8 & 255}.{n & 255}", 1024 + n % 60000, NOWHERE, 443)
        kind = n % 4
        if kind == 0:
            made = c.client(self.random.choice(self.bad))
        elif kind == 1:
            made = c.client(b"\x16\x03\x01" + os.urandom(self.random.randrange(600)))
        elif kind == 2:
            made = [craft.ethernet(os.urandom(self.random.randrange(20, 300)),
                                   self.random.choice((0x8847, 0x8864, 0x88be, 0x894f, 0x0800,
                                                       0x86dd, 0x8100)))]
        else:  # a server name that is text for a terminal, a page, a label
            made = c.client(craft.record(craft.HANDSHAKE, craft.client_hello(
                [craft.server_name(b"\x1b[2J\"><script>\\n" + os.urandom(20).hex().encode()),
                 craft.alpn(os.urandom(8), b"\"}\n")])))
        self._put("garbage", s, *made)

    def _forged(self, s):
        """At the live server: ServerHello without ClientHello, RST and FIN of nobody."""
        n = next(self.numbers)
        c = craft.Connection(self.pair.CLIENT_V4, 32768 + n % 28000, self.pair.V4,
                             self.server_port, client_seq=self.random.getrandbits(32),
                             server_seq=self.random.getrandbits(32))
        kind = n % 3
        if kind == 0:
            made = c.server(craft.record(craft.HANDSHAKE, craft.server_hello(
                [craft.alpn(b"http/1.1")])))
        else:
            made = c.rst(True) if kind == 1 else c.fin(True)
        self._put("forged", s, *made)

    def _rate(self, s, send, a_second, tick):
        for _ in range((tick + 1) * a_second // SECOND - tick * a_second // SECOND):
            send(s)

    def _burst(self, s, send, count):
        for i in range(count):
            send(s)
            if i % 200 == 199:
                time.sleep(0.02)  # not more than 10,000 a second
                if self.stop.is_set():
                    return

    def fill(self):
        """Bring every bounded table to its bound, so that what grows after is a leak."""
        with frames.onto(self.pair.client, "eth0") as s:
            for i in range(FILL):
                self._complete(s)
                if i % 30 == 29:
                    time.sleep(30 / FILL_RATE)

    def run(self):
        mix = ((self._complete, FULL), (self._half_open, HALF_OPEN),
               (self._half_hello, HALVES), (self._reordered, REORDERED),
               (self._garbage, GARBAGE), (self._forged, FORGED))
        with frames.onto(self.pair.client, "eth0") as s:
            for tick in itertools.count():
                if tick % (BURST_SECONDS * SECOND) == 0:
                    self._burst(s, self._half_open, BURST_OPEN)
                    self._burst(s, self._half_hello, BURST_HALVES)
                for send, a_second in mix:
                    self._rate(s, send, a_second, tick)
                if self.stop.wait(1 / SECOND):
                    return


def quiet(namespace):
    """Nobody answers for, or forwards to, addresses that are not there."""
    namespace.sysctl("ipv4/ip_forward", 0)
    for what in ("all", "eth0"):
        namespace.sysctl(f"ipv4/conf/{what}/rp_filter", 0)
