# SPDX-License-Identifier: GPL-2.0-only
"""tests/lib/peer.c, a static TLS client and server, built twice: `seen` has its symbols, `blind`
has none, so nobody can ask it: what is known of its handshakes, the other end's library told."""
import os
import subprocess

import clients
import net
import pki
import servers
import tap

SOURCE = os.path.join(tap.ROOT, "tests", "lib", "peer.c")
DIR = os.path.join(tap.BUILD, "peers")


def build(kind):
    """The path of `seen` or `blind`, built if need be."""
    path = os.path.join(DIR, kind)
    if not os.path.exists(path) or os.path.getmtime(path) < os.path.getmtime(SOURCE):
        os.makedirs(DIR, exist_ok=True)
        strip = ["-s"] if kind == "blind" else []
        net.sh("gcc", "-O2", "-static", *strip, "-o", path, SOURCE, "-lssl", "-lcrypto",
               timeout=120)
    return path


class Peer(servers.Server):
    """One connection after the other. pad: bytes that EncryptedExtensions' record has more."""

    def __init__(self, *args, kind="blind", pad=0, **kwargs):
        self.kind, self.pad = kind, pad
        super().__init__(*args, versions="1.3", **kwargs)

    def start(self):
        with open(self.log, "ab") as log:
            self.process = self.namespace.spawn(self.argv(), stdout=log, stderr=log)
        net.wait_listening(self.namespace, self.port, self.process, self.log)

    def argv(self, program=None):
        return [program or build(self.kind), "server", str(self.port), pki.CERT, pki.KEY,
                ",".join(self.alpn or []), str(self.pad)]


class Contained(Peer):
    """Peer in a mount namespace of its own: its program and its files are nowhere else."""

    SCRIPT = """
mount -t tmpfs none "$1" && mkdir "$1/dev" && cp "$2" "$1/peer" && cp "$5" "$1/cert" &&
cp "$6" "$1/key" && exec chroot "$1" /peer "$3" "$4" /cert /key "$7"
"""

    def argv(self, program=None):
        root = os.path.join(self.dir, "root")
        os.mkdir(root)
        _, what, port, cert, key, names, _ = super().argv()
        return ["unshare", "--mount", "sh", "-ec", self.SCRIPT, "sh", root, build(self.kind),
                what, port, cert, key, names]


def start_blind(namespace, address, port, offer):
    """Begin a handshake; end_blind() waits for it."""
    sni = clients.name()
    process = subprocess.Popen(
        namespace.argv([build("blind"), "client", address, str(port), sni, ",".join(offer or [])]),
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return process, clients.Truth("blind", offer, sni)


def end_blind(process, truth):
    truth.output = process.communicate(timeout=clients.TIMEOUT)[0]
    truth.completed = process.returncode == 0
    if truth.completed:
        port, name = truth.output.split()
        truth.port, truth.version = int(port), "1.3"
        truth.negotiated = None if name == "-" else name
    return truth


def blind(namespace, address, port, offer):
    """One handshake of the client that cannot be asked: its Truth."""
    return end_blind(*start_blind(namespace, address, port, offer))
