"""Where the key of a cache is chosen: a place for its notes, and a user."""

import pytest

from lakekey.cache.stores.memory import MemoryStore


@pytest.fixture
def place():
    return MemoryStore()


@pytest.fixture
def environ(tmp_path):
    """The environment of a user who has a home."""
    tmp_path.chmod(0o700)
    return {"HOME": str(tmp_path), "APPDATA": str(tmp_path)}
