"""The cache that sessions of these tests share; each module says by `store` where it keeps its entries."""

import pytest

from support.model_providers import cache_over


@pytest.fixture
def cache(store):
    return cache_over(store)
