# SPDX-License-Identifier: GPL-2.0-only
"""XDP programs of a test's own, and what is on a device; bpf(2) as in tcx.py."""
import ctypes
import json
import os
import socket
import struct

import tcx

_XDP_TYPE, _XDP_ATTACH = 6, 37  # BPF_PROG_TYPE_XDP, BPF_XDP
GENERIC, NATIVE = 1 << 1, 1 << 2  # XDP_FLAGS_*_MODE of <linux/if_link.h>
MODES = {1: "native", 2: "generic", 3: "offloaded"}  # XDP_ATTACHED_*
PASS = 2


def on(namespace, device):
    """(mode, name) of the program on a device, or None."""
    link, = json.loads(namespace.ip("-j", "-d", "link", "show", device))
    if "xdp" not in link:
        return None
    return MODES[link["xdp"]["mode"]], link["xdp"]["prog"].get("name")


class Program:
    """A program that lets all pass, on a device by a link or, link=False, by netlink as
    `ip link set xdp` does it."""

    def __init__(self, namespace, device, mode, link=True):
        code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xb7, 0, 0, PASS,
                                                       0x95, 0, 0, 0), 16)
        license_ = ctypes.create_string_buffer(b"GPL")
        self._fd = tcx._bpf(tcx._PROG_LOAD, tcx._attr(
            "IIQQIIQII16s", _XDP_TYPE, 2, ctypes.addressof(code), ctypes.addressof(license_),
            0, 0, 0, 0, 0, b"foreign"))
        self.id = tcx._info(self._fd)[0]
        self._undo = None
        if link:
            with namespace.enter():
                self._link = tcx._bpf(tcx._LINK_CREATE, tcx._attr(
                    "IIIIIIQ", self._fd, socket.if_nametoindex(device), _XDP_ATTACH, mode,
                    0, 0, 0))
        else:
            kind = "xdpgeneric" if mode == GENERIC else "xdpdrv"
            namespace.sh("bpftool", "net", "attach", kind, "id", str(self.id), "dev", device)
            self._undo = lambda: namespace.sh("bpftool", "net", "detach", kind, "dev", device)

    def close(self):
        if self._undo:
            self._undo()
        else:
            os.close(self._link)
        os.close(self._fd)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
