"""Profiles from a pipe: what is read of one, and for how long."""

import os
import threading

import pytest

from lakekey.configuration.piped import content_of

pytestmark = pytest.mark.named_pipes


@pytest.fixture
def pipe():
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)


def test_writer_that_drips_has_no_more_time_than_another(pipe):
    reading, writing = pipe
    over = threading.Event()

    def drip():
        for _ in range(100):
            os.write(writing, b"#")
            if over.wait(0.02):
                break
        os.close(writing)

    writer = threading.Thread(target=drip)
    writer.start()
    with pytest.raises(TimeoutError, match=r"nothing came through this pipe in 0\.05 s"):
        content_of(reading, os.fstat(reading), 1000, patience=0.05)
    over.set()
    writer.join()


def test_no_more_is_read_than_tells_that_it_is_too_much(pipe):
    reading, writing = pipe
    os.write(writing, b"#" * 1000)
    os.close(writing)
    assert 10 < len(content_of(reading, os.fstat(reading), 10)) <= 22
