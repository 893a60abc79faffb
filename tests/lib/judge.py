# SPDX-License-Identifier: GPL-2.0-only
"""From a client's Truth to the event that alpnscope must write, by docs/DESIGN.md's tables."""
import collections

import tap
from clients import H2

ECS_OUTCOME = {"negotiated": "success", "ignored": "success", "not_offered": "success",
               "undetermined": "success", "rejected": "failure", "failed": "failure",
               "violation": "failure", "incomplete": "unknown"}
INFERRED = ("record_length", "record_pattern")
FALLBACKS = ("server_declined", "server_no_alpn")  # the server's doing


def is_encrypted(truth):
    """Was there a choice, and is it encrypted?"""
    return truth.version == "1.3" and truth.offered is not None and not truth.refused


def inferred(truth, event):
    """(outcome, evidence, next protocol) where the choice is encrypted: the truth, however it
    was inferred, or that it is not known. A wrong answer is neither."""
    said = event["alpn"]
    if said["outcome"] == "undetermined":
        return "undetermined", "none", None
    evidence = said["evidence"] if said["evidence"] in INFERRED and said["grade"] else "inferred"
    if truth.negotiated:
        return "negotiated", evidence, truth.negotiated
    return "ignored", evidence, None


def outcome(truth):
    """(outcome, evidence, next protocol) of a handshake that its client completed, or that
    was refused for ALPN. In TLS 1.3 the choice is encrypted; a refusal and an offer are not."""
    if truth.refused:
        return "rejected", "alert", None
    if truth.offered is None:
        return "not_offered", "client_hello", None
    if truth.version == "1.3":
        return "undetermined", "none", None
    if truth.negotiated:
        return "negotiated", "server_hello", truth.negotiated
    return "ignored", "server_hello", None


def cause(truth, expected="h2", known=True):
    """The cause of a fallback where `expected` is configured. known: the choice was not, or not
    only, encrypted."""
    if truth.refused:
        return None
    if truth.offered is None:
        return "client_no_alpn"
    if expected not in truth.offered:
        return "client_not_offered"
    if not known or truth.negotiated == expected:
        return None
    if truth.negotiated is None:
        return "server_no_alpn"
    if truth.offered.index(truth.negotiated) < truth.offered.index(expected):
        return "client_preferred"
    return "server_declined"


def offered_class(truth):
    """Label `offered`: the best family of the offer."""
    if truth.offered is None:
        return "none"
    for name in H2:
        if name in truth.offered:
            return name
    return "other"


def is_of(event, truth):
    # A port alone is no key: the kernel gives it out again.
    return event["tls"]["client"]["server_name"] == truth.sni and \
        truth.port in (None, event["client"]["port"])


def find(agent, truth, timeout=5):
    """The events of one call of a client: exactly truth.count of them."""
    def there():
        found = [e for e in agent.events() if is_of(e, truth)]
        return found if len(found) >= truth.count else None
    found = tap.wait_for(there, f"the event of {truth}", timeout)
    tap.equal(len(found), truth.count, f"events of {truth}")
    return found


def check(agent, truth, server, address, want=None, expect="h2", timeout=5, **more):
    """Assert that the event of `truth` says what it must; returns it.

    want: (outcome, evidence, next protocol) where the client alone cannot tell.
    more: further keys of the event's `alpn` object.
    """
    truth.seen = []
    for event in find(agent, truth, timeout):
        tls, alpn = event["tls"], event["alpn"]
        result, evidence, protocol = want or (
            inferred(truth, event) if is_encrypted(truth) else outcome(truth))
        truth.seen.append((result, protocol))
        tap.equal(alpn["outcome"], result, f"outcome of {truth}")
        tap.equal(alpn["evidence"], evidence, "evidence")
        tap.equal(tls["next_protocol"], protocol, "next_protocol")
        tap.equal(event["event"]["outcome"], ECS_OUTCOME[result], "event.outcome")
        tap.equal(tls["client"]["alpn"], truth.offered, "offered")
        tap.equal(tls["client"]["server_name"], truth.sni, "server name")
        tap.equal((event["server"]["ip"], event["server"]["port"]), (address, server.port),
                  "server")
        tap.equal(event["network"], {"transport": "tcp",
                                     "type": "ipv6" if ":" in address else "ipv4"}, "network")
        if truth.completed:
            tap.equal(tls["version"], truth.version, "version")
        if not more and not want:
            why = cause(truth, known=result != "undetermined") if expect else None
            tap.equal(alpn["cause"], why, f"cause of {truth}")
            tap.equal(alpn["fallback"], why in FALLBACKS, "fallback")
        for key, value in more.items():
            tap.equal(alpn[key], value, f"alpn.{key} of {truth}")
    return event


def expected_counts(truths):
    """Metrics.handshakes() by offered, next_protocol and outcome."""
    counts = collections.Counter()
    for truth in truths:
        seen = getattr(truth, "seen", None) or [outcome(truth)[::2]] * truth.count
        for result, protocol in seen:
            none = "none" if result in ("ignored", "not_offered") else "unknown"
            counts[offered_class(truth), protocol or none, result] += 1
    return dict(counts)
