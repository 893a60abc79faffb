# SPDX-License-Identifier: GPL-2.0-only
"""`alpnscope read` against what a user would run instead: CPU seconds and peak memory.

mkcapture.c tells what the captures hold. On the largest one that a run takes, each tool is asked
for the same: of every ClientHello its client, server name and ALPN offer; tshark also for the
version and, in TLS 1.2, the protocol chosen. Where their answers differ, it is not the same job.
tcpdump is the floor: it looks at every packet's first payload byte, and tells nothing.
"""
import collections
import csv
import ipaddress
import json
import os
import shutil
import subprocess

from table import Row

BENCH = "build/bench"
SIZES = (10_000, 100_000, 1_000_000)
MEMORY = 24  # MiB, whatever the size
TSHARK_LESS, NDPI_LESS, TCPDUMP_MORE = 60, 5, 4
FIELDS = ("ip.src", "ip.dst", "ipv6.src", "ipv6.dst", "tcp.srcport", "tcp.dstport",
          "tls.handshake.type", "tls.handshake.extensions_server_name",
          "tls.handshake.extensions_alpn_str", "tls.handshake.version",
          "tls.handshake.extensions.supported_version")
HANDSHAKE = ("tcp[(tcp[12] & 0xf0) >> 2] = 0x16 or "
             "(ip6[6] = 6 and ip6[40 + ((ip6[52] & 0xf0) >> 2)] = 0x16)")
VERSIONS = {"0x0303": "1.2", "0x0304": "1.3"}


def cost(argv, out=os.devnull):
    """CPU seconds and peak MiB of a command; its stdout goes to the file `out`."""
    used = f"{BENCH}/cost.txt"
    with open(out, "wb") as stdout:
        done = subprocess.run([f"{BENCH}/cost", used, *argv], stdin=subprocess.DEVNULL,
                              stdout=stdout, stderr=subprocess.PIPE, check=False, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: exit status {done.returncode}: "
                           f"{done.stderr.decode(errors='replace').strip()[-500:]}")
    with open(used, encoding="ascii") as f:
        user, system, peak = f.read().split()
    return float(user) + float(system), int(peak) / 1024


class Capture:
    """A capture of that many packets, and the command of each tool for it."""

    def __init__(self, packets):
        self.packets = packets
        self.path = f"{BENCH}/{packets}.pcap"
        self.holds = json.loads(subprocess.run([f"{BENCH}/mkcapture", self.path, str(packets)],
                                               capture_output=True, check=True).stdout)
        self.out = {tool: f"{BENCH}/{packets}.{tool}" for tool in ("ours", "tshark", "ndpi")}
        self.ours = ["build/alpnscope", "read", self.path]
        self.tcpdump = ["tcpdump", "-r", self.path, "-w", "/dev/null", HANDSHAKE]
        self.ndpi = ["ndpiReader", "-q", "-i", self.path, "-C", self.out["ndpi"]]
        self.tshark = ["tshark", "-r", self.path, "-Y", "tls.handshake", "-T", "fields",
                       *(word for field in FIELDS for word in ("-e", field))]

    def mix(self):
        h = self.holds

        def share(what):
            return f"{100 * h[what] / h['packets']:.1f} %"
        return (f"{h['bytes'] / h['packets']:.0f} bytes a packet; {share('handshake')} carry "
                f"handshakes, {share('data')} TLS data, {share('plain')} HTTP in clear, "
                f"{share('udp')} are UDP, {share('acks')} ACKs alone; {share('full')} are "
                f"full-size; {h['hellos']} ClientHellos, {h['split']} of them in two segments, "
                f"{h['tls13']} of TLS 1.3")

    def remove(self):
        for path in (self.path, *self.out.values()):
            if os.path.exists(path):
                os.remove(path)


# ---- the answers: a Counter of tuples that begin with the client's address and port ----


def end(address, port):
    return str(ipaddress.ip_address(address)), int(port)


def our_answers(capture):
    """Offers, and of answered handshakes (version, protocol chosen or None if not in clear)."""
    cost([*capture.ours, "-o", "json"], capture.out["ours"])
    offers, answers = collections.Counter(), collections.Counter()
    with open(capture.out["ours"], encoding="ascii") as f:
        for line in f:
            event = json.loads(line)
            client = end(event["client"]["ip"], event["client"]["port"])
            tls = event["tls"]
            hello = tls["client"]
            offers[(*client, hello["server_name"] or "", ",".join(hello["alpn"] or []))] += 1
            if tls.get("version"):
                chosen = None if tls["version"] == "1.3" else tls["next_protocol"] or ""
                answers[(*client, tls["version"], chosen)] += 1
    return offers, answers


def tshark_answers(capture):
    offers, answers = collections.Counter(), collections.Counter()
    with open(capture.out["tshark"], encoding="utf-8") as f:
        for line in f:
            (src, dst, src6, dst6, src_port, dst_port, types, sni, alpn, version,
             supported) = line.rstrip("\n").split("\t")
            if types == "1":
                offers[(*end(src or src6, src_port), sni, alpn)] += 1
            elif types.split(",")[0] == "2":
                version = VERSIONS[supported or version.split(",")[0]]
                chosen = None if version == "1.3" else alpn
                answers[(*end(dst or dst6, dst_port), version, chosen)] += 1
    return offers, answers


def ndpi_offers(capture):
    offers = collections.Counter()
    with open(capture.out["ndpi"], encoding="utf-8", newline="") as f:
        for flow in csv.DictReader((line.lstrip("#") for line in f)):
            if flow["dst_port"] == "443" and flow["server_name_sni"]:
                offers[(*end(flow["src_ip"], flow["src_port"]), flow["server_name_sni"],
                        (flow["tls_alpn"] or "").replace(";", ","))] += 1
    return offers


def differ(a, b):
    return sum(((a - b) + (b - a)).values())


def agreement(capture):
    """Rows: do all of them answer, and the same? After the measured runs, whose output it is."""
    def row(name, count, note=""):
        return Row("read", name, "hellos", [count], target=0, exact=True, note=note)
    offers, answers = our_answers(capture)
    shark_offers, shark_answers = tshark_answers(capture)
    return [
        row("ClientHellos missed or made up, alpnscope",
            abs(sum(offers.values()) - capture.holds["hellos"]),
            f"{capture.holds['hellos']} were written into the capture"),
        row("the same, tshark", abs(sum(shark_offers.values()) - capture.holds["hellos"])),
        row("client, SNI or offer that differ from tshark's", differ(offers, shark_offers)),
        row("version or TLS 1.2 choice that differ from tshark's", differ(answers, shark_answers),
            f"{sum(answers.values())} ServerHellos; what TLS 1.3 chose tshark does not tell"),
        row("client, SNI or offer that differ from ndpiReader's",
            differ(offers, ndpi_offers(capture))),
    ]


# ---- the rounds ----


def against(capture, tool, rounds):
    """CPU seconds of ours and of theirs, and their peaks in MiB; alternating."""
    ours, theirs, peaks = [], [], []
    for _ in range(rounds):
        ours.append(cost(capture.ours)[0])
        seconds, peak = cost(getattr(capture, tool), capture.out.get(tool, os.devnull)
                             if tool == "tshark" else os.devnull)
        theirs.append(seconds)
        peaks.append(peak)
    return ours, theirs, peaks


def compare(capture, rounds):
    """Rows of our CPU seconds against each tool's."""
    rows, peaks = [], []
    size = f"{capture.packets:,} packets"
    for tool, name, target in (("tshark", "tshark", TSHARK_LESS),
                               ("ndpi", "ndpiReader", NDPI_LESS),
                               ("tcpdump", "tcpdump", TCPDUMP_MORE)):
        ours, theirs, peak = against(capture, tool, rounds[tool])
        said = f"CPU s: {min(theirs):.3f} to {max(theirs):.3f}, ours {min(ours):.3f} to " \
               f"{max(ours):.3f}"
        if capture.packets < SIZES[-1]:
            said += "; a quarter of ours is the start: the target is meant for 10^6"
        if tool == "tcpdump":
            rows.append(Row("read", f"CPU of tcpdump, {size}", "times", ours, theirs, "ratio",
                            target, note=said))
        else:
            rows.append(Row("read", f"CPU less than {name}, {size}", "times", theirs, ours,
                            "ratio", target, "higher", note=said))
        peaks.append(Row("read", f"peak memory of {name}, {size}", "MiB", peak))
    return rows + peaks


def growth(captures, rounds):
    """Rows of our peak memory and our CPU a packet, by the capture's size."""
    rows = []
    for capture in captures:
        runs = [cost(capture.ours) for _ in range(rounds)]
        rows.append(Row("read", f"peak memory, {capture.packets:,} packets", "MiB",
                        [peak for _, peak in runs], target=MEMORY, note=capture.mix()))
        rows.append(Row("read", f"CPU a packet, {capture.packets:,} packets", "ns",
                        [1e9 * seconds / capture.packets for seconds, _ in runs]))
    return rows


def run(quick):
    for tool, package in (("tshark", "tshark"), ("ndpiReader", "libndpi-bin"),
                          ("tcpdump", "tcpdump")):
        if not shutil.which(tool):
            raise RuntimeError(f"{tool} is not installed; next: apt-get install {package}")
    captures = []
    try:
        for size in SIZES:
            captures.append(Capture(size))
        largest = captures[-2 if quick else -1]
        rounds = {"tshark": 1 if quick else 2, "ndpi": 2 if quick else 3, "tcpdump": 7}
        cost(largest.ours)  # its pages are in memory from here on
        rows = compare(largest, rounds)
        return rows + growth(captures, 3 if quick else 5) + agreement(largest)
    finally:
        for capture in captures:
            capture.remove()
