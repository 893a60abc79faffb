#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""1,009 handshakes of known outcomes, several at a time: exactly 1,009 records, exactly the
expected counters."""
import collections
import concurrent.futures
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import servers
import tap
from agent import Agent
from clients import H1, H2
from net import Pair, read

net = Pair()
# port, count, offer, client's highest version; what the clients say; the labels. 1,009 is prime.
PLAN = (
    (8443, 300, H2, "h2load", ("h2", "1.2"), ("h2", "h2", "negotiated")),
    (8444, 200, H2, "1.2", ("http/1.1", "1.2"), ("h2", "http/1.1", "negotiated")),
    (8445, 150, H2, "1.2", (None, "1.2"), ("h2", "none", "ignored")),
    (8443, 120, None, "1.2", (None, "1.2"), ("none", "none", "not_offered")),
    (8443, 100, ["foo"], "1.2", "refused", ("other", "unknown", "rejected")),
    (8443, 60, H1, "1.3", "failed", ("http/1.1", "unknown", "failed")),
    (8446, 79, H2, "1.3", ("h2", "1.3"), ("h2", "h2", "negotiated")),
)
TOTAL = 1009
WORKERS = 8


def said(truth):
    if truth.refused:
        return "refused"
    return (truth.negotiated, truth.version) if truth.completed else "failed"


def one(port, offer, version, context):
    truth = clients.python(net.client, net.V4, port, f"p{port}.example.test", offer, version,
                           context)
    return said(truth)


def batch(port, offer):
    """50 handshakes of h2load; nginx's log is the second witness."""
    truth = clients.h2load(net.client, net.V4, port, "load.example.test", offer, "1.2", count=50)
    tap.equal("50 succeeded" in truth.output, True, truth.output)
    return [said(truth)] * truth.count


def workload():
    """the clients report the planned outcomes"""
    results = collections.Counter()
    wanted = collections.Counter()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        futures = {}
        for port, count, offer, version, want, _ in PLAN:
            wanted[port, want] += count
            if version == "h2load":
                jobs = [pool.submit(batch, port, offer) for _ in range(count // 50)]
            else:
                context = clients.python_context(offer, version)
                jobs = [pool.submit(one, port, offer, version, context) for _ in range(count)]
            futures.update((job, port) for job in jobs)
        for job in concurrent.futures.as_completed(futures):
            result = job.result()
            for outcome in result if isinstance(result, list) else [result]:
                results[futures[job], outcome] += 1
    tap.equal(dict(results), dict(wanted), "what the clients say")
    tap.equal(sum(results.values()), TOTAL, "handshakes made")
    logged = [line.split()[1] for line in read(os.path.join(nginx.dir, "access")).splitlines()]
    tap.equal(logged.count("h2"), 300, "nginx's own word")


def records():
    """exactly 1,009 records, nothing lost, ledgers balance"""
    metrics = agent.drain()
    tap.equal(metrics.sum("alpnscope_records_total"), TOTAL, "alpnscope_records_total")
    tap.equal(metrics.sum("alpnscope_lost_total"), 0, "alpnscope_lost_total")
    tap.equal(metrics.sum("alpnscope_orphans_total"), 0, "alpnscope_orphans_total")
    tap.equal(metrics.sum("alpnscope_events_counted_total"), TOTAL, "events counted")
    ids = {event["event"]["id"] for event in agent.events()}
    tap.equal(len(ids), TOTAL, "distinct event.id")


def counters():
    """exactly the expected counters"""
    metrics = agent.metrics()
    wanted = {(str(port), *labels): count for port, count, _, _, _, labels in PLAN}
    tap.equal(metrics.handshakes("server_port", "offered", "next_protocol", "outcome"), wanted,
              "alpn_handshakes_total")
    tap.equal(metrics.sum("alpn_rejections_total", role="server"), 100, "alpn_rejections_total")
    tap.equal(metrics.sum("alpn_violations_total"), 0, "alpn_violations_total")
    tap.equal(metrics.sum("alpn_fallbacks_total"), 0, "alpn_fallbacks_total, none expected")
    answered = TOTAL - 100 - 60
    tap.equal(metrics.sum("alpn_server_hello_delay_seconds_count", role="server"), answered,
              "alpn_server_hello_delay_seconds_count")


with contextlib.ExitStack() as stack:
    nginx = stack.enter_context(servers.Nginx(net.host, 8443))
    stack.enter_context(servers.Nginx(net.host, 8444, H1))
    stack.enter_context(servers.Haproxy(net.host, 8445, None))
    stack.enter_context(servers.Nginx(net.host, 8446, versions="1.3"))
    agent = stack.enter_context(Agent(net.host))
    tap.run([workload, records, counters,
             tap.named("SIGTERM: exit 0, nothing left behind", agent.stop)], agent.diagnosis)
