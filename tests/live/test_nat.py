#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A handshake that address translation shows under several tuples, or a tunnel in and out of it,
is one event, and names the service; a proxy's two connections are two."""
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import craft
import judge
import net as netlib
import rawserver
import servers
import tap
from agent import BINARY, Agent
from clients import H2
from net import Namespace, Remote

MANY = 50

# 443 and the rest of the published ports: containers. 5443: a server on another machine.
# Containers reach everything as the host; so do clients that ask for port 8445 of `far`.
RULES = """
table inet nat {
	chain pre {
		type nat hook prerouting priority -100;
		ip daddr 10.77.0.1 tcp dport 443 dnat ip to 10.78.0.11:8443
		ip daddr 10.77.0.1 tcp dport 444 dnat ip to 10.78.0.11:8444
		ip daddr 10.77.0.1 tcp dport 445 dnat ip to 10.78.0.11:8447
		ip daddr 10.77.0.1 tcp dport 5443 dnat ip to 10.79.0.2:8445
		ip6 daddr fd00:77::1 tcp dport 443 dnat ip6 to [fd00:78::11]:8443
	}
	chain post {
		type nat hook postrouting priority 100;
		ip saddr 10.78.0.0/24 masquerade
		ip6 saddr fd00:78::/64 masquerade
		ip saddr 10.77.0.0/24 ip daddr 10.79.0.2 tcp dport 8445 ct status ! dnat masquerade
	}
}
"""


class Router(Remote):
    """Remote, whose host forwards for the containers srv1 and srv2 and to `far`, which is
    another machine, and translates addresses by RULES."""

    def __init__(self):
        super().__init__()
        host = self.host
        host.sysctl("ipv4/ip_forward", 1)
        host.sysctl("ipv6/conf/all/forwarding", 1)
        self.far = Namespace("far")
        netlib.wire(host, "eth1", self.far, "eth0")
        host.address("eth1", "10.79.0.1/24")
        self.far.address("eth0", "10.79.0.2/24")
        self.far.ip("route", "add", "default", "via", "10.79.0.1")
        self.client.ip("route", "add", "default", "via", self.V4)
        self.srv = [self.container(n) for n in (1, 2)]
        subprocess.run(host.argv(["nft", "-f", "-"]), input=RULES, text=True, check=True,
                       timeout=20)

    def container(self, n):
        srv = Namespace(f"srv{n}")
        netlib.connect(self.host, f"veth{n}", srv, "eth0")
        # A /32 with routes: the two reach each other, and the host, through the host only.
        self.host.address(f"veth{n}", "10.78.0.1/32", "fd00:78::1/128")
        srv.address("eth0", f"10.78.0.1{n}/32", f"fd00:78::1{n}/128")
        for family, address, gateway in (("-4", f"10.78.0.1{n}", "10.78.0.1"),
                                         ("-6", f"fd00:78::1{n}", "fd00:78::1")):
            self.host.ip(family, "route", "add", address, "dev", f"veth{n}")
            srv.ip(family, "route", "add", gateway, "dev", "eth0")
            srv.ip(family, "route", "add", "default", "via", gateway, "onlink", "dev", "eth0")
        return srv


net = Router()
host, far, srv = net.host, net.far, net.srv
ME = netlib.read("/proc/self/comm").strip()


def delta(after, before, name):
    return after.sum(f"alpnscope_{name}_total") - before.sum(f"alpnscope_{name}_total")


def path(namespace, address, port, to, role, service, masked=None, offer=H2, peer=None, copies=2):
    """MANY handshakes to address and port, which are translated to those of `to` (None: they are
    not), are MANY events; the client's address, which is translated to `masked`, is its own."""
    before = agent.drain()
    truths = [clients.python(namespace, address, port, clients.name(), offer, "1.2")
              for _ in range(MANY)]
    for truth in truths:
        tap.equal((truth.negotiated, truth.refused), ("h2", False) if offer == H2 else (None, True),
                  "the client's own word")
        event = judge.check(agent, truth, types.SimpleNamespace(port=port), address, role=role)
        tap.equal(event["server"].get("nat"), to and {"ip": to[0], "port": to[1]}, "server.nat")
        tap.equal(event["client"].get("nat", {}).get("ip"), masked, "client.nat.ip")
        tap.equal(event["service"]["name"], service, "service.name")
        tap.equal(event.get("peer", {}).get("service", {}).get("name"), peer, "peer.service.name")
    after = agent.drain()
    tap.equal((delta(after, before, "events_received"), delta(after, before, "events_counted"),
               delta(after, before, "events_merged")), (MANY * copies, MANY, MANY * (copies - 1)),
              "received, counted, merged")


def proxied():
    """a TCP proxy: its two connections are two events"""
    def pass_on(connection):
        with connection, socket.create_connection(("10.78.0.11", 8443)) as onward:
            def back():
                with contextlib.suppress(OSError):
                    while data := onward.recv(65536):
                        connection.sendall(data)
            thread = threading.Thread(target=back)
            thread.start()
            with contextlib.suppress(OSError):
                while data := connection.recv(65536):
                    onward.sendall(data)
            onward.shutdown(socket.SHUT_RDWR)
            thread.join()

    def serve():
        for _ in range(5):
            pass_on(listener.accept()[0])

    before = agent.drain()
    with host.enter():  # the thread that starts here stays here
        listener = socket.create_server(("10.77.0.1", 9443))
        proxy = threading.Thread(target=serve)
        proxy.start()
    with listener:
        for _ in range(5):
            truth = clients.python(net.client, net.V4, 9443, clients.name(), H2, "1.2")
            tap.equal(truth.negotiated, "h2", "the client's own word")
            truth.port, truth.count = None, 2
            events = sorted(judge.find(agent, truth), key=lambda e: e["server"]["port"])
            tap.equal([(e["server"]["port"], e["service"]["name"], "peer" in e)
                       for e in events], [(8443, "nginx", True), (9443, ME, False)], "events")
        proxy.join()
    tap.equal(delta(agent.drain(), before, "events_merged"), 0, "merged")


def expected():
    """--expect by the published port, --port by either: a fallback, exit 3"""
    for port in ("445", "8447"):
        with open(os.path.join(agent.dir, "watched"), "w+") as said:
            watch = host.spawn([BINARY, "watch", "--expect", "445=h2", "--port", port, "-o", "json",
                                "--fail-on", "fallback", "-c", "1", "--duration", "20s"],
                               stdout=said, stderr=said)
            tap.wait_for(lambda: "ready:" in netlib.read(said.name), "watch to be ready")
            truth = clients.python(net.client, net.V4, 445, clients.name(), H2, "1.2")
            tap.equal(truth.negotiated, "http/1.1", "the client's own word")
            tap.equal(watch.wait(25), 3, f"--port {port}: {netlib.read(said.name)}")
            line, = [l for l in netlib.read(said.name).splitlines() if l.startswith("{")]
            event = json.loads(line)
            tap.equal((event["alpn"]["cause"], event["server"]),
                      ("server_declined", {"ip": net.V4, "port": 445,
                                           "nat": {"ip": "10.78.0.11", "port": 8447}}), "event")
            netlib.stop(watch)


def hello(sni):
    return craft.record(craft.HANDSHAKE, craft.client_hello(
        [craft.server_name(sni), craft.alpn(b"h2", b"http/1.1")]))


def unanswered():
    """a server behind DNAT that never answers, and replays of a hello: none hides another's"""
    silent, sni = clients.Truth("raw", H2, clients.name()), clients.name()
    over = threading.Event()
    victim = craft.Connection("10.77.0.2", 50001, "10.79.0.2", 443)
    replays = [craft.Connection("10.77.0.3", 50002, "10.79.0.2", 443),  # in all its numbers
               craft.Connection("10.77.0.4", 50003, "10.79.0.2", 443, server_seq=77)]
    data = hello(sni)
    answer = craft.record(craft.HANDSHAKE, craft.server_hello([craft.alpn(b"h2")]))
    before = agent.drain()
    with rawserver.RawServer(srv[0], 8444, lambda connection: over.wait(30)):
        with net.client.enter(), socket.create_connection((net.V4, 444)) as connection:
            silent.port = connection.getsockname()[1]
            connection.sendall(hello(silent.sni))
            netlib.send_frames(net.client, "eth0", victim.client(data) +
                               [f for r in replays for f in r.client(data)])
            netlib.send_frames(far, "eth0", victim.server(answer))
            event, = judge.find(agent, silent, 20)
            tap.equal((event["alpn"]["outcome"], event["alpn"]["role"], event["server"]),
                      ("incomplete", "transit", {"ip": net.V4, "port": 444,
                                                 "nat": {"ip": "10.78.0.11", "port": 8444}}),
                      "nobody answered")
        over.set()
    events = judge.find(agent, clients.Truth("crafted", H2, sni, count=3), 20)
    tap.equal({e["client"]["ip"]: e["alpn"]["outcome"] for e in events},
              {"10.77.0.2": "negotiated", "10.77.0.3": "incomplete", "10.77.0.4": "incomplete"},
              "the victim's and the replays")
    tap.equal(delta(agent.drain(), before, "events_merged"), 1, "merged")


def in_a_tunnel():
    """VXLAN: the handshake is seen in and out of it, under one tuple"""
    for here, there, address in ((host, net.CLIENT_V4, "10.80.0.1/24"),
                                 (net.client, net.V4, "10.80.0.2/24")):
        here.ip("link", "add", "vx0", "type", "vxlan", "id", "7", "dev", "eth0", "remote", there,
                "dstport", "4789")
        here.address("vx0", address)
        here.ip("link", "set", "vx0", "up")
    tap.wait_for(lambda: agent.metrics().sum("alpnscope_interfaces", state="attached") ==
                 watched + 1, "vx0 to be attached")
    path(net.client, "10.80.0.1", 8446, None, "server", "nginx", copies=1)
    for namespace in (host, net.client):
        namespace.ip("link", "del", "vx0")


def sleeps():
    """nothing held: the agent is not woken"""
    def switches():
        status = netlib.read(f"/proc/{agent.process.pid}/status")
        return int(status.partition("nonvoluntary_ctxt_switches")[0].split()[-1])
    agent.drain()
    time.sleep(0.5)
    before = switches()
    time.sleep(2)
    tap.equal(switches() - before <= 2, True, "two seconds without traffic, twice awake")


def read_capture():
    """read: by the capture's clock; a proxy's connection is another"""
    sni = clients.name()
    data, answer = hello(sni), craft.record(craft.HANDSHAKE, craft.server_hello())
    inside = craft.Connection("192.168.1.2", 50001, "192.0.2.1", 443)
    outside = craft.Connection("198.51.100.1", 61000, "192.0.2.1", 443)
    proxy = craft.Connection("198.51.100.1", 61001, "192.0.2.1", 443, client_seq=5)
    frames = inside.client(data) + outside.client(data) + proxy.client(data) + \
        outside.server(answer) + inside.server(answer) + proxy.server(answer)
    with tempfile.TemporaryDirectory(prefix="alpnscope-") as scratch:
        for step_ms, count in ((1, 2), (40, 2), (60, 3)):
            file = os.path.join(scratch, "nat.pcap")
            # Held for 50 ms; what was seen first is never dropped.
            craft.write_pcap(file, frames, step_ns=step_ms * 1_000_000)
            done = subprocess.run([BINARY, "read", file, "-o", "json"], capture_output=True,
                                  text=True, timeout=20)
            tap.equal((done.returncode, len(done.stdout.splitlines())), (0, count), done.stderr)


with contextlib.ExitStack() as stack:
    for where, port in ((srv[0], 8443), (far, 8445), (host, 8446)):
        stack.enter_context(servers.Nginx(where, port))
    stack.enter_context(servers.Nginx(srv[0], 8447, ["http/1.1"]))
    agent = stack.enter_context(Agent(host))
    watched = agent.metrics().sum("alpnscope_interfaces", state="attached")
    tap.run([
        tap.named("DNAT: a published port, IPv4", path, net.client, net.V4, 443,
                  ("10.78.0.11", 8443), "server", "nginx"),
        tap.named("DNAT: a published port, IPv6", path, net.client, net.V6, 443,
                  ("fd00:78::11", 8443), "server", "nginx"),
        tap.named("DNAT: a published port, refused", path, net.client, net.V4, 443,
                  ("10.78.0.11", 8443), "server", "nginx", None, ["foo"]),
        tap.named("DNAT: to another machine, role transit", path, net.client, net.V4, 5443,
                  ("10.79.0.2", 8445), "transit", None),
        # Of a client behind a veth the socket's cgroup is known, which is no service here.
        tap.named("masquerade: a container's client", path, srv[1], "10.79.0.2", 8445, None,
                  "client", None, "10.79.0.1"),
        tap.named("masquerade: another machine's client, role transit", path, net.client,
                  "10.79.0.2", 8445, None, "transit", None, "10.79.0.1"),
        tap.named("DNAT and masquerade: container to container by the published port", path,
                  srv[1], net.V4, 443, ("10.78.0.11", 8443), "server", "nginx", "10.78.0.1"),
        in_a_tunnel,
        proxied,
        expected,
        unanswered,
        sleeps,
        tap.named("SIGTERM: exit 0, nothing left behind", agent.stop),
        read_capture,
    ], agent.diagnosis)
