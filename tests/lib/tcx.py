# SPDX-License-Identifier: GPL-2.0-only
"""tcx (Linux 6.6): what is attached to an interface, and programs of the test's own.

bpf(2) by ctypes, since bpftool 7.1 and iproute2 6.1 do not know tcx. It is about the network
namespace of the calling thread: see net.Namespace.enter().
"""
import ctypes
import errno
import os
import platform
import socket
import struct

INGRESS, EGRESS = 46, 47  # enum bpf_attach_type
SIDES = {"ingress": INGRESS, "egress": EGRESS}
NEXT, PASS = -1, 0  # what a program returns: go on with the next one, or end the chain
BEFORE, AFTER = 1 << 3, 1 << 4  # BPF_F_*: without a relative program, head and tail
_PROG_LOAD, _GET_FD_BY_ID, _GET_INFO, _QUERY, _LINK_CREATE = 5, 13, 15, 16, 28
_SCHED_CLS = 3  # enum bpf_prog_type
_REDIRECT = 23  # enum bpf_func_id
_COUNT_MAX = 64  # BPF_MPROG_MAX
_syscall = ctypes.CDLL(None, use_errno=True).syscall
_NUMBER = {"x86_64": 321, "aarch64": 280}


def _bpf(command, attr):
    """bpf(2); attr is a ctypes buffer. OSError when it fails."""
    result = _syscall(_NUMBER[platform.machine()], command, attr, ctypes.sizeof(attr))
    if result < 0:
        raise OSError(ctypes.get_errno(), f"bpf command {command}: "
                      + os.strerror(ctypes.get_errno()))
    return result


def _attr(layout, *values):
    packed = struct.pack("=" + layout, *values)
    return ctypes.create_string_buffer(packed, len(packed))


def query(ifindex, attach_type):
    """Ids of the attached programs, in the order in which they run; [] without tcx."""
    ids = (ctypes.c_uint32 * _COUNT_MAX)()
    attr = _attr("IIIIQIIQQQQ", ifindex, attach_type, 0, 0, ctypes.addressof(ids), _COUNT_MAX,
                 0, 0, 0, 0, 0)
    try:
        _bpf(_QUERY, attr)
    except OSError as e:
        if e.errno == errno.EINVAL:  # an older kernel does not know the attach type
            return []
        raise
    return list(ids[:struct.unpack_from("=I", attr, 24)[0]])


def _info(fd):
    """(id, name) of the program that fd refers to."""
    info = ctypes.create_string_buffer(80)  # struct bpf_prog_info, up to the name
    _bpf(_GET_INFO, _attr("IIQ", fd, len(info), ctypes.addressof(info)))
    return struct.unpack_from("=I", info, 4)[0], info.raw[64:80].rstrip(b"\0").decode()


def name(program_id):
    """The program's name; None if it is gone."""
    try:
        fd = _bpf(_GET_FD_BY_ID, _attr("III", program_id, 0, 0))
    except FileNotFoundError:
        return None
    try:
        return _info(fd)[1]
    finally:
        os.close(fd)


def ids(namespace, device, side):
    """Ids of the programs on one side of a device, in the order in which they run."""
    with namespace.enter():
        return query(socket.if_nametoindex(device), SIDES[side])


def names(namespace, device, side):
    """The same, their names."""
    return [name(i) for i in ids(namespace, device, side)]


def show(namespace):
    """names() for every device of the namespace that has any: {(device, side): names}."""
    with namespace.enter():
        devices = [device for _, device in socket.if_nameindex()]
    found = {(d, side): names(namespace, d, side) for d in devices for side in SIDES}
    return {key: value for key, value in found.items() if value}


class Program:
    """A program that returns `verdict` for every packet, attached to one side of a device; or,
    with @redirect, sends it out of the device with that ifindex."""

    def __init__(self, namespace, device, side, verdict, where=BEFORE, redirect=None):
        steps = [(0xb7, 0, verdict)]  # r0 = verdict
        if redirect is not None:  # r1 = ifindex; r2 = 0; r0 = bpf_redirect(r1, r2)
            steps = [(0xb7, 1, redirect), (0xb7, 2, 0), (0x85, 0, _REDIRECT)]
        steps.append((0x95, 0, 0))  # exit
        code = b"".join(struct.pack("=BBhi", op, register, 0, value)
                        for op, register, value in steps)
        code = ctypes.create_string_buffer(code, len(code))
        license_ = ctypes.create_string_buffer(b"GPL")
        # It stays open: /proc/self/fdinfo tells how long it ran.
        self._program = _bpf(_PROG_LOAD, _attr(
            "IIQQIIQII16s", _SCHED_CLS, len(steps), ctypes.addressof(code),
            ctypes.addressof(license_), 0, 0, 0, 0, 0, b"foreign"))
        try:
            self.id = _info(self._program)[0]
            with namespace.enter():
                self._link = _bpf(_LINK_CREATE, _attr(
                    "IIIIIIQ", self._program, socket.if_nametoindex(device), SIDES[side], where,
                    0, 0, 0))
        except BaseException:
            os.close(self._program)
            raise

    def close(self):
        os.close(self._link)
        os.close(self._program)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def supported(namespace):
    """Whether this kernel has tcx, found by trying."""
    try:
        with Program(namespace, "lo", "ingress", NEXT):
            return True
    except OSError as e:
        if e.errno == errno.EINVAL:
            return False
        raise
