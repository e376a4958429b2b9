"""A call of a key management service is bounded in time, and its libraries log nothing meanwhile."""

import logging
import threading

import pytest

from lakekey._imports import LOADING
from lakekey.cache.keys.kms import bounded
from lakekey.cache.keys.kms.bounded import filter_new_loggers, silenced, time_limit, within
from lakekey.cache.keys.kms.service import Kind


@pytest.fixture(autouse=True)
def without_filters():
    """The filters go with the test, and what the loggers have is left."""
    yield
    for name in list(logging.Logger.manager.loggerDict):
        logging.getLogger(name).removeFilter(bounded._may_pass)


def test_limit_is_twenty_seconds_unless_the_environment_says_another():
    assert time_limit({}) == 20.0
    assert time_limit({"LAKEKEY_KMS_TIMEOUT": "3"}) == 3.0


def test_answer_and_error_of_a_call_come_out():
    assert within(10, lambda: "its answer") == "its answer"
    error = ValueError("it")
    with pytest.raises(ValueError, match="it") as caught:
        within(10, lambda: (_ for _ in ()).throw(error))
    assert caught.value is error


def test_answer_that_takes_its_time_is_waited_for(monkeypatch):
    is_waited_for = threading.Event()

    def join(thread, limit):
        is_waited_for.set()
        thread.join(limit)

    monkeypatch.setattr(bounded.joining, "join", join)
    assert within(30, lambda: is_waited_for.wait(30) and "its answer") == "its answer"


def test_call_is_made_in_a_thread_that_keeps_no_program_alive():
    thread = within(10, threading.current_thread)
    assert thread.daemon
    assert thread.name == "lakekey-kms"


def test_call_amid_an_import_is_made_here():
    """Its own thread could need what the code beneath holds."""
    with LOADING:
        assert within(10, threading.get_ident) == threading.get_ident()


def test_call_is_made_here_where_no_thread_starts_any_more(monkeypatch):
    def start(_):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    monkeypatch.setattr(threading.Thread, "start", start)
    assert within(10, threading.get_ident) == threading.get_ident()


def test_service_that_does_not_answer_is_given_up(trouble):
    over = threading.Event()
    try:
        assert trouble(within, 0.01, over.wait) == (Kind.AWAY, "no answer within 0.01 s", "")
    finally:
        over.set()


def test_records_of_the_libraries_are_dropped_within_a_call_and_no_others(caplog):
    caplog.set_level(logging.DEBUG)
    library, other = logging.getLogger("botocore.made_up"), logging.getLogger("made_up")
    with silenced():
        library.error("dropped")
        other.error("kept")
        later = logging.getLogger("urllib3.made_up_later")
        filter_new_loggers()
        later.error("dropped")
    library.error("kept")
    later.error("kept")
    assert [record.getMessage() for record in caplog.records] == ["kept"] * 3


def test_records_of_other_threads_go_on(caplog):
    library = logging.getLogger("azure.made_up")
    within(10, lambda: library.error("dropped"))
    with silenced():
        thread = threading.Thread(target=lambda: library.error("kept"))
        thread.start()
        thread.join()
    assert [record.getMessage() for record in caplog.records] == ["kept"]
