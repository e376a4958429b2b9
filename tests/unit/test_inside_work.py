"""What code inside a renewal has to report reaches the program from a thread that waits for it."""

import contextvars
import logging
import threading
from collections import deque

import pytest

from lakekey import _log
from lakekey._inside_work import LOGGERS, as_work, holding, inside, is_holding, later
from lakekey._single_flight import Flights, Waiter, _Flight

LONG = 30.0


def test_report_outside_of_the_work_is_made_at_once():
    told = []
    later(lambda: told.append(1))
    assert told == [1]


def test_reports_of_the_work_are_made_by_a_caller():
    flights = Flights()
    told = []

    def work(_):
        later(lambda: told.append(threading.current_thread()))
        assert told == []

    flights.run("key", work, patience=LONG)
    assert told == [threading.current_thread()]


def test_reports_are_made_while_the_work_goes_on():
    flights, told = Flights(), threading.Event()

    def work(_):
        later(told.set)
        return told.wait(LONG)

    assert flights.run("key", work, patience=LONG)


def test_a_report_that_comes_as_the_work_ends_is_made():
    told = []

    class Ends(deque):
        def append(self, report):
            flight.finished.open()  # and what made the other reports has gone
            super().append(report)

    flight = _Flight(Waiter(), lambda commitment: later(lambda: told.append(1)))
    flight.reports = Ends()
    flight.do()
    assert told == [1]


def test_a_report_that_fails_costs_nothing():
    flights = Flights()

    def work(_):
        later(lambda: 1 / 0)
        return "done"

    assert flights.run("key", work, patience=LONG) == "done"


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "lakekey.session"])
def test_records_that_are_made_inside_the_work_reach_a_handler_from_a_callers_thread(name):
    handled = []

    class Handler(logging.Handler):
        def emit(self, record):
            handled.append((record.getMessage(), threading.current_thread(), inside()))

    def work(_):
        if name.startswith("lakekey."):
            _log.warning(name.partition(".")[2], "told of %s", "it")
        else:
            logging.getLogger(name).warning("told of %s", "it")
        assert handled == []

    handler, logger = Handler(), logging.getLogger(name)
    logger.addHandler(handler)
    try:
        Flights().run("key", work, patience=LONG)
        assert handled == [("told of it", threading.current_thread(), False)]
        logging.getLogger(name).warning("told of %s", "it")
        assert len(handled) == 2, "outside the work, at once"
    finally:
        logger.removeHandler(handler)


def test_work_inside_other_work_ends_in_it():
    with as_work():
        with as_work():
            copied = contextvars.copy_context()
            assert inside()
        assert inside()
        assert not copied.run(inside), "what has begun inside of it and outlives it"
    assert not inside()


def test_record_of_a_library_waits_for_the_end_of_the_work(monkeypatch):
    seen = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append((record.getMessage(), inside()))
    logger = logging.getLogger(LOGGERS[0])
    monkeypatch.setattr(logger, "filters", [])
    monkeypatch.setattr(logger, "handlers", [handler])
    with as_work():
        logger.warning("told")
        assert seen == []
    assert seen == [("told", False)]


def test_lock_counts_as_held_until_it_is_released():
    def held():
        with holding():
            assert is_holding()
        return is_holding()

    assert contextvars.copy_context().run(held) is False
