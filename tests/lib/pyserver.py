# SPDX-License-Identifier: GPL-2.0-only
"""A TLS server on Python's ssl: pyserver.py PORT ALPN[,ALPN...] VERSION...

An empty ALPN list is no ALPN. For each handshake a line of JSON: port, alpn, version.
"""
import json
import os
import socketserver
import ssl
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import pki  # noqa: needs the path above


class Handler(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            with self.server.context.wrap_socket(self.request, server_side=True) as tls:
                print(json.dumps({"port": self.client_address[1], "version": tls.version(),
                                  "alpn": tls.selected_alpn_protocol()}), flush=True)
                if tls.recv(4096) and tls.selected_alpn_protocol() != "h2":
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n"
                                b"Connection: close\r\n\r\nok\n")
        except OSError as e:
            print(json.dumps({"port": self.client_address[1], "error": str(e)}), flush=True)


class Listener(socketserver.ThreadingTCPServer):
    address_family = socketserver.socket.AF_INET6
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024


def main(port, alpn, *versions):
    numbers = [getattr(ssl.TLSVersion, "TLSv" + v.replace(".", "_")) for v in versions]
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.CERT, pki.KEY)
    context.minimum_version, context.maximum_version = min(numbers), max(numbers)
    if alpn:
        context.set_alpn_protocols(alpn.split(","))
    with Listener(("::", int(port)), Handler) as server:
        server.context = context
        server.serve_forever()


main(*sys.argv[1:])
