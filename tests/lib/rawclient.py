# SPDX-License-Identifier: GPL-2.0-only
"""A TCP client that sends what no TLS library would, or leaves when none would.

    with RawClient(net.client, address, port) as client:
        client.send(hello)
        craft.alpn(b"h2") in client.server_hello()
"""
import socket
import struct

import craft


class RawClient:
    """A connection from a namespace; `port` is its own."""

    def __init__(self, namespace, address, port, local=0):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with namespace.enter():
            self.socket = socket.socket(family)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.settimeout(10)
        self.socket.bind(("::" if ":" in address else "0.0.0.0", local))
        self.socket.connect((address, port))
        self.port = self.socket.getsockname()[1]

    def send(self, data):
        self.socket.sendall(data)

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise AssertionError(f"the server left after {data!r}")
            data += more
        return data

    def record(self):
        """The next TLS record: (type, what is in it)."""
        kind, _, size = struct.unpack("!BHH", self.read(5))
        return kind, self.read(size)

    def server_hello(self):
        """The body of the ServerHello, which must be what the server answers with."""
        kind, data = self.record()
        if (kind, data[0]) != (craft.HANDSHAKE, craft.SERVER_HELLO):
            raise AssertionError(f"no ServerHello: record type {kind}: {data[:32]!r}")
        return data[4:4 + int.from_bytes(data[1:4], "big")]

    def half_close(self):
        """FIN; what the server says can still be read."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """RST."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
