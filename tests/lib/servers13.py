# SPDX-License-Identifier: GPL-2.0-only
"""More servers for the grid of TLS 1.3: Java (JSSE), Node.js without ALPN, and those of
Debian 13 (OpenSSL 3.5, Go 1.24). As those of servers.py."""
import json
import os

import pki
import servers
import tap


class Java(servers.Server):
    """An SSLServerSocket (tests/lib/AlpnServer.java); a line of JSON for each handshake."""

    program = "java"

    def args(self):
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "AlpnServer.java")
        # Little memory and no second compiler: it does not live long.
        return ["-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", source,
                str(self.port), pki.CERT, pki.KEY, ",".join(self.alpn or [])]

    def truth(self, client_port):
        """The ALPN name, or None, that it chose for the client's port."""
        def said():
            return [line for line in map(json.loads, self.said().splitlines())
                    if line["port"] == client_port]
        return tap.wait_for(said, f"Java to tell of port {client_port}")[-1]["alpn"]


class Node(servers.Node):
    """Node.js; without h2, its tls module in front of its HTTP/1.1: http2 always adds h2."""

    def args(self):
        if "h2" in (self.alpn or []):
            return super().args()
        options = {"minVersion": "TLSv1.3"}
        if self.alpn:
            options["ALPNProtocols"] = self.alpn
        return [self.file("server.js", f"""
const fs = require("fs"), http = require("http"), tls = require("tls");
const options = {json.dumps(options)};
options.cert = fs.readFileSync({json.dumps(pki.CERT)});
options.key = fs.readFileSync({json.dumps(pki.KEY)});
const web = http.createServer((request, response) => response.end("ok\\n"));
tls.createServer(options, (socket) => {{
	socket.on("error", () => {{}});
	web.emit("connection", socket);
}}).listen({self.port}, "::");
""")]


class NginxTrixie(servers.Nginx):
    program = "nginx-trixie"


class HaproxyTrixie(servers.Haproxy):
    """haproxy 3.0 negotiates h2 and http/1.1 unless told not to."""

    program = "haproxy-trixie"
    no_alpn = " no-alpn"


class ApacheTrixie(servers.Apache):
    program = "apache2-trixie"


class CaddyTrixie(servers.Caddy):
    """The crypto/tls of Go 1.24."""

    program = "caddy-trixie"


# Why a server cannot be without ALPN; the others can.
ALWAYS = {
    servers.Nginx: "it always negotiates, http/1.1 at least",
    servers.Apache: "it always negotiates, http/1.1 at least",
    servers.Caddy: "an empty list of names is its default, h2 and http/1.1",
}


def always(kind):
    """The reason why a class of servers cannot be without ALPN, or None."""
    return next((why for base, why in ALWAYS.items() if issubclass(kind, base)), None)
