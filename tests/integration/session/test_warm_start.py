"""What a new process on a warm cache loads: the key and the entry, and nothing that talks, locks or logs."""

import os
import subprocess
import sys
import time

import pytest

import lakekey
from lakekey.cache.entry import Entry, entry_id
from lakekey.cache.opening import open_cache
from lakekey.configuration.target import resolve
from support.cache_processes import run

SOURCE = os.path.dirname(os.path.dirname(lakekey.__file__))
HOST = "https://dev.cloud.databricks.com"
HEAVY = (
    "asyncio", "dataclasses", "databricks", "filelock", "keyring", "lakekey.observability", "logging",
    "opentelemetry", "pathlib", "platformdirs", "random", "requests", "secrets", "ssl", "subprocess", "urllib3",
)  # fmt: skip
LEFT_OUT = ("cryptography.hazmat.primitives", "cryptography.exceptions", "typing")
# What each costs is in every program's start: one more is a decision (docs/explanation/performance.md).
OURS = (
    "lakekey", "lakekey._hosts", "lakekey._imports", "lakekey._json", "lakekey._log", "lakekey._named_tuple",
    "lakekey.cache",
    "lakekey.cache.cache", "lakekey.cache.entry", "lakekey.cache.envelope", "lakekey.cache.keys",
    "lakekey.cache.keys.choice", "lakekey.cache.keys.file", "lakekey.cache.keys.in_force", "lakekey.cache.keys.ring",
    "lakekey.cache.keys.sources", "lakekey.cache.opening", "lakekey.cache.private_files", "lakekey.cache.safe_path",
    "lakekey.cache.sealed_store",
    "lakekey.cache.stores", "lakekey.cache.stores.file", "lakekey.cache.unwritten", "lakekey.configuration",
    "lakekey.configuration.auth_type", "lakekey.configuration.databrickscfg", "lakekey.configuration.layers",
    "lakekey.configuration.presence", "lakekey.configuration.settings", "lakekey.configuration.target",
    "lakekey.configuration.validation", "lakekey.errors", "lakekey.providers", "lakekey.providers.factory",
    "lakekey.providers.provider", "lakekey.providers.hot_path", "lakekey.session",
    "lakekey.session.credential", "lakekey.session.expiry",
    "lakekey.session.session",
)  # fmt: skip
LOADED = """
import lakekey
assert lakekey.provider(host=sys.argv[1]).headers() == {"Authorization": "Bearer warm"}
say(" ".join(sorted(name for name in sys.modules if name.partition(".")[0] == "lakekey")))
"""
CODE = """
import lakekey
assert lakekey.provider(host=sys.argv[1]).headers() == {"Authorization": "Bearer warm"}
say(" ".join(name for name in sys.argv[2:] if name in sys.modules))
"""


def test_importing_lakekey_loads_three_modules_of_ours_and_no_other():
    code = "import sys; before = set(sys.modules); import lakekey; print(*sorted(set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": SOURCE}, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["lakekey", "lakekey._imports", "lakekey.errors"]


@pytest.mark.parametrize(
    "source",
    [
        {"LAKEKEY_KEY_SOURCE": "file"},
        {"LAKEKEY_KEY_SOURCE": "", "LAKEKEY_KEY": "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="},
        {"LAKEKEY_KEY_SOURCE": "", "LAKEKEY_PASSPHRASE": "correct horse battery staple"},
    ],
    ids=["file", "env", "passphrase"],
)
def test_the_first_header_of_a_warm_process_loads_none_of_the_heavy_modules(bare_machine, monkeypatch, source):
    for name, value in source.items():
        monkeypatch.setenv(name, value)
    now = time.time()
    entry = Entry({}, access_token="warm", issued_at=now, expires_at=now + 36000, refresh_token="r")
    assert open_cache().put(entry_id(resolve(host=HOST).cache_key_fields()), entry, replaces=None)
    loaded = run(bare_machine / "cache", CODE, HOST, *HEAVY, LAKEKEY_INTERACTIVE="browser", **source)
    assert loaded.split() == []


@pytest.fixture
def warm(bare_machine):
    now = time.time()
    entry = Entry({}, access_token="warm", issued_at=now, expires_at=now + 36000, refresh_token="r")
    assert open_cache().put(entry_id(resolve(host=HOST).cache_key_fields()), entry, replaces=None)
    return bare_machine


def test_a_warm_process_loads_less_than_the_floor_of_the_benchmark(warm):
    """Each costs as much as a third of lakekey: `lakekey._named_tuple` and `lakekey.cache.envelope` do without."""
    loaded = run(warm / "cache", CODE, HOST, *LEFT_OUT, LAKEKEY_INTERACTIVE="browser", LAKEKEY_KEY_SOURCE="file")
    assert loaded.split() == []


def test_a_warm_process_loads_exactly_these_modules_of_ours(warm):
    loaded = run(warm / "cache", LOADED, HOST, LAKEKEY_INTERACTIVE="browser", LAKEKEY_KEY_SOURCE="file")
    assert loaded.split() == sorted(OURS)
