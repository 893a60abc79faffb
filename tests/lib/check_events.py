#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-only
"""Check JSON lines against docs/events.schema.json.

usage: check_events.py [FILE...]    standard input without a FILE

Prints how many lines were checked. The first line that is wrong ends the check with
exit status 1 and is named on standard error with its file, number and reason.
"""
import json
import pathlib
import sys

import jsonschema

SCHEMA = pathlib.Path(__file__).resolve().parents[2] / "docs" / "events.schema.json"


class Bad(Exception):
    """A line that is no event."""


def no_duplicates(pairs):
    """Python keeps the last of two equal keys; readers differ, so it is an error here."""
    keys = [key for key, _ in pairs]
    if len(keys) != len(set(keys)):
        raise Bad(f"a key stands twice: {keys}")
    return dict(pairs)


def no_constant(text):
    """NaN and Infinity are not JSON."""
    raise Bad(f"{text} is not JSON")


class Checker:
    """The schema, ready for many lines."""

    def __init__(self, path=SCHEMA):
        schema = json.loads(path.read_text())
        cls = jsonschema.Draft202012Validator
        cls.check_schema(schema)
        self.validator = cls(schema, format_checker=jsonschema.FormatChecker(("ipv4", "ipv6")))

    def check(self, line):
        """Return the line's object, or raise Bad with the reason. `line` is bytes."""
        if not line.endswith(b"\n"):
            raise Bad("the last line has no newline")
        try:
            event = json.loads(line.decode("ascii"), object_pairs_hook=no_duplicates,
                               parse_constant=no_constant)
        except ValueError as e:
            raise Bad(str(e)) from e
        error = jsonschema.exceptions.best_match(self.validator.iter_errors(event))
        if error:
            raise Bad(f"{error.json_path}: {error.message}")
        return event


def main(files):
    checker = Checker()
    lines = 0
    for name in files or ["-"]:
        stream = sys.stdin.buffer if name == "-" else open(name, "rb")
        with stream:
            for number, line in enumerate(stream, 1):
                try:
                    checker.check(line)
                except Bad as e:
                    print(f"{name}:{number}: {e}\n  {line!r}", file=sys.stderr)
                    return 1
                lines += 1
    print(f"{lines} lines follow {SCHEMA.name}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
