"""What the `Store` protocol asks for holds for the stores of one machine."""

import pytest

from lakekey.cache.opening import open_cache
from lakekey.cache.stores.file import FileStore
from lakekey.cache.stores.memory import MemoryStore
from lakekey.errors import ConfigurationError
from support.store_contract import CONTRACT


@pytest.fixture(params=["file", "memory"])
def store(request, tmp_path):
    made = FileStore(str(tmp_path / "cache")) if request.param == "file" else MemoryStore()
    made.prepare()
    return made


@pytest.mark.parametrize("holds", CONTRACT, ids=lambda check: check.__name__)
def test_the_contract_of_a_store(store, holds):
    holds(store)


def test_a_store_of_one_machine_is_not_shared_and_has_no_time_of_its_own(store):
    assert not store.shared
    assert store.read("a" * 64) == (None, None)


def test_address_of_an_unknown_store_is_refused_with_those_that_there_are():
    with pytest.raises(ConfigurationError, match="'mysql' store") as caught:
        open_cache({}, place="mysql://user:secret@host/db")
    assert "file:" in caught.value.hint
    assert "secret" not in str(caught.value)
