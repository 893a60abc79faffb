#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""What befalls interfaces while handshakes go on, and others' programs on the same hooks: the
agent stays, observes what is there, and takes nothing from anybody."""
import contextlib
import os
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import faults  # noqa: needs the path above
import net as netlib
import servers
import tap
import tcx
from agent import Agent
from net import Namespace, Pair

PORT = 8443
LATE, LATE_CLIENT = "10.81.0.1", "10.81.0.2"
INNER, OUTER = "10.82.0.1", "10.82.0.2"
LOOP = faults.full(50, 500)
AT_ONCE = faults.full(25, 250)  # pairs, both ends here: two interfaces, four links each
SECONDS = 60  # 500 take 8 to 11 s: two RCU grace periods each, longer on a busy machine
QUIET_KIB = 64
BUSY_KIB = 2048  # what requests fill up to its bound, too: 1,300 KiB after 11,000 of them

net = Pair()
host, late = net.host, Namespace("late")


def attached(agent):
    return agent.metrics().sum("alpnscope_interfaces", state="attached")


def until_attached(agent, count, what):
    """Seconds until so many interfaces are observed."""
    begin = time.monotonic()
    tap.wait_for(lambda: attached(agent) == count, f"{what}: {count} interfaces to be observed, "
                 f"{attached(agent)} are", SECONDS)
    return time.monotonic() - begin


def make_late():
    netlib.connect(host, "late0", late, "eth0")
    host.address("late0", LATE + "/24")
    late.address("eth0", LATE_CLIENT + "/24")


@contextlib.contextmanager
def late_there():
    make_late()
    try:
        yield
    finally:
        host.sh("ip", "link", "del", "late0", check=False)


@contextlib.contextmanager
def observed(*args, **kwargs):
    """An agent of every interface, with requests on eth0 all the while, of which it loses none."""
    with Agent(host, *args, **kwargs) as agent:
        with faults.Traffic(net.client, net.V4, PORT) as traffic:
            yield agent
            requests = traffic.stop()
        metrics = agent.drain()
        tap.equal(metrics.sum("alpnscope_lost_total"), 0, "hellos lost")
        events = [e for e in agent.events()
                  if e["tls"]["client"]["server_name"] == "traffic.test"]
        tap.equal(len(events), requests, "events of the requests on eth0")
        agent.stop()


def late_seen(agent):
    faults.seen(agent, late, LATE, PORT)


def deleted(agent):
    count, took = attached(agent), 0
    for _ in range(faults.full(1, 10)):
        host.ip("link", "del", "late0")
        until_attached(agent, count - 1, "deleted")
        make_late()
        took = max(took, until_attached(agent, count, "made again"))
        late_seen(agent)
    faults.row("interface deleted", "link del, made again under its name",
               "nothing elsewhere (each request was an event)",
               f"observed again {1e3 * took:.0f} ms after it was made, at most")


def renamed(agent):
    count = attached(agent)
    for old, new in (("late0", "late1"), ("late1", "late0")):
        host.ip("link", "set", old, "down")
        host.ip("link", "set", old, "name", new)
        host.ip("link", "set", new, "up")
        tap.wait_for(lambda: "state UP" in host.ip("link", "show", new), f"{new} up")
        event = faults.seen(agent, late, LATE, PORT)
        tap.equal(event["observer"]["ingress"]["interface"]["name"], new, "its name")
    tap.equal(attached(agent), count, "interfaces observed")
    faults.row("interface renamed", "link set name, there and back", "nothing",
               "the next handshake is one event, with the new name")


def moved(agent):
    count = attached(agent)
    host.ip("link", "set", "late0", "netns", late.name)
    until_attached(agent, count - 1, "moved away")
    late.ip("link", "set", "late0", "netns", host.name)
    host.address("late0", LATE + "/24")
    host.ip("link", "set", "late0", "up")
    took = until_attached(agent, count, "moved back")
    late_seen(agent)
    faults.row("interface moved", "link set netns, there and back",
               "while it was away it is not ours to see",
               f"observed again {1e3 * took:.0f} ms after it was back")


def late_comes_and_goes():
    """An interface is deleted and made again, renamed, moved away and back, while requests go on
    elsewhere"""
    with late_there(), observed() as agent:
        late_seen(agent)
        deleted(agent)
        renamed(agent)
        moved(agent)


def downs():
    """The interface of the requests goes down and up, its MTU changes"""
    with Agent(host) as agent, faults.Traffic(net.client, net.V4, PORT) as traffic:
        for mtu in (1280, 9000, 1500) * faults.full(1, 5):
            host.ip("link", "set", "eth0", "down")
            host.ip("link", "set", "eth0", "up")
            for end in (host, net.client):
                end.ip("link", "set", "eth0", "mtu", str(mtu))
            time.sleep(0.3)
        # A veth loses the packets that it is down for; TCP sends them again.
        begin, had = time.monotonic(), traffic.done
        tap.wait_for(lambda: traffic.done > had + 2, "requests to go on")
        took = time.monotonic() - begin
        requests = traffic.stop()
        metrics = agent.drain()
        events = [e for e in agent.events()
                  if e["tls"]["client"]["server_name"] == "traffic.test"]
        tap.equal(len(events), requests, "events of the requests")
        lost = metrics.sum("alpnscope_lost_total")
        agent.stop()
    faults.row("interface down, up, MTU", f"{faults.full(3, 15)} times down and up, MTU 1280, "
               f"9000, 1500, on the interface of {requests} requests", f"{lost:.0f} hellos lost; "
               f"{len(events)} events of {requests}", f"requests go on within {took:.1f} s (TCP)")


def batch(*lines):
    """One ip(8) for all."""
    with tempfile.NamedTemporaryFile("w") as file:
        print(*lines, sep="\n", file=file, flush=True)
        host.ip("-batch", file.name)


def churn(times):
    for _ in range(times):
        batch("link add v0 type veth peer name v1", "link set v0 up", "link set v1 up",
              "link del v0")


def loop(agent, times, most):
    """(descriptors, KiB of memory more than before)"""
    pid, count = agent.process.pid, attached(agent)
    churn(10)  # what is allocated once
    until_attached(agent, count, "after the first")
    fds, memory = faults.lasting_fds(pid), faults.own_memory(pid)
    churn(times)
    until_attached(agent, count, "after the loop")
    tap.equal(faults.lasting_fds(pid), fds, "descriptors")
    grown = faults.own_memory(pid) - memory
    tap.equal(grown <= most, True, f"KiB of memory more: {grown}")
    tap.equal("cannot attach" in agent.stderr(), False, agent.stderr())
    return fds, grown


@contextlib.contextmanager
def pairs(count):
    """So many veths with both ends here; the seconds that it took to make them."""
    begin = time.monotonic()
    try:
        batch(*[f"link add m{i} type veth peer name n{i}\nlink set m{i} up\nlink set n{i} up"
                for i in range(count)])
        yield time.monotonic() - begin
    finally:  # the tests to come would have them, too
        batch(*[f"link del m{i}" for i in range(count)])


def at_once(agent):
    count = attached(agent)
    with pairs(AT_ONCE) as made:
        # The agent is asked all the while, and answers: attaching keeps it from nothing.
        took = until_attached(agent, count + 2 * AT_ONCE, "made")
        tap.equal(agent.metrics().sum("alpnscope_interfaces", state="failed"), 0, "failed")
        with late_there():
            until_attached(agent, count + 2 * AT_ONCE + 1, "one more")
            late_seen(agent)
    until_attached(agent, count, "removed")
    faults.row("many interfaces", f"{2 * AT_ONCE} made in {made:.1f} s, soft limit of 64 "
               "descriptors", "nothing", f"all observed {took:.1f} s after the last")


def many():
    """Veths are made and removed in a loop, then many at once with a soft limit of 64 descriptors:
    all are observed, descriptors and memory stay"""
    with Agent(host) as agent:
        _, quiet = loop(agent, faults.full(10, 100), QUIET_KIB)
        agent.stop()
    with observed(wrap=("prlimit", "--nofile=64:4096")) as agent:
        fds, busy = loop(agent, LOOP, BUSY_KIB)
        at_once(agent)
    faults.row("interfaces come and go", f"{LOOP} veth pairs made, up, removed in a loop",
               "nothing", f"descriptors as before ({fds}), memory {busy:+d} KiB with requests "
               f"beside, {quiet:+d} without")


# ---- others' programs ----


def index(device):
    with host.enter():
        return netlib.socket.if_nametoindex(device)


def plumb():
    """A host without an address in between: what arrives at x0 goes out of r0, and back, only if a
    program sends it there."""
    inner, outer = Namespace("inner"), Namespace("outer")
    netlib.connect(host, "r0", inner, "eth0")
    netlib.connect(host, "x0", outer, "eth0")
    inner.address("eth0", INNER + "/24")
    outer.address("eth0", OUTER + "/24")
    return inner, outer


@contextlib.contextmanager
def tcx_redirect():
    with tcx.Program(host, "x0", "ingress", 0, redirect=index("r0")) as a, \
            tcx.Program(host, "r0", "ingress", 0, redirect=index("x0")) as b:
        def there():
            return [a.id in tcx.ids(host, "x0", "ingress"), b.id in tcx.ids(host, "r0", "ingress")]
        yield there


@contextlib.contextmanager
def clsact_redirect():
    for device, to in (("x0", "r0"), ("r0", "x0")):
        host.sh("tc", "qdisc", "add", "dev", device, "clsact", check=False)  # ours may be there
        try:
            host.sh("tc", "filter", "add", "dev", device, "ingress", "prio", "5", "protocol",
                    "all", "u32", "match", "u32", "0", "0", "action", "mirred", "egress",
                    "redirect", "dev", to)
        except AssertionError as e:
            raise tap.Skip(f"this kernel has no mirred: {e}") from None
    try:
        yield lambda: ["mirred" in host.sh("tc", "filter", "show", "dev", device, "ingress")
                       for device in ("x0", "r0")]
    finally:
        for device in ("x0", "r0"):
            host.sh("tc", "qdisc", "del", "dev", device, "clsact", check=False)


def works(agent, inner_server, outer, there, what):
    tap.equal(there(), [True, True], f"theirs is attached {what}")
    event = faults.seen(agent, outer, INNER, inner_server.port)
    tap.equal(event["tls"]["next_protocol"], "h2", what)


def redirects(hook, redirect, theirs_first):
    """Theirs stays and works, we see each handshake once, whoever came first."""
    if hook == "tcx" and not tcx.supported(host):
        raise tap.Skip("this kernel has no tcx (Linux 6.6)")
    inner, outer = plumb()
    try:
        with servers.Nginx(inner, PORT) as inner_server, contextlib.ExitStack() as stack:
            there = stack.enter_context(redirect()) if theirs_first else None
            agent = stack.enter_context(Agent(host, "--hook", hook))
            if not theirs_first:
                there = stack.enter_context(redirect())
            for _ in range(3):
                works(agent, inner_server, outer, there, "with ours")
            metrics = agent.drain()
            tap.equal((metrics.sum("alpnscope_hellos_total") -
                       metrics.sum("alpnscope_repeats_total"),
                       metrics.sum("alpnscope_lost_total")), (3, 0), "hellos, lost")
            agent.process.terminate()
            tap.equal(agent.process.wait(10), 0, "exit status")
            tap.equal(there(), [True, True], "theirs is attached when ours is gone")
            with faults.Traffic(outer, INNER, inner_server.port) as traffic:
                time.sleep(0.3)
                traffic.stop()
    finally:
        for device in ("x0", "r0"):  # a namespace takes its time
            host.sh("ip", "link", "del", device, check=False)
        inner.close()
        outer.close()
    faults.row("another's redirect", f"{redirect.__name__.replace('_', ' ')}, attached "
               f"{'before' if theirs_first else 'after'} ours ({hook}), takes all packets",
               "nothing: 3 handshakes, 3 events",
               "theirs stays attached and works, with ours and after it")


def each(text, hook, redirect, theirs_first):
    return tap.named(text, redirects, hook, redirect, theirs_first)


REDIRECTS = [
    each("tcx: a program that redirects comes ahead of ours", "tcx", tcx_redirect, False),
    each("clsact: a filter that redirects was there first", "clsact", clsact_redirect, True),
    each("tcx: a program that redirects was there first", "tcx", tcx_redirect, True),
    each("clsact: a filter that redirects comes behind ours", "clsact", clsact_redirect, False),
    each("clsact: a tcx program that redirects, ahead of all filters", "clsact", tcx_redirect,
         False),
]

with servers.Nginx(host, PORT):
    tap.run([late_comes_and_goes, downs, many, *REDIRECTS[:faults.full(2, None)]])
