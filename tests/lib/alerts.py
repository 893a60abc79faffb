# SPDX-License-Identifier: GPL-2.0-only
"""The shipped rules, and every query of the dashboard and of docs/OPERATIONS.md, for a test's
Prometheus: the expressions are the shipped ones, their times are shortened."""
import json
import os
import re

import net
import tap

RULES = os.path.join(tap.ROOT, "deploy", "prometheus", "alpnscope.rules.yml")
DASHBOARD = os.path.join(tap.ROOT, "deploy", "grafana", "alpnscope.json")
OPERATIONS = os.path.join(tap.ROOT, "docs", "OPERATIONS.md")

# What takes hours takes seconds. A time that is not in this table is a failure, not kept.
TIMES = {"[15m]": "[30s]", "offset 15m": "offset 30s", " 15 * 60": " 30",
         "[1h]": "[20s]", "offset 1h": "offset 20s", " 60 * 60": " 20", "[24h]": "[60s]",
         "offset 24h": "offset 30s", "interval: 1m": "interval: 1s", "for: 5m": "for: 2s",
         "for: 15m": "for: 2s", "for: 30m": "for: 2s",
         "$__rate_interval": "15s", "$__range": "60s"}


def compressed(text):
    """Shipped rules, or a shipped query, with the times of a test."""
    for long, short in TIMES.items():
        text = text.replace(long, short)
    code = re.sub(r"#.*", "", text)
    tap.equal(re.findall(r"(?:\[|offset |for: |interval: )\d+[mhdw].*|\* 60", code), [],
              "times that are not in TIMES")
    return text


def rules():
    """The text of the shipped rules for a test."""
    return compressed(net.read(RULES))


def names():
    """Of the alerts in the shipped rules."""
    return re.findall(r"^  - alert: (\w+)$", net.read(RULES), re.M)


def _of_dashboard():
    for panel in json.loads(net.read(DASHBOARD))["panels"]:
        for target in panel.get("targets", []):
            expression = re.sub(r"\$(job|instance|service)\b", ".*", target["expr"])
            yield f"dashboard: {panel['title']}: {target['refId']}", expression


def _of_operations():
    for section in re.split(r"^## ", net.read(OPERATIONS), flags=re.M)[1:]:
        title = section.partition("\n")[0]
        for number, query in enumerate(re.findall(r"^```promql\n(.*?)^```$", section,
                                                  re.M | re.S), 1):
            yield f"OPERATIONS.md: {title} {number}", query


def queries():
    """{where it stands: query for a test}."""
    found = {where: compressed(query) for make in (_of_dashboard, _of_operations)
             for where, query in make()}
    left = [query for query in found.values() if "$" in query]
    tap.equal(left, [], "queries with a variable that is not known here")
    return found
