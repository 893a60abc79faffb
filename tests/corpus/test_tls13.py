#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
"""Captures of TLS 1.3 with the server's decrypted choice: what `read` infers must be right.

Each capture alone, and each server's captures as one stream, from which `read` may learn.
"""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "lib"))
sys.path.insert(0, HERE)

import tap  # noqa: E402
import tls13  # noqa: E402

CORPUS = os.path.join(os.path.dirname(tap.ROOT), "shared", "tls13-corpus")
BINARY = os.path.join(tap.BUILD, "alpnscope")
WRONG_MOST = 0.01  # of a grade other than exact
# Real clients and servers, h2 offered: the share that is decided. May only be raised.
ALONE_LEAST = 88.0
STREAM_LEAST = 91.0
STREAM_WANTED = 97.0
# What stays open in a stream, and why: by how the name of the capture begins.
OPEN = {
    "adv-deno.": "one flight without an offer, and before all others: a certificate that is 15 "
                 "bytes longer since then, and no ALPN, would look the same",
    "deno2.9-raw.none.": "no flight without an offer, none resumed: each other answer has but one "
                         "flight against it",
}


def tests(single, stream, broken):
    def every_capture():
        """each capture is one event, with the offer that was made, in a stream too"""
        assert sum(single.total.values()) > 400 and not broken, broken

    def exact_is_exact():
        """no answer of grade exact is wrong, and there are many"""
        for score in (single, stream):
            exact = score.by["grade"]["exact"]
            assert exact["right"] > 250 and not exact["wrong"], score.wrong

    def others_are_rarely_wrong():
        """of any other grade at most one answer in a hundred is wrong"""
        for score in (single, stream):
            for grade, n in score.by["grade"].items():
                assert n["wrong"] <= WRONG_MOST * (n["wrong"] + n["right"]), (grade, score.wrong)

    def decided_alone():
        """the share that is decided from each capture alone does not shrink"""
        assert single.share() >= ALONE_LEAST, single.open

    def decided_in_a_stream():
        """nor the share with learning, which decides more"""
        assert stream.share() >= STREAM_LEAST and stream.share() > single.share(), stream.open
        assert stream.by["grade"]["learned"]["right"] > 30, stream.by["grade"]

    def open_for_a_reason():
        """what stays open in a stream is known, and why it cannot be told"""
        for name in stream.open:
            assert name.startswith(tuple(OPEN)), name

    return [every_capture, exact_is_exact, others_are_rarely_wrong, decided_alone,
            decided_in_a_stream, open_for_a_reason]


def tell(single, stream):
    for line in tls13.table(single, stream):
        tap.diagnose(line)
    total = sum(single.real.values())
    tap.diagnose(f"real clients and servers, h2 offered, {total}: alone {single.share():.1f} % "
                 f"(least {ALONE_LEAST}), as streams {stream.share():.1f} % (wanted "
                 f"{STREAM_WANTED}, least {STREAM_LEAST})")
    for start, why in OPEN.items():
        count = sum(name.startswith(start) for name in stream.open)
        tap.diagnose(f"  open: {count} of {start}*: {why}")


def main():
    if not os.path.isdir(CORPUS):
        print(f"1..0 # SKIP no captures to score: {CORPUS} is not there")
        return
    if subprocess.run(["sh", "-c", "command -v mergecap"], capture_output=True,
                      check=False).returncode:
        print("1..0 # SKIP mergecap is missing; next: apt-get install wireshark-common")
        return
    rows = tls13.load(CORPUS)
    events, broken = tls13.alone(BINARY, CORPUS, rows)
    merged, more = tls13.as_streams(BINARY, CORPUS, rows, events)
    single, stream = tls13.Score(rows, events), tls13.Score(rows, merged)
    tell(single, stream)
    tap.run(tests(single, stream, broken + more))


if __name__ == "__main__":
    main()
