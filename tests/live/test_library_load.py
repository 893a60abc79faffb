#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""--library under load that any user of the host can make: programs that start without end, and a
process that ends with many TLS libraries in it. Neither may stop the agent."""
import glob
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import tap  # noqa: needs the path above
from agent import Agent
from net import Pair

net = Pair()
COPIES = 12  # to let go of one takes the kernel 0.4 s or more
SECONDS = 3
QUEUE = 1024  # user/library/library.c: more in a second have all processes looked at
OWN = 3000  # bytes of /proc for two looks at a small process
STORM = r"""
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int main(int argc, char **argv)
{
	char n[32];
	if (argc < 3 || time(NULL) >= atol(argv[1]))
		return printf("%s\n", argv[argc - 1]) < 0;
	snprintf(n, sizeof(n), "%ld", atol(argv[2]) + 1);
	return execl(argv[0], argv[0], argv[1], n, (char *)NULL);
}
"""
HOLD = """
import ctypes, sys
kept = [ctypes.CDLL(path) for path in sys.argv[1:]]
print("ready", flush=True)
sys.stdin.read()
"""


def bytes_read(pid):
    with open(f"/proc/{pid}/io") as f:
        return int(f.readline().split()[1])


def all_maps():
    """Bytes of /proc that one look at all processes reads."""
    total = 0
    for path in glob.glob("/proc/[0-9]*/maps"):
        try:
            with open(path, "rb") as f:
                total += len(f.read())
        except OSError:
            pass
    return total


def storm(scratch):
    """more execs a second than are remembered: all processes are looked at once a second"""
    program = os.path.join(scratch, "storm")
    subprocess.run(["cc", "-O1", "-static", "-xc", "-", "-o", program], input=STORM.encode(),
                   check=True)
    with Agent(net.host, "--library") as agent:
        before, start = bytes_read(agent.process.pid), time.monotonic()
        out = subprocess.run([program, str(int(time.time()) + SECONDS + 1), "0"],
                             stdout=subprocess.PIPE, check=True, timeout=60).stdout
        took, execs = time.monotonic() - start, int(out)
        read, look = bytes_read(agent.process.pid) - before, all_maps()
        agent.stop()
    if execs < 1.1 * QUEUE * took:
        raise tap.Skip(f"this machine starts but {execs / took:.0f} programs a second")
    tap.diagnose(f"{execs} execs in {took:.1f} s: {read} bytes read, {look} for all processes")
    most = execs * OWN + (took + 4) * look
    tap.equal(read < most, True, f"{read} bytes read in {took:.1f} s, at most {most:.0f} wanted")


def many_end(scratch):
    """a process ends that had many libraries: the agent goes on answering"""
    library, = glob.glob("/usr/lib/*-linux-gnu/libssl.so.3")
    paths = [shutil.copy(library, os.path.join(scratch, f"libssl-{i}.so")) for i in range(COPIES)]
    with Agent(net.host, "--library") as agent:
        def attached():
            return agent.metrics().sum("alpnscope_library_files", library="openssl")
        with subprocess.Popen([sys.executable, "-c", HOLD, *paths], stdin=subprocess.PIPE,
                              stdout=subprocess.PIPE) as holder:
            holder.stdout.readline()
            tap.wait_for(lambda: attached() >= COPIES, "all copies to be asked", 20)
            count = attached()
            holder.stdin.close()
        for path in paths:
            os.unlink(path)
        slowest, end = 0, time.monotonic() + 22  # a look at all every 10 s, then the kernel
        while time.monotonic() < end:
            start = time.monotonic()
            now = attached()
            slowest = max(slowest, time.monotonic() - start)
            time.sleep(0.1)
        tap.equal(now <= count - COPIES / 2, True, f"asked: {count} before, {now} after")
        tap.equal(slowest < 2, True, f"one scrape took {slowest:.1f} s")
        agent.stop()


with tempfile.TemporaryDirectory(prefix="alpnscope-") as directory:
    tap.run([tap.named(t.__doc__, t, directory) for t in (storm, many_end)])
