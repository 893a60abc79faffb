# SPDX-License-Identifier: GPL-2.0-only
"""Memory of an agent at defaults: its own, and its BPF maps'.

Its own is RssAnon; VmRSS has the ring, which is mapped twice, and the libraries' files as well. It is
read once handshakes have been counted: with 1, 100 and 10,000 servers on as many ports of this host,
each of them a service of its own as far as the tables go (docs/METRICS.md has their limits; a
configuration names 256 at most, so none is used). The maps' is what the kernel accounts for (memlock
in /proc/PID/fdinfo).
"""
import frames
import net
import running
from table import Row

MIB = 1 << 20
HANDSHAKES, RATE = 20_000, 10_000
FIRST_PORT = 20_000  # of the servers
RSS_MIB, MAPS_MIB = 12, 32
SERVICES = 1, 100, 10_000


def load(pair, agent, services, count):
    """Handshakes with all services in turn, until they are counted."""
    made = frames.Frames(pair.V4)
    with frames.onto(pair.client, "eth0") as s:
        frames.send(s, made, range(count), RATE, lambda n: FIRST_PORT + n % services)

    def counted():
        return agent.metrics().sum("alpnscope_events_counted_total") == count
    running.tap.wait_for(counted, f"{count} handshakes to be counted", 20)


def of_agent(pair, services, count):
    """(RssAnon, the maps' bytes) after handshakes with so many services."""
    with running.Running(pair.host) as agent:
        load(pair, agent, services, count)
        return (running.status(agent.pid, "RssAnon") * 1024,
                sum(running.map_bytes(agent.pid).values()))


def rows(quick):
    """The rows of the section growth."""
    pair, table, maps = net.Pair(), [], 0
    for services in SERVICES:
        rss, maps = of_agent(pair, services, max(services, 2000 if quick else HANDSHAKES))
        table.append(Row("growth", f"agent's RssAnon, services: {services}", "MiB", [rss / MIB],
                         target=RSS_MIB))
    table.append(Row("growth", "BPF maps", "MiB", [maps / MIB], target=MAPS_MIB))
    return table
