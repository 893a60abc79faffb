#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every fuzzer from its kept corpus on, for a few seconds each (FUZZ_SECONDS says how many).

usage: tests/fuzz/test_fuzz.py [--keep]

What it finds beyond the kept corpus is left in build/fuzz/found/; --keep merges that into
tests/fuzz/corpus/, as few and as small inputs as reach the same. An input that ends a fuzzer
is left in build/fuzz/ as crash-..., timeout-... or oom-...; `build/fuzz/fuzz_X FILE` runs it.
"""
import glob
import os
import shutil
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import tap  # noqa: E402

FUZZ = os.path.join(tap.BUILD, "fuzz")
SECONDS = int(os.environ.get("FUZZ_SECONDS", "3"))
SOURCES = sorted(glob.glob(os.path.join(HERE, "fuzz_*.c")))
NAMES = [os.path.basename(source)[len("fuzz_"):-len(".c")] for source in SOURCES]
KEPT_MAX = 2 << 20  # bytes of all kept inputs


def kept(name):
    return os.path.join(HERE, "corpus", name)


def found(name):
    path = os.path.join(FUZZ, "found", name)
    os.makedirs(path, exist_ok=True)
    return path


def seeds(name):
    """What build/fuzz/seeds makes."""
    for each in NAMES:
        os.makedirs(os.path.join(FUZZ, "seed", each), exist_ok=True)
    subprocess.run([os.path.join(FUZZ, "seeds"), os.path.join(FUZZ, "seed")], check=True)
    return os.path.join(FUZZ, "seed", name)


def fuzzer(name, *args):
    """Run a fuzzer; it fails when the fuzzer does, with what it said last."""
    argv = [os.path.join(FUZZ, f"fuzz_{name}"), "-timeout=10", f"-artifact_prefix={FUZZ}/", *args]
    done = subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False,
                          cwd=tap.ROOT)
    said = done.stderr.decode(errors="replace").splitlines()
    assert done.returncode == 0, "\n".join([f"{name}: exit status {done.returncode}", *said[-60:]])
    return said


def fuzz(name):
    inputs = len(os.listdir(kept(name)))
    assert inputs > 10, f"{inputs} inputs are kept"
    fuzzer(name, "-runs=0", kept(name))  # all of them, whatever the time
    if SECONDS:
        said = fuzzer(name, f"-max_total_time={SECONDS}", "-max_len=8192", found(name), kept(name),
                      seeds(name))
        done = [line for line in said if line.startswith(("Done", "#")) and "cov" not in line]
        tap.diagnose(f"{name}: {inputs} kept inputs; {done[-1] if done else ''}")


def keep(name):
    merged = os.path.join(FUZZ, "merged", name)
    shutil.rmtree(merged, ignore_errors=True)
    os.makedirs(merged)
    os.makedirs(kept(name), exist_ok=True)
    fuzzer(name, "-merge=1", merged, kept(name), seeds(name), found(name))
    shutil.rmtree(kept(name))
    shutil.copytree(merged, kept(name))


def small():
    """the kept corpus is small"""
    size = sum(os.path.getsize(os.path.join(kept(name), f))
               for name in NAMES for f in os.listdir(kept(name)))
    assert size <= KEPT_MAX, f"{size} bytes"


def main():
    if "--keep" in sys.argv[1:]:
        for name in NAMES:
            keep(name)
        small()
        return
    tap.run([*(tap.named(f"fuzz_{name} finds nothing", fuzz, name) for name in NAMES), small])


if __name__ == "__main__":
    main()
