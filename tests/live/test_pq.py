#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Post-quantum ClientHellos of OpenSSL 3.5 (X25519MLKEM768, its default) do not fit in one
segment: every offer is right, whether the segments come in order, reversed, twice, or the first
one is lost and sent again."""
import concurrent.futures
import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import craft
import judge
import pki
import servers
import tap
from agent import Agent
from clients import H1, H2
from net import Pair, Remote, plain, sh
from wire import Wire

MTU = 1400
WORKERS = 4
# nginx takes h2 or http/1.1 of each. The last fills 253 of the 256 bytes that are kept.
OFFERS = (H2, H1, None, ["h2"], [f"proto-{i}" for i in range(12)] + ["h2"], ["y" * 100, "h2"],
          ["h2c", "h2", "http/1.0", "http/1.1"], [f"{i:03}" + "z" * 57 for i in range(4)] + H1)


class InOrder(Pair):
    def __init__(self):
        super().__init__()
        plain(self, MTU)


class Spoiled(Remote):
    def __init__(self, mode):
        self.relay = ["reorder.py", mode]
        super().__init__()
        plain(self, MTU)


def server_name(n):
    """A name of its own; the lengths differ from one to the next, up to 200."""
    return ".".join([f"pq{n}", *["a" * 60] * (n % 4), "b" * (n % 7 + 1), pki.DOMAIN])


# How the segments must have come, each taken where it came first: TCP may well send one again.


def in_order(parts):
    return parts_once(parts) == sorted(set(parts))


def reversed_(parts):
    return parts_once(parts) == sorted(set(parts), reverse=True)


def twice(parts):
    return all(parts.count(part) > 1 for part in parts)


def first_later(parts):
    return parts[0] != min(parts)


def parts_once(parts):
    return list(dict.fromkeys(parts))


class Phase:
    """Handshakes over one kind of network, and what was seen of them."""

    def __init__(self, net, count, shape, scratch):
        self.net, self.count, self.shape = net, count, shape
        self.session = os.path.join(scratch, shape.__name__)
        self.truths, self.parts = [], {}

    def start(self, stack):
        host = self.net.host
        self.nginx12 = stack.enter_context(Asking(host, 8443, versions="1.2"))
        self.nginx13 = stack.enter_context(servers.Nginx(host, 8444, versions="1.3"))
        self.p384 = stack.enter_context(servers.SServer(host, 8445, versions="1.3",
                                                        extra=["-groups", "P-384"]))
        self.agent = stack.enter_context(Agent(host))

    def one(self, server, offer, sni, extra=()):
        """A handshake of a client that can do TLS 1.2 and 1.3, over IPv4 or IPv6."""
        address = self.net.V6 if len(sni) % 2 else self.net.V4
        truth = clients.s_client(self.net.client, address, server.port, sni, offer, None, extra,
                                 program="openssl-3.5")
        if not truth.completed:
            raise AssertionError(f"the client did not get through: {truth.output[-2000:]}")
        return truth, server, address

    def make(self, jobs):
        """Run the jobs, one() arguments each, several at a time; note how the hellos came."""
        with Wire(self.net.host, "eth0") as wire, \
                concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            made = [job.result() for job in [pool.submit(self.one, *job) for job in jobs]]
        self.truths += made
        self.parts = {truth.port: wire.hello_parts(truth.port) for truth, *_ in made}
        self.wire = wire

    def count_split(self):
        """Assert that every hello was split and came in the shape that is tested."""
        short = {port: parts for port, parts in self.parts.items() if len(set(parts)) < 2}
        tap.equal(short, {}, "hellos that came whole")
        other = {port: parts for port, parts in self.parts.items() if not self.shape(parts)}
        tap.equal(other, {}, f"hellos that did not come as tested, {self.shape.__name__}")

    def offer_at(self, truth):
        """Where in the client's stream the ALPN extension begins."""
        parts = dict(self.wire.data(truth.port))
        return b"".join(parts[offset] for offset in sorted(parts)).index(
            craft.alpn(*(name.encode() for name in truth.offered)))

    def handshakes(self):
        """The network does what this phase is about, by the clients' and the witness' word."""
        both = self.nginx12, self.nginx13
        self.make([(both[n % 2], OFFERS[n % len(OFFERS)], server_name(n))
                   for n in range(self.count)])
        for truth, server, _ in self.truths:
            tap.equal(truth.version, "1.2" if server is self.nginx12 else "1.3", truth.output)
        tap.equal(len(self.parts), self.count, "handshakes")
        self.count_split()

    def tickets(self):
        """The ticket of TLS 1.2 goes before ALPN. With a client's certificate in it, it is long
        enough to push the offer out of the first segment."""
        asked = ["-cert", CLIENT[0], "-key", CLIENT[1], "-sess_out", self.session]
        self.make([(self.nginx12, H2, "first.ticket.example.test", asked)])
        self.make([(self.nginx12, OFFERS[n % len(OFFERS)], f"n{n}.ticket.example.test",
                    ["-sess_in", self.session]) for n in range(23)])
        for truth, *_ in self.truths[-23:]:
            tap.equal("\nReused, TLSv1.2" in truth.output, True, "resumed by the client's word")
            if truth.offered:
                tap.equal(self.offer_at(truth) >= MTU, True, "where the offer stands")
        self.count_split()

    def retry(self):
        """The server asks for another group: the first hello is split, the second is not."""
        self.make([(self.p384, OFFERS[n % len(OFFERS)], f"n{n}.retry.example.test",
                    ["-groups", "X25519MLKEM768:P-384"]) for n in range(11)])
        for truth, *_ in self.truths[-11:]:
            tap.equal(truth.output.count(", ClientHello"), 2, "hellos, by the client's word")
        self.count_split()

    def events(self):
        """One event for each handshake, and all that it says is right."""
        metrics = self.agent.drain()
        seen, wrong = self.agent.events(), []
        for made in self.truths:
            try:
                self.judge(seen, *made)
            except AssertionError as e:
                wrong.append(str(e)[:400])
        tap.equal(len(wrong), 0, f"wrong of {len(self.truths)}; the first: {wrong[:1]}")
        tap.equal(len(seen), len(self.truths), "events")
        tap.equal(metrics.sum("alpnscope_records_total"), len(self.truths), "records")
        tap.equal(metrics.sum("alpnscope_lost_total"), 0, "lost")
        self.agent.stop()

    def judge(self, seen, truth, server, address):
        class Seen:
            events = staticmethod(lambda: [e for e in seen if judge.is_of(e, truth)])
        event = judge.check(Seen, truth, server, address, expect=None, timeout=0)
        tap.equal(event["tls"]["client"]["pq"], True, "tls.client.pq")
        tap.equal(event["alpn"]["retry"], server is self.p384, "alpn.retry")


class Asking(servers.Nginx):
    """nginx that asks for a certificate, which then is part of its session tickets."""

    server = "ssl_verify_client optional_no_ca;"


def certificate(scratch):
    """A client's certificate of more than a segment."""
    key, cert = (os.path.join(scratch, f"client.{end}") for end in ("key", "pem"))
    names = ",".join(f"DNS:{'c' * 50}{n}.example.test" for n in range(20))
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
       "-days", "2", "-subj", "/CN=client", "-keyout", key, "-out", cert, "-addext",
       f"subjectAltName={names}")
    return cert, key


with contextlib.ExitStack() as stack:
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="alpnscope-"))
    CLIENT = certificate(scratch)
    tests = []
    for how, net, count, shape in (
            ("in order", InOrder(), 499, in_order),
            ("reversed", Spoiled("reverse"), 499, reversed_),
            ("each segment twice", Spoiled("duplicate"), 47, twice),
            ("the first lost and sent again", Spoiled("lose"), 47, first_later)):
        phase = Phase(net, count, shape, scratch)
        phase.start(stack)
        tests += [
            tap.named(f"{how}: {count} handshakes, each hello in several segments",
                      phase.handshakes),
            tap.named(f"{how}: 24 more with ALPN in the second segment", phase.tickets),
            tap.named(f"{how}: 11 more with a HelloRetryRequest", phase.retry),
            tap.named(f"{how}: one event for each, all offers right, nothing lost", phase.events),
        ]
    tap.run(tests)
