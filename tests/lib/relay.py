# SPDX-License-Identifier: GPL-2.0-only
"""Carries Ethernet frames between two devices of its namespace: relay.py DEVICE DEVICE

In order and untouched; tests/lib/reorder.py is one that is not so kind.
"""
import selectors
import socket
import sys

ETH_P_ALL = 3


def carry(devices, forward):
    """Until it is killed. forward(place of the device that it came from, frame): the frames to
    send instead."""
    sockets = []
    for device in devices:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        s.bind((device, ETH_P_ALL))
        sockets.append(s)
    with selectors.DefaultSelector() as selector:
        for place in (0, 1):
            selector.register(sockets[place], selectors.EVENT_READ, place)
        while True:
            for key, _ in selector.select():
                frame, (_, _, kind, *_) = key.fileobj.recvfrom(65536)
                if kind != socket.PACKET_OUTGOING:
                    for sent in forward(key.data, frame):
                        sockets[1 - key.data].send(sent)


if __name__ == "__main__":
    carry(sys.argv[1:], lambda place, frame: [frame])
