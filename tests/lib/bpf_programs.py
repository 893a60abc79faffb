# SPDX-License-Identifier: GPL-2.0-only
"""BPF programs that are loaded, and the traces of uprobes in a process."""
import contextlib
import json
import os
import re

from net import sh


def _all():
    return json.loads(sh("bpftool", "-j", "prog", "show"))


def all_ids():
    return [p["id"] for p in _all()]


def of(pid):
    """{id: name} of the programs that a process has loaded."""
    found = {}
    for fd in os.listdir(f"/proc/{pid}/fdinfo"):
        # An agent that follows processes opens and closes files all the time.
        with contextlib.suppress(FileNotFoundError), open(f"/proc/{pid}/fdinfo/{fd}") as f:
            number = re.search(r"^prog_id:\s*(\d+)", f.read(), re.M)
            if number:
                found[int(number.group(1))] = None
    return {p["id"]: p.get("name") for p in _all() if p["id"] in found}


def changed_bytes(pid, library):
    """How many bytes of the code of a library differ, in this process, from its file: a uprobe is
    a breakpoint there."""
    differ = 0
    with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb") as memory:
        for line in maps:
            at, mode, offset, _, _, path = (line.split(None, 5) + [""])[:6]
            if "x" not in mode or library not in path:
                continue
            start, end = (int(x, 16) for x in at.split("-"))
            memory.seek(start)
            with open(path.strip(), "rb") as file:
                file.seek(int(offset, 16))
                differ += sum(a != b for a, b in zip(memory.read(end - start),
                                                     file.read(end - start)))
    return differ
