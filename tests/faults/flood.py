#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Does to a web server or a unix socket what no good client would, until it is ended.

usage: flood.py KIND CONNECTIONS PORT|SOCKET; prints "going" once under way, and when SIGTERM comes
how many connections, headers or passwords there were.
"""
import base64
import os
import random
import signal
import socket
import ssl
import sys
import time

KIND, CONNECTIONS, TO = sys.argv[1], int(sys.argv[2]), sys.argv[3]
TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE
rng = random.Random(1)
done = 0


def connect():
    if "/" in TO:
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(0.2)
        s.connect(TO)
    else:
        s = socket.create_connection(("127.0.0.1", int(TO)), timeout=0.2)
    return s


def say(data):
    """On a connection of its own; what the server does is its business."""
    with connect() as s:
        for at in range(0, len(data), 65536):
            s.sendall(data[at:at + 65536])
        s.recv(4096)


def slow():
    """Many connections at once, each with some bytes now and then of a request that has no end."""
    held, text = [], b"GET /metrics HTTP/1.1\r\nHost: a\r\nX: " if "/" not in TO else b"watch "
    for n in range(CONNECTIONS):
        s = socket.socket(socket.AF_UNIX if "/" in TO else socket.AF_INET)
        s.setblocking(False)
        s.connect_ex(TO if "/" in TO else ("127.0.0.1", int(TO)))
        held.append([s, 0])
        yield
    while True:
        for entry in held:
            s, at = entry
            try:
                s.send(text[at:at + 8] or b"x")
                entry[1] += 8
            except OSError:
                pass
        time.sleep(0.2)


def headers():
    yield say(b"GET /metrics HTTP/1.1\r\nHost: a\r\nX-Long: " + b"x" * (1 << 20) + b"\r\n\r\n")


def garbage():
    yield say(rng.randbytes(8192))


def tls_garbage():
    yield say(b"\x16\x03\x01\x20\x00\x01\x00\x1f\xfc\x03\x03" + rng.randbytes(8192))


def handshakes():
    with connect() as s, TLS.wrap_socket(s):
        yield


def passwords():
    word = base64.b64encode(b"alice:wrong%d" % done)
    with connect() as s, TLS.wrap_socket(s) as tls:
        tls.settimeout(2)
        tls.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nAuthorization: Basic " + word +
                    b"\r\n\r\n")
        tls.recv(4096)
        yield


def ended(_signal, _frame):
    print(done, flush=True)
    os._exit(0)


signal.signal(signal.SIGTERM, ended)
signal.signal(signal.SIGPIPE, signal.SIG_IGN)
os.nice(19)  # the flood is others' work: what is measured is what the agent does about it
begin, told = time.monotonic(), False
while True:
    try:
        for _ in globals()[KIND]():
            done += 1
            if not told and (done >= CONNECTIONS or time.monotonic() > begin + 3):
                print("going", flush=True)
                told = True
    except OSError:
        done += 1
    if not told and (done >= min(CONNECTIONS, 5) or time.monotonic() > begin + 3):
        print("going", flush=True)
        told = True
