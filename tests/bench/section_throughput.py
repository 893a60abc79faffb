# SPDX-License-Identifier: GPL-2.0-only
"""Throughput through a veth pair, with and without the agent at the server's end.

Machines are shared, and what neighbours take comes and goes within seconds: throughput of one second
differs from the next one's by tens of percent. So the two namespaces are joined by two veth pairs,
each with clients of its own, and the agent observes one of the two. Slices of a fifth of a second
take turns, in which the clients of one pair run and those of the other are stopped (SIGSTOP): one
that is observed and one that is not make a round. After some rounds another agent is started, which
observes the other pair; so what the two differ in falls on either side in turn. What is shown is the
median of all rounds, and between which two of them it is with 95 %. The same with programs that do
nothing in the agent's place tells what of it is the hook's.

Servers and clients have a processor each. What passed is counted by the kernel (bytes of the
server's veth) or by nginx (its stub_status), not by the client. Each load gives three rows: per
second; per second of processor time, which is steadier; and the share of the processor time that
went to the agent and its programs by the kernel's own clock, which hardly depends on neighbours, but
knows nothing of what the agent costs others by what it leaves in the caches.

Processor time is that of every process of the two namespaces and of ksoftirqd. The kernel's work for
packets is in it: without CONFIG_IRQ_TIME_ACCOUNTING softirqs are on the account of whom they
interrupt. The agent's own is all put on the observed slices, whenever it came.
"""
import contextlib
import http.client
import math
import os
import signal
import time

import running
import net
import pki
import programs
import servers
import tcx
from table import Row

TLS, STATUS, BULK = 8443, 8081, 5201
FOREVER = 600  # seconds
STATS = "kernel.bpf_stats_enabled"
SETTLE, SLICE = 0.06, 0.2  # seconds: the first part of a slice is not measured
DEVICES = ("eth0", "eth1")
TARGET = {"bulk": 0.99, "requests": 0.99, "handshakes": 0.98}


class TwoPairs(net.Pair):
    """Pair, and a second veth beside the first; `address` has the server's by device."""

    def __init__(self):
        super().__init__()
        net.connect(self.host, "eth1", self.client, "eth1")
        self.host.address("eth1", "10.77.1.1/24")
        self.client.address("eth1", "10.77.1.2/24")
        self.address = {"eth0": self.V4, "eth1": "10.77.1.1"}
        self.client.sysctl("ipv4/tcp_tw_reuse", 1)
        self.client.sysctl("ipv4/ip_local_port_range", "1024 65000")


class Web(servers.Nginx):
    """nginx without a log; it tells how many connections and requests it had."""

    def args(self):
        argv = super().args()
        path = os.path.join(self.dir, "nginx.conf")
        text = net.read(path).replace(f"access_log {self.dir}/access truth;", f"""access_log off;
	keepalive_requests 1000000000;
	server {{ listen 127.0.0.1:{STATUS}; location / {{ stub_status; }} }}""")
        self.file("nginx.conf", text)
        return argv

    def counts(self):
        """(connections, requests) so far."""
        with self.namespace.enter():
            connection = http.client.HTTPConnection("127.0.0.1", STATUS, timeout=5)
            connection.connect()
        with contextlib.closing(connection):
            connection.request("GET", "/")
            line = connection.getresponse().read().decode().splitlines()[2].split()
        return int(line[0]), int(line[2])


def pinned(namespace, cpu, program, *args):
    """Start a program on a processor; its output is nobody's."""
    with open(os.devnull, "wb") as null:
        return namespace.spawn(["taskset", "-c", str(cpu), programs.find(program), *args],
                               env=programs.env(program), stdout=null, stderr=null)


def cpus():
    """One for the servers, one for the clients."""
    there = sorted(os.sched_getaffinity(0))
    return there[0], there[-1]


class Load:
    """Clients that run all the time but are stopped, for each device."""

    def __init__(self, pair):
        self.pair, self.server_cpu, self.client_cpu = pair, *cpus()
        self.start_server()
        self.clients = {device: [pinned(pair.client, self.client_cpu, *argv)
                                 for argv in self.load(pair.address[device], device)]
                        for device in DEVICES}
        time.sleep(1)
        # What waits for work takes no processor time: a client's helper, a server's other worker.
        self.pids = pair.host.pids() + pair.client.pids() + running.ksoftirqd()
        for device in DEVICES:
            self.signal(device, signal.SIGSTOP)

    def signal(self, device, number):
        for process in self.clients[device]:
            running.tap.equal(process.poll(), None, f"{self.name}: {process.args}")
            process.send_signal(number)

    def slice(self, device):
        """(units, seconds, processor seconds) with the clients of the device."""
        self.signal(device, signal.SIGCONT)
        time.sleep(SETTLE)
        cpu, count, begin = running.cpu_seconds(self.pids), self.count(device), time.monotonic()
        time.sleep(SLICE)
        found = (self.count(device) - count, time.monotonic() - begin,
                 running.cpu_seconds(self.pids) - cpu)
        self.signal(device, signal.SIGSTOP)
        return found

    def close(self):
        for device in DEVICES:
            self.signal(device, signal.SIGCONT)
            for process in self.clients[device]:
                net.stop(process)
        self.stop_server()


class Bulk(Load):
    """One TCP connection, as fast as it goes."""

    name, unit, scale = "bulk", "Gbit", 8e-9

    def start_server(self):
        self.servers = []
        for n in range(len(DEVICES)):
            self.servers.append(pinned(self.pair.host, self.server_cpu, "iperf3", "-s", "-p",
                                       str(BULK + n)))
            running.tap.wait_for(lambda: self.pair.host.listening(BULK + n), "iperf3 to listen")

    @staticmethod
    def load(address, device):
        port = BULK + DEVICES.index(device)
        yield ["iperf3", "-c", address, "-p", str(port), "-t", str(FOREVER)]

    def count(self, device):
        with self.pair.host.enter(), open("/proc/thread-self/net/dev") as f:
            line = next(line for line in f if line.strip().startswith(device + ":"))
        return int(line.split(":")[1].split()[0])

    def stop_server(self):
        for process in self.servers:
            net.stop(process)


class OfNginx(Load):
    """Of which nginx counts the connections and requests."""

    def start_server(self):
        self.server = Web(self.pair.host, TLS, versions="1.3")
        for pid in self.pair.host.pids():
            os.sched_setaffinity(pid, {self.server_cpu})

    def stop_server(self):
        self.server.close()


class Requests(OfNginx):
    """Requests of a small answer on 16 connections of HTTP/2 that stay."""

    name, unit, scale = "requests", "request", 1

    @staticmethod
    def load(address, _):
        yield ["h2load", "-D", str(FOREVER), "-c16", "-m4", f"https://{address}:{TLS}/"]

    def count(self, _):
        return self.server.counts()[1]


class Handshakes(OfNginx):
    """New connections, each a whole TLS 1.3 handshake, of three clients."""

    name, unit, scale = "handshakes", "handshake", 1

    @staticmethod
    def load(address, _):
        for _ in range(3):
            yield ["openssl", "s_time", "-connect", f"{address}:{TLS}", "-new", "-tls1_3",
                   "-no-CAfile", "-no-CApath", "-no-CAstore", "-time", str(FOREVER)]

    def count(self, _):
        return self.server.counts()[0]


def cost(load, device, agent):
    """Of the processor time of a slice, the share that the agent and its programs had. The kernel
    measures the programs, and its looking at the clock is in it: that of the empty program is
    nearly all that."""
    def spent():
        return running.program_seconds(agent.pid or os.getpid()) + running.cpu_seconds([agent.pid])

    before = net.sh("sysctl", "-n", STATS)
    net.sh("sysctl", "-q", STATS + "=1")
    try:
        own = spent()
        _, _, cpu = load.slice(device)
        own = spent() - own
    finally:
        net.sh("sysctl", "-q", STATS + "=" + before.strip())
    # The programs' time is in @cpu, of which only a part of the slice was measured.
    return own / (cpu * (SETTLE + SLICE) / SLICE)


class Empty(contextlib.ExitStack):
    """Programs that do nothing in the agent's place: what having any costs."""

    pid = 0  # they are this process's

    def __init__(self, namespace, device):
        super().__init__()
        for side in tcx.SIDES:
            self.enter_context(tcx.Program(namespace, device, side, tcx.NEXT))


def observe(namespace, device, hook):
    """What is on the device in the slices that are compared: the agent, or programs only."""
    if hook == "empty program":
        return Empty(namespace, device)
    return running.Running(namespace, "--hook", "xdp" if hook == "XDP" else "auto",
                           interface=device)


def one_agent(load, device, pairs, hook):
    """[(without, with)], each (units per second, units per processor second), by an agent on the
    device; and the share of processor time that it cost."""
    other, found = DEVICES[1 - DEVICES.index(device)], []
    with observe(load.pair.host, device, hook) as agent:
        before = running.cpu_seconds([agent.pid])
        for n in range(pairs):
            # The one that is observed comes first in every other pair.
            both = {d: load.slice(d) for d in ((device, other) if n % 2 else (other, device))}
            found.append((both[other], both[device]))
        own = (running.cpu_seconds([agent.pid]) - before) / pairs
        share = cost(load, device, agent)
    own *= SLICE / (SETTLE + SLICE)  # of what it saw that part was counted
    return [(rates(load, *without), rates(load, *with_[:2], with_[2] + own))
            for without, with_ in found], share


def rates(load, units, seconds, cpu):
    return units * load.scale / seconds, units * load.scale / cpu


def certain(figures):
    """Where their median is with 95 %, whatever their distribution: by how many of them are on
    either side of it (binomial)."""
    figures, all_ways = sorted(figures), 2 ** len(figures)
    left_out, ways = 0, 1
    while 40 * (ways + math.comb(len(figures), left_out + 1)) <= all_ways:
        left_out += 1
        ways += math.comb(len(figures), left_out)
    return figures[left_out], figures[-1 - left_out]


def rows(load, hook, agents, pairs, target=None):
    found, shares = [], []
    for n in range(agents):
        some, share = one_agent(load, DEVICES[n % 2], pairs, hook)
        found += some
        shares.append(share)
    note = "" if target else "for information; "
    for i, per in enumerate(("s", "CPU s")):
        low, high = certain([b[i] / w[i] for w, b in found])
        yield Row("throughput", f"{load.name}, {hook}, per {'second' if per == 's' else per}",
                  f"{load.unit}/{per}", [w[i] for _, w in found], [b[i] for b, _ in found],
                  show="ratio", target=target, better="higher",
                  note=f"{note}median with 95 %: {low:.3f} to {high:.3f}")
    yield Row("throughput", f"{load.name}, {hook}, share of CPU time", "of CPU time", shares,
              note=note.rstrip("; "))


def run(quick):
    pki.make()
    pair, table = TwoPairs(), []
    agents, pairs, others = (2, 4, ()) if quick else (6, 8, ("empty program", "XDP"))
    for kind in (Bulk, Requests, Handshakes):
        with contextlib.closing(kind(pair)) as load:
            table += rows(load, "TC", agents, pairs, TARGET[load.name])
            for hook in others:
                if hook == "XDP" or tcx.supported(pair.host):
                    table += rows(load, hook, 2, pairs)
    return table
