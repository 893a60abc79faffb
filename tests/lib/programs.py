# SPDX-License-Identifier: GPL-2.0-only
"""Where the programs under build/testroot/ (see tests/testroot.sh) and build/trixie/ (see
tests/trixie.sh) are, else the host's."""
import glob
import os
import shutil

import tap

ROOT = os.path.join(tap.BUILD, "testroot", "fs")
TRIXIE = os.path.join(tap.BUILD, "trixie")
_LIBRARIES = [d for pattern in ("usr/lib/*-linux-gnu", "lib/*-linux-gnu",
                                "usr/lib/*-linux-gnu/pulseaudio")
              for d in glob.glob(os.path.join(ROOT, pattern))]


def find(name):
    """The argv[0] of a program."""
    for directory in (f"{ROOT}/usr/lib/chromium", f"{ROOT}/usr/bin", f"{ROOT}/usr/sbin",
                      f"{TRIXIE}/bin"):
        path = os.path.join(directory, name)
        if os.access(path, os.X_OK):
            return path
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise AssertionError(f"{name} is not there. Next: make test-deps")
    return path


def env(name):
    """Its environment: unpacked libraries only for unpacked programs."""
    result = dict(os.environ)
    if find(name).startswith(ROOT):
        result["LD_LIBRARY_PATH"] = ":".join(_LIBRARIES)
    return result


def apache_modules(program="apache2"):
    if program == "apache2-trixie":
        return os.path.join(TRIXIE, "fs/usr/lib/apache2/modules")
    unpacked = os.path.join(ROOT, "usr/lib/apache2/modules")
    return unpacked if os.path.isdir(unpacked) else "/usr/lib/apache2/modules"
