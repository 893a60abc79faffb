#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Floods against the agent's web server and unix socket: events come as soon as ever, memory has a
bound, and scrapes work again at once."""
import contextlib
import os
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "bench"))
import faults  # noqa: needs the path above
import frames
import pki
import section_latency as latency
import tap
from agent import PORT, Agent, Metrics, check_ledgers
from net import Pair

CONNECTIONS = faults.full(300, 1000)
SAMPLES, RATE = faults.full(100, 1000), 200
SLOWER = 2  # times the baseline's p99
TRIES = 3  # the machine has other things to do
MEMORY_KIB = 16 << 10
AGAIN_S = 2
ALICE = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi"  # fakepassword

net = Pair()
scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
host = net.host
made = frames.Frames(net.V4)
numbers = iter(range(1 << 30))
baseline = {}  # p99 without a flood, of each agent


class Flood:
    """flood.py, under way when the constructor returns."""

    def __init__(self, kind, to):
        self.process = host.spawn([sys.executable, os.path.join(HERE, "flood.py"), kind,
                                   str(CONNECTIONS), str(to)], stdout=subprocess.PIPE, text=True)
        tap.equal(self.process.stdout.readline(), "going\n", "what the flood says")

    def end(self):
        """How many there were."""
        self.process.terminate()
        count = int(self.process.stdout.readline() or 0)
        self.process.wait()
        return count


def scrape(secure):
    argv = ["curl", "-sf", "--max-time", "5", "--cacert", pki.CA]
    argv += ["-u", "alice:fakepassword"] if secure else []
    url = f"http{'s' if secure else ''}://127.0.0.1:{PORT}/metrics"
    done = subprocess.run(host.argv([*argv, url]), capture_output=True, text=True, check=False)
    return done.stdout if done.returncode == 0 else None


def p99(agent, flood=None):
    """(p99 of SAMPLES handshakes in seconds, the most memory meanwhile); what flood() starts
    goes on for them."""
    memory = 0
    with contextlib.closing(latency.Watch(host, agent)) as watch:
        going = flood() if flood else None
        try:
            with frames.onto(net.client, "eth0") as s:
                frames.send(s, made, [next(numbers) for _ in range(SAMPLES)], RATE)
            tap.wait_for(lambda: len(watch.lines) >= SAMPLES,
                         f"{SAMPLES} events, have {len(watch.lines)}", 20)
            memory = faults.own_memory(agent.process.pid)
        finally:
            count = going.end() if going else 0
    found = sorted(watch.latencies())
    return found[len(found) * 99 // 100], memory, count


def start(secure):
    """The agent of all floods of a kind."""
    args = []
    if secure:
        pki.make()
        with open(os.path.join(scratch.name, "web.yml"), "w") as f:
            f.write(f"tls_server_config:\n  cert_file: {pki.CERT}\n  key_file: {pki.KEY}\n"
                    f"basic_auth_users:\n  alice: {ALICE}\n")
        args = ["--web.config.file", f.name]
    return WebAgent(host, *args, interface="eth0", output="columns")


def one_event():
    """Whoever asks now is shown the next handshake."""
    with contextlib.closing(latency.Watch(host, agent)) as watch:
        with frames.onto(net.client, "eth0") as s:
            frames.send(s, made, [next(numbers)], 1)
        tap.wait_for(lambda: watch.lines, "the event of a new watch")


def flooded(kind, to_socket, secure, what):
    before = faults.own_memory(agent.process.pid)
    for attempt in range(TRIES):
        if attempt or agent.process.pid not in baseline or faults.FULL:
            baseline[agent.process.pid], _, _ = p99(agent)
        quiet = baseline[agent.process.pid]
        begin = time.monotonic()
        loud, memory, count = p99(agent, lambda: Flood(kind, agent.socket if to_socket else PORT))
        took = time.monotonic() - begin
        if loud <= SLOWER * quiet:
            break
    begin = time.monotonic()
    metrics = Metrics(tap.wait_for(lambda: scrape(secure), "a scrape to work again"))
    again = time.monotonic() - begin
    check_ledgers(metrics)
    one_event()
    tap.equal(loud <= SLOWER * quiet, True, f"p99 {1e3 * loud:.1f} ms, without {1e3 * quiet:.1f}")
    tap.equal(memory - before <= MEMORY_KIB, True, f"KiB of memory more: {memory - before}")
    tap.equal(again < AGAIN_S, True, f"seconds until a scrape works again: {again}")
    faults.row(what, f"{faults.number(count)} in {took:.1f} s, at "
               f"{'the unix socket' if to_socket else 'https' if secure else 'http'}",
               "nothing observed", f"p99 from packet to event {1e3 * loud:.1f} ms, without it "
               f"{1e3 * quiet:.1f}; {(memory - before) / 1024:+.1f} MiB; scrape again after "
               f"{1e3 * again:.0f} ms")


class WebAgent(Agent):
    """Ready by what it says: not every one answers in plain HTTP."""

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"alpnscope ended, {self.process.returncode}: {self.stderr()}")
        return "ready" in self.stderr()


def each(kind, what, to_socket=False, secure=False):
    return tap.named(f"{what}: events, memory and scrapes stay", flooded, kind, to_socket, secure,
                     what)


def restart():
    """The agent ends well after the floods, and another begins, with TLS and users"""
    global agent
    agent.process.terminate()
    tap.equal(agent.process.wait(10), 0, "exit status; " + agent.stderr())
    agent.close()
    agent = start(True)


agent = start(False)
tap.run([
    each("slow", "slow connections"),
    each("headers", "headers of 1 MiB"),
    each("garbage", "garbage"),
    each("slow", "readers that ask nothing", to_socket=True),
    each("garbage", "garbage for the socket", to_socket=True),
    restart,
    each("tls_garbage", "TLS garbage", secure=True),
    each("handshakes", "TLS handshakes", secure=True),
    each("passwords", "wrong passwords", secure=True),
])
agent.close()
