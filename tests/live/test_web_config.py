#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""--web.config.file: TLS, client certificates and users, asked by curl and by a Prometheus.
What the agent's file says is changed while it runs. The hashes are others' work: Prometheus'
own (of "fakepassword", Go) and a test vector of crypt_blowfish ("U*U")."""
import contextlib
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import net as netlib
import pki
import servers
import tap
from agent import BINARY, PORT, Agent
from clients import H2
from net import Pair
from prometheus import Prometheus

net = Pair()
scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
WEB = os.path.join(scratch.name, "web.yml")
ALICE = ("alice", "fakepassword")
BOB = ("bob", "U*U")
USERS = """
basic_auth_users:
  alice: $2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi
  bob: $2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW
"""
PAGES = ("/", "/metrics", "/-/healthy", "/-/ready")


class WebAgent(Agent):
    """It cannot be asked as usual whether it is ready."""

    def _is_ready(self):
        if self.process.poll() is not None:
            raise AssertionError(f"alpnscope ended, {self.process.returncode}: {self.stderr()}")
        return "ready" in self.stderr()


def write(tls="", rest=""):
    """What holds from the next connection on."""
    with open(WEB + ".new", "w") as f:
        f.write(f"tls_server_config:\n  cert_file: {server[1]}\n  key_file: {server[0]}\n"
                f"{tls}\n{rest}")
    os.rename(WEB + ".new", WEB)


def curl(path="/-/ready", *args, user=None, client=None, ca=None, scheme="https",
         host="127.0.0.1"):
    """(curl's exit status, HTTP status, what came with its headers, seconds)"""
    more = ["-u", ":".join(user)] if user else []
    more += ["--key", client[0], "--cert", client[1]] if client else []
    argv = ["curl", "-si", "--max-time", "10", "--noproxy", "*", "--cacert", ca or pki.CA, *more,
            *args, "-w", "\n%{http_code} %{time_total}", f"{scheme}://{host}:{PORT}{path}"]
    done = subprocess.run(net.host.argv(argv), capture_output=True, text=True, timeout=20,
                          stdin=subprocess.DEVNULL)
    said, _, last = done.stdout.rpartition("\n")
    code, seconds = last.split()
    return done.returncode, int(code), said, float(seconds)


def status(*args, **kwargs):
    """The HTTP status of a request that got through, else None."""
    exit_status, code, _, _ = curl(*args, **kwargs)
    return code if exit_status == 0 else None


def https():
    """HTTPS: every page by TLS 1.3, http/1.1 chosen by ALPN; plain HTTP is refused"""
    write()
    for page in PAGES:
        tap.equal(status(page), 200, page)
    truth = clients.python(net.host, "127.0.0.1", PORT, "localhost", ["h2", "http/1.1"], "1.3")
    tap.equal((truth.completed, truth.negotiated), (True, "http/1.1"), "ALPN")
    exit_status, code, said, _ = curl(scheme="http")
    tap.equal((exit_status != 0, code, said.strip()), (True, 0, ""), "plain HTTP")


def wrong_authority():
    """a client that trusts another authority turns away"""
    exit_status, code, _, _ = curl(ca=other[1])
    tap.equal((exit_status, code), (60, 0), "curl: peer certificate cannot be authenticated")


def versions():
    """min_version and max_version hold, and TLS 1.1 is refused if nothing is said"""
    def speaks(version):
        return status("/-/ready", "--tlsv" + version, "--tls-max", version, "--ciphers",
                      "DEFAULT@SECLEVEL=0") == 200
    for tls, want in (("", ["1.2", "1.3"]), ("  min_version: TLS13", ["1.3"]),
                      ("  max_version: TLS12", ["1.2"]),
                      ("  min_version: TLS11\n  max_version: TLS12", ["1.1", "1.2"])):
        write(tls)
        tap.equal([v for v in ("1.0", "1.1", "1.2", "1.3") if speaks(v)], want, tls)


def terms():
    """cipher_suites and curve_preferences hold"""
    write("  cipher_suites: [TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384]\n"
          "  curve_preferences: [CurveP384]")
    for args, want in ((["--ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"], 200),
                       (["--ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256"], None),
                       # the key of the certificate is P-256's
                       (["--curves", "P-256"], None), (["--curves", "X25519:P-256"], None),
                       (["--curves", "P-256:P-384"], 200)):
        tap.equal(status("/-/ready", "--tls-max", "1.2", *args), want, str(args))
    tap.equal(status("/-/ready", "--tls13-ciphers", "TLS_AES_128_GCM_SHA256", "--tlsv1.3"), None,
              "TLS 1.3 takes the ciphers of the list")
    tap.equal(status("/-/ready", "--tls13-ciphers", "TLS_AES_256_GCM_SHA384", "--tlsv1.3"), 200)


def client_certificates():
    """each client_auth_type: without a certificate, with a stranger's, a server's, an expired
    one, and the right one, by TLS 1.2 and 1.3"""
    named = {"none": None, "stranger": stranger, "server only": purpose, "expired": expired,
             "right": client}
    for policy, ca, want in (
            ("RequireAndVerifyClientCert", True, ["right"]),
            ("VerifyClientCertIfGiven", True, ["none", "right"]),
            ("RequireAnyClientCert", False, ["stranger", "server only", "expired", "right"]),
            ("RequestClientCert", False, list(named)), ("NoClientCert", False, list(named))):
        write(f"  client_auth_type: {policy}\n" + (f"  client_ca_file: {pki.CA}" if ca else ""))
        for version in ("1.2", "1.3"):
            got = [n for n, c in named.items()
                   if status("/metrics", "--tls-max", version, client=c) == 200]
            tap.equal(got, want, f"{policy}, TLS {version}")


def names():
    """client_allowed_sans: a name, an address, a URI or mail; no other, and no part of one"""
    for allowed, want in (("prometheus.example.test", 200), ("192.0.2.9", 200),
                          ("spiffe://example.test/prometheus", 200), ("p@example.test", 200),
                          ("example.test", None), ("*.example.test", None), ("client", None)):
        write(f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {pki.CA}\n"
              f"  client_allowed_sans: [other.test, '{allowed}']")
        tap.equal(status(client=client), want, allowed)


def passwords():
    """every page needs a user and the password: none, wrong, right, unknown"""
    write(rest=USERS)
    for page in (*PAGES, "/nowhere"):
        for user in (None, ("alice", "U*U"), ("alice", ""), ("carol", "fakepassword"),
                     ("carol", "x")):
            exit_status, code, said, _ = curl(page, user=user)
            tap.equal((exit_status, code), (0, 401), f"{page} {user}")
            tap.equal('WWW-Authenticate: Basic realm="' in said, True, said)
            tap.equal(said.partition("\n\n")[2], "401: give a user and the right password\n",
                      "and nothing else")
        for user in (ALICE, BOB):
            tap.equal(status(page, user=user), 404 if page == "/nowhere" else 200, page)
    tap.equal(status("/metrics", "-H", "Authorization: Basic !!!"), 401, "no base64")
    tap.equal(status("/metrics", "-H", "Authorization: Bearer x"), 401, "another scheme")


def no_telling():
    """an unknown user takes as long as a known one; who was right once is let in at once"""
    def seconds(*user):
        return statistics.median(curl(user=user)[3] for _ in range(7))
    known, unknown, right = seconds("alice", "x"), seconds("carol", "x"), seconds(*ALICE)
    tap.show(f"answer to alice with a wrong password {known * 1000:.0f} ms, to an unknown user "
             f"{unknown * 1000:.0f} ms, to alice {right * 1000:.0f} ms")
    assert 0.5 < unknown / known < 2, (known, unknown)
    assert right < known / 2, (right, known)


def told(until):
    """Seconds from the end of a handshake to its event, and those that a scrape of who is known
    takes, again and again."""
    late, scrapes = [], []
    while time.monotonic() < until:
        agent.mark()
        truth = clients.python(net.client, net.V4, 8443, clients.name(), H2, "1.2")
        since = time.monotonic()
        tap.equal(truth.negotiated, "h2", "the client's own word")
        tap.wait_for(agent.since, "the event", 5)
        late.append(time.monotonic() - since)
        code, _, took = curl("/metrics", user=ALICE)[1:]
        tap.equal(code, 200, "a scrape")
        scrapes.append(took)
    return late, scrapes


def flood():
    """wrong passwords in a loop: handshakes are told of as they are, who is known is let in"""
    write(rest=USERS)
    tap.equal(status(user=ALICE), 200)
    codes = []

    def guess(until):
        while time.monotonic() < until:
            codes.append(status(user=("alice", "wrong")))
    with servers.Nginx(net.host, 8443, H2):
        calm, _ = told(time.monotonic() + 3)
        end = time.monotonic() + 6
        guessers = [threading.Thread(target=guess, args=(end,)) for _ in range(8)]
        for t in guessers:
            t.start()
        late, scrapes = told(end - 1)
    for t in guessers:
        t.join()
    def ms(values):
        return f"{statistics.median(values) * 1000:.0f} ms (at most {max(values) * 1000:.0f})"
    tap.show(f"{len(codes)} wrong passwords in 6 s, {len(late)} handshakes meanwhile: told "
             f"{ms(late)} after their end, before {ms(calm)}; scrapes took {ms(scrapes)}")
    tap.equal(set(codes), {401}, "wrong passwords")
    assert len(codes) > 20 and len(late) > 5, (len(codes), len(late))
    assert max(late) < 1 and max(scrapes) < 2, (late, scrapes)


def headers():
    """headers are on every answer, 401 and 404 too"""
    write(rest=USERS + """
http_server_config:
  http2: false
  headers:
    Strict-Transport-Security: max-age=60
    X-Frame-Options: deny
    X-Content-Type-Options: nosniff
    Content-Security-Policy: "default-src 'none'"
""")
    for page, user in (("/metrics", None), ("/metrics", ALICE), ("/nowhere", ALICE)):
        said = curl(page, user=user)[2]
        for line in ("Strict-Transport-Security: max-age=60", "X-Frame-Options: deny",
                     "X-Content-Type-Options: nosniff",
                     "Content-Security-Policy: default-src 'none'"):
            tap.equal(said.splitlines().count(line), 1, f"{line} in {said}")


def renewed():
    """a renewed certificate is served from the next connection on; a broken file changes
    nothing, is said once, and SIGHUP does no harm"""
    def serial():
        said = netlib.sh(*net.host.argv(["sh", "-c", "openssl s_client -connect 127.0.0.1:"
                                         f"{PORT} </dev/null | openssl x509 -noout -serial"]))
        return said.strip()
    write()
    before = serial()
    for kind in (0, 1):  # key and certificate, one after the other: a moment they do not match
        os.rename(renewal[kind], server[kind])
        tap.equal(status(), 200, "while it is renewed")
    after = serial()
    tap.equal(after != before and after, netlib.sh("openssl", "x509", "-noout", "-serial", "-in",
                                                   server[1]).strip(), "the serial number")
    with open(WEB, "a") as f:
        f.write("basic_auth_users: {alice: plain}\n")
    agent.process.send_signal(signal.SIGHUP)
    for _ in range(3):
        tap.equal(status(), 200, "what was right goes on to hold")
    tap.equal(agent.stderr().count("this is not taken as a hash"), 1, agent.stderr())
    write()


def prometheus():
    """Prometheus scrapes by TLS with a client certificate and a password"""
    write(f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {pki.CA}", USERS)
    scrape = f"""
scheme: https
basic_auth: {{ username: {ALICE[0]}, password: {ALICE[1]} }}
tls_config: {{ ca_file: {pki.CA}, key_file: {client[0]}, cert_file: {client[1]} }}"""
    with Prometheus(net.host, scrape=scrape) as server_:
        tap.wait_for(lambda: server_.value("alpnscope_build_info") == 1, "a scrape", 15)
        tap.equal(server_.target()["lastError"], "", "the scrape's error")
    with Prometheus(net.host, scrape=scrape.replace(ALICE[1], "wrong")) as server_:
        tap.wait_for(lambda: [t for t in server_.ask("targets")["activeTargets"]
                              if "401 Unauthorized" in t["lastError"]], "a scrape to fail", 15)


def call(*args):
    done = subprocess.run(net.host.argv([BINARY, *args]), capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=20)
    return done.returncode, done.stdout, done.stderr


def checked():
    """check-config tells what it says or where it is wrong; run does not start with a wrong one"""
    write(f"  client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {pki.CA}", USERS)
    tap.equal(call("check-config", "--web.config.file", WEB), (0, f"""{WEB}: right
HTTPS by TLS 1.2 to 1.3; clients need a certificate, which is verified
a password is asked; users: alice, bob
""", ""))
    tap.equal(call("check-config")[0], 2, "nothing to check")
    bad = WEB + ".bad"
    with open(bad, "w") as f:
        f.write("tls_server_config:\n  cert_file: none.pem\n  key_fil: x\n")
    code, _, said = call("check-config", "--web.config.file", bad)
    tap.equal((code, f"{bad}:3:3: unknown key 'key_fil' of tls_server_config; did you mean "
               "'key_file'?\n" in said, f"{bad}:2:14: {scratch.name}/none.pem: No such file or "
               "directory; name a PEM file" in said), (1, True, True), said)
    code, _, said = call("run", "--web.config.file", bad, "--socket", WEB + ".sock", "-i", "eth0",
                         "--web.listen-address", "127.0.0.1:10036")
    tap.equal((code, f"alpnscope: {bad}:2:14: " in said), (1, True), said)


def warned():
    """what other hosts can do is said, unless they need to show who they are by TLS"""
    verified = f"client_auth_type: RequireAndVerifyClientCert\n  client_ca_file: {pki.CA}"
    for tls, rest, want in ((None, "", "in plain HTTP;"),
                            (None, USERS, "with passwords in plain HTTP;"),
                            ("", "", "by whoever can connect;"), ("", USERS, None),
                            ("  " + verified, "", None)):
        write(tls or "", rest)
        if tls is None:
            with open(WEB, "w") as f:
                f.write(rest)
        with WebAgent(net.host, "--web.listen-address", f"{net.V4}:{PORT}", "--web.config.file",
                      WEB, interface="eth0") as remote:
            said = [line for line in remote.stderr().splitlines() if "reachable" in line]
            tap.equal(len(said), 0 if want is None else 1, str(said))
            tap.equal(want is None or want in said[0], True, str(said))
            if tls is None:
                tap.equal(status(scheme="http", host=net.V4, user=ALICE), 200, "plain HTTP")
                tap.equal(status(scheme="http", host=net.V4), 401 if rest else 200, "nobody")
            remote.stop()


with contextlib.ExitStack() as stack:
    stack.callback(scratch.cleanup)
    SAN = "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:" + net.V4
    server, renewal = (pki.issue(scratch.name, name, SAN) for name in ("server", "renewal"))
    other = pki.authority(scratch.name, "other")
    client = pki.issue(scratch.name, "client", "extendedKeyUsage=clientAuth",
                       "subjectAltName=DNS:prometheus.example.test,IP:192.0.2.9,"
                       "URI:spiffe://example.test/prometheus,email:p@example.test")
    stranger = pki.issue(scratch.name, "stranger", ca=other)
    purpose = pki.issue(scratch.name, "purpose", "extendedKeyUsage=serverAuth")
    expired = pki.expired(scratch.name, "expired")
    write()
    agent = stack.enter_context(WebAgent(net.host, "--web.config.file", WEB, interface="eth0"))
    tap.run([https, wrong_authority, versions, terms, client_certificates, names, passwords,
             no_telling, flood, headers, renewed, prometheus,
             tap.named("SIGTERM: exit 0, nothing left behind", agent.stop), checked, warned],
            agent.diagnosis)
