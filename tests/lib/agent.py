# SPDX-License-Identifier: GPL-2.0-only
"""alpnscope itself, running in a namespace: its events, its metrics, its ledgers."""
import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import time

import net
import tap
import tcx

BINARY = os.path.join(tap.BUILD, "alpnscope")
PORT = 10035
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')
# A handshake without an answer stays in flight for 10 s.
DRAIN_SECONDS = 25


class Metrics:
    """A scrape in the text format."""

    def __init__(self, text):
        self.text, self.series = text, []
        for line in text.splitlines():
            if line and not line.startswith("#"):
                left, value = line.rsplit(" ", 1)
                name, _, labels = left.partition("{")
                self.series.append((name, dict(LABEL.findall(labels)), float(value)))

    def find(self, name, **labels):
        return [(l, v) for n, l, v in self.series
                if n == name and all(l.get(k) == w for k, w in labels.items())]

    def sum(self, name, **labels):
        """The sum of the matching series; a family that is not there is a failure."""
        if not any(n == name for n, _, _ in self.series):
            raise AssertionError(f"no metric {name} in the scrape")
        return sum(v for _, v in self.find(name, **labels))

    def by(self, name, *keys, **labels):
        """{label values: sum}, zeros left out; the key is a tuple if there are several keys."""
        result = {}
        for found, value in self.find(name, **labels):
            key = tuple(found[k] for k in keys) if len(keys) > 1 else found[keys[0]]
            if value:
                result[key] = result.get(key, 0) + value
        return result

    def handshakes(self, *keys, **labels):
        """by() of alpn_handshakes_total, each handshake once: one with both ends on this
        machine (in whatever namespace) is counted for either, and taken for its server here."""
        counts = self.by("alpn_handshakes_total", *keys, **labels)
        for key, value in self.by("alpn_handshakes_total", *keys, role="client", peer="local",
                                  **labels).items():
            counts[key] -= value
        return {key: value for key, value in counts.items() if value}


def check_ledgers(metrics, in_flight=0):
    """Assert the conservation laws of docs/DESIGN.md on a drained agent."""
    def total(name):
        return metrics.sum(f"alpnscope_{name}")
    tap.equal(total("in_flight"), in_flight, "in flight when drained")
    tap.equal(total("hellos_total"), total("records_total") + total("repeats_total") +
              total("lost_total") + in_flight, "hellos == records + repeats + lost + in flight")
    tap.equal(total("orphans_total"), total("orphan_records_total") +
              total("orphan_lost_total"), "orphans == orphan records + orphan lost")
    tap.equal(total("events_received_total"), total("records_total") +
              total("orphan_records_total"), "events received == records + orphan records")
    tap.equal(total("events_held"), 0, "events held when drained")
    tap.equal(total("events_received_total"), total("events_counted_total") +
              total("events_merged_total"), "received == counted + merged")


def check_schema(events_path):
    """Assert that every line of the file is an event as the JSON schema says."""
    checker = os.path.join(tap.ROOT, "tests", "lib", "check_events.py")
    net.sh("/usr/bin/python3", checker, events_path)


def http_get(namespace, path, port=PORT, accept=None, host="127.0.0.1"):
    """(status, headers, body) of a GET inside the namespace."""
    with namespace.enter():
        connection = http.client.HTTPConnection(host, port, timeout=5)
        connection.connect()
    try:
        connection.request("GET", path, headers={"Accept": accept} if accept else {})
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read().decode()
    finally:
        connection.close()


def attachments(namespace):
    """What is attached to the namespace's interfaces: qdiscs, filters, links, XDP, tcx."""
    return (namespace.sh("tc", "qdisc", "show"),
            re.sub(r"(prog_id|link_id|id) \d+", r"\1", namespace.sh("bpftool", "net", "show")),
            tcx.show(namespace))


class Agent:
    """`alpnscope run` in a namespace, ready for traffic when the constructor returns.
    interface: None for no -i. wrap: the beginning of a command line that ends in executing it.
    owner: whose its directory is, for one that is not root."""

    def __init__(self, namespace, *args, interface="any", output="json", wrap=(), owner=None):
        self.namespace = namespace
        self._scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
        self.dir = self._scratch.name
        self.events_path = os.path.join(self.dir, "events")
        self.stderr_path = os.path.join(self.dir, "stderr")
        self.socket = os.path.join(self.dir, "sock", "alpnscope.sock")
        os.mkdir(os.path.dirname(self.socket), 0o750)
        if owner is not None:
            os.chown(self.dir, owner, owner)
            os.chown(os.path.dirname(self.socket), owner, owner)
        self._mark = 0
        self.before = attachments(namespace)
        which = ["-i", interface] if interface else []
        argv = [*wrap, BINARY, "run", *which, "-o", output, "--web.listen-address",
                f"127.0.0.1:{PORT}", "--socket", self.socket, *args]
        with open(self.events_path, "wb") as out, open(self.stderr_path, "wb") as err:
            self.process = namespace.spawn(argv, stdout=out, stderr=err)
        try:
            tap.wait_for(self._is_ready, "the agent to be ready", 30)
        except BaseException:  # nobody else will; the next one wants its port
            self.close()
            raise

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"alpnscope ended, {self.process.returncode}: {self.stderr()}")
        try:
            return "ready" in self.stderr() and \
                http_get(self.namespace, "/-/ready")[0] == 200
        except OSError:
            return False

    def stderr(self):
        return net.read(self.stderr_path)

    def events(self):
        """Every event so far, in order; a line that is not finished yet is left out."""
        text = net.read(self.events_path)
        return [json.loads(line) for line in text[:text.rfind("\n") + 1].splitlines()]

    def metrics(self, accept=None):
        status, _, body = http_get(self.namespace, "/metrics", accept=accept)
        tap.equal(status, 200, "GET /metrics")
        return Metrics(body)

    def drain(self):
        """Wait until nothing is in flight and no count moves, then assert the ledgers, the
        number of events and their schema; the metrics as they then are."""
        end, last = time.monotonic() + DRAIN_SECONDS, None
        while True:
            metrics = self.metrics()
            counts = [(n, tuple(l.items()), v) for n, l, v in metrics.series
                      if n.startswith(("alpnscope_", "alpn_"))]
            if counts == last and metrics.sum("alpnscope_in_flight") == 0:
                break
            if time.monotonic() > end:
                raise AssertionError(f"not drained after {DRAIN_SECONDS} s:\n" + metrics.text)
            last = counts
            time.sleep(0.2)
        check_ledgers(metrics)
        tap.equal(len(self.events()), metrics.sum("alpnscope_events_counted_total"),
                  "events written == events counted")
        check_schema(self.events_path)
        return metrics

    def mark(self):
        """Forget the events so far: since() then returns later ones."""
        self._mark = len(self.events())

    def since(self, count=None, timeout=5):
        """The events since mark(); waits for `count` and fails if there are more."""
        def there():
            return len(self.events()) - self._mark >= count
        if count is not None:
            tap.wait_for(there, f"{count} events, have {self.events()[self._mark:]}", timeout)
        found = self.events()[self._mark:]
        if count is not None:
            tap.equal(len(found), count, f"events {json.dumps(found)}")
        return found

    def stop(self, seconds=10):
        """SIGTERM; assert exit 0 in that time, and that nothing of ours is left behind."""
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"still running {seconds} s after SIGTERM") from None
        net.stop(self.process)
        tap.equal(status, 0, "exit status after SIGTERM; stderr: " + self.stderr())
        tap.equal(attachments(self.namespace), self.before, "attached to the interfaces")
        tap.equal(os.path.exists(self.socket), False, "the socket is still there")

    def diagnosis(self):
        return "stderr of alpnscope:\n" + self.stderr()[-4000:]

    def close(self):
        net.stop(self.process)
        self._scratch.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
