#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What befalls the agent from its host: disks, standard output, the clock, descriptors, memory."""
import contextlib
import datetime
import json
import os
import re
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "bench"))
import clients  # noqa: needs the path above
import faults
import frames
import net as netlib
import servers
import tap
from agent import Agent, check_ledgers
from net import Pair

PORT = 8443
HANDSHAKES = faults.full(3000, 20_000)
MEMORY_MIB = 64
net = Pair()
host = net.host


def shell(script):
    """What starts a program from a shell command that ends in "$@"."""
    return "sh", "-c", script, "sh"


def handshakes(count, sni="many.test", first=0):
    """As frames; each is one event."""
    made = frames.Frames(net.V4, sni)
    with frames.onto(net.client, "eth0") as s:
        frames.send(s, made, range(first, first + count), 20_000)


def counted(agent, count):
    """Wait until so many events were counted, and check the ledgers."""
    def total(name):
        return agent.metrics().sum(f"alpnscope_{name}")

    def there():
        metrics = agent.metrics()
        return metrics if metrics.sum("alpnscope_events_counted_total") >= count and \
            not metrics.sum("alpnscope_events_held") else None
    try:
        # A handshake whose answer was lost on a busy machine is an event after 10 s.
        metrics = tap.wait_for(there, f"{count} events", 25)
    except AssertionError as e:
        raise AssertionError(f"{e}: " + ", ".join(
            f"{name} {total(name):.0f}" for name in
            ("hellos_total", "records_total", "repeats_total", "orphans_total", "lost_total",
             "in_flight", "events_merged_total", "events_counted_total"))) from None
    check_ledgers(metrics)
    tap.equal(metrics.sum("alpnscope_lost_total"), 0, "hellos lost")
    return metrics


def ended(agent, status=0):
    agent.process.terminate()
    tap.equal(agent.process.wait(10), status, "exit status; " + agent.stderr())


def one(agent, pair=net):
    """A real handshake, which is counted; the output may be gone. Seconds until then."""
    had = agent.metrics().sum("alpnscope_events_counted_total")
    truth = clients.python(pair.client, pair.V4, PORT, clients.name(), clients.H2, "1.2")
    tap.equal(truth.completed, True, truth.output)
    begin = time.monotonic()
    counted(agent, had + 1)
    return time.monotonic() - begin


# ---- disk ----


class Disk:
    """An agent with a small disk of its own, full from soon after its start on. The textfile is
    written every 15 s: other tests go on meanwhile."""

    def __init__(self):
        self.pair = Pair()
        self.server = servers.Nginx(self.pair.host, PORT)
        self.mount = tempfile.mkdtemp(prefix="alpnscope-disk-")
        mount = f"mount -t tmpfs -o size=256k tmpfs {self.mount} && mkdir {self.mount}/text"
        self.agent = Agent(self.pair.host, "--state-dir", f"{self.mount}/state", "--textfile",
                           f"{self.mount}/text/a.prom",
                           wrap=("unshare", "--mount", *shell(f'{mount} && exec "$@"')))
        self.at = os.open(f"/proc/{self.agent.process.pid}/root{self.mount}", os.O_RDONLY)
        with open("filler", "wb", buffering=0, opener=self.opener) as filler, \
                contextlib.suppress(OSError):
            while True:
                filler.write(bytes(4096))
        self.before = self.read("text/a.prom")

    def opener(self, path, flags):
        return os.open(path, flags, 0o600, dir_fd=self.at)

    def read(self, path):
        try:
            with open(path, opener=self.opener) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def one(self):
        return one(self.agent, self.pair)

    def said(self, text, seconds):
        tap.wait_for(lambda: text in self.agent.stderr(), f"{text!r} on stderr", seconds)

    def close(self):
        os.close(self.at)
        self.agent.close()
        self.server.close()
        os.rmdir(self.mount)


def disk_full():
    """A full disk: state and textfile stay whole, and are written when there is room"""
    disk.one()  # h2: it is learned, and cannot be kept
    disk.said("observed: No space left", 5)
    disk.said("cannot write", 17)
    tap.equal(disk.read("text/a.prom"), disk.before, "the textfile meanwhile")
    tap.equal(os.path.exists(f"/proc/self/fd/{disk.at}/text/a.prom.tmp"), False, "its new one")
    took = disk.one()
    tap.equal(disk.agent.stderr().count("No space left"), 2, disk.agent.stderr())
    os.unlink("filler", dir_fd=disk.at)
    begin, recovered = time.monotonic(), "both written at the agent's end"
    if faults.FULL:
        disk.said("is written again", 20)
        textfile = time.monotonic() - begin
        tap.wait_for(lambda: "h2" in disk.read("state/observed"), "the state to be kept", 70)
        recovered = f"textfile after {textfile:.0f} s, state after " \
            f"{time.monotonic() - begin:.0f} s"
    ended(disk.agent)
    tap.equal("h2" in disk.read("state/observed"), True, "the state in the end")
    tap.equal("alpn_handshakes_total{" in disk.read("text/a.prom"), True, "the textfile")
    faults.row("disk full", "no room for --state-dir and --textfile",
               "nothing observed; the files keep what they had, whole, and one line each says so",
               f"{recovered}; handshakes meanwhile exact ({1e3 * took:.0f} ms)")


def output_full():
    """A full disk behind stdout: said once, observing goes on"""
    with Agent(host, wrap=shell('exec "$@" >/dev/full')) as agent:
        for _ in range(3):
            took = one(agent)
        tap.equal(agent.stderr().count("No space left on device; events are no longer shown"), 1,
                  agent.stderr())
        ended(agent)
    faults.row("stdout's disk full", "writes fail with ENOSPC",
               "the events on stdout from then on; said once on stderr",
               f"metrics and socket go on: 3 handshakes exact ({1e3 * took:.0f} ms)")


# ---- standard output ----


def closed():
    """stdout closed: no other file gets its lines, observing goes on"""
    with Agent(host, wrap=shell('exec "$@" >&-')) as agent:
        target = os.readlink(f"/proc/{agent.process.pid}/fd/1")
        tap.equal(target, "/dev/null", "descriptor 1")
        for _ in range(3):
            one(agent)
        tap.equal(agent.stderr().count("events are no longer shown"), 1, agent.stderr())
        ended(agent)
    faults.row("stdout closed", ">&-", "the events on stdout; said once on stderr",
               "metrics and socket go on: 3 handshakes exact")


class Piped(Agent):
    """Its stdout is a pipe that this test reads, or does not."""

    def __init__(self, *args):
        self.fifo = tempfile.mktemp(prefix="alpnscope-fifo-")
        os.mkfifo(self.fifo)
        self.reader = os.open(self.fifo, os.O_RDONLY | os.O_NONBLOCK)
        super().__init__(host, *args, wrap=shell(f'exec "$@" >{self.fifo}'))

    def close(self):
        super().close()
        if self.reader is not None:
            os.close(self.reader)
        os.unlink(self.fifo)

    def leave(self):
        os.close(self.reader)
        self.reader = None

    def read(self, at_least, timeout=10):
        """Lines, until the events and those that were left out are so many."""
        text, end = b"", time.monotonic() + timeout
        while self.told(text) < at_least:
            if time.monotonic() > end:
                raise AssertionError(f"{self.told(text)} of {at_least} events in {timeout} s")
            with contextlib.suppress(BlockingIOError):
                text += os.read(self.reader, 1 << 20)
        return [json.loads(line) for line in text.splitlines()]

    @staticmethod
    def told(text):
        lines = text[:text.rfind(b"\n") + 1].splitlines()
        return sum(json.loads(line)["alpnscope"]["dropped"] if line.startswith(b'{"alpnscope"')
                   else 1 for line in lines)


def reader_gone():
    """The reader of stdout leaves: observing goes on"""
    with Piped() as agent:
        one(agent)
        agent.leave()
        for _ in range(3):
            one(agent)
        tap.equal(agent.stderr().count("Broken pipe; events are no longer shown"), 1,
                  agent.stderr())
        ended(agent)
    faults.row("stdout's reader gone", "the pipe's reader leaves",
               "the events on stdout from then on; said once on stderr",
               "metrics and socket go on: 3 handshakes exact")


def reader_slow():
    """A pipe that nobody reads holds nothing up; what is left out is counted"""
    with Piped() as agent:
        handshakes(HANDSHAKES)
        counted(agent, HANDSHAKES)
        took = one(agent)
        memory = faults.own_memory(agent.process.pid)
        lines = agent.read(HANDSHAKES + 1)
        dropped = sum(l["alpnscope"]["dropped"] for l in lines if "alpnscope" in l)
        events = sum("alpnscope" not in l for l in lines)
        tap.equal(events + dropped, HANDSHAKES + 1, "events shown, and left out")
        tap.equal(dropped > 0, True, "some were left out")
        one(agent)
        last = agent.read(1)
        tap.equal(len(last), 1, "the next event")
        ended(agent)
    with Piped() as agent:  # nobody will ever read: it ends all the same
        handshakes(HANDSHAKES)
        counted(agent, HANDSHAKES)
        begin = time.monotonic()
        ended(agent)
        end = time.monotonic() - begin
        tap.equal(end < 5, True, f"seconds to end: {end}")
        tap.equal("events are lost" in agent.stderr(), True, agent.stderr())
    faults.row("stdout slow", f"{faults.number(HANDSHAKES)} events into a pipe that nobody reads",
               f"{faults.number(dropped)} events on stdout, counted by a line among them; in the "
               "metrics none", f"a handshake meanwhile: {1e3 * took:.0f} ms; ends in {end:.1f} s; "
               f"{memory / 1024:.1f} MiB of its own memory")


def rotated():
    """The log behind stdout is renamed, then truncated: no event is lost, none is cut"""
    with tempfile.TemporaryDirectory(prefix="alpnscope-") as directory:
        log = os.path.join(directory, "log")
        with Agent(host, wrap=shell(f'exec "$@" >>{log}')) as agent:
            one(agent)
            os.rename(log, log + ".1")
            one(agent)
            lines = netlib.read(log + ".1").splitlines()
            tap.equal(len([json.loads(line) for line in lines]), 2, "events in the renamed file")
            tap.equal(os.path.exists(log), False, "a new log")
            os.truncate(log + ".1", 0)  # as logrotate's copytruncate
            one(agent)
            lines = netlib.read(log + ".1").splitlines()
            tap.equal(len([json.loads(line) for line in lines]), 1, "events since the truncation")
            ended(agent)
    faults.row("log rotated", "stdout's file renamed; truncated (opened by >>)", "nothing",
               "it goes on in the same file; copytruncate needs >>")


# ---- clock, descriptors, memory ----


def stepped(agent, step, seconds):
    with open(step, "w") as f:
        f.write(str(seconds))
    name = clients.name()
    clients.python(net.client, net.V4, PORT, name, clients.H2, "1.2")
    event = tap.wait_for(lambda: [e for e in agent.events()
                                  if e["tls"]["client"].get("server_name") == name],
                         "the event", 5)[0]
    stamp = datetime.datetime.fromisoformat(event["@timestamp"][:19] + "+00:00").timestamp()
    off = stamp - time.time()
    tap.equal(abs(off - seconds) < 2, True, f"@timestamp is off by {off}, the clock by {seconds}")
    tap.equal(0 < event["event"]["duration"] < 5e9, True, f"duration {event['event']['duration']}")


def clock_stepped():
    """CLOCK_REALTIME steps by an hour and back: times follow, durations and deadlines do not"""
    with tempfile.TemporaryDirectory(prefix="alpnscope-") as directory:
        library, step = os.path.join(directory, "clock.so"), os.path.join(directory, "step")
        netlib.sh("cc", "-shared", "-fPIC", "-O1", "-o", library, os.path.join(HERE, "clock.c"))
        with open(step, "w") as f:
            f.write("0")
        with Agent(host, wrap=("env", f"LD_PRELOAD={library}", f"CLOCK_STEP={step}")) as agent:
            for seconds in (0, 3600, -3600, 86400 * 365):
                stepped(agent, step, seconds)
            # A hello without an answer is still given up after 10 s, whatever the clock says.
            if faults.FULL:
                made = frames.Frames(net.V4)
                with frames.onto(net.client, "eth0") as s:
                    s.send(made.number(1, 443)[0])
                begin = time.monotonic()
                stepped(agent, step, -86400)
                tap.wait_for(lambda: not agent.metrics().sum("alpnscope_in_flight"), "its end", 15)
                took = time.monotonic() - begin
                tap.equal(9 < took < 12, True, f"seconds until it was given up: {took}")
            agent.drain()
            agent.stop()
    faults.row("clock stepped", "CLOCK_REALTIME +1 h, -1 h, +1 year (of the agent alone, by a "
               "preloaded library: the machine's clock is everybody's)", "nothing",
               "@timestamp follows with the next event; durations and deadlines are of the "
               "monotonic clock")


def few_files(limit):
    """Few descriptors: it says why it cannot start, or goes on"""
    wrap = ("prlimit", f"--nofile={limit}:{limit}")
    try:
        agent = Agent(host, interface="eth0", wrap=wrap)
    except AssertionError as e:
        said = str(e)
        tap.equal("ended, 1:" in said and "Too many open files" in said, True, said)
        return "refuses to start: " + said.partition("alpnscope: ")[2].partition(";")[0]
    with agent:
        sockets = []
        with host.enter():
            for _ in range(100):
                s = netlib.socket.socket()
                s.setblocking(False)
                s.connect_ex(("127.0.0.1", 10035))
                sockets.append(s)
        time.sleep(0.5)
        busy = cpu(agent.process.pid)
        time.sleep(0.5)
        busy = cpu(agent.process.pid) - busy
        tap.equal(busy < 0.25, True, f"CPU seconds in 0.5 s while descriptors are used up: {busy}")
        event = faults.seen(agent, net.client, net.V4, PORT)
        tap.equal(event["tls"]["next_protocol"], "h2")
        for s in sockets:
            s.close()
        begin = time.monotonic()
        tap.wait_for(lambda: scrapes(agent), "a scrape to work again", 5)
        took = time.monotonic() - begin
        agent.drain()
        agent.stop()
        return f"handshakes exact meanwhile; scrapes again after {took:.2f} s"


def cpu(pid):
    fields = netlib.read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def scrapes(agent):
    try:
        return agent.metrics()
    except OSError:
        return None


def files():
    """Few descriptors, with 100 connections to the web server on top"""
    for limit in faults.full((24, 32), (24, 32, 40, 48, 64)):
        result = few_files(limit)
        faults.row(f"{limit} descriptors", f"RLIMIT_NOFILE {limit}, 100 connections to /metrics",
                   "nothing observed" if "exact" in result else "it does not start", result)


def memory_group(mib):
    """(directory, how a shell enters it) of a memory cgroup with that limit; version 2 or 1."""
    for root, name in (("/sys/fs/cgroup", "memory.max"),
                       ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")):
        path = f"{root}/alpnscope-test-{os.getpid()}"
        try:
            os.mkdir(path)
        except OSError:
            continue
        try:
            if not os.path.exists(f"{path}/{name}"):  # no such controller, or no cgroup at all
                raise OSError
            with open(f"{path}/{name}", "w") as f:
                f.write(str(mib << 20))
            return path
        except OSError:
            os.rmdir(path)
    raise tap.Skip("no memory cgroup can be made here")


def memory():
    """A small memory cgroup: it lives through a flood of names and services"""
    path = memory_group(MEMORY_MIB)
    try:
        with Agent(host, output="columns",
                   wrap=shell(f'echo $$ >{path}/cgroup.procs && exec "$@" >/dev/null')) as agent:
            rounds = faults.full(4, 10)
            for i in range(rounds):
                made = frames.Frames(net.V4, f"name{i}.test")
                with frames.onto(net.client, "eth0") as s:
                    frames.send(s, made, range(i * HANDSHAKES, (i + 1) * HANDSHAKES), 20_000,
                                port=lambda n: 1 + n % 60000)
            counted(agent, rounds * HANDSHAKES)
            took = one(agent)
            peak = max((int(netlib.read(f"{path}/{name}") or 0) for name in
                        ("memory.peak", "memory.max_usage_in_bytes")))
            killed = re.search(r"^oom_kill (\d+)", netlib.read(f"{path}/memory.events") +
                               netlib.read(f"{path}/memory.oom_control"), re.M)
            tap.equal(killed and killed[1], "0", "processes killed for memory")
            agent.stop()
    finally:
        tap.wait_for(lambda: not netlib.read(f"{path}/cgroup.procs"), "the cgroup to be empty")
        os.rmdir(path)
    faults.row("little memory", f"memory cgroup of {MEMORY_MIB} MiB, maps included; "
               f"{faults.number(rounds * HANDSHAKES)} handshakes with "
               f"{faults.number(min(rounds * HANDSHAKES, 60_000))} ports", "nothing",
               f"stays; {peak / (1 << 20):.0f} MiB at most; handshake {1e3 * took:.0f} ms")


with servers.Nginx(host, PORT), contextlib.closing(Disk()) as disk:
    tap.run([output_full, closed, reader_gone, reader_slow, rotated, clock_stepped, files, memory,
             disk_full])
