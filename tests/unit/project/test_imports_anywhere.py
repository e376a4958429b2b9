"""Nothing that only POSIX has is needed to import any part of the product."""

import subprocess
import sys

from lakekey._renewal_imports import _IMPORTS, _NEVER_IMPORTED

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

# What a renewal loads of the libraries, as far as they are here.
LIBRARIES = """
import importlib, importlib.util, sys
sys.modules.update(dict.fromkeys(sys.argv[1].split()))
for name in sys.argv[2].split() + [
    "azure.identity", "botocore.session", "google.auth.transport.requests", "keyring.backends.SecretService",
    "opentelemetry.trace", "psycopg.rows", "redis.sentinel",
]:
    if importlib.util.find_spec(name.partition(".")[0]) is not None:
        importlib.import_module(name)
        print(name)
"""


def test_no_library_of_a_renewal_imports_a_module_whose_name_is_left_to_programs():
    names, libraries = " ".join(_NEVER_IMPORTED), " ".join(sorted(_IMPORTS - sys.stdlib_module_names))
    arguments = [sys.executable, "-c", LIBRARIES, names, libraries]
    done = subprocess.run(arguments, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert {"keyring", "psycopg", "redis", "requests"} <= set(done.stdout.split())


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
