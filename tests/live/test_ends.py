#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""How the agent and its readers end, and what outlives a lost stdout, terminal or neighbour."""
import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import agent as agentlib  # noqa: needs the path above
import clients
import craft
import net as netlib
import rawserver
import servers
import tap
from agent import BINARY, Agent, attachments, http_get
from clients import H2
from net import Pair

net = Pair()
scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
CAPTURE = os.path.join(scratch.name, "one.pcap")


def handshake():
    truth = clients.s_client(net.client, net.V4, nginx.port, clients.name(), H2, "1.2")
    tap.equal(truth.negotiated, "h2", "the client's own word")


def start(*args, stdout=subprocess.DEVNULL, name="a"):
    """An agent of its own: (process, its stderr's path, its socket)."""
    path, sock = (os.path.join(scratch.name, f"{name}.{end}") for end in ("err", "sock"))
    with open(path, "wb") as err:
        process = net.host.spawn(
            [BINARY, "run", "--socket", sock, "--web.listen-address",
             f"127.0.0.1:{agentlib.PORT}", *args], stdout=stdout, stderr=err)
    tap.wait_for(lambda: "ready" in netlib.read(path) or process.poll() is not None, "ready")
    return process, path, sock


def counted():
    text = http_get(net.host, "/metrics")[2]
    return agentlib.Metrics(text).sum("alpnscope_events_counted_total")


@contextlib.contextmanager
def ending(process):
    try:
        yield
    finally:
        netlib.stop(process)


def full_disk():
    """run -o json, stdout on a full disk: said once, observing goes on"""
    with open("/dev/full", "wb") as full:
        process, err, _ = start("-o", "json", stdout=full)
    with ending(process):
        for n in range(1, 4):
            handshake()
            tap.wait_for(lambda: counted() == n, f"{n} counted")
        tap.equal(netlib.read(err).count("No space left on device"), 1, netlib.read(err))
        tap.equal("observing goes on" in netlib.read(err), True, netlib.read(err))


def reader_gone():
    """run -o json, the reader of its pipe leaves: observing goes on"""
    reading, writing = os.pipe()
    process, _, _ = start("-o", "json", stdout=writing)
    os.close(writing)
    os.close(reading)
    with ending(process):
        for n in range(1, 4):
            handshake()
            tap.wait_for(lambda: counted() == n, f"{n} counted")


def read_full_disk():
    """read and run -c: stdout on a full disk is an error, exit 1"""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([BINARY, "read", CAPTURE], stdout=full, stderr=subprocess.PIPE,
                              timeout=20, text=True)
        tap.equal((done.returncode, "standard output" in done.stderr), (1, True), done.stderr)
        process, err, _ = start("-o", "json", "-c", "1", stdout=full)
    with ending(process):
        handshake()
        tap.equal(process.wait(5), 1, netlib.read(err))


def count_without_output():
    """run -q -c 2: ends after two events, though none is shown"""
    process, _, _ = start("-c", "2", name="count")
    with ending(process):
        handshake()
        time.sleep(0.3)
        tap.equal(process.poll(), None, "ended after one")
        handshake()
        tap.equal(process.wait(5), 0, "exit status")


def hang_up(hook, number):
    """SIGHUP and SIGQUIT end it as SIGTERM does: nothing is left"""
    before = attachments(net.host)
    process, err, sock = start("--hook", hook)
    with ending(process):
        process.send_signal(number)
        tap.equal(process.wait(5), 0, netlib.read(err))
        tap.equal(attachments(net.host), before, "attached to the interfaces")
        tap.equal(os.path.exists(sock), False, "the socket is still there")


def crash_then_tcx():
    """what a crashed clsact agent left is removed by one that comes in by tcx"""
    before = attachments(net.host)
    process, _, _ = start("--hook", "clsact")
    process.kill()
    process.wait()
    tap.equal(attachments(net.host) == before, False, "the crash left nothing to clean up")
    process, err, _ = start("--hook", "auto")
    with ending(process):
        process.send_signal(signal.SIGTERM)
        tap.equal(process.wait(5), 0, netlib.read(err))
    tap.equal(attachments(net.host), before, "attached to the interfaces")


def restart_after_kill():
    """a restart right after SIGKILL waits for the kernel to close the old socket"""
    for _ in range(3):
        process, _, _ = start()
        process.kill()
        process, err, _ = start()
        with ending(process):
            tap.equal(process.poll(), None, netlib.read(err))


def watch_loses_agent():
    """watch: the agent ends before the events that were asked for: said, exit 1"""
    for args in ([], ["-c", "5"]):
        process, _, sock = start()
        watch = net.host.spawn([BINARY, "watch", "--socket", sock, "-o", "json", *args],
                               stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        with ending(watch):
            time.sleep(0.5)
            with ending(process):
                process.send_signal(signal.SIGTERM)
                tap.equal(process.wait(5), 0, "exit status of the agent")
            said = watch.communicate(timeout=5)[1].decode()
            tap.equal((watch.returncode, "the agent has ended" in said), (1, True), said)


def watch_gets_all():
    """watch -c 2: two events, exit 0"""
    process, _, sock = start()
    with ending(process):
        for form, expected in (("json", 2), ("columns", 3)):
            watch = net.host.spawn([BINARY, "watch", "--socket", sock, "-q", "-o", form, "-c", "2"],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            with ending(watch):
                time.sleep(0.5)
                handshake()
                handshake()
                out, said = watch.communicate(timeout=5)
                tap.equal((watch.returncode, out.count(b"\n")), (0, expected), said)


def expires_while_scraped():
    """no answer: incomplete after 10 s, however often /metrics is asked for meanwhile"""
    over = threading.Event()

    def scrape():
        while not over.is_set():
            with contextlib.suppress(OSError):
                http_get(net.host, "/metrics")

    with Agent(net.host) as agent, \
            rawserver.RawServer(net.host, 9555, lambda connection: over.wait(20)):
        time.sleep(1)  # the expiry timer is off
        scraping = [threading.Thread(target=scrape) for _ in range(3)]
        for thread in scraping:
            thread.start()
        try:
            with net.client.enter():
                client = socket.create_connection((net.V4, 9555))
            client.sendall(craft.record(craft.HANDSHAKE, craft.client_hello([craft.alpn(b"h2")])))
            tap.wait_for(lambda: len(agent.events()) == 1, "the event", 15)
            tap.equal(agent.events()[0]["alpn"]["outcome"], "incomplete", "outcome")
        finally:
            over.set()
            for thread in scraping:
                thread.join()
            client.close()
        agent.drain()
        agent.stop()


with contextlib.ExitStack() as stack:
    nginx = stack.enter_context(servers.Nginx(net.host, 8443))
    connection = craft.Connection("10.0.0.1", 40000, "10.0.0.2", 443)
    craft.write_pcap(CAPTURE, [connection.frame(True, craft.ACK, craft.record(
        craft.HANDSHAKE, craft.client_hello([craft.alpn(b"h2")])))])
    tap.run([full_disk, reader_gone, read_full_disk, count_without_output,
             tap.named("SIGHUP, tcx", hang_up, "auto", signal.SIGHUP),
             tap.named("SIGHUP, clsact", hang_up, "clsact", signal.SIGHUP),
             tap.named("SIGQUIT, clsact", hang_up, "clsact", signal.SIGQUIT),
             crash_then_tcx, restart_after_kill, watch_loses_agent, watch_gets_all,
             expires_while_scraped])
