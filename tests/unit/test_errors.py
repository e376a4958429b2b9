"""Paths whose ``~`` cannot be resolved: they are an error that names the setting, and no directory of that name."""

import base64
import os
from types import SimpleNamespace

import pytest

from lakekey import _imports
from lakekey.cache.client_secrets import sealed_entry
from lakekey.cache.keys.file import MountedFile
from lakekey.cache.opening import cache_directory, open_cache
from lakekey.configuration import databrickscfg
from lakekey.configuration.target import resolve
from lakekey.errors import ConfigurationError, with_home
from lakekey.observability import audit
from lakekey.session.assembly import _client_certificate

PATH = "~nouser/x"
KEY = {"LAKEKEY_KEY": base64.b64encode(bytes(32)).decode(), "LAKEKEY_KEY_SOURCE": "env"}


@pytest.fixture(autouse=True)
def _unknown(monkeypatch):
    """A user without a home that the machine knows; Windows makes one up."""
    monkeypatch.setattr(_imports.os.path, "expanduser", lambda path: path)


def resolved(**environ):
    return resolve(None, environ, host="https://dbc.example.com")


@pytest.mark.parametrize(
    ("setting", "use"),
    [
        ("LAKEKEY_CACHE_DIR", lambda: cache_directory({"LAKEKEY_CACHE_DIR": PATH})),
        ("LAKEKEY_CACHE_DIR", lambda: resolved(LAKEKEY_CACHE_DIR=PATH)),
        ("LAKEKEY_STORE", lambda: open_cache({"LAKEKEY_STORE": f"file:{PATH}", **KEY})),
        ("LAKEKEY_STORE", lambda: sealed_entry({"LAKEKEY_STORE": f"file:{PATH}"}, None, "web-apps")),
        ("LAKEKEY_KEY_FILE", lambda: MountedFile(PATH)),
        ("LAKEKEY_KEY_FILE", lambda: resolved(LAKEKEY_KEY_FILE=PATH)),
        ("DATABRICKS_CONFIG_FILE", lambda: databrickscfg.location(PATH)),
        ("DATABRICKS_CONFIG_FILE", lambda: resolve("prod", {"DATABRICKS_CONFIG_FILE": PATH})),
        ("ca_file", lambda: resolve(None, {}, host="https://dbc.example.com", ca_file=PATH)),
        ("client_cert", lambda: _client_certificate(SimpleNamespace(client_cert=PATH, client_key=None))),
        ("client_key", lambda: _client_certificate(SimpleNamespace(client_cert="cert.pem", client_key=PATH))),
    ],
)
def test_home_of_a_user_that_is_not_known_is_refused_with_the_setting_named(setting, use):
    with pytest.raises(ConfigurationError, match="begins with ~nouser, but there is no such home directory") as caught:
        use()
    assert setting in caught.value.message
    assert "write it in full" in caught.value.hint


def test_audit_log_in_such_a_place_is_complained_of_and_holds_nothing_up(tmp_path, monkeypatch, caplog):
    monkeypatch.chdir(tmp_path)
    audit._write(dict.fromkeys(audit.FIELDS, ""), PATH)
    assert "LAKEKEY_AUDIT begins with ~nouser" in caplog.text
    assert not os.listdir(tmp_path)


def test_path_that_no_setting_names_is_left_as_it_is():
    assert databrickscfg.location(None) == "~/.databrickscfg"
    assert with_home("./~nouser", "LAKEKEY_CACHE_DIR") == "./~nouser"
