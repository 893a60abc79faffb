#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Which process, cgroup, unit and container each end belongs to, and what its service is called:
real servers and clients in cgroups that are called as systemd and the container runtimes do."""
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import cgroup  # noqa: needs the path above
import clients
import judge
import servers
import tap
from agent import Agent
from cgroup import In
from clients import H2
from net import Bridged, read

DOCKER = "5f7d3c2a9b8e4d1c0f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e"
POD = "aaaabbbbccccddddeeeeffff0000111122223333444455556666777788889999"
net = Bridged()
host, (srv1, srv2) = net.host, net.srv
HERE = "127.0.0.1"
MUTE = """
import socket, sys, time
s = socket.create_server(("", int(sys.argv[1])))
while True:
    c, _ = s.accept()
    c.recv(1 << 16)
    c.close()
"""


def event_of(agent, truth):
    tap.equal(truth.negotiated, "h2", "the client's own word")
    event, = judge.find(agent, truth)
    return event


def work(event):
    return {k: event[k] for k in ("service", "process", "cgroup", "container") if k in event}


def unit():
    """a unit's server and a session's client on one host: unit, process, cgroup of both"""
    client = In(host, SESSION)
    truth = clients.curl(client, HERE, 8443, clients.name(), H2, "1.2")
    event = event_of(agent, truth)
    tap.equal(event["alpn"]["role"], "server", "role")
    tap.equal(event["service"], {"name": "shop.service"}, "service")
    tap.equal((event["process"]["name"], event["cgroup"]), ("nginx", {"path": SHOP.path}), "server")
    tap.equal(read(f"/proc/{event['process']['pid']}/comm"), "nginx\n", "process.pid")
    peer = event["peer"]
    tap.equal(peer["service"], {"name": "curl"}, "peer.service: a session is no service")
    tap.equal((peer["process"]["name"], peer["cgroup"]), ("curl", {"path": SESSION.path}), "peer")


def container_server():
    """a container's server behind a veth: its cgroup and id; named after who listens there"""
    for _ in range(20):
        truth = clients.curl(In(host, SESSION), "10.78.0.11", 8444, clients.name(), H2, "1.2")
        event = event_of(agent, truth)
        tap.equal(event["alpn"]["role"], "server", "role")
        tap.equal(work(event), {"service": {"name": "nginx"}, "cgroup": {"path": BOX.path},
                                "container": {"id": DOCKER, "name": None}}, "server")
        tap.equal(event["peer"]["service"], {"name": "curl"}, "peer.service")


def container_client():
    """a container's client behind a veth: its cgroup and id, but no process by guessing"""
    for _ in range(20):
        truth = clients.curl(In(srv1, BOX), "10.78.0.1", 8443, clients.name(), H2, "1.2")
        event = event_of(agent, truth)
        tap.equal(event["service"], {"name": "shop.service"}, "service")
        tap.equal(event["peer"], {"service": {"name": None}, "cgroup": {"path": BOX.path},
                                  "container": {"id": DOCKER, "name": None}}, "peer")


def pod():
    """a pod's container is called by namespace and container, as its log is"""
    truth = clients.curl(In(srv1, BOX), "10.78.0.12", 8445, clients.name(), H2, "1.2")
    event = event_of(agent, truth)
    tap.equal(work(event), {"service": {"name": "shop/web"}, "cgroup": {"path": PODGROUP.path},
                            "container": {"id": POD, "name": "shop/web"}}, "server")
    metrics = agent.drain()
    tap.equal(metrics.by("alpn_handshakes_total", "service_name", server_port="8445",
                         role="server"), {"shop/web": 1}, "service_name")


def moved():
    """a socket that one cgroup made and a process of another uses: it is the user's"""
    truth = clients.curl(In(host, SESSION), HERE, 8446, clients.name(), H2, "1.2")
    before = event_of(agent, truth)
    tap.equal(before["cgroup"], {"path": SHOP.path}, "before it moved")
    OTHER.enter(before["process"]["pid"])
    truth = clients.curl(In(host, SESSION), HERE, 8446, clients.name(), H2, "1.2")
    event = event_of(agent, truth)
    tap.equal((event["service"], event["cgroup"]),
              ({"name": "other.service"}, {"path": OTHER.path}), "after")


def unanswered(watching, port, service, group):
    """A hello that its server does not answer is the listener's all the same."""
    watching.mark()
    truth = clients.python(host, HERE, port, clients.name(), H2, "1.2")
    tap.equal(truth.completed, False, "the handshake was completed")
    event, = watching.since(1)
    tap.equal((event["alpn"]["role"], event["service"]), ("server", {"name": service}), "server")
    tap.equal(event.get("cgroup"), {"path": group.path}, "cgroup")
    tap.equal(event["process"]["name"], "python3", "process.name")


def mute(namespace, port):
    """A server that never says a word of TLS."""
    process = namespace.spawn([sys.executable, "-c", MUTE, str(port)])
    tap.wait_for(lambda: host.listening(port), f"{port} to be listened at")
    return process


def listeners():
    """found at the start, after a restart, and when they came later: named before they answer"""
    mute(In(host, SHOP), 9001)
    mute(In(host, SESSION), 9002)
    with Agent(host, interface="lo") as second:
        unanswered(second, 9001, "shop.service", SHOP)
        unanswered(second, 9002, "python3", SESSION)
        mute(In(host, OTHER), 9003)
        unanswered(second, 9003, "other.service", OTHER)
        second.stop()
    with Agent(host, interface="lo") as third:
        unanswered(third, 9003, "other.service", OTHER)


def ended():
    """who listens no more is not blamed for the one who follows"""
    first = mute(In(host, SHOP), 9004)
    with Agent(host, interface="lo") as second:
        unanswered(second, 9004, "shop.service", SHOP)
        first.kill()
        first.wait()
        mute(In(host, OTHER), 9004)
        unanswered(second, 9004, "other.service", OTHER)


def unprivileged():
    """without CAP_DAC_READ_SEARCH the sender's cgroup is found by its process"""
    drop = ["setpriv", "--bounding-set", "-dac_read_search", "--inh-caps", "-dac_read_search"]
    with Agent(In(host, prefix=drop), interface="lo") as second:
        truth = clients.curl(In(host, SESSION), HERE, 8443, clients.name(), H2, "1.2")
        event = event_of(second, truth)
        tap.equal((event["service"], event["cgroup"]),
                  ({"name": "shop.service"}, {"path": SHOP.path}), "server")


try:
    SHOP = cgroup.Cgroup("/system.slice/shop.service")
    OTHER = cgroup.Cgroup("/system.slice/other.service")
    SESSION = cgroup.Cgroup("/user.slice/user-1000.slice/session-3.scope")
    BOX = cgroup.Cgroup(f"/system.slice/docker-{DOCKER}.scope")
    PODGROUP = cgroup.Cgroup(f"/kubepods.slice/kubepods-pod0.slice/cri-containerd-{POD}.scope")
except tap.Skip as reason:
    print(f"1..0 # SKIP {reason}")
    sys.exit()

# As the kubelet leaves it, for the agent's eyes only.
LINK = f"/var/log/containers/web-7d4b9c6f5-x2k9q_shop_web-{POD}.log"
MOUNT = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /var/log && '
         'mkdir /var/log/containers && ln -s x "$0" && exec "$@"', LINK]

with contextlib.ExitStack() as stack:
    stack.enter_context(servers.Nginx(In(host, SHOP), 8443))
    stack.enter_context(servers.Nginx(In(srv1, BOX), 8444))
    stack.enter_context(servers.Nginx(In(srv2, PODGROUP), 8445))
    stack.enter_context(servers.SServer(In(host, SHOP), 8446))
    agent = stack.enter_context(Agent(In(host, prefix=MOUNT)))
    tap.run([unit, container_server, container_client, pod, moved,
             tap.named("SIGTERM: exit 0, nothing left behind", agent.stop),
             listeners, ended, unprivileged], agent.diagnosis)
