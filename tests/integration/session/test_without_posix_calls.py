"""Windows has fewer calls than POSIX, and macOS fewer than Linux: an exchange must get by without the missing ones."""

import json
import os
import pathlib
import subprocess
import sys

from lakekey.cache.opening import open_cache

# Absent from the `os` module on Windows, by Python's documentation.
_ABSENT = """
chown fchown fork forkpty getegid geteuid getgid getgrouplist getgroups getpgid getpgrp getuid killpg lchown lockf mkfifo
openpty pipe2 posix_fadvise posix_fallocate posix_spawn pread preadv pwrite pwritev readv register_at_fork sendfile
setsid statvfs sysconf tcgetpgrp tcsetpgrp uname wait writev
"""

_LIKE_WINDOWS = f"""
import os, pathlib, sys
import filelock, requests, ssl, subprocess, threading, urllib.request  # these look at the real system
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
for name in {_ABSENT!r}.split():
    if hasattr(os, name):
        delattr(os, name)
for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_DIRECTORY"):
    if hasattr(os, name):
        delattr(os, name)
for name in ("fcntl", "pwd", "grp", "termios", "resource"):
    sys.modules[name] = None
os.name = "nt"
pathlib.WindowsPath = pathlib.PosixPath  # the paths of this system are what they are
"""

# Absent there by Python's documentation; its F_FULLFSYNC is what this kernel refuses, as a network's file system does.
_LIKE_MACOS = """
import asyncio, fcntl, os, pathlib, sys
import filelock, requests, ssl, subprocess, threading, urllib.request
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
for name in ("copy_file_range", "getrandom", "memfd_create", "pidfd_open", "pipe2", "posix_fadvise", "posix_fallocate"):
    delattr(os, name)
fcntl.F_FULLFSYNC = 51
sys.platform = "darwin"
for name in [each for each in sys.modules if each.startswith("platformdirs")]:
    del sys.modules[name]  # which was told of another system
"""

_RENEWS = """
import json
import lakekey
p = lakekey.provider(**json.loads(sys.argv[1]))
first = p.token().access_token
p.invalidate(first)
print(p.token().access_token != first)
"""


def test_exchange_needs_no_posix_only_call(lakekey_environment):
    box = lakekey_environment
    settings = {
        "host": box.host,
        "ca_file": box.ca_file,
        "client_id": box.client_id,
        "client_secret": box.client_secret,
    }
    done = subprocess.run(
        [sys.executable, "-c", _LIKE_WINDOWS + _RENEWS, json.dumps(settings)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr
    assert len(open_cache().list()) == 1


def test_exchange_needs_nothing_that_macos_lacks(lakekey_environment):
    box = lakekey_environment
    credentials = {"client_id": box.client_id, "client_secret": box.client_secret}
    settings = {"host": box.host, "ca_file": box.ca_file, **credentials}
    done = subprocess.run(
        [sys.executable, "-c", _LIKE_MACOS + _RENEWS, json.dumps(settings)],
        env={name: value for name, value in os.environ.items() if name != "LAKEKEY_CACHE_DIR"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "True\n", done.stderr
    assert list(pathlib.Path.home().glob("Library/Application Support/lakekey/entries/*.entry"))
