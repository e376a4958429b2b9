"""A wait for a thread ends with the thread, at its limit, or by Ctrl-C."""

import signal
import threading
import time

import pytest

from lakekey.cache.keys.joining import join, time_limit
from lakekey.errors import ConfigurationError


@pytest.fixture
def thread():
    over = threading.Event()
    thread = threading.Thread(target=over.wait, daemon=True)
    thread.start()
    yield thread
    over.set()
    thread.join()


def test_wait_ends_at_its_limit(thread):
    join(thread, 0.05)
    assert thread.is_alive()


def test_wait_ends_with_the_thread():
    thread = threading.Thread(target=lambda: None)
    thread.start()
    join(thread, 60)
    assert not thread.is_alive()


def test_wait_is_made_in_slices_that_ctrl_c_can_end_and_not_in_a_busy_loop():
    slices = []

    class Watched(threading.Thread):
        def join(self, timeout=None):
            slices.append(timeout)
            super().join(timeout)

    over = threading.Event()
    thread = Watched(target=over.wait, daemon=True)
    thread.start()
    join(thread, 0.6)
    over.set()
    assert 3 <= len(slices) < 20
    assert all(0 < each <= 0.25 for each in slices)


def test_ctrl_c_ends_the_wait(thread):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    watch = threading.Timer(0.2, signal.raise_signal, [signal.SIGINT])
    watch.start()
    began = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            join(thread, 40)
    finally:
        watch.join()
        signal.signal(signal.SIGINT, before)
    assert time.monotonic() - began < 30  # on Windows, one long wait would have ended only now


@pytest.mark.parametrize("text", ["soon", "0", "-1", "3601", "nan"])
def test_time_limit_that_is_not_a_number_of_seconds_is_refused_with_the_usual_one(text):
    with pytest.raises(ConfigurationError, match=r"LAKEKEY_KEYRING_TIMEOUT='.*' is not a number of seconds") as refused:
        time_limit({"LAKEKEY_KEYRING_TIMEOUT": text}, "LAKEKEY_KEYRING_TIMEOUT", 10.0)
    assert refused.value.hint == "set LAKEKEY_KEYRING_TIMEOUT to 10"


def test_time_limit_that_is_not_set_is_the_usual_one():
    assert time_limit({"LAKEKEY_KEYRING_TIMEOUT": " "}, "LAKEKEY_KEYRING_TIMEOUT", 10.0) == 10.0
    for text in ("0.5", "2.5", "3600"):
        assert time_limit({"LAKEKEY_KEYRING_TIMEOUT": text}, "LAKEKEY_KEYRING_TIMEOUT", 10.0) == float(text)
