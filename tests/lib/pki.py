# SPDX-License-Identifier: GPL-2.0-only
"""A certificate authority and one server certificate, made once under build/pki/."""
import os
import shutil
import tempfile

import tap
from net import sh

DIR = os.path.join(tap.BUILD, "pki")
CA = os.path.join(DIR, "ca.pem")
CERT = os.path.join(DIR, "server.pem")
KEY = os.path.join(DIR, "server.key")
BOTH = os.path.join(DIR, "both.pem")  # certificate and key, as haproxy wants them
DOMAIN = "example.test"
SAN = ("subjectAltName=DNS:example.test,DNS:*.example.test,DNS:localhost,"
       "IP:127.0.0.1,IP:::1,IP:10.77.0.1,IP:fd00:77::1")


def _key_and_cert(directory, name, subject, *extra):
    key, cert = os.path.join(directory, name + ".key"), os.path.join(directory, name + ".pem")
    sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
       "-nodes", "-days", "365", "-subj", f"/CN={subject}", "-keyout", key, "-out", cert, *extra)
    return key, cert


def authority(directory, name):
    """Another certificate authority's (key, certificate)."""
    return _key_and_cert(directory, name, name)


def issue(directory, name, *extensions, ca=None):
    """(key, certificate) of `name`, by authority() or the one of all tests."""
    make()
    ca_key, ca_cert = ca or (os.path.join(DIR, "ca.key"), CA)
    return _key_and_cert(directory, name, name, "-CA", ca_cert, "-CAkey", ca_key,
                         *(word for e in ("basicConstraints=critical,CA:false", *extensions)
                           for word in ("-addext", e)))



def expired(directory, name):
    """(key, certificate) of `name`, by the authority of all tests, good until yesterday."""
    key, cert = issue(directory, name)
    request = os.path.join(directory, name + ".csr")
    sh("openssl", "req", "-new", "-key", key, "-subj", f"/CN={name}", "-out", request)
    sh("openssl", "x509", "-req", "-days", "-1", "-in", request, "-out", cert, "-CA", CA,
       "-CAkey", os.path.join(DIR, "ca.key"), "-CAcreateserial", "-CAserial",
       os.path.join(directory, "serial"))
    return key, cert


def make():
    """Make the files unless they are there and good for a day more."""
    if os.path.exists(BOTH):
        try:
            sh("openssl", "x509", "-checkend", "86400", "-noout", "-in", CERT)
            return
        except AssertionError:
            shutil.rmtree(DIR)
    os.makedirs(tap.BUILD, exist_ok=True)
    fresh = tempfile.mkdtemp(prefix="pki.", dir=tap.BUILD)
    ca_key, ca = _key_and_cert(fresh, "ca", "alpnscope test CA")
    key, cert = _key_and_cert(fresh, "server", DOMAIN, "-CA", ca, "-CAkey", ca_key,
                              "-addext", SAN, "-addext", "basicConstraints=critical,CA:false")
    with open(os.path.join(fresh, "both.pem"), "w") as both:
        for part in (cert, key):
            with open(part) as f:
                both.write(f.read())
    os.chmod(fresh, 0o755)
    os.chmod(key, 0o644)  # servers that drop privileges read it; it protects nothing
    os.rename(fresh, DIR)
