#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""--tap: a mirror port. What it shows is seen once and goes no further; nothing else is dropped;
an interface that this host lives by is refused."""
import contextlib
import itertools
import json
import os
import socket
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
from agent import BINARY, Agent, attachments
from clients import H1, H2
from net import Namespace, Pair

HOOKS = ("tcx", "clsact", "xdp")
OTHERS = "10.90.0.2", "fd00:90::2"  # the server that is none of ours
ports = itertools.count(50001)


class Mirrored(Pair):
    """Pair, and a switch with a client and a server of somebody else's on it. It mirrors all of
    that client's traffic, both directions, to `mir0` of the host."""

    def __init__(self):
        super().__init__()
        self.switch, self.a, self.b = (Namespace(n) for n in ("switch", "a", "b"))
        self.switch.ip("link", "add", "br0", "type", "bridge")
        self.switch.ip("link", "set", "br0", "up")
        for end, device, number in ((self.a, "porta", 1), (self.b, "portb", 2)):
            netlib.connect(self.switch, device, end, "eth0")
            self.switch.ip("link", "set", device, "master", "br0")
            end.address("eth0", f"10.90.0.{number}/24", f"fd00:90::{number}/64")
        netlib.connect(self.switch, "span", self.host, "mir0")
        self.switch.sh("tc", "qdisc", "add", "dev", "porta", "clsact")
        for side in ("ingress", "egress"):
            self.switch.sh("tc", "filter", "add", "dev", "porta", side, "protocol", "all",
                           "u32", "match", "u32", "0", "0",
                           "action", "mirred", "egress", "mirror", "dev", "span")


net = Mirrored()
host = net.host


def need(hook):
    if hook == "tcx" and not tcx.supported(host):
        raise tap.Skip("this kernel has no tcx (Linux 6.6)")
    if hook == "xdp" and tuple(int(n) for n in os.uname().release.split(".")[:2]) < (5, 18):
        raise tap.Skip("this kernel has no bpf_xdp_load_bytes (Linux 5.18)")


class Tap(Agent):
    """An agent that taps mir0, and observes nothing else."""

    def __init__(self, hook="auto"):
        need(hook)
        super().__init__(host, "--tap", "mir0", "--hook", hook, "-v", interface=None)


def says(text, *words):
    for word in words:
        tap.equal(word in text, True, f"{word!r} in {text!r}")


def link(device="mir0"):
    found, = json.loads(host.ip("-j", "-d", "link", "show", device))
    return found


def link_local(namespace, device):
    def there():
        found, = json.loads(namespace.ip("-j", "-6", "addr", "show", device, "scope", "link"))
        return [a["local"] for a in found.get("addr_info", []) if not a.get("tentative")]
    return tap.wait_for(there, f"a link-local address of {device}")[0]


def answers():
    """Does the host's stack answer what arrives on mir0 (by IPv6's own address)? It refuses a
    connection, unless a tap takes the packets away: then nothing comes."""
    target = link_local(host, "mir0")
    with net.switch.enter(), socket.socket(socket.AF_INET6) as s:
        s.settimeout(1)
        try:
            s.connect((target, 9, 0, socket.if_nametoindex("span")))
        except ConnectionRefusedError:
            return True
        except OSError:
            return False
    raise AssertionError("somebody listens on port 9")


def answers_again():
    tap.wait_for(answers, "an answer from mir0")


def drain(agent, **counts):
    metrics = agent.drain()
    for name, want in counts.items():
        tap.equal(metrics.sum(f"alpnscope_{name}_total"), want, name)
    return metrics


def seen(hook):
    """Real handshakes of two others."""
    with Tap(hook=hook) as agent:
        how = {"tcx": "tcx", "clsact": "clsact", "xdp": "native XDP"}[hook]
        says(agent.stderr(), f"tapping mir0 by {how}\n",
             f"ready: tapping mir0 (all that arrives there is dropped) by {hook}; ")
        report = host.sh(BINARY, "doctor", "--socket", agent.socket)
        says(report, "mir0: up, Ethernet, tapped by an agent: all that arrives there is dropped")
        tap.equal(report.count("tapped"), 1, report)
        truths = []
        for server, version in ((server12, "1.2"), (server13, "1.3")):
            for address in OTHERS:
                for call, offer in ((clients.s_client, H2), (clients.s_client, None),
                                    (clients.curl, H1), (clients.python, H2)):
                    truth = call(net.a, address, server.port, clients.name(), offer, version)
                    tap.equal(truth.completed, True, truth.output)
                    event = judge.check(agent, truth, server, address, expect=None,
                                        role="transit")
                    tap.equal(event["observer"]["ingress"]["interface"]["name"], "mir0",
                              "interface")
                    truths.append(truth)
        metrics = drain(agent, hellos=len(truths), records=len(truths), repeats=0, lost=0,
                        orphans=0)
        tap.equal(metrics.by("alpn_handshakes_total", "role", "peer"),
                  {("transit", "remote"): len(truths)}, "role and peer")
        tap.equal(metrics.handshakes("offered", "next_protocol", "outcome"),
                  judge.expected_counts(truths), "alpn_handshakes_total")
        agent.stop()


def dropped(hook):
    """Nothing that arrives on mir0 gets to the stack; what leaves there does, as before."""
    answers_again()
    with Tap(hook=hook) as agent:
        tap.equal(answers(), False, "an answer from a tapped interface")
        frame = craft.Connection("192.0.2.1", 50000, "192.0.2.2", 443).open()[0]
        before = int(net.switch.sh("cat", "/proc/net/dev").split("span:")[1].split()[1])
        netlib.send_frames(host, "mir0", [frame] * 3)
        after = int(net.switch.sh("cat", "/proc/net/dev").split("span:")[1].split()[1])
        tap.equal(after - before >= 3, True, f"frames out of mir0: {before} to {after}")
        agent.stop()
    answers_again()


def promiscuous(hook):
    """The interface is promiscuous for as long as it is tapped, SIGTERM or SIGKILL; after a crash
    it answers again, but on clsact, whose filters the next agent removes."""
    need(hook)
    tap.equal(link()["promiscuity"], 0, "before")
    with Tap(hook=hook) as agent:
        tap.equal(link()["promiscuity"], 1, "tapped")
        agent.stop()
    tap.equal(link()["promiscuity"], 0, "after SIGTERM")
    with Tap(hook=hook) as agent:
        nothing = agent.before
        agent.process.kill()
        agent.process.wait()
        tap.wait_for(lambda: link()["promiscuity"] == 0, "promiscuous mode to end", 2)
        if hook == "clsact":
            with Agent(host, "--hook", "clsact", interface="mir0") as cleaner:
                cleaner.process.terminate()
                tap.equal(cleaner.process.wait(10), 0, "exit status")
    tap.wait_for(lambda: attachments(host) == nothing, "the kernel to detach", 2)
    answers_again()


def others_pass(hook):
    """-i eth0 beside it: the host's own traffic is neither dropped nor taken for the tap's"""
    need(hook)
    with Agent(host, "--tap", "mir0", "--hook", hook, interface="eth0") as agent:
        for _ in range(3):
            truth = clients.python(net.client, net.V4, own.port, clients.name(), H2, "1.2")
            tap.equal(truth.completed, True, truth.output)
            judge.check(agent, truth, own, net.V4, expect=None, role="server")
        truth = clients.python(net.a, OTHERS[0], server12.port, clients.name(), H2, "1.2")
        judge.check(agent, truth, server12, OTHERS[0], expect=None, role="transit")
        drain(agent, hellos=4, records=4)
        agent.stop()


def own_address():
    """addresses of this host in mirrored traffic: role transit, it is a copy from elsewhere"""
    with Tap() as agent:
        exchange = craft.Connection("192.0.2.1", next(ports), net.V4, 443)
        truth = clients.Truth("crafted", H2, clients.name())
        hello = craft.client_hello([craft.server_name(truth.sni.encode()),
                                    craft.alpn(b"h2", b"http/1.1")])
        answer = craft.server_hello([craft.alpn(b"h2")])
        netlib.send_frames(net.switch, "span",
                           exchange.client(craft.record(craft.HANDSHAKE, hello)) +
                           exchange.server(craft.record(craft.HANDSHAKE, answer)))
        event, = judge.find(agent, truth)
        tap.equal((event["server"]["ip"], event["alpn"]["role"], event["tls"]["next_protocol"]),
                  (net.V4, "transit", "h2"), "the event")
        agent.stop()


def alone():
    """without -i nothing else is observed; -i any is everything else too"""
    for observe in ((), ("-i", "any")):
        argv = [BINARY, "run", "--tap", "mir0", *observe, "-v", "--duration", "300ms",
                "--web.listen-address", "127.0.0.1:0", "--socket",
                os.path.join(own.dir, "sock", "s")]
        done = subprocess.run(host.argv(argv), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=20)
        tap.equal(done.returncode, 0, done.stderr)
        says(done.stderr, "tapping mir0 by ")
        for device in ("eth0", "lo"):
            tap.equal(f"observing {device} by " in done.stderr, bool(observe), done.stderr)
        tap.equal("observing mir0 by " in done.stderr, False, done.stderr)


def refused(*args, status=1, words=()):
    before = attachments(host), link()["promiscuity"]
    done = subprocess.run(host.argv([BINARY, "run", *args, "--duration", "300ms",
                                     "--web.listen-address", "127.0.0.1:0", "--socket",
                                     os.path.join(own.dir, "sock", "s")]),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    tap.equal((done.returncode, done.stdout), (status, ""), done.stderr)
    tap.equal(len(done.stderr.splitlines()), 1, done.stderr)
    says(done.stderr, *words)
    tap.equal((attachments(host), link()["promiscuity"]), before, "attached")


@contextlib.contextmanager
def changed(do, undo):
    host.ip(*do.split())
    try:
        yield
    finally:
        host.ip(*undo.split())


def refusals():
    """refused, with what to do: an address, a default route, a master, something on top"""
    one = ("--tap", "mir0")
    with changed("addr add 192.0.2.9/24 dev mir0", "addr del 192.0.2.9/24 dev mir0"):
        refused(*one, words=("cannot tap mir0: it has the address 192.0.2.9,", "ip addr del",
                             "-i mir0"))
        refused(*one, "--hook", "clsact", words=("it has the address 192.0.2.9,",))
    with changed("addr add 2001:db8::9/64 dev mir0 nodad", "addr del 2001:db8::9/64 dev mir0"):
        refused(*one, words=("it has the address 2001:db8::9,",))
    with changed("route add default dev mir0", "route del default dev mir0"):
        refused(*one, words=("a default route goes out there", "ip route del"))
    with changed("-6 route add default dev mir0", "-6 route del default dev mir0"):
        refused(*one, words=("a default route goes out there",))
    with changed("route add default nexthop dev eth0 nexthop dev mir0", "route del default"):
        refused(*one, words=("a default route goes out there",))
    host.ip("link", "add", "br9", "type", "bridge")
    try:
        with changed("link set mir0 master br9", "link set mir0 nomaster"):
            refused(*one, words=("it is a port of br9", "ip link set mir0 nomaster"))
    finally:
        host.ip("link", "del", "br9")
    try:
        host.ip("link", "add", "mv0", "link", "mir0", "type", "macvlan")
    except AssertionError as e:
        tap.equal("Unknown device type" in str(e), True, str(e))
    else:
        try:
            refused(*one, words=("mv0 is on top of it", "ip link del mv0"))
        finally:
            host.ip("link", "del", "mv0")


def wrong():
    """refused: any, an interface that is observed too, that is not there, that is not Ethernet"""
    refused("--tap", "any", status=2, words=("--tap: 'any' is not one interface",))
    refused("--tap", "mir0", "-i", "mir0", status=2, words=("-i mir0 and --tap mir0",))
    refused("--tap", "none0", words=("cannot tap none0: no such interface",))
    refused("--tap", "lo", words=("cannot tap lo: it is the loopback, and no mirror port", "-i lo"))
    host.ip("tuntap", "add", "tun0", "mode", "tun")
    try:
        host.ip("link", "set", "tun0", "up")
        refused("--tap", "tun0", words=("cannot tap tun0: it is not Ethernet", "-i tun0"))
    finally:
        host.ip("link", "del", "tun0")


def foreign_xdp():
    """--hook xdp: somebody else's program on it is named and kept"""
    need("xdp")
    with xdp.Program(host, "mir0", xdp.NATIVE):
        refused("--tap", "mir0", "--hook", "xdp",
                words=("cannot tap mir0: the XDP program foreign", "not replaced"))
        tap.equal(xdp.on(host, "mir0"), ("native", "foreign"), "on mir0")


def capability():
    """without CAP_NET_RAW: promiscuous mode is refused, and so the tap; it is said"""
    done = subprocess.run(host.argv(["setpriv", "--bounding-set", "-net_raw", "--inh-caps",
                                     "-net_raw", BINARY, "run", "--tap", "mir0", "--duration",
                                     "300ms", "--web.listen-address", "127.0.0.1:0", "--socket",
                                     os.path.join(own.dir, "sock", "s")]),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    tap.equal((done.returncode, done.stdout), (1, ""), done.stderr)
    says(done.stderr.splitlines()[0], "cannot tap mir0: ", "CAP_NET_RAW")


def follows(hook):
    """An interface that is renamed is tapped no more, and is again by its name; one that goes down
    and up stays tapped."""
    def rename(old, new):
        host.ip("link", "set", old, "down")
        host.ip("link", "set", old, "name", new)
        host.ip("link", "set", new, "up")
    with Tap(hook=hook) as agent:
        rename("mir0", "mir9")
        tap.wait_for(lambda: link("mir9")["promiscuity"] == 0, "the tap to end")
        rename("mir9", "mir0")
        tap.wait_for(lambda: link()["promiscuity"] == 1, "the tap to begin")
        host.ip("link", "set", "mir0", "down")
        for old, new in (("mir0", "mir9"), ("mir9", "mir0")):
            host.ip("link", "set", old, "name", new)
            tap.wait_for(lambda: link(new)["promiscuity"] == 0, "the tap of what is down to end")
        host.ip("link", "set", "mir0", "up")
        tap.wait_for(lambda: link()["promiscuity"] == 1, "the tap to begin again")
        tap.equal(answers(), False, "an answer from a tapped interface")
        host.ip("link", "set", "mir0", "down")
        host.ip("link", "set", "mir0", "up")
        tap.equal(link()["promiscuity"], 1, "after down and up")
        tap.equal(answers(), False, "an answer after down and up")
        agent.stop()


def down():
    """what is down is said to be tapped when it comes up, and nothing is observed till then"""
    host.ip("link", "set", "mir0", "down")
    with Agent(host, "--tap", "mir0", interface=None) as agent:
        says(agent.stderr(), "mir0 is down; it will be tapped when it comes up",
             "ready: none of the interfaces is up yet; ")
        host.ip("link", "set", "mir0", "up")
        tap.wait_for(lambda: link()["promiscuity"] == 1, "the tap to begin")
        agent.stop()
    with changed("addr add 192.0.2.9/24 dev mir0", "addr del 192.0.2.9/24 dev mir0"), \
            Agent(host, "--tap", "mir0") as agent:
        says(agent.stderr(), "ready: observing 2 interfaces by ", ", 1 failed; try: ")
        agent.stop()


def renamed_under_any():
    """-i any: a tap whose interface gets another name drops no more, and is observed"""
    with Agent(host, "--tap", "mir0", "-v") as agent:
        tap.equal(answers(), False, "an answer from a tapped interface")
        for old, new, want in (("mir0", "mir9", 0), ("mir9", "mir0", 1)):
            host.ip("link", "set", old, "down")
            host.ip("link", "set", old, "name", new)
            tap.wait_for(lambda: link(new)["promiscuity"] == 0, "the tap of what is down to end")
            host.ip("link", "set", new, "up")
            tap.wait_for(lambda: link(new)["promiscuity"] == want, f"promiscuity of {new}")
        says(agent.stderr(), "observing mir9 by ")
        agent.stop()


def each_hook(text, test):
    return [tap.named(f"{hook}: {text}", test, hook) for hook in HOOKS]


with contextlib.ExitStack() as stack:
    own = stack.enter_context(servers.Nginx(host, 8443))
    os.mkdir(os.path.join(own.dir, "sock"), 0o750)
    server12 = stack.enter_context(servers.Nginx(net.b, 8443))
    server13 = stack.enter_context(servers.Nginx(net.b, 8444, versions="1.3"))
    tap.run([
        *each_hook("others' handshakes, each once, both ledgers balance", seen),
        *each_hook("what arrives does not get to the stack; what leaves does", dropped),
        *each_hook("promiscuous while it lasts; after a crash nothing is left", promiscuous),
        *each_hook("beside -i eth0: only the tap's frames are dropped", others_pass),
        own_address, alone, refusals, wrong, foreign_xdp, capability,
        *each_hook("an interface that is renamed, or goes down and up", follows),
        renamed_under_any,
        down,
    ])
