# SPDX-License-Identifier: GPL-2.0-only
"""Real TLS servers. Each is started in a namespace on a port of its own, is listening when its
class returns, and ends with the with block or close(). `log` holds all that it printed.

`versions` is "1.2", "1.3" or "1.2 1.3"; `alpn` a list, best first; None is no ALPN at all.
"""
import json
import os
import signal
import tempfile

import net
import pki
import programs
import tap


class Server:
    """A program that listens on `port` of `namespace`."""

    program = None

    def __init__(self, namespace, port, alpn=("h2", "http/1.1"), versions="1.2"):
        pki.make()
        self.namespace, self.port = namespace, port
        self.alpn = None if alpn is None else list(alpn)
        self.versions = versions.split()
        self._scratch = tempfile.TemporaryDirectory(
            prefix="alpnscope-", ignore_cleanup_errors=True)
        self.dir = self._scratch.name
        os.chmod(self.dir, 0o755)  # servers drop privileges
        self.log = os.path.join(self.dir, "log")
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = self.namespace.spawn([programs.find(self.program), *self.args()],
                                                env=self.env(), cwd=self.dir,
                                                stdout=log, stderr=log)
        net.wait_listening(self.namespace, self.port, self.process, self.log)

    def args(self):
        raise NotImplementedError

    def env(self):
        return programs.env(self.program)

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w") as f:
            f.write(text)
        return path

    def said(self):
        return net.read(self.log)

    def close(self):
        net.stop(self.process)
        self._scratch.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Nginx(Server):
    """nginx; without h2 in `alpn` its listener has no `http2`. It always negotiates.

    The access log is `remote_port alpn protocol server_name`; $ssl_alpn_protocol needs
    nginx 1.21.4, as does the alert when no offer fits.
    """

    program = "nginx"
    listen = ""  # more words for the listener
    server = ""  # more lines for the server
    answer = 'return 200 "ok\\n";'

    def args(self):
        http2 = " http2" if "h2" in self.alpn else ""
        protocols = " ".join("TLSv" + v for v in self.versions)
        temp = " ".join(f"{t}_temp_path {self.dir}/{t};" for t in
                        ("client_body", "proxy", "fastcgi", "uwsgi", "scgi"))
        conf = self.file("nginx.conf", f"""
user nobody nogroup; worker_processes 1; daemon off; pid {self.dir}/pid; error_log stderr;
events {{ worker_connections 4096; }}
http {{
	{temp}
	log_format truth '$remote_port $ssl_alpn_protocol $ssl_protocol $ssl_server_name';
	access_log {self.dir}/access truth;
	ssl_certificate {pki.CERT}; ssl_certificate_key {pki.KEY}; ssl_protocols {protocols};
	server {{
		listen [::]:{self.port} ssl{http2} ipv6only=off backlog=1024{self.listen};
		{self.server}
		{self.answer}
	}}
}}
""")
        return ["-p", self.dir, "-c", conf, "-e", "stderr"]

    def reload(self, alpn):
        """nginx -s reload, with or without HTTP/2; the new workers serve alone when it returns."""
        def workers():
            path = f"/proc/{self.process.pid}/task/{self.process.pid}/children"
            return set(net.read(path).split())
        before, self.alpn = workers(), list(alpn)
        self.args()
        self.process.send_signal(signal.SIGHUP)
        tap.wait_for(lambda: workers() and not workers() & before, "nginx to reload")

    def truth(self, client_port):
        """(alpn or None, TLS version, server name or None) of a connection that was logged."""
        def line():
            for text in net.read(os.path.join(self.dir, "access")).splitlines():
                fields = text.split(" ")
                if fields[0] == str(client_port):
                    return fields
        _, alpn, version, name = tap.wait_for(line, f"nginx to log port {client_port}")
        def given(value):
            return None if value in ("", "-") else value
        return given(alpn), version.removeprefix("TLSv"), given(name)


class Haproxy(Server):
    """haproxy; its log is `client_port alpn protocol server_name`."""

    program = "haproxy"
    no_alpn = ""  # the word for it: without one there is none before haproxy 2.8

    def args(self):
        alpn = f" alpn {','.join(self.alpn)}" if self.alpn else self.no_alpn
        conf = self.file("haproxy.cfg", f"""
global
	log stdout format raw local0
	maxconn 500
	ssl-default-bind-options ssl-min-ver TLSv{self.versions[0]} ssl-max-ver TLSv{self.versions[-1]}
defaults
	mode http
	timeout client 10s
	timeout server 10s
	timeout connect 5s
frontend f
	bind [::]:{self.port} v4v6 ssl crt {pki.BOTH}{alpn}
	log global
	log-format "truth %cp %[ssl_fc_alpn] %[ssl_fc_protocol] %[ssl_fc_sni]"
	http-request return status 200 content-type text/plain string ok
""")
        return ["-db", "-f", conf]


class Apache(Server):
    """apache2 with the event MPM; picks http/1.1 when nothing of the offer fits."""

    program = "apache2"

    def args(self):
        modules = programs.apache_modules(self.program)
        load = "\n".join(f"LoadModule {m}_module {modules}/mod_{m}.so" for m in
                         ("mpm_event", "authz_core", "ssl", "http2", "alias"))
        protocols = " ".join("+TLSv" + v for v in self.versions)
        conf = self.file("apache.conf", f"""
{load}
ServerRoot {self.dir}
ServerName example.test
PidFile {self.dir}/pid
DefaultRuntimeDir {self.dir}
Mutex file:{self.dir}
User nobody
Group nogroup
StartServers 1
ErrorLog /dev/stderr
Listen {self.port} https
Protocols {' '.join(self.alpn)}
LogFormat "truth %{{remote}}p %H %{{SSL_PROTOCOL}}x %{{SSL_TLS_SNI}}x" truth
CustomLog {self.dir}/access truth
SSLEngine on
SSLProtocol -all {protocols}
SSLCertificateFile {pki.CERT}
SSLCertificateKeyFile {pki.KEY}
Redirect 410 /
""")
        return ["-DFOREGROUND", "-f", conf]


class SServer(Server):
    """openssl s_server; serves one connection after the other. It does not speak HTTP/2."""

    program = "openssl"

    def __init__(self, *args, extra=(), **kwargs):
        self.extra = extra
        super().__init__(*args, **kwargs)

    def args(self):
        alpn = ["-alpn", ",".join(self.alpn)] if self.alpn else []
        version = ["-tls" + self.versions[0].replace(".", "_")] if len(self.versions) == 1 else []
        return ["s_server", "-accept", str(self.port), "-cert", pki.CERT, "-key", pki.KEY,
                "-www", *alpn, *version, *self.extra]


class GnutlsServ(Server):
    """gnutls-serv; follows the client's order. `fatal`: refuse when nothing fits."""

    program = "gnutls-serv"

    def __init__(self, *args, fatal=False, **kwargs):
        self.fatal = fatal
        super().__init__(*args, **kwargs)

    def args(self):
        versions = "".join(":+VERS-TLS" + v for v in self.versions)
        alpn = [f"--alpn={name}" for name in self.alpn or []]
        return ["--http", "--port", str(self.port), "--x509certfile", pki.CERT, "--x509keyfile",
                pki.KEY, "--disable-client-cert", "--priority", "NORMAL:-VERS-ALL" + versions,
                *alpn, *(["--alpn-fatal"] if self.fatal else [])]


class Node(Server):
    """Node.js http2.createSecureServer with allowHTTP1; a line of JSON for each session."""

    program = "node"

    def args(self):
        options = {"allowHTTP1": True, "minVersion": "TLSv" + self.versions[0],
                   "maxVersion": "TLSv" + self.versions[-1]}
        if self.alpn:
            options["ALPNProtocols"] = self.alpn
        script = self.file("server.js", f"""
const fs = require("fs"), http2 = require("http2");
const options = {json.dumps(options)};
options.cert = fs.readFileSync({json.dumps(pki.CERT)});
options.key = fs.readFileSync({json.dumps(pki.KEY)});
const server = http2.createSecureServer(options, (request, response) => response.end("ok\\n"));
server.on("secureConnection", (s) => console.log(JSON.stringify(
	{{ port: s.remotePort, alpn: s.alpnProtocol || null, version: s.getProtocol() }})));
server.listen({self.port}, "::");
""")
        return [script]


class Python(Server):
    """Python's ssl module, one thread for each connection (tests/lib/pyserver.py)."""

    program = "/usr/bin/python3"

    def args(self):
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "pyserver.py")
        return [script, str(self.port), ",".join(self.alpn or []), *self.versions]


class Nghttpd(Server):
    """nghttpd; h2 is all that it knows."""

    program = "nghttpd"

    def args(self):
        return [str(self.port), pki.KEY, pki.CERT]


class Caddy(Server):
    """Caddy, which is Go's crypto/tls. Without a list of its own it negotiates h2, http/1.1."""

    program = "caddy"

    def args(self):
        http = "h1 h2" if "h2" in self.alpn else "h1"
        conf = self.file("Caddyfile", f"""
{{
	admin off
	auto_https off
	servers {{
		protocols {http}
	}}
}}
https://:{self.port} {{
	tls {pki.CERT} {pki.KEY} {{
		protocols {' '.join('tls' + v for v in self.versions)}
		alpn {' '.join(self.alpn)}
	}}
	respond "ok"
}}
""")
        return ["run", "--config", conf, "--adapter", "caddyfile"]

    def env(self):
        """What it keeps goes where its configuration is."""
        return dict(super().env(), HOME=self.dir, XDG_DATA_HOME=self.dir, XDG_CONFIG_HOME=self.dir)
