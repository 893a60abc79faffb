#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS 1.3: what is in clear is right (offer, SNI, version, a refusal before ServerHello,
resumption, a retry), and what is encrypted is said to be undetermined."""
import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import judge
import programs
import servers
import tap
from agent import Agent
from clients import H1, H2
from net import Pair, sh

net = Pair()
truths = []
# Before release 20 node takes a client without a common protocol.
NODE_REFUSES = int(sh(programs.find("node"), "--version").strip("v\n").split(".")[0]) >= 20


def on(server, address, client, offer, sni=None, **kwargs):
    truth = client(net.client, address, server.port, sni or clients.name(), offer, "1.3", **kwargs)
    truths.append(truth)
    return truth


def offers(agent, address, client):
    for offer in clients.CLIENTS[client]:
        if offer == ["foo"]:
            continue
        truth = on(nginx, address, client, offer)
        tap.equal((truth.completed, truth.version), (True, "1.3"), "the client's own word")
        judge.check(agent, truth, nginx, address)
        if truth.port:
            want = (truth.negotiated, "1.3", truth.sni)
            if client is clients.curl:  # it asks for a page, so nginx logs it
                tap.equal(nginx.truth(truth.port), want, "nginx's own word")


def refused(agent, address):
    for server in (nginx, s_server, *([node] if NODE_REFUSES else [])):
        truth = on(server, address, clients.s_client, ["foo"])
        tap.equal(truth.refused, True, "the client's own word")
        judge.check(agent, truth, server, address, outcome="rejected", cause=None)


def lists(agent, address):
    """long lists, short and long names: order and bytes are kept"""
    for offer in ([f"proto-{i}" for i in range(12)] + ["h2"], ["h2", "x"], ["y" * 100, "h2"],
                  ["h2c", "h2", "http/1.0", "http/1.1"]):
        truth = on(nginx, address, clients.s_client, offer)
        tap.equal(truth.completed, True, "the client's own word")
        judge.check(agent, truth, nginx, address)


def no_name(agent, address):
    truth = clients.s_client(net.client, address, nginx.port, None, H2, "1.3")
    truths.append(truth)
    judge.check(agent, truth, nginx, address)


def resumed(agent, address, server, version):
    """The session of one handshake is used in the next."""
    with tempfile.TemporaryDirectory() as scratch:
        session = os.path.join(scratch, "session")
        for option, word, want in (("-sess_out", "New", False), ("-sess_in", "Reused", True)):
            # A ticket of TLS 1.3 comes after the handshake: stay for an answer.
            truth = clients.s_client(net.client, address, server.port, "resumed.example.test", H1,
                                     version, extra=[option, session, "-ign_eof"],
                                     say="GET / HTTP/1.0\r\n\r\n")
            truths.append(truth)
            truth.completed = f"\n{word}, TLSv" in truth.output
            tap.equal(truth.completed, True, f"the client's own word: {word}")
            truth.version = version
            event = judge.check(agent, truth, server, address)
            tap.equal(event["tls"]["resumed"], want, "tls.resumed")


def retry(agent, address):
    """Client and server agree on a group only after HelloRetryRequest."""
    repeats = agent.metrics().sum("alpnscope_repeats_total", reason="retry")
    with servers.SServer(net.host, 8460, versions="1.3", extra=["-groups", "P-384"]) as server:
        truth = on(server, address, clients.s_client, H2, extra=["-groups", "X25519:P-384"])
        tap.equal((truth.completed, truth.output.count(", ClientHello")), (True, 2),
                  "the client's own word: two hellos")
        event = judge.check(agent, truth, server, address)
        tap.equal(event["alpn"]["retry"], True, "alpn.retry")
    now = agent.metrics().sum("alpnscope_repeats_total", reason="retry")
    tap.equal(now - repeats, 1, "alpnscope_repeats_total{reason=retry}")


def totals(agent):
    metrics = agent.drain()
    tap.equal(metrics.sum("alpnscope_records_total"), len(truths), "records")
    tap.equal(metrics.handshakes("offered", "next_protocol", "outcome"),
              judge.expected_counts(truths), "alpn_handshakes_total")


with contextlib.ExitStack() as stack:
    nginx = stack.enter_context(servers.Nginx(net.host, 8443, versions="1.3"))
    nginx12 = stack.enter_context(servers.Nginx(net.host, 8444, versions="1.2"))
    s_server = stack.enter_context(servers.SServer(net.host, 8445, versions="1.3"))
    node = stack.enter_context(servers.Node(net.host, 8446, H1 + ["h2"], versions="1.3"))
    agent = stack.enter_context(Agent(net.host, "--expect", "h2"))
    tests = []
    for family, address in (("IPv4", net.V4), ("IPv6", net.V6)):
        tests += [tap.named(f"{family}: every offer of {client.__name__}", offers, agent, address,
                            client) for client in clients.CLIENTS]
        tests += [tap.named(f"{family}: rejected: nginx, openssl s_server, node >= 20", refused, agent,
                            address),
                  tap.named(f"{family}: {lists.__doc__}", lists, agent, address),
                  tap.named(f"{family}: no server name", no_name, agent, address),
                  tap.named(f"{family}: resumed, TLS 1.3", resumed, agent, address, nginx, "1.3"),
                  tap.named(f"{family}: resumed, TLS 1.2", resumed, agent, address, nginx12,
                            "1.2"),
                  tap.named(f"{family}: HelloRetryRequest is one handshake", retry, agent,
                            address)]
    tests += [tap.named("every handshake once, ledgers balance, counters agree", totals, agent),
              tap.named("SIGTERM: exit 0, nothing left behind", agent.stop)]
    tap.run(tests, agent.diagnosis)
