#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Every capture of the corpus through `read`, compared with what is known of it.

usage: tests/corpus/test_corpus.py [--candidates]

--candidates prints the lines that exceptions.tsv lacks, without their reasons, and those
that it holds in vain, and tests nothing.
"""
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(os.path.dirname(HERE), "lib"), HERE]

import tap  # noqa: E402
import truth  # noqa: E402

CORPUS = os.path.join(os.path.dirname(tap.ROOT), "shared", "corpus")
EXCEPTIONS = os.path.join(HERE, "exceptions.tsv")
TIMEOUT = 60
SHOWN = 40
# Tags that say nothing of a TLS connection over TCP.
LEFT_OUT = ("origin:", "fmt:", "quic", "alpn:odd:", "dtls", "proto:", "cid", "scope-out", "with:")
INFERRED = {"record_length", "record_pattern", "library"}  # evidence that no capture's truth has


def event_key(event):
    client, server = event["client"], event["server"]
    return truth.key(client["ip"], client["port"], server["ip"], server["port"])


def event_names(event):
    """Every name from the wire that an event holds, as bytes."""
    tls = event["tls"]
    said = [tls["client"]["server_name"], tls["next_protocol"], *(tls["client"]["alpn"] or [])]
    return {truth.raw(name) for name in said if name}


def without_grease(offered):
    return None if offered is None else [n for n in offered if not truth.is_grease(n)]


def offered_differs(c, client):
    want = without_grease(c.offered)
    got = client["alpn"]
    if got is not None:
        got = without_grease([truth.raw(n) for n in got])
    if client.get("alpn_truncated") and want and got is not None:
        want = want[:len(got)]
    return got != want


def selected_differs(c, event):
    got = event["tls"]["next_protocol"]
    if not c.in_clear:
        return got is not None and event["alpn"]["evidence"] not in INFERRED
    unread = "offered" in c.unsure and event["tls"]["client"]["ech"] is None
    if not c.hello or unread:  # what is not known to have been offered is not judged
        return got is not None
    want = c.selected[0] if c.selected else b"" if c.selected == [] else None
    return want != (None if got is None else truth.raw(got))


def sni_differs(c, client):
    got = client["server_name"]
    got = None if got is None else truth.raw(got)
    if client.get("server_name_truncated") and c.sni is not None:
        return got != c.sni[:255]
    return got != c.sni


def alert_differs(c, event):
    """An alert behind the ServerHello may be missing, but must not be another."""
    got = event["alpn"]["alert"]
    got = got and (got["from"], got["code"])
    if c.alert is None and c.late_alerts:
        return got is not None and got not in c.late_alerts
    return got != c.alert


def differences(c, event):
    """The fields in which an event is not what the corpus says."""
    client = event["tls"]["client"]
    wrong = {
        "sni": sni_differs(c, client),
        "offered": offered_differs(c, client),
        "selected": selected_differs(c, event),
        "version": event["tls"]["version"] != c.version,
        "retry": event["alpn"]["retry"] != c.retry,
        "alert": alert_differs(c, event),
        "npn": ("npn" in event["alpn"]["signals"]) != c.npn,
        "ech": client["ech"] != (c.ech if c.hello else None),
        "pq": client["pq"] != (c.pq if c.hello else None),
    }
    return [name for name, differs in wrong.items() if differs and name not in c.unsure]


def assign(connections, events):
    """Pair the connections of one key with its events, those that agree most first.

    Returns [(connection, event or None)] and the events that are left.
    """
    pairs, left, open_rows = [], list(events), list(connections)
    while left and open_rows:
        c, e = min(((c, e) for c in open_rows for e in left),
                   key=lambda pair: len(differences(*pair)))
        pairs.append((c, e))
        open_rows.remove(c)
        left.remove(e)
    return pairs + [(c, None) for c in open_rows], left


class Capture:
    """One file: what `read` made of it, and how that compares.

    broken: what no exception excuses; wrong: {key: set of fields}; counted: [(Connection, key)]
    """

    def __init__(self, book, file):
        self.file, self.broken, self.wrong = file, [], defaultdict(set)
        self.must = [c for c in book.files[file] if c.expect == "must"]
        self.late_alerts = 0
        events = self._read(book.path(file))
        for event in events:
            invented = event_names(event) - book.said[file]
            if invented:
                self.broken.append(f"invented name: {sorted(invented)} in {event_key(event)}")
        self._compare(book.files[file], events)

    def _read(self, path):
        argv = [os.path.join(tap.BUILD, "alpnscope"), "read", path, "-o", "json"]
        try:
            done = subprocess.run(argv, capture_output=True, timeout=TIMEOUT, check=False)
        except subprocess.TimeoutExpired:
            self.broken.append(f"still reading after {TIMEOUT} s")
            return []
        if done.returncode not in (0, 1):  # 1: damaged; its whole frames were read
            self.broken.append(f"exit status {done.returncode}: {done.stderr.decode()[-300:]}")
        try:
            return [json.loads(line) for line in done.stdout.splitlines()]
        except ValueError as e:
            self.broken.append(f"not JSON: {e}")
            return []

    def _compare(self, connections, events):
        by_key, known = defaultdict(list), defaultdict(list)
        for event in sorted(events, key=lambda e: e["@timestamp"]):
            by_key[event_key(event)].append(event)
        for c in connections:
            known[c.key].append(c)
        for key in known.keys() | by_key.keys():
            self._compare_key(key, known[key], by_key[key])

    def _compare_key(self, key, connections, events):
        must = [c for c in connections if c.expect == "must"]
        pairs, left = assign(must, events)
        for c, event in pairs:
            if event is None:
                self.wrong[key].add("missing")
            else:
                self.wrong[key].update(differences(c, event))
                self.late_alerts += bool(c.late_alerts) and not event["alpn"]["alert"]
        for c in connections:
            if c.expect == "mustnot" and left:
                self.broken.append(f"an event for what is no hello: {key}")
        if left and not any(c.expect == "may" for c in connections):
            self.wrong[key].add("extra")
        if not self.wrong[key]:
            del self.wrong[key]


def read_exceptions():
    """{(file, key, field): reason}"""
    rows = truth.table(EXCEPTIONS)
    return {(r["file"], r["connection"], r["field"]): r["reason"].strip() for r in rows}


class Comparison:
    """All captures against the corpus and the list of exceptions."""

    def __init__(self, book):
        self.book, self.exceptions = book, read_exceptions()
        self.captures = [Capture(book, file) for file in sorted(book.files)]
        self.found = {(c.file, key, name) for c in self.captures
                      for key, fields in c.wrong.items() for name in fields}
        self.unexplained = sorted(self.found - self.exceptions.keys())
        self.in_vain = sorted(self.exceptions.keys() - self.found)

    def rows(self):
        """(tag, captures, connections, equal, excepted, different), first those of all."""
        counts = defaultdict(Counter)
        for capture in self.captures:
            result = Counter(self._result(capture.file, c.key, capture.wrong.get(c.key, ()))
                             for c in capture.must)
            for tag in ["all", *self.book.tags[capture.file]]:
                if result and not tag.startswith(LEFT_OUT):
                    counts[tag].update(result, captures=1)
        for tag in sorted(counts, key=lambda t: (t != "all", t)):
            n = counts[tag]
            total = n["equal"] + n["excepted"] + n["different"]
            yield tag, n["captures"], total, n["equal"], n["excepted"], n["different"]

    def _result(self, file, key, fields):
        if not fields:
            return "equal"
        excepted = all((file, key, name) in self.exceptions for name in fields)
        return "excepted" if excepted else "different"

    def lines(self):
        """The table, and what stands outside it."""
        head = ("tag of the capture", "captures", "connections", "equal", "excepted", "different")
        for row in [head, *self.rows()]:
            yield "{:28} {:>8} {:>11} {:>6} {:>8} {:>9}".format(*row)
        optional = Counter(c.expect for cs in self.book.files.values() for c in cs)
        outside = ", ".join(f"{n} {p}" for p, n in sorted(self.book.out_of_scope.items()))
        late = sum(c.late_alerts for c in self.captures)
        yield (f"besides: {optional['may']} connections of which either answer is right, "
               f"{optional['mustnot']} that is none; out of scope: {outside}")
        yield f"an alert behind the ServerHello, which no event tells: {late} connections"


def candidates(comparison):
    for row in comparison.unexplained:
        print(*row, "?", sep="\t")
    for row in comparison.in_vain:
        print("# in vain:", *row, sep="\t")


def listed(rows):
    more = [] if len(rows) <= SHOWN else [f"... and {len(rows) - SHOWN} more"]
    return "\n".join([*("\t".join(row) for row in rows[:SHOWN]), *more])


def tests(comparison):
    def no_crash():
        """read takes every capture, and no event holds a name that is not in its messages"""
        broken = [(c.file, what) for c in comparison.captures for what in c.broken]
        assert not broken, f"{len(broken)} findings\n{listed(broken)}"

    def no_difference():
        """every connection is what the corpus says, or a reviewed exception"""
        rows = comparison.unexplained
        assert not rows, f"{len(rows)} differences\n{listed(rows)}"

    def no_vain_exception():
        """every exception is still needed: the list may only shrink"""
        assert not comparison.in_vain, f"strike these\n{listed(comparison.in_vain)}"

    def every_reason():
        """every exception has its reason"""
        rows = [row for row, why in comparison.exceptions.items() if why in ("", "?")]
        assert not rows, f"without a reason\n{listed(rows)}"

    def something():
        """the corpus is not empty"""
        total = sum(len(c.must) for c in comparison.captures)
        assert total > 1000, f"{total} connections compared"

    return [no_crash, no_difference, no_vain_exception, every_reason, something]


def main():
    if not os.path.isdir(os.path.join(CORPUS, "files")):
        print(f"1..0 # SKIP no captures to compare: {CORPUS} is not there")
        return
    comparison = Comparison(truth.Truth(CORPUS))
    if "--candidates" in sys.argv[1:]:
        candidates(comparison)
        return
    tap.diagnose("\n".join(comparison.lines()))
    tap.run(tests(comparison))


if __name__ == "__main__":
    main()
