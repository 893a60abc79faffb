#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Ring, flow table and reassembly slots full, by far more than a host sees: no request fails,
each handshake is in one of the counted places, and the next one is exact again."""
import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "lib"))
sys.path.insert(0, os.path.join(HERE, "..", "bench"))
import clients  # noqa: needs the path above
import craft
import faults
import frames
import net
import section_loss as loss
import servers
import tap

HOST, CLIENT = "192.0.2.1", "192.0.2.2"
PORT = 9443
STOPPED = faults.full(2, 10)  # seconds
STORM_RATE = 50000
FLOWS = faults.full(4096, 16384)  # --flow-table
HALF_OPEN = faults.full(20_000, 200_000)
SLOTS = 256
HALF_HELLOS = faults.full(2000, 20_000)
ATTACK_RATE, ATTACK_SECONDS = 2000, faults.full(1, 8)
SIGNATURES = bytes.fromhex("00080403040108040805")  # signature_algorithms: ECDSA and RSA
ANSWER_S, TICK_S = 10, 1  # docs/DESIGN.md; the agent's tick, and scheduling


class Bench(loss.Rig):
    """An agent that reads frames by XDP, and a server behind it for requests of a real client."""

    def __init__(self, *args):
        super().__init__(*args)
        self.peer.address(loss.DEVICE, CLIENT + "/24")
        self.server = servers.Nginx(self.host, PORT, versions="1.2 1.3")
        self.sum_before = self.sums()

    def sums(self, metrics=None):
        metrics = metrics or self.metrics()
        found = {name: metrics.sum(f"alpnscope_{name}") for name in loss.Storm.FAMILIES}
        found["lost"] = metrics.by("alpnscope_lost_total", "reason")
        return found

    def drained_sums(self):
        """(what was counted since the start, seconds until nothing was in flight)"""
        begin = time.monotonic()
        now = self.sums(self.drained())
        took = time.monotonic() - begin
        count = {name: now[name] - self.sum_before[name] for name in loss.Storm.FAMILIES}
        count["lost"] = {reason: value - self.sum_before["lost"].get(reason, 0)
                         for reason, value in now["lost"].items()
                         if value != self.sum_before["lost"].get(reason, 0)}
        return count, took

    def exact(self, version="1.2", split=False):
        """A real handshake, alone, is one record and no loss; seconds from its end to that."""
        before = self.sums(self.drained())
        if split:
            self.split()
        else:
            truth = clients.python(self.peer, HOST, PORT, clients.name(), clients.H2, version)
            tap.equal(truth.completed, True, truth.output)
        begin = time.monotonic()
        tap.wait_for(lambda: self.sums()["records_total"] > before["records_total"], "its record")
        took, now = time.monotonic() - begin, self.sums(self.drained())
        tap.equal([now[n] - before[n] for n in ("hellos_total", "records_total", "repeats_total",
                                                "lost_total", "events_counted_total")],
                  [1, 1, 0, 0, 1], "hellos, records, repeats, lost, events of one handshake")
        return took

    def split(self):
        """A hello in two segments, which the server answers."""
        hello = craft.record(craft.HANDSHAKE, craft.client_hello(
            [craft.server_name(clients.name()), craft.alpn(b"h2"), craft.supported_groups(29, 23),
             craft.extension(11, b"\1\0"), craft.extension(13, SIGNATURES)],
            ciphers=(0xc02b, 0xc02c, 0xc02f, 0xc030)))
        with self.peer.enter():
            s = net.socket.create_connection((HOST, PORT), timeout=10)
        with s:
            s.setsockopt(net.socket.IPPROTO_TCP, net.socket.TCP_NODELAY, 1)
            s.sendall(hello[:len(hello) // 2])
            time.sleep(0.005)
            s.sendall(hello[len(hello) // 2:])
            kind, = s.recv(1)
            tap.equal(kind, craft.HANDSHAKE, "the type of the answer")

    def close(self):
        self.server.close()
        super().close()


@contextlib.contextmanager
def bench(*args):
    rig = Bench(*args)
    try:
        yield rig
    finally:
        rig.close()


def conserved(count, sent, requests):
    """Each handshake that was sent is in one of the places, each record in one event."""
    tap.equal(count["hellos_total"], sent + requests, f"hellos; sent {sent}, requests {requests}")
    tap.equal(count["hellos_total"],
              count["records_total"] + count["repeats_total"] + count["lost_total"],
              "hellos == records + repeats + lost, drained")
    tap.equal(count["events_received_total"],
              count["records_total"] + count["orphans_total"], "events == records + orphans")
    tap.equal(count["events_received_total"],
              count["events_counted_total"] + count["events_merged_total"],
              "received == counted + merged")


def lost_text(lost, sent):
    return ", ".join(f"{faults.number(value)} {reason}" for reason, value in lost.items()) + \
        f" of {faults.number(sent)}"


def ring_full():
    """The agent is stopped under load: what the ring does not hold is counted"""
    with bench() as rig, faults.Traffic(rig.peer, HOST, PORT) as traffic:
        rig.agent.send_signal(signal.SIGSTOP)
        try:
            done = subprocess.run(
                rig.host.argv([os.path.join(loss.BENCH, "storm"), loss.DEVICE, str(STORM_RATE),
                               str(STOPPED)]),
                capture_output=True, text=True, check=False, timeout=STOPPED + 30)
        finally:
            rig.agent.send_signal(signal.SIGCONT)
        tap.equal(done.returncode, 0, done.stderr)
        sent, woke = json.loads(done.stdout)["handshakes"], time.monotonic()
        tap.wait_for(rig.is_ready, "an answer by HTTP")
        answered = time.monotonic() - woke
        requests = traffic.stop()
        count, _ = rig.drained_sums()
        conserved(count, sent, requests)
        tap.equal(set(count["lost"]), {"ring_full"}, "reasons of losses")
        took = rig.exact()
    faults.row("ring full", f"agent stopped for {STOPPED} s under {faults.number(STORM_RATE)} "
               f"handshakes/s, {requests} requests beside", lost_text(count["lost"], sent) +
               " (alpnscope_lost_total); requests: 0",
               f"answers {1e3 * answered:.0f} ms after it goes on; the next handshake exact, "
               f"shown in {1e3 * took:.0f} ms")


def put(rig, make, count, rate=1e9):
    """Frames make(n) for n below count, onto the agent's device."""
    with frames.onto(rig.peer, loss.DEVICE) as s:
        begin = time.monotonic()
        for n in range(count):
            wait = begin + n / rate - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            s.send(make(n))


def flow_table_full():
    """The flow table is full of hellos without an answer: counted, and free again in time"""
    made = frames.Frames(HOST, "half.open")
    with bench("--flow-table", str(FLOWS)) as rig:
        with faults.Traffic(rig.peer, HOST, PORT) as traffic:
            put(rig, lambda n: made.number(n, 443)[0], HALF_OPEN)
            full = rig.metrics().sum("alpnscope_in_flight")
            end = time.monotonic()
            requests = traffic.stop()
        tap.equal(full > FLOWS / 2, True, f"in flight at the end: {full}")
        count, _ = rig.drained_sums()
        free = time.monotonic() - end
        conserved(count, HALF_OPEN, requests)
        tap.equal(count["lost"].get("table_full", 0) > 0, True, f"lost: {count['lost']}")
        tap.equal(set(count["lost"]) - {"table_full", "ring_full"}, set(), "reasons of losses")
        tap.equal(free < ANSWER_S + TICK_S, True, f"seconds until the table was free: {free}")
        took = rig.exact()
        rig.exact("1.3")
    faults.row("flow table full", f"{faults.number(HALF_OPEN)} hellos without an answer into "
               f"{faults.number(FLOWS)} places, {requests} requests beside",
               lost_text(count["lost"], HALF_OPEN) + " (alpnscope_lost_total); requests: 0",
               f"empty {free:.1f} s after the last; the next handshake exact, shown in "
               f"{1e3 * took:.0f} ms")


class Halves:
    """The first half of a hello, of another client and with another random each."""

    def __init__(self):
        hello = craft.record(craft.HANDSHAKE, craft.client_hello(
            [craft.server_name("half.hello"), craft.alpn(b"h2"), craft.extension(21, bytes(900))],
            random=b"C" * 32))
        connection = craft.Connection("198.19.0.0", 1024, HOST, 443)
        self.frame = bytearray(connection.client(hello[:500])[0])
        self.random = self.frame.index(b"C" * 32)

    def number(self, n):
        self.frame[26:30] = (0xc6130000 + n // 60000).to_bytes(4, "big")
        self.frame[34:36] = (1024 + n % 60000).to_bytes(2, "big")
        self.frame[self.random:self.random + 8] = n.to_bytes(8, "big")
        return self.frame


def burst(rig, halves):
    """All slots at once; how many were in use."""
    put(rig, halves.number, HALF_HELLOS)
    used = rig.metrics().sum("alpnscope_reassembly_in_use")
    time.sleep(0.06)  # slots may be taken over after 50 ms
    rig.split()
    tap.equal(used > SLOTS / 2, True, f"slots in use: {used}")
    return used


def attack(rig, halves):
    """Half hellos all the time; how many split ones were sent meanwhile."""
    thread = threading.Thread(target=put, args=(
        rig, lambda n: halves.number(HALF_HELLOS + n), ATTACK_RATE * ATTACK_SECONDS, ATTACK_RATE))
    tried = 0
    thread.start()
    while thread.is_alive():
        rig.split()
        tried += 1
        time.sleep(0.02)
    thread.join()
    return tried


def slots_full():
    """All reassembly slots are taken by half hellos, at once, then by ever new ones: counted, and
    split hellos are read all the same"""
    halves, sent = Halves(), HALF_HELLOS + ATTACK_RATE * ATTACK_SECONDS
    with bench() as rig:
        with faults.Traffic(rig.peer, HOST, PORT) as traffic:
            used = burst(rig, halves)
            tried = attack(rig, halves)
            end = time.monotonic()
            requests = traffic.stop()
        tap.wait_for(lambda: not rig.metrics().sum("alpnscope_reassembly_in_use"),
                     "the slots to be given up", ANSWER_S + TICK_S)
        free = time.monotonic() - end
        count, _ = rig.drained_sums()
        conserved(count, sent, requests + 1 + tried)
        tap.equal(set(count["lost"]), {"reassembly_full", "unfinished"}, "reasons of losses")
        missed = requests + 1 + tried - count["records_total"]
        tap.equal(missed <= 0.05 * tried, True, f"split hellos missed: {missed} of {tried}")
        took = rig.exact(split=True)
    faults.row("reassembly slots full", f"{faults.number(HALF_HELLOS)} half hellos at once into "
               f"{SLOTS} slots ({used:.0f} taken), then {faults.number(ATTACK_RATE)}/s for "
               f"{ATTACK_SECONDS} s", lost_text(count["lost"], sent) + "; requests: 0",
               f"{tried + 1 - missed:.0f} of {tried + 1} split hellos meanwhile read, the "
               f"first 60 ms after the burst; empty {free:.1f} s after the last; the next split "
               f"one exact, shown in {1e3 * took:.0f} ms")


tap.run([ring_full, flow_table_full, slots_full])
