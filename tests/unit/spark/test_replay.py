"""The requests of an upload are read once more from the first one on."""

from typing import NamedTuple

import pytest

from lakekey.spark.replay import Replay


class Part(NamedTuple):
    """A request of one byte."""

    number: int

    def ByteSize(self):
        return 1


def test_upload_that_its_program_broke_off_does_not_look_complete_to_a_later_reader():
    def requests():
        yield Part(1)
        raise KeyError("the program's own")

    replay = Replay(requests())
    first = replay.begin()
    assert next(first) == Part(1)
    with pytest.raises(KeyError):
        next(first)
    second = replay.begin()
    assert next(second) == Part(1)
    with pytest.raises(KeyError):
        next(second)
