#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The systemd unit as `make install` puts it there: systemd takes it, and what it starts runs with
the capabilities that it gives."""
import os
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


pair = Pair()
with servers.Nginx(pair.host, 8443) as server:
    tap.run([verified, exposure, hardened, runs])
