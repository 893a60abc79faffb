# SPDX-License-Identifier: GPL-2.0-only
"""What `make bench` measured: rows of paired rounds, the table of them, and what is far off."""
import statistics

# Of a share that should be near 1, beside twice the target's shortfall: on a shared machine the
# median of a few rounds is off by a tenth now and then.
NOISE = 0.25
HEADS = ("section", "what", "unit", "median", "min", "max", "target", "")


class Sample:
    """The figures of all rounds: .values, .median, .low and .high (the least and the most)."""

    def __init__(self, values):
        self.values = [float(v) for v in values]
        if not self.values:
            raise ValueError("a sample without values")
        self.median = statistics.median(self.values)
        self.low = min(self.values)
        self.high = max(self.values)


class Row:
    """One line of the table.

    values, base: a figure a round, ours and what it is held against; rounds alternate in one run,
    so the two are paired. show: "value" (of values), "ratio" (values / base) or "difference"
    (values - base), each a round. target: a bound of the median, on the side that `better`
    ("lower", "higher") names; None when there is none. exact: every round must equal the target.
    far: the figure beyond which it is far off, where that is not twice the target.
    """

    def __init__(self, section, name, unit, values, base=None, show="value", target=None,
                 better="lower", exact=False, far=None, note=""):
        if show not in ("value", "ratio", "difference") or better not in ("lower", "higher"):
            raise ValueError(f"{section}: {name}: show={show} better={better}")
        if exact and target is None:
            raise ValueError(f"{section}: {name}: exact, but no target")
        self.section, self.name, self.unit = section, name, unit
        self.values = [float(v) for v in values]
        self.base = None if base is None else [float(v) for v in base]
        self.show, self.target, self.better = show, target, better
        self.exact, self.far, self.note = exact, far, note
        self.figures = Sample(self._figures())

    def _figures(self):
        if self.show == "value":
            return self.values
        if self.base is None or len(self.base) != len(self.values):
            raise ValueError(f"{self.section}: {self.name}: rounds are not paired")
        pairs = list(zip(self.values, self.base))
        if self.show == "ratio":
            return [v / b for v, b in pairs]
        return [v - b for v, b in pairs]

    @property
    def figure(self):
        return self.figures.median

    @property
    def met(self):
        """True, False, or None without a target."""
        if self.target is None:
            return None
        if self.exact:
            return all(v == self.target for v in self.figures.values)
        return self.figure <= self.target if self.better == "lower" else self.figure >= self.target

    @property
    def far_off(self):
        """Is it beyond what noise explains? As a rule that is worse than twice the target."""
        if self.met in (None, True):
            return False
        if self.exact:
            return True
        if self.far is not None:
            return self.figure > self.far
        if self.better == "lower":
            return self.figure > 2 * self.target
        if self.target <= 1:
            return 1 - self.figure > 2 * (1 - self.target) + NOISE
        return self.figure < self.target / 2

    def as_json(self):
        return {"section": self.section, "name": self.name, "unit": self.unit, "show": self.show,
                "median": self.figure, "min": self.figures.low, "max": self.figures.high,
                "target": self.target, "better": self.better, "exact": self.exact,
                "met": self.met, "note": self.note, "values": self.values, "base": self.base}


def number(value):
    """Three or four digits that mean something."""
    if value is None:
        return ""
    size = abs(value)
    if size >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if size >= 10 else f"{value:.3f}"


def cells(row):
    if row.target is None:
        bound, word = "", ""
    else:
        sign = "=" if row.exact else "<=" if row.better == "lower" else ">="
        bound = f"{sign} {number(row.target)}"
        word = "met" if row.met else "FAR OFF" if row.far_off and not row.exact else "MISSED"
    figures = (row.figure, row.figures.low, row.figures.high)
    return (row.section, row.name, row.unit, *map(number, figures), bound, word)


def render(rows):
    """The table as text; a row's note stands below it."""
    lines = [HEADS] + [cells(row) for row in rows]
    width = [max(len(line[i]) for line in lines) for i in range(len(HEADS))]
    out = []
    for i, line in enumerate(lines):
        parts = [text.ljust(width[at]) if at < 3 else text.rjust(width[at])
                 for at, text in enumerate(line)]
        out.append("  ".join(parts).rstrip())
        if i and rows[i - 1].note:
            out.append(" " * (width[0] + 4) + rows[i - 1].note)
    return "\n".join(out)
