# SPDX-License-Identifier: GPL-2.0-only
"""What grows with how much there is, and what does not."""
import memory
import packet_rows
from table import Row

MILLION = 1.10  # at most, a packet's cost with a million established connections


def more(pair):
    """ns a round more than the empty program's."""
    return [ours - empty for ours, empty in zip(*pair)]


def kind(hook, name):
    """Rows of one kind stand together, in the order of measuring."""
    return hook, name.split(",")[0], name.split()[-1]


def packet_growth(quick):
    """Cost of a packet with connections established and with handshakes in flight. Established
    ones made a handshake and a record before; their data packets come in turn, so that the memory
    that they touch is touched. 0 established is one tuple on which nothing was seen."""
    found = packet_rows.measure(3 if quick else 21, "--growth")
    rows = [Row("growth", f"{hook}: {name}", "ns more", *pair, "difference")
            for (hook, name), pair in sorted(found.items(), key=lambda f: kind(*f[0]))]
    for hook in ("tc", "xdp"):
        rows.append(Row("growth", f"{hook}: data packet, 1000000 established to 0", "x",
                        more(found[hook, "data packet, 1000000 established"]),
                        more(found[hook, "data packet, 0 established"]), "ratio", MILLION, far=5,
                        note="of what is more than the empty program's; all speak in turn"))
    return rows


def run(quick):
    return packet_growth(quick) + memory.rows(quick)
