"""What a new process on a warm cache loads: the key and the entry, and nothing that talks, locks or logs."""

import time

import pytest

from lakekey.cache.entry import Entry, entry_id
from lakekey.cache.opening import open_cache
from lakekey.configuration.target import resolve
from support.cache_processes import run

HOST = "https://dev.cloud.databricks.com"
HEAVY = (
    "asyncio", "dataclasses", "databricks", "filelock", "keyring", "lakekey.observability", "logging",
    "opentelemetry", "pathlib", "platformdirs", "random", "requests", "secrets", "ssl", "subprocess", "urllib3",
)  # fmt: skip
CODE = """
import lakekey
assert lakekey.provider(host=sys.argv[1]).headers() == {"Authorization": "Bearer warm"}
say(" ".join(name for name in sys.argv[2:] if name in sys.modules))
"""


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
    assert open_cache().put(entry_id(resolve(host=HOST).identity()), entry, replaces=None)
    loaded = run(bare_machine / "cache", CODE, HOST, *HEAVY, LAKEKEY_INTERACTIVE="browser", **source)
    assert loaded.split() == []
