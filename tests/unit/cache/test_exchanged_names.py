"""Two files swap their names in one step, where the system can; and where it cannot, nothing is changed."""

import os

import pytest

from lakekey.cache import exchanged_names

pytestmark = pytest.mark.posix_owners


@pytest.fixture
def names(tmp_path, monkeypatch):
    """The names of a new file and an old one, below the current directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "old").write_bytes(b"old")
    return "new", "old"


def test_file_takes_the_name_of_another_which_is_gone_then(names, tmp_path):
    assert exchanged_names.replace(*names)
    assert [(file.name, file.read_bytes()) for file in tmp_path.iterdir()] == [("old", b"new")]


def test_name_that_no_file_has_is_not_taken(names, tmp_path):
    assert not exchanged_names.replace("new", "another")
    assert sorted(os.listdir(tmp_path)) == ["new", "old"]


def test_old_file_that_cannot_be_removed_is_left_under_the_temporary_name(names, tmp_path, monkeypatch):
    def refuse(_):
        raise PermissionError

    monkeypatch.setattr(os, "unlink", refuse)
    assert exchanged_names.replace(*names)
    assert [(tmp_path / name).read_bytes() for name in names] == [b"old", b"new"]


def test_directory_keeps_its_name(names, tmp_path):
    os.unlink("old")
    os.mkdir("old")
    assert not exchanged_names.replace(*names)
    assert (tmp_path / "old").is_dir()
    assert (tmp_path / "new").read_bytes() == b"new"


def test_other_systems_are_not_asked(names, tmp_path, monkeypatch):
    exchanged_names._system_call.cache_clear()
    with monkeypatch.context() as elsewhere:
        elsewhere.setattr(exchanged_names.sys, "platform", "darwin")
        assert not exchanged_names.replace(*names)
    exchanged_names._system_call.cache_clear()
    assert [(tmp_path / name).read_bytes() for name in names] == [b"new", b"old"]
