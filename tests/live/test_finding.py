#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""--fail-on fallback says how much it could not judge, among what the filters let through."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import craft  # noqa: needs the path above
import net as netlib
import tap
from agent import BINARY

net = netlib.Pair()
CLIENT = "192.0.2.1"
MALFORMED = craft.record(craft.HANDSHAKE, craft.client_hello([b"\0\x10\0\xff"]))


def hello():
    return craft.record(craft.HANDSHAKE, craft.client_hello([
        craft.alpn(b"h2", b"http/1.1"), craft.supported_versions(0x0304)]))


def answer(*extensions):
    return craft.record(craft.HANDSHAKE, craft.server_hello(list(extensions)))


def frames():
    """On port 443 a choice, two TLS 1.3 answers, three silences, a hello that breaks the rules; on
    8443 http/1.1 and a silence."""
    said = [(443, hello(), answer(craft.alpn(b"h2")))] + \
        [(443, hello(), answer(craft.selected_version(0x0304)))] * 2 + \
        [(443, hello(), b"")] * 3 + [(443, MALFORMED, b"")] + \
        [(8443, hello(), answer(craft.alpn(b"http/1.1"))), (8443, hello(), b"")]
    result = []
    for number, (port, client, server) in enumerate(said):
        connection = craft.Connection(CLIENT, 50000 + number, "192.0.2.2", port)
        result += connection.client(client) + connection.server(server)
    return result


def read(*args):
    with tempfile.TemporaryDirectory(prefix="alpnscope-") as scratch:
        file = os.path.join(scratch, "mixed.pcap")
        craft.write_pcap(file, frames())
        done = subprocess.run([BINARY, "read", "--expect", "h2", *args, file], timeout=20,
                              capture_output=True, text=True)
    return done.returncode, [l for l in done.stderr.splitlines() if "not judged" in l]


def line(fallbacks, handshakes, undetermined, incomplete, lost):
    return [f"alpnscope: --fail-on: {fallbacks} fallbacks among {handshakes} handshakes; "
            f"not judged: {undetermined} undetermined, {incomplete} incomplete, "
            f"{lost} ClientHellos lost"]


def captured():
    """read: the number by outcome; exit 3 for a fallback, 0 for what was not judged"""
    tap.equal(read("--fail-on", "fallback"), (3, line(1, 8, 2, 4, 1)))
    tap.equal(read("--fail-on", "fallback", "--port", "443"), (0, line(0, 6, 2, 3, 1)))
    tap.equal(read("--fail-on", "fallback", "--port", "8443", "--outcome", "incomplete"),
              (0, line(0, 1, 0, 1, 1)))
    tap.equal(read(), (0, []), "not asked for")


def only_udp():
    """read: a capture without a ClientHello says that UDP's are not read, if there is UDP"""
    hint = "no TLS hello over TCP in it; 2 frames are UDP, and QUIC (HTTP/3) and DTLS are not read"
    v4 = craft.ethernet(craft.ipv4(CLIENT, "192.0.2.2", b"\x30\x39\x01\xbb\0\x0c\0\0quic",
                                   protocol=17))
    v6 = craft.ethernet(craft.ipv6("2001:db8::1", "2001:db8::2",
                                   b"\x30\x39\x01\xbb\0\x0c\0\0quic", next_header=17))
    syn = craft.Connection(CLIENT, 50000, "192.0.2.2", 443).open()
    for sent, want in (([v4, v6], True), ([v4, v6, *syn], True), (syn, False),
                       ([v4, v6, *frames()], False)):
        with tempfile.TemporaryDirectory(prefix="alpnscope-") as scratch:
            file = os.path.join(scratch, "udp.pcap")
            craft.write_pcap(file, sent)
            done = subprocess.run([BINARY, "read", file], timeout=20, capture_output=True,
                                  text=True)
        tap.equal((done.returncode, hint in done.stderr), (0, want), done.stderr)


def live():
    """watch and run: the same"""
    with tempfile.TemporaryDirectory(prefix="alpnscope-") as scratch:
        for args in (["watch"], ["run", "--web.listen-address", "127.0.0.1:0", "--socket",
                                 os.path.join(scratch, "s"), "-o", "json"]):
            err = os.path.join(scratch, "stderr")
            with open(err, "w") as stderr:
                agent = net.host.spawn([BINARY, *args, "--expect", "h2", "--fail-on", "fallback",
                                        "-i", "eth0", "-c", "2"],
                                       stdout=subprocess.DEVNULL, stderr=stderr)
            tap.wait_for(lambda: "ready:" in netlib.read(err), "the agent to be ready")
            bad = craft.Connection(CLIENT, 50000, "192.0.2.2", 443)
            netlib.send_frames(net.client, "eth0", bad.client(MALFORMED))
            for port in (50001, 50002):
                good = craft.Connection(CLIENT, port, "192.0.2.2", 443)
                netlib.send_frames(net.client, "eth0", good.client(hello()) +
                                   good.server(answer(craft.alpn(b"h2"))))
            tap.equal(agent.wait(15), 0, netlib.read(err))
            tap.equal([l for l in netlib.read(err).splitlines() if "not judged" in l],
                      line(0, 2, 0, 0, 1))
            netlib.stop(agent)


tap.run([captured, only_udp, live])
