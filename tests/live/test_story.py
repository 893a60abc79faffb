#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The whole story, of TLS 1.2 and 1.3, with nothing configured: a real nginx that chooses h2; its
http2 is switched off while the agent is away; the numbers, the alert in a real Prometheus and what
explain says; and switched on again. Numbers are the clients' own."""
import contextlib
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import alerts  # noqa: needs the path above
import cgroup
import clients
import servers
import tap
from agent import BINARY, Agent
from clients import H1, H2
from net import Remote
from prometheus import Prometheus

PORTS = {"1.2": 8441, "1.3": 8442}
SNI = "www.example.test"
# Of TLS 1.3 the http/1.1 of a full handshake with gnutls-cli is as long as its h2: not known.
OFFERING = (clients.curl, clients.s_client, clients.python, clients.gnutls_cli)
COUNT = 7  # handshakes of each
net = Remote()


def home():
    """(where nginx starts, what its service is called): a unit, if such a cgroup can be made."""
    try:
        group = cgroup.Cgroup("/system.slice/nginx.service")
    except tap.Skip:
        return net.host, "nginx"
    return cgroup.In(net.host, group), "nginx.service"


def offers(version, want):
    """Clients that offer h2 first, and get `want`: how many."""
    for client in OFFERING * COUNT:
        truth = client(net.client, net.V4, PORTS[version], SNI, H2, version)
        tap.equal((truth.completed, truth.negotiated), (True, want),
                  f"{client.__name__}'s own word: {truth.output}")
    return len(OFFERING) * COUNT


def bystanders(version):
    """Clients that rightly get no h2: a browser's WebSocket, a check of ACME, a health check."""
    for offer, want in ((H1, "http/1.1"), (None, None), (["acme-tls/1"], "refused")):
        for _ in range(3):
            truth = clients.python(net.client, net.V4, PORTS[version], SNI, offer, version)
            tap.equal("refused" if truth.refused else truth.negotiated, want, f"{offer}")


def start_agent():
    return stack.enter_context(Agent(net.host, "--state-dir", state))


def of(version, **labels):
    return dict(labels, service_name=service, server_port=str(PORTS[version]), role="server")


def fallbacks(metrics, version):
    """{cause: count} of those that are not 0."""
    return metrics.by("alpn_fallbacks_total", "cause", **of(version))


def undetermined(metrics, version):
    return metrics.sum("alpn_handshakes_total", outcome="undetermined", **of(version))


def firing():
    return {(name, a.get("server_port")) for name in alerts.names()
            for a in prometheus.firing(name)}


def explain(version):
    argv = [BINARY, "explain", f"{service}:{PORTS[version]}", "--socket", agent.socket]
    done = subprocess.run(net.host.argv(argv), capture_output=True, text=True, timeout=30)
    tap.equal(done.returncode, 0, done.stderr)
    return done.stdout


def healthy():
    """h2 is chosen: no fallback and no alert; nor by WebSockets, checks of ACME, probes"""
    for version in PORTS:
        offers(version, "h2")
        bystanders(version)
    prometheus.settle(agent)
    metrics = agent.metrics()
    for version in PORTS:
        tap.equal(fallbacks(metrics, version), {}, "fallbacks")
        known = metrics.find("alpn_service_expected_info", **of(version))
        tap.equal([(l["expected_protocol"], l["source"]) for l, _ in known], [("h2", "observed")])
        tap.equal(explain(version).splitlines()[0],
                  f"{service}:{PORTS[version]} (server): as expected", "explain")
    tap.equal(firing(), set(), "alerts")


def away():
    """the agent is stopped, http2 switched off in nginx, the agent started: 0 fallbacks so far"""
    global agent
    agent.stop()
    for version, nginx in nginxes.items():
        nginx.reload(H1)
        offers(version, "http/1.1")  # nobody looks
    agent = start_agent()
    for version in PORTS:
        series = agent.metrics().find("alpn_fallbacks_total", cause="server_declined",
                                      **of(version))
        tap.equal([value for _, value in series], [0], "there before any handshake")


def switched_off():
    """server_declined is exactly the number of connections whose choice is known; AlpnFallback"""
    made = {version: offers(version, "http/1.1") for version in PORTS}
    for port in PORTS.values():
        tap.wait_for(lambda: ("AlpnFallback", str(port)) in firing(), f"AlpnFallback of {port}", 20)
    metrics = agent.drain()
    for version, count in made.items():
        hidden = undetermined(metrics, version)
        tap.show(f"TLS {version}: {count} got http/1.1 for h2, {hidden:.0f} of them undetermined")
        tap.equal(fallbacks(metrics, version), {"server_declined": count - hidden}, "fallbacks")
        # gnutls-cli's may be hidden, the others' not.
        most = COUNT if version == "1.3" else 0
        tap.equal(hidden <= most, True, f"{hidden} undetermined, at most {most}")
        which = f'{{service_name="{service}",server_port="{PORTS[version]}",role="server"}}'
        tap.equal(round(prometheus.value(f"service:alpn_fallbacks:upper15m{which}"), 6), 1,
                  "at most, by the rules")
    said = [a["annotations"]["summary"] for a in prometheus.ask("alerts")["alerts"]
            if a["labels"]["alertname"] == "AlpnFallback"]
    for port in PORTS.values():
        tap.equal(any(f"handshakes of {service} on port {port} (server" in text for text in said),
                  True, said)


def explained():
    """explain: the server's doing, nginx, and the line that its configuration wants"""
    for version, port in PORTS.items():
        text = explain(version)
        tap.equal(text.splitlines()[0],
                  f"{service}:{port} (server): FALLS BACK, and it is the server's doing")
        for words in ("expected   h2 (observed: it chose that itself before)", "server_declined",
                      "fix        nginx: have it choose h2\n",
                      f"server {{ listen {port} ssl; http2 on; }}      # 1.25.1 and later\n"):
            tap.equal(words in text, True, f"{words!r} in {text}")
        line = re.search(r"server { listen (.*); } +# before 1.25.1\n", text).group(1)
        tap.equal(line, f"{port} ssl http2", "which is what tests/lib/servers.py writes")


def switched_on():
    """http2 is on again: no more fallbacks, WebSockets and checks and probes make none; no alert"""
    before = {version: fallbacks(agent.metrics(), version) for version in PORTS}
    for version, nginx in nginxes.items():
        nginx.reload(H2)
        offers(version, "h2")
        bystanders(version)
    prometheus.settle(agent)
    for version in PORTS:
        tap.equal(fallbacks(agent.metrics(), version), before[version], "fallbacks")
        tap.equal("as expected, the last time " in explain(version), True, "explain")
    # What was meant to alarm is over, and what changed twice has drifted.
    tap.wait_for(lambda: not firing() - {("AlpnMixDrifted", str(p)) for p in PORTS.values()},
                 f"the alerts to end: {firing()}", 60)


with contextlib.ExitStack() as stack:
    scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="alpnscope-"))
    state = os.path.join(scratch, "state")
    where, service = home()
    nginxes = {version: stack.enter_context(servers.Nginx(where, port, H2, versions=version))
               for version, port in PORTS.items()}
    agent = start_agent()
    prometheus = stack.enter_context(Prometheus(net.host, rules=alerts.rules(), lookback="5s"))
    tap.run([healthy, away, switched_off, explained, switched_on,
             tap.named("SIGTERM: exit 0, nothing left behind", lambda: agent.stop())],
            lambda: agent.diagnosis())
