"""Nothing that only POSIX has is needed to import any part of the product."""

import subprocess
import sys

CODE = """
import importlib, pkgutil, sys
for name in ("fcntl", "grp", "pwd", "resource", "termios", "pty", "tty", "syslog", "crypt", "spwd"):
    sys.modules[name] = None
import os
for name in ("O_NOFOLLOW", "O_CLOEXEC", "O_NONBLOCK", "geteuid", "getuid", "register_at_fork", "posix_fallocate", "fork"):
    if hasattr(os, name):
        delattr(os, name)
import lakekey
for module in pkgutil.walk_packages(lakekey.__path__, "lakekey."):
    if not module.name.startswith(("lakekey.spark", "lakekey.airflow", "lakekey.dbt")):
        importlib.import_module(module.name)
        print(module.name)
"""


def test_every_module_of_the_product_imports_without_the_modules_and_calls_that_only_posix_has():
    done = subprocess.run([sys.executable, "-c", CODE], check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    imported = done.stdout.split()
    assert {
        "lakekey.cache.stores.file",
        "lakekey.cache.keys.keyring",
        "lakekey.cache.rotation",
        "lakekey.cli.keys",
    } <= set(imported)
