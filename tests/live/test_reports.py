#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""services, explain and grpc-ready over real servers, with h2, without, and without ALPN, TLS 1.2
and 1.3: from the running agent, by observing, and from a capture of the same traffic. Numbers are
the clients' own; the commands that explain prints are run."""
import collections
import contextlib
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import net as netlib
import programs
import servers
import tap
from agent import BINARY, Agent
from clients import H1, H2

net = netlib.Remote()
NO_H2 = {8444, 8445, 8447, 8449}
counts = collections.defaultdict(collections.Counter)  # by port: what the clients got


class Capture:
    """dumpcap on a device of a namespace, until stop()."""

    def __init__(self, namespace, device):
        self._scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
        self.path = os.path.join(self._scratch.name, "traffic.pcap")
        self.said = os.path.join(self._scratch.name, "said")
        with open(self.said, "wb") as said:
            self.process = namespace.spawn([programs.find("dumpcap"), "-q", "-P", "-i", device, "-w",
                                            self.path], stdout=said, stderr=said)
        tap.wait_for(lambda: "File: " in netlib.read(self.said), "dumpcap to begin")

    def stop(self):
        netlib.stop(self.process)
        missed = re.search(r"received/dropped on interface 'eth0': \d+/(\d+)",
                           netlib.read(self.said))
        tap.equal(missed and missed[1], "0", "frames that dumpcap missed")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        netlib.stop(self.process)
        self._scratch.cleanup()


def report(*args, status=0, namespace=net.host):
    done = subprocess.run(namespace.argv([BINARY, *args]), capture_output=True, text=True,
                          timeout=30)
    tap.equal(done.returncode, status, f"exit status of {args}; {done.stderr}")
    return done.stdout


def from_agent(*args, status=0):
    return report(*args, "--socket", agent.socket, status=status)


def objects(text):
    return [json.loads(line) for line in text.splitlines()]


def by_port(text):
    return {o["server"]["port"]: o for o in objects(text)}


def handshake(client, port, offer, version, sni):
    truth = client(net.client, net.V4, port, sni, offer, version)
    if truth.refused:
        counts[port]["unknown"] += 1
    else:
        tap.equal(truth.completed, True, truth.output)
        counts[port][truth.negotiated or "none"] += 1
    return truth


def traffic():
    """the clients make their handshakes; every server answers as it is configured to"""
    for port, want in ((8443, "h2"), (8446, "h2"), (8448, "h2"), (8444, "http/1.1"),
                       (8447, "http/1.1"), (8445, None), (8449, None)):
        version = "1.3" if port > 8446 else "1.2"
        for client in (clients.curl, clients.s_client, clients.python, clients.curl):
            truth = handshake(client, port, H2, version, f"p{port}.example.test")
            tap.equal(truth.negotiated, want, f"port {port}: the client's own word")
        handshake(clients.python, port, None, version, f"p{port}.example.test")
    # As a gRPC client does: nothing but h2.
    truth = handshake(clients.s_client, 8444, ["h2"], "1.2", "p8444.example.test")
    tap.equal(truth.refused, True, "nginx refuses")
    # Whose order wins: haproxy follows its own, gnutls-serv the client's.
    for port in (8446, 8450):
        for offer in (["http/1.1", "h2"], H2, H1):
            handshake(clients.s_client, port, offer, "1.2", "order.example.test")
    agent.drain()
    capture.stop()


def services():
    """services: the clients' own counts, causes by configuration, fallbacks first"""
    rows = by_port(from_agent("services", "-o", "json", "--role", "server"))
    tap.equal({port: row["alpn"]["protocols"] for port, row in rows.items()},
              {port: dict(c) for port, c in counts.items()}, "protocols by port")
    for port, row in rows.items():
        alpn = row["alpn"]
        tap.equal(alpn["handshakes"], sum(counts[port].values()), f"handshakes on {port}")
        declined = 4 if port in (8444, 8447) else 0
        no_alpn = 4 if port in (8445, 8449) else 0
        tap.equal((alpn["causes"]["server_declined"], alpn["causes"]["server_no_alpn"]),
                  (declined, no_alpn), f"causes on {port}")
        tap.equal((alpn["fallbacks_at_least"], alpn["fallbacks_at_most"]),
                  (declined + no_alpn,) * 2, f"bounds on {port}")
        tap.equal((alpn["last_fallback"] is not None, alpn["expected"]), (declined + no_alpn > 0,
                                                                          ["h2"]))
    order = [row["alpn"]["fallbacks_at_least"] for row in
             objects(from_agent("services", "-o", "json", "--role", "server"))]
    tap.equal(order, sorted(order, reverse=True), "fallbacks first")
    table = from_agent("services", "--role", "server", "--port", "8444").splitlines()
    tap.equal(len(table), 2, table)
    tap.equal(table[1].split()[:4], ["nginx", "8444", "server", "6"], table[1])
    tap.equal("server_declined 4" in table[1] and "http/1.1 4" in table[1], True, table[1])
    only = from_agent("services", "-o", "json", "--role", "server", "--fallback-only")
    tap.equal(set(by_port(only)), NO_H2, "--fallback-only")


def metrics_agree():
    """services and the metrics tell the same"""
    metrics = agent.metrics()
    for row in objects(from_agent("services", "-o", "json")):
        key = {"service_name": row["service"]["name"], "server_port": str(row["server"]["port"]),
               "role": row["alpn"]["role"]}
        tap.equal(metrics.sum("alpn_handshakes_total", **key), row["alpn"]["handshakes"], str(key))


def commands(text):
    """[(command, what it showed)] of explain."""
    return re.findall(r"^ *(?:verify +)?((?:openssl|curl) .*)\n +# as seen: (.*)$", text, re.M)


def verified(text, tools=("openssl", "curl")):
    """Each command is there, and shows what explain says of it, against the same servers."""
    found = commands(text)
    tap.equal([command.split()[0] for command, _ in found], list(tools), text)
    for command, shown in found:
        done = subprocess.run(net.client.argv(["sh", "-c", command]), capture_output=True,
                              text=True, timeout=20, env=programs.env("openssl"))
        tap.equal(shown in done.stdout, True, f"{shown!r} of {command}: {done.stdout}")


def explain():
    """explain: who it is, what to write, and commands that show the same"""
    text = from_agent("explain", "nginx:8444")
    tap.equal(text.splitlines()[0],
              "nginx:8444 (server): FALLS BACK, and it is the server's doing")
    for words in ("http/1.1 4, none 1, unknown 1", "server_declined 4", "at least 4, at most 4 of 6",
                  "h2 (configured)", f"fell back  {net.CLIENT_V4} 4\n",
                  "server_hello 4", "server { listen 8444 ssl; http2 on; }      # 1.25.1",
                  "server { listen 8444 ssl http2; }", "nginx -t"):
        tap.equal(words in text, True, f"{words!r} in {text}")
    verified(text)
    text = from_agent("explain", "haproxy:8445")
    tap.equal("alpn h2,http/1.1" in text and "server_no_alpn 4" in text, True, text)
    verified(text)
    text = from_agent("explain", "haproxy:8449")
    tap.equal("record_length 4" in text, True, text)
    verified(text)
    text = from_agent("explain", "nginx:8443")
    tap.equal(text.splitlines()[0], "nginx:8443 (server): as expected, but some clients ask for "
              "less")
    tap.equal(f"asked less {net.CLIENT_V4} 1\n" in text, True, text)
    # All services of a name, each by itself.
    names = re.findall(r"^nginx:(\d+) \(server\)", from_agent("explain", "nginx"), re.M)
    tap.equal(sorted(names), ["8443", "8444", "8447"], "explain nginx")
    done = subprocess.run([BINARY, "explain", "nobody", "--socket", agent.socket],
                          capture_output=True, text=True, timeout=20)
    tap.equal((done.returncode, "nobody" in done.stderr, done.stdout), (1, True, ""), done.stderr)


def order():
    """explain: whose order won, as far as that is proven"""
    def line(name):
        return re.search(r"^  order +(.*)$", from_agent("explain", name), re.M).group(1)
    tap.equal(line("haproxy:8446").startswith("the server's: it chose h2 for 1 that listed "
                                              "http/1.1 first, and it speaks both"), True,
              line("haproxy:8446"))
    tap.equal(line("gnutls-serv:8450"), "the client's: 1 listed h2 first and got it, 1 listed "
              "http/1.1 first and got that")
    tap.equal(line("nginx:8443").startswith("cannot be told: all 4"), True, line("nginx:8443"))
    tap.equal(line("nginx:8444").startswith("the server's, or it does not speak the other: it "
                                            "chose http/1.1 for 4"), True, line("nginx:8444"))


def grpc_ready():
    """grpc-ready: exactly the servers that answer an offer of h2 with something else"""
    rows = by_port(from_agent("grpc-ready", "-o", "json"))
    told = {port: row["alpn"]["grpc"] for port, row in rows.items()}
    # gnutls-serv gave http/1.1 only to the client that preferred it.
    tap.equal(told, {port: "refused" for port in NO_H2}, "servers")
    tap.equal(rows[8444]["alpn"]["answered"], {"http/1.1": 4, "rejected": 1})
    tap.equal(rows[8449]["alpn"]["answered"], {"none": 4})
    tap.equal((rows[8449]["alpn"]["evidence"], rows[8445]["alpn"]["evidence"]),
              ("record_length", "server_hello"))
    from_agent("grpc-ready", "--fail-on", "not-ready", status=3)
    from_agent("grpc-ready", "--fail-on", "not-ready", "--port", "8443")
    from_agent("services", "--fail-on", "fallback", status=3)
    from_agent("services", "--fail-on", "fallback", "--port", "8443")


def captured():
    """the same by --read: roles are transit, services are the names that were asked for"""
    args = ["--read", capture.path, "--expect", "h2", "-q"]
    rows = objects(report("services", "-o", "json", *args))
    for row in rows:
        name, port = row["service"]["name"], row["server"]["port"]
        tap.equal(row["alpn"]["role"], "transit")
        if name != "order.example.test":
            tap.equal(name, f"p{port}.example.test")
    total = collections.defaultdict(collections.Counter)
    for row in rows:
        total[row["server"]["port"]].update(row["alpn"]["protocols"])
    tap.equal(total, counts, "protocols by port")
    rows = by_port(report("grpc-ready", "-o", "json", *args))
    tap.equal({p: r["alpn"]["grpc"] for p, r in rows.items()}, {p: "refused" for p in NO_H2})
    verified(report("explain", "p8444.example.test:8444", *args))


def by_itself():
    """without an agent: it observes for --duration"""
    with tempfile.TemporaryDirectory(prefix="alpnscope-") as scratch:
        with open(os.path.join(scratch, "out"), "wb") as out, \
                open(os.path.join(scratch, "err"), "wb") as err:
            own = net.host.spawn([BINARY, "services", "-i", "eth0", "-o", "json", "--duration", "4s"],
                                 stdout=out, stderr=err)
        tap.wait_for(lambda: "ready:" in netlib.read(err.name), "it to observe")
        truth = clients.s_client(net.client, net.V4, 8443, "own.example.test", H2, "1.2")
        tap.equal(truth.negotiated, "h2")
        tap.equal(own.wait(20), 0, netlib.read(err.name))
        netlib.stop(own)
        row, = objects(netlib.read(out.name))
    tap.equal((row["service"]["name"], row["server"]["port"], row["alpn"]["protocols"]),
              ("nginx", 8443, {"h2": 1}))


with contextlib.ExitStack() as stack:
    def server(kind, port, *args, **kwargs):
        return stack.enter_context(kind(net.host, port, *args, **kwargs))

    server(servers.Nginx, 8443)
    server(servers.Nginx, 8444, H1)
    server(servers.Haproxy, 8445, None)
    server(servers.Haproxy, 8446)
    server(servers.Nginx, 8447, H1, versions="1.3")
    server(servers.Node, 8448, versions="1.3")
    server(servers.Haproxy, 8449, None, versions="1.3")
    server(servers.GnutlsServ, 8450)
    capture = stack.enter_context(Capture(net.host, "eth0"))
    agent = stack.enter_context(Agent(net.host, "--expect", "h2"))
    tap.run([traffic, services, metrics_agree, order, grpc_ready, explain, captured,
             tap.named("SIGTERM: exit 0, nothing left behind", agent.stop), by_itself],
            agent.diagnosis)
