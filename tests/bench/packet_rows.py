# SPDX-License-Identifier: GPL-2.0-only
"""What build/bench/packet measured, by hook and name."""
import subprocess
import sys


def measure(rounds, *options):
    """{(hook, name): (ns ours, ns empty)} a round, in the order of measuring."""
    done = subprocess.run(["build/bench/packet", "--rounds", str(rounds), *options,
                           "build/linked.o"], stdout=subprocess.PIPE, text=True, timeout=300,
                          check=True)
    found = {}
    for line in done.stdout.splitlines():
        hook, name, *figures = line.split("\t")
        if figures:
            found[hook, name] = tuple([float(v) for v in part.split()] for part in figures)
        else:
            print(f"bench: {hook}: {name}: BPF_PROG_TEST_RUN of this kernel has no such frame: "
                  "not measured", file=sys.stderr)
    return found
