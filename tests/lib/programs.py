# SPDX-License-Identifier: GPL-2.0-only
"""Where the programs under build/testroot/ are (see tests/testroot.sh), else the host's."""
import glob
import os
import shutil

import tap

ROOT = os.path.join(tap.BUILD, "testroot", "fs")
_LIBRARIES = [d for pattern in ("usr/lib/*-linux-gnu", "lib/*-linux-gnu")
              for d in glob.glob(os.path.join(ROOT, pattern))]


def find(name):
    """The argv[0] of a program."""
    for directory in ("usr/bin", "usr/sbin"):
        path = os.path.join(ROOT, directory, name)
        if os.access(path, os.X_OK):
            return path
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise AssertionError(f"{name} is not there. Next: tests/testroot.sh")
    return path


def env(name):
    """Its environment: unpacked libraries only for unpacked programs."""
    result = dict(os.environ)
    if find(name).startswith(ROOT):
        result["LD_LIBRARY_PATH"] = ":".join(_LIBRARIES)
    return result


def apache_modules():
    unpacked = os.path.join(ROOT, "usr/lib/apache2/modules")
    return unpacked if os.path.isdir(unpacked) else "/usr/lib/apache2/modules"
