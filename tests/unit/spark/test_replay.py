"""The requests of an upload are read once more from the first one on."""

from typing import NamedTuple

import pytest

from lakekey.spark.replay import Replay


class Part(NamedTuple):
    """A request, of one byte unless told."""

    number: int
    size: int = 1

    def ByteSize(self):
        return self.size


def test_reader_of_an_earlier_upload_finds_the_end_where_the_next_one_goes_on():
    parts = [Part(number) for number in range(3)]
    replay = Replay(iter(parts))
    first = replay.begin()
    assert next(first) == parts[0]
    second = replay.begin()
    assert list(first) == []
    assert list(second) == parts


@pytest.mark.parametrize(("sizes", "is_kept"), [((4, 4), True), ((4, 5), False), ((9,), False), ((9, 0), False)])
def test_upload_is_kept_while_all_of_it_has_no_more_than_eight_megabytes(sizes, is_kept):
    parts = [Part(number, size << 20) for number, size in enumerate(sizes)]
    replay = Replay(iter(parts))
    assert list(replay.begin()) == parts
    again = replay.begin()
    assert (list(again) if again is not None else None) == (parts if is_kept else None)


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


def entries(error):
    count, traceback = 0, error.__traceback__
    while traceback is not None:
        count, traceback = count + 1, traceback.tb_next
    return count


def test_error_of_the_program_does_not_grow_with_each_reader_that_gets_it():
    def requests():
        raise KeyError("the program's own")
        yield

    replay, lengths = Replay(requests()), set()
    for _ in range(4):
        with pytest.raises(KeyError) as caught:
            next(replay.begin())
        lengths.add(entries(caught.value))
    assert len(lengths) <= 2  # of the first reader, and of each later one


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, SystemExit])
def test_later_reader_of_an_interrupted_upload_is_told_so_and_not_interrupted(interruption):
    def requests():
        yield Part(1)
        raise interruption

    replay = Replay(requests())
    with pytest.raises(interruption):
        list(replay.begin())
    for _ in range(2):
        with pytest.raises(RuntimeError, match="the upload was cut short"):
            list(replay.begin())


def test_iterator_that_has_failed_is_not_asked_again():
    answers = [Part(1), TimeoutError("for a moment"), Part(2)]

    class Requests:
        def __iter__(self):
            return self

        def __next__(self):
            answer = answers.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

    replay = Replay(Requests())
    for _ in range(2):
        with pytest.raises(TimeoutError):
            list(replay.begin())
    assert answers == [Part(2)]
