#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""When a handshake of TLS 1.3 is told: after enough records, after 2 s without, when the
connection ends, and when the agent does."""
import contextlib
import os
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import servers
import tap
from agent import Agent
from clients import H2
from net import Pair

net = Pair()


@contextlib.contextmanager
def connection():
    """A connection of TLS 1.3 whose handshake is complete and on which nothing was said."""
    with net.client.enter():
        raw = socket.create_connection((net.V4, nginx.port), timeout=10)
    with raw, clients.python_context(H2, "1.3").wrap_socket(raw, server_hostname="a.test") as tls:
        tap.equal(tls.selected_alpn_protocol(), H2[0], "the client's word")
        yield tls


def event_of(agent, port, timeout=5):
    """The event of the client's port, which must come."""
    def there():
        return [e for e in agent.events() if e["client"]["port"] == port]
    tap.wait_for(there, f"an event of port {port}", timeout)
    event, = there()
    # nginx sends EncryptedExtensions alone, so its length tells what the client knows.
    tap.equal(event["tls"]["next_protocol"], H2[0], "tls.next_protocol")
    tap.equal(event["alpn"]["evidence"], "record_length", "alpn.evidence")
    tap.equal(event["tls"]["version"], "1.3", "tls.version")
    return event


def idle(agent):
    """a connection that stays idle: within 2.5 s, and not before 1.9 s"""
    with connection() as tls:
        begun = time.monotonic()
        event = event_of(agent, tls.getsockname()[1])
        took = time.monotonic() - begun
    tap.diagnose(f"told {took:.2f} s after the handshake")
    tap.equal(1.9 < took < 2.5, True, f"told after {took:.2f} s")
    tap.equal(event["event"]["duration"] < 1e9, True, "event.duration ends with the ServerHello")


def reset(agent):
    """an RST after the handshake: at once, and it is no failure"""
    with connection() as tls:
        port = tls.getsockname()[1]
        tls.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    event_of(agent, port, timeout=1)


def busy(agent):
    """a connection that is used: without waiting for its end"""
    with connection() as tls:
        for _ in range(8):
            tls.send(b"x")
            time.sleep(0.02)
        event_of(agent, tls.getsockname()[1], timeout=1)


def stopped(agent):
    """the agent ends while records are awaited: told all the same"""
    with connection() as tls:
        agent.stop()
        event_of(agent, tls.getsockname()[1], timeout=0.1)


with contextlib.ExitStack() as stack:
    nginx = stack.enter_context(servers.Nginx(net.host, 8443, versions="1.3"))
    agent = stack.enter_context(Agent(net.host))
    tap.run([tap.named(test.__doc__, test, agent) for test in (idle, reset, busy, stopped)],
            agent.diagnosis)
