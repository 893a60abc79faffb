#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Prints the fault table of a file that FAULTS_TABLE named: usage: table.py FILE"""
import sys
import textwrap

HEADS = ("fault", "what was injected", "what was lost", "what recovered")
WIDTHS = (22, 38, 38, 38)


def show(fields):
    columns = [textwrap.wrap(text, width) or [""] for text, width in zip(fields, WIDTHS)]
    for n in range(max(map(len, columns))):
        print("  ".join((c[n] if n < len(c) else "").ljust(w)
                        for c, w in zip(columns, WIDTHS)).rstrip())


with open(sys.argv[1]) as table:
    rows = [line.rstrip("\n").split("\t") for line in table]
show(HEADS)
show(["-" * width for width in WIDTHS])
for row in rows:
    show(row)
