#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""100,000 handshakes with as many server names and protocols, at invented ports, through the
kernel: series and memory stay under the caps of docs/METRICS.md, and who is configured or listens
is counted exactly."""
import contextlib
import json
import os
import random
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import craft
import net as netlib
import servers
import tap
from agent import BINARY, Agent, check_ledgers
from clients import H1, H2
from net import Pair
from prometheus import check_metrics

net = Pair()
FLOOD, BATCH = 100_000, 500
LISTENER, SHOP = 8443, 9443
SHOPPED = 2000
ANONYMOUS_KIB = 64 << 10  # of memory; docs/METRICS.md
SERIES = 3 * 10_000 + 500  # the tables, what lies beyond them here, and the observer's own
FAR = "198.51.100.7"


class Frames:
    """A ClientHello and its ServerHello whose names, ports and randoms are put in place.

    The checksums are then wrong: an observer does not look at them, and whoever would answer
    drops the segment for it."""

    def __init__(self, server, sport, chosen):
        hello = craft.client_hello([craft.server_name("s######.example"),
                                    craft.alpn(b"h2", b"http/1.1", b"p-######")],
                                   random=b"C" * 32)
        answer = craft.server_hello([craft.alpn(chosen)], random=b"S" * 32)
        connection = craft.Connection("192.0.2.1", 50000, server, sport)
        self.frames = [bytearray(f) for f in
                       connection.client(craft.record(craft.HANDSHAKE, hello)) +
                       connection.server(craft.record(craft.HANDSHAKE, answer))]
        self.marks = [(frame, at) for frame in self.frames for at in self.places(frame, b"######")]
        self.randoms = [(f, f.index(mark * 32)) for f, mark in zip(self.frames, (b"C", b"S"))]
        # Ethernet 14, IPv4 20: source at 26, destination at 30, then the ports
        self.clients = [(self.frames[0], 26), (self.frames[1], 30)]
        self.client_ports = [(self.frames[0], 34), (self.frames[1], 36)]
        self.server_ports = [(self.frames[0], 36), (self.frames[1], 34)]

    @staticmethod
    def places(frame, mark):
        at, found = frame.find(mark), []
        while at >= 0:
            found.append(at)
            at = frame.find(mark, at + 1)
        return found

    def number(self, n, sport=None):
        """The two frames of handshake n; they are valid until the next call."""
        for places, value in ((self.marks, b"%06d" % n), (self.randoms, (b"%06d" % n) * 5),
                              (self.clients, (0xc6120000 + n // 60000).to_bytes(4, "big")),
                              (self.client_ports, (1024 + n % 60000).to_bytes(2, "big")),
                              (self.server_ports, sport and sport.to_bytes(2, "big"))):
            for frame, at in places:
                if value:
                    frame[at:at + len(value)] = value
        return self.frames


def invented():
    """A port that is neither of the two."""
    port = ports.randrange(1, 65536)
    return port if port not in (LISTENER, SHOP) else 1


def flood():
    """Handshakes with this host's address where nobody listens, and of others with others; some of
    them with the configured service."""
    kinds = [Frames(net.V4, 443, b"h2"), Frames(net.V4, 443, b"p-######"),
             Frames(FAR, 443, b"h2"), Frames(FAR, 443, b"http/1.1")]
    shop = Frames(net.V4, SHOP, b"http/1.1")
    with net.client.enter(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind(("eth0", 0))
        for n in range(FLOOD):
            frames = shop.number(n) if n % (FLOOD // SHOPPED) == 7 else \
                kinds[n % len(kinds)].number(n, invented())
            for frame in frames:
                s.send(frame)
            if n % BATCH == BATCH - 1:  # the ring must not run over
                time.sleep(0.01)


def anonymous_kib():
    text = netlib.read(f"/proc/{agent.process.pid}/status")
    return int(text.split("RssAnon:")[1].split()[0])


def drained():
    """The metrics when nothing is in flight; the ledgers hold."""
    def done():
        metrics = agent.metrics()
        return metrics if not metrics.sum("alpnscope_in_flight") and \
            not metrics.sum("alpnscope_events_held") else None
    metrics = tap.wait_for(done, "the agent to be drained", 25)
    check_ledgers(metrics)
    return metrics


def flooded():
    """100,000 handshakes of invented names: all are counted, series and memory keep their caps"""
    before, begin = anonymous_kib(), time.monotonic()
    flood()
    metrics = drained()
    seconds, after = time.monotonic() - begin, anonymous_kib()
    tap.show(f"{FLOOD} handshakes in {seconds:.1f} s; {len(metrics.series)} series; "
             f"anonymous memory {before} KiB before, {after} KiB after")
    tap.equal(metrics.sum("alpnscope_lost_total"), 0, "lost")
    tap.equal(metrics.sum("alpn_handshakes_total"), FLOOD, "counted")
    tap.equal(metrics.sum("alpn_handshake_evidence_total"), FLOOD, "by evidence")
    tap.equal(len(metrics.series) < SERIES, True, f"{len(metrics.series)} series")
    tap.equal(after < ANONYMOUS_KIB, True, f"{after} KiB")
    check_metrics(metrics.text)


def overflow():
    """what found no place is counted, in the metrics and the reports"""
    metrics = agent.metrics()
    lost = metrics.sum("alpnscope_series_overflow_total")
    tap.equal(lost > FLOOD / 2, True, f"{lost} handshakes under _overflow")
    tap.equal(metrics.sum("alpn_handshakes_total", service_name="_overflow"), lost)
    tap.equal(metrics.sum("alpnscope_expectations_refused_total") > 0, True, "not learned")
    done = subprocess.run([BINARY, "services", "--socket", agent.socket], capture_output=True,
                          text=True, timeout=20)
    tap.equal(" handshakes of services beyond the 1024 that are kept" in done.stdout, True,
              done.stdout[-300:])


def configured():
    """the configured service is counted exactly"""
    metrics = agent.metrics()
    labels = dict(service_name="shop", server_port=str(SHOP), role="server")
    tap.equal(metrics.by("alpn_handshakes_total", "offered", "next_protocol", "outcome",
                         service_name="shop"), {("h2", "http/1.1", "negotiated"): SHOPPED})
    tap.equal(metrics.by("alpn_fallbacks_total", "cause", **labels), {"server_declined": SHOPPED})


def of_nobody(metrics):
    return metrics.sum("alpn_handshakes_total", service_name="_overflow", role="server")


def listening():
    """a server that listens, and whose first clients come when all is full, is counted exactly"""
    before = agent.metrics()
    tap.equal(before.find("alpn_handshakes_total", server_port=str(LISTENER)), [], "before")
    lost = of_nobody(before)
    want = {}
    for offer in (H2, H1, H2):
        for _ in range(7):
            truth = clients.python(net.client, net.V4, LISTENER, clients.name(), offer, "1.2")
            key = (offer[0], truth.negotiated)
            want[key] = want.get(key, 0) + 1
    tap.equal(want, {("h2", "h2"): 14, ("http/1.1", "http/1.1"): 7}, "the clients' own word")
    metrics = drained()
    # Its clients are of this machine too, in another namespace: counted for themselves.
    found = metrics.by("alpn_handshakes_total", "offered", "next_protocol",
                       server_port=str(LISTENER), role="server", outcome="negotiated")
    tap.equal(found, want, "by the agent")
    names = {l["service_name"] for l, _ in metrics.find(
        "alpn_fallbacks_total", server_port=str(LISTENER), role="server")}
    tap.equal(len(names) == 1 and not names & {"unknown", "_overflow"}, True, str(names))
    tap.equal(of_nobody(metrics), lost, "under _overflow")


def reported():
    """the reports tell the same of both"""
    done = subprocess.run([BINARY, "services", "--socket", agent.socket, "-o", "json", "--role",
                           "server"], capture_output=True, text=True, timeout=20)
    rows = {row["server"]["port"]: row["alpn"] for row in map(json.loads, done.stdout.splitlines())
            if "server" in row}
    tap.equal([(rows[port]["handshakes"], rows[port]["protocols"]) for port in (SHOP, LISTENER)],
              [(SHOPPED, {"http/1.1": SHOPPED}), (21, {"h2": 14, "http/1.1": 7})])


with contextlib.ExitStack() as stack:
    ports = random.Random(1)
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="alpnscope-"))
    config = os.path.join(scratch, "config.yml")
    with open(config, "w") as file:
        file.write(f"services: [{{name: shop, port: {SHOP}, role: server, expect: h2}}]\n")
    stack.enter_context(servers.Nginx(net.host, LISTENER, H2))
    agent = stack.enter_context(Agent(net.host, "--config", config, output="columns"))
    tap.run([flooded, overflow, configured, listening, reported], agent.diagnosis)
