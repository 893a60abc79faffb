#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does it load, attach, observe and go on every kernel that is promised, whatever compiled it?

usage: tests/kernels/test_kernels.py [SUITE...]   (make test-kernels: what it needs first, then all)

Debian's kernels of bullseye (5.10), bookworm (6.1), trixie (6.12) and trixie-backports (the newest)
boot in QEMU, two at a time, on x86-64 only. fetch.sh, which make runs, finds each by the suite's
meta-package at the mirror that the host's apt uses, and unpacks it under build/kernels/, where it
stays until it is removed: `rm -r build/kernels` to get newer ones. Nothing is installed. guest.py makes the
initramfs of programs of the host, init.sh runs in it, verify.c reads how much was verified.

In each guest, with the object built by clang 14 and then by clang 19:
 - every program is loaded: how many instructions were verified is the table that is printed. From
   250,000 on there is a warning, from 800,000 on it fails; the kernel's own limit is a million;
 - the agent observes handshakes over a veth pair between two network namespaces, of TLS 1.2 and 1.3
   over IPv4 and IPv6, each ClientHello in two segments; its events must say what the client and the
   server say. By tcx, or clsact where the kernel has no tcx, with --library from Linux 5.15 on; and
   from Linux 5.18 on by XDP;
 - its ledgers are even, and after SIGTERM the kernel's state is what it was before.

A suite that the mirror does not serve is skipped, but fewer than three kernels are a failure.
"""
import collections
import concurrent.futures
import glob
import json
import os
import platform
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import guest  # noqa: needs the path above
import tap
from agent import Metrics, check_ledgers, check_schema
from net import sh

KERNELS_MIN = 3
GUESTS = 2  # at one time
GUEST_SECONDS = 200
# BPF's compiler: the agent's. tests/live/test_build.py builds these too, in the same places.
COMPILERS = {"clang-14": "gcc", "clang-19": "clang-19"}
TCX, XDP, LIBRARY, COUNTS = (6, 6), (5, 18), (5, 15), (5, 16)
WARN, FAIL = 250_000, 800_000  # verified instructions
ADDRESSES = {"10.77.0.1": "10.77.0.2", "fd00:77::1": "fd00:77::2"}
PORT = 8443
Handshake = collections.namedtuple("Handshake", "name address version offer port chosen")


def build(compiler):
    """The build directory of the agent with the object of a compiler."""
    directory = os.path.join(tap.BUILD, "matrix", COMPILERS[compiler])
    env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    done = subprocess.run(
        ["make", "-C", tap.ROOT, "-s", "--no-print-directory", "-j2", f"CLANG={compiler}",
         f"CC={COMPILERS[compiler]}", f"BUILD={os.path.relpath(directory, tap.ROOT)}", "all"],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        check=False, env=env)
    tap.equal(done.returncode, 0, done.stdout)
    return directory


def wanted_programs(kernel, directory):
    """The names of the programs that this kernel must load, from the objects' symbols."""
    objects = ["linked.o"] + ["library.bpf.o"] * (kernel.version >= LIBRARY)
    symbols = "".join(sh("readelf", "-sW", os.path.join(directory, o)) for o in objects)
    names = re.findall(r" FUNC .* ((?:alpnscope|library)_\w+)$", symbols, re.M)
    return [n for n in names if kernel.version >= XDP or n not in ("alpnscope_xdp", "alpnscope_xtap")]


def said(kernel, compiler):
    """Of the verifier: by verify.c, and of the programs of each agent."""
    return "".join(text for name, text in kernel.sections.items()
                   if name.startswith(compiler) and name.endswith("programs"))


def verified(kernel, compiler):
    """{program: instructions, None if it was refused}; each agent's are its own: the most"""
    most = {}
    for line in said(kernel, compiler).splitlines():
        found = re.match(r"((?:alpnscope|library)_\w+) (\d+|refused)$", line)
        if found:
            name, count = found.groups()
            before = most.get(name, 0)
            most[name] = None if count == "refused" or before is None else max(before, int(count))
    return most


def boots(kernel):
    tap.equal(kernel.sections.get("release", "").strip(), kernel.release, "what runs")
    assert "end" in kernel.sections, f"no end after {GUEST_SECONDS} s: {list(kernel.sections)}"
    tap.equal(kernel.complaints(), [], "the kernel complains")


def loads(kernel, compiler, directory):
    found = verified(kernel, compiler)
    tap.equal([n for n, count in found.items() if count is None], [], "refused: " + said(kernel, compiler))
    tap.equal(sorted(found), sorted(wanted_programs(kernel, directory)), "verified")
    tap.equal({n: count for n, count in found.items() if count and count >= FAIL}, {}, f"not below {FAIL}")


class Run:
    """What one agent and its peers said."""

    def __init__(self, kernel, compiler, hook):
        self.kernel, self.hook = kernel, hook
        self.sections = {what: kernel.sections.get(f"{compiler} {hook} {what}", "") for what in
                         ("attached", "clients", "status", "server", "events", "metrics", "stderr",
                          "before", "after")}
        lines = [line.split() for line in self["clients"].splitlines()]
        broken = [line for line in lines if len(line) != len(Handshake._fields)]
        tap.equal(broken, [], f"clients; the agent said: {self['stderr']}")
        self.handshakes = [Handshake(*line) for line in lines]

    def __getitem__(self, what):
        return self.sections[what]


def attached(run):
    """What is attached is what should be: eth0 in both directions, the mirror port, by the hook
    that there is."""
    text, tcx = run["attached"], run.kernel.version >= TCX
    names = dict(re.findall(r"^(\d+): \w+  name (\w+)", text, re.M))
    links = [names[i] for i in re.findall(r"^\d+: (?:tcx|type 11)  prog (\d+)", text, re.M)]
    filters = re.findall(r"^filter .* name (\w+)", text, re.M)
    want = ["in", "out", "tap"] if run.hook == "tc" else ["out"]
    want = [f"alpnscope_{name}" for name in want]
    tap.equal((sorted(links), sorted(filters)), (want, []) if tcx else ([], want),
              "programs by tcx, by clsact")
    tap.equal(sorted(re.findall(r"prog/xdp id \d+ name (\w+)", text)),
              ["alpnscope_xdp", "alpnscope_xtap"] if run.hook == "xdp" else [], "programs at XDP")


def evidence(handshake, run):
    if handshake.version == "1.2":
        return "server_hello"
    return "library" if run.hook == "tc" and run.kernel.version >= LIBRARY else "record_length"


def of_wire(handshake, run):
    """What the event must say, from what the two ends say."""
    return {"name": handshake.name, "version": handshake.version,
            "offer": handshake.offer.split(","), "chosen": handshake.chosen,
            "server": (handshake.address, PORT),
            "client": (ADDRESSES[handshake.address], int(handshake.port)),
            "type": "ipv6" if ":" in handshake.address else "ipv4", "outcome": "negotiated",
            "evidence": evidence(handshake, run)}


def of_event(event):
    tls, alpn = event["tls"], event["alpn"]
    return {"name": tls["client"]["server_name"], "version": tls["version"],
            "offer": tls["client"]["alpn"], "chosen": tls["next_protocol"],
            "server": (event["server"]["ip"], event["server"]["port"]),
            "client": (event["client"]["ip"], event["client"]["port"]),
            "type": event["network"]["type"], "outcome": alpn["outcome"],
            "evidence": alpn["evidence"]}


def observes(kernel, compiler, hook):
    run = Run(kernel, compiler, hook)
    attached(run)
    tap.equal({(h.version, h.address) for h in run.handshakes},
              {(v, a) for v in ("1.2", "1.3") for a in ADDRESSES}, "handshakes")
    tap.equal(sorted(run["server"].splitlines()),
              sorted(f"{h.port} {h.chosen}" for h in run.handshakes), "the server's word")
    tap.equal({h.chosen for h in run.handshakes}, {"h2", "http/1.1"}, "chosen")
    events = [of_event(json.loads(line)) for line in run["events"].splitlines()]
    tap.equal(sorted(events, key=lambda e: e["name"]),
              sorted((of_wire(h, run) for h in run.handshakes), key=lambda e: e["name"]), "events")
    with tempfile.NamedTemporaryFile("w") as f:
        f.write(run["events"])
        f.flush()
        check_schema(f.name)


def balances(kernel, compiler, hook):
    run = Run(kernel, compiler, hook)
    metrics = Metrics(run["metrics"])
    check_ledgers(metrics)
    tap.equal({name: metrics.sum(f"alpnscope_{name}_total") for name in ("hellos", "lost", "orphans")},
              {"hellos": len(run.handshakes), "lost": 0, "orphans": 0}, "ledger")
    tap.equal(run["status"], "0\n", f"exit status after SIGTERM: {run['stderr']}")
    assert run["before"], "no state"
    tap.equal(run["after"], run["before"], "state of the kernel after SIGTERM")


def fetched():
    """Of each suite that fetch.sh was told of: a Kernel, or the reason why there is none."""
    found = {}
    for absent in glob.glob(os.path.join(guest.DIR, "*", "absent")):
        with open(absent) as f:
            found[os.path.basename(os.path.dirname(absent))] = f.readline().strip()
    kernels = [guest.Kernel(os.path.basename(os.path.dirname(release)))
               for release in glob.glob(os.path.join(guest.DIR, "*", "release"))]
    return found | {k.suite: k for k in sorted(kernels, key=lambda k: k.version)}


def boot(kernels, agents):
    """All guests, two at a time."""
    common = guest.programs(agents)
    with concurrent.futures.ThreadPoolExecutor(GUESTS) as pool:
        try:
            # The newest verifier takes longest.
            for done in [pool.submit(k.boot, common, options(k), GUEST_SECONDS)
                         for k in sorted(kernels, key=lambda k: k.version, reverse=True)]:
                done.result()
        finally:
            for kernel in kernels:
                kernel.kill()


def options(kernel):
    """What init.sh takes from the kernel's command line."""
    return (f"hooks={'tc,xdp' if kernel.version >= XDP else 'tc'} "
            f"library={'yes' if kernel.version >= LIBRARY else 'no'} "
            f"counts={'yes' if kernel.version >= COUNTS else 'no'}")


def table(kernels):
    """Program by kernel and compiler: verified instructions."""
    columns = [(k, c) for k in kernels for c in COMPILERS]
    counts = [verified(k, c) for k, c in columns]
    width = max(len(k.release.partition("-")[0]) for k in kernels) + 2
    rows = [["program", *(k.release.partition("-")[0] for k, _ in columns)],
            ["", *(c for _, c in columns)]]
    for name in dict.fromkeys(name for found in counts for name in found):
        rows.append([name, *("-" if name not in found else "REFUSED" if found[name] is None
                             else f"{found[name]:,}" for found in counts)])
    for first, *rest in rows:
        tap.show(f"{first:26}" + "".join(f"{cell:>{max(width, 10)}}" for cell in rest))
    tap.show("guests: " + ", ".join(f"{k.release.partition('-')[0]} {k.seconds:.0f} s"
                                    for k in kernels))
    for (kernel, compiler), found in zip(columns, counts):
        over = [name for name, count in found.items() if count and count >= WARN]
        if over:
            tap.show(f"warning: {kernel.release}, {compiler}: {len(over)} programs take {WARN:,} "
                     f"instructions or more, up to {max(found[n] for n in over):,}")


def tests_of(kernel, agents):
    tests = [tap.named(f"{kernel.release} boots", boots, kernel)]
    for compiler, directory in agents.items():
        where = f"{kernel.release}, {compiler}"
        tests.append(tap.named(f"{where}: every program loads, within the budget", loads, kernel,
                               compiler, directory))
        for hook in ("tc", "xdp")[:1 + (kernel.version >= XDP)]:
            tests += [tap.named(f"{where}, {hook}: events are what client and server say", observes,
                                kernel, compiler, hook),
                      tap.named(f"{where}, {hook}: the ledgers are even, and nothing is left behind",
                                balances, kernel, compiler, hook)]
    return tests


def enough(kernels):
    releases = [kernel.release for kernel in kernels]
    assert len(releases) >= KERNELS_MIN, f"{releases}. Next: make test-kernels fetches them"


def skip(reason):
    raise tap.Skip(reason)


def main():
    if platform.machine() != "x86_64":
        tap.run([tap.named("kernels", skip, f"no kernels for {platform.machine()}")])
        return
    found = {suite: one for suite, one in fetched().items()
             if suite in (sys.argv[1:] or [suite])}
    kernels = [k for k in found.values() if isinstance(k, guest.Kernel)]
    agents = {compiler: build(compiler) for compiler in COMPILERS}
    boot(kernels, agents)
    tests = [tap.named(f"kernel of {suite}", skip, reason) for suite, reason in found.items()
             if reason not in kernels]
    for kernel in kernels:
        tests += tests_of(kernel, agents)
    if not sys.argv[1:]:
        tests.append(tap.named(f"at least {KERNELS_MIN} kernels", enough, kernels))
    table(kernels)
    for suite, reason in found.items():
        if reason not in kernels:
            tap.show(f"WARNING: nothing was tested on the kernel of {suite}: {reason}")
    tap.run(tests)


if __name__ == "__main__":
    main()
