# SPDX-License-Identifier: GPL-2.0-only
"""What `read` says of captures of TLS 1.3 whose true answer is known (a truth.tsv beside them)."""
import csv
import json
import os
import subprocess
import tempfile
from collections import Counter, defaultdict


def load(corpus):
    """The rows of truth.tsv, each with `true`: an answer, or None when it is not to be scored."""
    with open(os.path.join(corpus, "truth.tsv"), encoding="utf-8") as f:
        rows = list(csv.DictReader(f, delimiter="\t"))
    for row in rows:
        answer = row["negotiated"]
        if answer.startswith("refused"):
            answer = "refused" if "alert120" in answer else None
        if answer == "?" or row["truth_source"].startswith("policy"):
            answer = None
        row["true"] = "http/1.1" if answer == "http/1.0" else answer
    return rows


def read(binary, path):
    """(events, exit status)"""
    done = subprocess.run([binary, "read", path, "-o", "json"], capture_output=True, timeout=120,
                          check=False)
    return [json.loads(line) for line in done.stdout.splitlines()], done.returncode


def said(event):
    """The answer that an event tells, None when it is unknown."""
    outcome = event["alpn"]["outcome"]
    if outcome in ("negotiated", "violation"):
        name = event["tls"]["next_protocol"]
        return "http/1.1" if name == "http/1.0" else name
    return {"ignored": "none", "not_offered": "none", "rejected": "refused"}.get(outcome)


def alone(binary, corpus, rows):
    """Each capture by itself: {name of the capture: event}, and what is wrong with any."""
    events, broken = {}, []
    for row in rows:
        got, status = read(binary, os.path.join(corpus, "pcaps", row["pcap"]))
        offer = [name for name in row["offered"].split(",") if name]
        if status or len(got) != 1 or (got[0]["tls"]["client"]["alpn"] or []) != offer:
            broken.append(f"{row['pcap']}: {len(got)} events, exit status {status}")
        if got:
            events[row["pcap"]] = got[0]
    return events, broken


def as_streams(binary, corpus, rows, single):
    """The captures of each server in one file, in the order of time; as alone()."""
    servers, events, broken = defaultdict(list), {}, []
    for row in rows:
        servers[row["server"]].append(row["pcap"])
    for server, names in servers.items():
        with tempfile.TemporaryDirectory() as folder:
            merged = os.path.join(folder, "merged.pcap")
            subprocess.run(["mergecap", "-F", "pcap", "-w", merged]
                           + [os.path.join(corpus, "pcaps", n) for n in names], check=True)
            got, status = read(binary, merged)
        if status:
            broken.append(f"{server}: exit status {status}")
        found = {(e["@timestamp"], e["client"]["port"], e["server"]["port"]): e for e in got}
        for name in names:
            e = single[name]
            event = found.get((e["@timestamp"], e["client"]["port"], e["server"]["port"]))
            if event:
                events[name] = event
            else:
                broken.append(f"{name}: not in its server's stream")
    return events, broken


class Score:
    """Right, wrong and undecided answers of handshakes with an offer in TLS 1.3."""

    def __init__(self, rows, events):
        self.by = {"true": defaultdict(Counter), "real": defaultdict(Counter), "grade": defaultdict(Counter),
                   "stack": defaultdict(Counter)}
        self.total = Counter()
        self.real = Counter()  # of which both ends are programs, and h2 was offered
        self.open = []  # of these, the undecided ones
        self.wrong = []
        for row in rows:
            if row["true"] and row["pcap"] in events and row["tls"] == "1.3" and row["offered"]:
                self.add(row, events[row["pcap"]])

    def add(self, row, event):
        answer, grade = said(event), event["alpn"]["grade"] or "certain"
        result = "right" if answer == row["true"] else "wrong" if answer else "open"
        real = row["app_layer"] == "real" and "h2" in row["offered"].split(",")
        self.total[result] += 1
        if result == "wrong":
            self.wrong.append(f"{row['pcap']}: {answer} ({grade}) is {row['true']}")
        if answer:
            self.by["grade"][grade][result] += 1
        if "h2" in row["offered"].split(","):
            self.by["true"][row["true"]][result] += 1
            self.by["stack"][row["server_stack"].split("(", maxsplit=1)[0].strip()][result] += 1
        if real:
            self.real[result] += 1
            self.by["real"][row["true"]][result] += 1
            if result == "open":
                self.open.append(row["pcap"])

    def share(self):
        """Of real pairs, the percentage that is decided."""
        return 100.0 * (1 - self.real["open"] / sum(self.real.values()))


def table(single, stream):
    """Both scores side by side, as lines."""
    lines = [f"{'':28}{'alone':>22}{'as streams':>24}",
             f"{'':28}" + f"{'of':>6}{'right':>7}{'wrong':>6}{'open':>5}" * 2]
    for title, key in (("h2 offered, real pairs", "real"), ("h2 offered, true answer", "true"),
                       ("decided, grade", "grade"),
                       ("h2 offered, server", "stack")):
        lines.append(title)
        for name in sorted(set(single.by[key]) | set(stream.by[key])):
            cells = ""
            for n in (single.by[key][name], stream.by[key][name]):
                cells += f"{sum(n.values()):6}{n['right']:7}{n['wrong']:6}{n['open']:5}"
            lines.append(f"  {name[:26]:26}{cells}")
    return lines
