#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The systemd unit as `make install` puts it there: systemd takes it, and what it starts runs with
the capabilities that it gives."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import net as netlib
import privilege
import servers
import tap
import tcx
from clients import H2
from net import Pair

EXPOSURE = 30  # tenths; systemd-analyze calls up to 3.9 "OK"
PRIVATE = ("NoNewPrivileges", "ProtectHome", "PrivateTmp", "ProtectKernelModules",
           "ProtectKernelTunables", "ProtectControlGroups", "RestrictNamespaces", "DynamicUser")

scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
os.chmod(scratch.name, 0o755)
PREFIX, ETC = scratch.name + "/usr", scratch.name + "/etc"
netlib.sh("make", "-s", "-C", tap.ROOT, "install", "DESTDIR=", f"PREFIX={PREFIX}",
          f"SYSCONFDIR={ETC}", timeout=300)
UNIT = PREFIX + "/lib/systemd/system/alpnscope.service"


def values(key):
    """All values of a key of the unit, in order."""
    with open(UNIT) as f:
        return [line.rstrip("\n").partition("=")[2] for line in f if line.startswith(key + "=")]


def analyze(*args):
    program = shutil.which("systemd-analyze")
    if not program:
        raise tap.Skip("no systemd-analyze: install the package systemd")
    return subprocess.run([program, *args, UNIT], capture_output=True, text=True, timeout=60)


def verified():
    """systemd-analyze verify finds nothing wrong with it"""
    done = analyze("verify", "--man=no")
    about = [line for line in done.stderr.splitlines() if "alpnscope" in line]
    tap.equal((done.returncode, about), (0, []), done.stderr)


def exposure():
    """systemd-analyze security: its score is at most 3.0"""
    done = analyze("security", "--offline=yes", "--no-pager", f"--threshold={EXPOSURE}")
    said = [line for line in done.stdout.splitlines() if "exposure level" in line]
    tap.show(said[0].strip("→ ") if said else done.stderr)
    tap.equal(done.returncode, 0, done.stdout + done.stderr)


def hardened():
    """nothing is left to gain, and the bounding set is the ambient set"""
    for key in PRIVATE:
        tap.equal(values(key), ["yes"], key)
    tap.equal(values("CapabilityBoundingSet"), values("AmbientCapabilities"), "capabilities")


def runs():
    """ExecStart runs with these capabilities as a user without rights, observes, reloads, ends"""
    caps = {name.removeprefix("CAP_").lower() for name in values("AmbientCapabilities")[0].split()}
    host, state = pair.host, scratch.name + "/state"
    os.mkdir(state)
    os.chown(state, privilege.NOBODY, privilege.NOBODY)
    command = values("ExecStart")[0].replace("/var/lib/alpnscope", state)
    options = ["-i", "eth0", "--socket", state + "/socket", "-v"]
    argv = [*privilege.only(caps), "setpriv", "--no-new-privs",
            *shlex.split(command.replace("$ALPNSCOPE_OPTIONS", ""))]
    with open(scratch.name + "/stderr", "wb") as err:
        process = host.spawn([*argv, *options], stderr=err)

    def said(what):
        if process.poll() is not None:
            raise AssertionError(f"it ended: {netlib.read(scratch.name + '/stderr')}")
        return what in netlib.read(scratch.name + "/stderr")
    tap.wait_for(lambda: said("ready"), "it to be ready", 30)
    fields = privilege.status(process.pid)[process.pid]
    tap.equal(fields["CapEff"] <= caps - {"perfmon"}, True, f"it keeps {fields['CapEff']}")
    truth = clients.python(pair.client, pair.V4, server.port, clients.name(), H2, "1.2")
    tap.equal(truth.negotiated, "h2", truth.output)
    tap.wait_for(lambda: os.path.exists(state + "/observed"), "the state directory to be used")
    process.send_signal(1)
    tap.wait_for(lambda: said("alpnscope.yml"), "it to reload")
    tap.equal(netlib.stop(process), 0, "exit status after SIGTERM")


def reload():
    """a reload fails when the configuration is wrong"""
    signal, check = values("ExecReload")
    tap.equal(signal, "/bin/kill -HUP $MAINPID", "the first of it")
    netlib.sh(*shlex.split(check))
    with open(ETC + "/alpnscope/alpnscope.yml", "r+") as f:
        right = f.read()
        f.write("services: no list\n")
    done = subprocess.run(shlex.split(check), capture_output=True, text=True, timeout=60)
    with open(ETC + "/alpnscope/alpnscope.yml", "w") as f:
        f.write(right)
    tap.equal(done.returncode, 1, f"exit status: {done.stderr}")
    tap.equal("alpnscope.yml:" in done.stderr, True, f"its place is told: {done.stderr}")


def usage():
    """a wrong command line is not tried again and again; what another time may mend is"""
    def status(*options):
        return subprocess.run([PREFIX + "/bin/alpnscope", "run", *options], capture_output=True,
                              timeout=60).returncode
    final = {int(n) for n in " ".join(values("RestartPreventExitStatus")).split()}
    tap.equal({status("--no-such-option"), status("--hook", "none")}, final, "not tried again")
    tap.equal(status("--config", scratch.name + "/absent") in final, False, "no configuration yet")


def members(group):
    """The system calls of one of systemd's groups, those of the groups in it too."""
    program = shutil.which("systemd-analyze")
    if not program:
        raise tap.Skip("no systemd-analyze: install the package systemd")
    found = set()
    for line in netlib.sh(program, "syscall-filter", group).splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            found |= members(name)
        elif name and not name.startswith("#"):
            found.add(name)
    return found


def system_calls():
    """what an agent calls, from its start to its end, the unit's filter lets pass"""
    if not shutil.which("strace"):
        raise tap.Skip("no strace: install the package strace")
    allowed = set()
    for words in (value.split() for value in values("SystemCallFilter")):
        less = words[0].startswith("~")
        for word in words:
            word = word.removeprefix("~")
            some = members(word) if word.startswith("@") else {word}
            allowed = allowed - some if less else allowed | some
    called, log = set(), scratch.name + "/calls"
    for hook in ("tcx", "clsact") if tcx.supported(pair.host) else ("clsact",):
        argv = ["strace", "-f", "-qq", "-o", log, "--", PREFIX + "/bin/alpnscope", "run", "-i",
                "eth0", "--socket", scratch.name + "/calls.sock", "--state-dir",
                scratch.name + "/calls.state", "--hook", hook, "--duration", "3s"]
        traced = pair.host.spawn(argv, stderr=subprocess.DEVNULL)
        tap.wait_for(lambda: pair.host.listening(10035), "the agent to listen", 20)
        truth = clients.python(pair.client, pair.V4, server.port, clients.name(), H2, "1.2")
        tap.equal(truth.negotiated, "h2", truth.output)
        pair.host.sh("curl", "-s", "-o", "/dev/null", "http://127.0.0.1:10035/metrics")
        tap.equal(traced.wait(30), 0, "exit status")
        called |= set(re.findall(r"^\d+ +(\w+)\(", netlib.read(log), re.M))
    tap.equal("bpf" in called, True, "it called bpf()")
    tap.equal(called - allowed, set(), "not allowed")


pair = Pair()
with servers.Nginx(pair.host, 8443) as server:
    tap.run([verified, exposure, hardened, runs, reload, usage, system_calls])
