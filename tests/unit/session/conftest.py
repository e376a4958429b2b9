"""What the sessions of these tests share; a module whose store or server differs has a fixture of its own."""

import pytest

from lakekey.cache.stores.memory import MemoryStore
from support.model import Clock, ModelServer
from support.model_providers import cache_over


@pytest.fixture
def store():
    return MemoryStore()


@pytest.fixture
def cache(store):
    return cache_over(store)


@pytest.fixture
def server():
    return ModelServer(Clock())
