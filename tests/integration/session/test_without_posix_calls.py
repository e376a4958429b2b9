"""Windows has fewer calls than POSIX, and macOS fewer than Linux: an exchange must get by without the missing ones."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

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


# What asks Linux' /proc says nothing there; a lock's holder is known by no mark, and a taken port's by a command.
_ASKS_PROC = """
from lakekey.cache.stores import network_files, process_mark
from lakekey.login import port_holders, seat
import socket
with socket.create_server(("127.0.0.1", 0)) as taken:
    holders = port_holders.holders_of([taken.getsockname()[1]])
mark = process_mark.mark_here()
print(os.path.exists("/proc/self"), holders, network_files.is_elsewhere("/"), repr(mark), seat._kernel_release() == "")
"""


def like_macos(program, *arguments, **environ):
    """What a program prints where nothing is that macOS lacks: no call of Linux' own, and no /proc."""
    if os.geteuid() != 0:
        pytest.skip("this user may not take /proc away")
    alone = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
    done = subprocess.run(
        [*alone, sys.executable, "-c", _LIKE_MACOS + program, *arguments],
        env={**{name: value for name, value in os.environ.items() if name != "LAKEKEY_CACHE_DIR"}, **environ},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def credentials(lakekey_environment):
    """A service principal's settings, as the programs read them."""
    box = lakekey_environment
    secrets = {"client_id": box.client_id, "client_secret": box.client_secret}
    return json.dumps({"host": box.host, "ca_file": box.ca_file, **secrets})


def test_exchange_needs_nothing_that_macos_lacks(credentials):
    assert like_macos(_RENEWS, credentials) == "True\n"
    assert list(pathlib.Path.home().glob("Library/Application Support/lakekey/entries/*.entry"))


def test_what_proc_tells_on_linux_is_not_known_on_macos():
    assert like_macos(_ASKS_PROC) == "False [] False '' True\n"


def test_file_system_without_locks_keeps_nothing_and_a_service_principal_is_served(credentials, tmp_path):
    """As a share of a server may answer on macOS: ENOTSUP."""
    refused = """
import errno
def refuse(*_):
    raise OSError(errno.ENOTSUP, "Operation not supported")
fcntl.flock = refuse
"""
    renewed = like_macos(refused + _RENEWS, credentials, LAKEKEY_CACHE_DIR=str(tmp_path / "share"))
    assert renewed == "True\n"
    assert not list(tmp_path.glob("share/entries/*.entry"))
