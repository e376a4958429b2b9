import os
import sys

import pytest

from lakekey.cache.keys import anchor
from lakekey.cache.keys.anchor import path_of
from lakekey.cache.keys.choice import KeyChoice


@pytest.mark.parametrize(
    ("platform", "variable"), [("win32", "APPDATA"), ("linux", "XDG_CONFIG_HOME"), ("darwin", "XDG_CONFIG_HOME")]
)
def test_copy_lies_where_the_system_keeps_a_users_configuration(monkeypatch, tmp_path, platform, variable):
    monkeypatch.setattr(sys, "platform", platform)
    environ = {name: str(tmp_path / name) for name in ("APPDATA", "XDG_CONFIG_HOME", "HOME")}
    path = path_of(environ, "/a/cache")
    assert os.path.dirname(path) == os.path.join(environ[variable], "lakekey", "key-sources")
    assert path_of({**environ, variable: "relative", "HOME": ""}, "/a/cache") is None


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_copy_lies_below_the_home_directory_where_no_other_place_is_named(monkeypatch, tmp_path, platform):
    monkeypatch.setattr(sys, "platform", platform)
    path = path_of({"HOME": str(tmp_path)}, "/a/cache")
    assert os.path.dirname(path) == os.path.join(str(tmp_path), ".config", "lakekey", "key-sources")
    assert len(os.path.basename(path)) == 32 + len(".json")
    assert path_of({"HOME": "relative"}, "/a/cache") is None


@pytest.mark.parametrize("platform", ["linux", "darwin"])
def test_copy_lies_in_the_accounts_own_home_where_no_variable_names_one(monkeypatch, tmp_path, platform):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setattr(anchor, "expanded", {"~": str(tmp_path)}.__getitem__)
    assert path_of({}, "/a/cache") == path_of({"HOME": str(tmp_path)}, "/a/cache")


def test_copy_lies_in_the_accounts_own_home_on_windows_where_no_variable_names_one(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(anchor, "expanded", {"~": str(tmp_path)}.__getitem__)
    assert path_of({}, "a") == path_of({"APPDATA": os.path.join(str(tmp_path), "AppData", "Roaming")}, "a")


def test_next_choice_is_kept_beside_the_last_one_and_goes_when_it_is_the_last(tmp_path):
    tmp_path.chmod(0o700)
    environ = {"HOME": str(tmp_path), "APPDATA": str(tmp_path)}
    last, following = KeyChoice("env", "as ever"), KeyChoice("kms", "it was moved there", kms="aws:alias/k")
    anchor.remember(environ, "a", last)
    anchor.expect(environ, "a", following)
    assert (anchor.recall(environ, "a"), anchor.expected(environ, "a")) == (last, following)
    anchor.remember(environ, "a", following)
    assert (anchor.recall(environ, "a"), anchor.expected(environ, "a")) == (following, None)
    anchor.expect(environ, "a", following)
    anchor.forget(environ, "a")
    assert anchor.recall(environ, "a") is anchor.expected(environ, "a") is None
