#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Seven servers by seven clients by every offer, TLS 1.2 over IPv4 and TLS 1.3 over IPv6: each
handshake is one event that agrees with its client."""
import collections
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import judge
import servers
import tap
from agent import Agent
from net import Pair

net = Pair()
SERVERS = (servers.Nginx, servers.Haproxy, servers.Apache, servers.SServer, servers.GnutlsServ,
           servers.Node, servers.Python)
HTTP_CLIENTS = (clients.curl, clients.nghttp, clients.h2load)
counts = collections.Counter()  # what alpn_handshakes_total must say


def hangs(server, client, offer):
    """These wait for an HTTP/2 answer that s_server cannot give."""
    return isinstance(server, servers.SServer) and client in HTTP_CLIENTS and offer and \
        offer[0] == "h2"


def unoffered(server, truth):
    """Apache picks http/1.1 when nothing fits (test_outcomes.py shows it by its client)."""
    return isinstance(server, servers.Apache) and truth.offered == ["foo"]


def pair(agent, server, client, address, version):
    for offer in clients.CLIENTS[client]:
        if hangs(server, client, offer):
            continue
        truth = client(net.client, address, server.port, clients.name(), offer, version)
        want = None
        if unoffered(server, truth):
            want = ("violation", "server_hello", "http/1.1") if version == "1.2" else \
                ("undetermined", "none", None)
            result, protocol, label = want[0], "other", want[2] or "unknown"
            counts[protocol, label, result] += 1
        else:
            tap.equal(truth.completed or truth.refused, True, f"the client's own word: {truth}")
        judge.check(agent, truth, server, address, want, expect=None)
        if not want:
            counts.update(judge.expected_counts([truth]))


def told_by_server():
    """what nghttp and node offer, by openssl s_server's word"""
    with servers.SServer(net.host, 8460, extra=["-tlsextdebug"]) as server:
        for client, offer in ((clients.nghttp, clients.NGHTTP), (clients.node, clients.H2)):
            truth = client(net.client, net.V4, server.port, clients.name(), offer, "1.2")
            counts.update(judge.expected_counts([truth]))
            tap.equal(clients.extension_lists(server.said())[-1], offer, client.__name__)


def totals(agent):
    metrics = agent.drain()
    tap.equal(metrics.sum("alpnscope_records_total"), sum(counts.values()), "records")
    tap.equal(metrics.handshakes("offered", "next_protocol", "outcome"), dict(counts),
              "alpn_handshakes_total")


with contextlib.ExitStack() as stack:
    started = [(v, a, stack.enter_context(s(net.host, base + i, versions=v)))
               for v, a, base in (("1.2", net.V4, 8440), ("1.3", net.V6, 8450))
               for i, s in enumerate(SERVERS)]
    agent = stack.enter_context(Agent(net.host))
    tests = [tap.named(f"TLS {v}: {type(server).__name__.lower()} and {client.__name__}", pair,
                       agent, server, client, a, v)
             for v, a, server in started for client in clients.CLIENTS]
    tests += [tap.named(told_by_server.__doc__, told_by_server),
              tap.named("every handshake once, ledgers balance, counters agree", totals, agent),
              tap.named("SIGTERM: exit 0, nothing left behind", agent.stop)]
    tap.run(tests, agent.diagnosis)
