#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The shipped rules in a real Prometheus: HTTP/2 is switched off in a real nginx, and they fire;
nothing else makes them. Every query of the dashboard and of docs/OPERATIONS.md has data in one
of the phases. tests/lib/alerts.py says how their times are shortened."""
import contextlib
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import alerts  # noqa: needs the path above
import cgroup
import clients
import craft
import proxies
import servers
import tap
from agent import Agent
from clients import H1, H2
from net import Pair
from prometheus import Prometheus
from rawclient import RawClient
from rawserver import RawServer, answer

WINDOW = 30  # seconds: what 15 minutes are here
OFF12, OFF13, LATE, PROXY, BACKEND, BARE, APACHE, LOWERED, DARK, DRIFT = range(8441, 8451)
net = Pair()
have_data = set()


def handshakes(port, count, offer, version, want):
    for _ in range(count):
        truth = clients.python(net.client, net.V4, port, "www.example.test", offer, version)
        tap.equal((truth.completed, truth.negotiated), (True, want), "the client's own word")


def ask_everything():
    """Ask every query once; which have data is kept."""
    for where, query in alerts.queries().items():
        if prometheus.query(query):
            have_data.add(where)


def fires(alert, timeout=20, **labels):
    """Wait until the alert fires with these labels."""
    def found():
        return [a for a in prometheus.firing(alert)
                if all(a.get(k) == str(v) for k, v in labels.items())]
    return tap.wait_for(found, f"{alert} {labels} to fire", timeout)


def ports(alert):
    """The server ports about which it fires, in the role of server."""
    return sorted(int(a["server_port"]) for a in prometheus.firing(alert) if a["role"] == "server")


def first_scrape():
    """30 fallbacks before the first scrape of the agent: increase() has none, the alert fires"""
    global prometheus
    with servers.Nginx(net.host, LATE, H1, versions="1.2 1.3"):
        handshakes(LATE, 15, H2, "1.2", "http/1.1")
        handshakes(LATE, 15, H2, "1.3", "http/1.1")
    prometheus = stack.enter_context(Prometheus(net.host, rules=alerts.rules(), lookback="5s"))
    fires("AlpnFallback", service_name="nginx", server_port=LATE, role="server")
    which = f'role="server",server_port="{LATE}"'
    tap.equal(prometheus.value(f'sum(service:alpn_fallbacks:increase15m{{{which}}})'), 30,
              "with its birth")
    tap.equal(prometheus.value(f'sum(increase(alpn_fallbacks_total{{{which}}}[30s]))'), 0,
              "by increase()")


def healthy():
    """h2 is chosen: no alert; nor by a WebSocket, an acme-tls/1 check, a probe without ALPN"""
    for port, version in ((OFF12, "1.2"), (OFF13, "1.3")):
        handshakes(port, 60, H2, version, "h2")
        handshakes(port, 10, H1, version, "http/1.1")
        handshakes(port, 10, None, version, None)
        for _ in range(5):
            truth = clients.python(net.client, net.V4, port, "www.example.test", ["acme-tls/1"],
                                   version)
            tap.equal(truth.refused, True, "nginx has no ACME client")
    prometheus.settle(agent)
    metrics = agent.metrics()
    for cause in ("server_declined", "server_no_alpn"):
        tap.equal(metrics.sum("alpn_fallbacks_total", cause=cause, role="server",
                              server_port=str(OFF12)) +
                  metrics.sum("alpn_fallbacks_total", cause=cause, role="server",
                              server_port=str(OFF13)), 0, cause)
    noise = [a for name in alerts.names() for a in prometheus.firing(name)
             if a.get("server_port") != str(LATE)]
    tap.equal(noise, [], "alerts")
    ask_everything()


def switched_off():
    """http2 is switched off in nginx: AlpnFallback, TLS 1.2 and 1.3, and the exact number"""
    for port, version in ((OFF12, "1.2"), (OFF13, "1.3")):
        nginx.pop(port).close()
        nginx[port] = stack.enter_context(servers.Nginx(net.host, port, H1, versions=version))
        handshakes(port, 25, H2, version, "http/1.1")
    for port in (OFF12, OFF13):
        fires("AlpnFallback", service_name="nginx", server_port=port, role="server")
        tap.equal(agent.metrics().sum("alpn_fallbacks_total", cause="server_declined",
                                      role="server", server_port=str(port)), 25, "fallbacks")
    said = [a["annotations"]["summary"] for a in prometheus.ask("alerts")["alerts"]
            if a["labels"]["alertname"] == "AlpnFallback"
            and a["labels"].get("server_port") == str(OFF12) and a["labels"]["role"] == "server"]
    tap.equal(len(said) == 1 and "nginx on port " + str(OFF12) in said[0], True, str(said))
    ask_everything()


def old_agent():
    """another Prometheus meets an old agent: what it counted then is no news"""
    time.sleep(max(0, started + WINDOW + 1 - time.monotonic()))
    with Prometheus(net.host, 9091, rules=alerts.rules(), lookback="5s") as other:
        which = f'service:alpn_fallbacks:increase15m{{role="server",server_port="{LATE}"}}'
        tap.wait_for(lambda: other.query(which), "the second Prometheus to have rules")
        time.sleep(4)
        tap.equal(other.value(f"sum({which})"), 0, which)
        tap.equal(other.firing("AlpnFallback"), [], "AlpnFallback")


def without_alpn():
    """a server that is new, and answers h2 offers without ALPN: AlpnServerWithoutAlpn"""
    with servers.SServer(net.host, BARE, None):
        handshakes(BARE, 10, H2, "1.2", None)
    fires("AlpnServerWithoutAlpn", service_name="openssl", server_port=BARE, role="server")
    which = f'{{cause="server_no_alpn",server_port="{BARE}",role="server"}}'
    prometheus.settle(agent)  # the first of them is enough for the alert
    tap.equal(prometheus.value(f"service:alpn_fallbacks:increase15m{which}"), 10, which)
    ask_everything()


def refused():
    """AlpnRejected, AlpnViolation (Apache), AlpnDowngrade"""
    truth = clients.python(net.client, net.V4, OFF12, "www.example.test", ["foo"], "1.2")
    tap.equal(truth.refused, True, "the client's own word")
    with servers.Apache(net.host, APACHE):
        truth = clients.s_client(net.client, net.V4, APACHE, "www.example.test", ["foo"], "1.2")
        tap.equal("no_application_protocol" in truth.output or not truth.completed or
                  truth.negotiated == "http/1.1", True, truth.output)
    sentinel = b"r" * 24 + b"DOWNGRD\x01"
    hello = craft.record(craft.HANDSHAKE, craft.server_hello([craft.alpn(b"h2")], random=sentinel))
    offer = craft.record(craft.HANDSHAKE, craft.client_hello(
        [craft.alpn(b"h2"), craft.supported_versions(0x0304, 0x0303)]))
    with RawServer(net.host, LOWERED, answer(hello)):
        with RawClient(net.client, net.V4, LOWERED) as client:
            client.send(offer)
            client.server_hello()
    fires("AlpnRejected", server_port=OFF12, role="server")
    fires("AlpnViolation", server_port=APACHE, role="server")
    fires("AlpnDowngrade", server_port=LOWERED, role="server")
    tap.equal((ports("AlpnRejected"), ports("AlpnViolation"), ports("AlpnDowngrade")),
              ([OFF12], [APACHE], [LOWERED]), "and about no other port")
    ask_everything()


def dark():
    """answers that nobody can know, and hellos that do not end: AlpnMostlyUndetermined, and
    AlpnscopeEventsLost"""
    hello = craft.record(craft.HANDSHAKE, craft.server_hello(
        [craft.selected_version(0x0304), craft.key_share(29, b"k" * 32)], cipher=0x1301))
    offer = craft.record(craft.HANDSHAKE, craft.client_hello(
        [craft.alpn(b"h2", b"http/1.1"), craft.supported_versions(0x0304),
         craft.supported_groups(29), craft.key_shares((29, b"c" * 32))]))
    with RawServer(net.host, DARK, answer(hello)):
        for _ in range(25):
            with RawClient(net.client, net.V4, DARK) as client:
                client.send(offer)
                client.server_hello()
    for _ in range(10):
        with RawClient(net.client, net.V4, OFF12) as client:
            client.send(offer[:60])
            time.sleep(0.02)
            client.reset()
    fires("AlpnMostlyUndetermined", server_port=DARK, role="server")
    tap.equal(ports("AlpnMostlyUndetermined"), [DARK], "and about no other port")
    fires("AlpnscopeEventsLost")
    ask_everything()


def drifted():
    """what is chosen is not what was chosen 24 hours, which are 30 s here, ago: AlpnMixDrifted"""
    def meet(count, want):
        for version in ("1.2", "1.3"):
            handshakes(DRIFT, count, H2, version, want)
    def drifts():
        meet(10, "http/1.1")
        ask_everything()
        return DRIFT in ports("AlpnMixDrifted")
    with servers.Nginx(net.host, DRIFT, H2, versions="1.2 1.3"):
        meet(40, "h2")
    prometheus.settle(agent)
    tap.equal(DRIFT in ports("AlpnMixDrifted"), False, "fires too early")
    with servers.Nginx(net.host, DRIFT, H1, versions="1.2 1.3"):
        tap.wait_for(drifts, "AlpnMixDrifted to fire", 60)


def proxied():
    """a proxy, which is a unit: HTTP/2 in front and HTTP/1.1 behind is one query"""
    home = cgroup.In(net.host, cgroup.Cgroup("/system.slice/haproxy.service"))
    with servers.Nginx(net.host, BACKEND, H1), \
            proxies.Haproxy(home, PROXY, upstream=H1, backend=("127.0.0.1", BACKEND)):
        truth = clients.curl(net.client, net.V4, PROXY, "www.example.test", H2, "1.2")
        tap.equal(truth.negotiated, "h2", "curl's own word")
        hops = {(("next_protocol", "h2"), ("role", "server")): 1,
                (("next_protocol", "http/1.1"), ("role", "client")): 1}
        query = 'sum by (role, next_protocol) (' \
                'alpn_handshakes_total{service_name="haproxy.service"})'
        tap.wait_for(lambda: prometheus.query(query) == hops, f"{hops} in Prometheus")
        for _ in range(5):  # a query of increase() wants to see it grow
            clients.curl(net.client, net.V4, PROXY, "www.example.test", H2, "1.2")
        prometheus.settle(agent)
        ask_everything()


def not_attached():
    """an interface that cannot be observed: AlpnscopeInterfaceNotAttached"""
    global agent
    agent.stop()
    net.host.ip("link", "add", "br0", "type", "bridge")
    net.host.ip("link", "set", "br0", "up")
    net.host.sh("tc", "qdisc", "add", "dev", "br0", "ingress")  # in clsact's place
    agent = stack.enter_context(Agent(net.host, "--hook", "clsact"))
    fires("AlpnscopeInterfaceNotAttached", state="failed")
    ask_everything()


def every_query():
    """every query of the dashboard and of docs/OPERATIONS.md gave data"""
    cgroup.Cgroup("/system.slice/haproxy.service")  # without it some of them had nothing to find
    tap.equal(sorted(set(alerts.queries()) - have_data), [], "queries that never had data")
    tap.equal(len(have_data) > 40, True, f"{len(have_data)} queries")


with contextlib.ExitStack() as stack:
    nginx = {port: stack.enter_context(servers.Nginx(net.host, port, versions=version))
             for port, version in ((OFF12, "1.2"), (OFF13, "1.3"))}
    agent = stack.enter_context(Agent(net.host, "--expect", "h2"))
    started = time.monotonic()
    tap.run([first_scrape, healthy, switched_off, old_agent, without_alpn, refused, dark, drifted,
             proxied, not_attached, every_query,
             tap.named("SIGTERM: exit 0, nothing left behind", lambda: agent.stop())],
            lambda: agent.diagnosis())
