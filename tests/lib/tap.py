# SPDX-License-Identifier: GPL-2.0-only
"""Runs test functions and prints TAP; tests/run reads it."""
import os
import signal
import sys
import time
import traceback

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, "build")


class Skip(Exception):
    """Raised by a test that cannot run here; its text is the reason."""


def equal(got, want, what=""):
    """Fail unless got == want."""
    if got != want:
        raise AssertionError(f"{what + ': ' if what else ''}got {got!r}, want {want!r}")


def wait_for(condition, what, timeout=10.0):
    """Call condition until its result is true, and return it; fail after timeout seconds."""
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f"waited {timeout} s for {what}")
        time.sleep(0.02)


def diagnose(text):
    for line in str(text).splitlines():
        print("#", line)


def show(text):
    """What was measured: tests/run prints it whether the tests pass or not."""
    for line in str(text).splitlines():
        print("#:", line)


def _one(number, test, on_failure):
    name = " ".join((test.__doc__ or test.__name__).split())
    try:
        test()
    except Skip as skip:
        print(f"ok {number} - {name} # SKIP {skip}")
    except Exception:  # noqa: any failure of a test is a result
        print(f"not ok {number} - {name}")
        diagnose(traceback.format_exc())
        if on_failure:
            diagnose(on_failure())
    else:
        print(f"ok {number} - {name}")
    sys.stdout.flush()


def run(tests, on_failure=None):
    """Run functions; their doc strings are the names. on_failure() adds to a diagnosis."""
    print(f"1..{len(tests)}", flush=True)
    for number, test in enumerate(tests, 1):
        _one(number, test, on_failure)


def named(name, function, *args):
    """A test called name that calls function(*args)."""
    def test():
        function(*args)
    test.__doc__ = name
    return test


def _terminated(signum, _frame):
    sys.exit(128 + signum)  # unwinds: with blocks and atexit take everything down


for _signal in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
    signal.signal(_signal, _terminated)
