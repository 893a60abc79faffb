#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The configuration file, its reloading and its exempt clients; what was observed outlives the
agent, whatever happens to the server meanwhile. What is expected comes from the clients."""
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import cgroup  # noqa: needs the path above
import clients
import craft
import judge
import net as netlib
import servers
import tap
from agent import BINARY, Agent
from cgroup import In
from clients import H1, H2
from net import Pair

net = Pair()
scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
os.chmod(scratch.name, 0o755)
# A copy that an unprivileged user can reach, wherever the checkout is.
PROGRAM = shutil.copy(BINARY, scratch.name)
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
PORT = 8443
DOCS = os.path.join(tap.ROOT, "docs", "CONFIG.md")


def path(name, text=None):
    where = os.path.join(scratch.name, name)
    if text is not None:
        with open(where, "w") as f:
            f.write(text)
    return where


def call(*args, prefix=()):
    """Run alpnscope: (exit status, stdout, stderr)."""
    done = subprocess.run(net.host.argv([*prefix, PROGRAM, *args]), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=20)
    return done.returncode, done.stdout, done.stderr


def connect(agent, version, sni, want, address=net.V4, offer=tuple(H2)):
    """One handshake whose client says that it got `want`; the event of it."""
    truth = clients.s_client(net.client, address, PORT, sni, list(offer), version)
    tap.equal((truth.completed, truth.negotiated), (True, want), "the client's own word")
    return judge.find(agent, truth)[0]


def fallbacks(agent, **labels):
    return agent.metrics().find("alpn_fallbacks_total", server_port=str(PORT), **labels)


def kept(state):
    """What a state directory holds."""
    where = os.path.join(state, "observed")
    return netlib.read(where) if os.path.exists(where) else ""


def lost_while_away(version, kill):
    """h2 is lost while the agent is away; a first life has seen it."""
    state, sni = path(f"state-{version}-{kill}"), clients.name()
    with servers.Nginx(net.host, PORT, H2, versions=version), \
            Agent(net.host, "--state-dir", state) as agent:
        first = connect(agent, version, sni, "h2")
        service = first["service"]["name"]
        # TLS 1.3 must be known exactly to be learned; nginx's records are.
        tap.equal(first["alpn"]["outcome"], "negotiated", "outcome")
        tap.equal(first["alpn"]["grade"], None if version == "1.2" else "exact", "grade")
        if kill:
            tap.wait_for(lambda: service in kept(state), "the state to be written")
            agent.process.kill()
            agent.process.wait()
        else:
            agent.stop()
    with servers.Nginx(net.host, PORT, H1, versions=version), \
            Agent(net.host, "--state-dir", state) as agent:
        zeros = fallbacks(agent, service_name=service, role="server", cause="server_declined")
        tap.equal([v for _, v in zeros], [0.0], "there before any handshake")
        known = agent.metrics().find("alpn_service_expected_info", service_name=service,
                                     role="server")
        tap.equal([(l["expected_protocol"], l["source"]) for l, _ in known], [("h2", "observed")])
        answers = [connect(agent, version, sni, "http/1.1") for _ in range(5)]
        for event in answers:
            tap.equal((event["service"]["name"], event["alpn"]["cause"], event["alpn"]["fallback"]),
                      (service, "server_declined", True))
        agent.drain()
        counted = fallbacks(agent, service_name=service, role="server", cause="server_declined")
        tap.equal([v for _, v in counted], [5.0], "every one, the first included")
        agent.stop()


def nothing_to_blame():
    """a healthy h2 service, known from an earlier life: a client of HTTP/1.1 only, an acme-tls/1
    check and a probe without ALPN are no fallbacks"""
    state, sni = path("state-healthy"), clients.name()
    with servers.SServer(net.host, PORT, [*H2, "acme-tls/1"], versions="1.2 1.3"):
        with Agent(net.host, "--state-dir", state) as agent:
            service = connect(agent, "1.2", sni, "h2")["service"]["name"]
            agent.stop()
        with Agent(net.host, "--state-dir", state) as agent:
            for version in ("1.2", "1.3"):
                for offer in (H1, ["acme-tls/1"], []):
                    event = connect(agent, version, sni, offer[0] if offer else None, offer=offer)
                    tap.equal((event["service"]["name"], event["alpn"]["expected"],
                               event["alpn"]["cause"]), (service, ["h2"], None), str(offer))
            metrics = agent.drain()
            tap.equal(metrics.sum("alpn_handshakes_total", role="server"), 6)
            tap.equal(metrics.sum("alpn_fallbacks_total"), 0)
            agent.stop()


def capture():
    """read --config: names, expectations and exempt clients of a capture, in transit"""
    frames = []
    for number, (client, port) in enumerate((("192.0.2.1", 443), ("192.0.2.9", 443),
                                             ("192.0.2.1", 25))):
        connection = craft.Connection(client, 50000 + number, "198.51.100.7", port)
        frames += connection.client(craft.record(craft.HANDSHAKE, craft.client_hello(
            [craft.server_name(b"www.shop.test"), craft.alpn(b"h2", b"http/1.1")])))
        frames += connection.server(craft.record(craft.HANDSHAKE, craft.server_hello(
            [craft.alpn(b"http/1.1")])))
    craft.write_pcap(path("shop.pcap"), frames)
    conf = path("read.yml", "services:\n- name: shop\n  port: 443\n  address: 198.51.100.0/24\n"
                            "  sni: '*.shop.test'\n  expect: h2\nexempt_clients: 192.0.2.9\n")
    code, out, err = call("read", "--config", conf, "--fail-on", "fallback", "-o", "json",
                          path("shop.pcap"))
    tap.equal(code, 3, err)
    events = [json.loads(line) for line in out.splitlines()]
    tap.equal([(e["service"]["name"], e["alpn"]["cause"], e["alpn"].get("exempt"))
               for e in events],
              [("shop", "server_declined", None), ("shop", None, True), (None, None, None)])


def forgotten_without():
    """without --state-dir a restart forgets: http/1.1 is then no fallback"""
    sni = clients.name()
    with servers.Nginx(net.host, PORT, H2), Agent(net.host) as agent:
        connect(agent, "1.2", sni, "h2")
        agent.stop()
    with servers.Nginx(net.host, PORT, H1), Agent(net.host) as agent:
        tap.equal(connect(agent, "1.2", sni, "http/1.1")["alpn"]["cause"], None)
        agent.stop()


def forget():
    """services --forget, by root and by nobody; it outlives the agent"""
    state, sni = path("state-forget"), clients.name()
    with servers.Nginx(net.host, PORT, H2), Agent(net.host, "--state-dir", state) as agent:
        service = connect(agent, "1.2", sni, "h2")["service"]["name"]
        # The mode of the socket is its owner's to give; what it lets do is not.
        os.chmod(agent.dir, 0o755)
        os.chmod(os.path.dirname(agent.socket), 0o755)
        os.chmod(agent.socket, 0o666)
        ask = ["services", "--socket", agent.socket, "--forget"]
        code, out, err = call(*ask, service, prefix=NOBODY)
        tap.equal((code, out, "to forget is for root" in err), (1, "", True), err)
        code, out, err = call(*ask, "no-such-service")
        tap.equal((code, 'nothing was observed of a service "no-such-service"' in err), (1, True),
                  err)
        code, out, err = call(*ask, service, "--port", str(PORT))  # less than all is not forgotten
        tap.equal((code, out, "takes no --port" in err), (2, "", True), err)
        code, out, err = call(*ask, service)
        tap.equal((code, err), (0, ""), "forget")
        tap.equal(out.startswith(f"forgotten: what {service} chose"), True, out)
        agent.stop()
    tap.equal(f"server {PORT} h2 {service} " in kept(state), False, kept(state))
    with servers.Nginx(net.host, PORT, H1), Agent(net.host, "--state-dir", state) as agent:
        event = connect(agent, "1.2", sni, "http/1.1")
        tap.equal((event["alpn"]["cause"], event["alpn"]["expected"]), (None, None))
        agent.stop()


def two_agents():
    """a second agent does not get the same --state-dir"""
    state = path("state-two")
    with Agent(net.host, "--state-dir", state) as agent:
        code, _, err = call("run", "--state-dir", state, "--socket", path("other.sock"),
                            "--web.listen-address", "127.0.0.1:0")
        tap.equal(code, 1, err)
        tap.equal("another agent uses it" in err and state in err, True, err)
        agent.stop()


def configured(name, expect="[h2]"):
    return f"services:\n- name: {name}\n  port: {PORT}\n  expect: {expect}\n"


def hang_up(agent):
    agent.process.send_signal(signal.SIGHUP)


def reloaded(agent):
    return agent.metrics().sum("alpnscope_config_last_reload_successful")


def reload_file():
    """SIGHUP: a good file is taken, a broken one is not and says where"""
    conf = path("reload.yml", configured("shop"))
    with servers.Nginx(net.host, PORT, H1), Agent(net.host, "--config", conf) as agent:
        zeros = fallbacks(agent, service_name="shop", role="server")
        tap.equal(sorted((l["cause"], v) for l, v in zeros),
                  [("client_no_alpn", 0), ("client_not_offered", 0), ("client_preferred", 0),
                   ("server_declined", 0), ("server_no_alpn", 0)], "from the start")
        event = connect(agent, "1.2", clients.name(), "http/1.1")
        tap.equal((event["service"]["name"], event["alpn"]["cause"]), ("shop", "server_declined"))
        tap.equal(reloaded(agent), 1)
        when = agent.metrics().sum("alpnscope_config_last_reload_success_timestamp_seconds")

        path("reload.yml", "services:\n- nam: store\n  port: 1\n")
        hang_up(agent)
        tap.wait_for(lambda: reloaded(agent) == 0, "the broken file to be refused")
        tap.equal(f"{conf}:2:3: unknown key 'nam'" in agent.stderr(), True, agent.stderr())
        tap.equal(agent.metrics().sum("alpnscope_config_last_reload_success_timestamp_seconds"),
                  when, "when a file was last taken")
        event = connect(agent, "1.2", clients.name(), "http/1.1")
        tap.equal(event["service"]["name"], "shop", "the one from before stays in force")

        path("reload.yml", configured("store", "[http/1.1]"))
        hang_up(agent)
        tap.wait_for(lambda: reloaded(agent) == 1, "the good file to be taken")
        event = connect(agent, "1.2", clients.name(), "http/1.1")
        tap.equal((event["service"]["name"], event["alpn"]["cause"]), ("store", None))
        declined = {l["service_name"]: v for l, v in fallbacks(agent, cause="server_declined",
                                                               role="server")}
        tap.equal(declined, {"shop": 2, "store": 0})
        tap.equal(agent.metrics().sum(
            "alpnscope_config_last_reload_success_timestamp_seconds") > when, True, "it is later")
        agent.drain()
        agent.stop()


def hang_up_without():
    """without --config SIGHUP ends the agent, and leaves nothing behind"""
    with Agent(net.host) as agent:
        hang_up(agent)
        tap.equal(agent.process.wait(10), 0, agent.stderr())


def exempt():
    """an exempt client: its handshake is counted, no fallback is, and the event says so"""
    conf = path("exempt.yml", configured("shop") +
                f"  exempt_clients: {net.CLIENT_V4}\nexempt_clients: [192.0.2.0/24]\n")
    with servers.Nginx(net.host, PORT, H1), Agent(net.host, "--config", conf) as agent:
        for offer, want in ((H2, "http/1.1"), (None, None)):
            event = connect(agent, "1.2", clients.name(), want, offer=offer or ())
            tap.equal((event["alpn"].get("exempt"), event["alpn"]["cause"],
                       event["alpn"]["fallback"]), (True, None, False), "by IPv4")
        event = connect(agent, "1.2", clients.name(), "http/1.1", net.V6)
        tap.equal((event["alpn"].get("exempt"), event["alpn"]["cause"]),
                  (None, "server_declined"), "by IPv6")
        metrics = agent.drain()
        tap.equal(metrics.sum("alpn_handshakes_total", service_name="shop", role="server"), 3)
        tap.equal(metrics.by("alpn_fallbacks_total", "service_name", "cause"),
                  {("shop", "server_declined"): 1})
        agent.stop()


def client_role():
    """what a program of this host gets, where the file says so: h2 of a server that has none"""
    conf = path("client.yml", f"services:\n- name: upstream\n  role: client\n  port: {PORT}\n"
                              "  sni: '*.EXAMPLE.test'\n  expect: h2\n"
                              "labels: {server_address: 1}\n")
    with servers.Nginx(net.client, PORT, H1), Agent(net.host, "--config", conf) as agent:
        truth = clients.s_client(net.host, net.CLIENT_V4, PORT, clients.name(), H2, "1.2")
        tap.equal(truth.negotiated, "http/1.1", "the client's own word")
        judge.find(agent, truth)
        metrics = agent.drain()
        tap.equal(metrics.by("alpn_fallbacks_total", "service_name", "cause", role="client"),
                  {("upstream", "server_declined"): 1})
        tap.equal(metrics.by("alpn_handshakes_total", "server_address", service_name="upstream"),
                  {truth.sni: 1}, "label server_address")
        agent.stop()


def workloads():
    """services by unit, control group and container, of servers in such cgroups"""
    box = "5f7d3c2a9b8e4d1c0f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e"
    places = {"shop": "/system.slice/front.service", "batch": "/batch.slice/job-1",
              "boxed": f"/system.slice/docker-{box}.scope", None: "/system.slice/other.service"}
    groups = {name: cgroup.Cgroup(place) for name, place in places.items()}
    conf = path("work.yml", "services:\n- name: shop\n  unit: 'fr?nt.service'\n  expect: h2\n"
                            "- name: batch\n  cgroup: '*/batch.slice/*'\n  expect: []\n"
                            "- name: boxed\n  container: '5f7d*'\n  expect: [http/1.1]\n")
    with Agent(net.host, "--config", conf, "--expect", "h2") as agent:
        for name, group in groups.items():
            with servers.Nginx(In(net.host, group), PORT, H1):
                event = connect(agent, "1.2", clients.name(), "http/1.1")
            tap.equal(event["cgroup"]["path"], group.path, "where it is")
            tap.equal((event["service"]["name"], event["alpn"]["expected"],
                       event["alpn"]["fallback"]),
                      {"shop": ("shop", ["h2"], True), "batch": ("batch", None, False),
                       "boxed": ("boxed", ["http/1.1"], False),
                       None: ("other.service", ["h2"], True)}[name], group.path)
        agent.stop()


def example():
    """the example of docs/CONFIG.md is right, and has every key"""
    with open(DOCS) as f:
        text = f.read()
    yaml = re.search(r"```yaml\n(.*?)```", text, re.S).group(1)
    code, out, err = call("check-config", path("example.yml", yaml))
    tap.equal((code, err), (0, ""), "check-config")
    # Those of the web server's file have a section of their own.
    keys = set(re.findall(r"^\| `(\w+)` \|", text.split("\n## The web server")[0], re.M))
    used = set(re.findall(r"^ *-? *([a-z_]+):", yaml, re.M))
    tap.equal(keys, used, "keys of the tables, keys of the example")
    for name in re.findall(r"name: (\w+)", yaml):
        tap.equal(f". {name} (line " in out, True, out)


def wrong_files():
    """check-config and run on files that are wrong: place and what is right, exit code 1"""
    rows = (("services:\n- port: 70000\n  name: x\n", ":2:9: '70000' is no port; expected"),
            ("services:\n- sni: *.example.org\n", ":2:"),
            ("exempt_client: 10.0.0.1\n", "did you mean 'exempt_clients'?"))
    for text, said in rows:
        conf = path("wrong.yml", text)
        for command in (["check-config", conf], ["run", "--config", conf], ["watch", "--config",
                                                                            conf]):
            code, out, err = call(*command)
            tap.equal((code, out), (1, ""), err)
            tap.equal(said in err and conf in err, True, err)
    code, _, err = call("check-config", "/nonexistent.yml")
    tap.equal((code, "/nonexistent.yml: No such file" in err), (1, True), err)


def damaged():
    """a damaged state file is set aside and said; the agent starts"""
    state = path("state-damaged")
    os.mkdir(state)
    path("state-damaged/observed", "alpnscope-observed 1\nserver 443 h2 nginx a.exa")
    with Agent(net.host, "--state-dir", state) as agent:
        aside = [f for f in os.listdir(state) if f.startswith("observed.damaged-")]
        tap.equal(len(aside), 1, os.listdir(state))
        tap.equal("observed:" in agent.stderr() and aside[0] in agent.stderr(), True,
                  agent.stderr())
        agent.stop()


with contextlib.ExitStack() as cleanup:
    cleanup.callback(scratch.cleanup)
    tap.run([tap.named(f"TLS {version}: h2 lost while the agent was {how}: a fallback from the "
                       "first handshake on", lost_while_away, version, kill)
             for version in ("1.2", "1.3") for kill, how in ((False, "stopped"), (True, "killed"))]
            + [nothing_to_blame, forgotten_without, forget, two_agents, reload_file,
               hang_up_without, exempt, client_role, workloads, example, wrong_files, damaged,
               capture])
