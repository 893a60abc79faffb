# SPDX-License-Identifier: GPL-2.0-only
"""Chromium, headless: one run visits many servers, each by a fresh and by a resumed handshake. What
it says of them is in its log of the network (--log-net-log)."""
import collections
import json
import os
import subprocess

import clients
import clients13
import net
import programs
import tap
from clients import H1, H2

OFFERS = [H2, H1]
# A page that fetches each URL, leaves time for the connections to be closed, and does it again.
PAGE = """<!doctype html><title>grid</title><script>
const urls = %s;
const options = { mode: "no-cors", cache: "no-store" };
async function round(name) {
	await Promise.allSettled(urls.map((url) => fetch(url, options)));
	console.log("round " + name);
}
round("one").then(() => setTimeout(round, 3000, "two"));
</script>
"""
OPTIONS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--ignore-certificate-errors",
           "--enable-logging=stderr", "--no-first-run", "--disable-background-networking"]
WAIT = 60  # seconds for a round; 3 are usual


def visit(namespace, address, offer, scratch, targets):
    """targets: [(server name, port)]. All the handshakes that it made, as Truths with `resumed`."""
    log = os.path.join(scratch, "net.json")
    page = os.path.join(scratch, "page.html")
    with open(page, "w") as f:
        f.write(PAGE % json.dumps([f"https://{sni}:{port}/" for sni, port in targets]))
    argv = [programs.find("chromium"), *OPTIONS, f"--user-data-dir={scratch}/data",
            f"--log-net-log={log}", f"--host-resolver-rules=MAP * {clients.host(address)}",
            *(["--disable-http2"] if offer == H1 else []), "file://" + page]
    said = os.path.join(scratch, "log")
    with open(said, "wb") as out:
        process = namespace.spawn(argv, env=dict(programs.env("chromium"), HOME=scratch),
                                  stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait(said, "round one", process)
        # On a new address of the host it closes every connection, and keeps the sessions.
        namespace.address("lo", f"127.1.1.{len(offer)}/32")
        _wait(said, "round two", process)
    finally:
        net.stop(process, 20)  # it completes the log
    truths = []
    names = {port: sni for sni, port in targets}
    for events in _connections(log):
        truth = _truth(events, offer)
        truth.sni = names.get(truth.server_port)
        if truth.sni:  # else it is its own business, updates and the like
            truths.append(truth)
    return truths


def _wait(said, word, process):
    def there():
        if process.poll() is not None:
            raise AssertionError(f"chromium ended: {process.returncode}: {net.read(said)[-2000:]}")
        return word in net.read(said)
    tap.wait_for(there, f"chromium's {word}", WAIT)


def _connections(path):
    """For each socket on which TLS was begun {event: [its parameters]}, in order. The log is a line
    for each event, and need not be complete."""
    parse = json.JSONDecoder().raw_decode  # what follows the object is left out
    with open(path) as f:
        head, *lines = f.read().splitlines()
    types = parse(head.removeprefix('{"constants":'))[0]["logEventTypes"]
    names = {number: name for name, number in types.items()}
    sockets = collections.defaultdict(lambda: collections.defaultdict(list))
    for line in lines:
        if line.startswith("{"):
            event = parse(line)[0]
            sockets[event["source"]["id"]][names[event["type"]]].append(event.get("params") or {})
    return [events for events in sockets.values() if "SSL_CONNECT" in events]


def _truth(events, offer):
    tcp, end = events["TCP_CONNECT"][-1], events["SSL_CONNECT"][-1]
    truth = clients.Truth("chromium", offer, None, output=json.dumps(end))
    truth.port = int(tcp["local_address"].rpartition(":")[2])
    truth.server_port = int(tcp["remote_address"].rpartition(":")[2])
    completed = end.get("version") == "TLS 1.3"
    if completed and end["next_proto"] != "unknown":
        truth.negotiated = end["next_proto"]
    return clients13.note(truth, completed, bool(end.get("is_resumed")))
