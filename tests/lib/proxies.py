# SPDX-License-Identifier: GPL-2.0-only
"""Servers that ask another one by TLS, as servers.py has them: `backend` is (address, port)."""
import json

import clients
import net
import pki
import servers


class Haproxy(servers.Haproxy):
    """`upstream`: the ALPN that it offers to its backend. Each request is a connection there."""

    def __init__(self, *args, backend, upstream, **kwargs):
        self.backend, self.upstream = backend, upstream
        super().__init__(*args, **kwargs)

    def args(self):
        address, port = self.backend
        conf = self.file("haproxy.cfg", f"""
global
	log stdout format raw local0
	ssl-default-bind-options ssl-min-ver TLSv{self.versions[0]} ssl-max-ver TLSv{self.versions[-1]}
	ssl-default-server-options ssl-min-ver TLSv{self.versions[0]} ssl-max-ver TLSv{self.versions[-1]}
defaults
	mode http
	timeout client 10s
	timeout server 10s
	timeout connect 5s
	http-reuse never
frontend f
	bind [::]:{self.port} v4v6 ssl crt {pki.BOTH} alpn {','.join(self.alpn)}
	log global
	log-format "truth %cp %[ssl_fc_alpn] %[ssl_fc_protocol] %[ssl_fc_sni]"
	default_backend b
backend b
	server s {clients.host(address)}:{port} ssl verify none alpn {','.join(self.upstream)}
""")
        return ["-db", "-f", conf]


class Nginx(servers.Nginx):
    """Each request is a connection to the backend. It has no ALPN for that before 1.29.4."""

    def __init__(self, *args, backend, **kwargs):
        self.backend = backend
        super().__init__(*args, **kwargs)

    @property
    def answer(self):
        address, port = self.backend
        return f"""proxy_ssl_protocols {' '.join('TLSv' + v for v in self.versions)};
		location / {{ proxy_pass https://{clients.host(address)}:{port}; }}"""


def said_by_haproxy(server):
    """[ALPN] of the requests that it logged, one for each connection if its clients make one."""
    return [line.split()[2] for line in server.said().splitlines() if line.startswith("truth ")]


def said_by_nginx(server):
    """[ALPN] of its connections, by its access log."""
    log = net.read(f"{server.dir}/access").splitlines()
    return list(dict(line.split(" ")[:2] for line in log).values())


def said_by_node(server):
    """[ALPN or None] of its connections."""
    return [json.loads(line)["alpn"] for line in server.said().splitlines() if line[0] == "{"]
