# SPDX-License-Identifier: GPL-2.0-only
"""What passed a device, as a packet socket saw it: a witness besides alpnscope.

    with Wire(net.host, "eth0") as wire:
        ...
    wire.hello_parts(client_port)    # how the ClientHello came
"""
import ipaddress
import socket
import struct
import threading
import typing

ETH_P_ALL = 3
SOL_PACKET, PACKET_STATISTICS, SO_RCVBUFFORCE = 263, 6, 33
FIN, SYN, RST, PSH, ACK = 0x01, 0x02, 0x04, 0x08, 0x10
BUFFER = 32 << 20  # bytes: for when Python is slow


class Segment(typing.NamedTuple):
    """A TCP segment of an Ethernet frame; seq is that of the payload's first byte."""

    source: str
    sport: int
    destination: str
    dport: int
    seq: int
    flags: int
    payload: bytes


def segment(frame):
    """The Segment in an untagged Ethernet frame, or None."""
    ethertype, = struct.unpack_from("!H", frame, 12)
    if ethertype == 0x0800 and frame[23] == socket.IPPROTO_TCP:
        size, where, addresses = struct.unpack_from("!H", frame, 16)[0], 26, 4
        tcp, end = 14 + 4 * (frame[14] & 15), 14 + size
    elif ethertype == 0x86dd and frame[20] == socket.IPPROTO_TCP:
        where, addresses, tcp = 22, 16, 54
        end = 54 + struct.unpack_from("!H", frame, 18)[0]
    else:
        return None
    source, destination = (str(ipaddress.ip_address(frame[at:at + addresses]))
                           for at in (where, where + addresses))
    sport, dport, seq = struct.unpack_from("!HHI", frame, tcp)
    flags = frame[tcp + 13]
    return Segment(source, sport, destination, dport, (seq + bool(flags & SYN)) & 0xffffffff, flags,
                   bytes(frame[tcp + 4 * (frame[tcp + 12] >> 4):end]))


class Wire:
    """Notes every TCP segment of one device of a namespace, until the with block ends."""

    def __init__(self, namespace, device):
        self.segments = []
        with namespace.enter():
            self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER)
        self.socket.settimeout(0.1)
        self.socket.bind((device, ETH_P_ALL))
        self.over = threading.Event()
        self.thread = threading.Thread(target=self._listen, daemon=True)

    def _listen(self):
        while True:
            try:
                found = segment(self.socket.recv(65536))
            except TimeoutError:
                if self.over.is_set():
                    return
                continue
            if found:
                self.segments.append(found)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, kind, *_):
        self.over.set()
        self.thread.join(10)
        _, drops = struct.unpack("II", self.socket.getsockopt(SOL_PACKET, PACKET_STATISTICS, 8))
        self.socket.close()
        if drops and kind is None:
            raise AssertionError(f"the witness missed {drops} frames")

    def data(self, sport):
        """[(offset in the stream, payload)] of what the port sent, in the order it came."""
        start, found = None, []
        for s in self.segments[:]:
            if s.sport == sport and s.flags & SYN:
                start, found = s.seq, []
            if s.sport == sport and s.payload and start is not None:
                found.append(((s.seq - start) & 0xffffffff, s.payload))
        return found

    def hello_parts(self, sport):
        """[(offset, length)] of the segments that carry the first TLS record of the port's
        stream, in the order they came, repeats included."""
        parts = self.data(sport)
        first = [payload for offset, payload in parts if offset == 0]
        if not first:
            raise AssertionError(f"no data from port {sport}")
        size = 5 + struct.unpack_from("!H", first[0], 3)[0]
        return [(offset, len(payload)) for offset, payload in parts if offset < size]
