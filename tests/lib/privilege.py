# SPDX-License-Identifier: GPL-2.0-only
"""Capabilities: starting a program with some alone, and what a running one has."""
import os
import re

import net

NOBODY = 65534
# linux/capability.h
NUMBER = {"dac_override": 1, "dac_read_search": 2, "net_admin": 12, "net_raw": 13,
          "sys_ptrace": 19, "sys_admin": 21, "sys_resource": 24, "perfmon": 38, "bpf": 39}
OBSERVE = {"bpf", "net_admin", "perfmon"}
NAMES = {"dac_read_search", "sys_ptrace"}
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")


def only(caps, user=NOBODY):
    """argv before a program that is to run as @user with these capabilities, and none to gain."""
    some = ",".join(["-all", *sorted("+" + c for c in caps)])
    return ["setpriv", "--reuid", str(user), "--regid", str(user), "--clear-groups",
            "--bounding-set", some, "--inh-caps", some, "--ambient-caps", some]


def names(mask):
    """The members of a set as /proc/PID/status writes it; a number for one that is not above."""
    known = {number: name for name, number in NUMBER.items()}
    mask = int(mask, 16)
    return {known.get(i, i) for i in range(64) if mask >> i & 1}


def status(pid):
    """{thread id: {field: value}} of all threads of a process, capabilities as sets."""
    result = {}
    for task in os.listdir(f"/proc/{pid}/task"):
        fields = dict(re.findall(r"^(\w+):\s*(.*)$", net.read(f"/proc/{pid}/task/{task}/status"),
                                 re.M))
        fields.update({name: names(fields[name]) for name in SETS})
        result[int(task)] = fields
    return result


def is_hidden(pid):
    """Is the memory of a process that is not root's kept from others of its user? Its files in
    /proc are root's then (proc(5), PR_SET_DUMPABLE)."""
    return os.stat(f"/proc/{pid}/environ").st_uid == 0
