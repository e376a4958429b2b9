"""How often a process that waits asks a store that hosts share."""

import pytest

from lakekey.cache.entry_lock import next_try
from lakekey.session.entry_queue import longest_shared_poll


@pytest.mark.parametrize(("took", "longest"), [(0.0, 1.0), (0.02, 1.0), (1.5, 3.0), (15.0, 5.0)])
def test_store_that_is_slow_to_answer_is_asked_less_often(took, longest):
    assert longest_shared_poll(took) == longest
    waited = 60.0
    assert longest / 2 <= next_try(waited, longest_shared_poll(took)) <= longest * 1.5


def test_wait_that_has_just_begun_asks_soon_whatever_the_store_took():
    assert next_try(0.0, longest_shared_poll(15.0)) < 0.1
