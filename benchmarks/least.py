"""The least that a sealed cache costs a new process: profile, key and entry read, one envelope opened, in one file.

It checks nothing of what it reads. It is here for the cold start's budget (docs/explanation/design.md).
"""

import hmac
import json
import os
import time
from binascii import a2b_base64

from cryptography.hazmat.primitives.ciphers.aead import AESGCM


def headers(profile: str, name: str) -> dict[str, str]:
    """The header of an entry that lives.

    Args:
        profile: The profile, which has to be there.
        name: The entry's.
    """
    cache, settings, inside = os.environ["LAKEKEY_CACHE_DIR"], {}, False
    for line in _read(os.environ["DATABRICKS_CONFIG_FILE"]).decode().splitlines():
        if line.startswith("["):
            inside = line == f"[{profile}]"
        elif inside and "=" in line:
            key, value = line.split("=", 1)
            settings[key.strip()] = value.strip()
    json.loads(_read(f"{cache}/cache.json"))
    ring = [line for line in _read(f"{cache}/master.key").decode().splitlines() if not line.startswith("#")]
    envelope = _read(f"{cache}/entries/{name}.entry")
    header, nonce, sealed = envelope[:41], envelope[29:41], envelope[41:]
    pseudorandom = hmac.digest(header[13:29], a2b_base64(ring[0]), "sha256")
    key = hmac.digest(pseudorandom, f"lakekey entry v1{name}\x01".encode(), "sha256")
    entry = json.loads(AESGCM(key).decrypt(nonce, sealed, header + name.encode()))
    if not settings["host"] or entry["expires_at"] < time.time():
        raise LookupError(profile)
    return {"Authorization": f"Bearer {entry['access_token']}"}


def _read(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read()
