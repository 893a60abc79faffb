#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Captures of TLS 1.3 with the server's decrypted choice: what `read` infers must be right.

Each capture alone, and each server's captures as one stream, from which `read` may learn.
"""
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))

import tap  # noqa: E402

SHARED = os.path.join(os.path.dirname(tap.ROOT), "shared")
CORPUS = os.path.join(SHARED, "tls13-corpus")
SCORE = os.path.join(SHARED, "tools", "score-tls13.py")
WRONG_MOST = 0.01  # of a grade other than exact
# Real clients and servers, h2 offered: the share that is decided. May only be raised.
ALONE_LEAST = 88.0
STREAM_LEAST = 90.0
ROW = re.compile(r"(\d+) (\S+) (\S+) (\S+)/(\S+) (right|WRONG|undecided)$")
LAST = re.compile(r"captures (\d+), unreadable or wrong offer (\d+), wrong (\d+), "
                  r"TLS 1\.3 real pairs decided (\d+)/(\d+)")


class Score:
    """What the scorer printed: answers by grade, right and wrong, and the share decided."""

    def __init__(self, *options):
        argv = [sys.executable, SCORE, os.path.join(tap.BUILD, "alpnscope"), CORPUS, *options]
        done = subprocess.run(argv, capture_output=True, text=True, check=True)
        self.text = done.stdout
        self.grades = defaultdict(Counter)
        for line in self.text.splitlines():
            row = ROW.match(line)
            if row and row.group(2) == "1.3":
                self.grades[row.group(5)][row.group(6)] += int(row.group(1))
        last = LAST.search(self.text)
        self.captures, self.broken, self.wrong, decided, total = map(int, last.groups())
        self.share = 100.0 * decided / total


def tests(alone, stream):
    def every_capture():
        """each capture is one event, with the offer that was made"""
        assert alone.captures > 500 and not alone.broken, alone.text
        assert not stream.broken, stream.text

    def exact_is_exact():
        """no answer of grade exact is wrong, and there are many"""
        for score in (alone, stream):
            exact = score.grades["exact"]
            assert exact["right"] > 250 and not exact["WRONG"], score.text

    def others_are_rarely_wrong():
        """of any other grade at most one answer in a hundred is wrong"""
        for score in (alone, stream):
            for grade, n in score.grades.items():
                assert n["WRONG"] <= WRONG_MOST * (n["WRONG"] + n["right"]), (grade, score.text)

    def nothing_in_clear_is_wrong():
        """what is no inference is never wrong"""
        inferred = sum(n["WRONG"] for n in alone.grades.values())
        assert alone.wrong == inferred, alone.text

    def decided_alone():
        """the share that is decided from each capture alone does not shrink"""
        assert alone.share >= ALONE_LEAST, alone.text

    def decided_in_a_stream():
        """nor the share with learning, which decides more"""
        assert stream.share >= STREAM_LEAST and stream.share > alone.share, stream.text
        assert stream.grades["learned"]["right"] > 0, stream.text

    return [every_capture, exact_is_exact, others_are_rarely_wrong, nothing_in_clear_is_wrong,
            decided_alone, decided_in_a_stream]


def main():
    if not os.path.isdir(CORPUS) or not os.path.exists(SCORE):
        print(f"1..0 # SKIP no captures to score: {CORPUS} or {SCORE} is not there")
        return
    if subprocess.run(["sh", "-c", "command -v mergecap"], capture_output=True,
                      check=False).returncode:
        print("1..0 # SKIP mergecap is missing; next: apt-get install wireshark-common")
        return
    alone, stream = Score(), Score("--stream")
    tap.diagnose(f"alone: {alone.text.splitlines()[-1]}\nstream: {stream.text.splitlines()[-1]}")
    tap.run(tests(alone, stream))


if __name__ == "__main__":
    main()
