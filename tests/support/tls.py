"""A certificate authority for one test run, in a directory of its own."""

import datetime as dt
import os
from dataclasses import dataclass
from pathlib import Path

from lakekey_sandbox import authority

# Tests step clocks by a day either way; the certificate must not be what fails.
_SKEW = dt.timedelta(days=7)


@dataclass(frozen=True)
class Certificates:
    """Paths of PEM files."""

    ca: Path
    cert: Path
    key: Path


def write_certificates(directory: Path, *, for_client: bool = False, skew: dt.timedelta = _SKEW) -> Certificates:
    """Makes a CA and a certificate signed by it, for a server on loopback or for a TLS client.

    Args:
        directory: Where they go.
        for_client: Whether it is for a client.
        skew: Since when they are valid, before now.

    The CA's own key is never written: nothing else can be signed by it later.
    """
    chain = authority.make("lakekey test CA", skew=skew, constrained=False, for_client=for_client)
    paths = Certificates(directory / "ca.pem", directory / "cert.pem", directory / "key.pem")
    paths.ca.write_bytes(chain.ca)
    paths.cert.write_bytes(chain.certificate)
    _write_secret(paths.key, chain.key)
    return paths


def _write_secret(path: Path, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
