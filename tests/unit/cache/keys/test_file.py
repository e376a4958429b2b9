"""Key rings in files: the cache's own, which is written, read and erased, and one that is mounted."""

import base64
import errno
import os

import pytest

from lakekey.cache import private_files
from lakekey.cache.keys.file import KeyFile, MountedFile
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import KeyUnavailable

KEY = base64.b64encode(b"1" * 32).decode()


class Failing(MemoryStore):
    """A place whose notes cannot be read."""

    def __init__(self, error):
        super().__init__()
        self._error = error

    def read_note(self, name):
        raise self._error


def test_key_file_has_a_line_that_warns_its_reader_and_is_gone_when_it_is_erased():
    place = MemoryStore()
    file = KeyFile(place)
    assert file.read() is None
    file.write(KEY)
    assert file.read().startswith("# The master key of the lakekey token cache. Anyone who can read it can read the")
    assert file.read().endswith(f"\n{KEY}")
    file.erase()
    assert place.read_note("master.key") is None


@pytest.mark.parametrize(
    ("error", "reason"), [(OSError(errno.EIO, "a disk that fails"), "a disk that fails"), (OSError(), "OSError")]
)
def test_file_that_cannot_be_read_is_named_with_the_reason(monkeypatch, tmp_path, error, reason):
    def refuse(_):
        raise error

    monkeypatch.setattr(private_files, "read_given", refuse)
    for file in (KeyFile(Failing(error)), MountedFile(str(tmp_path / "key"))):
        with pytest.raises(KeyUnavailable) as caught:
            file.read()
        assert caught.value.message == f"the key file {file.where} cannot be read: {reason}"


def test_mounted_file_has_an_absolute_path_below_the_home_directory_that_is_meant(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert MountedFile("key").where == str(tmp_path / "key")
    assert MountedFile(os.path.join("~", "key")).where == os.path.join(os.path.expanduser("~"), "key")
    assert MountedFile("key").read() is None
