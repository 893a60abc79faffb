#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""run --textfile: promtool and a real node_exporter take it, a reader never sees a half of it."""
import contextlib
import os
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import alerts  # noqa: needs the path above
import clients
import net as netlib
import servers
import tap
from agent import BINARY, Agent, Metrics, http_get
from clients import H2
from net import Pair
from prometheus import Prometheus, check_metrics

net = Pair()
INTERVAL = 15  # seconds between two writings
NODE_PORT = 9100


class NodeExporter(servers.Server):
    """node_exporter with its textfile collector alone."""

    program = "prometheus-node-exporter"

    def __init__(self, namespace, port, directory):
        self.directory = directory
        super().__init__(namespace, port)

    def args(self):
        return [f"--web.listen-address=127.0.0.1:{self.port}", "--collector.disable-defaults",
                "--collector.textfile", f"--collector.textfile.directory={self.directory}"]


class Reader(threading.Thread):
    """Reads the file without a pause; `halves` are what was not whole."""

    def __init__(self):
        super().__init__(daemon=True)
        self.reads, self.halves, self.inodes, self.stop = 0, [], set(), False

    def run(self):
        while not self.stop:
            with open(path) as f:
                self.inodes.add(os.fstat(f.fileno()).st_ino)
                text = f.read()
            self.reads += 1
            if not text.startswith("# HELP alpn_handshakes_total ") or \
                    "\nalpnscope_build_info{" not in text or text[-1] != "\n":
                self.halves.append(text)
            time.sleep(0.0005)


def read():
    return netlib.read(path)


def at_start():
    """it is there when the agent is ready, mode 0644, and promtool has nothing to say"""
    tap.equal(os.stat(path).st_mode & 0o7777, 0o644, "mode")
    tap.equal(os.listdir(directory), ["alpnscope.prom"], "what is there")
    check_metrics(read())
    tap.equal("process_" in read(), False, "process_* is node_exporter's own")


def rewritten():
    """it follows the counters every 15 s; who reads all the time never sees a half"""
    reader = Reader()
    reader.start()
    for _ in range(7):
        clients.python(net.client, net.V4, 8443, "www.example.test", H2, "1.2")
    http = agent.drain()
    time.sleep(INTERVAL + 1)
    reader.stop = True
    reader.join(5)
    tap.equal(reader.halves, [], "halves")
    tap.equal((len(reader.inodes) >= 2, reader.reads > 1000), (True, True),
              f"{reader.reads} reads of {len(reader.inodes)} files")
    check_metrics(read())
    tap.equal(Metrics(read()).by("alpn_handshakes_total", "role", "outcome"),
              http.by("alpn_handshakes_total", "role", "outcome"), "the same numbers as by HTTP")
    tap.equal(Metrics(read()).handshakes("outcome"), {"negotiated": 7}, "and the right ones")


def exported():
    """node_exporter serves it, complains of nothing, and Prometheus has it"""
    _, _, text = http_get(net.host, "/metrics", NODE_PORT)
    metrics = Metrics(text)
    tap.equal(metrics.sum("node_textfile_scrape_error"), 0, "node_textfile_scrape_error")
    tap.equal(metrics.handshakes("outcome"), {"negotiated": 7}, "alpn_handshakes_total")
    said = [l for l in node.said().splitlines() if "level=err" in l or "level=warn" in l]
    tap.equal([l for l in said if "running as root" not in l], [], "what it complains of")
    tap.wait_for(lambda: prometheus.value('sum(alpn_handshakes_total{role="server"})') == 7,
                 "Prometheus to have it")


def unwritable():
    """when it cannot be written it says so once, goes on, and says when it can again"""
    hidden = directory + ".hidden"
    os.rename(directory, hidden)
    try:
        said = f"alpnscope: --textfile: cannot write {path}.tmp: No such file or directory; "
        tap.wait_for(lambda: said in agent.stderr(), "the error", INTERVAL + 5)
        tap.equal(http_get(net.host, "/-/ready")[0], 200, "the agent goes on")
        time.sleep(INTERVAL + 1)
        tap.equal(agent.stderr().count("cannot write"), 1, "said once")
    finally:
        os.rename(hidden, directory)
    tap.wait_for(lambda: f"{path} is written again" in agent.stderr(), "it to say so",
                 INTERVAL + 5)


def at_exit():
    """at the end it has the last numbers, that nothing is attached, and the alert fires"""
    for _ in range(4):
        clients.python(net.client, net.V4, 8443, "www.example.test", H2, "1.2")
    agent.stop()
    last = Metrics(read())
    tap.equal(last.handshakes("outcome"), {"negotiated": 11}, "alpn_handshakes_total")
    tap.equal(last.sum("alpnscope_interfaces", state="attached"), 0, "attached interfaces")
    tap.equal(last.sum("alpnscope_in_flight"), 0, "in flight")
    check_metrics(read())
    tap.equal(os.listdir(directory), ["alpnscope.prom"], "what is left")
    tap.wait_for(lambda: prometheus.firing("AlpnscopeInterfaceNotAttached"), "the alert", 20)


def age():
    """the query of docs/METRICS.md tells a file that nobody writes any more"""
    text = netlib.read(os.path.join(tap.ROOT, "docs", "METRICS.md"))
    query = "time() - node_textfile_mtime_seconds{file=~\".*alpnscope.prom\"} > 60"
    tap.equal(query in text, True, "in docs/METRICS.md")
    tap.equal(prometheus.query(query), {}, "while it is fresh")
    os.utime(path, (time.time() - 100,) * 2)
    tap.wait_for(lambda: prometheus.query(query), "it to be old")


def refused():
    """a path that the collector would not read, or that cannot be written, ends the agent"""
    for where, code, said in ((os.path.join(directory, "alpnscope.txt"), 2, "ends in .prom"),
                              ("/nowhere/alpnscope.prom", 1, "No such file or directory")):
        with tempfile.TemporaryDirectory() as scratch:
            done = subprocess.run(net.client.argv(
                [BINARY, "run", "-i", "lo", "--socket", os.path.join(scratch, "socket"),
                 "--textfile", where]), capture_output=True, text=True, timeout=20)
        tap.equal((done.returncode, said in done.stderr, done.stderr.count("\n")),
                  (code, True, 1), done.stderr)


with contextlib.ExitStack() as stack:
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="alpnscope-"))
    os.chmod(scratch, 0o755)
    directory = os.path.join(scratch, "textfile")
    os.mkdir(directory)
    path = os.path.join(directory, "alpnscope.prom")
    nginx = stack.enter_context(servers.Nginx(net.host, 8443))
    agent = stack.enter_context(Agent(net.host, "--textfile", path))
    node = stack.enter_context(NodeExporter(net.host, NODE_PORT, directory))
    prometheus = stack.enter_context(Prometheus(
        net.host, rules=alerts.rules(), jobs={"node": NODE_PORT}, lookback="5s"))
    tap.run([at_start, rewritten, exported, unwritable, at_exit, age, refused], agent.diagnosis)
