#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""A real Prometheus scrapes the agent and its queries return what the clients did."""
import contextlib
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import servers
import tap
from agent import Agent, http_get
from clients import H1, H2
from net import Pair
from prometheus import Prometheus, check_metrics

net = Pair()
# Both ends are on this machine: never sum across roles (docs/METRICS.md).
HANDSHAKES = 'sum(alpn_handshakes_total{role="server"})'
OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def handshakes(port, count, offer, want):
    for _ in range(count):
        truth = clients.python(net.client, net.V4, port, "www.example.test", offer, "1.2")
        tap.equal((truth.completed, truth.negotiated), (True, want), "the client's own word")


def lint():
    """promtool check metrics: before any traffic and after it"""
    check_metrics(agent.metrics().text)
    handshakes(8443, 7, H2, "h2")
    handshakes(8443, 4, None, None)
    check_metrics(agent.drain().text)


def formats():
    """text 0.0.4 by default, OpenMetrics 1.0 when asked for, and both say the same"""
    _, headers, text = http_get(net.host, "/metrics")
    tap.equal(headers["Content-Type"].split(";")[0], "text/plain", "Content-Type")
    tap.equal("version=0.0.4" in headers["Content-Type"], True, headers["Content-Type"])
    _, headers, open_text = http_get(net.host, "/metrics", accept=OPENMETRICS)
    tap.equal(headers["Content-Type"].split(";")[0], "application/openmetrics-text",
              "Content-Type")
    tap.equal(open_text.endswith("\n# EOF\n"), True, "the end of OpenMetrics")
    def counts(body):
        return sorted(re.findall(r"^alpn_\w+_total\{.*$", body, re.M))
    tap.equal(counts(open_text), counts(text), "alpn_ counters in the two formats")


def late_scrape():
    """a first scrape after the burst has all of it"""
    tap.wait_for(lambda: prometheus.value(HANDSHAKES) == 11,
                 "Prometheus to count 11 handshakes")
    tap.equal(prometheus.query('sum by (outcome) (alpn_handshakes_total{role="server"})'),
              {(("outcome", "negotiated"),): 7, (("outcome", "not_offered"),): 4}, "by outcome")
    tap.equal(prometheus.value('sum(alpn_handshakes_total{role="server",next_protocol="h2"})'),
              7, "h2")
    tap.equal(prometheus.target()["lastError"], "", "the scrape's error")


def zeros():
    """fallback series are at 0 before the first fallback"""
    tap.equal(prometheus.value('alpn_fallbacks_total{role="server",cause="server_declined"}'),
              0, "alpn_fallbacks_total of a service that has had none")
    tap.equal(prometheus.value('alpn_rejections_total{role="server"}'), 0, "rejections")


def burst():
    """a burst of fallbacks between scrapes shows"""
    nginx.close()
    with servers.Nginx(net.host, 8443, H1):  # the upgrade that lost h2
        handshakes(8443, 5, H2, "http/1.1")
    series = 'alpn_fallbacks_total{role="server",cause="server_declined"}'
    tap.wait_for(lambda: prometheus.value(series) == 5, "Prometheus to count 5 fallbacks")
    tap.equal(prometheus.value(f"max_over_time({series}[1m]) - min_over_time({series}[1m])"), 5,
              "the rise of " + series)
    tap.equal(prometheus.value(f"increase({series}[1m]) > bool 0"), 1, "increase() sees it")


def openmetrics_scrape():
    """Prometheus asks for OpenMetrics and can read it"""
    tap.equal((prometheus.target()["health"], prometheus.target()["lastError"]), ("up", ""),
              "the scrape's health")
    tap.equal(prometheus.value(HANDSHAKES), 16, "all handshakes")


def self_metrics():
    """the ledger can be asked of Prometheus"""
    agent.drain()
    expression = ("sum(alpnscope_hellos_total) - sum(alpnscope_records_total) - "
                  "sum(alpnscope_repeats_total) - sum(alpnscope_lost_total) - "
                  "sum(alpnscope_in_flight)")
    tap.equal(prometheus.value(expression), 0, expression)
    tap.equal(prometheus.value("count(alpnscope_build_info)"), 1, "alpnscope_build_info")


with contextlib.ExitStack() as stack:
    nginx = stack.enter_context(servers.Nginx(net.host, 8443))
    agent = stack.enter_context(Agent(net.host, "--expect", "h2"))
    def start():
        """Prometheus starts after the burst"""
        global prometheus
        prometheus = stack.enter_context(Prometheus(net.host))
    tap.run([lint, formats, start, late_scrape, zeros, burst, openmetrics_scrape, self_metrics,
             tap.named("SIGTERM: exit 0, nothing left behind", agent.stop)], agent.diagnosis)
