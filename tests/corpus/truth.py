# SPDX-License-Identifier: GPL-2.0-only
"""What the corpus says of its captures: ../shared/corpus/README.md tells how to read it."""
import csv
import ipaddress
import os
import re
from collections import defaultdict
from dataclasses import dataclass, field

HYBRID_GROUPS = {0x11eb, 0x11ec, 0x11ed, 0x6399}  # IANA: ML-KEM hybrids, and Kyber's draft
VERSIONS = {"SSLv3": "3.0", "TLS1.0": "1.0", "TLS1.1": "1.1", "TLS1.2": "1.2", "TLS1.3": "1.3"}
# What an event has from a message.
FIELDS = {"ClientHello": ("sni", "offered", "ech", "pq", "npn"),
          "ServerHello": ("selected", "version", "npn")}


def table(path):
    with open(path, newline="", encoding="utf-8") as f:
        return list(csv.DictReader(f, delimiter="\t", quoting=csv.QUOTE_NONE))


def raw(text):
    r"""The bytes of a name in which some are written \xNN."""
    return re.sub(rb"\\x([0-9a-fA-F]{2})", lambda m: bytes.fromhex(m[1].decode()),
                  text.encode("utf-8"))


def is_grease(name):
    """RFC 8701: two equal bytes of the form 0x?a."""
    return len(name) == 2 and name[0] == name[1] and name[0] & 15 == 10


def names(alpn_hex):
    """A list of ALPN names by its hex; None without the extension."""
    if alpn_hex == "-":
        return None
    if alpn_hex == "[]":
        return []
    return [b"" if name == "<>" else bytes.fromhex(name) for name in alpn_hex.split(",")]


def address(text):
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text


def key(client, client_port, server, server_port):
    """A connection as exceptions.tsv names it."""
    ends = [f"[{a}]" if ":" in a else a for a in (address(client), address(server))]
    return f"{ends[0]}:{client_port}>{ends[1]}:{server_port}"


@dataclass
class Connection:
    """One row of connections.tsv with its messages; None: nothing to compare with."""
    file: str
    key: str
    expect: str
    hello: bool = False
    sni: bytes = None
    offered: list = None
    answer: bool = False
    selected: list = None
    in_clear: bool = False  # the choice, or that there was none, can be read
    version: str = None
    retry: bool = False
    alert: tuple = None  # (side, number), ahead of any ServerHello
    late_alerts: list = field(default_factory=list)
    ech: bool = False
    pq: bool = False
    npn: bool = False
    unsure: set = field(default_factory=set)  # fields of a message of which either reading is right


def notes_of(message):
    return message["notes"].split(";")


def take_client_hello(c, m):
    """The first hello counts, after a retry the second (RFC 8446 section 4.1.4)."""
    if not c.hello or c.retry:
        c.sni = None if m["sni"] == "-" else raw(m["sni"])
        c.offered = names(m["alpn_hex"])
    c.hello = True
    for note in notes_of(m):
        c.ech |= note == "ECH"
        c.npn |= note.startswith("NPN=")
        if note.startswith("ks="):
            groups = (g for g in note[3:].split("|") if g.isdigit())
            c.pq |= any(int(g) in HYBRID_GROUPS for g in groups)


def take_server_hello(c, m):
    if c.answer:
        return
    c.answer = True
    c.selected = names(m["alpn_hex"])
    c.npn |= any(note.startswith("NPN=") for note in notes_of(m))


def take_alert(c, m, side):
    number = re.search(r"\((\d+)\)", m["notes"])
    alert = (side, int(number[1]))
    if c.answer or c.alert:
        c.late_alerts.append(alert)
    else:
        c.alert = alert


def connection(row, messages):
    """A row and its messages, in their order, as one Connection."""
    c = Connection(row["file"], key(row["client"], row["client_port"], row["server"],
                                    row["server_port"]), row["expect"])
    for m in messages:
        if m["expect"] == "mustnot":  # looks like a hello and is none
            continue
        if m["expect"] == "may":
            c.unsure.update(FIELDS.get(m["message"], ()))
        if m["message"] == "ClientHello":
            take_client_hello(c, m)
        elif m["message"] == "HRR":
            c.retry = True
        elif m["message"] == "ServerHello":
            take_server_hello(c, m)
        elif m["message"] == "Alert":
            from_client = (m["src"], m["sport"]) == (row["client"], row["client_port"])
            take_alert(c, m, "client" if from_client else "server")
    version = row["negotiated_version"]
    if c.answer:
        c.version = "1.3" if version.startswith("TLS1.3") else VERSIONS.get(version)
    c.in_clear = c.answer and (row["selected_alpn"] != "enc" or c.selected is not None)
    return c


def belongs(row, message):
    if row["stream"] != "-":
        return message["stream"] == row["stream"]
    ends = {(row["client"], row["client_port"]), (row["server"], row["server_port"])}
    return {(message["src"], message["sport"]), (message["dst"], message["dport"])} == ends


class Truth:
    """The whole corpus.

    files: {file: [Connection of TLS over TCP]}; out_of_scope: {protocol: rows};
    tags: {file: [tag]}; said: {file: every name that one of its messages holds, as bytes}
    """

    def __init__(self, directory):
        self.directory = directory
        self.files, self.out_of_scope, self.said = {}, defaultdict(int), defaultdict(set)
        self.tags = {r["file"]: r["tags"].split(",") for r in
                     table(os.path.join(directory, "features.tsv"))}
        messages = defaultdict(list)
        for m in table(os.path.join(directory, "messages.tsv")):
            self._note_names(m)
            if m["proto"] == "tls":
                messages[m["file"]].append(m)
        for file in self.tags:
            self.files[file] = []
        for row in table(os.path.join(directory, "connections.tsv")):
            if row["proto"] != "tls":
                self.out_of_scope[row["proto"]] += 1
            else:
                mine = [m for m in messages[row["file"]] if belongs(row, m)]
                self.files[row["file"]].append(connection(row, mine))

    def _note_names(self, m):
        said = self.said[m["file"]]
        if m["sni"] != "-":
            said.add(raw(m["sni"]))
        said.update(names(m["alpn_hex"]) or [])

    def path(self, file):
        return os.path.join(self.directory, "files", file)
