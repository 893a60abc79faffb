#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Many processes make handshakes at once, and the kernel moves their packets to other CPUs: each
handshake is told of the process and cgroup that made it, or of none, never of another."""
import collections
import contextlib
import json
import os
import socket
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import cgroup  # noqa: needs the path above
import clients
import servers
import tap
from agent import Agent
from clients import H2
from net import Namespace, Pair, connect

PROCESSES, EACH, GROUPS = 16, 60, 4
net = Pair()
inside = Namespace("inside")
connect(net.host, "veth1", inside, "eth0")
net.host.address("veth1", "10.78.0.1/24")
inside.address("eth0", "10.78.0.2/24")
RPS = "/sys/class/net/veth1/queues/rx-0/rps_cpus"


class Placed:
    """The host, its programs in a cgroup."""

    def __init__(self, group):
        self.group = group

    def __getattr__(self, name):
        return getattr(net.host, name)

    def spawn(self, argv, **kwargs):
        return net.host.spawn(self.group.argv(argv), **kwargs)


def worker(number, group, namespace, address, ports):
    """What process `number` does: EACH handshakes from local ports that it tells."""
    group.enter()
    with open("/proc/self/comm", "w") as f:
        f.write(f"w{number}")
    context = clients.python_context(H2, "1.2")
    said = []
    with namespace.enter():
        for n in range(EACH):
            port = ports[n % len(ports)]
            with socket.create_connection((address, port), timeout=30) as raw:
                mine = raw.getsockname()[1]
                with context.wrap_socket(raw, server_hostname="many.example.test"):
                    said.append([mine, port])
    return said


def fork(function, *args):
    """A child that runs function; its pid and where its answer is read from."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid:
        os.close(theirs)
        return pid, ours
    with contextlib.suppress(Exception):
        os.write(theirs, json.dumps(function(*args)).encode())
    os._exit(0)


def at_once(namespace, address):
    """{(client's port, server's port): (pid, name, cgroup)}, as the processes tell."""
    children = []
    for number in range(PROCESSES):
        group = CLIENTS[number % GROUPS]
        pid, pipe = fork(worker, number, group, namespace, address, list(SERVERS))
        children.append((pid, pipe, f"w{number}", group.path))
    truth = {}
    for pid, pipe, name, path in children:
        with os.fdopen(pipe) as f:
            for ports in json.loads(f.read() or "[]"):
                truth[tuple(ports)] = (pid, name, path)
        os.waitpid(pid, 0)
    tap.equal(len(truth), PROCESSES * EACH, "handshakes made")
    return truth


def server_of(event):
    group = SERVERS[event["server"]["port"]]
    with open(os.path.join(group.dir, "cgroup.procs")) as f:
        pids = f.read().split()
    process = event.get("process", {"pid": None})
    return ("right" if event["cgroup"]["path"] == group.path and
            event["service"]["name"] == os.path.basename(group.path) and
            str(process["pid"]) in pids else f"wrong: {process} {event['cgroup']}")


def client_of(event, truth):
    pid, name, path = truth[event["client"]["port"], event["server"]["port"]]
    peer = event["peer"]
    if peer["cgroup"]["path"] != path:
        return f"wrong cgroup {peer['cgroup']}"
    if "process" not in peer:
        return "cgroup alone"
    return "right" if peer["process"] == {"pid": pid, "name": name} else f"wrong {peer}"


def count(namespace, address, client):
    agent.mark()
    truth = at_once(namespace, address)
    events = agent.since(PROCESSES * EACH, 30)
    agent.drain()
    tap.equal(collections.Counter(client_of(e, truth) for e in events),
              {client: PROCESSES * EACH}, "clients")
    tap.equal(collections.Counter(server_of(e) for e in events), {"right": PROCESSES * EACH},
              "servers")


def local():
    """960 handshakes of 16 processes over loopback: 960 right, on both sides"""
    count(net.host, "127.0.0.1", "right")


def veth(cpus):
    """960 handshakes of 16 processes behind a veth: 960 cgroups right, no process guessed"""
    host_sys = "mount -t sysfs none /sys && echo {} > {}"
    net.host.sh("unshare", "--mount", "sh", "-c", host_sys.format(f"{cpus:x}", RPS))
    count(inside, "10.78.0.1", "cgroup alone")


try:
    SERVERS = {8443 + n: cgroup.Cgroup(f"/system.slice/server{n}.service") for n in range(GROUPS)}
    CLIENTS = [cgroup.Cgroup(f"/user.slice/session-{n}.scope") for n in range(GROUPS)]
except tap.Skip as reason:
    print(f"1..0 # SKIP {reason}")
    sys.exit()

with contextlib.ExitStack() as stack:
    for port, placed in SERVERS.items():
        stack.enter_context(servers.Nginx(Placed(placed), port))
    agent = stack.enter_context(Agent(net.host))
    tap.run([local, tap.named(veth.__doc__, veth, 0),
             tap.named(veth.__doc__ + ", moved to any CPU", veth, (1 << os.cpu_count()) - 1),
             tap.named("SIGTERM: exit 0, nothing left behind", agent.stop)], agent.diagnosis)
