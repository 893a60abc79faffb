#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The sources build without a warning with every compiler that is promised, install where they
are told to, and have the project's form."""
import concurrent.futures
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: needs the path above
from net import sh

# compiler of the agent, compiler of the BPF object
COMPILERS = (("gcc", "clang-14"), ("clang-14", "clang-14"), ("clang-19", "clang-19"))


def make(*args):
    # A make of its own: nothing of the one that runs the tests.
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(["make", "-C", tap.ROOT, "--no-print-directory", "-j2", *args],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, env=env,
                          stderr=subprocess.STDOUT, text=True)
    tap.equal(done.returncode, 0, f"make {' '.join(args)}: {done.stdout[-3000:]}")
    tap.equal([l for l in done.stdout.splitlines() if "warning" in l], [], "warnings")


def compiler(cc, clang):
    make(f"BUILD=build/matrix/{cc}", f"CC={cc}", f"CLANG={clang}", "all")


def install():
    """make install DESTDIR= PREFIX= puts a working program there, and nothing elsewhere"""
    with tempfile.TemporaryDirectory() as root:
        make("install", f"DESTDIR={root}", "PREFIX=/opt/x", "SYSCONFDIR=/opt/x/etc")
        tap.equal(os.listdir(root), ["opt"], "what is installed")
        said = sh(os.path.join(root, "opt/x/bin/alpnscope"), "version")
        tap.equal(said.startswith("alpnscope "), True, said)


def sources(*endings):
    """What is tracked or would be: not what .gitignore names."""
    listed = sh("git", "-c", "safe.directory=*", "-C", tap.ROOT, "ls-files", "-co",
                "--exclude-standard")
    return [os.path.join(tap.ROOT, name) for name in listed.splitlines()
            if name.endswith(endings) and os.path.exists(os.path.join(tap.ROOT, name))]


def formatted():
    """C is as clang-format would write it"""
    sh("clang-format", "--dry-run", "--Werror", *sources(".c", ".h"), timeout=120)


def tidy():
    """clang-tidy has nothing to say (.clang-tidy names its checks)"""
    todo = [path for path in sources(".c") if path.startswith(os.path.join(tap.ROOT, "user"))]
    rooms = {os.path.dirname(path) for path in todo}
    flags = ["--", "-std=gnu11", "-D_GNU_SOURCE", '-DALPNSCOPE_VERSION="0"',
             *(f"-I{os.path.join(tap.ROOT, d)}" for d in ("include", "build", *sorted(rooms)))]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for _ in pool.map(lambda path: sh("clang-tidy-14", "--quiet", path, *flags, timeout=120),
                          todo):
            pass


def licensed():
    """every source names its licence in its first lines"""
    missing = []
    for path in sources(".c", ".h", ".py", ".sh", "Makefile"):
        with open(path) as f:
            if "SPDX-License-Identifier: GPL-2.0-only" not in f.readline() + f.readline():
                missing.append(path)
    tap.equal(missing, [], "without SPDX-License-Identifier")


tap.run([tap.named(f"{cc}, BPF by {clang}: no warning", compiler, cc, clang)
         for cc, clang in COMPILERS] + [install, formatted, tidy, licensed])
