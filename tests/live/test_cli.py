#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The command line: bad input is one line and the right exit status; output is for pipes and
people; watch, a second agent, a crashed predecessor."""
import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import clients  # noqa: needs the path above
import net as netlib
import servers
import tap
from agent import BINARY, Agent, http_get
from clients import H2
from net import Pair

net = Pair()
scratch = tempfile.TemporaryDirectory(prefix="alpnscope-")
os.chmod(scratch.name, 0o755)
# A copy that an unprivileged user can reach, wherever the checkout is.
PROGRAM = shutil.copy(BINARY, scratch.name)
NOBODY = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
SOCKET = os.path.join(scratch.name, "none.sock")


def call(*args, prefix=(), stdin=subprocess.DEVNULL):
    """Run alpnscope in the host namespace: (exit status, stdout, stderr)."""
    done = subprocess.run(net.host.argv([*prefix, PROGRAM, *args]), stdin=stdin, text=True,
                          capture_output=True, timeout=20, errors="replace")
    return done.returncode, done.stdout, done.stderr


def complains(status, words, *args, **kwargs):
    """It ends with status, says one line on stderr with all the words, nothing on stdout."""
    got, out, err = call(*args, **kwargs)
    tap.equal(got, status, f"exit status of {args}; stderr: {err}")
    tap.equal(out, "", "stdout")
    tap.equal(len(err.splitlines()), 1, f"lines on stderr: {err}")
    for word in words:
        tap.equal(word.lower() in err.lower(), True, f"{word!r} in {err!r}")


def run_args(*args, listen="127.0.0.1:0"):
    return ["run", "--web.listen-address", listen, "--socket", SOCKET, *args]


def usage(words, *args):
    got, out, err = call(*args)
    tap.equal((got, out), (2, ""), f"exit status and stdout of {args}; stderr: {err}")
    for word in words:
        tap.equal(word in err, True, f"{word!r} in {err!r}")


# What is wrong on the command line, and what the one line on stderr must say of it.
LONG = "x" * 300
USAGE = [
    (["run", "--wrong"], ["--wrong"]),
    (["wrong"], ["wrong"]),
    (["help", "wrong"], ["wrong"]),
    (["read"], ["FILE"]),
    (["read", "a.pcap", "b.pcap"], ["unexpected 'b.pcap': one FILE only; ", "mergecap"]),
    (["run", "a.pcap"], ["unexpected 'a.pcap'; `alpnscope run --help`"]),
    # an option and its value
    (["run", "-i"], ["option -i needs a value"]),
    (["run", "-qi"], ["option -i needs a value"]),
    (["run", "--port"], ["option --port needs a value"]),
    (["run", "--quiet=1"], ["--quiet takes no value"]),
    (["run", "--help=1"], ["--help takes no value"]),
    (["run", "-qx"], ["option -x is unknown"]),
    (["run", "-q", "-v"], ["-q", "-v"]),
    # reports
    (["explain"], ["SERVICE[:PORT] is missing"]),
    (["explain", "nginx", "apache2"], ["unexpected 'apache2'; `alpnscope explain --help`"]),
    (["explain", "x" * 300], ["no service has a name of 300 bytes"]),
    (["services", "nginx"], ["unexpected 'nginx'; `alpnscope services --help`"]),
    (["services", "--role", "proxy"],
     ["services: --role: 'proxy' is not server, client or transit\n"]),
    (["grpc-ready", "--fail-on", "fallback"],
     ["--fail-on: 'fallback' is not a finding to fail on; there is one: not-ready\n"]),
    # expectations
    (["run", "--expect", "99999=h2"], ["--expect: ", "99999"]),
    (["read", "--expect", "4443:h2", "f"], ["--expect: ", "write 4443=h2"]),
    (["run", "--expect", "443=h2", "--expect", "443=http/1.1"],
     ["--expect: ", "443 has an expectation already"]),
    (["run", "--expect", "h2", "--expect", "http/1.1"], ["has an expectation already"]),
    # one style
    (["run", "-o", "bad"], ["alpnscope: run: --output: 'bad' is not columns or json"]),
    (["run", "--hook", "tc"], ["alpnscope: run: --hook: 'tc' is not auto, tcx, clsact or xdp\n"]),
    (["run", "--tap", ""], ["alpnscope: run: --tap: '' is not an interface's name"]),
    (["run", "--port", "0"], ["alpnscope: run: --port: '0' is not a port from 1 to 65535\n"]),
    (["watch", "--outcome", "bad"],
     ["alpnscope: watch: --outcome: 'bad' is not an outcome; there are: negotiated, ignored, "
      "not_offered, rejected, failed, incomplete, undetermined, violation\n"]),
    (["run", "--fail-on", "foo"],
     ["--fail-on: 'foo' is not a finding to fail on; there is one: fallback\n"]),
    (["watch", "--sni", ""], ["alpnscope: watch: --sni: '' is not "]),
    (["watch", "--alpn", LONG], ["alpnscope: watch: --alpn: 'xxx"]),
    (["watch", "--sni", "a", "--sni", "b"], ["--sni: 'b' is a second"]),
    (["watch", "--alpn", "a", "--alpn", "b"], ["--alpn: 'b' is a second"]),
    # values that no kernel and no server could take
    *[([command, "--web.listen-address", bad], [f"--web.listen-address: '{bad}' is not"])
      for bad in ("foo", "10035", "127.0.0.1:99999", "") for command in ("run", "doctor")],
    *[(["run", "--web.telemetry-path", bad], [f"--web.telemetry-path: '{bad}' is not"])
      for bad in ("/a b", "", "metrics", "/m?x", "/", "/-/ready", "/-/healthy")],
    *[([command, "--socket", bad], ["--socket: '"])
      for bad in ("", "/" + "x" * 107, LONG) for command in ("run", "watch", "doctor")],
    *[(["run", "-i", bad], ["--interface: '"]) for bad in ("", "x" * 16)],
]


def usages():
    """a usage error: exit 2, one line that names the option, for each of the bad ones"""
    for args, words in USAGE:
        complains(2, words, *args)


def longest():
    """an interface's name of 15 bytes and a socket's of 107 are no usage errors"""
    complains(1, ["x" * 15, "no such interface"], *run_args("-i", "x" * 15))
    path = os.path.join(scratch.name, "")
    path += "s" * (107 - len(path))
    status, _, err = call("run", "--web.listen-address", "127.0.0.1:0", "--socket", path,
                          "--duration", "100ms")
    tap.equal(status, 0, err)
    complains(1, ["--web.listen-address a..b:0"], *run_args(listen="a..b:0"))


def unregistered():
    """--expect with a name that nobody registered: a warning, unless -q"""
    empty = os.path.join(scratch.name, "none.pcap")
    with open(empty, "wb") as f:
        f.write(b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + b"\0" * 8 + b"\xff\xff\0\0\x01\0\0\0")
    for expect, names in (("http2", ["http2"]), ("4443=H2", ["H2"]), ("h2,foo,bar", ["foo", "bar"]),
                          ("h2,http/1.1,mqtt,h3-29,grpc-exp,istio-h2", [])):
        status, _, err = call("read", "--expect", expect, empty)
        warned = [l for l in err.splitlines() if "not a registered ALPN ID" in l]
        tap.equal((status, len(warned)), (0, len(names)), f"--expect {expect}: {err}")
        for name, line in zip(names, warned):
            tap.equal(f"--expect {name}: not a registered ALPN ID (h2, http/1.1, ...)" in line,
                      True, line)
    tap.equal(call("read", "-q", "--expect", "http2", empty), (0, "", ""), "with -q")


def not_root():
    """not root: names the privileges that are missing and the next step"""
    complains(1, ["root"], *run_args(), prefix=NOBODY)
    own = os.path.join(scratch.name, "own")
    os.mkdir(own)
    os.chown(own, 65534, 65534)
    run = ["run", "--web.listen-address", "127.0.0.1:0", "--socket", os.path.join(own, "sock")]
    complains(1, ["as root", "lacks CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN;"], *run, prefix=NOBODY)
    some = [*NOBODY, "--inh-caps", "+net_admin", "--ambient-caps", "+net_admin"]
    complains(1, ["as root", "lacks CAP_BPF, CAP_PERFMON;"], *run, prefix=some)


def no_btf():
    """no BTF (its directory hidden in a mount namespace): names the file and the next step"""
    hidden = ["unshare", "--mount", "sh", "-c",
              'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh"]
    complains(1, ["/sys/kernel/btf/vmlinux", "CONFIG_DEBUG_INFO_BTF"], *run_args(), prefix=hidden)


def port_in_use():
    """port in use: names the address"""
    with net.host.enter(), socket.create_server(("127.0.0.1", 10099)):
        complains(1, ["127.0.0.1:10099", "in use"], *run_args(listen="127.0.0.1:10099"))


def bad_captures():
    """read: missing, not a capture, empty, a directory, stdin that is no capture"""
    text, empty = (os.path.join(scratch.name, n) for n in ("text", "empty"))
    with open(text, "w") as f:
        f.write("this is not a capture file, it is a sentence\n")
    with open(empty, "w"):
        pass
    for path in (os.path.join(scratch.name, "missing.pcap"), text, empty, scratch.name):
        complains(1, [path], "read", path)
    with open(text) as f:
        complains(1, ["standard input"], "read", "-", stdin=f)


def unprivileged_read():
    """read: a capture that may not be read"""
    path = os.path.join(scratch.name, "secret.pcap")
    with open(path, "wb") as f:
        f.write(b"\xd4\xc3\xb2\xa1\x02\x00\x04\x00" + b"\0" * 8 + b"\xff\xff\0\0\x01\0\0\0")
    os.chmod(path, 0o600)
    complains(1, [path, "ermission"], "read", path, prefix=NOBODY)
    tap.equal(call("read", path)[:2], (0, ""), "a capture without packets, as root")


def help_and_version():
    """help and version: stdout, exit 0"""
    commands = ("run", "watch", "read", "doctor", "services", "explain", "grpc-ready", "version")
    for args in (["--help"], ["help"], *([c, "--help"] for c in commands)):
        status, out, err = call(*args)
        tap.equal((status, err), (0, ""), f"exit status and stderr of {args}")
        tap.equal("usage" in out.lower(), True, out)
        tap.equal([l for l in out.splitlines() if len(l) > 100], [], "lines wider than 100")
    status, out, _ = call("version")
    tap.equal((status, out.startswith("alpnscope ")), (0, True), out)
    status, out, _ = call("--help")
    for command in commands:
        tap.equal(command in out, True, f"{command} in the help")
        own = call(command, "--help")[1]
        about, = re.findall(rf"^  {command} +(.*)$", out, re.M)
        tap.equal(own.splitlines()[0], f"alpnscope {command} - {about}", "its first line")
        tap.equal(call("help", command), (0, own, ""), f"help {command}")
        tap.equal("0 ok, 1 error, 2 usage" in own and f"\nexample: alpnscope {command}" in own,
                  True, own)
        tap.equal("3 found what --fail-on names" in own, command in (
            "run", "watch", "read", "services", "grpc-ready"), own)
        # every text of an option begins in one column
        starts = {len(left) for left in
                  re.findall(r"^((?:  -\w, |      )--\S+(?: \S+)? +)\S", own, re.M)}
        tap.equal(len(starts), 1, f"columns of the help of {command}: {starts}\n{own}")


def help_defaults():
    """help: -o's default, every outcome"""
    texts = {c: " ".join(call(c, "--help")[1].split()) for c in ("run", "watch", "read")}
    tap.equal("default: columns on a terminal, else nothing" in texts["run"], True, texts["run"])
    for command in ("watch", "read"):
        tap.equal("columns (the default)" in texts[command], True, texts[command])
    for text in texts.values():
        for outcome in ("negotiated", "ignored", "not_offered", "rejected", "failed", "incomplete",
                        "undetermined", "violation"):
            tap.equal(outcome in text, True, f"{outcome} in {text}")


def doctor():
    """doctor: says what works, exit 0 as root"""
    status, out, err = call("doctor")
    tap.equal(status, 0, out + err)
    tap.equal("kernel" in out.lower(), True, out)


def handshake(count=1):
    for _ in range(count):
        truth = clients.s_client(net.client, net.V4, nginx.port, clients.name(), H2, "1.2")
        tap.equal(truth.negotiated, "h2", "the client's own word")


def lines(stream, count, seconds=5):
    """The first `count` lines of a pipe, read as they come."""
    os.set_blocking(stream.fileno(), False)
    text, end = b"", time.monotonic() + seconds
    while text.count(b"\n") < count:
        text += stream.read() or b""
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds} s for {count} lines, have {text!r}")
        time.sleep(0.02)
    return text.decode().splitlines()


def flushed():
    """-o json on a pipe: a line for each event, at once"""
    process = net.host.spawn([PROGRAM, *run_args("-o", "json")], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    tap.wait_for(lambda: b"ready" in (os.read(process.stderr.fileno(), 4096)), "ready")
    for _ in range(3):
        handshake()
        line, = lines(process.stdout, 1)
        tap.equal(json.loads(line)["alpn"]["outcome"], "negotiated", line)
    tap.equal(netlib.stop(process), 0, "exit status after SIGTERM")


def columns():
    """-o columns: a header, aligned lines, none wider than 100"""
    with Agent(net.host, output="columns") as agent:
        handshake(2)
        clients.s_client(net.client, net.V6, nginx.port, "a-long-name." * 8 + "example.test",
                         [f"proto-{i}" for i in range(20)] + ["h2"], "1.2")
        clients.s_client(net.client, net.V4, nginx.port, "x", ["foo\x1b[31m"], "1.2")
        def four():
            return netlib.read(agent.events_path).count("\n") >= 5
        tap.wait_for(four, "a header and four lines: " + netlib.read(agent.events_path))
        out = netlib.read(agent.events_path)
        tap.equal([l for l in out.splitlines() if len(l) > 100], [], "lines wider than 100")
        tap.equal("\x1b" in out, False, "an escape byte of a name, or colour without a terminal")
        agent.stop()


def quiet():
    """run without a terminal and without -o prints no event"""
    process = net.host.spawn([PROGRAM, *run_args()], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    tap.wait_for(lambda: b"ready" in (os.read(process.stderr.fileno(), 4096)), "ready")
    handshake()
    time.sleep(0.5)
    process.terminate()
    out, _ = process.communicate(timeout=10)
    netlib.stop(process)
    tap.equal((process.returncode, out), (0, b""), "exit status and stdout")


def watch():
    """watch: the running agent's events, --port, -c"""
    with Agent(net.host) as agent:
        watcher = net.host.spawn([PROGRAM, "watch", "--socket", agent.socket, "-o", "json", "-c",
                                  "2"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        other = net.host.spawn([PROGRAM, "watch", "--socket", agent.socket, "-o", "json", "--port",
                                "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        time.sleep(0.5)  # both are connected: the agent tells no one that
        handshake(3)
        out, err = watcher.communicate(timeout=10)
        tap.equal(watcher.returncode, 0, err)
        tap.equal(out.decode().splitlines(),
                  netlib.read(agent.events_path).splitlines()[:2], "the agent's own first events")
        other.terminate()
        tap.equal(other.communicate(timeout=10)[0], b"", "--port 1 matches nothing")
        netlib.stop(watcher)
        netlib.stop(other)
        agent.drain()
        agent.stop()


def second_agent():
    """a second agent on the same socket is refused; the first goes on"""
    with Agent(net.host) as agent:
        complains(1, [agent.socket], "run", "--web.listen-address", "127.0.0.1:0", "--socket",
                  agent.socket)
        handshake()
        agent.since(1)
        agent.drain()
        agent.stop()


def after_crash():
    """after SIGKILL of its predecessor an agent starts and leaves nothing behind"""
    with Agent(net.host) as crashed:
        crashed.process.send_signal(signal.SIGKILL)
        crashed.process.wait()
        with Agent(net.host) as agent:
            handshake()
            agent.since(1)
            agent.drain()
            agent.stop()
            tap.equal(agent.before, crashed.before, "what the crashed one left")


def pages():
    """the landing page, health, readiness, and what is not there"""
    with Agent(net.host) as agent:
        for path, status, word in (("/", 200, "/metrics"), ("/-/healthy", 200, ""),
                                   ("/-/ready", 200, ""), ("/nothing", 404, "")):
            got, _, body = http_get(net.host, path)
            tap.equal((got, word in body), (status, True), f"GET {path}: {body}")
        agent.stop()


def limits():
    """-c N and --duration end by themselves, exit 0"""
    process = net.host.spawn([PROGRAM, *run_args("-o", "json", "-c", "2")], stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE)
    tap.wait_for(lambda: b"ready" in (os.read(process.stderr.fileno(), 4096)), "ready")
    handshake(3)
    out, err = process.communicate(timeout=10)
    netlib.stop(process)
    tap.equal((process.returncode, out.count(b"\n")), (0, 2), err)
    start = time.monotonic()
    status, _, err = call(*run_args("--duration", "1s"))
    tap.equal((status, 0.9 < time.monotonic() - start < 5), (0, True), err)


with contextlib.ExitStack() as stack:
    stack.callback(scratch.cleanup)
    nginx = stack.enter_context(servers.Nginx(net.host, 8443))
    tap.run([
        tap.named("no subcommand: exit 2", usage, ["usage"]), usages, longest, unregistered,
        help_and_version, help_defaults, doctor, not_root, no_btf,
        tap.named("no such interface: names it", complains, 1, ["nope0"],
                  *run_args("-i", "nope0")),
        port_in_use, bad_captures, unprivileged_read, flushed, columns, quiet, watch,
        second_agent, after_crash, pages, limits,
    ])
