#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A handshake that crosses several interfaces is one record; interfaces are followed as they
come, go, and change; VLAN tags in the frame and in metadata."""
import contextlib
import itertools
import os
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
from net import Bridged, Namespace

net = Bridged()
host = net.host
NO_VLAN = "this kernel has no VLAN devices (CONFIG_VLAN_8021Q)"
crafted_ports = itertools.count(50001)


def handshake(agent, server, client_ns, address):
    """One TLS 1.2 handshake, which must be one event and one record."""
    truth = clients.s_client(client_ns, address, server.port, clients.name(), H2, "1.2")
    tap.equal((truth.completed, truth.negotiated), (True, "h2"), truth.output)
    return judge.check(agent, truth, server, address, outcome="negotiated")


def one_record(agent, server, client_ns, *addresses):
    for address in addresses:
        records = agent.drain().sum("alpnscope_records_total")
        handshake(agent, server, client_ns, address)
        metrics = agent.drain()
        tap.equal(metrics.sum("alpnscope_records_total") - records, 1, "records")


def both_local(agent):
    """loopback: one event with role server and a peer, counted under both roles"""
    for address in ("127.0.0.1", "::1"):
        before = agent.drain()
        event = handshake(agent, in_host, host, address)
        tap.equal(event["alpn"]["role"], "server", "alpn.role")
        tap.equal("peer" in event, True, "a peer object")
        tap.equal(event["observer"]["ingress"]["interface"]["name"], "lo", "interface")
        after = agent.drain()
        for role in ("server", "client"):
            tap.equal(after.sum("alpn_handshakes_total", role=role, peer="local") -
                      before.sum("alpn_handshakes_total", role=role, peer="local"), 1,
                      f"alpn_handshakes_total of role {role}, peer local")
        tap.equal(after.sum("alpnscope_events_counted_total") -
                  before.sum("alpnscope_events_counted_total"), 1, "events counted")


def attached(agent):
    return agent.metrics().sum("alpnscope_interfaces", state="attached")


def follows(agent):
    """an interface that appears, goes down and up, is renamed, and vanishes"""
    start = attached(agent)
    late = Namespace("late")
    netlib.connect(host, "late0", late, "eth0")
    host.address("late0", "10.81.0.1/24")
    late.address("eth0", "10.81.0.2/24")
    tap.wait_for(lambda: attached(agent) == start + 1, "the new interface to be attached")
    event = handshake(agent, in_host, late, "10.81.0.1")
    tap.equal(event["observer"]["ingress"]["interface"]["name"], "late0", "interface")
    host.ip("link", "set", "late0", "down")
    host.ip("link", "set", "late0", "name", "late1")
    host.ip("link", "set", "late1", "up")
    tap.wait_for(lambda: attached(agent) == start + 1, "the interface to be attached again")
    tap.wait_for(lambda: "state UP" in host.ip("link", "show", "late1"), "late1 to be up")
    event = handshake(agent, in_host, late, "10.81.0.1")
    tap.equal(event["observer"]["ingress"]["interface"]["name"], "late1", "interface")
    late.close()
    tap.wait_for(lambda: attached(agent) == start, "the interface to be forgotten")
    one_record(agent, in_host, net.client, net.V4)


def crafted_vlan(agent, sides):
    """A tagged exchange, crafted: what enters a device has its tag in metadata when TC sees it,
    what leaves through a packet socket still has it in the frame."""
    port = next(crafted_ports)
    for client, server in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")):
        exchange = craft.Connection(client, port, server, 443, tags=((craft.VLAN, 100),))
        truth = clients.Truth("crafted", H2, clients.name(), "h2", "1.2", port, completed=True)
        hello = craft.client_hello([craft.server_name(truth.sni.encode()),
                                    craft.alpn(b"h2", b"http/1.1")])
        answer = craft.server_hello([craft.alpn(b"h2")])
        netlib.send_frames(sides[0], "eth0", exchange.client(craft.record(craft.HANDSHAKE, hello)))
        netlib.send_frames(sides[1], "eth0", exchange.server(craft.record(craft.HANDSHAKE, answer)))
        truth.port = None  # its name is its key: the port serves twice
        event, = judge.find(agent, truth)
        tap.equal((event["alpn"]["outcome"], event["tls"]["client"]["alpn"],
                   event["tls"]["next_protocol"], event["alpn"]["role"]),
                  ("negotiated", H2, "h2", "transit"), "the event")
        tap.equal((event["client"]["ip"], event["server"]["ip"]), (client, server), "the ends")


def add_vlan():
    """VLAN 100 between client and host; not every kernel has such devices."""
    for namespace, addresses in ((host, ("10.79.0.1/24", "fd00:79::1/64")),
                                 (net.client, ("10.79.0.2/24", "fd00:79::2/64"))):
        try:
            namespace.ip("link", "add", "link", "eth0", "name", "eth0.100", "type", "vlan",
                         "id", "100")
        except AssertionError as e:
            if "Unknown device type" in str(e):
                raise tap.Skip(NO_VLAN) from None
            raise
        namespace.address("eth0.100", *addresses)
        namespace.ip("link", "set", "eth0.100", "up")


def vlan_any(agent):
    """VLAN device: seen on eth0 and eth0.100, one record"""
    start = attached(agent)
    add_vlan()
    tap.wait_for(lambda: attached(agent) == start + 1, "eth0.100 to be attached")
    one_record(agent, in_host, net.client, "10.79.0.1", "fd00:79::1")


def vlan_parent():
    """VLAN device on a parent that alone is watched"""
    if "eth0.100" not in host.ip("link"):
        raise tap.Skip(NO_VLAN)
    with Agent(host, interface="eth0") as agent:
        one_record(agent, in_host, net.client, "10.79.0.1", "fd00:79::1")
        for namespace in (host, net.client):
            namespace.sh("ethtool", "-K", "eth0", "txvlan", "off", "rxvlan", "off")
        one_record(agent, in_host, net.client, "10.79.0.1", "fd00:79::1")
        agent.stop()


def one_interface():
    """-i br0: what does not cross it is not seen"""
    with Agent(host, interface="br0") as agent:
        one_record(agent, in_host, net.srv[0], "10.78.0.1")
        truth = clients.s_client(net.client, net.V4, in_host.port, clients.name(), H2, "1.2")
        tap.equal(truth.completed, True, "the client's own word")
        tap.equal(agent.drain().sum("alpnscope_records_total"), 1, "records")
        agent.stop()


def linear_off(agent):
    """payload in fragments: TSO with a large MTU"""
    for namespace in (host, net.client):
        namespace.ip("link", "set", "eth0", "mtu", "65535")
    one_record(agent, in_host, net.client, net.V4, net.V6)


with contextlib.ExitStack() as stack:
    in_host = stack.enter_context(servers.Nginx(host, 8443))
    in_srv = [stack.enter_context(servers.Nginx(srv, 8444)) for srv in net.srv]
    agent = stack.enter_context(Agent(host))
    tap.run([
        tap.named("client to container: eth0, br0, veth are one record", one_record, agent,
                  in_srv[0], net.client, "10.78.0.11", "fd00:78::11"),
        tap.named("container to container over the bridge is one record", one_record, agent,
                  in_srv[1], net.srv[0], "10.78.0.12", "fd00:78::12"),
        tap.named("container to host is one record", one_record, agent, in_host, net.srv[0],
                  "10.78.0.1", "fd00:78::1"),
        tap.named(both_local.__doc__, both_local, agent),
        tap.named(follows.__doc__, follows, agent),
        tap.named(linear_off.__doc__, linear_off, agent),
        tap.named("VLAN: hello's tag in metadata, answer's in the frame, crafted", crafted_vlan,
                  agent, (net.client, host)),
        tap.named("VLAN: hello's tag in the frame, answer's in metadata, crafted", crafted_vlan,
                  agent, (host, net.client)),
        tap.named(vlan_any.__doc__, vlan_any, agent),
        tap.named("SIGTERM: exit 0, nothing left behind", agent.stop),
        vlan_parent,
        one_interface,
    ], agent.diagnosis)
