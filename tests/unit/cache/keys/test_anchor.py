import os
import sys

import pytest

from lakekey.cache.keys.anchor import path_of


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
