#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A ClientHello that is not the first on its connection: after STARTTLS in seven protocols, after
HTTP CONNECT, after PROXY headers in a segment of their own or in the hello's; and each with a
post-quantum hello, which takes two segments. The servers choose TLS 1.2, so that the choice is in
clear; what is expected is what the client says."""
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import judge
import preamble
import servers
import tap
from agent import Agent
from clients import H2
from net import Pair, plain
from wire import Wire

net = Pair()
ADDRESSES = {"IPv4": net.V4, "IPv6": net.V6}
truths = []  # of every handshake that the first agent saw
SMALL, BIG = "openssl", "openssl-3.5"  # whose hello fits in one segment, and whose does not
# IANA's names where it has one.
NAMES = {"imap": "imap", "pop3": "pop3", "ftp": "ftp", "xmpp": "xmpp-client",
         "postgres": "postgresql"}


class ProxiedNginx(servers.Nginx):
    """nginx that takes no connection without a PROXY header."""

    listen = " proxy_protocol"


class Sender(servers.Haproxy):
    """haproxy that passes TCP on to nginx with PROXY headers."""

    def __init__(self, namespace, port, there, word):
        self.there, self.word = there, word
        super().__init__(namespace, port)

    def args(self):
        address, port = self.there
        return ["-db", "-f", self.file("haproxy.cfg", f"""
global
	log stdout format raw local0
defaults
	mode tcp
	timeout client 10s
	timeout server 10s
	timeout connect 5s
listen l
	bind [::]:{self.port} v4v6
	server s {clients.host(address)}:{port} {self.word}
""")]


def visit(address, port, offer, want, *extra, program=SMALL):
    """A TLS 1.2 handshake that by the client's word ends with the choice `want`."""
    truth = clients.s_client(net.client, address, port, clients.name(), offer, None, extra,
                             program=program)
    tap.equal((truth.completed, truth.negotiated, truth.version), (True, want, "1.2"),
              truth.output)
    return truth


def starttls(agent, address, protocol):
    """The server takes its own name of the first offer, then the other of the second."""
    own = NAMES.get(protocol, "h2")
    server = servers_of[protocol]
    for offer, want, program in (([own, "http/1.1"], own, SMALL),
                                 (["foo", "http/1.1"], "http/1.1", BIG)):
        truth = visit(address, server.port, offer, want, "-starttls", protocol, program=program)
        truths.append(truth)
        judge.check(agent, truth, server, address, expect=None)


def proxied(agent, address, header, joined):
    """A relay beside the client sends the header; nginx takes it, or nothing would come of it."""
    for program in SMALL, BIG:
        behind_header(agent, address, header, joined, program)


def behind_header(agent, address, header, joined, program):
    with preamble.ProxyHeader(net.client, 9100, (address, nginx.port), header, joined) as relay, \
            Wire(net.host, "eth0") as wire:
        truth = visit("127.0.0.1", relay.port, H2, "h2", program=program)
        truth.port = relay.port_used
    first, second = (payload for _, payload in wire.data(truth.port)[:2])
    tap.equal((first.startswith(header), first[len(header):][:2]),
              (True, b"\x16\x03" if joined else b""), "the first segment")
    begin = first[len(header):] or second
    tap.equal(5 + int.from_bytes(begin[3:5], "big") > len(begin), program == BIG, "a split hello")
    truths.append(truth)
    judge.check(agent, truth, nginx, address, expect=None)


def by_haproxy(agent, address, word):
    with Sender(net.client, 9101, (address, nginx.port), word) as sender:
        for program in SMALL, BIG:
            truth = visit("127.0.0.1", sender.port, H2, "h2", program=program)
            truth.port = None  # of haproxy's own connection
            truths.append(truth)
            judge.check(agent, truth, nginx, address, expect=None)


def totals(agent):
    metrics = agent.drain()
    tap.equal(metrics.sum("alpnscope_records_total"), len(truths), "records")
    tap.equal(metrics.sum("alpnscope_lost_total"), 0, "lost")
    tap.equal(metrics.sum("alpnscope_orphans_total"), 0, "orphans")
    tap.equal(len(agent.events()), len(truths), "events")


def connect(interface, hops):
    """The proxy and the server are both on the host: the client's connection is on eth0, the
    proxy's on lo. Both carry the handshake, and each is an event of its own, as with every proxy
    (docs/DESIGN.md)."""
    with Agent(net.host, interface=interface) as agent:
        for count, address in enumerate(ADDRESSES.values(), 1):
            truth = visit(address, direct.port, H2, "h2", "-proxy",
                          f"{clients.host(address)}:{proxy.port}")
            metrics = agent.drain()
            tap.equal(metrics.sum("alpnscope_events_counted_total"), hops * count, "events")
            if interface == "lo":
                truth.port = None
                judge.check(agent, truth, direct, address, expect=None)
            elif interface == "eth0":
                judge.check(agent, truth, proxy, address, expect=None)
            else:
                events = [e for e in agent.events() if
                          e["tls"]["client"]["server_name"] == truth.sni]
                tap.equal(sorted(e["server"]["port"] for e in events),
                          sorted((proxy.port, direct.port)), "the two hops")
                for event in events:
                    tap.equal((event["tls"]["client"]["alpn"], event["tls"]["next_protocol"]),
                              (H2, "h2"), "offer and choice")
        agent.stop()


with contextlib.ExitStack() as stack:
    plain(net, 1500)
    servers_of = {
        protocol: stack.enter_context(preamble.Preamble(
            net.host, port, protocol, [NAMES.get(protocol, "h2"), "http/1.1"]))
        for port, protocol in enumerate(preamble.STARTTLS, 9001)}
    nginx = stack.enter_context(ProxiedNginx(net.host, 8443))
    direct = stack.enter_context(servers.Nginx(net.host, 8444))
    proxy = stack.enter_context(preamble.ConnectProxy(net.host, 3128))
    agent = stack.enter_context(Agent(net.host))
    tests = []
    for family, address in ADDRESSES.items():
        tests += [tap.named(f"{family}: STARTTLS, {protocol}", starttls, agent, address, protocol)
                  for protocol in preamble.STARTTLS]
        tests += [tap.named(f"{family}: PROXY {name}, {how}", proxied, agent, address, header,
                            joined)
                  for name, header in preamble.PROXY_HEADERS.items()
                  for how, joined in (("in its own segment", False),
                                      ("in the hello's segment", True))]
        tests += [tap.named(f"{family}: haproxy, {word}", by_haproxy, agent, address, word)
                  for word in ("send-proxy", "send-proxy-v2")]
    tests += [tap.named("one event each, nothing lost, ledgers balance", totals, agent),
              tap.named("SIGTERM: exit 0, nothing left behind", agent.stop)]
    tests += [tap.named(f"HTTP CONNECT, seen on {name}: an event each hop", connect, name, hops)
              for name, hops in (("eth0", 1), ("lo", 1), ("any", 2))]
    tap.run(tests, agent.diagnosis)
