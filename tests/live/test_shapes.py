#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The shapes that a handshake takes besides the plain one, each one event that is right.

By real programs where one can make it, else crafted against a real peer. Elsewhere:
HelloRetryRequest, session tickets, TLS 1.3 PSK: test_tls13. Split hellos, with a retry or a long
ticket: test_pq. STARTTLS, CONNECT, PROXY: test_starttls. The server's alert, RST or FIN before
its ServerHello, a ServerHello alone, several names, an empty name: test_outcomes.
"""
import contextlib
import os
import struct
import sys
import tempfile
import threading

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import craft
import judge
import rawserver
import servers
import tap
from agent import Agent
from clients import H1, H2
from net import Pair, plain, send_frames
from rawclient import RawClient
from wire import SYN, Wire

net = Pair()
small = Pair()
ADDRESSES = {"IPv4": net.V4, "IPv6": net.V6}
truths = []  # of every handshake that the agent saw
GROUPS = craft.supported_groups(0x17, 0x1d)  # secp256r1, x25519: RFC 8446 section 4.2.7
ANONYMOUS = 0x0034  # TLS_DH_anon_WITH_AES_128_CBC_SHA: needs no extension
SIGNATURES = craft.extension(13, craft.vector(b"\x04\x03", 2))  # ecdsa_secp256r1_sha256
# Data in the SYN, as client and as server, without a cookie: ip-sysctl, tcp_fastopen.
FAST_OPEN = 0x1 | 0x2 | 0x4 | 0x200
CLIENT_ALERT = {"level": "fatal", "description": "internal_error", "code": 80, "from": "client"}


def expect(agent, truth, server, address, *args, **more):
    truths.append(truth)
    return judge.check(agent, truth, server, address, *args, expect=None, **more)


def s_client(server, address, offer, version, *extra, **more):
    return clients.s_client(net.client, address, server.port, clients.name(), offer, version,
                            extra, **more)


def hello12(truth, *extensions):
    """A ClientHello of TLS 1.2 that nginx can answer."""
    names = [name if isinstance(name, bytes) else name.encode() for name in truth.offered]
    return craft.record(craft.HANDSHAKE, craft.client_hello(
        [craft.server_name(truth.sni), GROUPS, SIGNATURES, *extensions, craft.alpn(*names)]),
        version=craft.TLS10)


def crafted(offer=tuple(H2), sni=True):
    return clients.Truth("crafted", offer and list(offer), clients.name() if sni else None)


def answered(server, address, truth, data, local=0):
    """Send data, then take the ServerHello as the truth of version and choice."""
    with RawClient(net.client, address, server.port, local) as client:
        client.send(data)
        said = client.server_hello()
        truth.port, truth.completed = client.port, True
        truth.version = {0x0301: "1.0", 0x0303: "1.2"}[int.from_bytes(said[:2], "big")]
        for name in truth.offered or []:
            if craft.alpn(name.encode()) in said:
                truth.negotiated = name
        client.reset()
    return truth


def session(server, address, version, *extra, word, sni="session.example.test"):
    truth = clients.s_client(net.client, address, server.port, sni, H1, version, extra,
                             say="GET / HTTP/1.0\r\n\r\n")
    truth.completed, truth.version = f"\n{word}, TLSv" in truth.output, version
    tap.equal(truth.completed, True, f"the client's own word: {word}")
    return truth


def session_id(agent, address):
    with tempfile.TemporaryDirectory() as scratch:
        path = os.path.join(scratch, "session")
        for option, word, resumed in (("-sess_out", "New", False), ("-sess_in", "Reused", True)):
            truth = session(nginx_id, address, "1.2", option, path, "-ign_eof", "-no_ticket",
                            word=word)
            event = expect(agent, truth, nginx_id, address)
            tap.equal(event["tls"]["resumed"], resumed, "tls.resumed")


def early_data(agent, address):
    with tempfile.TemporaryDirectory() as scratch:
        path, early = (os.path.join(scratch, name) for name in ("session", "early"))
        with open(early, "w") as file:
            file.write("GET / HTTP/1.0\r\n\r\n")
        truth = session(nginx13, address, "1.3", "-sess_out", path, "-ign_eof", word="New")
        expect(agent, truth, nginx13, address)
        truth = session(nginx13, address, "1.3", "-sess_in", path, "-ign_eof", "-early_data",
                        early, word="Reused")
        tap.equal("Early data was accepted" in truth.output, True, "the client's own word")
        event = expect(agent, truth, nginx13, address)
        tap.equal(event["tls"]["resumed"], True, "tls.resumed")


def fast_open(agent, address, taken):
    """A whole hello in the SYN, then a post-quantum one, whose end comes later."""
    for side, value in ((net.host, FAST_OPEN if taken else 0), (net.client, FAST_OPEN)):
        side.sysctl("ipv4/tcp_fastopen", value)
    repeats = agent.drain().sum("alpnscope_repeats_total")
    # Not taken, the data comes again in a segment of its own: for one client it is the same hello.
    for groups, parts in (("P-256", 1), ("X25519MLKEM768:P-256", 2)):
        with Wire(net.host, "eth0") as wire:
            truth = s_client(nginx, address, H2, None, "-tfo", "-groups", groups,
                             program="openssl-3.5")
        in_syn = [s for s in wire.segments if s.sport == truth.port and s.flags & SYN]
        tap.equal((truth.negotiated, truth.version), ("h2", "1.2"), truth.output)
        tap.equal(bool(in_syn[0].payload), True, "data in the SYN")
        came = [offset for offset, _ in wire.hello_parts(truth.port)]
        tap.equal((len(set(came)), came.count(0) > 1), (parts, not taken), "segments")
        expect(agent, truth, nginx, address)
    if not taken:
        tap.equal(agent.drain().sum("alpnscope_repeats_total") - repeats >= 1, True, "repeats")


def server_answers_anyway(agent, address):
    """The client half-closes behind its hello; nothing keeps the server from answering."""
    with rawserver.RawServer(net.host, 8450,
                             rawserver.answer(rawserver.server_hello(b"h2"))) as server, \
            RawClient(net.client, address, server.port) as client:
        truth = crafted()
        client.send(hello12(truth))
        client.half_close()
        tap.equal(craft.alpn(b"h2") in client.server_hello(), True, "the ServerHello")
        truth.port = client.port
        expect(agent, truth, server, address, ("negotiated", "server_hello", "h2"))


def unanswered(agent, address, leave, want, alert):
    """The client leaves before the server has said anything."""
    over = threading.Event()
    with rawserver.RawServer(net.host, 8451, lambda connection: over.wait(10)) as server, \
            RawClient(net.client, address, server.port) as client:
        truth = crafted()
        truth.port = client.port
        client.send(hello12(truth))
        leave(client)
        try:
            expect(agent, truth, server, address, want, alert=alert)
        finally:
            over.set()


def both_close(agent, address):
    """FIN of the client, then of the server, which has read the hello and says nothing."""
    with rawserver.RawServer(net.host, 8452, rawserver.finish) as server, \
            RawClient(net.client, address, server.port) as client:
        truth = crafted()
        truth.port = client.port
        client.send(hello12(truth))
        client.half_close()
        tap.equal(client.socket.recv(1), b"", "what the server says")
        expect(agent, truth, server, address, ("failed", "none", None), alert=None)


def cut_short(agent):
    """RST and FIN in the middle of a hello: it is lost under a reason, and there is no event"""
    def lost():
        return agent.metrics().sum("alpnscope_lost_total")
    before, start = agent.drain(), lost()
    with rawserver.RawServer(net.host, 8453, rawserver.answer(b"")) as server:
        for address in ADDRESSES.values():
            for leave in (RawClient.reset, RawClient.half_close):
                with RawClient(net.client, address, server.port) as client:
                    data = hello12(crafted())
                    client.send(data[:len(data) // 2])
                    leave(client)
    tap.wait_for(lambda: lost() - start >= 4, "four hellos to be given up", 20)
    after = agent.drain()
    for name, want in (("hellos", 4), ("lost", 4), ("records", 0)):
        got = after.sum(f"alpnscope_{name}_total") - before.sum(f"alpnscope_{name}_total")
        tap.equal(got, want, f"alpnscope_{name}_total")


def late_alert(agent, address, version, server, way, *extra):
    """An alert behind the ServerHello (in clear up to TLS 1.2) does not undo the choice."""
    truth = s_client(server, address, H2, version, "-ign_eof", *extra)
    tap.equal(f"{way} TLS {version}, Alert [length 0002], fatal" in truth.output, True,
              "the client's own word: " + truth.output)
    truth.completed, truth.negotiated, truth.version = True, "h2", version
    expect(agent, truth, server, address)


def same_port(agent, address):
    """One source port, again and again, each time at once after a reset."""
    local = None
    for n in range(20):
        truth = crafted(H2 if n % 2 else H1)
        answered(nginx, address, truth, hello12(truth), local or 0)
        tap.equal(truth.negotiated, truth.offered[0], "the server's choice")
        tap.equal(local in (None, truth.port), True, "the same source port")
        local = truth.port
        expect(agent, truth, nginx, address)


def same_port_unanswered(agent):
    """A new connection takes the tuple of one that was never answered nor closed, crafted."""
    for client, server in (("192.0.2.1", "192.0.2.2"), ("2001:db8::1", "2001:db8::2")):
        first, second = crafted(H1), crafted()
        frames = []
        for truth, seq, choice in ((first, 1000, None), (second, 7_000_000, b"h2")):
            connection = craft.Connection(client, 50100, server, 443, client_seq=seq,
                                          server_seq=seq + 500_000_000)
            frames += connection.open() + connection.client(hello12(truth))
            if choice:
                frames += connection.server(rawserver.server_hello(choice))
        send_frames(net.client, "eth0", frames)
        for truth, want in ((first, ("incomplete", None)), (second, ("negotiated", "h2"))):
            event, = judge.find(agent, truth)
            tap.equal((event["alpn"]["outcome"], event["tls"]["next_protocol"],
                       event["tls"]["client"]["alpn"]), (*want, truth.offered), "the event")
            truths.append(truth)


def npn(agent, address):
    """NPN (draft-agl-tls-nextprotoneg): a choice that the client makes, encrypted."""
    for offer, outcome in ((None, "not_offered"), (["foo"], "ignored")):
        truth = s_client(s_server_npn, address, offer, "1.2", "-nextprotoneg", "h2,http/1.1")
        tap.equal("Next protocol: (1) h2" in truth.output, True, "the client's own word")
        event = expect(agent, truth, s_server_npn, address, outcome=outcome, signals=["npn"],
                       cause=None, fallback=False)
        tap.equal(event["tls"]["next_protocol"], None, "next_protocol")


def ech(agent, address):
    """The extension of RFC 9849 in a hello, as a client without a key of the server sends it."""
    body = b"\0" + bytes.fromhex("00010001") + b"\x2a" + craft.vector(os.urandom(32), 2) + \
        craft.vector(os.urandom(144), 2)
    for extensions, want in (([craft.extension(0xfe0d, body)], True), ([], False)):
        truth = crafted()
        answered(nginx, address, truth, hello12(truth, *extensions))
        tap.equal(truth.negotiated, "h2", "the server's choice")
        event = expect(agent, truth, nginx, address)
        tap.equal(event["tls"]["client"]["ech"], want, "tls.client.ech")


def grease(agent, address):
    """Names, versions and extensions of RFC 8701 are not in the offer."""
    truth = crafted(["\x0a\x0a", *H2])
    answered(nginx, address, truth, hello12(truth, craft.extension(0x1a1a)))
    truth.offered = H2
    tap.equal(truth.negotiated, "h2", "the server's choice")
    expect(agent, truth, nginx, address)


def alpn_in_clear(agent, address):
    """ALPN in a ServerHello of TLS 1.3, as stacks of the drafts sent it."""
    said = craft.record(craft.HANDSHAKE, craft.server_hello(
        [craft.selected_version(craft.TLS13), craft.key_share(0x1d, os.urandom(32)),
         craft.alpn(b"h2")], cipher=0x1301))
    with rawserver.RawServer(net.host, 8454, rawserver.answer(said)) as server:
        truth = s_client(server, address, H2, "1.3")
        event = expect(agent, truth, server, address, ("negotiated", "server_hello", "h2"))
        tap.equal(event["tls"]["version"], "1.3", "version")


def old_hello(agent, address, data):
    """No extensions, so no name and no offer; the real server answers all the same."""
    truth = answered(s_server_old, address, crafted(None, False), data)
    expect(agent, truth, s_server_old, address)


def version2():
    """A ClientHello in the form of SSL 2.0 (RFC 5246 appendix E.2), for TLS 1.2."""
    ciphers = b"\0" + ANONYMOUS.to_bytes(2, "big") + b"\0\0\xff"
    body = b"\x01\x03\x03" + struct.pack("!HHH", len(ciphers), 0, 32) + ciphers + os.urandom(32)
    return (0x8000 | len(body)).to_bytes(2, "big") + body


def no_extensions():
    return craft.record(craft.HANDSHAKE, craft.client_hello(None, ciphers=(ANONYMOUS,)),
                        version=craft.TLS10)


def split_key_share(agent):
    """a ServerHello of two segments, for 1.1 kB of post-quantum key share"""
    with Wire(small.host, "eth0") as wire:
        truth = clients.s_client(small.client, small.V4, s_server_pq.port, clients.name(), H2,
                                 "1.3", program="openssl-3.5")
    tap.equal((truth.completed, truth.negotiated), (True, "h2"), "the client's own word")
    tap.equal("group: X25519MLKEM768" in truth.output, True, "the group, by its word")
    tap.equal(len(wire.hello_parts(s_server_pq.port)), 2, "segments of the ServerHello")
    event = judge.check(agent, truth, s_server_pq, small.V4, expect=None)
    tap.equal(event["tls"]["version"], "1.3", "version")


def with_certificate(agent):
    """a ServerHello in one record with 3 kB of certificate, crafted"""
    certificate = craft.message(11, craft.vector(craft.vector(os.urandom(3000), 3), 3))
    said = craft.record(craft.HANDSHAKE, craft.server_hello([craft.alpn(b"h2")]) + certificate)
    with rawserver.RawServer(small.host, 8455, rawserver.answer(said)) as server, \
            RawClient(small.client, small.V4, server.port) as client, \
            Wire(small.host, "eth0") as wire:
        truth = crafted()
        truth.port = client.port
        client.send(hello12(truth))
        tap.equal(craft.alpn(b"h2") in client.server_hello(), True, "the ServerHello")
        judge.check(agent, truth, server, small.V4, ("negotiated", "server_hello", "h2"))
    sizes = [len(s.payload) for s in wire.segments if s.sport == server.port and s.payload]
    tap.equal(len(sizes) > 3, True, f"segments of the server's record: {sizes}")


def small_totals(agent):
    """small segments: one event each, ledgers balance, nothing left behind"""
    tap.equal(agent.drain().sum("alpnscope_records_total"), 2, "records")
    agent.stop()


def totals(agent):
    metrics = agent.drain()
    tap.equal(metrics.sum("alpnscope_records_total"), len(truths), "records")
    tap.equal(metrics.sum("alpnscope_orphans_total"), 0, "orphans")
    tap.equal(len(agent.events()), len(truths), "events")


with contextlib.ExitStack() as stack:
    host = net.host

    def start(kind, *args, **kwargs):
        return stack.enter_context(kind(*args, **kwargs))

    class FastOpen(servers.Nginx):
        listen = " fastopen=16"

    class BySessionId(servers.Nginx):
        server = "ssl_session_tickets off; ssl_session_cache shared:s:1m;"

    class EarlyData(servers.Nginx):
        server = "ssl_early_data on;"

    nginx = start(FastOpen, host, 8443)
    nginx_id = start(BySessionId, host, 8444)
    nginx13 = start(EarlyData, host, 8445, versions="1.3")
    s_server_npn = start(servers.SServer, host, 8446, None,
                         extra=["-nextprotoneg", "h2,http/1.1"])
    s_server_old = start(servers.SServer, host, 8447, extra=["-cipher", "ALL:@SECLEVEL=0"])
    asking = {version: start(servers.SServer, host, port, versions=version, extra=["-Verify", "1"])
              for version, port in (("1.2", 8448), ("1.3", 8449))}
    plain(small, 900)

    class NewSServer(servers.SServer):
        program = "openssl-3.5"

    s_server_pq = start(NewSServer, small.host, 8443, versions="1.3")
    agent = start(Agent, host)
    agent_small = start(Agent, small.host)
    wrong_name = ("-verify_hostname", "wrong.test", "-verify_return_error")
    tests = []
    for family, address in ADDRESSES.items():
        for name, test, *args in (
                ("resumed by session id, TLS 1.2", session_id),
                ("0-RTT: early data behind the hello", early_data),
                ("TCP Fast Open: the hello begins in the SYN", fast_open, True),
                ("TCP Fast Open: the server does not take it", fast_open, False),
                ("FIN behind the hello, the server answers", server_answers_anyway),
                ("FIN behind the hello, the server closes too", both_close),
                ("RST behind the hello", unanswered, RawClient.reset, ("failed", "none", None),
                 None),
                ("the client's alert behind its hello", unanswered,
                 lambda client: client.send(craft.alert(2, 80)), ("failed", "alert", None),
                 CLIENT_ALERT),
                ("the client's alert behind the ServerHello, TLS 1.2", late_alert, "1.2", nginx,
                 ">>>", *wrong_name),
                ("the client's alert behind the ServerHello, TLS 1.3", late_alert, "1.3", nginx13,
                 ">>>", *wrong_name),
                ("the server's alert behind its ServerHello, TLS 1.2", late_alert, "1.2",
                 asking["1.2"], "<<<"),
                ("the server's alert behind its ServerHello, TLS 1.3", late_alert, "1.3",
                 asking["1.3"], "<<<"),
                ("the same source port again at once, 20 times", same_port),
                ("NPN", npn), ("ECH", ech), ("GREASE", grease),
                ("ALPN in a ServerHello of TLS 1.3", alpn_in_clear),
                ("a hello in the form of SSL 2.0", old_hello, version2()),
                ("a hello without extensions", old_hello, no_extensions())):
            tests.append(tap.named(f"{family}: {name}", test, agent, address, *args))
    tests += [tap.named(same_port_unanswered.__doc__, same_port_unanswered, agent),
              tap.named(cut_short.__doc__, cut_short, agent),
              tap.named("one event each, ledgers balance", totals, agent),
              tap.named("SIGTERM: exit 0, nothing left behind", agent.stop),
              *(tap.named(test.__doc__, test, agent_small)
                for test in (split_key_share, with_certificate, small_totals))]
    tap.run(tests, agent.diagnosis)
