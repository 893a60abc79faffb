# SPDX-License-Identifier: GPL-2.0-only
"""A TCP server that answers a ClientHello with what no TLS library would send, or not at all."""
import contextlib
import socket
import struct
import threading

import craft


def server_hello(*names):
    """A TLS 1.2 ServerHello with these names in its ALPN extension."""
    return craft.record(craft.HANDSHAKE, craft.server_hello([craft.alpn(*names)]))


def reset(connection):
    """Close with RST."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


def finish(connection):
    """Close with FIN: everything was read."""
    connection.close()


def answer(data):
    """Send data, then wait for the client to leave."""
    def behave(connection):
        connection.sendall(data)
        with contextlib.suppress(OSError):
            while connection.recv(4096):
                pass
        connection.close()
    return behave


class RawServer:
    """Reads one ClientHello of each connection, then calls behave(connection)."""

    def __init__(self, namespace, port, behave):
        self.port, self.behave = port, behave
        with namespace.enter():
            self.listener = socket.create_server(("::", port), family=socket.AF_INET6,
                                                 dualstack_ipv6=True)
        self.thread = threading.Thread(target=self._serve, daemon=True)
        self.thread.start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                self.serve(connection)

    def serve(self, connection):
        connection.recv(16384)
        self.behave(connection)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.listener.shutdown(socket.SHUT_RDWR)  # ends accept(), which close() does not
        self.thread.join(5)
        self.listener.close()
