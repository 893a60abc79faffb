# SPDX-License-Identifier: GPL-2.0-only
"""What the fault tests share: the row of a fault, traffic that must not fail, what a process has
open. FAULTS_FULL=1 is the full form, which `make test-faults` runs."""
import contextlib
import os
import re
import socket
import threading
import time

import clients
import net
import tap

FULL = os.environ.get("FAULTS_FULL") == "1"
TABLE = os.environ.get("FAULTS_TABLE")  # the rows of all programs, for tests/faults/table.py


def full(short, long):
    """@long in the full form, else @short."""
    return long if FULL else short


def row(fault, injected, lost, recovered):
    """One row of the fault table; each a text that was made of what the test measured."""
    fields = [" ".join(str(f).split()) for f in (fault, injected, lost, recovered)]
    tap.show(" | ".join(fields))
    if TABLE:
        with open(TABLE, "a") as table:
            table.write("\t".join(fields) + "\n")


def number(value):
    """A count with its thousands parted."""
    return f"{value:,.0f}"


class Traffic:
    """Requests over TLS, one after the other on a connection each, until stop(). Not one may fail;
    `done` is how many there were, each with one ClientHello."""

    def __init__(self, namespace, address, port, version="1.2", pause=0.01):
        self.namespace, self.to, self.pause = namespace, (address, port), pause
        self.context = clients.python_context(clients.H2, version)
        self.done, self.failed, self._ends = 0, [], False
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _request(self):
        with self.namespace.enter():
            raw = socket.create_connection(self.to, timeout=10)
        with raw, self.context.wrap_socket(raw, server_hostname="traffic.test") as tls:
            tls.sendall(b"x")  # the server may say what it likes of it
            tls.recv(1)

    def _run(self):
        while not self._ends:
            try:
                self._request()
            except OSError as e:
                self.failed.append(repr(e))
            self.done += 1
            time.sleep(self.pause)

    def stop(self):
        """End it; fail if a request did. How many there were."""
        self._ends = True
        self.thread.join(15)
        tap.equal(self.failed, [], f"failed of {self.done} requests")
        tap.equal(self.done > 0, True, "there was traffic")
        return self.done

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        self._ends = True
        self.thread.join(15)


def seen(agent, client, address, port, version="1.2", offer=tuple(clients.H2)):
    """One handshake of a client: its event, which must be the only one of it and as it was."""
    name = clients.name()
    truth = clients.python(client, address, port, name, list(offer), version)
    tap.equal(truth.completed, True, f"the handshake: {truth.output}")

    def found():
        return [e for e in agent.events() if e["tls"]["client"].get("server_name") == name]
    tap.wait_for(found, f"an event of {name}")
    time.sleep(0.1)
    event, = found()
    tap.equal(event["alpn"]["outcome"], "negotiated", event)
    return event


def bpf_ids(pid):
    """{"prog": ids, "map": ids, "link": ids} of what a process holds."""
    found = {"prog": set(), "map": set(), "link": set()}
    with contextlib.suppress(FileNotFoundError):
        for fd in os.listdir(f"/proc/{pid}/fdinfo"):
            text = net.read(f"/proc/{pid}/fdinfo/{fd}")
            for kind, number_ in re.findall(r"^(prog|map|link)_id:\s*(\d+)", text, re.M):
                found[kind].add(int(number_))
    return found


def lasting_fds(pid):
    """How many descriptors a process has, without those of a moment: of requests and scrapes, of
    files in /proc. The least in a second."""
    least = len(os.listdir(f"/proc/{pid}/fd"))
    for _ in range(50):
        time.sleep(0.02)
        least = min(least, len(os.listdir(f"/proc/{pid}/fd")))
    return least


def own_memory(pid):
    """Anonymous memory of a process, in KiB: what it allocated, without the mapped ring."""
    return int(re.search(r"^RssAnon:\s+(\d+)", net.read(f"/proc/{pid}/status"), re.M).group(1))
