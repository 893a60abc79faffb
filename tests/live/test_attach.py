#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""How the agent gets in front of an interface's traffic, by tcx and by clsact: beside others'
programs, after a crash, two agents at once, interfaces that come and go."""
import contextlib
import json
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import judge
import net as netlib
import servers
import tap
import tcx
from agent import BINARY, Agent, Metrics, attachments, http_get
from clients import H2
from net import Namespace, Pair

net = Pair()
host = net.host
SIDES = {"ingress": "alpnscope_in", "egress": "alpnscope_out"}
HOOKS = ("tcx", "clsact")
OTHER_ADDRESS = ("--web.listen-address", "127.0.0.1:10036")
LATE, LATE_CLIENT = "10.81.0.1", "10.81.0.2"


class Other(Agent):
    """An agent beside a first one; every agent here has a socket of its own."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, *OTHER_ADDRESS, **kwargs)

    def metrics(self, accept=None):
        return Metrics(http_get(self.namespace, "/metrics", 10036, accept)[2])


def need(hook):
    if hook == "tcx" and not tcx.supported(host):
        raise tap.Skip("this kernel has no tcx (Linux 6.6)")


def start(hook, kind=Agent, interface="eth0"):
    need(hook)
    return kind(host, "--hook", hook, interface=interface)


def kill(agent):
    agent.process.kill()
    agent.process.wait()


def end(agent):
    """SIGTERM; unlike Agent.stop() it leaves to the caller what must then be attached."""
    agent.process.terminate()
    tap.equal(agent.process.wait(10), 0, "exit status after SIGTERM; stderr: " + agent.stderr())


def seen_once(*agents, address=net.V4, client=net.client):
    """A handshake is one event of each agent, and its hello came by each only once."""
    before = [agent.drain().sum("alpnscope_hellos_total") for agent in agents]
    truth = clients.python(client, address, server.port, clients.name(), H2, "1.2")
    tap.equal((truth.completed, truth.negotiated), (True, "h2"), truth.output)
    for agent, hellos in zip(agents, before):
        judge.check(agent, truth, server, address, outcome="negotiated")
        tap.equal(agent.drain().sum("alpnscope_hellos_total") - hellos, 1, "hellos")


def qdisc(action, kind):
    host.sh("tc", "qdisc", action, "dev", "eth0", kind)


def has(kind):
    return f"qdisc {kind} " in host.sh("tc", "qdisc", "show", "dev", "eth0")


def foreign_filter(priority=5):
    """One that lets every packet pass, and ends the chain."""
    host.sh("tc", "filter", "add", "dev", "eth0", "ingress", "protocol", "all", "prio",
            str(priority), "u32", "match", "u32", "0", "0", "flowid", "1:1")


def filter_names(device, side):
    """A foreign filter's name is its kind."""
    shown = json.loads(host.sh("tc", "-j", "filter", "show", "dev", device, side) or "[]")
    return [f["options"].get("prog", {}).get("name", f["kind"])
            for f in shown if f.get("options", {}).keys() & {"handle", "flowid"}]


def attached(hook, device="eth0"):
    """{side: names of the programs or filters, in the order in which they run}"""
    if hook == "tcx":
        return {side: tcx.names(host, device, side) for side in SIDES}
    return {side: filter_names(device, side) for side in SIDES}


def ours(count=1, ingress=(), egress=()):
    """What attached() returns for `count` agents, and after them the foreign ones."""
    return {"ingress": ["alpnscope_in"] * count + list(ingress),
            "egress": ["alpnscope_out"] * count + list(egress)}


@contextlib.contextmanager
def clean():
    """Nothing is attached before the block, nor after it; after a failure that is seen to."""
    nothing = attachments(host)
    for hook in HOOKS:
        tap.equal((attached(hook), has("clsact")), (ours(0), False), "at the start")
    try:
        yield
        tap.equal(attachments(host), nothing, "at the end")
    finally:
        host.sh("tc", "qdisc", "del", "dev", "eth0", "parent", "ffff:fff1", check=False)


def tcx_foreign():
    """tcx: at the head, ahead of a foreign program that ends the chain, which stays"""
    need("tcx")
    with clean(), contextlib.ExitStack() as stack:
        foreign = [stack.enter_context(tcx.Program(host, "eth0", side, tcx.PASS)).id
                   for side in SIDES]
        agent = stack.enter_context(start("tcx"))
        tap.equal(attached("tcx"), ours(1, ["foreign"], ["foreign"]), "programs in order")
        seen_once(agent)
        seen_once(agent, address=net.V6)
        agent.stop()
        tap.equal([i for side in SIDES for i in tcx.ids(host, "eth0", side)], foreign,
                  "programs afterwards")


def tcx_crash():
    """tcx: nothing is left after SIGKILL"""
    with clean(), start("tcx") as agent:
        tap.equal(attached("tcx"), ours(), "programs")
        kill(agent)
        tap.wait_for(lambda: attachments(host) == agent.before, "the kernel to detach", 2)


def auto():
    """--hook auto takes tcx where the kernel has it, else clsact"""
    best, other = HOOKS if tcx.supported(host) else HOOKS[::-1]
    with clean(), start("auto") as agent:
        tap.equal((attached(best), attached(other)), (ours(), ours(0)), "attached")
        agent.stop()


def clsact_created():
    """clsact: a qdisc of our own is removed on SIGTERM"""
    with clean(), start("clsact") as agent:
        tap.equal((has("clsact"), attached("clsact")), (True, ours()), "attached")
        seen_once(agent)
        seen_once(agent, address=net.V6)
        agent.stop()


def clsact_there(foreign):
    with clean():
        qdisc("add", "clsact")
        if foreign:
            foreign_filter()
        with start("clsact") as agent:
            tap.equal(attached("clsact"), ours(1, foreign), "filters in order")
            seen_once(agent)
            agent.stop()
        tap.equal((has("clsact"), attached("clsact")), (True, ours(0, foreign)), "afterwards")
        qdisc("del", "clsact")


def clsact_joined():
    """clsact: a foreign filter that was added to our qdisc is kept, and the qdisc with it"""
    with clean(), start("clsact") as agent:
        foreign_filter()
        seen_once(agent)
        end(agent)
        tap.equal((has("clsact"), attached("clsact")), (True, ours(0, ["u32"])), "afterwards")
        qdisc("del", "clsact")


def clsact_crash(there, crashes):
    with clean(), contextlib.ExitStack() as stack:
        if there:
            qdisc("add", "clsact")
        for agent in [stack.enter_context(start("clsact", kind))
                      for kind in (Agent, Other)[:crashes]]:
            kill(agent)
        tap.equal(attached("clsact"), ours(crashes), "left by the crash")
        agent = stack.enter_context(start("clsact"))
        tap.equal(attached("clsact"), ours(), "filters of the next agent")
        seen_once(agent)
        end(agent)
        tap.equal((has("clsact"), attached("clsact")), (there, ours(0)), "afterwards")
        if there:
            qdisc("del", "clsact")


def clsact_crash_of_one():
    """clsact: a new agent removes what a crashed one left, not what a live one has"""
    with clean(), start("clsact") as crashed, start("clsact", Other) as live:
        kill(crashed)
        with start("clsact") as agent:
            tap.equal(attached("clsact"), ours(2), "filters of the two that live")
            seen_once(live, agent)
            end(agent)
        seen_once(live)
        end(live)


def two_agents(hook, first_ends_first):
    with clean(), start(hook) as first, start(hook, Other) as second:
        tap.equal(attached(hook), ours(2), "attached")
        seen_once(first, second)
        ends, stays = (first, second) if first_ends_first else (second, first)
        end(ends)
        tap.equal(attached(hook), ours(), "attached when one has ended")
        seen_once(stays)
        end(stays)


def same_socket(hook):
    with clean(), start(hook) as agent:
        done = subprocess.run(host.argv([BINARY, "run", "-i", "eth0", "--hook", hook, "--socket",
                                         agent.socket, *OTHER_ADDRESS]), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=20)
        tap.equal((done.returncode, done.stdout, len(done.stderr.splitlines())), (1, "", 1),
                  f"exit status, stdout, lines of {done.stderr!r}")
        for words in ("another alpnscope is running", agent.socket, "stop it first"):
            tap.equal(words in done.stderr, True, f"{words!r} in {done.stderr!r}")
        tap.equal(attached(hook), ours(), "attached")
        seen_once(agent)
        agent.stop()


def refused(kind, priority, words):
    """Where clsact filters cannot be, the agent says why, and what is there stays as it is."""
    with clean():
        qdisc("add", kind)
        foreign_filter(priority)
        before = attached("clsact")
        done = subprocess.run(host.argv([BINARY, "run", "-i", "eth0", "--hook", "clsact",
                                         "--socket", os.path.join(server.dir, "sock", "s"),
                                         *OTHER_ADDRESS]), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, timeout=20)
        tap.equal(done.returncode, 1, f"exit status; stderr: {done.stderr}")
        tap.equal("cannot attach to eth0: " in done.stderr and words in done.stderr, True,
                  f"{words!r} in {done.stderr!r}")
        tap.equal((has(kind), attached("clsact")), (True, before), "afterwards")
        qdisc("del", kind)


def make_late(late):
    netlib.connect(host, "late0", late, "eth0")
    host.address("late0", LATE + "/24")
    late.address("eth0", LATE_CLIENT + "/24")
    tap.wait_for(lambda: "state UP" in host.ip("link", "show", "late0"), "late0 to be up")


def observed(agent):
    return agent.metrics().sum("alpnscope_interfaces", state="attached")


def comes_again(hook):
    late = Namespace("late")
    try:
        make_late(late)
        with clean(), start(hook, interface="late0") as agent:
            for _ in range(2):
                seen_once(agent, address=LATE, client=late)
                host.ip("link", "del", "late0")
                tap.wait_for(lambda: observed(agent) == 0, "late0 to be forgotten")
                make_late(late)
                tap.wait_for(lambda: observed(agent) == 1, "the new late0 to be observed")
                tap.equal(attached(hook, "late0"), ours(), "attached to the new one")
            seen_once(agent, address=LATE, client=late)
            # Into another namespace and back: what was attached is gone, the number is not.
            host.ip("link", "set", "late0", "netns", late.name)
            tap.wait_for(lambda: observed(agent) == 0, "late0 to be forgotten")
            late.ip("link", "set", "late0", "netns", host.name)
            host.address("late0", LATE + "/24")
            host.ip("link", "set", "late0", "up")
            tap.wait_for(lambda: observed(agent) == 1, "late0 to be observed again")
            tap.equal(attached(hook, "late0"), ours(), "attached when it is back")
            seen_once(agent, address=LATE, client=late)
            agent.stop()
    finally:
        late.close()


def down_and_up(hook):
    with clean(), start(hook) as agent:
        for _ in range(3):
            host.ip("link", "set", "eth0", "down")
            host.ip("link", "set", "eth0", "up")
        for namespace in (host, net.client):
            tap.wait_for(lambda n=namespace: "state UP" in n.ip("link", "show", "eth0"),
                         "eth0 to be up")
        seen_once(agent)
        tap.equal(attached(hook), ours(), "attached")
        tap.equal(observed(agent), 1, "interfaces attached")
        agent.stop()


def each_hook(text, test, *args):
    return [tap.named(f"{hook}: {text}", test, hook, *args) for hook in HOOKS]


with servers.Nginx(host, 8443) as server:
    tap.run([
        tcx_foreign, tcx_crash, auto, clsact_created,
        tap.named("clsact: a qdisc that was there is kept", clsact_there, ()),
        tap.named("clsact: so is a foreign filter in it, which runs after ours", clsact_there,
                  ("u32",)),
        clsact_joined,
        tap.named("clsact: after a crash the next agent removes all", clsact_crash, False, 1),
        tap.named("clsact: but for a qdisc that was there", clsact_crash, True, 1),
        tap.named("clsact: so it does after the crash of two", clsact_crash, False, 2),
        clsact_crash_of_one,
        *each_hook("two agents, the first ends first", two_agents, True),
        *each_hook("two agents, the second ends first", two_agents, False),
        *each_hook("an agent on the same socket is refused before it attaches", same_socket),
        tap.named("clsact: an ingress qdisc in its place is refused, and said", refused,
                  "ingress", 5, "put clsact in its place"),
        tap.named("clsact: so is a filter of another kind at our priority", refused, "clsact", 1,
                  "priority 1"),
        *each_hook("an interface that vanishes and comes again", comes_again),
        *each_hook("an interface that goes down and up", down_and_up),
    ])
