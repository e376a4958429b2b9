"""Which modules a renewal may import: a caller in the midst of importing one of them cannot wait for the renewal.

Python locks each module while it is imported, so the thread that renews would wait for this caller in turn.
"""

import sys

from lakekey._imports import amid_locked_step, importing

# Python's modules that no renewal imports, though they have names that programs give to packages of their own. Only the
# name counts: it is what Python locks, whichever file is imported by it. `site` imports code of the program as Python
# starts, and a program can be part of what `idlelib` imports.
_NEVER_IMPORTED = {
    "antigravity", "cProfile", "chunk", "cmd", "code", "crypt", "fileinput", "graphlib", "idlelib", "mailbox", "pdb",
    "pipes", "profile", "pstats", "pty", "resource", "sched", "site", "syslog", "test", "this", "trace", "turtle",
    "venv", "wave",
}  # fmt: skip
_IMPORTS = sys.stdlib_module_names - _NEVER_IMPORTED | {
    "OpenSSL", "azure", "backports", "botocore", "brotli", "brotlicffi", "certifi", "chardet", "charset_normalizer",
    "cryptography", "filelock", "google", "h2", "idna", "importlib_metadata", "jaraco", "jeepney", "keyring",
    "more_itertools", "msal", "opentelemetry", "platformdirs", "psycopg", "psycopg_binary", "psycopg_c", "redis",
    "requests", "secretstorage", "simplejson", "socks", "typing_extensions", "urllib3", "zstandard",
}  # fmt: skip


def cannot_wait() -> bool:
    """Whether the calling code must wait for no other thread of ours, and start none: they may wait for it."""
    return importing(_IMPORTS) or amid_locked_step()
