# SPDX-License-Identifier: GPL-2.0-only
"""A guest: Debian's kernel of a suite, an initramfs of a few of the host's programs, QEMU.

What the guest prints (init.sh) is returned as {section: text}."""
import os
import re
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import peers  # noqa: needs the path above
import pki
import tap
from net import sh

HERE = os.path.dirname(os.path.abspath(__file__))
DIR = os.path.join(tap.BUILD, "kernels")
APPLETS = ("cat", "cmp", "grep", "ls", "mkdir", "mount", "nsenter", "poweroff", "rm", "sed", "seq",
           "sleep", "stty", "wc", "wget")
PROGRAMS = ("busybox", "dash", "kmod", "ip", "tc", "bpftool")
MODULES = ("veth", "sch_ingress", "cls_bpf", "act_bpf")
MEGABYTES = 1024
COMPLAINTS = re.compile(r"BUG|WARNING|RIP:|INFO: |stall|Call Trace|Kernel panic")


def which(name):
    # bpftool: where Debian's is, not a wrapper's.
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if not path:
        raise AssertionError(f"{name} is not there. Next: make test-kernels")
    return path


def put(root, source, target):
    """A file and the libraries it needs."""
    path = root + target
    os.makedirs(os.path.dirname(path), exist_ok=True)
    shutil.copy(source, path)
    for library in re.findall(r"(/\S+) \(", sh("ldd", source, check=False)):
        if not os.path.exists(root + library):
            os.makedirs(os.path.dirname(root + library), exist_ok=True)
            shutil.copy(library, root + library)


def archive(root, path):
    sh("sh", "-c", 'cd "$1" && find . | cpio --quiet -o -H newc -R 0:0 >"$2"', "sh", root, path)


def programs(agents):
    """Path of the archive of what all guests have. agents: {compiler: its build directory}"""
    root, verify = os.path.join(DIR, "root"), os.path.join(DIR, "verify")
    sh("gcc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", verify, os.path.join(HERE, "verify.c"),
       "-lbpf")
    pki.make()
    shutil.rmtree(root, ignore_errors=True)
    for directory in ("dev", "proc", "run", "sys", "tmp", "usr/bin", "usr/sbin"):
        os.makedirs(os.path.join(root, directory))
    os.symlink("usr/bin", os.path.join(root, "bin"))
    os.symlink("usr/sbin", os.path.join(root, "sbin"))
    for name in PROGRAMS:
        put(root, which(name), f"/usr/bin/{name}")
    for name in APPLETS:
        os.symlink("busybox", os.path.join(root, "usr/bin", name))
    os.symlink("../bin/kmod", os.path.join(root, "usr/sbin/modprobe"))  # the kernel calls it
    put(root, verify, "/usr/bin/verify")
    put(root, peers.build("seen"), "/usr/bin/peer")
    put(root, pki.CERT, "/server.pem")
    put(root, pki.KEY, "/server.key")
    put(root, os.path.join(HERE, "init.sh"), "/init")
    for compiler, build in agents.items():
        for name in ("alpnscope", "linked.o", "library.bpf.o"):
            put(root, os.path.join(build, name), f"/agents/{compiler}/{name}")
    path = os.path.join(DIR, "programs.cpio")
    archive(root, path)
    return path


class Kernel:
    """The kernel of a suite. `version` is (major, minor), `release` its whole name."""

    def __init__(self, suite):
        self.suite, self.dir = suite, os.path.join(DIR, suite)
        with open(os.path.join(self.dir, "release")) as f:
            self.release = f.read().strip()
        self.version = tuple(int(n) for n in self.release.split(".")[:2])
        self.sections, self.console, self.process, self.seconds = {}, "", None, 0.0

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def modules(self):
        """Path of the archive of the modules it needs, and of those that these need."""
        root, home = os.path.join(self.dir, "root"), os.path.join(self.dir, "modules")
        shutil.rmtree(root, ignore_errors=True)
        for name in MODULES:
            needs = sh(which("modprobe"), "-d", home, "-S", self.release, "--show-depends", name)
            for path in re.findall(r"^insmod (\S+)", needs, re.M):
                put(root, path, os.path.join("/", os.path.relpath(path, home)))
        sh(which("depmod"), "-b", root, self.release)
        path = os.path.join(self.dir, "modules.cpio")
        archive(root, path)
        return path

    def boot(self, common, options, timeout):
        """Run a guest to its end; fills sections and console."""
        initrd, console, said = (os.path.join(self.dir, name)
                                 for name in ("initrd", "console", "said"))
        with open(initrd, "wb") as out:
            for part in (common, self.modules()):  # the kernel unpacks one after the other
                with open(part, "rb") as f:
                    shutil.copyfileobj(f, out)
        start = time.monotonic()
        # Software emulation, by name: it works where KVM does not, and is the same everywhere.
        # Its `rep movsb` is slow: a kernel that believes it fast verifies for half as long again.
        self.process = subprocess.Popen(
            [which("qemu-system-x86_64"), "-accel", "tcg,thread=multi", "-cpu", "max,-erms,-fsrm", "-smp", "2",
             "-m", str(MEGABYTES), "-display", "none", "-no-reboot", "-nic", "none",
             "-serial", f"file:{console}", "-serial", f"file:{said}",
             "-kernel", os.path.join(self.dir, "vmlinuz"), "-initrd", initrd,
             "-append", f"console=ttyS0 panic=-1 quiet {options}"], stdin=subprocess.DEVNULL)
        try:
            self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()  # what it has not said is missing
        self.seconds = time.monotonic() - start
        with open(console, errors="replace") as f:
            self.console = f.read()
        with open(said, errors="replace") as f:
            parts = re.split(r"^== (.*)\n", f.read().replace("\r\n", "\n"), flags=re.M)
        self.sections = dict(zip(parts[1::2], parts[2::2]))

    def complaints(self):
        return [line for line in self.console.splitlines() if COMPLAINTS.search(line)]
