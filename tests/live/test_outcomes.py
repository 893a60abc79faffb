#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS 1.2: every outcome and every cause, by real clients and servers where a real pair can make
it, over IPv4 and IPv6. What is expected comes from the client, never from alpnscope."""
import contextlib
import os
import signal
import socket
import ssl
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import craft
import judge
import rawserver
import servers
import tap
from agent import Agent
from clients import H1, H2
from net import Pair, send_frames

net = Pair()
ADDRESSES = {"IPv4": net.V4, "IPv6": net.V6}
truths = []  # of every handshake that the agent saw
orphans = []


def on(server, address, client=clients.s_client, offer=tuple(H2), version="1.2", **kwargs):
    truth = client(net.client, address, server.port, clients.name(), offer and list(offer),
                   version, **kwargs)
    truths.append(truth)
    return truth


def negotiated(agent, address):
    for client in (clients.curl, clients.s_client, clients.node):
        truth = on(nginx, address, client)
        tap.equal(truth.negotiated, "h2", "the client's own word")
        judge.check(agent, truth, nginx, address, outcome="negotiated", cause=None,
                    expected=["h2"], fallback=False)


def server_declined(agent, address):
    truth = on(nginx_h1, address, clients.curl)
    tap.equal(truth.negotiated, "http/1.1", "the client's own word")
    judge.check(agent, truth, nginx_h1, address, outcome="negotiated",
                cause="server_declined", fallback=True)


def client_preferred(agent, address):
    truth = on(gnutls, address, clients.gnutls_cli, ("http/1.1", "h2"))
    tap.equal(truth.negotiated, "http/1.1", "the client's own word")
    judge.check(agent, truth, gnutls, address, outcome="negotiated", cause="client_preferred",
                fallback=False)


def server_no_alpn(agent, address):
    truth = on(haproxy_none, address, clients.curl)
    tap.equal((truth.completed, truth.negotiated), (True, None), "the client's own word")
    judge.check(agent, truth, haproxy_none, address, outcome="ignored",
                cause="server_no_alpn", fallback=True)


def client_not_offered(agent, address):
    truth = on(nginx, address, clients.curl, H1)
    judge.check(agent, truth, nginx, address, outcome="negotiated",
                cause="client_not_offered", fallback=False)


def client_no_alpn(agent, address):
    truth = on(nginx, address, clients.curl, None)
    judge.check(agent, truth, nginx, address, outcome="not_offered", cause="client_no_alpn",
                fallback=False)


def rejected(agent, address):
    for server in (nginx, s_server, gnutls_fatal):
        truth = on(server, address, offer=("foo",))
        tap.equal(truth.refused, True, "the client's own word")
        event = judge.check(agent, truth, server, address, outcome="rejected", cause=None)
        tap.equal(event["tls"]["version"], None, "version of a refused handshake")


def wrong_version(agent, address):
    truth = on(nginx, address, version="1.3")
    tap.equal("alert protocol version" in truth.output, True, "the client's own word")
    judge.check(agent, truth, nginx, address, ("failed", "alert", None), cause=None)


def server_killed(agent, address):
    """The hello waits in the accept queue of a stopped server, which is then killed: RST."""
    with servers.SServer(net.host, 8460) as server:
        server.process.send_signal(signal.SIGSTOP)
        with net.client.enter():
            raw = socket.create_connection((address, server.port))
        with raw:
            truth = hello_only(raw)
            server.process.kill()
            server.process.wait()
            judge.check(agent, truth, server, address, ("failed", "none", None), cause=None)


def hello_only(raw):
    """Send Python's ClientHello on a connection, do not wait for the answer."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    truth = clients.Truth("python", H2, clients.name(), port=raw.getsockname()[1])
    tls = clients.python_context(H2, "1.2").wrap_bio(incoming, outgoing, server_hostname=truth.sni)
    with contextlib.suppress(ssl.SSLWantReadError):
        tls.do_handshake()
    raw.sendall(outgoing.read())
    truths.append(truth)
    return truth


def crafted(agent, address, behave, want):
    with rawserver.RawServer(net.host, 8461, behave) as server:
        truth = on(server, address)
        judge.check(agent, truth, server, address, want, cause=None)


def violation(agent, address):
    """Apache picks http/1.1 whatever was offered; s_client prints the extension it got."""
    truth = on(apache, address, offer=("foo",), extra=["-tlsextdebug"])
    tap.equal("...http/1.1" in truth.output and "bad extension" in truth.output, True,
              "the client's own word")
    judge.check(agent, truth, apache, address, ("violation", "server_hello", "http/1.1"))


CRAFTED = {
    "failed: the server answers with RST": (rawserver.reset, ("failed", "none", None)),
    "failed: the server answers with FIN": (rawserver.finish, ("failed", "none", None)),
    "failed: alert handshake_failure, crafted":
        (rawserver.answer(craft.alert(2, 40)), ("failed", "alert", None)),
    "violation: two names, crafted":
        (rawserver.answer(rawserver.server_hello(b"h2", b"http/1.1")),
         ("violation", "server_hello", "h2")),
    "violation: an empty name, crafted":
        (rawserver.answer(rawserver.server_hello(b"")),
         ("violation", "server_hello", "")),
}


def incomplete(agent, silent):
    for address, (server, truth, _) in silent.items():
        judge.check(agent, truth, server, address, ("incomplete", "none", None), cause=None,
                    timeout=20)


def orphan(agent):
    """incomplete: a ServerHello whose ClientHello was not seen, crafted"""
    for port, (client, server) in enumerate((("192.0.2.1", "192.0.2.2"),
                                             ("2001:db8::1", "2001:db8::2")), 50001):
        connection = craft.Connection(client, port, server, 443)
        send_frames(net.client, "eth0", connection.server(rawserver.server_hello(b"h2")))
        truth = clients.Truth("crafted", None, None, port=port)
        event = judge.find(agent, truth)[0]
        tap.equal((event["alpn"]["outcome"], event["tls"]["client"]["alpn"],
                   event["tls"]["next_protocol"]), ("incomplete", None, None), "the event")
        tap.equal((event["client"], event["server"]), ({"ip": client, "port": port},
                                                       {"ip": server, "port": 443}), "the ends")
        orphans.append(truth)
    metrics = agent.metrics()
    tap.equal((metrics.sum("alpnscope_orphans_total"),
               metrics.sum("alpnscope_orphan_records_total")), (2, 2), "the ledger of orphans")


def totals(agent):
    metrics = agent.drain()
    tap.equal(metrics.sum("alpnscope_records_total"), len(truths), "records")
    tap.equal(sum(metrics.handshakes("outcome").values()), len(truths) + len(orphans),
              "handshakes counted")
    by_event = {}
    for event in agent.events():
        key = event["alpn"]["outcome"]
        by_event[key] = by_event.get(key, 0) + 1
    tap.equal(metrics.handshakes("outcome"), by_event, "counters and events")
    causes = {"server_declined": 2, "server_no_alpn": 2, "client_preferred": 2,
              "client_not_offered": 2, "client_no_alpn": 2}
    tap.equal(metrics.by("alpn_fallbacks_total", "cause", role="server"), causes, "fallbacks")
    tap.equal(metrics.sum("alpn_rejections_total", role="server"), 6, "alpn_rejections_total")
    tap.equal(metrics.sum("alpn_violations_total", role="server"), 6, "alpn_violations_total")


def observed(agent, address, port):
    """What a service has itself chosen before is expected of it, until it does better."""
    def visit():
        truth = clients.s_client(net.client, address, port, "observed.example.test", H2, "1.2")
        tap.equal(truth.completed, True, "the client's own word")
        return truth
    with servers.Nginx(net.host, port) as server:
        judge.check(agent, visit(), server, address, outcome="negotiated", cause=None)
    with servers.Nginx(net.host, port, H1) as server:  # the upgrade that lost h2
        judge.check(agent, visit(), server, address, outcome="negotiated", expected=["h2"],
                    cause="server_declined", fallback=True)
    # An offer without h2, or none, is the client's doing: no fallback where nothing is configured.
    with servers.Nginx(net.host, port) as server:
        for offer in (H1, None):
            truth = clients.s_client(net.client, address, port, "observed.example.test", offer,
                                     "1.2")
            judge.check(agent, truth, server, address, expect=None)


def observing():
    """observed expectation: h2 was chosen before (IPv4, IPv6)"""
    with Agent(net.host) as agent:
        observed(agent, net.V4, 8464)
        observed(agent, net.V6, 8465)
        metrics = agent.drain()
        tap.equal(metrics.by("alpn_fallbacks_total", "cause", role="server"),
                  {"server_declined": 2}, "fallbacks")
        tap.equal(sum(metrics.handshakes("outcome").values()), 8, "handshakes")
        agent.stop()


def silent_pair(address, stack):
    """A connection whose server never answers; it stays open until the end of the test."""
    server = stack.enter_context(servers.SServer(net.host, 8462 if ":" in address else 8463))
    server.process.send_signal(signal.SIGSTOP)
    stack.callback(server.process.send_signal, signal.SIGCONT)
    with net.client.enter():
        raw = stack.enter_context(socket.create_connection((address, server.port)))
    return server, hello_only(raw), raw


with contextlib.ExitStack() as stack:
    nginx = stack.enter_context(servers.Nginx(net.host, 8443))
    nginx_h1 = stack.enter_context(servers.Nginx(net.host, 8444, H1))
    haproxy_none = stack.enter_context(servers.Haproxy(net.host, 8445, None))
    gnutls = stack.enter_context(servers.GnutlsServ(net.host, 8446))
    gnutls_fatal = stack.enter_context(servers.GnutlsServ(net.host, 8447, fatal=True))
    s_server = stack.enter_context(servers.SServer(net.host, 8448))
    apache = stack.enter_context(servers.Apache(net.host, 8449))
    agent = stack.enter_context(Agent(net.host, "--expect", "h2"))
    silent = {a: silent_pair(a, stack) for a in ADDRESSES.values()}
    tests = []
    for family, address in ADDRESSES.items():
        for name, test in {
            "negotiated, as expected: nginx": negotiated,
            "negotiated, server_declined: nginx without http2": server_declined,
            "negotiated, client_preferred: gnutls-serv": client_preferred,
            "ignored, server_no_alpn: haproxy without alpn": server_no_alpn,
            "negotiated, client_not_offered: nginx": client_not_offered,
            "not_offered, client_no_alpn: nginx": client_no_alpn,
            "rejected: nginx, openssl s_server, gnutls-serv": rejected,
            "failed: no common version, nginx": wrong_version,
            "failed: the server is killed": server_killed,
            "violation: apache chooses what was not offered": violation,
        }.items():
            tests.append(tap.named(f"{family}: {name}", test, agent, address))
        tests += [tap.named(f"{family}: {name}", crafted, agent, address, *args)
                  for name, args in CRAFTED.items()]
    tests += [tap.named("incomplete: a server that never answers", incomplete, agent, silent),
              tap.named(orphan.__doc__, orphan, agent),
              tap.named("every handshake once, ledgers balance, counters agree", totals, agent),
              tap.named("SIGTERM: exit 0, nothing left behind", agent.stop), observing]
    tap.run(tests, agent.diagnosis)
