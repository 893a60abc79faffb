#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""TLS 1.3, where the choice is encrypted: servers of Debian 12 and 13 by clients, by what the
server has, by what the client offers, fresh and resumed. No answer is wrong by the client's word;
what stays undetermined and what cannot be made is listed."""
import collections
import concurrent.futures
import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import chromium  # noqa: needs the path above
import clients
import clients13
import judge
import servers
import servers13
import tap
from agent import Agent
from clients import H1, H2, NGHTTP
from net import Pair

WORKERS = 4
TRIES = 3
DECIDED_LEAST = 0.94  # of the encrypted choices. May only be raised.
KINDS = {
    "nginx": servers.Nginx, "haproxy": servers.Haproxy, "apache": servers.Apache,
    "caddy": servers.Caddy, "node": servers13.Node, "gnutls-serv": servers.GnutlsServ,
    "java": servers13.Java, "nginx/13": servers13.NginxTrixie,
    "haproxy/13": servers13.HaproxyTrixie, "apache/13": servers13.ApacheTrixie,
    "caddy/13": servers13.CaddyTrixie,
}
CLIENTS = {client.__name__.replace("_", "-"): (client, offers)
           for client, offers in clients13.CLIENTS.items()}
# It breaks off in the middle of HTTP/2, which it does not speak: curl's library drops the session.
BROKEN_OFF = ("gnutls-serv", H2, "curl", H2)
# kind: of KINDS; has: the server's ALPN; client: its name; truths: its handshakes, in order.
Row = collections.namedtuple("Row", "kind has client offer truths")
net = Pair()
started = {}  # (kind, has as text) -> server
rows = []
events = collections.defaultdict(list)  # server name -> events, in order
encrypted, undetermined = [], []  # (Row, Truth)


def text(names):
    return "+".join(names) if names else "none"


def start(stack):
    wanted = [(name, has) for name, kind in KINDS.items() for has in (H2, H1, None)
              if has or not servers13.always(kind)]
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        jobs = [pool.submit(KINDS[name], net.host, port, has, versions="1.3")
                for port, (name, has) in enumerate(wanted, 8401)]
    for (name, has), job in zip(wanted, jobs):
        started[name, text(has)] = stack.enter_context(job.result())


def both(client, port, offer):
    """A fresh handshake and, where it can be, a resumed one. Once more if the server hung up before
    the client had read its ticket."""
    truths, sni = [], clients.name()
    for _ in range(TRIES):
        truths += client(net.client, net.V4, port, sni, offer)
        if client in clients13.NO_SESSION or truths[-1].resumed or not truths[-1].completed:
            break
    return truths


def handshakes():
    """each client's handshakes with each server"""
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        jobs = [((kind, server.alpn, name, offer), pool.submit(both, client, server.port, offer))
                for (kind, _), server in started.items()
                for name, (client, offers) in CLIENTS.items() for offer in offers]
    rows.extend(Row(*key, job.result()) for key, job in jobs)


def visits():
    """Chromium's handshakes with each server"""
    for offer in chromium.OFFERS:
        targets = {clients.name(): key for key in started}
        with tempfile.TemporaryDirectory(prefix="alpnscope-", ignore_cleanup_errors=True) as home:
            truths = chromium.visit(net.client, net.V4, offer, home,
                                    [(sni, started[key].port) for sni, key in targets.items()])
        rows.extend(Row(key[0], started[key].alpn, "chromium", offer,
                        [t for t in truths if t.sni == sni]) for sni, key in targets.items())


def drained(agent):
    """every handshake once, ledgers balance"""
    metrics = agent.drain()
    for event in sorted(agent.events(), key=lambda e: e["@timestamp"]):
        events[event["tls"]["client"]["server_name"]].append(event)
    tap.equal(metrics.sum("alpnscope_records_total"), sum(len(row.truths) for row in rows),
              "records")


def complete(row):
    """nghttp does not tell why it got no connection: s_client with its offer does. When Apache has
    chosen what was not offered, either client ends the handshake."""
    if row.offer != NGHTTP:
        return
    other = next(r for r in rows if r.client == "s-client" and r.offer == NGHTTP and
                 (r.kind, r.has) == (row.kind, row.has)).truths[0]
    for truth in row.truths:
        truth.refused = not truth.completed and other.refused
        truth.unoffered = not truth.completed and \
            "tls_parse_stoc_alpn:bad extension" in other.output


def keeps_session(row):
    """Can the row have a resumed handshake?"""
    return row.truths[0].completed and row[:4] != BROKEN_OFF and \
        (row.client == "chromium" or CLIENTS[row.client][0] not in clients13.NO_SESSION)


def check(row, truth, event):
    """Hold a handshake against its event."""
    class Seen:
        events = staticmethod(lambda: [event])
    unoffered = getattr(truth, "unoffered", False)
    tap.equal(truth.completed or truth.refused or unoffered, True, "the client's word")
    server = started[row.kind, text(row.has)]
    want = ("undetermined", "none", None) if unoffered else None
    judge.check(Seen, truth, server, net.V4, want, timeout=0)
    if truth.completed:
        tap.equal(event["tls"]["resumed"], truth.resumed, "tls.resumed")
        if isinstance(server, servers13.Java) and truth.port:
            tap.equal(server.truth(truth.port), truth.negotiated, "Java's own word")
        if truth.offered:
            encrypted.append((row, truth))
            if event["alpn"]["outcome"] == "undetermined":
                undetermined.append((row, truth))


def judged(row):
    """Hold a row against its events: each handshake is there, and was made as the grid wants it."""
    found = events[row.truths[0].sni]
    tap.equal(len(found), len(row.truths), "events")
    complete(row)
    tap.equal(row.truths[0].resumed, False, "resumed, the first")
    tap.equal(any(t.resumed for t in row.truths[1:]), keeps_session(row), "resumed, a later one")
    for number, truth in enumerate(row.truths):
        # A client that does not tell its port makes one connection after the other.
        mine = [e for e in found if judge.is_of(e, truth)] if truth.port else found[number:]
        check(row, truth, mine[0])


def pair(kind, client):
    mine, wrong = [r for r in rows if (r.kind, r.client) == (kind, client)], []
    tap.equal(len(mine) > 0, True, "handshakes")
    for row in mine:
        try:
            judged(row)
        except (AssertionError, IndexError) as e:
            wrong.append(f"{cell(row)}: {e}"[:900])
    if wrong:
        raise AssertionError("\n".join(wrong))


def cell(row):
    return f"{row.kind} with {text(row.has)}, {row.client} offering {text(row.offer)}"


def share():
    """of the encrypted choices the share that is decided does not shrink"""
    decided = 1 - len(undetermined) / len(encrypted)
    tap.equal(decided >= DECIDED_LEAST, True, f"{decided:.1%} decided; undetermined: " +
              "; ".join(cell(row) for row, _ in undetermined))


def undecided():
    """every encrypted choice is known"""
    kinds = collections.defaultdict(collections.Counter)
    for row, _ in undetermined:
        pair_of = f"server with {text(row.has)}, {row.client} offering {text(row.offer)}"
        kinds[pair_of][row.kind] += 1
    if undetermined:
        raise tap.Skip(f"{len(undetermined)} of {len(encrypted)} undetermined "
                       f"({len(undetermined) / len(encrypted):.1%}): " +
                       "; ".join(f"{key}: " + ", ".join(f"{k} {n}" for k, n in names.items())
                                 for key, names in kinds.items()))


def cannot():
    """every cell of the grid can be made"""
    reasons = collections.defaultdict(list)
    for name, kind in KINDS.items():
        if servers13.always(kind):
            reasons[servers13.always(kind)].append(name + " without ALPN")
    for client, why in clients13.NO_SESSION.items():
        reasons[why].append(client.__name__ + " resumed")
    for client, offers in [*((c.__name__, o) for c, o in clients13.CLIENTS.items()),
                           ("chromium", chromium.OFFERS)]:
        reasons[clients13.NO_OFFER.get(client)] += [
            f"{client} offering {text(offer)}" for offer in (H2, H1, None) if offer not in offers]
    reasons["a handshake that fails leaves no session"] += [
        cell(row) for row in rows if row.client == "s-client" and not row.truths[0].completed]
    reasons["it breaks off in the middle of HTTP/2, and the session is dropped"].append(
        cell(Row(*BROKEN_OFF, [])) + ", resumed")
    raise tap.Skip(" | ".join(f"{why}: {'; '.join(cells)}" for why, cells in reasons.items()
                              if cells))


with contextlib.ExitStack() as stack:
    start(stack)
    agent = stack.enter_context(Agent(net.host, "--expect", "h2"))
    tests = [tap.named(handshakes.__doc__, handshakes), tap.named(visits.__doc__, visits),
             tap.named(drained.__doc__, drained, agent)]
    tests += [tap.named(f"{kind} and {client}", pair, kind, client)
              for kind in KINDS for client in [*CLIENTS, "chromium"]]
    tests += [tap.named(test.__doc__, test) for test in (share, undecided, cannot)]
    tests += [tap.named("SIGTERM: exit 0, nothing left behind", agent.stop)]
    tap.run(tests, agent.diagnosis)
