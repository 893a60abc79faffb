# SPDX-License-Identifier: GPL-2.0-only
"""Carries Ethernet frames between two devices of its namespace: relay.py DEVICE DEVICE"""
import selectors
import socket
import sys

ETH_P_ALL = 3


def main(*devices):
    sockets = []
    for device in devices:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
        s.bind((device, ETH_P_ALL))
        sockets.append(s)
    with selectors.DefaultSelector() as selector:
        for here, there in (sockets, sockets[::-1]):
            selector.register(here, selectors.EVENT_READ, there)
        while True:
            for key, _ in selector.select():
                frame, (_, _, kind, *_) = key.fileobj.recvfrom(65536)
                if kind != socket.PACKET_OUTGOING:
                    key.data.send(frame)


main(*sys.argv[1:])
