#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""The tables' sizes: --reassembly-table as the metrics tell it, and options that a running agent
does not take from `watch`."""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib"))
import craft  # noqa: needs the path above
import net as netlib
import tap
from agent import BINARY, Agent

net = netlib.Pair()
OWN = "observing by itself: the running agent takes no -i, "


def in_use():
    """half hellos that wait are in use, of the limit that was asked for, rounded up"""
    with Agent(net.host, "--reassembly-table", "100") as agent:
        tap.equal(agent.metrics().sum("alpnscope_reassembly_table_limit"), 128, "the limit")
        tap.equal(agent.metrics().sum("alpnscope_reassembly_in_use"), 0, "in use")
        hello = craft.record(craft.HANDSHAKE, craft.client_hello([craft.alpn(b"h2")]))
        rest = []
        for number in range(3):
            connection = craft.Connection("192.0.2.1", 50000 + number, "192.0.2.2", 443)
            netlib.send_frames(net.client, "eth0", connection.client(hello[:60]))
            rest += connection.client(hello[60:])
        tap.wait_for(lambda: agent.metrics().sum("alpnscope_reassembly_in_use") == 3, "3 in use")
        netlib.send_frames(net.client, "eth0", rest)
        tap.wait_for(lambda: agent.metrics().sum("alpnscope_reassembly_in_use") == 0, "none")
        tap.equal(agent.metrics().sum("alpnscope_hellos_total"), 3, "hellos")
        agent.stop()


def watch(*args):
    done = subprocess.run(net.host.argv([BINARY, "watch", "--duration", "100ms", *args]),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
    tap.equal(done.returncode, 0, done.stderr)
    return done.stderr


def watching():
    """watch: what the running agent does not take is said, and only if one runs"""
    own = (["-i", "lo"], ["--expect", "h2"], ["--hook", "clsact"], ["--flow-table", "1024"],
           ["--reassembly-table", "64"])
    with Agent(net.host) as agent:
        for args in own:
            said = watch("--socket", agent.socket, *args)
            tap.equal((OWN in said, "ready: " in said), (True, True), said)
        tap.equal("watching the running agent" in watch("--socket", agent.socket), True)
        agent.stop()
    for args in own:
        said = watch("--socket", os.path.join(agent.dir, "none"), *args)
        tap.equal((OWN in said, "ready: " in said), (False, True), said)


tap.run([in_use, watching])
