import sys

import pytest

from lakekey.cache.opening import cache_directory


@pytest.mark.linux_desktop
@pytest.mark.parametrize(
    ("platform", "place"), [("darwin", "Library/Application Support/lakekey"), ("linux", ".local/state/lakekey")]
)
def test_cache_is_where_the_system_keeps_a_users_state(monkeypatch, tmp_path, platform, place):
    monkeypatch.setattr(sys, "platform", platform)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_directory({"HOME": str(tmp_path)}) == str(tmp_path / place)
    assert cache_directory({"HOME": str(tmp_path), "XDG_STATE_HOME": "/state"}) == "/state/lakekey"
    assert cache_directory({"HOME": ""}) == ""  # and not the root of the file system
