# SPDX-License-Identifier: GPL-2.0-only
"""How soon a handshake is shown, and how often the agent wakes.

Latency is from the packet that decided, by the kernel's clock (@timestamp + event.duration), until the
line was read from `alpnscope watch -o json`, which a running agent tells. The handshakes are of
TLS 1.2, whose record is complete with the ServerHello: of TLS 1.3 a record is complete when the
lengths that it is judged by are (docs/TLS13.md), and from then on has the same way to go.

Wake-ups are the voluntary context switches of all of the agent's threads.
"""
import contextlib
import datetime
import json
import os
import subprocess
import threading
import time

import agent as agents
import frames
import net
import running
from table import Row

LONE_RATE, LOAD_RATE, STORM_RATE = 20, 1000, 1_000_000
LONE_SECONDS, IDLE_WAKEUPS = 0.1, 5


class Watch:
    """`alpnscope watch` with the agent; a thread notes when each line came."""

    def __init__(self, namespace, agent):
        self.lines = []
        self.process = namespace.spawn(
            [agents.BINARY, "watch", "-o", "json", "--socket", agent.socket],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        self.reader = threading.Thread(target=self._read)
        self.reader.start()
        time.sleep(0.3)

    def _read(self):
        for line in self.process.stdout:
            self.lines.append((time.time(), line))

    def latencies(self):
        """Seconds, for each event."""
        found = []
        for came, line in self.lines:
            event = json.loads(line)
            stamp = event["@timestamp"].rstrip("Z")
            whole = datetime.datetime.fromisoformat(stamp[:19] + "+00:00").timestamp()
            decided = whole + float("0" + stamp[19:]) + event["event"]["duration"] / 1e9
            found.append(came - decided)
        return found

    def close(self):
        net.stop(self.process)
        self.reader.join()


def switches(pid):
    """Voluntary context switches of all threads."""
    return sum(running.status(f"{pid}/task/{task}", "voluntary_ctxt_switches")
               for task in os.listdir(f"/proc/{pid}/task"))


def latencies(pair, agent, numbers, rate):
    """Seconds for each handshake of the numbers; all must be shown."""
    made = frames.Frames(pair.V4)
    with contextlib.closing(Watch(pair.host, agent)) as watch:
        with frames.onto(pair.client, "eth0") as s:
            frames.send(s, made, numbers, rate)
        running.tap.wait_for(lambda: len(watch.lines) >= len(numbers),
                             f"{len(numbers)} events, have {len(watch.lines)}")
    running.tap.equal(len(watch.lines), len(numbers), "events")
    return sorted(watch.latencies())


def accounted(agent):
    """Records that the agent received, and hellos that the kernel counts as lost."""
    metrics = agent.metrics()
    return metrics.sum("alpnscope_events_received_total") + metrics.sum("alpnscope_lost_total")


def storm(pair, agent, numbers):
    """(wake-ups a record, records a second) of handshakes as fast as they can be sent."""
    made, had = frames.Frames(pair.V4), accounted(agent)
    begin, before = time.monotonic(), switches(agent.pid)
    with frames.onto(pair.client, "eth0") as s:
        frames.send(s, made, numbers, STORM_RATE)
    took, woken = time.monotonic() - begin, switches(agent.pid) - before
    running.tap.wait_for(lambda: accounted(agent) - had == len(numbers),
                         f"{len(numbers)} records or losses, have {accounted(agent) - had}")
    return woken / len(numbers), len(numbers) / took


def idle(agent, seconds):
    """Wake-ups a second of an agent that has nothing to do."""
    before, begin = switches(agent.pid), time.monotonic()
    time.sleep(seconds)
    return (switches(agent.pid) - before) / (time.monotonic() - begin)


def run(quick):
    lone, load, storm_of, seconds = (40, 2000, 20_000, 3) if quick else (500, 5000, 200_000, 10)
    pair, table = net.Pair(), []

    def row(name, unit, value, target=None, note=""):
        table.append(Row("latency", name, unit, [value], target=target, note=note))

    with running.Running(pair.host) as agent:
        time.sleep(1)
        row("wake-ups of an idle agent", "1/s", idle(agent, seconds), IDLE_WAKEUPS)
        found = latencies(pair, agent, range(lone), LONE_RATE)
        row("lone handshake, median", "ms", 1e3 * found[len(found) // 2])
        row("lone handshake, p99", "ms", 1e3 * found[len(found) * 99 // 100], 1e3 * LONE_SECONDS)
        found = latencies(pair, agent, range(lone, lone + load), LOAD_RATE)
        row(f"at {LOAD_RATE} handshakes/s, median", "ms", 1e3 * found[len(found) // 2])
        row(f"at {LOAD_RATE} handshakes/s, p99", "ms", 1e3 * found[len(found) * 99 // 100])
        woken, rate = storm(pair, agent, range(lone + load, lone + load + storm_of))
        row("wake-ups a record in a storm", "", woken, note=f"{rate:.0f} handshakes/s")
    return table
