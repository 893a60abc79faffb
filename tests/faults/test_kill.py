#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""SIGKILL at random moments of an agent's life, start and end included, while requests go on:
nothing of ours stays or is there twice once the next agent is ready, and no request fails."""
import contextlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import faults  # noqa: needs the path above
import servers
import tap
import tcx
from agent import BINARY, PORT, attachments, http_get
from net import Pair, sh

ROUNDS = int(os.environ.get("FAULTS_ROUNDS", faults.full(10, 100)))
SEED = int(os.environ.get("FAULTS_SEED", time.time()))
WHEN = ("start", "traffic", "end")
OURS = {"ingress": ["alpnscope_in"], "egress": ["alpnscope_out"]}
NONE = {"ingress": [], "egress": []}

net = Pair()
host = net.host
rng = random.Random(SEED)
HOOKS = [h for h in ("tcx", "clsact", "xdp") if h == "clsact" or tcx.supported(host)]


class Life:
    """Agents that follow each other, on the same files."""

    def __init__(self, directory):
        self.dir, self.process = directory, None
        self.stderr = os.path.join(directory, "stderr")
        self.socket = os.path.join(directory, "sock", "alpnscope.sock")
        os.mkdir(os.path.join(directory, "sock"))
        os.mkdir(os.path.join(directory, "text"))
        self.gone = {"prog": set(), "map": set(), "link": set()}  # of those that were killed

    def start(self, hook):
        with open(self.stderr, "wb") as err:
            self.process = host.spawn(
                [BINARY, "run", "-i", "eth0", "--hook", hook, "--socket", self.socket,
                 "--state-dir", os.path.join(self.dir, "state"), "--textfile",
                 os.path.join(self.dir, "text", "a.prom"),
                 "--web.listen-address", f"127.0.0.1:{PORT}"],
                stdout=subprocess.DEVNULL, stderr=err)

    def is_ready(self):
        if self.process.poll() is not None:
            with open(self.stderr) as f:
                raise AssertionError(f"alpnscope ended, {self.process.returncode}: {f.read()}")
        try:
            return http_get(host, "/-/ready")[0] == 200
        except OSError:
            return False

    def ready(self):
        """Seconds until it was."""
        begin = time.monotonic()
        tap.wait_for(self.is_ready, "the agent to be ready", 30)
        return time.monotonic() - begin

    def kill(self):
        """Stopped first, so that what it holds is known."""
        self.process.send_signal(signal.SIGSTOP)
        for kind, ids in faults.bpf_ids(self.process.pid).items():
            self.gone[kind] |= ids
        self.process.kill()
        self.process.wait()

    def end(self):
        """Seconds until it ended by SIGTERM."""
        begin = time.monotonic()
        self.process.terminate()
        tap.equal(self.process.wait(20), 0, "exit status after SIGTERM")
        return time.monotonic() - begin

    def left(self):
        """What the kernel still has of those that were killed."""
        found = {}
        for kind, gone in self.gone.items():
            there = {e["id"] for e in json.loads(sh("bpftool", "-j", kind, "show"))}
            if gone & there:
                found[kind] = sorted(gone & there)
        return found

    def files(self):
        """All that is in the directories."""
        return {os.path.relpath(os.path.join(at, name), self.dir)
                for at, _, names in os.walk(self.dir) for name in names} - {"stderr"}


def attached(hook):
    """(tcx, clsact, XDP programs) on eth0 by name."""
    clsact = {}
    for side in NONE:
        shown = json.loads(host.sh("tc", "-j", "filter", "show", "dev", "eth0", side) or "[]")
        clsact[side] = [f["options"]["prog"]["name"] for f in shown
                        if "prog" in f.get("options", {})]
    link, = json.loads(host.ip("-j", "-d", "link", "show", "eth0"))
    return ({side: tcx.names(host, "eth0", side) for side in NONE}, clsact,
            link.get("xdp", {}).get("prog", {}).get("name"))


def expected(hook):
    if hook == "xdp":
        return {"ingress": [], "egress": ["alpnscope_out"]}, NONE, "alpnscope_xdp"
    return (OURS, NONE, None) if hook == "tcx" else (NONE, OURS, None)


def pinned():
    """Objects in bpffs with our name."""
    return [os.path.join(at, name) for at, dirs, names in os.walk("/sys/fs/bpf")
            for name in dirs + names if "alpnscope" in name]


def live(life, hook):
    """The next agent is ready: there is one of everything."""
    tap.equal(attached(hook), expected(hook), f"attached by {hook}")
    tap.wait_for(lambda: not life.left(), f"the kernel to free {life.left()}", 5)
    tap.equal(len(os.listdir(os.path.dirname(life.socket))), 1, "sockets")
    tap.equal(life.files() - {"sock/alpnscope.sock", "text/a.prom", "state/lock",
                              "state/observed"}, set(), "other files")


def round_(life, when, hook, took):
    life.start(hook)
    if when == "start":
        time.sleep(rng.uniform(0, took["start"]))
        life.kill()
        return
    life.ready()
    live(life, hook)
    time.sleep(rng.uniform(0, 0.3))
    if when == "end":
        life.process.terminate()
        time.sleep(rng.uniform(0, took["end"]))
    life.kill()


def measure(life):
    """How long a start and an end take here, and that they leave nothing."""
    life.start("tcx" if "tcx" in HOOKS else "clsact")
    took = {"start": life.ready()}
    took["end"] = life.end()
    return took


def kill():
    """SIGKILL at random moments: nothing is left or doubled, no request fails"""
    before, pins = attachments(host), pinned()
    counts = dict.fromkeys(WHEN, 0)
    with tempfile.TemporaryDirectory(prefix="alpnscope-") as directory:
        life = Life(directory)
        with faults.Traffic(net.client, net.V4, server.port) as traffic, \
                contextlib.ExitStack() as stack:
            stack.callback(lambda: life.process.poll() is None and life.kill())
            took = measure(life)
            for i in range(ROUNDS):
                when = WHEN[i % len(WHEN)]
                round_(life, when, rng.choice(HOOKS), took)
                counts[when] += 1
            slowest = 0
            for hook in HOOKS:  # after each of them the last round's remains are gone
                life.start(hook)
                slowest = max(slowest, life.ready())
                live(life, hook)
                life.end()
            requests = traffic.stop()
        tap.equal(attachments(host), before, "attached at the end")
        tap.equal(pinned(), pins, "pinned")
        tap.equal(life.files() - {"text/a.prom", "state/lock", "state/observed"}, set(), "files")
        tap.wait_for(lambda: not life.left(), "the kernel to free everything", 5)
    killed = ", ".join(f"{n} at {when}" for when, n in counts.items())
    faults.row("agent killed", f"SIGKILL, {killed}, hooks {', '.join(HOOKS)}; {requests} requests "
               "meanwhile",
               "requests: 0 (each was checked); handshakes in flight and what was counted: with "
               "the agent",
               f"next agent ready in {slowest:.1f} s at most; "
               f"{sum(map(len, life.gone.values()))} programs, maps, links of the killed gone, "
               "nothing doubled")


with servers.Nginx(host, 8443) as server:
    print("# FAULTS_SEED", SEED)
    tap.run([kill])
