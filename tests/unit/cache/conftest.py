"""A key is derived from a passphrase once for each salt: that is slow on purpose, and comes out the same each time."""

import functools

import pytest

from lakekey.cache.keys import passphrase


@pytest.fixture(autouse=True)
def each_key_is_derived_once(monkeypatch):
    monkeypatch.setattr(passphrase, "_derive", functools.cache(passphrase._derive))
