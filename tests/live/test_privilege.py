#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Least privilege: with which capabilities the agent starts, as a user that is not root, what it
keeps once it runs, and what it says it cannot do without the others."""
import contextlib
import ctypes
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import agent as agentlib  # noqa: needs the path above
import clients
import judge
import net as netlib
import privilege
import servers
import tap
import tcx
from agent import Agent
from cgroup import In
from clients import H2
from net import Pair
from privilege import NAMES, NOBODY, OBSERVE

net = Pair()
host = net.host
scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
os.chmod(scratch.name, 0o755)
# Where a user that is not root can reach it, wherever the checkout is.
agentlib.BINARY = shutil.copy(agentlib.BINARY, scratch.name)
LATE, LATE_CLIENT = "10.81.0.1", "10.81.0.2"
MUTE = 9001
# Before Linux 5.19 any bpf() takes it.
BPF = {"bpf"} if tuple(map(int, os.uname().release.split(".")[:2])) < (5, 19) else set()
FOLLOW = BPF | (set() if tcx.supported(host) else {"net_admin"})


def start(caps, *args, **kwargs):
    return Agent(In(host, prefix=privilege.only(caps)), *args, owner=NOBODY, **kwargs)


def keeps(agent, want, bounds=True):
    """Every thread has these at the most, the first exactly these, and no way to more."""
    threads = privilege.status(agent.process.pid)
    for number, fields in threads.items():
        got = fields["CapEff"]
        tap.equal(got if number == agent.process.pid else got - want,
                  want if number == agent.process.pid else set(), f"CapEff of {number}")
        tap.equal((fields["CapPrm"], fields["CapInh"], fields["CapAmb"], fields["NoNewPrivs"]),
                  (got, set(), set(), "1"), f"the other sets of {number}")
        if bounds:
            tap.equal(fields["CapBnd"], got, f"CapBnd of {number}")
    return threads


def observed(agent, namespace=net.client, address=net.V4):
    agent.mark()
    truth = clients.python(namespace, address, server.port, clients.name(), H2, "1.2")
    tap.equal((truth.completed, truth.negotiated), (True, "h2"), truth.output)
    judge.check(agent, truth, server, address, outcome="negotiated")


@contextlib.contextmanager
def late():
    """An interface that comes when the agent runs."""
    namespace = netlib.Namespace("late")
    netlib.connect(host, "late0", namespace, "eth0")
    host.address("late0", LATE + "/24")
    namespace.address("eth0", LATE_CLIENT + "/24")
    try:
        yield namespace
    finally:
        namespace.close()  # and the pair with it
        tap.wait_for(lambda: "late0" not in host.ip("link"), "late0 to go")


def lives(agent, want, bounds=True):
    """A handshake, one on an interface that came later, the end: all with what it kept."""
    keeps(agent, want, bounds)
    observed(agent)
    with late() as namespace:
        tap.wait_for(lambda: agent.metrics().sum("alpnscope_interfaces", state="attached") == 3,
                     "late0 to be attached: " + agent.stderr())
        observed(agent, namespace, LATE)
    agent.drain()
    agent.stop()


def three():
    """CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON alone, as nobody: observes, and keeps none by tcx"""
    with start(OBSERVE) as agent:
        for fields in privilege.status(agent.process.pid).values():
            tap.equal(fields["Uid"].split(), [str(NOBODY)] * 4, "user")
        tap.equal(privilege.is_hidden(agent.process.pid), True, "not dumpable")
        # What it cannot drop without CAP_SETPCAP is what it was given, and no_new_privs voids it.
        for fields in privilege.status(agent.process.pid).values():
            tap.equal(fields["CapBnd"] <= OBSERVE, True, f"CapBnd {fields['CapBnd']}")
        lives(agent, FOLLOW, bounds=False)


def filters():
    """by clsact it keeps CAP_NET_ADMIN, which filters of later interfaces take"""
    with start(OBSERVE, "--hook", "clsact") as agent:
        lives(agent, BPF | {"net_admin"}, bounds=False)


def needed():
    """each of the three is needed: without it the agent says so, and ends"""
    with tempfile.TemporaryDirectory(prefix="alpnscope-") as there:
        os.chown(there, NOBODY, NOBODY)
        for cap in OBSERVE:
            done = subprocess.run(
                host.argv([*privilege.only(OBSERVE - {cap}), agentlib.BINARY, "run", "-i", "eth0",
                           "--socket", there + "/socket"]),
                capture_output=True, text=True, timeout=30)
            tap.equal((done.returncode, f"this process lacks CAP_{cap.upper()};" in done.stderr),
                      (1, True), done.stderr)


def unanswered(agent):
    """The event of a hello to root's server that answers nothing: known by who listens only."""
    agent.mark()
    truth = clients.python(host, "127.0.0.1", MUTE, clients.name(), H2, "1.2")
    tap.equal(truth.completed, False, "the handshake was completed")
    event, = agent.since(1)
    tap.equal(event["alpn"]["role"], "server", "role")
    return event


def missing():
    """who listens is named with CAP_DAC_READ_SEARCH and CAP_SYS_PTRACE only; said without"""
    program = ("import socket\ns = socket.create_server(('127.0.0.1', %d))\nwhile True:\n"
               "\tc = s.accept()[0]\n\tc.recv(9999)\n\tc.close()" % MUTE)
    mute = host.spawn([sys.executable, "-c", program])
    tap.wait_for(lambda: host.listening(MUTE), "the server that answers nothing")
    for extra in (set(), {"sys_ptrace"}, {"dac_read_search"}, NAMES):
        with start(OBSERVE | extra, interface="lo") as agent:
            for cap in NAMES:
                said = f"CAP_{cap.upper()}" in agent.stderr()
                tap.equal(said, cap not in extra, f"{cap}: {agent.stderr()}")
            keeps(agent, FOLLOW | extra, bounds=False)
            event = unanswered(agent)
            tap.equal(event["service"]["name"], "python3" if extra == NAMES else None,
                      f"with {extra}: {event}")
            agent.stop()
    netlib.stop(mute)


def root():
    """of root's capabilities those that names take are left, in the bounding set as well"""
    with Agent(host) as agent:
        lives(agent, FOLLOW | NAMES)


def foreign_directory():
    """root keeps CAP_DAC_OVERRIDE only if files are to be written where it could not without"""
    path = os.path.join(scratch.name, "collector")
    os.mkdir(path)
    for owner, extra in ((0, set()), (NOBODY, {"dac_override"})):
        os.chown(path, owner, owner)
        with Agent(host, "--textfile", path + "/alpnscope.prom") as agent:
            keeps(agent, FOLLOW | NAMES | extra)
            os.unlink(path + "/alpnscope.prom")
            agent.stop()
        tap.equal(os.listdir(path), ["alpnscope.prom"], "written at the end")
        os.unlink(path + "/alpnscope.prom")


def password_thread():
    """the thread that compares passwords has none, and compares"""
    users = os.path.join(scratch.name, "web.yml")
    with open(users, "w") as f:  # the word is "right", of cost 4
        f.write("basic_auth_users:\n  u: " + bcrypt("right") + "\n")
    argv = host.argv([agentlib.BINARY, "run", "-i", "eth0", "--socket",
                      scratch.name + "/web.sock", "--web.config.file", users,
                      "--web.listen-address", "127.0.0.1:10037"])
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
    try:
        while "ready" not in process.stderr.readline():
            tap.equal(process.poll(), None, "ended")
        threads = privilege.status(process.pid)
        tap.equal(len(threads), 2, f"threads {threads}")
        for number, fields in threads.items():
            tap.equal((fields["CapEff"], fields["NoNewPrivs"]),
                      (FOLLOW | NAMES if number == process.pid else set(), "1"), "its sets")
        for word, status in (("right", "200"), ("wrong", "401")):
            tap.equal(host.sh("curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-u",
                              "u:" + word, "http://127.0.0.1:10037/metrics"), status, word)
    finally:
        process.terminate()
        process.wait(10)


def bcrypt(word):
    """By libxcrypt itself."""
    crypt = ctypes.CDLL("libcrypt.so.1").crypt
    crypt.restype = ctypes.c_char_p
    return crypt(word.encode(), b"$2b$04$abcdefghijklmnopqrstuu").decode()


def library():
    """--library keeps CAP_SYS_ADMIN, for programs that start later"""
    with Agent(host, "--library") as agent:
        keeps(agent, FOLLOW | NAMES | {"sys_admin"})
        agent.stop(30)


with servers.Nginx(host, 8443) as server:
    tap.run([three, filters, needed, missing, root, foreign_directory, password_thread, library])
