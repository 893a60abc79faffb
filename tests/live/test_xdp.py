#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""--hook xdp: the same handshakes, once each, by a native and by a generic XDP program; frames in
several buffers; what it does to a device, and that it ends with the agent; somebody else's
program is left alone."""
import contextlib
import itertools
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import craft
import judge
import net as netlib
import servers
import tap
import tcx
import xdp
from agent import BINARY, Agent, Metrics, attachments, http_get
from clients import H1, H2
from net import Namespace, Pair

net = Pair()
host, client = net.host, net.client
OTHER_ADDRESS = ("--web.listen-address", "127.0.0.1:10036")
XDP = ("--hook", "xdp", "-v")
# Without multi-buffer a veth's native XDP takes one page: 3,506 bytes of MTU.
ONE_PAGE = 3506
ports = itertools.count(50001)


def kernel(*version):
    return tuple(int(n) for n in os.uname().release.split(".")[:2]) >= version


def supported():
    return kernel(5, 18)


def need():
    if not supported():
        raise tap.Skip("this kernel has no bpf_xdp_load_bytes (Linux 5.18)")


class Other(Agent):
    """An agent beside a first one."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, *OTHER_ADDRESS, **kwargs)

    def metrics(self, accept=None):
        return Metrics(http_get(self.namespace, "/metrics", 10036, accept)[2])


def fails(*args):
    """`run` fails with one line; returns it."""
    done = subprocess.run(host.argv([BINARY, "run", *args, "--socket",
                                     os.path.join(server12.dir, "sock", "s"), *OTHER_ADDRESS]),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    tap.equal((done.returncode, done.stdout), (1, ""), done.stderr)
    return done.stderr.splitlines()[0]


def says(text, *words):
    for word in words:
        tap.equal(word in text, True, f"{word!r} in {text!r}")


def old_kernel():
    """a kernel before 5.18: said in one line, nothing attached"""
    if supported():
        raise tap.Skip("this one is newer")
    before = attachments(host)
    says(fails("-i", "eth0", "--hook", "xdp"), "bpf_xdp_load_bytes", "5.18",
         "leave out --hook xdp")
    tap.equal(attachments(host), before, "attached")


def handshakes(agent, addresses):
    """Several clients and offers; the events, the counts and both ledgers are right."""
    truths = []
    for server, version in ((server12, "1.2"), (server13, "1.3")):
        for address in addresses:
            for call, offer in ((clients.s_client, H2), (clients.s_client, None),
                                (clients.curl, H1), (clients.python, H2)):
                truth = call(client, address, server.port, clients.name(), offer, version)
                tap.equal(truth.completed, True, truth.output)
                event = judge.check(agent, truth, server, address, expect=None)
                tap.equal((event["alpn"]["role"], event["service"]["name"]), ("server", "nginx"),
                          "role and service")
                truths.append(truth)
    metrics = agent.drain()
    tap.equal(metrics.handshakes("offered", "next_protocol", "outcome"),
              judge.expected_counts(truths), "alpn_handshakes_total")
    for name, want in (("hellos", len(truths)), ("records", len(truths)), ("repeats", 0),
                       ("lost", 0), ("orphans", 0)):
        tap.equal(metrics.sum(f"alpnscope_{name}_total"), want, name)
    return metrics


def native():
    """native: every handshake once, egress at TC, and it is said which"""
    need()
    with Agent(host, *XDP, interface="eth0") as agent:
        tap.equal(xdp.on(host, "eth0"), ("native", "alpnscope_xdp"), "on eth0")
        if tcx.supported(host):
            tap.equal([tcx.names(host, "eth0", s) for s in tcx.SIDES], [[], ["alpnscope_out"]],
                      "at TC, ingress and egress")
        says(agent.stderr(), "observing eth0 by native XDP, ", " egress\n", "interface by xdp")
        metrics = handshakes(agent, (net.V4, net.V6))
        tap.equal(metrics.sum("alpnscope_build_info", hook="xdp"), 1, "build_info")
        agent.stop()


def client_role():
    """the client is ours: its hello leaves by TC, the answer arrives by XDP"""
    need()
    with servers.Nginx(client, 8446) as there, Agent(host, *XDP, interface="eth0") as agent:
        truth = clients.python(host, net.CLIENT_V4, 8446, clients.name(), H2, "1.2")
        event = judge.check(agent, truth, there, net.CLIENT_V4, expect=None, role="client")
        tap.equal(event["service"]["name"], netlib.read("/proc/self/comm").strip(), "service")
        agent.stop()


def bridged(agent_test):
    """eth0 of the host under a bridge, which has the addresses and no XDP of its own."""
    host.ip("link", "add", "br0", "type", "bridge")
    host.ip("link", "set", "br0", "up")
    host.ip("addr", "flush", "dev", "eth0")
    host.ip("link", "set", "eth0", "master", "br0")
    host.address("br0", net.V4 + "/24", net.V6 + "/64")
    try:
        tap.wait_for(lambda: "state UP" in host.ip("link", "show", "br0"), "br0 to be up")
        with Agent(host, *XDP, interface="br0") as agent:
            tap.equal(xdp.on(host, "br0"), ("generic", "alpnscope_xdp"), "on br0")
            says(agent.stderr(), "observing br0 by generic XDP (native: ")
            agent_test(agent)
            agent.stop()
    finally:
        host.ip("link", "del", "br0")
        host.address("eth0", net.V4 + "/24", net.V6 + "/64")


def generic():
    """generic, where the driver has no XDP: every handshake once"""
    need()
    bridged(lambda agent: handshakes(agent, (net.V4, net.V6)))


def crafted(agent, device="eth0", mss=65000):
    """A ClientHello of 9,000 bytes, its ALPN behind the padding (RFC 7685), in one big frame or
    in several, for there is no GRO before XDP."""
    for n, (here, there) in enumerate((("192.0.2.1", "192.0.2.2"),
                                       ("2001:db8::1", "2001:db8::2"))):
        port = next(ports)
        exchange = craft.Connection(here, port, there, 443, mss=mss)
        truth = clients.Truth("crafted", H2, clients.name(), "h2", "1.2", port)
        hello = craft.record(craft.HANDSHAKE, craft.client_hello(
            [craft.server_name(truth.sni.encode()), craft.extension(21, bytes(9000)),
             craft.alpn(b"h2", b"http/1.1")]))
        answer = craft.record(craft.HANDSHAKE, craft.server_hello([craft.alpn(b"h2")]))
        # To everybody: a bridge would not take what is addressed to another.
        frames = [b"\xff" * 6 + frame[6:] for frame in exchange.client(hello)]
        tap.equal((len(frames), len(frames[0]) > ONE_PAGE), (1, True) if mss > 9500 else (7, False),
                  "frames, big ones")
        netlib.send_frames(client, "eth0", frames)
        netlib.send_frames(host, device, exchange.server(answer))
        event, = judge.find(agent, truth)
        tap.equal((event["alpn"]["outcome"], event["tls"]["client"]["alpn"],
                   event["tls"]["next_protocol"]), ("negotiated", H2, "h2"), "the event")
        metrics = agent.drain()
        tap.equal([metrics.sum(f"alpnscope_{what}_total") for what in ("hellos", "records", "lost")],
                  [n + 1, n + 1, 0], "hellos, records, lost")


def split():
    """a hello in seven frames, native"""
    need()
    with Agent(host, *XDP, interface="eth0") as agent:
        crafted(agent, mss=1400)
        agent.stop()


def jumbo(test):
    need()
    for namespace in (host, client):
        namespace.ip("link", "set", "eth0", "mtu", "65535")
    try:
        test()
    finally:
        for namespace in (host, client):
            namespace.ip("link", "set", "eth0", "mtu", "1500")


def frags_native():
    """frames over one page, native: in several buffers (MTU 65535)"""
    def test():
        with Agent(host, *XDP, interface="eth0") as agent:
            tap.equal(xdp.on(host, "eth0"), ("native", "alpnscope_xdp"), "on eth0")
            crafted(agent)
            agent.stop()
    jumbo(test)


def frags_generic():
    """frames over one page, generic (MTU 65535)"""
    jumbo(lambda: bridged(lambda agent: crafted(agent, "br0")))


def offloads(namespace):
    return namespace.sh("ethtool", "-k", "eth0")


def device():
    """what it changes on a veth: the peer's TSO, and no MTU; all is back afterwards"""
    need()
    here, there, size = offloads(host), offloads(client), client.ip("link", "show", "eth0")
    says(there, "tcp-segmentation-offload: on")
    with Agent(host, *XDP, interface="eth0") as agent:
        tap.equal(offloads(host), here, "offloads of the device itself")
        says(offloads(client), "tcp-segmentation-offload: off")
        tap.equal(client.ip("link", "show", "eth0"), size, "the peer's link")
        client.ip("link", "set", "eth0", "mtu", "9000")  # or it fails
        client.ip("link", "set", "eth0", "mtu", "1500")
        agent.stop()
    tap.equal((offloads(host), offloads(client)), (here, there), "offloads afterwards")


def killed():
    """SIGKILL leaves nothing: no program, and the peer's offloads are back"""
    need()
    there = offloads(client)
    with Agent(host, *XDP, interface="eth0") as agent:
        agent.process.kill()
        agent.process.wait()
        tap.wait_for(lambda: xdp.on(host, "eth0") is None, "the kernel to detach", 2)
        if tcx.supported(host):
            tap.equal(attachments(host), agent.before, "attached")
    tap.wait_for(lambda: offloads(client) == there, "the offloads to be back", 2)


def foreign(mode, link):
    need()
    with xdp.Program(host, "eth0", mode, link):
        before = attachments(host)
        says(fails("-i", "eth0", "--hook", "xdp"), "cannot attach to eth0", "XDP program foreign",
             "not replaced", "leave out --hook xdp")
        tap.equal(attachments(host), before, "attached")
        tap.equal(xdp.on(host, "eth0")[1], "foreign", "on eth0")
        with Agent(host, interface="eth0") as agent:  # at TC it goes
            truth = clients.python(client, net.V4, server12.port, clients.name(), H2, "1.2")
            judge.check(agent, truth, server12, net.V4, expect=None)
            agent.stop()
        tap.equal(xdp.on(host, "eth0")[1], "foreign", "on eth0 afterwards")


def foreign_one_of_any():
    """-i any: the interface with somebody else's program is left out, and said; others go on"""
    need()
    with xdp.Program(host, "lo", xdp.GENERIC), xdp.Program(host, "eth0", xdp.GENERIC):
        with Agent(host, *XDP) as agent:
            says(agent.stderr(), "cannot attach to eth0: the XDP program foreign",
                 "observing lo by ")
            tap.equal(agent.metrics().sum("alpnscope_interfaces", state="failed") >= 1, True,
                      "interfaces that failed")
            agent.stop()


def two_agents():
    """a second agent: refused at XDP, by the first one's name; at TC both see the handshake"""
    need()
    with Agent(host, *XDP, interface="eth0") as first:
        says(fails("-i", "eth0", "--hook", "xdp"), "XDP program alpnscope_xdp")
        with Other(host, interface="eth0") as second:
            truth = clients.python(client, net.V4, server12.port, clients.name(), H2, "1.2")
            for agent in (first, second):
                judge.check(agent, truth, server12, net.V4, expect=None)
                tap.equal(agent.drain().sum("alpnscope_hellos_total"), 1, "hellos")
            second.stop()
        first.stop()


def all_interfaces():
    """-i any: lo and devices without Ethernet stay at TC; a handshake is one record on each"""
    need()
    host.ip("tuntap", "add", "tun0", "mode", "tun")
    try:
        host.ip("link", "set", "tun0", "up")
        with Agent(host, *XDP) as agent:
            for words in ("observing eth0 by native XDP, ", "observing lo by tcx\n",
                          "observing tun0 by tcx\n"):
                says(agent.stderr(), words if tcx.supported(host) else words.replace("tcx", "clsact"))
            tap.equal((xdp.on(host, "lo"), xdp.on(host, "tun0")), (None, None), "on lo and tun0")
            for namespace, address in ((host, "127.0.0.1"), (client, net.V4)):
                truth = clients.python(namespace, address, server12.port, clients.name(), H2, "1.2")
                judge.check(agent, truth, server12, address, expect=None)
            tap.equal(agent.drain().sum("alpnscope_records_total"), 2, "records")
            agent.stop()
    finally:
        host.ip("link", "del", "tun0")


def comes_again():
    """an interface that vanishes and comes again, and one that goes down and up"""
    need()
    late = Namespace("late")

    def make():
        netlib.connect(host, "late0", late, "eth0")
        host.address("late0", "10.81.0.1/24")
        late.address("eth0", "10.81.0.2/24")
        tap.wait_for(lambda: "state UP" in host.ip("link", "show", "late0"), "late0 to be up")

    def seen():
        tap.wait_for(lambda: xdp.on(host, "late0") == ("native", "alpnscope_xdp"), "XDP on late0")
        truth = clients.python(late, "10.81.0.1", server12.port, clients.name(), H2, "1.2")
        judge.check(agent, truth, server12, "10.81.0.1", expect=None)

    try:
        make()
        with Agent(host, *XDP, interface="late0") as agent:
            seen()
            host.ip("link", "del", "late0")
            make()
            seen()
            host.ip("link", "set", "late0", "down")
            host.ip("link", "set", "late0", "up")
            tap.wait_for(lambda: "state UP" in host.ip("link", "show", "late0"), "late0 to be up")
            seen()
            agent.stop()
        host.ip("link", "del", "late0")  # the kernel takes it with its peer's namespace, but later
    finally:
        late.close()


def doctor(*args):
    out = host.sh("unshare", "-m", "sh", "-c", "mount -t tmpfs none /run && exec \"$@\"", "sh",
                  BINARY, "doctor", *args)
    eth0, = [line for line in out.splitlines() if " eth0: " in line]
    return out, eth0


def told():
    """doctor: what XDP would be; with --hook xdp, what it is; a program that is there by name"""
    need()
    before = attachments(host)
    _, eth0 = doctor()
    # The netdev family came with 6.3.
    says(eth0, "XDP would be native, multi-buffer" if kernel(6, 3) else "XDP not tried")
    tap.equal(attachments(host), before, "attached")
    out, eth0 = doctor("--hook", "xdp")
    says(eth0, "native XDP, ", " egress")
    says(out, "offloads and MTU")
    with xdp.Program(host, "eth0", xdp.GENERIC):
        says(doctor()[1], "XDP program foreign comes first")
        says(doctor("--hook", "xdp")[1], "cannot attach", "XDP program", "not replaced")
    tap.equal(attachments(host), before, "attached afterwards")


with contextlib.ExitStack() as stack:
    server12 = stack.enter_context(servers.Nginx(host, 8443))
    server13 = stack.enter_context(servers.Nginx(host, 8444, versions="1.3"))
    os.mkdir(os.path.join(server12.dir, "sock"), 0o750)
    tap.run([
        old_kernel, native, client_role, generic, split, frags_native, frags_generic, device, killed,
        *[tap.named(f"somebody else's program, {mode}, by {how}: named, kept; TC goes on", foreign,
                    flag, how == "a link")
          for mode, flag in (("generic", xdp.GENERIC), ("native", xdp.NATIVE))
          for how in ("a link", "netlink")],
        foreign_one_of_any, two_agents, all_interfaces, comes_again, told,
    ])
