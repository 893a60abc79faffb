#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Both hops of proxies: a client by h2 to haproxy, by http/1.1 to nginx, without ALPN to Node.js.
Each of the three is one service_name, in the roles that it has, by the programs' own logs: on one
host, as processes and as systemd units, and as containers whose host observes."""
import collections
import contextlib
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import alerts  # noqa: needs the path above
import cgroup
import clients
import proxies
import servers
import tap
from agent import Agent
from cgroup import In
from clients import H1, H2
from net import Bridged
from prometheus import Prometheus

FRONT, APP, BACK = 8443, 8444, 8445
COUNT = 6  # requests before Prometheus' first scrape of them, and once more after it
PROGRAMS = ("haproxy", "nginx", "node")
IDS = [digit * 64 for digit in "abc"]
net = Bridged()
boxes = [*net.srv, net.container(3)]
# As the Docker daemon leaves it, for the agent's eyes only.
DOCKER = ["unshare", "--mount", "sh", "-c", """
mount -t tmpfs none /var/lib && for box in {}; do
	dir=/var/lib/docker/containers/${{box#*:}} && mkdir -p "$dir" || exit
	echo "{{\\"Name\\":\\"/${{box%:*}}\\"}}" >"$dir/config.v2.json"
done && exec "$@" """.format(" ".join(f"the-{p}:{i}" for p, i in zip(PROGRAMS, IDS))), "sh"]

# names: what the three are called; homes: where they start; address: the first one's for clients;
# inner: the others' for each other; watch: where the agent starts.
Place = collections.namedtuple("Place", "names homes address inner watch")


def processes():
    return Place(PROGRAMS, [net.host] * 3, net.V4, ["127.0.0.1"] * 2, net.host)


def units():
    names = [name + ".service" for name in PROGRAMS]
    homes = [In(net.host, cgroup.Cgroup("/system.slice/" + name)) for name in names]
    return Place(names, homes, net.V4, ["127.0.0.1"] * 2, net.host)


def containers():
    homes = [In(box, cgroup.Cgroup(f"/system.slice/docker-{number}.scope"))
             for box, number in zip(boxes, IDS)]
    return Place(["the-" + name for name in PROGRAMS], homes, "10.78.0.11",
                 ["10.78.0.12", "10.78.0.13"], In(net.host, prefix=DOCKER))


def chain(stack, place, version):
    """Start the three, the last one first; the first one first in the result."""
    front, app, back = place.homes
    node = servers.Node(back, BACK, versions=version)
    stack.enter_context(node)
    nginx = stack.enter_context(proxies.Nginx(app, APP, H1, versions=version,
                                              backend=(place.inner[1], BACK)))
    haproxy = stack.enter_context(proxies.Haproxy(front, FRONT, H2, versions=version, upstream=H2,
                                                  backend=(place.inner[0], APP)))
    return haproxy, nginx, node


def requests(place, version):
    for _ in range(COUNT):
        truth = clients.curl(net.client, place.address, FRONT, clients.name(), H2, version)
        tap.equal((truth.negotiated, "< HTTP/2 200" in truth.output), ("h2", True), truth.output)


def logged(haproxy, nginx, node):
    """{(port, chosen): connections} by the logs of the servers."""
    said = collections.Counter()
    for port, names in ((FRONT, proxies.said_by_haproxy(haproxy)),
                        (APP, proxies.said_by_nginx(nginx)), (BACK, proxies.said_by_node(node))):
        said.update((str(port), name or "none") for name in names)
    return dict(said)


def hops(place, truth):
    """{(service_name, role, server_port, next_protocol): connections}"""
    want = {}
    for (port, name), count in truth.items():
        number = int(port) - FRONT
        want[place.names[number], "server", port, name] = count
        if number:
            want[place.names[number - 1], "client", port, name] = count
    return want


def counted(place, version, truth, metrics):
    """The metrics have each hop under its service, and no other; undetermined ones apart."""
    labels = ("service_name", "role", "server_port", "next_protocol")
    got = {key: n for key, n in metrics.by("alpn_handshakes_total", *labels).items()
           if (key[1], key[2]) != ("client", str(FRONT))}  # curl's own
    want = hops(place, truth)
    apart = {key: got.pop(key) for key in list(got) if key[3] == "unknown"}
    tap.show(f"TLS {version}, {place.names[0]}: {sum(apart.values()):.0f} of "
             f"{sum(want.values())} ends not known")
    if version == "1.2":
        tap.equal(apart, {}, "not known")
    for (name, role, port, _), count in apart.items():
        key, = (k for k in want if k[:3] == (name, role, port))
        got[key] = got.get(key, 0) + count
        tap.equal(count < want[key], True, f"some of {key} are known")
    tap.equal(got, want, "hops")
    for role, port in (("client", APP), ("server", APP), ("client", BACK), ("server", BACK)):
        tap.equal(metrics.sum("alpn_handshakes_total", role=role, server_port=str(port),
                              peer="remote"), 0, f"both ends of port {port} are here")


def queries(place):
    """The queries of docs/OPERATIONS.md about hops, the proxy that is named being this one."""
    found = [query for where, query in alerts.queries().items()
             if "Which hop of the proxy?" in where and "OPERATIONS" in where]
    tap.equal(len(found), 2, "queries")
    return [query.replace('"haproxy.service"', f'"{place.names[0]}"') for query in found]


def asked(place, prometheus):
    """h2 in front and less behind is one query: of one proxy, and which programs are so."""
    def rows(query, *labels):
        return {tuple(dict(found)[label] for label in labels)
                for found in prometheus.query(query)
                if dict(found).get("next_protocol") != "unknown"}
    one, every = queries(place)
    labels = ("service_name", "role", "server_port", "next_protocol")
    want = {(place.names[0], "server", str(FRONT), "h2"),
            (place.names[0], "client", str(APP), "http/1.1")}
    tap.wait_for(lambda: rows(one, *labels) == want, f"{want} of {one}")
    # nginx has no h2 in front, and node nothing behind.
    tap.equal(rows(every, "service_name", "server_port"), {(place.names[0], str(APP))}, every)


def both_hops(make, version):
    place = make()
    with contextlib.ExitStack() as stack:
        programs = chain(stack, place, version)
        agent = stack.enter_context(Agent(place.watch))
        prometheus = stack.enter_context(Prometheus(net.host, lookback="5s"))
        requests(place, version)
        prometheus.settle(agent)
        requests(place, version)
        truth = logged(*programs)
        tap.equal(truth, {(str(FRONT), "h2"): 2 * COUNT, (str(APP), "http/1.1"): 2 * COUNT,
                          (str(BACK), "none"): 2 * COUNT}, "what the programs say")
        asked(place, prometheus)
        counted(place, version, truth, agent.drain())
        agent.stop()


tap.run([tap.named(f"TLS {version}, {where}", both_hops, make, version)
         for where, make in (("one host, named by processes", processes),
                             ("one host, named by units", units),
                             ("across namespaces, named by containers", containers))
         for version in ("1.2", "1.3")])
