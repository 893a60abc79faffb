# SPDX-License-Identifier: GPL-2.0-only
"""What comes before a ClientHello on the same connection: servers that speak an application
protocol until it turns to TLS, an HTTP proxy, and a relay that sends PROXY headers."""
import contextlib
import ipaddress
import select
import socket
import ssl
import struct
import threading
import time

import pki
from rawserver import RawServer

XMPP = "urn:ietf:params:xml:ns:xmpp-tls"
# As `openssl s_client -starttls` calls them: what the server says first, then what it waits for
# and answers each time. TLS begins after the last answer.
STARTTLS = {
    "smtp": (b"220 mail ESMTP\r\n",  # RFC 3207
             (b"\r\n", b"250-mail\r\n250 STARTTLS\r\n"), (b"STARTTLS\r\n", b"220 go on\r\n")),
    "imap": (b"* OK ready\r\n",  # RFC 9051 section 6.2.1
             (b"CAPABILITY\r\n", b"* CAPABILITY IMAP4rev2 STARTTLS\r\n. OK done\r\n"),
             (b"STARTTLS\r\n", b". OK go on\r\n")),
    "pop3": (b"+OK ready\r\n", (b"STLS\r\n", b"+OK go on\r\n")),  # RFC 2595
    "ftp": (b"220 ready\r\n", (b"AUTH TLS\r\n", b"234 go on\r\n")),  # RFC 4217
    "xmpp": (b"",  # RFC 6120 section 5.4
             (b">", b"<stream:stream xmlns='jabber:client' id='1' version='1.0' xmlns:stream="
              b"'http://etherx.jabber.org/streams'><stream:features>"
              b"<starttls xmlns='%s'><required/></starttls></stream:features>" % XMPP.encode()),
             (b"<starttls xmlns='%s'/>" % XMPP.encode(), b"<proceed xmlns='%s'/>" % XMPP.encode())),
    "postgres": (b"",  # SSLRequest: the protocol's chapter "Message Formats"
                 (struct.pack("!II", 8, 80877103), b"S")),
    "ldap": (b"",  # RFC 4511 section 4.14: an ExtendedResponse, success
             (b"1.3.6.1.4.1.1466.20037", bytes.fromhex("300c0201017807 0a0100 0400 0400"))),
}


def read_until(connection, end):
    """What comes, up to and with `end`."""
    data = b""
    while not data.endswith(end):
        more = connection.recv(4096)
        if not more:
            raise OSError(f"the client left after {data!r}")
        data += more
    return data


class Preamble(RawServer):
    """Speaks one of STARTTLS, then TLS 1.2 with `alpn`."""

    def __init__(self, namespace, port, protocol, alpn):
        pki.make()
        self.protocol = protocol
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(pki.CERT, pki.KEY)
        self.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.context.set_alpn_protocols(alpn)
        super().__init__(namespace, port, None)

    def serve(self, connection):
        first, *steps = STARTTLS[self.protocol]
        with contextlib.suppress(OSError), connection:
            connection.settimeout(10)
            connection.sendall(first)
            for expected, answer in steps:
                read_until(connection, expected)
                connection.sendall(answer)
            with self.context.wrap_socket(connection, server_side=True) as tls:
                while tls.recv(4096):
                    pass


def pump(a, b):
    """Carry bytes both ways until one end closes."""
    other = {a: b, b: a}
    with contextlib.suppress(OSError), a, b:
        while True:
            for ready in select.select([a, b], [], [], 10)[0]:
                data = ready.recv(65536)
                if not data:
                    return
                other[ready].sendall(data)


class Relay(RawServer):
    """Listens on `port` and opens a connection of its own for each that comes."""

    def __init__(self, namespace, port):
        self.namespace = namespace
        super().__init__(namespace, port, None)

    def serve(self, connection):
        threading.Thread(target=self.carry, args=(connection,), daemon=True).start()

    def connect(self, address, port):
        with self.namespace.enter():
            there = socket.create_connection((address, port), timeout=10)
        there.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return there

    def carry(self, connection):
        raise NotImplementedError


class ConnectProxy(Relay):
    """An HTTP proxy that knows nothing but CONNECT (RFC 9110 section 9.3.6)."""

    def carry(self, connection):
        with contextlib.suppress(OSError):
            request = read_until(connection, b"\r\n\r\n").decode()
            method, target = request.split()[:2]
            if method != "CONNECT":
                connection.close()
                return
            host, _, port = target.rpartition(":")
            there = self.connect(host.strip("[]"), int(port))
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            pump(connection, there)


class ProxyHeader(Relay):
    """Sends `header` to (address, port) ahead of what comes: in a segment of its own, or joined
    with the client's hello in one."""

    def __init__(self, namespace, port, there, header, joined):
        self.there, self.header, self.joined = there, header, joined
        self.port_used = None  # of the connection that it opened last
        super().__init__(namespace, port)

    def carry(self, connection):
        with contextlib.suppress(OSError):
            there = self.connect(*self.there)
            self.port_used = there.getsockname()[1]
            first = self.header
            if self.joined:
                first += read_record(connection)
            there.sendall(first)
            if not self.joined:
                time.sleep(0.05)  # the hello may not catch up
            pump(connection, there)


def read_record(connection):
    """One TLS record and what came with it."""
    data = b""
    while len(data) < 5 or len(data) < 5 + struct.unpack_from("!H", data, 3)[0]:
        more = connection.recv(65536)
        if not more:
            raise OSError("the client left")
        data += more
    return data


def proxy_v2(source, destination, sport, dport, tlvs=b""):
    """A PROXY header, version 2 (haproxy.org, proxy-protocol.txt section 2.2): command PROXY, TCP
    over IPv4 or IPv6 as the addresses are."""
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    body = source.packed + destination.packed + struct.pack("!HH", sport, dport) + tlvs
    return SIGNATURE + struct.pack("!BBH", 0x21, 0x11 if source.version == 4 else 0x21,
                                   len(body)) + body


SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
AUTHORITY = b"\x02" + struct.pack("!H", 14) + b"tlv.other.test"  # PP2_TYPE_AUTHORITY
PROXY_HEADERS = {
    "v1, TCP4": b"PROXY TCP4 192.0.2.1 192.0.2.2 40000 443\r\n",
    "v1, TCP6": b"PROXY TCP6 2001:db8::1 2001:db8::2 40000 443\r\n",
    "v1, UNKNOWN": b"PROXY UNKNOWN\r\n",
    "v1, the longest": b"PROXY UNKNOWN " + b"ffff:" * 7 + b"ffff " + b"ffff:" * 7 + b"ffff " +
                       b"65535 65535\r\n",
    "v2, TCP over IPv4": proxy_v2("192.0.2.1", "192.0.2.2", 40000, 443),
    "v2, TCP over IPv6 and a TLV": proxy_v2("2001:db8::1", "2001:db8::2", 40000, 443, AUTHORITY),
    "v2, LOCAL": SIGNATURE + b"\x20\0\0\0",
}
