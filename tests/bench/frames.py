# SPDX-License-Identifier: GPL-2.0-only
"""TLS 1.2 handshakes as two frames each, put on a veth as fast as python can.

Addresses, ports and randoms are put in place; the checksums are then wrong, which an observer does
not look at, and for which a host drops the frame behind it."""
import contextlib
import os
import socket
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import craft  # noqa: needs the path above


class Frames:
    """A ClientHello that offers h2, and its ServerHello that chooses it."""

    def __init__(self, server, sni="www.example"):
        offer = [craft.server_name(sni), craft.alpn(b"h2", b"http/1.1")]
        hello = craft.client_hello(offer, random=b"C" * 32)
        answer = craft.server_hello([craft.alpn(b"h2")], random=b"S" * 32)
        connection = craft.Connection("198.18.0.0", 1024, server, 443)
        self.hello, self.answer = (bytearray(f[0]) for f in (
            connection.client(craft.record(craft.HANDSHAKE, hello)),
            connection.server(craft.record(craft.HANDSHAKE, answer))))
        self.randoms = self.hello.index(b"C" * 32), self.answer.index(b"S" * 32)

    def number(self, n, port):
        """The frames of handshake n with a server port; they are valid until the next call."""
        client = (0xc6120000 + n // 60000).to_bytes(4, "big")
        client_port, server_port = (1024 + n % 60000).to_bytes(2, "big"), port.to_bytes(2, "big")
        # Ethernet has 14 bytes, IPv4 20: the source is at 26, the destination at 30, then the ports.
        self.hello[26:30] = self.answer[30:34] = client
        self.hello[34:38] = client_port + server_port
        self.answer[34:38] = server_port + client_port
        for frame, at in zip((self.hello, self.answer), self.randoms):
            frame[at:at + 8] = n.to_bytes(8, "big")
        return self.hello, self.answer


@contextlib.contextmanager
def onto(namespace, device):
    """A socket whose frames come out at the other end of the device, in order: a veth's frames wait
    at the CPU that sends them, so that an answer sent by another one could come before its hello."""
    cpus = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(cpus)})
    try:
        with namespace.enter(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
            s.bind((device, 0))
            yield s
    finally:
        os.sched_setaffinity(0, cpus)


def send(s, frames, numbers, rate, port=lambda n: 443):
    """One handshake for each number, at most @rate a second."""
    begin = time.monotonic()
    for i, n in enumerate(numbers):
        wait = begin + i / rate - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        for frame in frames.number(n, port(n)):
            s.send(frame)
