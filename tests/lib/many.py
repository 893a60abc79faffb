# SPDX-License-Identifier: GPL-2.0-only
"""Real TLS 1.3 clients that make several handshakes a call and resume where they can.

    client(namespace, address, port, sni) -> [Said, ...]

Each offers h2, then http/1.1, asks for a page and stays for the answer. What is returned is what
the program says of each of its handshakes. sni: None is no server name.
"""
import dataclasses
import json
import os
import re
import subprocess
import tempfile

import clients
import programs
from clients import H2

COUNT = 3  # handshakes of a program that can make any number
REQUEST = "GET / HTTP/1.0\r\n\r\n"


@dataclasses.dataclass(frozen=True)
class Said:
    """One handshake by its client's word."""

    alpn: str  # None: the server chose none
    resumed: bool


def _need(condition, what, output):
    if not condition:
        raise AssertionError(f"{what}:\n{output}")


def curl(namespace, address, port, sni):
    host = sni or clients.host(address)
    urls = [arg for _ in range(COUNT) for arg in ("-o", "/dev/null", f"https://{host}:{port}/")]
    resolve = ["--resolve", f"{sni}:{port}:{clients.host(address)}"] if sni else []
    out = clients._run(namespace, "curl", "-skv", "--http2", "--tlsv1.3", "--noproxy", "*",
                       "--max-time", "5", "-H", "Connection: close", *resolve, *urls)
    _need(out.count("ALPN: offers h2,http/1.1") == COUNT, "curl's offers", out)
    found = []
    for part in out.split("* ALPN: offers ")[1:]:
        said = re.search(r"ALPN: server (accepted (\S+)|did not agree on a protocol)", part)
        _need(said and "SSL connection using TLSv1.3" in part, "curl's handshake", out)
        # "re-using session ID" is what it tries: without a certificate it succeeded.
        found.append(Said(said.group(2), "TLS handshake, Certificate (11)" not in part))
    return found


def s_client(namespace, address, port, sni, extra=(), program="openssl"):
    """The session of the first handshake is used in the second."""
    name = ["-servername", sni] if sni else ["-noservername"]
    found = []
    with tempfile.TemporaryDirectory(prefix="alpnscope-") as scratch:
        session = os.path.join(scratch, "session")
        for option in ("-sess_out", "-sess_in"):
            # A server may have given no session.
            use = [option, session] if option == "-sess_out" or os.path.exists(session) else []
            # A ticket comes after the handshake: stay for an answer.
            out = clients._run(namespace, program, "s_client", "-connect",
                               f"{clients.host(address)}:{port}", "-tls1_3", "-alpn",
                               ",".join(H2), *name, *use, *extra, "-ign_eof", say=REQUEST)
            said = re.search(r"^(?:ALPN protocol: (\S+)|No ALPN negotiated)", out, re.M)
            kind = re.search(r"^(New|Reused), TLSv1\.3", out, re.M)
            _need(said and kind, "s_client's handshake", out)
            found.append(Said(said.group(1), kind.group(1) == "Reused"))
    return found


def s_client_p256(namespace, address, port, sni):
    """Its group is the first choice of no server here."""
    return s_client(namespace, address, port, sni, extra=["-groups", "P-256"])


def s_client_35(namespace, address, port, sni):
    """OpenSSL 3.5, which sends a post-quantum key share."""
    return s_client(namespace, address, port, sni, program="openssl-3.5")


def h2load(namespace, address, port, sni):
    """It resumes none, tells the first choice, and for each that there was none; then it speaks
    HTTP/1.1 and names that as its application protocol."""
    to = [f"--connect-to={clients.host(address)}:{port}"] if sni else []
    out = clients._run(namespace, "h2load", f"-n{COUNT}", f"-c{COUNT}",
                       "--npn-list=" + ",".join(H2), *to,
                       f"https://{sni or clients.host(address)}:{port}/")
    said = re.search(r"^Application protocol: (\S+)", out, re.M)
    none = out.count("No protocol negotiated")
    _need("TLS Protocol: TLSv1.3" in out and said and none in (0, COUNT), "its handshakes", out)
    return [Said(None if none else said.group(1), False)] * COUNT


def gnutls_cli(namespace, address, port, sni):
    """A full handshake, which is closed once the ticket is there, and a resumed one."""
    name = ["--sni-hostname", sni] if sni else []
    out = clients._run(namespace, "gnutls-cli", "--insecure", "--resume", "--waitresumption",
                       *name, "--priority", "NORMAL:-VERS-ALL:+VERS-TLS1.3",
                       *[f"--alpn={p}" for p in H2], "-p", str(port), address, say=REQUEST)
    parts = out.split("- Connecting again")
    _need(len(parts) == 2, "gnutls-cli's handshakes", out)
    found = []
    for part in parts:
        _need("Handshake was completed" in part and "(TLS1.3" in part, "a handshake", out)
        said = re.search(r"^- Application protocol: (\S+)", part, re.M)
        found.append(Said(said and said.group(1), "This is a resumed session" in part))
    return found


_NODE = """
const tls = require("tls"), options = %s, said = [];
let session;
function next() {
	if (said.length == options.count)
		return console.log(JSON.stringify(said));
	const socket = tls.connect({ ...options, session });
	socket.on("session", (s) => { session = s; });
	socket.on("secureConnect", () => {
		said.push({ alpn: socket.alpnProtocol || null, resumed: socket.isSessionReused(),
			version: socket.getProtocol() });
		socket.write(options.request);
	});
	socket.on("data", () => {});
	socket.on("error", (e) => { console.error(e); process.exit(1); });
	socket.on("close", next);
}
next();
"""


def node(namespace, address, port, sni):
    options = {"host": address, "port": port, "servername": sni or "", "request": REQUEST,
               "rejectUnauthorized": False, "minVersion": "TLSv1.3", "ALPNProtocols": H2,
               "count": COUNT}
    out = clients._run(namespace, "node", "-e", _NODE % json.dumps(options))
    last = (out.splitlines() or [""])[-1]
    _need(last.startswith("["), "node's handshakes", out)
    found = json.loads(last)
    _need({s["version"] for s in found} == {"TLSv1.3"}, "node's versions", out)
    return [Said(s["alpn"], s["resumed"]) for s in found]


def python(namespace, address, port, sni):
    """Python's ssl, in this process."""
    context, session, found = clients.python_context(H2, "1.3"), None, []
    context.check_hostname = False
    for _ in range(COUNT):
        with namespace.enter():
            raw = clients.socket.create_connection((address, port), timeout=clients.TIMEOUT)
        with raw, context.wrap_socket(raw, server_hostname=sni, session=session) as tls:
            tls.sendall(REQUEST.encode())
            while _received(tls):
                pass
            session = tls.session
            found.append(Said(tls.selected_alpn_protocol(), tls.session_reused))
    return found


def _received(tls):
    try:
        return tls.recv(4096)
    except OSError:  # some servers close without saying so
        return b""


def late_body(namespace, address, port):
    """gnutls-cli posts 9 bytes, once the server has said 100 Continue: records as long as an
    opening of HTTP/2. Its one handshake."""
    client = namespace.spawn(
        ["timeout", str(clients.TIMEOUT), programs.find("gnutls-cli"), "--insecure",
         *[f"--alpn={p}" for p in H2], "-p", str(port), address],
        env=programs.env("gnutls-cli"), stdin=subprocess.PIPE, text=True, bufsize=1,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    out = _until(client, "Simple Client Mode")
    client.stdin.write("POST / HTTP/1.1\r\nHost: late.test\r\nConnection: close\r\n"
                       "Expect: 100-continue\r\nContent-Length: 9\r\n\r\n")
    out += _until(client, "100 Continue")
    client.stdin.write("a=123456\n")
    out += _until(client, "200 OK") + client.communicate(timeout=clients.TIMEOUT)[0]
    said = re.search(r"^- Application protocol: (\S+)", out, re.M)
    _need("(TLS1.3" in out, "gnutls-cli's handshake", out)
    return [Said(said and said.group(1), False)]


def _until(process, text):
    out = ""
    for line in process.stdout:
        out += line
        if text in line:
            return out
    raise AssertionError(f"no {text!r}:\n{out}")


CLIENTS = [curl, s_client, s_client_p256, s_client_35, h2load, node, gnutls_cli, python]
