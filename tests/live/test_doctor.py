#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""doctor: what it says of this kernel, these privileges, these interfaces and whoever else is
there; its exit status is whether `run` would work. It leaves nothing behind."""
import contextlib
import ctypes
import os
import platform
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import net as netlib  # noqa: needs the path above
import tap
import xdp as xdplib
from agent import BINARY, PORT, Agent, attachments, http_get
from net import Pair

ADDRESS = f"127.0.0.1:{PORT}"
LINE = re.compile(r"(ok|no|note) {2,4}(\S+(?: \S+)*) {2,}(\S.*)$")
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
# With a /run of its own: an agent of this host is none of a test's business.
OWN_RUN = ["unshare", "-m", "sh", "-c", "mount -t tmpfs -o mode=755 none /run && exec \"$@\"", "sh"]
BPF_PROG_LOAD, BPF_LINK_CREATE, SYS_BPF = 5, 28, {"x86_64": 321, "aarch64": 280}
# Program type, attach type, flags of the link, return value: from <linux/bpf.h>, <linux/if_link.h>.
TCX = (3, 46, 1 << 3, -1)  # SCHED_CLS, TCX_INGRESS, BPF_F_BEFORE, TCX_NEXT
XDP = (6, 37, 1 << 1, 2)  # XDP, BPF_XDP, XDP_FLAGS_SKB_MODE, XDP_PASS

net = Pair()
scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
os.chmod(scratch.name, 0o755)
PROGRAM = shutil.copy(BINARY, scratch.name)  # where an unprivileged user can reach it


class Report:
    """What doctor said: found(check) are the (status, text) of its lines for a check."""

    def __init__(self, argv):
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              timeout=60, errors="replace")
        self.status, self.out, self.err = done.returncode, done.stdout, done.stderr
        matches = [(line, LINE.match(line)) for line in self.out.splitlines()]
        tap.equal([line for line, match in matches if not match], [], "lines of another form")
        self.lines = [match.groups() for _, match in matches]
        text_at = {match.start(3) for _, match in matches}
        tap.equal(len(text_at), 1, f"columns at which the text begins in {self.out}")

    def found(self, check):
        return [(status, text) for status, name, text in self.lines if name == check]

    def one(self, check, status, *words):
        found = self.found(check)
        tap.equal([s for s, _ in found], [status], f"{check} in {self.out}{self.err}")
        for word in words:
            tap.equal(word in found[0][1], True, f"{word!r} in {found[0][1]!r}")
        return found[0][1]

    def interface(self, name, status, *words):
        found = [(s, t) for s, t in self.found("interface") if t.startswith(name + ": ")]
        tap.equal([s for s, _ in found], [status], f"interface {name} in {self.out}")
        for word in words:
            tap.equal(word in found[0][1], True, f"{word!r} in {found[0][1]!r}")

    def exits(self, status):
        tap.equal(self.status, status, f"exit status; {self.out}{self.err}")
        tap.equal(self.err, "", "stderr")


def doctor(*args, prefix=()):
    return Report(net.host.argv([*OWN_RUN, *prefix, PROGRAM, "doctor", *args]))


def healthy():
    """root: every check is ok, exit 0, nothing is left behind"""
    before = attachments(net.host)
    report = doctor()
    report.exits(0)
    tap.equal([line for line in report.lines if line[0] == "no"], [], "lines that say no")
    report.one("kernel", "ok", platform.release())
    report.one("BTF", "ok", "/sys/kernel/btf/vmlinux")
    for check in ("privileges", "programs", "memory", "hook", "agent", "port"):
        report.one(check, "ok")
    jit = netlib.read("/proc/sys/net/core/bpf_jit_enable").strip()
    report.one("JIT", "note" if jit == "0" else "ok")
    tap.equal(attachments(net.host), before, "attached to the interfaces")


def interfaces():
    """interfaces: every one there is, whether it is up, hostile names escaped"""
    name = "a\x1b[31m\\"
    for device in ("off0", name):
        net.host.ip("link", "add", device, "type", "bridge")
    try:
        net.host.ip("link", "set", name, "up")
        report = doctor()
    finally:
        for device in ("off0", name):
            net.host.ip("link", "del", device)
    report.exits(0)
    report.interface("lo", "ok", "up", "Ethernet")
    report.interface("eth0", "ok", "up", "Ethernet")
    report.interface("off0", "note", "down", "ip link set off0 up")
    report.interface(r"a\x1b[31m\x5c", "ok", "up")
    # Some kernels put devices of their own into every namespace.
    others = [l for l in net.host.ip("-o", "link", "show").splitlines()]
    tap.equal(len(report.found("interface")), len(others) + 2, "interfaces listed")


def nothing_up():
    """no interface is up: run would fail, so exit 1; it does"""
    report = doctor(prefix=["unshare", "-n"])
    report.exits(1)
    tap.equal([status for status, _ in report.found("interface")][-1], "no", report.out)
    report.one("hook", "ok")
    failed = subprocess.run([*OWN_RUN, "unshare", "-n", PROGRAM, "run", "--duration", "200ms"],
                            capture_output=True, text=True)
    tap.equal(failed.returncode, 1, failed.stderr)


def not_root():
    """not root: names what is missing, still checks the rest, exit 1"""
    report = doctor(prefix=NOBODY)
    report.exits(1)
    report.one("privileges", "no", "CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN", "root", "setcap",
               "AmbientCapabilities")
    report.one("programs", "no", "not permitted")
    report.one("kernel", "ok", platform.release())
    report.one("port", "ok", ADDRESS)
    report.interface("eth0", "note", "up", "once the programs load")


def with_caps(*caps):
    plus = ",".join("+" + cap for cap in caps)
    return [*NOBODY, "--inh-caps", plus, "--ambient-caps", plus]


def capabilities():
    """CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN do without root; one less is named"""
    report = doctor(prefix=with_caps("bpf", "perfmon"))
    report.exits(1)
    text = report.one("privileges", "no", "missing: CAP_NET_ADMIN;")
    tap.equal("CAP_BPF," in text, False, "CAP_BPF is not missing")
    report.one("programs", "no")
    mine = ["sh", "-c", "install -d -o 65534 /run/alpnscope && exec \"$@\"", "sh",
            *with_caps("bpf", "perfmon", "net_admin")]
    report = doctor(prefix=mine)
    report.exits(0)
    net.host.sh(*OWN_RUN, *mine, PROGRAM, "run", "--duration", "200ms")  # fails unless exit 0
    report.one("privileges", "ok", "CAP_BPF")
    report.one("hook", "ok")
    report = doctor(prefix=with_caps("bpf", "perfmon", "net_admin"))
    report.exits(1)
    report.one("agent", "no", "/run/alpnscope/alpnscope.sock", "RuntimeDirectory")


def user_namespace():
    """root of a user namespace: says that its capabilities do not count"""
    report = doctor(prefix=["unshare", "-U", "-r", "-n"])
    report.exits(1)
    report.one("privileges", "no", "user namespace")


def memory():
    """--flow-table: the memory told grows with it; so much is refused on the command line"""
    def told(flows):
        text = doctor("--flow-table", str(flows)).one("memory", "ok", f"--flow-table {flows}")
        return float(text.split(" MiB")[0])
    # A flow keeps names of up to 255 + 256 + 256 bytes, so 65,536 of them take 48 MiB at least.
    tap.equal(told(65600) - told(64) > 48, True, "MiB that 65,536 flows more take")
    done = subprocess.run([PROGRAM, "doctor", "--flow-table", "1"], capture_output=True, text=True)
    tap.equal((done.returncode, done.stdout), (2, ""), done.stderr)


def clsact():
    """--hook clsact: says so, and removes what it attached"""
    before = attachments(net.host)
    report = doctor("--hook", "clsact")
    report.exits(0)
    report.one("hook", "ok", "clsact")
    report.interface("eth0", "ok", "clsact")
    tap.equal(attachments(net.host), before, "attached to the interfaces")


def foreign_port():
    """the port is another program's: exit 1"""
    with net.host.enter(), socket.create_server(("127.0.0.1", PORT)):
        report = doctor()
    report.exits(1)
    report.one("port", "no", ADDRESS, "in use")


def other_agent():
    """the port is that of an agent with another socket: exit 1"""
    with Agent(net.host) as agent:
        report = doctor()
        report.exits(1)
        report.one("port", "no", ADDRESS, "another --socket")
        report.one("agent", "ok", "not running")
        agent.stop()


@contextlib.contextmanager
def running(*args):
    """`run` as it is by default, with a /run of its own; how to ask doctor beside it."""
    log = os.path.join(scratch.name, "log")
    with open(log, "w") as err:
        process = net.host.spawn([*OWN_RUN, PROGRAM, "run", *args], stdout=err, stderr=err)
    def ready():
        if process.poll() is not None:
            raise AssertionError(f"alpnscope ended: {netlib.read(log)}")
        return "ready" in netlib.read(log)
    try:
        tap.wait_for(ready, "the agent to be ready")
        yield process, lambda *args: Report(["nsenter", "-t", str(process.pid), "-m", "-n", PROGRAM,
                                             "doctor", *args])
    finally:
        netlib.stop(process)


def running_agent():
    """a running agent: its pid, its port, exit 0; it goes on"""
    with running() as (process, ask):
        report = ask()
        report.exits(0)
        report.one("agent", "ok", f"pid {process.pid};")
        report.one("port", "ok", ADDRESS, "running agent")
        report.interface("eth0", "ok")
        tap.equal(http_get(net.host, "/-/ready")[0], 200, "the agent afterwards")
        tap.equal(netlib.stop(process), 0, "its exit status")


def bpf(command, attributes):
    libc = ctypes.CDLL(None, use_errno=True)
    # The kernel takes zeroes beyond what it knows.
    data = ctypes.create_string_buffer(attributes.ljust(128, b"\0"), 128)
    fd = libc.syscall(SYS_BPF[platform.machine()], command, data, 128)
    if fd < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return fd


@contextlib.contextmanager
def foreign_program(device, hook=TCX):
    """A program of somebody else's on a device, at the head; it lets everything pass."""
    prog_type, attach_type, flags, result = hook
    mov_and_exit = struct.pack("<BBhiBBhi", 0xb7, 0, 0, result, 0x95, 0, 0, 0)
    code, text = (ctypes.create_string_buffer(b) for b in (mov_and_exit, b"GPL"))
    prog = bpf(BPF_PROG_LOAD, struct.pack("=IIQQ", prog_type, 2, ctypes.addressof(code),
                                          ctypes.addressof(text)))
    try:
        with net.host.enter():
            index = socket.if_nametoindex(device)
            link = bpf(BPF_LINK_CREATE, struct.pack("=IIII", prog, index, attach_type, flags))
    except OSError as e:
        raise tap.Skip(f"{platform.release()} has no such hook: {e}") from None
    finally:
        os.close(prog)
    try:
        yield
    finally:
        os.close(link)


def foreign_before_start():
    """another tcx program: counted; it would run before us on clsact only"""
    with foreign_program("eth0"):
        report = doctor()
        report.exits(0)
        report.interface("eth0", "ok", "ahead of 1 other program")
        report.interface("lo", "ok")
        tap.equal("other" in "".join(t for _, t in report.found("interface") if t[:3] == "lo:"),
                  False, "another program on lo")
        report = doctor("--hook", "clsact")
        report.exits(0)
        report.interface("eth0", "note", "1 tcx program", "leave out --hook clsact")


def foreign_ahead():
    """another tcx program that came before the running agent's: told, with what to do"""
    with running() as (_, ask):
        with foreign_program("eth0"):
            report = ask()
            report.exits(0)
            report.interface("eth0", "note", "1 program before the running agent", "restart")
        ask().interface("eth0", "ok")
    with foreign_program("eth0"), running() as (_, ask):
        ask().interface("eth0", "ok", "ahead of 1 other program")


def xdp():
    """an XDP program: what it takes away is not seen, and doctor says so"""
    with foreign_program("eth0", XDP):
        report = doctor()
    report.exits(0)
    report.interface("eth0", "note", "XDP program", "not seen")
    report.interface("lo", "ok")
    with xdplib.Program(net.host, "eth0", xdplib.NATIVE):
        report = doctor("--hook", "xdp")
        report.exits(0)
        report.interface("eth0", "note", "cannot attach: the XDP program foreign is on it")
        report = doctor("--hook", "xdp", "-i", "lo")
        report.exits(0)
        tap.equal(len(report.found("interface")), 1, "interfaces with -i lo")
    report = doctor("-i", "none0")
    report.exits(1)
    report.one("interface", "no", "none0: no such interface")
    with running("--hook", "xdp") as (_, ask):
        for args in ((), ("--hook", "xdp"), ("--hook", "xdp", "-i", "eth0")):
            report = ask(*args)
            report.exits(0)
            report.interface("eth0", "ok", "XDP by the running agent")


def limits():
    """what cannot be seen is said, whoever asks"""
    for report in (doctor(), doctor(prefix=NOBODY)):
        said = "\n".join(text for _, text in report.found("not seen"))
        for word in ("TLS 1.3", "Encrypted ClientHello", "QUIC", "HTTP/3", "16 KiB", "fragments",
                     "tunnel", "namespaces"):
            tap.equal(word in said, True, f"{word!r} in {said!r}")
        tap.equal({status for status, _ in report.found("not seen")}, {"note"}, "its status")


def verbose():
    """-v: the kernel's own words on stderr, the report the same"""
    quiet, loud = doctor(prefix=NOBODY), doctor("-v", prefix=NOBODY)
    tap.equal("libbpf" in loud.err, True, loud.err)
    tap.equal(loud.out, quiet.out, "stdout")


with contextlib.ExitStack() as stack:
    stack.callback(scratch.cleanup)
    tap.run([healthy, interfaces, nothing_up, not_root, capabilities, user_namespace, memory,
             clsact, foreign_port, other_agent, running_agent, foreign_before_start, foreign_ahead,
             xdp, limits, verbose])
