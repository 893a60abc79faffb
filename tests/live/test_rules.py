#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The shipped rules, by promtool in simulated time, and what belongs to each alert: a test and a
page. tests/live/test_alerts.py has them in a real Prometheus."""
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import alerts  # noqa: needs the path above
import net
import programs
import tap

TEST = os.path.join(tap.ROOT, "tests", "rules", "alpnscope.test.yml")
RUNBOOK = os.path.join(tap.ROOT, "docs", "runbook")


def check():
    """promtool check rules"""
    net.sh(programs.find("promtool"), "check", "rules", alerts.RULES)


def simulated():
    """promtool test rules: each alert fires when it should, and not just below"""
    net.sh(programs.find("promtool"), "test", "rules", TEST, timeout=120)


def complete():
    """each alert has its series in the test, and its line in docs/OPERATIONS.md"""
    tested, listed = net.read(TEST), net.read(alerts.OPERATIONS)
    for name in alerts.names():
        tap.equal(name in tested, True, f"{name} in {TEST}")
        tap.equal(f"| `{name}` |" in listed, True, f"{name} in {alerts.OPERATIONS}")


def runbook():
    """each alert links its page, and each page belongs to an alert"""
    pages = sorted(p.removesuffix(".md") for p in os.listdir(RUNBOOK))
    tap.equal(pages, sorted(alerts.names()), "pages in docs/runbook")
    links = re.findall(r"^      runbook_url: docs/runbook/(\w+)\.md$", net.read(alerts.RULES), re.M)
    tap.equal(links, alerts.names(), "runbook_url")
    for page in pages:
        text = net.read(os.path.join(RUNBOOK, page + ".md"))
        for heading in ("What it means", "Who is affected", "Verify", "Causes and fixes",
                        "When to ignore it"):
            tap.equal(f"\n## {heading}\n" in text, True, f"{page}: '{heading}'")


tap.run([check, simulated, complete, runbook])
