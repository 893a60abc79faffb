# SPDX-License-Identifier: GPL-2.0-only
"""Real TLS clients. Each call is one handshake and returns what the client says of it.

    client(namespace, address, port, sni, offer, version) -> Truth

`offer` is a list of ALPN IDs or None for no extension; not every program can offer every list:
`CLIENTS` names what each can. `sni` is unique in a test, so that an event can be told apart
where the program does not report its port.
"""
import dataclasses
import itertools
import json
import re
import socket
import ssl
import subprocess

import pki
import programs

H2 = ["h2", "http/1.1"]
H1 = ["http/1.1"]
TIMEOUT = 20
# Outside the range the kernel picks from: for programs that are told their port.
_ports = itertools.count(20000)
_names = itertools.count(1)


@dataclasses.dataclass
class Truth:
    """One handshake as its client saw it. None: no such thing, or not reported (port)."""

    client: str
    offered: list
    sni: str
    negotiated: str = None
    version: str = None
    port: int = None
    refused: bool = False  # alert no_application_protocol
    completed: bool = False
    count: int = 1
    output: str = dataclasses.field(default="", repr=False)


def name():
    """A server name that nobody else uses."""
    return f"n{next(_names)}.{pki.DOMAIN}"


def host(address):
    return f"[{address}]" if ":" in address else address


def _run(namespace, program, *args, say=""):
    done = subprocess.run(namespace.argv([programs.find(program), *args]), timeout=TIMEOUT,
                          env=programs.env(program), input=say,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors="replace")
    return done.stdout


def _first(pattern, text):
    match = re.search(pattern, text, re.M)
    return match.group(1) if match else None


def curl(namespace, address, port, sni, offer, version):
    how = {None: ["--no-alpn", "--http1.1"], "http/1.1": ["--http1.1"], "h2": ["--http2"]}
    out = _run(namespace, "curl", "-sv", "--max-time", "5",
               *how[offer and offer[0]], "--cacert", pki.CA,
                       "--tls-max", version, "--tlsv" + version, "--noproxy", "*",
                       "--resolve", f"{sni}:{port}:{host(address)}", "-o", "/dev/null",
                       "-w", "LOCAL %{local_port} HTTP %{http_version}\n",
                       f"https://{sni}:{port}/")
    truth = Truth("curl", offer, sni, output=out)
    truth.port = int(_first(r"LOCAL (\d+)", out) or 0) or None
    truth.version = _first(r"SSL connection using TLSv([\d.]+)", out)
    truth.negotiated = _first(r"ALPN: server accepted (\S+)", out)
    truth.completed = truth.version is not None
    truth.refused = "no application protocol" in out
    said = _first(r"ALPN: offers (\S+)", out)
    if (said.split(",") if said else None) != offer:
        raise AssertionError(f"curl offered {said!r}, not {offer}")
    return truth


def s_client(namespace, address, port, sni, offer, version, extra=(), say="", program="openssl"):
    """version: None is all that it knows. say: what it sends once connected."""
    local = next(_ports)
    source = socket_source(namespace, address, port)
    alpn = ["-alpn", ",".join(offer)] if offer else []
    name_ = ["-servername", sni] if sni else ["-noservername"]
    only = ["-tls" + version.replace(".", "_")] if version else []
    out = _run(namespace, program, "s_client", "-connect", f"{host(address)}:{port}",
                  "-bind", f"{host(source)}:{local}", "-CAfile", pki.CA, *alpn, *name_, "-msg",
                  *only, *extra, say=say)
    truth = Truth("s_client", offer, sni, output=out, port=local)
    truth.completed = "\nServer certificate\n" in out
    truth.negotiated = _first(r"^ALPN protocol: (\S+)", out)
    if truth.completed:
        truth.version = _first(r"^ +Protocol +: TLSv([\d.]+)", out) or "1.3"
    truth.refused = "tlsv1 alert no application protocol" in out
    return truth


def gnutls_cli(namespace, address, port, sni, offer, version):
    out = _run(namespace, "gnutls-cli", "--x509cafile", pki.CA, "--sni-hostname", sni,
                  "--verify-hostname", sni, "--priority", f"NORMAL:-VERS-ALL:+VERS-TLS{version}",
                  *[f"--alpn={p}" for p in offer or []], "-p", str(port), address)
    truth = Truth("gnutls-cli", offer, sni, output=out)
    truth.completed = "Handshake was completed" in out
    truth.version = _first(r"Description: \(TLS([\d.]+)", out)
    truth.negotiated = _first(r"Application protocol: (\S+)", out)
    truth.refused = "Received alert [120]" in out
    return truth


def nghttp(namespace, address, port, sni, offer, version):
    """It offers h2, h2-16, h2-14 and every version; the server must settle that."""
    out = _run(namespace, "nghttp", "-v", "-n", "--no-verify-peer", "-H",
                  f":authority: {sni}", f"https://{host(address)}:{port}/")
    truth = Truth("nghttp", offer, sni, output=out)
    truth.negotiated = _first(r"The negotiated protocol: (\S+)", out)
    truth.completed = truth.negotiated is not None
    truth.version = version if truth.completed else None
    return truth


def h2load(namespace, address, port, sni, offer, version, count=1):
    """`count` handshakes of the same kind."""
    out = _run(namespace, "h2load", f"-n{count}", f"-c{count}", "--npn-list=" + ",".join(offer),
                  f"--connect-to={host(address)}:{port}", f"https://{sni}:{port}/")
    truth = Truth("h2load", offer, sni, count=count, output=out)
    truth.negotiated = _first(r"Application protocol: (\S+)", out)
    truth.version = _first(r"TLS Protocol: TLSv([\d.]+)", out)
    truth.completed = truth.version is not None
    return truth


_NODE = """
const fs = require("fs"), http2 = require("http2"), tls = require("tls");
const options = %s;
options.ca = fs.readFileSync(options.ca);
const socket = tls.connect(options);
let port = null, version = null;
function say(error) {
	console.log(JSON.stringify({ port, version, alpn: socket.alpnProtocol || null, error }));
	process.exit(0);
}
socket.on("connect", () => { port = socket.localPort; });
socket.on("error", (e) => say(e.code));
socket.on("secureConnect", () => {
	version = socket.getProtocol();
	if (socket.alpnProtocol !== "h2")
		return say();
	// The handshake is what counts: a server that then does not speak HTTP/2 is no failure.
	const session = http2.connect("https://" + options.servername, { createConnection: () => socket });
	for (const end of ["remoteSettings", "error", "close"])
		session.on(end, () => say());
	setTimeout(say, 1000);
});
"""


def node(namespace, address, port, sni, offer, version):
    """http2.connect, over a socket whose ALPN list we tell."""
    options = {"host": address, "port": port, "servername": sni, "ca": pki.CA,
               "minVersion": "TLSv" + version, "maxVersion": "TLSv" + version}
    if offer:
        options["ALPNProtocols"] = offer
    out = _run(namespace, "node", "-e", _NODE % json.dumps(options))
    said = json.loads(out.splitlines()[-1])
    truth = Truth("node", offer, sni, output=out, port=said["port"])
    truth.completed = said["version"] is not None
    truth.version = said["version"] and said["version"].removeprefix("TLSv")
    truth.negotiated = said["alpn"]
    truth.refused = said.get("error") == "ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL"
    return truth


def python(namespace, address, port, sni, offer, version, context=None):
    """Python's ssl, in this process."""
    context = context or python_context(offer, version)
    truth = Truth("python", offer, sni)
    with namespace.enter():
        raw = socket.create_connection((address, port), timeout=TIMEOUT)
    with raw:
        truth.port = raw.getsockname()[1]
        try:
            with context.wrap_socket(raw, server_hostname=sni) as tls:
                truth.completed = True
                truth.version = tls.version().removeprefix("TLSv")
                truth.negotiated = tls.selected_alpn_protocol()
        except OSError as e:
            truth.output = str(e)
            truth.refused = "alert no application protocol" in str(e)
    return truth


def python_context(offer, version):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pki.CA)
    context.check_hostname = False
    context.minimum_version = context.maximum_version = getattr(
        ssl.TLSVersion, "TLSv" + version.replace(".", "_"))
    if offer:
        context.set_alpn_protocols(offer)
    return context


def socket_source(namespace, address, port):
    """The local address from which address is reached."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with namespace.enter(), socket.socket(family, socket.SOCK_DGRAM) as s:
        s.connect((address, port))
        return s.getsockname()[0]


def extension_lists(log):
    """The ALPN lists of the ClientHellos in the log of `openssl s_server -tlsextdebug`."""
    lists = []
    for dump in re.findall(r"client extension .* \(id=16\), len=\d+\n((?:[0-9a-f]{4} - .*\n)+)",
                           log):
        data = bytes.fromhex("".join(re.sub(r"[^0-9a-f]", "", line[7:54])
                                     for line in dump.splitlines()))[2:]
        names = []
        while data:
            names.append(data[1:1 + data[0]].decode())
            data = data[1 + data[0]:]
        lists.append(names)
    return lists


NGHTTP = ["h2", "h2-16", "h2-14"]
CLIENTS = {
    curl: [H2, H1, None],
    s_client: [H2, H1, None, ["h2"], ["foo"]],
    gnutls_cli: [H2, H1, None, ["h2"], ["foo"]],
    nghttp: [NGHTTP],
    h2load: [H2, H1],
    node: [H2, H1, None, ["h2"]],
    python: [H2, H1, None, ["foo"]],
}
