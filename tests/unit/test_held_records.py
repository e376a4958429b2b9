"""Records that foreign code makes inside the work wait for it, each once, before a filter of the program's sees them."""

import copy
import logging
import logging.config
import pickle

import pytest

from lakekey import _held_records, _inside_work
from lakekey._single_flight import Flights

LONG = 30.0
LOGGER = "foreign.code"


class Listed(logging.Handler):
    """A handler that may be pickled."""

    def __init__(self, into):
        super().__init__()
        self.into = into

    def emit(self, record):
        self.into.append((record.getMessage(), _inside_work.inside()))

    def __getstate__(self):
        return {**self.__dict__, "lock": None}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self.createLock()  # which Python 3.13 does not do without


@pytest.fixture
def logger():
    logger = logging.getLogger(LOGGER)
    yield logger
    logger.handlers.clear()
    logger.filters.clear()


def warn_inside(logger):
    def work(_):
        logger.warning("told")

    Flights().run("key", work, patience=LONG)


@pytest.mark.parametrize("owner", ["handler", "logger of a library"])
def test_a_filter_of_the_program_sees_a_record_that_waited_once(logger, owner):
    seen, handled = [], []

    def first_time_only(record):
        seen.append((id(record), _inside_work.inside()))
        return [each for each, _ in seen].count(id(record)) == 1

    handler = Listed(handled)
    if owner != "handler":
        logger = logging.getLogger("urllib3.connectionpool")
    filterer = handler if owner == "handler" else logger
    filterer.addFilter(first_time_only)
    logger.addHandler(handler)
    try:
        warn_inside(logger)
        filterer.filters.insert(0, filterer.filters.pop())  # as what puts its own first later
        seen.clear()
        warn_inside(logger)
    finally:
        logger.removeHandler(handler)
        filterer.removeFilter(first_time_only)
    assert [inside for _, inside in seen] == [False]
    assert handled == [("told", False)] * 2


def test_a_handler_is_pickled_as_before(logger):
    handler = Listed([])
    logger.addHandler(handler)
    warn_inside(logger)
    again = pickle.loads(pickle.dumps(handler))
    assert again.into == [("told", False)]
    assert again.filter(logging.makeLogRecord({}))


@pytest.mark.parametrize("before", [True, False], ids=["made before", "made after"])
def test_a_copy_of_a_handler_has_its_own_records_once(logger, before):
    original = Listed([])
    if not before:
        logger.addHandler(original)
        warn_inside(logger)
        logger.removeHandler(original)
    duplicate = copy.copy(original)
    original.into, duplicate.into = [], []
    for handler in (original, duplicate):
        logger.addHandler(handler)
    warn_inside(logger)
    assert original.into == duplicate.into == [("told", False)]


def test_a_handler_that_a_new_configuration_leaves_on_its_logger_waits(logger):
    handler = Listed([])
    logger.addHandler(handler)
    kept, names = logging._handlerList[:], dict(logging._handlers)
    try:
        logging.config.dictConfig({"version": 1, "disable_existing_loggers": False})
        assert logger.handlers == [handler]
        warn_inside(logger)
    finally:
        logging._handlerList[:] = kept
        logging._handlers.update(names)
    assert handler.into == [("told", False)]


def test_a_handler_that_fails_to_be_changed_costs_no_result_and_no_other_handler(logger):
    class Closed(logging.Handler):
        def __setattr__(self, name, value):
            if name == "filters" and value:
                raise TypeError("closed")
            super().__setattr__(name, value)

        def emit(self, record):
            pass

    handler = Listed([])
    logger.addHandler(Closed())
    logger.addHandler(handler)

    def work(_):
        logger.warning("told")
        return "done"

    assert Flights().run("key", work, patience=LONG) == "done"
    assert handler.into == [("told", False)]


def test_handler_that_asks_its_filters_by_itself_waits_as_well(logger):
    class Own(Listed):
        def handle(handler, record):  # noqa: N805 - a name of its own for itself
            return handler.filter(record) and handler.emit(record)

    handler = Own([])
    logger.addHandler(handler)
    warn_inside(logger)
    assert handler.into == [("told", False)]


def test_handler_that_waits_already_keeps_its_list_of_filters(logger):
    handler = Listed([])
    logger.addHandler(handler)
    _held_records.hold_back(())
    filters = handler.filters
    assert filters == [_held_records.wait]
    _held_records.hold_back(())
    assert handler.filters is filters


def test_logger_that_a_library_has_not_made_yet_is_made_to_wait():
    name = "foreign.never_made.before"
    logging.getLogger(f"{name}.below")  # so that the name only holds a place
    _held_records.hold_back([name])
    assert logging.getLogger(name).filters == [_held_records.wait]


def test_filter_that_the_program_calls_by_itself_keeps_nothing_back():
    record = logging.makeLogRecord({"msg": "told"})
    assert Flights().run("key", lambda _: _held_records.wait(record), patience=LONG) is True
