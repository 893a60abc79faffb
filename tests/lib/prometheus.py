# SPDX-License-Identifier: GPL-2.0-only
"""A real Prometheus in a namespace, scraping the agent there every second."""
import json
import os
import subprocess
import time
import urllib.parse

import programs
import servers
import tap
from agent import PORT, http_get


class Prometheus(servers.Server):
    """Ready to be asked when the constructor returns; nothing may have been scraped yet."""

    program = "prometheus"

    def __init__(self, namespace, port=9090, rules=None, jobs=None, lookback="5m",
                 scrape=""):
        """rules: the text of a file of rules; jobs: {job: port}; lookback: how old a sample an
        instant query takes for the present one; scrape: more YAML lines of each job."""
        self.rules, self.lookback = rules, lookback
        self.scrape = scrape.replace("\n", "\n  ")
        self.jobs = jobs or {"alpnscope": PORT}
        super().__init__(namespace, port)
        tap.wait_for(lambda: self.get("/-/ready")[0] == 200, "Prometheus to be ready", 20)

    def args(self):
        jobs = "".join(f"""
- job_name: {job}
  static_configs: [ {{ targets: [ "127.0.0.1:{port}" ] }} ]{self.scrape}""" for job, port in self.jobs.items())
        rules = f"rule_files: [ {self.file('rules.yml', self.rules)} ]" if self.rules else ""
        conf = self.file("prometheus.yml", f"""
global: {{ scrape_interval: 1s }}
{rules}
scrape_configs:{jobs}
""")
        return [f"--config.file={conf}", f"--storage.tsdb.path={os.path.join(self.dir, 'data')}",
                f"--web.listen-address=127.0.0.1:{self.port}", "--log.level=warn",
                f"--query.lookback-delta={self.lookback}"]

    def get(self, path):
        try:
            return http_get(self.namespace, path, self.port)
        except OSError:
            return 0, {}, ""

    def ask(self, path, **parameters):
        _, _, body = self.get(f"/api/v1/{path}?{urllib.parse.urlencode(parameters)}")
        answer = json.loads(body)
        tap.equal(answer["status"], "success", body)
        return answer["data"]

    def query(self, expression):
        """{label values as a sorted tuple of pairs: value} of an instant query."""
        return {tuple(sorted(r["metric"].items())): float(r["value"][1])
                for r in self.ask("query", query=expression)["result"]}

    def value(self, expression):
        """The one value of an expression; None if it has none yet."""
        found = list(self.query(expression).values())
        return found[0] if len(found) == 1 else None

    def firing(self, alert):
        """The labels of each alert of that name that fires."""
        return [a["labels"] for a in self.ask("alerts")["alerts"]
                if a["state"] == "firing" and a["labels"]["alertname"] == alert]

    def settle(self, agent):
        """Wait until it has what the agent, once drained, says, and has judged it."""
        total = agent.drain().sum("alpn_handshakes_total")
        tap.wait_for(lambda: self.value("sum(alpn_handshakes_total)") == total,
                     f"Prometheus to have {total} handshakes")
        time.sleep(4)  # an evaluation, and what an alert of a test waits for

    def target(self):
        return self.ask("targets")["activeTargets"][0]


def check_metrics(text):
    """Run `promtool check metrics` over a scrape; fail on any complaint."""
    done = subprocess.run([programs.find("promtool"), "check", "metrics"], input=text, text=True,
                          env=programs.env("promtool"), capture_output=True, timeout=30)
    said = (done.stdout + done.stderr).strip()
    tap.equal((done.returncode, said), (0, ""), "promtool check metrics")
