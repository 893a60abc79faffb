# SPDX-License-Identifier: GPL-2.0-only
"""Storms of handshakes through a running agent: what it takes, what is lost, what it costs.

build/bench/storm calls the agent's own XDP program with frames of handshakes that were never seen
before, by BPF_PROG_TEST_RUN, from one CPU; the agent runs on the other. The figures come from the
agent's /metrics and from /proc, before and after.
"""
import glob
import json
import os
import re
import socket
import subprocess
import tempfile
import time

import agent as live
import net
import tap
from table import Row

RATES = (10000, 50000, 200000, 0)
DEVICE, PORTS = "eth0", (443, 8443)
LOSSLESS = 50000  # no record is lost at this rate
SENT = 0.99  # of the rate, at least
CPU_US = 1.5  # of the agent's, a record
DRAIN_SECONDS = 20
BENCH = os.path.join(tap.BUILD, "bench")


def pin(cpu):
    """For a child: stay on one of the CPUs that we may use, if there are two."""
    cpus = sorted(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {cpus[cpu % len(cpus)]})


class Rig:
    """An agent in a namespace of its own, where programs listen at the ports of the storm."""

    def __init__(self, *args, output=subprocess.DEVNULL):
        self.host, self.peer = net.Namespace("storm"), net.Namespace("peer")
        net.connect(self.host, DEVICE, self.peer, DEVICE)
        self.host.address(DEVICE, "192.0.2.1/24")
        with self.host.enter():
            self.listeners = [socket.create_server(("192.0.2.1", port)) for port in PORTS]
        self.scratch = tempfile.TemporaryDirectory(prefix="alpnscope-bench-")
        path = os.path.join(self.scratch.name, "stderr")
        with open(path, "wb") as err:
            self.agent = self.host.spawn(
                [live.BINARY, "run", "-i", DEVICE, "--hook", "xdp", "--web.listen-address",
                 f"127.0.0.1:{live.PORT}", "--socket", os.path.join(self.scratch.name, "socket"),
                 *args], stdout=output, stderr=err, preexec_fn=pin(1))
        try:
            tap.wait_for(self.is_ready, "the agent to be ready", 30)
        except AssertionError:
            raise AssertionError(net.read(path)) from None

    def is_ready(self):
        if self.agent.poll() is not None:
            raise AssertionError("alpnscope ended")
        try:
            return live.http_get(self.host, "/-/ready")[0] == 200
        except OSError:
            return False

    def metrics(self):
        return live.Metrics(live.http_get(self.host, "/metrics")[2])

    def drained(self):
        """The metrics when nothing is in flight or held any more."""
        end = time.monotonic() + DRAIN_SECONDS
        while True:
            metrics = self.metrics()
            if not metrics.sum("alpnscope_in_flight") and not metrics.sum("alpnscope_events_held"):
                return metrics
            if time.monotonic() > end:
                raise AssertionError(f"not drained after {DRAIN_SECONDS} s:\n{metrics.text}")
            time.sleep(0.1)

    def cpu_seconds(self):
        """What all threads of the agent have run for; schedstat(5) counts nanoseconds."""
        return sum(int(net.read(path).split()[0])
                   for path in glob.glob(f"/proc/{self.agent.pid}/task/*/schedstat")) / 1e9

    def sleeps(self):
        """How often the agent went to sleep, and so was woken."""
        return sum(int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", net.read(path), re.M)[1])
                   for path in glob.glob(f"/proc/{self.agent.pid}/task/*/status"))

    def close(self):
        net.stop(self.agent)
        for listener in self.listeners:
            listener.close()
        self.host.close()
        self.peer.close()
        self.scratch.cleanup()


class Storm:
    """What one storm did to an agent that had rested."""

    FAMILIES = ("hellos_total", "records_total", "repeats_total", "lost_total", "orphans_total",
                "events_received_total", "events_counted_total", "events_merged_total",
                "parse_errors_total")

    def __init__(self, rig, rate, seconds):
        before, cpu, sleeps = rig.drained(), rig.cpu_seconds(), rig.sleeps()
        argv = [os.path.join(BENCH, "storm"), DEVICE, str(rate), str(seconds)]
        done = subprocess.run(rig.host.argv(argv), capture_output=True, text=True, check=False,
                              timeout=seconds + 30, preexec_fn=pin(0))
        if done.returncode:
            raise AssertionError(done.stderr)
        self.sent = json.loads(done.stdout)
        self.cpu, self.sleeps = rig.cpu_seconds() - cpu, rig.sleeps() - sleeps
        after = rig.drained()
        self.count = {name: after.sum(f"alpnscope_{name}") - before.sum(f"alpnscope_{name}")
                      for name in self.FAMILIES}
        self.lost = {key: value - before.by("alpnscope_lost_total", "reason").get(key, 0)
                     for key, value in after.by("alpnscope_lost_total", "reason").items()}
        self.told = self.shown(after) - self.shown(before)

    @staticmethod
    def shown(metrics):
        """Handshakes by the metrics of the observed."""
        return metrics.sum("alpn_handshakes_total") if metrics.find("alpn_handshakes_total") else 0

    @property
    def uncounted(self):
        """Handshakes that were sent and are in none of the places where one may end."""
        count = self.count
        return self.sent["handshakes"] - (count["records_total"] + count["repeats_total"] +
                                          count["lost_total"])

    @property
    def vanished(self):
        """Records that the kernel handed over, or the agent took, and that nothing tells of."""
        count = self.count
        return (abs(count["records_total"] - count["events_received_total"]) +
                abs(count["events_received_total"] - count["events_counted_total"] -
                    count["events_merged_total"]) +
                abs(self.told - count["events_counted_total"]))


def rows_of(rate, storm):
    """What there is to say of one storm."""
    title = f"{rate:,}/s" if rate else "as fast as it goes"
    sent, count = storm.sent, storm.count
    records, made = count["records_total"], sent["handshakes"] / sent["seconds"]
    lost = ", ".join(f"{reason} {value:,.0f}" for reason, value in storm.lost.items() if value)

    def row(name, unit, value, **more):
        return Row("loss", f"{title}: {name}", unit, [value], **more)

    result = [
        # What was not sent cannot be lost: a sender that is too slow shows nothing.
        row("handshakes sent", "/s", made, target=SENT * rate if rate == LOSSLESS else None,
            better="higher",
            note=f"one CPU sends: {1e6 * sent['cpu_seconds'] / sent['handshakes']:.2f} us of it "
            f"each ({sent['frames'] / sent['handshakes']:.1f} frames), kernel path included"
            if not rate or made < SENT * rate else ""),
        row("records delivered", "/s", records / sent["seconds"]),
        row("lost, of the handshakes", "%", 100 * count["lost_total"] / sent["handshakes"],
            note=f"by reason: {lost}" if lost else ""),
        row("sent - (records + repeats + lost)", "", storm.uncounted, target=0, exact=True),
        row("records not counted once", "", storm.vanished, target=0, exact=True),
        row("agent CPU a record", "us", 1e6 * storm.cpu / max(records, 1),
            target=CPU_US if not rate or rate >= LOSSLESS else None),
        row("agent wake-ups a record", "", storm.sleeps / max(records, 1)),
    ]
    if rate == LOSSLESS:
        # On a machine that is busy with something else the agent may not run for 190 ms.
        result.append(row("records lost", "", count["lost_total"], target=0, far=records / 20))
    return result


def modules(quick):
    """The agent's modules without kernel and ring, by build/bench/agent."""
    out = subprocess.run([os.path.join(BENCH, "agent"), "100000" if quick else "400000"],
                         capture_output=True, text=True, check=True, timeout=120).stdout
    rows = []
    for name, ns, calls in re.findall(r"^(.*\S) +(\d+) ns +(\d+)$", out, re.M):
        rows.append(Row("loss", f"modules alone: {name}", "ns", [int(ns)]))
        rows.append(Row("loss", f"allocations: {name}", "", [int(calls)], target=0, exact=True))
    return rows


def run(quick):
    """The rows of this section."""
    rows = modules(quick)
    for rate in RATES:
        rig = Rig()
        try:
            rows += rows_of(rate, Storm(rig, rate, 2 if quick else 30))
        finally:
            rig.close()
    return rows
