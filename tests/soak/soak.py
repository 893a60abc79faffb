#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""An agent under mixed real and hostile load for SOAK_SECONDS (600): does anything grow?

    make soak SOAK_SECONDS=600      (300 is the least: tables must be full first)

Once a second its own memory (RssAnon) and open files are read, every ten the maps and the metrics.
After a warm-up that fills every bounded table the slope of each must be at most 1 % over the rest
of the run: the median of the slopes between all pairs of ten-second medians (Theil and Sen), which
a burst does not move. Then all load ends, and the ledgers must be exact, the files as many as at
the beginning, and of a last series of real handshakes each one must be counted as its client says.
"""
import os
import statistics
import sys
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
for where in ("../lib", "../bench"):
    sys.path.insert(0, os.path.join(HERE, where))
import agent as live  # noqa: needs the path above
import guests
import hostile
import net
import running
import servers
import tap

SECONDS = int(os.environ.get("SOAK_SECONDS", "600"))
WARM = min(120, SECONDS // 4)
BUCKET = 10 if SECONDS >= 200 else max(1, SECONDS // 30)
GROWTH = 0.01  # of the median, over the run after the warm-up
DRAIN_SECONDS = 40
LAST = 20  # turns of real handshakes after the load
MIB = 1 << 20


class Loads:
    """Threads that repeat a function every so many seconds; an error ends the run."""

    def __init__(self):
        self.stop, self.errors, self.threads = threading.Event(), [], []

    def start(self, function, pause=None):
        def repeat():
            try:
                if pause is None:
                    function()
                while pause is not None and not self.stop.wait(pause):
                    function()
            except Exception:  # noqa: whatever it is, it is the run's result
                self.errors.append(traceback.format_exc())
                self.stop.set()
        self.threads.append(threading.Thread(target=repeat, daemon=True))
        self.threads[-1].start()

    def end(self):
        self.stop.set()
        for thread in self.threads:
            thread.join(60)


def open_files(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Samples:
    """What is measured, by seconds since the warm-up began."""

    def __init__(self, agent):
        self.agent = agent
        self.rows = {"RssAnon, MiB": [], "open files": [], "BPF maps, MiB": []}

    def take(self, second, at):
        pid = self.agent.pid
        self.rows["RssAnon, MiB"].append((at, running.status(pid, "RssAnon") / 1024))
        self.rows["open files"].append((at, open_files(pid)))
        if second % 10 == 0:
            self.rows["BPF maps, MiB"].append(
                (at, sum(running.map_bytes(pid).values()) / MIB))
            self.agent.metrics()


def buckets(row):
    """Medians of BUCKET seconds each: [(time, value)]."""
    parts = {}
    for at, value in row:
        parts.setdefault(int(at // BUCKET), []).append(value)
    return [((n + 0.5) * BUCKET, statistics.median(part)) for n, part in sorted(parts.items())]


def growth(row):
    """By how much of its median a row grows over its length, by Theil and Sen."""
    points = buckets(row)
    slopes = [(b - a) / (t - s) for i, (s, a) in enumerate(points) for t, b in points[i + 1:]]
    if not slopes:
        raise AssertionError("too short for a slope: SOAK_SECONDS=60 is the least")
    median = statistics.median(value for _, value in points)
    return statistics.median(slopes) * (points[-1][0] - points[0][0]) / median


def drained(agent):
    """The metrics when nothing is in flight or held any more; the ledgers must be exact."""
    def empty():
        m = agent.metrics()
        return not m.sum("alpnscope_in_flight") and not m.sum("alpnscope_events_held") and \
            not m.sum("alpnscope_reassembly_in_use") and m
    metrics = tap.wait_for(empty, "the agent to drain", DRAIN_SECONDS)
    live.check_ledgers(metrics)
    return metrics


def counted(metrics, ports):
    """{(port, protocol): real handshakes as the agent counted them}"""
    return {key: value for key, value in
            metrics.by("alpn_handshakes_total", "server_port", "next_protocol",
                       role="server").items()
            if key[0] in ports and key[1] != "unknown"}


def less(now, before):
    return {key: now[key] - before.get(key, 0) for key in now if now[key] - before.get(key, 0)}


class Soak:
    def __init__(self):
        self.pair, self.loads = net.Pair(), Loads()
        hostile.quiet(self.pair.host)

    def run(self, agent, nginx, plain):
        self.agent, self.nginx = agent, nginx
        self.files = open_files(agent.pid)
        self.real = guests.Real(self.pair, nginx, plain)
        self.web = guests.Web(self.pair.host, agent.socket)
        self.wire = hostile.Wire(self.pair, nginx.port, self.loads.stop)
        self.samples, self.warming = Samples(agent), Samples(agent)
        self.wire.fill()
        self.loads.start(self.wire.run)
        self.loads.start(self.real.python, 0.5)
        self.loads.start(self.real.programs, 2)
        self.loads.start(self.web.request, 1)
        self.cpu = running.cpu_seconds([agent.pid])
        begin = time.monotonic()
        for second in range(SECONDS):
            if self.loads.stop.wait(max(0, begin + second - time.monotonic())):
                break
            at = time.monotonic() - begin
            (self.samples if at >= WARM else self.warming).take(second, at)
        self.cpu = (running.cpu_seconds([agent.pid]) - self.cpu) / (time.monotonic() - begin)
        self.loads.end()
        self.web.close()

    def no_errors(self):
        """every real handshake succeeded, every thread of the load ran to the end"""
        tap.equal(self.loads.errors, [], "errors")

    def flat(self):
        """memory and open files grow by 1 % at most, the maps not at all"""
        for name, row in self.samples.rows.items():
            limit = 0 if "maps" in name else GROWTH
            if growth(row) > limit:
                raise AssertionError(f"{name} grew by {growth(row):.2%} over the run: "
                                     f"{[round(v, 2) for _, v in buckets(row)]}")

    def exact(self):
        """drained, the ledgers are exact, and no more files are open than at the beginning"""
        self.metrics = drained(self.agent)
        tap.wait_for(lambda: open_files(self.agent.pid) <= self.files,
                     f"no more than {self.files} files to be open", 40)

    def seen(self):
        """of the real handshakes under attack none is counted wrong, none missing but as lost"""
        self.counted = counted(self.metrics, {port for port, _ in self.real.made})
        self.made = dict(self.real.made)
        lost = self.metrics.sum("alpnscope_lost_total")
        for key, value in self.counted.items():
            if value > self.made.get(key, 0):
                raise AssertionError(f"{key}: {value} counted, {self.made.get(key, 0)} made")
        missing = sum(self.made.values()) - sum(self.counted.values())
        if missing > lost:
            raise AssertionError(f"{missing} not counted, {lost} lost")

    def last(self):
        """after it all, each of the next real handshakes is counted as its client says"""
        before = self.counted
        for _ in range(LAST):
            self.real.python()
        after = counted(drained(self.agent), {port for port, _ in self.real.made})
        tap.equal(less(after, before), less(self.real.made, self.made), "counted")

    def table(self):
        """The summary, as tests/run prints it."""
        lines = [f"soak of {SECONDS} s, the first {WARM} s to warm up",
                 f"{'':16} {'begin':>9} {'median':>9} {'most':>9} {'end':>9} {'growth':>8}"]
        for name, row in self.samples.rows.items():
            values = [v for _, v in row]
            lines.append(f"{name:16} {values[0]:9.2f} {statistics.median(values):9.2f} "
                         f"{max(values):9.2f} {values[-1]:9.2f} {growth(row):8.2%}")
        lines.append(f"agent's CPU: {self.cpu:.1%} of one")
        lines.append("sent: " + ", ".join(f"{n} {what}" for what, n in self.wire.sent.items()) +
                     f", {self.web.sent} hostile requests")
        for name in ("hellos", "records", "repeats", "lost", "orphans", "parse_errors",
                     "events_counted", "events_merged", "series_overflow"):
            lines.append(f"{name:16} {self.metrics.sum(f'alpnscope_{name}_total'):9.0f}")
        for reason, n in self.metrics.by("alpnscope_lost_total", "reason").items():
            lines.append(f"  lost, {reason:18} {n:9.0f}")
        lines.append(f"real handshakes  {sum(self.made.values()):9.0f} made, "
                     f"{sum(self.counted.values()):.0f} counted right")
        return "\n".join(lines)


def main():
    soak = Soak()
    host = soak.pair.host
    state = os.path.join(host.path.replace("/run/netns", "/tmp") + "-state")
    with servers.Nginx(host, 8443, versions="1.2 1.3") as nginx, \
            servers.SServer(host, 8444, alpn=["http/1.1"]) as plain, \
            running.Running(host, "--state-dir", state) as agent:
        soak.run(agent, nginx, plain)
        tests = [soak.no_errors, soak.flat, soak.exact, soak.seen, soak.last]
        tap.run(tests, lambda: net.read(agent.stderr_path)[-4000:])
        tap.show(soak.table())


main()
