#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""--library: what the TLS libraries of real programs tell of TLS 1.3 handshakes, joined by their
server random. The other end is a program that cannot be asked (tests/lib/peers.py) and reports
for itself what was chosen, so each program is shown to answer alone."""
import collections
import contextlib
import glob
import os
import shutil
import statistics
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import bpf_programs  # noqa: needs the path above
import clients
import judge
import peers
import servers
import tap
from agent import BINARY, Agent
from net import Pair

net = Pair()
scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
BOTH = ["h2", "http/1.1"]
OFFERS = (BOTH, ["http/1.1"], ["h2"], ["foo"], None)
SERVERS = {servers.Nginx: BOTH, servers.Haproxy: BOTH, servers.Node: BOTH, servers.Nghttpd: ["h2"],
           servers.GnutlsServ: BOTH, servers.Caddy: BOTH, servers.Python: BOTH}
H1_SERVERS = {servers.Nginx: ["http/1.1"], servers.Caddy: ["http/1.1"]}
CLIENTS = {clients.curl: (BOTH, ["http/1.1"]), clients.node: (BOTH, ["foo"]),
           clients.gnutls_cli: (BOTH, ["foo"]), clients.h2load: (BOTH, ["http/1.1"]),
           clients.s_client: (BOTH, ["http/1.1"], ["foo"])}
CROWD = 100
PAIRS, HANDSHAKES = 5, 400


def check(agent, truth):
    """The event is what the client says, known from a library where the choice was encrypted."""
    event, = judge.find(agent, truth)
    got = (event["alpn"]["outcome"], event["alpn"]["evidence"], event["alpn"]["grade"],
           event["tls"]["next_protocol"])
    if truth.offered is None:
        want = ("not_offered", "client_hello", None, None)
    elif truth.negotiated:
        want = ("negotiated", "library", None, truth.negotiated)
    else:
        want = ("ignored", "library", None, None)
    tap.equal(got, want, f"{truth}")
    return event


def of_server(agent, server):
    truths = [peers.blind(net.client, net.V4, server.port, offer) for offer in OFFERS]
    # Some refuse an offer of which nothing fits; nghttpd one without h2.
    done = [t for t in truths if t.completed]
    tap.equal(done[0].offered, BOTH, f"completed: {done}")
    for truth in done:
        check(agent, truth)


def broken_off(agent, started):
    """refused behind the ServerHello, then the client's library is asked: no answer of it"""
    def early():
        return agent.metrics().sum("alpnscope_library_unmatched_total", reason="too_early")
    caddy, before = next(s for s in started if isinstance(s, servers.Caddy)), early()
    refused = clients.s_client(net.client, net.V4, caddy.port, clients.name(), ["foo"], "1.3")
    tap.equal((refused.refused, "No ALPN negotiated" in refused.output), (True, True),
              refused.output)
    event, = judge.find(agent, refused)
    tap.equal((event["alpn"]["outcome"], event["alpn"]["evidence"]), ("rejected", "alert"),
              f"{refused}")
    tap.equal(early() - before, 1, "answers that are not believed")


def of_client(agent, client):
    for offer in CLIENTS[client]:
        with peers.Peer(net.host, 8600) as blind:
            truth = client(net.client, net.V4, blind.port, clients.name(), offer, "1.3")
            tap.equal(truth.completed, True, truth.output)
            check(agent, truth)


def crowd(agent, server):
    """100 connections at one time, with offers that are answered differently: none is mixed up"""
    offers = (BOTH, ["http/1.1"], ["foo"], ["http/1.1", "h2"])
    begun = [peers.start_blind(net.client, net.V4, server.port, offers[i % len(offers)])
             for i in range(CROWD)]
    truths = [peers.end_blind(*b) for b in begun]
    tap.equal([t.output for t in truths if not t.completed], [], "not completed")
    told = collections.Counter(t.negotiated for t in truths)
    tap.equal(told, {"h2": CROWD // 2, "http/1.1": CROWD // 4, None: CROWD // 4}, "chosen")
    for truth in truths:
        check(agent, truth)


def files(agent):
    return agent.metrics().sum("alpnscope_library_files", library="openssl")


def static(agent):
    """a static program that has its symbols"""
    before = files(agent)
    with peers.Peer(net.host, 8601, kind="seen") as server:
        tap.wait_for(lambda: files(agent) > before, "it to be asked", 5)
        for offer in OFFERS:
            check(agent, peers.blind(net.client, net.V4, server.port, offer))


def contained(agent):
    """a program of another mount namespace, started later: found, answered, let go"""
    before = files(agent)
    with peers.Contained(net.host, 8602, kind="seen") as server:
        tap.wait_for(lambda: files(agent) > before, "the new program to be asked", 5)
        for offer in OFFERS:
            check(agent, peers.blind(net.client, net.V4, server.port, offer))
    tap.wait_for(lambda: files(agent) == before, "the program that ended to be let go", 25)


def disagreement(agent):
    """a server that pads EncryptedExtensions looks as if it chose h2: its library is believed"""
    def count():
        return agent.metrics().by("alpnscope_evidence_disagreements_total", "evidence", "grade")
    # Without ALPN, the first record is 23 + 4 (server name) bytes; 9 are those of h2.
    with peers.Peer(net.host, 8603, alpn=None, pad=9) as server:
        truth = peers.blind(net.client, net.V4, server.port, BOTH)
        event, = judge.find(agent, truth)
        tap.equal((event["alpn"]["evidence"], event["tls"]["next_protocol"]),
                  ("record_length", "h2"), "without a library the inference is deceived")
    tap.equal(count(), {}, "disagreements")
    with peers.Peer(net.host, 8604, kind="seen", alpn=None, pad=9) as server:
        truth = peers.blind(net.client, net.V4, server.port, BOTH)
        tap.equal((truth.completed, truth.negotiated), (True, None), "the client's own word")
        check(agent, truth)
    tap.equal(count(), {("record_length", "exact"): 1}, "disagreements")


def in_clear(agent, server):
    """TLS 1.2 stays read in clear"""
    truth = clients.curl(net.client, net.V4, server.port, clients.name(), BOTH, "1.2")
    judge.check(agent, truth, server, net.V4, expect=None)


def totals(agent):
    """nothing lost, late or in conflict"""
    metrics = agent.metrics()
    tap.equal(metrics.by("alpnscope_library_lost_total", "reason"), {}, "lost")
    tap.equal(metrics.by("alpnscope_library_refused_total", "reason"), {}, "refused")
    unmatched = metrics.by("alpnscope_library_unmatched_total", "reason")
    # Of the first handshakes, and of other programs of this machine.
    for reason in ("unverified", "in_clear", "no_handshake", "too_early"):
        unmatched.pop(reason, None)
    tap.equal(unmatched, {}, "unmatched")
    events = [e for e in agent.events() if e["alpn"]["evidence"] == "library"]
    tap.equal(metrics.sum("alpnscope_library_joined_total"), len(events), "joined")


def let_go(agent, process):
    """SIGTERM: no program of ours is loaded, no probe is left in a process"""
    pid = agent.process.pid
    loaded = bpf_programs.of(pid)
    tap.equal({"library_ask", "library_told_openssl", "library_go_hello_in"} <=
              set(loaded.values()), True, f"loaded: {loaded}")
    probed = bpf_programs.changed_bytes(process.pid, "libssl.so")
    tap.equal(probed > 0, True, "probes in the process while the agent runs")
    agent.stop(60)  # the kernel takes from 0.1 s on for each probe, one after another
    # Linux lets a link's program go in a work queue of its own, after the agent's end.
    tap.wait_for(lambda: not set(loaded) & set(bpf_programs.all_ids()), "the programs to be gone")
    tap.equal(bpf_programs.changed_bytes(process.pid, "libssl.so"), 0, "bytes that differ")


def doctor():
    """doctor: what --library would ask, and what it knows that it cannot"""
    def lines():
        said = net.host.sh(BINARY, "doctor", check=False).splitlines()
        return [line for line in said if line.split()[1] == "library"]
    copy = os.path.join(scratch.name, "libjvm.so")
    shutil.copy(next(glob.iglob("/usr/lib/*/libz.so.1")), copy)
    before = lines()
    for words in ("asks openssl in ", "/libssl.so", "asks go in ", "/caddy (caddy,", "rustls"):
        tap.equal(any(words in line for line in before), True, f"{words} in {before}")
    if any("Java" in line for line in before):
        raise tap.Skip("a Java program runs on this machine: it is the one that doctor names")
    run = f"import ctypes, time; ctypes.CDLL({copy!r}); print(1, flush=True); time.sleep(60)"
    java = net.host.spawn([sys.executable, "-c", run], stdout=subprocess.PIPE)
    java.stdout.readline()
    tap.equal([line[:4] for line in lines() if "Java" in line and copy in line], ["note"], "Java")
    servers.net.stop(java)


def capabilities():
    """without the capabilities that it takes, it says which and does not start"""
    done = subprocess.run(
        ["setpriv", "--bounding-set", "-sys_ptrace", BINARY, "run", "--library", "--socket",
         os.path.join(scratch.name, "socket")], capture_output=True, text=True, timeout=30)
    tap.equal((done.returncode, done.stdout), (1, ""), done.stderr)
    tap.equal("--library: this process lacks CAP_SYS_PTRACE;" in done.stderr, True, done.stderr)


def opt_in():
    """without --library none of it is loaded"""
    with Agent(net.host) as agent:
        names = set(bpf_programs.of(agent.process.pid).values())
        tap.equal("alpnscope_in" in names, True, f"its programs: {names}")
        tap.equal([n for n in names if n.startswith("library")], [], "loaded")
        tap.equal("alpnscope_library" in agent.metrics().text, False, "metrics")
        agent.stop()


def spent(pids):
    """ns of CPU time, user and system, so far."""
    total = 0
    for pid in pids:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/schedstat") as f:
                total += int(f.read().split()[0])
    return total


def a_round(server, *args):
    """us of CPU that nginx's worker takes for a handshake."""
    with Agent(net.host, *args) as agent, open(os.devnull, "wb") as null:
        pids = [p for p in net.host.pids() if p != agent.process.pid and
                servers.net.read(f"/proc/{p}/comm").strip() == "nginx"]
        # The first ones show where the library keeps its answer: then it is asked at less cost.
        for _ in range(3):
            judge.find(agent, peers.blind(net.client, net.V4, server.port, BOTH))
        before = spent(pids)
        subprocess.run(net.client.argv([servers.programs.find("h2load"), f"-n{HANDSHAKES}",
                                        f"-c{HANDSHAKES}", f"https://{net.V4}:{server.port}/"]),
                       env=servers.programs.env("h2load"), stdout=null, check=True, timeout=60)
        after = spent(pids)
        agent.stop()
    return (after - before) / 1000 / HANDSHAKES


def cost():
    """added CPU a handshake, in pairs of rounds with and without"""
    with servers.Nginx(net.host, 8605, versions="1.3") as server:
        a_round(server)
        pairs = [(a_round(server), a_round(server, "--library")) for _ in range(PAIRS)]
    without = statistics.median(p[0] for p in pairs)
    added = statistics.median(b - a for a, b in pairs)
    tap.diagnose(f"nginx, {PAIRS} pairs of {HANDSHAKES} handshakes: {without:.0f} us of CPU a "
                 f"request without --library, {added:+.1f} us with it (median of the pairs: " +
                 ", ".join(f"{b - a:+.1f}" for a, b in pairs) + ")")
    tap.equal(added < without, True, f"--library adds {added:.0f} us to {without:.0f} us")


with contextlib.ExitStack() as stack:
    started = [stack.enter_context(s(net.host, 8500 + i, alpn=alpn, versions="1.3"))
               for i, (s, alpn) in enumerate([*SERVERS.items(), *H1_SERVERS.items()])]
    plain = stack.enter_context(servers.Python(net.host, 8520, versions="1.2"))
    haproxy = next(s for s in started if isinstance(s, servers.Haproxy))
    agent = stack.enter_context(Agent(net.host, "--library", "-v"))
    tests = [tap.named(f"{type(s).__name__.lower()} answers, choosing of {s.alpn}", of_server,
                       agent, s) for s in started]
    tests += [tap.named(f"{c.__name__} answers", of_client, agent, c) for c in CLIENTS]
    tests += [tap.named(t.__doc__, t, agent, *more)
              for t, *more in ((broken_off, started), (crowd, haproxy), (static,), (contained,),
                               (disagreement,), (in_clear, plain), (totals,),
                               (let_go, haproxy.process))]
    tap.run(tests + [doctor, capabilities, opt_in, cost], agent.diagnosis)
