#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Handshakes inside tunnels, seen where only the tunnel's packets pass; and crafted nestings
whose headers lie in fragments of the socket buffer."""
import contextlib
import itertools
import os
import struct
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import craft
import judge
import net as netlib
import servers
import tap
from agent import Agent
from clients import H2
from net import Pair

NO_VXLAN = "this kernel has no VXLAN devices (CONFIG_VXLAN)"
DEVICES = {"vx4": (4789, "10.79.0.1", "10.79.0.2"), "vx8": (8472, "10.80.0.1", "10.80.0.2")}
PADDING = 20000  # so much that a packet socket leaves 14 bytes of the frame linear
ports = itertools.count(52001)
net = Pair()
host = net.host


def add_vxlan():
    """One VXLAN device for each port that it is told by, IPv4 and IPv6 inside; False where the
    kernel has no such devices."""
    for number, (device, (port, *inner)) in enumerate(DEVICES.items()):
        for namespace, local, remote, address, last in (
                (host, net.V4, net.CLIENT_V4, inner[0], 1),
                (net.client, net.CLIENT_V4, net.V4, inner[1], 2)):
            try:
                namespace.ip("link", "add", device, "type", "vxlan", "id", "42", "dstport", str(port),
                             "local", local, "remote", remote, "dev", "eth0")
            except AssertionError as e:
                if "Unknown device type" in str(e):
                    return False
                raise
            namespace.address(device, address + "/24", f"fd00:{79 + number}::{last}/64")
            namespace.ip("link", "set", device, "up")
    return True


def handshake(agent, address):
    """One handshake is one record, whose ends are the inner ones (judge.check)."""
    records = agent.drain().sum("alpnscope_records_total")
    truth = clients.s_client(net.client, address, server.port, clients.name(), H2, "1.2")
    tap.equal((truth.completed, truth.negotiated), (True, "h2"), truth.output)
    judge.check(agent, truth, server, address, outcome="negotiated")
    tap.equal(agent.drain().sum("alpnscope_records_total") - records, 1, "records")


def outside(agent):
    """VXLAN on both of its ports, seen on the interface below alone"""
    if not has_vxlan:
        raise tap.Skip(NO_VXLAN)
    for address in ("10.79.0.1", "fd00:79::1", "10.80.0.1", "fd00:80::1"):
        handshake(agent, address)


def both():
    """VXLAN seen on its own device and below it is one record"""
    if not has_vxlan:
        raise tap.Skip(NO_VXLAN)
    with Agent(host) as agent:
        for address in ("10.79.0.1", "fd00:79::1"):
            handshake(agent, address)
        agent.stop()


def udp(source, destination, payload):
    return struct.pack(">HHHH", source, destination, 8 + len(payload), 0) + payload


def two_tags(frame):
    return frame[:12] + b"\x88\xa8\x00\x07\x81\x00\x00\x08" + frame[12:]


def pseudowire(frame):
    """A control word (RFC 4448) under two labels (RFC 3032)."""
    labels = struct.pack(">II", 16 << 12 | 64, 17 << 12 | 1 << 8 | 64)
    return craft.ethernet(labels + bytes(4) + frame, 0x8847)


def gre(frame):
    """With a key (RFC 2890), in IPv6."""
    packet = struct.pack(">HHI", 0x2000, 0x6558, 42) + frame
    return craft.ethernet(craft.ipv6("2001:db8:1::1", "2001:db8:1::2", packet, next_header=47))


def vxlan(frame):
    packet = udp(50000, 4789, struct.pack(">II", 8 << 24, 42 << 8) + frame)
    return craft.ethernet(craft.ipv4("198.51.100.1", "198.51.100.2", packet, protocol=17))


def all_of_them(frame):
    return two_tags(gre(vxlan(pseudowire(frame))))


def exchange(agent, wrap, padding):
    """A crafted exchange inside `wrap`, its hello and answer with data behind them."""
    for client, to in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")):
        port = next(ports)
        conn = craft.Connection(client, port, to, 443)
        truth = clients.Truth("crafted", H2, clients.name(), "h2", "1.2", port, completed=True)
        hello = craft.client_hello([craft.server_name(truth.sni.encode()),
                                    craft.alpn(b"h2", b"http/1.1")])
        answer = craft.server_hello([craft.alpn(b"h2")])
        frames = conn.client(craft.record(craft.HANDSHAKE, hello) + bytes(padding)) + \
            conn.server(craft.record(craft.HANDSHAKE, answer) + bytes(padding))
        netlib.send_frames(net.client, "eth0", [wrap(frame) for frame in frames])
        event, = judge.find(agent, truth)
        tap.equal((event["alpn"]["outcome"], event["tls"]["client"]["alpn"],
                   event["tls"]["next_protocol"]), ("negotiated", H2, "h2"), "the event")
        tap.equal((event["client"], event["server"]),
                  ({"ip": client, "port": port}, {"ip": to, "port": 443}), "the ends")


def small_and_big(agent, wrap):
    for padding in (0, PADDING):
        exchange(agent, wrap, padding)


def not_linear_udp(agent):
    """big datagrams of other ports leave nothing"""
    before = agent.drain()
    hello = craft.record(craft.HANDSHAKE, craft.client_hello())
    inner, = craft.Connection("192.0.2.1", 1, "192.0.2.2", 443).client(hello)
    packet = udp(4789, 4788, struct.pack(">II", 8 << 24, 42 << 8) + inner + bytes(PADDING))
    netlib.send_frames(net.client, "eth0", [craft.ethernet(craft.ipv4(
        "198.51.100.1", "198.51.100.2", packet, protocol=17))])
    exchange(agent, vxlan, 0)  # what came before it has been seen too
    tap.equal(agent.drain().sum("alpnscope_hellos_total") -
              before.sum("alpnscope_hellos_total"), 2, "hellos")


with contextlib.ExitStack() as stack:
    server = stack.enter_context(servers.Nginx(host, 8443))
    for end in (host, net.client):
        end.ip("link", "set", "eth0", "mtu", "65535")
    has_vxlan = add_vxlan()
    below = stack.enter_context(Agent(host, interface="eth0"))
    tap.run([
        tap.named(outside.__doc__, outside, below),
        *[tap.named(f"crafted, small and in fragments: {wrap.__name__}", small_and_big, below, wrap)
          for wrap in (two_tags, pseudowire, gre, vxlan, all_of_them)],
        tap.named(not_linear_udp.__doc__, not_linear_udp, below),
        tap.named("SIGTERM: exit 0, nothing left behind", below.stop),
        both,
    ], below.diagnosis)
