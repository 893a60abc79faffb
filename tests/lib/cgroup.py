# SPDX-License-Identifier: GPL-2.0-only
"""Cgroups of a test's own, in the cgroup2 hierarchy: below one that is called after the test's
process, or at the top. They are gone when the test ends; those of a test that was killed are
removed by the next one."""
import atexit
import contextlib
import os
import re
import time

import tap

_made = []
_home = None  # where this process was before isolate()


def mount():
    """Where the whole cgroup2 hierarchy is mounted; skips when it is not, or not for writing."""
    with open("/proc/self/mounts") as f:
        mounts = [line.split() for line in f]
    for _, where, kind, options, *_ in mounts:
        if kind == "cgroup2" and os.stat(where).st_ino == 1:
            if "rw" not in options.split(","):
                raise tap.Skip(f"{where} (cgroup2) is mounted read-only")
            return where
    raise tap.Skip("no cgroup2 hierarchy is mounted")


def uses_v1():
    """Does systemd's hierarchy of version 1 name the places of processes here?"""
    with open("/proc/self/mounts") as f:
        return any(line.split()[2] == "cgroup" and "name=systemd" in line for line in f)


class Cgroup:
    """@path below a directory of this test's own; with @top it begins at the root."""

    def __init__(self, path, top=False):
        self.path = path if top else f"/alpnscope-test-{os.getpid()}{path}"
        self.dir = mount() + self.path
        at = mount()
        for part in self.path.strip("/").split("/") if self.path != "/" else []:
            at = os.path.join(at, part)
            if not os.path.isdir(at):
                try:
                    os.mkdir(at)
                except OSError as e:
                    raise tap.Skip(f"{at} cannot be made: {e.strerror}") from None
                _made.append((at, os.getpid()))

    def enter(self, pid=0):
        """Move a process (this one: 0) there, with all that it starts from now on."""
        with open(os.path.join(self.dir, "cgroup.procs"), "w") as f:
            f.write(str(pid))

    def argv(self, argv):
        """To start a program in it."""
        return ["sh", "-c", 'echo 0 > "$0/cgroup.procs" && exec "$@"', self.dir, *argv]

    def id(self):
        return os.stat(self.dir).st_ino


class In:
    """A namespace whose programs start in a cgroup, or by way of another program."""

    def __init__(self, namespace, group=None, prefix=()):
        self.namespace, self.group, self.prefix = namespace, group, list(prefix)

    def __getattr__(self, name):
        return getattr(self.namespace, name)

    def _argv(self, argv):
        argv = [*self.prefix, *argv]
        return self.group.argv(argv) if self.group else argv

    def argv(self, argv):
        return self.namespace.argv(self._argv(argv))

    def spawn(self, argv, **kwargs):
        return self.namespace.spawn(self._argv(argv), **kwargs)


def isolate():
    """Leave the cgroup that this process was started in: were that one of a systemd service, every
    program of the test would belong to it."""
    global _home
    with contextlib.suppress(tap.Skip, OSError):
        with open("/proc/self/cgroup") as f:
            found = re.search(r"^0::(.*)$", f.read(), re.M)
        Cgroup("").enter()
        _home = mount() + found.group(1)


def _go_home():
    if _home and any(owner == os.getpid() for _, owner in _made):
        with contextlib.suppress(OSError), open(os.path.join(_home, "cgroup.procs"), "w") as f:
            f.write("0")


def _remove_all():
    """What a process made, without its children, when nobody lives there any more."""
    _go_home()
    for directory, owner in _made[::-1]:
        end = time.monotonic() + 5
        while owner == os.getpid() and os.path.isdir(directory) and time.monotonic() < end:
            with contextlib.suppress(OSError):
                os.rmdir(directory)
                break
            time.sleep(0.05)


def _remove_stale():
    with contextlib.suppress(tap.Skip):
        for name in os.listdir(mount()):
            owner = re.match(r"alpnscope-test-(\d+)$", name)
            if not owner or os.path.isdir(f"/proc/{owner.group(1)}"):
                continue
            for directory, _, _ in os.walk(os.path.join(mount(), name), topdown=False):
                with contextlib.suppress(OSError):
                    os.rmdir(directory)


atexit.register(_remove_all)
_remove_stale()
