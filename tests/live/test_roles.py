#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Whose end a handshake is, and which service it belongs to, when the other end is on another
machine."""
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import judge
import servers
import tap
from agent import Agent
from clients import H2
from net import Remote, read

net = Remote()


def one_role(agent, server, client_ns, addresses, role, service):
    """Python's ssl connects to server: every count of it is under `role`, peer remote."""
    key = {"server_port": str(server.port)}
    for n, address in enumerate(addresses, 1):
        truth = clients.python(client_ns, address, server.port, clients.name(), H2, "1.2")
        tap.equal(truth.negotiated, "h2", "the client's own word")
        event = judge.check(agent, truth, server, address, expect=None, role=role)
        tap.equal(event["service"]["name"], service, "service.name")
        tap.equal("peer" in event, False, "a peer object")
        metrics = agent.drain()
        tap.equal(metrics.by("alpn_handshakes_total", "role", "peer", "service_name", **key),
                  {(role, "remote", service): n}, "alpn_handshakes_total")


with contextlib.ExitStack() as stack:
    here = stack.enter_context(servers.Nginx(net.host, 8443))
    there = stack.enter_context(servers.Nginx(net.client, 8444))
    agent = stack.enter_context(Agent(net.host))
    tap.run([
        tap.named("the server is ours, IPv4 and IPv6", one_role, agent, here, net.client,
                  (net.V4, net.V6), "server", "nginx"),
        tap.named("the client is ours, IPv4 and IPv6", one_role, agent, there, net.host,
                  (net.CLIENT_V4, net.CLIENT_V6), "client", read("/proc/self/comm").strip()),
        tap.named("SIGTERM: exit 0, nothing left behind", agent.stop),
    ], agent.diagnosis)
