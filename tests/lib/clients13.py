# SPDX-License-Identifier: GPL-2.0-only
"""Clients for the grid of TLS 1.3: each call is a fresh handshake and, where the program can keep a
session, a resumed one.

    client(namespace, address, port, sni, offer) -> [Truth, ...] in the order of the handshakes

As in clients.py, with `resumed` by the client's word in each Truth.
"""
import json
import os
import re
import tempfile

import clients
import pki
from clients import H1, H2, NGHTTP


def note(truth, completed, resumed=False):
    """Complete a Truth of TLS 1.3 with what the client said."""
    truth.completed, truth.resumed = completed, resumed
    truth.version = "1.3" if completed else None
    return truth


def curl(namespace, address, port, sni, offer):
    """Two requests of one process. A local port of its own makes each a connection of its own."""
    how = {None: ["--no-alpn", "--http1.1"], "http/1.1": ["--http1.1"], "h2": ["--http2"]}
    ports = [next(clients._ports) for _ in range(2)]
    each = [["-sv", "--max-time", "5", *how[offer and offer[0]], "--cacert", pki.CA, "--tlsv1.3",
             "--noproxy", "*", "--resolve", f"{sni}:{port}:{clients.host(address)}",
             "--local-port", str(local), "-o", "/dev/null", f"https://{sni}:{port}/"]
            for local in ports]
    out = clients._run(namespace, "curl", *each[0], "--next", *each[1])
    parts = re.split(r"^\*   Trying ", out, flags=re.M)[1:]
    return [_curl_said(*said, sni, offer) for said in zip(parts, ports)]


def _curl_said(text, port, sni, offer):
    truth = clients.Truth("curl", offer, sni, output=text, port=port)
    truth.negotiated = clients._first(r"ALPN: server accepted (\S+)", text)
    # A resumed handshake is one without a certificate (RFC 8446 section 2.2).
    return note(truth, "SSL connection using TLSv1.3" in text,
                resumed="(IN), TLS handshake, Certificate (11)" not in text)


def s_client(namespace, address, port, sni, offer):
    with tempfile.TemporaryDirectory(prefix="alpnscope-") as scratch:
        session = os.path.join(scratch, "session")
        truths = []
        for option in ("-sess_out", "-sess_in"):
            # A ticket comes after the handshake: stay for an answer. It is long enough for a server
            # of HTTP/2 to see that it is no preface, and to close.
            truth = clients.s_client(namespace, address, port, sni, offer, "1.3",
                                     extra=[option, session, "-ign_eof"],
                                     say=f"GET / HTTP/1.0\r\nHost: {sni}\r\n\r\n")
            resumed = "\nReused, TLSv1.3" in truth.output  # then there is no certificate
            truths.append(note(truth, resumed or truth.completed, resumed))
            if not os.path.exists(session):  # nothing to resume with
                break
        return truths


def gnutls_cli(namespace, address, port, sni, offer):
    out = clients._run(namespace, "gnutls-cli", "--x509cafile", pki.CA, "--sni-hostname", sni,
                       "--verify-hostname", sni, "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3",
                       "--resume", "--waitresumption", *[f"--alpn={p}" for p in offer or []],
                       "-p", str(port), address)
    truths = []
    for text in out.split("\nConnecting to ")[1:]:
        truth = clients.Truth("gnutls-cli", offer, sni, output=text)
        truth.negotiated = clients._first(r"Application protocol: (\S+)", text)
        truth.refused = "Received alert [120]" in text
        truths.append(note(truth, "Handshake was completed" in text,
                           resumed="*** This is a resumed session" in text))
    return truths


def node(namespace, address, port, sni, offer):
    """Two connections of one process (tests/lib/twice.js)."""
    options = {"host": address, "port": port, "servername": sni, "ca": pki.CA,
               "minVersion": "TLSv1.3"}
    if offer:
        options["ALPNProtocols"] = offer
    script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "twice.js")
    out = clients._run(namespace, "node", script, json.dumps(options))
    truths = []
    for said in map(json.loads, out.splitlines()):
        truth = clients.Truth("node", offer, sni, output=out, port=said["port"])
        truth.negotiated = said["alpn"]
        truth.refused = said["error"] == "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL"
        truths.append(note(truth, said["error"] is None, said["resumed"]))
    return truths


def nghttp(namespace, address, port, sni, offer):
    """It says that it got no h2, not why the handshake failed."""
    truth = clients.nghttp(namespace, address, port, sni, offer, "1.3")
    return [note(truth, truth.completed or "HTTP/2 protocol was not selected" in truth.output)]


def h2load(namespace, address, port, sni, offer):
    """Without a choice it falls back to what it calls the application protocol. An empty list is no
    ALPN."""
    truth = clients.h2load(namespace, address, port, sni, offer or [""], "1.3")
    truth.offered = offer
    if "No protocol negotiated." in truth.output:
        truth.negotiated = None
    return [note(truth, truth.completed)]


CLIENTS = {
    curl: [H2, H1, None],
    s_client: [H2, H1, None, NGHTTP],
    gnutls_cli: [H2, H1, None],
    node: [H2, H1, None],
    nghttp: [NGHTTP],
    h2load: [H2, H1, None],
}
# Why a program makes no resumed handshake, or no other offer.
NO_SESSION = {nghttp: "it keeps no session", h2load: "it keeps no session"}
NO_OFFER = {"nghttp": "its list of names is built in", "chromium": "it always offers names"}
