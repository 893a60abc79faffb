# SPDX-License-Identifier: GPL-2.0-only
"""What else an agent has to do with: real clients of real servers, and whoever connects to its own
web page and socket. Each function is one turn of a thread, and counts what it did."""
import contextlib
import itertools
import os
import random
import socket

import clients
import craft
import running

SLOW_MAX = 30  # connections that send a byte and wait
READERS = 8  # of events, that never read
NAMES = 64  # server names of the real clients: what is kept by name is filled by the warm-up
HUGE = b"GET / HTTP/1.1\r\nX: " + b"x" * (256 << 10)
PAGE = b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n"


class Real:
    """Handshakes that must be counted: what the clients say they got, by (port, protocol)."""

    MIX = ((clients.H2, "1.2"), (clients.H2, "1.3"), (clients.H1, "1.2"), (clients.H1, "1.3"),
           (None, "1.2"))

    def __init__(self, pair, nginx, plain):
        self.pair, self.nginx, self.plain = pair, nginx, plain
        self.made = {}
        self.names = itertools.cycle([clients.name() for _ in range(NAMES)])
        self.turn = 0
        self.context = {(tuple(o or ()), v): clients.python_context(o, v) for o, v in self.MIX}

    def _note(self, truth, port):
        if not truth.completed:
            raise AssertionError(f"a real handshake failed: {truth} {truth.output}")
        key = str(port), truth.negotiated or "none"
        self.made[key] = self.made.get(key, 0) + truth.count

    def python(self):
        """One of each kind to nginx, and one that openssl s_server answers."""
        for offer, version in self.MIX:
            self._one(self.nginx, offer, version)
        self._one(self.plain, clients.H2, "1.2")

    def _one(self, server, offer, version):
        self._note(clients.python(self.pair.client, self.pair.V4, server.port, next(self.names),
                                  offer, version,
                                  context=self.context[tuple(offer or ()), version]),
                   server.port)

    def programs(self):
        """In turn: h2load with many connections, s_client, curl."""
        self.turn += 1
        where = self.pair.client, self.pair.V4, self.nginx.port, next(self.names)
        if self.turn % 3 == 0:
            truth = clients.h2load(*where, clients.H2, "1.3", count=20)
        elif self.turn % 3 == 1:
            truth = clients.s_client(*where, clients.H2, "1.3")
        else:
            truth = clients.curl(*where, clients.H2, "1.2")
        self._note(truth, self.nginx.port)


class Web:
    """Requests to the agent's page as nobody should make them, and one as it should be."""

    def __init__(self, namespace, socket_path):
        self.namespace, self.socket_path = namespace, socket_path
        self.random = random.Random(2)
        self.slow, self.readers = [], []
        self.sent = 0
        while len(self.readers) < READERS:
            self._control(reader=True)
        while len(self.slow) < SLOW_MAX:
            self._be_slow()

    def _connect(self):
        with self.namespace.enter():
            return socket.create_connection(("127.0.0.1", running.PORT), timeout=2)

    def _be_slow(self):
        self.slow.append(self._connect())
        self.slow[-1].sendall(b"G")

    def _hostile(self):
        kind = self.sent % 5
        if kind == 0:
            return HUGE
        if kind == 1:
            return craft.record(craft.HANDSHAKE, craft.client_hello([craft.alpn(b"h2")]))
        if kind == 2:
            return self.random.randbytes(4096)
        if kind == 3:
            return b"POST /metrics HTTP/1.1\r\nContent-Length: 99999999\r\n\r\n" + b"y" * 65536
        return PAGE

    def request(self):
        """One, whose answer is read if one comes; with each third a connection stays, mute."""
        self.sent += 1
        with contextlib.suppress(OSError):
            with self._connect() as s:
                s.settimeout(0.5)
                s.sendall(self._hostile())
                while s.recv(65536):
                    pass
        if self.sent % 3 == 0:
            self.slow.pop(0).close()
            self._be_slow()
        self._control(self.sent % 10 == 0)

    def _control(self, reader):
        """On the unix socket: garbage, or a reader that never reads, in the oldest one's place."""
        if reader and len(self.readers) >= READERS:
            self.readers.pop(0).close()
        with contextlib.suppress(OSError):
            s = socket.socket(socket.AF_UNIX)
            s.settimeout(1)
            s.connect(self.socket_path)
            if reader:
                s.sendall(b"watch output=json\n")
                self.readers.append(s)
            else:
                s.sendall(os.urandom(self.random.randrange(1, 5000)) + b"\n")
                s.close()

    def close(self):
        for s in self.slow + self.readers:
            s.close()
        self.slow, self.readers = [], []
