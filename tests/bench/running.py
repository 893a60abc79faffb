# SPDX-License-Identifier: GPL-2.0-only
"""`alpnscope run` as a daemon has it (no events on stdout), and what it costs: CPU time, memory,
wake-ups. For the benches; tests/lib/agent.py is the one that asserts."""
import contextlib
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import agent  # noqa: needs the path above
import net  # noqa
import tap  # noqa

PORT = 10035


class Running:
    """An agent that observes @interface of @namespace, ready when the constructor returns."""

    def __init__(self, namespace, *args, interface="eth0"):
        self.namespace = namespace
        self._scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
        self.socket = os.path.join(self._scratch.name, "socket")
        self.stderr_path = os.path.join(self._scratch.name, "stderr")
        argv = [agent.BINARY, "run", "-i", interface, "--socket", self.socket,
                "--web.listen-address", f"127.0.0.1:{PORT}", *args]
        with open(self.stderr_path, "wb") as err:
            self.process = namespace.spawn(argv, stderr=err)
        self.pid = self.process.pid
        tap.wait_for(self._is_ready, "the agent to be ready", 30)

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"alpnscope ended: {net.read(self.stderr_path)}")
        return "ready" in net.read(self.stderr_path)

    def metrics(self):
        return agent.Metrics(agent.http_get(self.namespace, "/metrics", PORT)[2])

    def close(self):
        status = net.stop(self.process)
        said = net.read(self.stderr_path)
        self._scratch.cleanup()
        tap.equal(status, 0, f"exit status of the agent; stderr: {said}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def cpu_seconds(pids):
    """CPU time of all threads of the processes, of the scheduler's clock: to the nanosecond, with
    the softirqs that ran on top of them, without what the hypervisor took."""
    total = 0
    for pid in pids:
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            for task in os.listdir(f"/proc/{pid}/task"):
                total += int(net.read(f"/proc/{pid}/task/{task}/schedstat").split()[0] or 0)
    return total / 1e9


def _fdinfo(pid):
    """What the kernel says of the open files of a process: texts."""
    return [net.read(f"/proc/{pid}/fdinfo/{fd}") for fd in os.listdir(f"/proc/{pid}/fdinfo")]


def program_seconds(pid):
    """Time in the BPF programs that the process has open, while the kernel counts that."""
    return sum(int(ns) for text in _fdinfo(pid)
               for ns in re.findall(r"^run_time_ns:\s*(\d+)", text, re.M)) / 1e9


def map_bytes(pid):
    """{map type's number: bytes} of the BPF maps that the process has open, by what the kernel
    accounts for."""
    found = {}
    for text in _fdinfo(pid):
        kind = re.search(r"^map_type:\s*(\d+)", text, re.M)
        if kind:
            found[int(kind[1])] = found.get(int(kind[1]), 0) + \
                int(re.search(r"^memlock:\s*(\d+)", text, re.M)[1])
    return found


def ksoftirqd():
    """The kernel's threads that take softirqs when there are too many."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if net.read(f"/proc/{pid}/comm").startswith("ksoftirqd/"):
            found.append(int(pid))
    return found


def status(pid, key):
    """A number of /proc/PID/status."""
    return int(re.search(rf"^{key}:\s+(\d+)", net.read(f"/proc/{pid}/status"), re.M).group(1))
