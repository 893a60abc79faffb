# SPDX-License-Identifier: GPL-2.0-only
"""TLS hellos, TCP segments and pcap files, byte by byte, right or wrong on purpose.

    hello = record(HANDSHAKE, client_hello([server_name("a.example"), alpn(b"h2")]))
    c = Connection("192.0.2.1", 50000, "192.0.2.2", 443)
    write_pcap("one.pcap", c.open() + c.client(hello) + c.server(alert(2, 120)) + c.close())

Lengths are right unless one is given. RFC 8446, 5246 (TLS), 7301 (ALPN), 6066 (server_name),
9293 (TCP), 791 (IPv4), 8200 (IPv6).
"""
import ipaddress
import os
import struct

# Record types: RFC 8446 section 5.1. Handshake types: section 4.
ALERT, HANDSHAKE, APPDATA = 21, 22, 23
CLIENT_HELLO, SERVER_HELLO = 1, 2
TLS10, TLS11, TLS12, TLS13 = 0x0301, 0x0302, 0x0303, 0x0304

# The random of a HelloRetryRequest: RFC 8446 section 4.1.3.
RETRY_RANDOM = bytes.fromhex("cf21ad74e59a6111be1d8c021e65b891c2a211167abb8c5e079e09e2c8a8339c")

FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
IPV4, IPV6, VLAN, QINQ = 0x0800, 0x86dd, 0x8100, 0x88a8
LINK_NULL, LINK_ETHERNET, LINK_RAW, LINK_SLL, LINK_SLL2 = 0, 1, 101, 113, 276


def vector(data, size, length=None):
    """data behind its length in `size` bytes; length overrides the true one."""
    return (len(data) if length is None else length).to_bytes(size, "big") + data


def _numbers(values):
    """Numbers of two bytes each; bytes are taken as they are."""
    return values if isinstance(values, bytes) else b"".join(struct.pack("!H", v) for v in values)


# --- TLS ---------------------------------------------------------------------------------


def extension(number, body=b"", length=None):
    """Any extension; a malformed one by a wrong length or body."""
    return struct.pack("!H", number) + vector(body, 2, length)


def names(*ids):
    """A ProtocolNameList's inside: each name behind its one byte of length."""
    return b"".join(vector(i, 1) for i in ids)


def alpn_list(inside, length=None):
    """The ALPN extension around the inside of its list, which may be malformed."""
    return extension(16, vector(inside, 2, length))


def alpn(*ids):
    """The ALPN extension (RFC 7301 section 3.1), of a client or with one name of a server."""
    return alpn_list(names(*ids))


def server_name(host, kind=0):
    """The server_name extension (RFC 6066 section 3); host is str or bytes."""
    host = host.encode() if isinstance(host, str) else host
    return extension(0, vector(bytes([kind]) + vector(host, 2), 2))


def supported_versions(*versions):
    """As a client sends it (RFC 8446 section 4.2.1)."""
    return extension(43, vector(_numbers(versions), 1))


def selected_version(version):
    """supported_versions as a server sends it."""
    return extension(43, struct.pack("!H", version))


def supported_groups(*groups):
    return extension(10, vector(_numbers(groups), 2))


def key_shares(*shares):
    """As a client sends it: (group, bytes of the key) each (RFC 8446 section 4.2.8)."""
    entries = b"".join(struct.pack("!H", group) + vector(key, 2) for group, key in shares)
    return extension(51, vector(entries, 2))


def key_share(group, key):
    """As a server sends it."""
    return extension(51, struct.pack("!H", group) + vector(key, 2))


def retry_group(group):
    """key_share as a HelloRetryRequest sends it."""
    return extension(51, struct.pack("!H", group))


def message(kind, body, length=None):
    """A handshake message."""
    return bytes([kind]) + vector(body, 3, length)


def _extensions(extensions, length):
    return b"" if extensions is None else vector(b"".join(extensions), 2, length)


def client_hello(extensions=None, *, version=TLS12, random=None, session_id=b"",
                 ciphers=(0x1301, 0xc02b), compressions=b"\0", tail=b"", length=None,
                 extensions_length=None):
    """A ClientHello message. extensions: a list of their bytes; None leaves the block out,
    as hellos before TLS 1.2 may. tail comes after all that belongs there. ciphers may be bytes."""
    body = struct.pack("!H", version) + (random or os.urandom(32)) + vector(session_id, 1) + \
        vector(_numbers(ciphers), 2) + vector(compressions, 1) + \
        _extensions(extensions, extensions_length) + tail
    return message(CLIENT_HELLO, body, length)


def server_hello(extensions=None, *, version=TLS12, random=None, session_id=b"", cipher=0xc02b,
                 compression=0, tail=b"", length=None, extensions_length=None):
    """A ServerHello message; one with RETRY_RANDOM is a HelloRetryRequest."""
    body = struct.pack("!H", version) + (random or os.urandom(32)) + vector(session_id, 1) + \
        struct.pack("!HB", cipher, compression) + _extensions(extensions, extensions_length) + tail
    return message(SERVER_HELLO, body, length)


def record(kind, data, *, version=TLS12, length=None):
    """One record around data."""
    return struct.pack("!BH", kind, version) + vector(data, 2, length)


def records(kind, data, size, *, version=TLS12):
    """data over several records of at most `size` bytes each."""
    return b"".join(record(kind, data[i:i + size], version=version)
                    for i in range(0, len(data), size))


def alert(level, description):
    """A record with an alert in clear (RFC 8446 section 6)."""
    return record(ALERT, bytes([level, description]))


def malformed_client_hellos():
    """(what is wrong, a record with a ClientHello that has this wrong and all else right)."""
    sni, h2 = server_name("a.example"), alpn(b"h2")
    good = client_hello([sni, h2])
    wrong = {
        "session id longer than 32": client_hello([h2], session_id=bytes(33)),
        "cipher suites of odd length": client_hello([h2], ciphers=b"\x13\1\0"),
        "extensions longer than the message": client_hello([h2], extensions_length=len(h2) + 1),
        "extensions shorter than the message": client_hello([sni, h2],
                                                            extensions_length=len(sni)),
        "one byte after the extensions": client_hello([h2], tail=b"\0"),
        "extension longer than its block": client_hello([extension(16, h2[4:], length=len(h2))]),
        "extension header cut": client_hello([h2, b"\0\0\0"]),
        "the same extension twice": client_hello([h2, alpn(b"http/1.1")]),
        "alpn extension without its list": client_hello([extension(16)]),
        "alpn list empty": client_hello([alpn_list(b"")]),
        "alpn list longer than its extension": client_hello([alpn_list(names(b"h2"), length=4)]),
        "alpn list shorter than its extension": client_hello([alpn_list(names(b"h2", b"h3"),
                                                                        length=3)]),
        "alpn name empty": client_hello([alpn(b"h2", b"")]),
        "alpn name longer than its list": client_hello([alpn_list(b"\3h2")]),
        "server name empty": client_hello([server_name(b""), h2]),
        "server name longer than its list": client_hello([extension(0, vector(b"\0\0\x09a", 2)),
                                                          h2]),
        "server name list empty": client_hello([extension(0, vector(b"", 2)), h2]),
        "message cut after its random": message(CLIENT_HELLO, good[4:38]),
        "message empty": message(CLIENT_HELLO, b""),
    }
    return [(what, record(HANDSHAKE, hello)) for what, hello in wrong.items()]


# --- frames ------------------------------------------------------------------------------


def checksum(data):
    """RFC 1071."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff


def tcp(source, sport, destination, dport, seq, ack, flags, payload=b"", *, options=b"",
        window=65535):
    """A TCP segment with its checksum; options are padded to four bytes."""
    options += b"\0" * (-len(options) % 4)
    offset = (20 + len(options)) // 4 << 4
    segment = struct.pack("!HHIIBBHHH", sport, dport, seq & 0xffffffff, ack & 0xffffffff, offset,
                          flags, window, 0, 0) + options + payload
    source, destination = ipaddress.ip_address(source), ipaddress.ip_address(destination)
    pseudo = source.packed + destination.packed
    pseudo += struct.pack("!xBH", 6, len(segment)) if source.version == 4 else \
        struct.pack("!IxxxB", len(segment), 6)
    return segment[:16] + struct.pack("!H", checksum(pseudo + segment)) + segment[18:]


def ipv4(source, destination, payload, *, protocol=6, options=b"", ident=0, fragment=0, ttl=64,
         length=None):
    """An IPv4 packet. fragment: the flags and offset field as it stands (DF 0x4000, MF 0x2000)."""
    options += b"\0" * (-len(options) % 4)
    size = 20 + len(options)
    header = struct.pack("!BBHHHBBH", 0x40 | size // 4, 0,
                         size + len(payload) if length is None else length, ident, fragment, ttl,
                         protocol, 0) + ipaddress.IPv4Address(source).packed + \
        ipaddress.IPv4Address(destination).packed + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + payload


def ipv6(source, destination, payload, *, next_header=6, length=None):
    """An IPv6 packet; next_header is that of payload, which may begin with extension headers."""
    return struct.pack("!IHBB", 6 << 28, len(payload) if length is None else length, next_header,
                       64) + ipaddress.IPv6Address(source).packed + \
        ipaddress.IPv6Address(destination).packed + payload


def ipv6_options(next_header, payload, length=8):
    """payload behind a hop-by-hop (0) or destination options (60) header full of padding."""
    return bytes([next_header, length // 8 - 1, 1, length - 4]) + b"\0" * (length - 4) + payload


def ethernet(packet, ethertype=None, *, tags=(), trailer=b""):
    """An Ethernet frame; tags: (tag's ethertype, VLAN id), outer first; the ethertype is the
    packet's by its version unless given."""
    if ethertype is None:
        ethertype = IPV6 if packet[0] >> 4 == 6 else IPV4
    frame = bytes.fromhex("020000000002020000000001")
    for kind, vlan in tags:
        frame += struct.pack("!HH", kind, vlan)
    return frame + struct.pack("!H", ethertype) + packet + trailer


def linked(frame, link):
    """An untagged Ethernet frame as link type `link` has it (tcpdump.org's registry)."""
    ethertype, = struct.unpack("!H", frame[12:14])
    heads = {
        LINK_ETHERNET: frame[:14],
        LINK_RAW: b"",
        LINK_NULL: struct.pack("<I", 2 if ethertype == IPV4 else 30),
        LINK_SLL: struct.pack("!HHH6sHH", 0, 1, 6, frame[6:12], 0, ethertype),
        LINK_SLL2: struct.pack("!HHIHBB6sH", ethertype, 0, 1, 1, 0, 6, frame[6:12], 0),
    }
    return heads[link] + frame[14:]


class Connection:
    """The Ethernet frames of one TCP connection; each method returns a list of them.

    client_seq and server_seq are what comes next on each side; set them to leave a hole, to
    repeat or to overlap. mss cuts data into segments.
    """

    def __init__(self, client, cport, server, sport, *, client_seq=1000, server_seq=5000,
                 mss=65000, tags=(), tcp_options=b"", ip_options=b"", trailer=b""):
        self.ends = (client, cport), (server, sport)
        self.client_seq, self.server_seq, self.mss = client_seq, server_seq, mss
        self.tags, self.trailer = tags, trailer
        self.tcp_options, self.ip_options = tcp_options, ip_options

    def frame(self, from_client, flags, payload=b"", *, seq=None, ack=None):
        """One frame; moves no sequence number."""
        (source, sport), (destination, dport) = self.ends if from_client else self.ends[::-1]
        here, there = self.client_seq, self.server_seq
        if not from_client:
            here, there = there, here
        segment = tcp(source, sport, destination, dport, here if seq is None else seq,
                      there if ack is None else ack, flags, payload, options=self.tcp_options)
        packet = ipv6(source, destination, segment) if ":" in source else \
            ipv4(source, destination, segment, options=self.ip_options)
        return ethernet(packet, tags=self.tags, trailer=self.trailer)

    def _moved(self, from_client, by):
        if from_client:
            self.client_seq = (self.client_seq + by) & 0xffffffff
        else:
            self.server_seq = (self.server_seq + by) & 0xffffffff

    def _send(self, from_client, data):
        frames = []
        for at in range(0, len(data), self.mss):
            part = data[at:at + self.mss]
            frames.append(self.frame(from_client, PSH | ACK, part))
            self._moved(from_client, len(part))
        return frames

    def _flagged(self, from_client, flags, **more):
        frames = [self.frame(from_client, flags, **more)]
        self._moved(from_client, 1)
        return frames

    def open(self):
        """SYN, SYN and ACK, ACK."""
        return self._flagged(True, SYN, ack=0) + self._flagged(False, SYN | ACK) + \
            [self.frame(True, ACK)]

    def client(self, data):
        """Data from the client."""
        return self._send(True, data)

    def server(self, data):
        """Data from the server."""
        return self._send(False, data)

    def fin(self, from_client):
        return self._flagged(from_client, FIN | ACK)

    def rst(self, from_client):
        return [self.frame(from_client, RST | ACK)]

    def close(self):
        """FIN of both sides, and the last ACK."""
        return self.fin(True) + self.fin(False) + [self.frame(True, ACK)]


# --- files -------------------------------------------------------------------------------


def pcap(frames, *, link=LINK_ETHERNET, start_ns=1_700_000_000_000_000_000, step_ns=1_000_000,
         snaplen=262144):
    """A pcap file with nanoseconds: frame n is at start_ns + n * step_ns, cut to snaplen."""
    out = [struct.pack("<IHHIIII", 0xa1b23c4d, 2, 4, 0, 0, snaplen, link)]
    for n, frame in enumerate(frames):
        seconds, rest = divmod(start_ns + n * step_ns, 1_000_000_000)
        kept = frame[:snaplen]
        out.append(struct.pack("<IIII", seconds, rest, len(kept), len(frame)) + kept)
    return b"".join(out)


def write_pcap(path, frames, **how):
    """pcap() into a file."""
    with open(path, "wb") as file:
        file.write(pcap(frames, **how))
