# SPDX-License-Identifier: GPL-2.0-only
"""Network namespaces of a test's own, and the processes in them.

Names begin with `as<pid>-`; whatever this process made is gone when it ends. Namespaces of a
test that was killed are removed by the next one.
"""
import atexit
import contextlib
import ctypes
import itertools
import os
import re
import signal
import socket
import subprocess
import sys
import time

import cgroup
import tap

NETNS = "/run/netns"
CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)
_numbers = itertools.count(1)
_namespaces = []
_processes = []


def sh(*argv, check=True, timeout=30):
    """Run a command, return its stdout; AssertionError with its stderr when it fails."""
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          errors="replace", timeout=timeout)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}")
    return done.stdout


class Namespace:
    """A network namespace with its loopback up."""

    def __init__(self, name):
        self.name = f"as{os.getpid()}-{next(_numbers)}-{name}"
        self.path = f"{NETNS}/{self.name}"
        sh("ip", "netns", "add", self.name)
        _namespaces.append(self)
        self.ip("link", "set", "lo", "up")

    def ip(self, *args):
        return sh("ip", "-n", self.name, *args)

    def sh(self, *argv, **kwargs):
        """As sh(), inside. /sys stays the host's (nsenter, not `ip netns exec`)."""
        return sh(*self.argv(argv), **kwargs)

    def argv(self, argv):
        return ["nsenter", f"--net={self.path}", *argv]

    def spawn(self, argv, **kwargs):
        """Start a program inside; it is ended with the test at the latest."""
        kwargs.setdefault("stdin", subprocess.DEVNULL)
        process = subprocess.Popen(self.argv(argv), **kwargs)
        _processes.append(process)
        return process

    @contextlib.contextmanager
    def enter(self):
        """Sockets that this thread makes within the block belong to the namespace."""
        with open("/proc/thread-self/ns/net") as home, open(self.path) as there:
            _setns(there)
            try:
                yield
            finally:
                _setns(home)

    def listening(self, port):
        """Whether a TCP socket of this namespace listens on port."""
        tables = self.sh("cat", "/proc/net/tcp", "/proc/net/tcp6")
        return re.search(rf"^ *\d+: \w+:{port:04X} \w+:\w+ 0A ", tables, re.M) is not None

    def address(self, device, *addresses):
        for address in addresses:
            extra = ["nodad"] if ":" in address else []
            self.ip("addr", "add", address, "dev", device, *extra)

    def sysctl(self, name, value):
        with self.enter(), open(f"/proc/sys/net/{name}", "w") as f:
            f.write(str(value))

    def pids(self):
        return [int(p) for p in sh("ip", "netns", "pids", self.name, check=False).split()]

    def close(self):
        if self in _namespaces:
            _namespaces.remove(self)
        for pid in self.pids():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        sh("ip", "netns", "del", self.name, check=False)


def _setns(fd):
    if _libc.setns(fd.fileno(), CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


def stop(process, timeout=5.0):
    """End a process that spawn() started; its exit status."""
    if process in _processes:
        _processes.remove(process)
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def connect(a, a_device, b, b_device):
    """Join two namespaces by a veth pair, both ends up."""
    a.ip("link", "add", a_device, "type", "veth", "peer", "name", b_device, "netns", b.name)
    a.ip("link", "set", a_device, "up")
    b.ip("link", "set", b_device, "up")


def plain(pair, mtu):
    """The two ends of a Pair neither cut nor join segments, so a witness sees what the wire has."""
    for namespace in (pair.host, pair.client):
        namespace.sh("ethtool", "-K", "eth0", "gro", "off", "gso", "off", "tso", "off")
        namespace.ip("link", "set", "eth0", "mtu", str(mtu))


def wire(a, a_device, b, b_device, relay=("relay.py",)):
    """As connect(), but as if the two were different machines: tests/lib/relay.py (or another
    @relay, with what it is told beside the two devices) carries the frames, so that no socket of
    the one end is known at the other."""
    between = Namespace("wire-" + b.name.partition("-")[2])
    for namespace, device, end in ((a, a_device, "wire0"), (b, b_device, "wire1")):
        connect(namespace, device, between, end)
        # A relayed frame is sent as it is: its checksum must be there.
        namespace.sh("ethtool", "-K", device, "tx", "off", "tso", "off", "gso", "off")
    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), relay[0])
    between.spawn([sys.executable, program, "wire0", "wire1", *relay[1:]])


class Pair:
    """`host`, where the agent and the servers are, joined to `client`."""

    V4, V6 = "10.77.0.1", "fd00:77::1"
    CLIENT_V4, CLIENT_V6 = "10.77.0.2", "fd00:77::2"

    def __init__(self):
        self.host, self.client = Namespace("host"), Namespace("client")
        connect(self.host, "eth0", self.client, "eth0")
        self.host.address("eth0", self.V4 + "/24", self.V6 + "/64")
        self.client.address("eth0", self.CLIENT_V4 + "/24", self.CLIENT_V6 + "/64")


class Remote(Pair):
    """Pair as if the client were another machine."""

    relay = ["relay.py"]  # and what it is told beside the two devices: the host's, the client's

    def __init__(self):
        self.host, self.client = Namespace("host"), Namespace("client")
        wire(self.host, "eth0", self.client, "eth0", self.relay)
        self.host.address("eth0", self.V4 + "/24", self.V6 + "/64")
        self.client.address("eth0", self.CLIENT_V4 + "/24", self.CLIENT_V6 + "/64")


class Bridged(Pair):
    """Pair, and in `host` a bridge br0 with containers `srv1` and `srv2` on it.

    The client reaches the containers through the host, which forwards.
    """

    def __init__(self):
        super().__init__()
        host = self.host
        host.sysctl("ipv4/ip_forward", 1)
        host.sysctl("ipv6/conf/all/forwarding", 1)
        host.ip("link", "add", "br0", "type", "bridge")
        host.address("br0", "10.78.0.1/24", "fd00:78::1/64")
        host.ip("link", "set", "br0", "up")
        self.srv = [self.container(n) for n in (1, 2)]
        self.client.ip("route", "add", "10.78.0.0/24", "via", self.V4)
        self.client.ip("-6", "route", "add", "fd00:78::/64", "via", self.V6)

    def container(self, n):
        srv = Namespace(f"srv{n}")
        connect(self.host, f"veth-srv{n}", srv, "eth0")
        self.host.ip("link", "set", f"veth-srv{n}", "master", "br0")
        srv.address("eth0", f"10.78.0.{10 + n}/24", f"fd00:78::{10 + n}/64")
        srv.ip("route", "add", "default", "via", "10.78.0.1")
        srv.ip("-6", "route", "add", "default", "via", "fd00:78::1")
        return srv


def send_frames(namespace, device, frames):
    """Put Ethernet frames on a device as they are, as if the namespace had made them."""
    with namespace.enter(), socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as s:
        s.bind((device, 0))
        for frame in frames:
            s.send(frame)


def wait_listening(namespace, port, process, log):
    """Wait for a server; fail with its log when it ends or does not come."""
    def up():
        if process.poll() is not None:
            raise AssertionError(f"{process.args[2]} ended: {process.returncode}: {read(log)}")
        return namespace.listening(port)
    tap.wait_for(up, f"{process.args[2]} to listen on {port}: {read(log)}")


def read(path):
    try:
        with open(path, errors="replace") as f:
            return f.read()
    except FileNotFoundError:
        return ""


def _close_all():
    for process in _processes[:]:
        if process.poll() is None:
            process.terminate()
    end = time.monotonic() + 2
    for process in _processes[:]:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(max(0, end - time.monotonic()))
        if process.poll() is None:
            process.kill()
    for namespace in _namespaces[::-1]:
        namespace.close()


def _remove_stale():
    for name in os.listdir(NETNS) if os.path.isdir(NETNS) else []:
        owner = re.match(r"as(\d+)-", name)
        if owner and not read(f"/proc/{owner.group(1)}/cmdline"):  # gone, or a zombie
            stale = Namespace.__new__(Namespace)
            stale.name = name
            stale.close()


atexit.register(_close_all)
_remove_stale()
cgroup.isolate()
