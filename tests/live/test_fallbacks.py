#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Real fallbacks in TLS 1.3: servers without h2 by clients that offer it first, with and without
a server name, full and resumed. What is decided is what the clients say, and is counted so.

Each client dials an address of its own: address, port and whether there is a server name tell
whose event it is.
"""
import collections
import contextlib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import many  # noqa: needs the path above
import pki
import servers
import tap
from agent import Agent
from clients import H1, H2
from net import Pair
from prometheus import Prometheus

net = Pair()
SNI = f"fallback.{pki.DOMAIN}"
ADDRESS = {f"10.77.0.{10 + i}": client
           for i, client in enumerate([*many.CLIENTS, many.late_body])}
MADE_LEAST = 300
# Where the client allows record_size_limit (6 bytes), http/1.1 is as long as h2 with that: 15 and
# 9 + 6. Then only more evidence than one length decides.
AMBIGUOUS = (many.gnutls_cli,)
DECIDED_LEAST = 0.98  # of the others, all were; a busy machine may lose a record
DECIDED_LEAST_ALL = 0.90  # 94 % were
H2_BEFORE = 24  # handshakes of the service that had h2 once

Cell = collections.namedtuple("Cell", "port client named")
said = {}  # Cell: what the client said of each handshake


class NodeHttps(servers.Node):
    """Node.js https, whose default is http/1.1 only; its http2 always has h2."""

    module, handler = "https", """(request, response) =>
	request.resume().on("end", () => response.end("ok\\n"))"""

    def args(self):
        return [self.file("server.js", f"""
const fs = require("fs"), options = {{ minVersion: "TLSv1.3",
	cert: fs.readFileSync("{pki.CERT}"), key: fs.readFileSync("{pki.KEY}") }};
require("{self.module}").createServer(options, {self.handler}).listen({self.port}, "::");
""")]


class NodeTls(NodeHttps):
    """Node.js tls, which has no ALPN unless told."""

    module, handler = "tls", """(socket) => {
	socket.on("error", () => {});
	socket.on("data", () => socket.end(
		"HTTP/1.1 200 OK\\r\\nContent-Length: 3\\r\\nConnection: close\\r\\n\\r\\nok\\n"));
}"""


class SServer35(servers.SServer):
    program = "openssl-3.5"


# nginx and Apache httpd always choose one of theirs.
SERVERS = [(servers.Nginx, H1), (servers.Haproxy, H1), (servers.Apache, H1), (NodeHttps, H1),
           (servers.GnutlsServ, H1), (servers.Python, H1), (servers.SServer, H1), (SServer35, H1),
           (servers.Haproxy, None), (NodeTls, None), (servers.GnutlsServ, None),
           (servers.Python, None), (servers.SServer, None), (SServer35, None)]


def title(server):
    return f"{type(server).__name__.lower()}, {'http/1.1' if server.alpn else 'no ALPN'}"


def make(server):
    for address, client in list(ADDRESS.items())[:len(many.CLIENTS)]:
        for sni in (SNI, None):
            cell = Cell(server.port, client, sni is not None)
            said[cell] = client(net.client, address, server.port, sni)
            tap.equal({s.alpn for s in said[cell]}, {server.alpn and server.alpn[0]},
                      f"what {client.__name__} says of {title(server)}")


def late_body():
    """a body of 9 bytes after 100 Continue, as HTTP/2 opens, is no h2: node https"""
    server, = (s for s in started if type(s) is NodeHttps)
    address, = (a for a, c in ADDRESS.items() if c is many.late_body)
    answers = many.late_body(net.client, address, server.port)
    tap.equal({s.alpn for s in answers}, {"http/1.1"}, "the client's own word")
    said[Cell(server.port, many.late_body, False)] = answers


def had_h2():
    """the service of the first port had h2 once: what `at most` is of, and then fell back"""
    with servers.Nginx(net.host, FIRST_PORT, H2, "1.3"):
        for _ in range(H2_BEFORE // many.COUNT):
            answers = many.python(net.client, net.V4, FIRST_PORT, SNI)
            tap.equal({s.alpn for s in answers}, {"h2"}, "the client's own word")


class Score:
    """The events of one or more cells against what the clients said."""

    def __init__(self, cells, events):
        self.made = self.decided = self.right = self.resumed = 0
        self.grades, self.wrong = collections.Counter(), []
        for cell in cells:
            self.add(said[cell], events[cell])

    def add(self, answers, events):
        tap.equal(sorted(e["tls"]["resumed"] for e in events), sorted(s.resumed for s in answers),
                  "a client's handshakes, which are resumed")
        self.made += len(answers)
        self.resumed += sum(s.resumed for s in answers)
        alpn, = {s.alpn for s in answers}
        for event in events:
            self.judge(event, *(("negotiated", alpn, "server_declined") if alpn else
                                ("ignored", None, "server_no_alpn")))

    def judge(self, event, *want):
        alpn = event["alpn"]
        got = alpn["outcome"], event["tls"]["next_protocol"], alpn["cause"]
        if got == ("undetermined", None, None) and not alpn["fallback"]:
            return
        self.decided += 1
        self.grades[alpn["grade"]] += 1
        if got == want and alpn["fallback"] and event["tls"]["version"] == "1.3" and \
                event["tls"]["client"]["alpn"] == H2:
            self.right += 1
        else:
            self.wrong.append(event)

    def row(self, name):
        grades = ", ".join(f"{grade} {n}" for grade, n in self.grades.most_common())
        return f"{name:24} {self.made:5} {self.resumed:8} {self.decided:8} {self.right:6} " \
               f"{len(self.wrong):6}  {grades}"


def pair(server, client):
    part = score(port=server.port, client=client)
    return f"{part.decided:4}/{part.made}" + (f" ({len(part.wrong)} wrong)" if part.wrong else "")


def events_by_cell():
    found = collections.defaultdict(list)
    for event in agent.events():
        client = ADDRESS.get(event["server"]["ip"])
        if client:
            found[Cell(event["server"]["port"], client,
                       event["tls"]["client"]["server_name"] == SNI)].append(event)
    return found


def score(**fields):
    """The Score of the cells with these fields."""
    cells = [c for c in said if all(getattr(c, k) == v for k, v in fields.items())]
    return Score(cells, by_cell)


def drained():
    """every handshake once, ledgers balance"""
    global metrics, by_cell
    metrics = agent.drain()
    by_cell = events_by_cell()
    made = sum(map(len, said.values()))
    tap.equal(metrics.sum("alpnscope_records_total"), made + H2_BEFORE, "records")
    tap.equal(made >= MADE_LEAST, True, f"{made} fallbacks made")


def none_wrong():
    """what is decided is what the client says"""
    everything = score()
    rows = ["decided of made by " + ", ".join(c.__name__ for c in many.CLIENTS),
            *[f"{title(s):24}" + "".join(pair(s, c) for c in many.CLIENTS) for s in started],
            f"{'':24} {'made':>5} {'resumed':>8} {'decided':>8} {'right':>6} {'wrong':>6}"
            "  by grade",
            *[score(port=s.port).row(title(s)) for s in started],
            *[score(client=c).row(c.__name__) for c in ADDRESS.values()],
            score(named=True).row("with server name"), score(named=False).row("without"),
            everything.row("all")]
    tap.show("\n".join(rows))
    tap.equal(everything.wrong[:2], [], "wrong, the first of them")


def most_decided():
    """the share that is decided: of clients without record_size_limit, and of all"""
    made = decided = 0
    for client in set(many.CLIENTS) - set(AMBIGUOUS):
        part = score(client=client)
        made, decided = made + part.made, decided + part.decided
    tap.equal(decided >= DECIDED_LEAST * made, True, f"{decided} of {made} decided")
    everything = score()
    tap.equal(everything.decided >= DECIDED_LEAST_ALL * everything.made, True,
              f"{everything.decided} of {everything.made} decided")


def counted():
    """alpn_fallbacks_total: of each service what is known, under its cause, and nothing else"""
    want = {}
    for server in started:
        decided = score(port=server.port).decided
        want[str(server.port), "server_declined" if server.alpn else "server_no_alpn"] = decided
    tap.equal(metrics.by("alpn_fallbacks_total", "server_port", "cause", role="server"), want,
              "alpn_fallbacks_total")


def bounds():
    """at least and at most: the queries of docs/METRICS.md, in a real Prometheus"""
    with open(os.path.join(tap.ROOT, "docs", "METRICS.md")) as f:
        section = f.read().split("### Fallbacks: at least and at most\n")[1].split("\n### ")[0]
    # All since the agent began, instead of the last minutes of it.
    least, most = [re.sub(r"rate\((alpn_handshakes_total\{[^}]*\})\[5m\]\)", r"\1", q)
                   for q in re.findall(r"(?:^    .*\n)+", section, re.M)[:2]]
    with Prometheus(net.host) as prometheus:
        tap.wait_for(lambda: prometheus.value("count(up)") == 1 and prometheus.query(most),
                     "Prometheus to scrape")
        shares = [{dict(labels)["server_port"]: value for labels, value in
                   prometheus.query(query).items()} for query in (least, most)]
    for server in started:
        part, port = score(port=server.port), str(server.port)
        total = part.made + (H2_BEFORE if server.port == FIRST_PORT else 0)
        tap.equal([round(s.get(port, 0), 6) for s in shares],
                  [round(part.decided / total, 6), round(part.made / total, 6)],
                  f"at least and at most of {title(server)}")


with contextlib.ExitStack() as stack:
    FIRST_PORT = 8440
    for where in ADDRESS:
        net.host.address("eth0", where + "/24")
    agent = stack.enter_context(Agent(net.host, "--expect", "h2"))
    had_h2()
    started = [stack.enter_context(server(net.host, FIRST_PORT + i, alpn, "1.3"))
               for i, (server, alpn) in enumerate(SERVERS)]
    tap.run([*[tap.named(f"fallbacks are made: {title(s)}", make, s) for s in started],
             late_body, drained, none_wrong, most_decided, counted, bounds,
             tap.named("SIGTERM: exit 0, nothing left behind", agent.stop)], agent.diagnosis)
