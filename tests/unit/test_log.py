"""Log records by part of the product; none makes a program load `logging` but a warning."""

import importlib.util
import os
import subprocess
import sys

import pytest

from lakekey import _log


@pytest.mark.parametrize(("call", "level"), [(_log.debug, "DEBUG"), (_log.info, "INFO"), (_log.warning, "WARNING")])
def test_record_has_its_part_its_level_its_values_and_the_place_of_the_caller(caplog, call, level):
    caplog.set_level(1)
    call("cache", "%s of %d", "one", 2)
    [record] = caplog.records
    assert (record.name, record.levelname, record.getMessage()) == ("lakekey.cache", level, "one of 2")
    assert (record.filename, record.funcName) == ("test_log.py", record.funcName)
    assert record.funcName.startswith("test_record")


@pytest.mark.parametrize(("call", "loads"), [("debug", False), ("info", False), ("warning", True)])
def test_only_a_warning_loads_logging_where_the_program_has_not(call, loads):
    code = f"import sys; from lakekey import _log; _log.{call}('cache', 'said'); print('logging' in sys.modules)"
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True, env=environ)
    assert done.stdout.strip() == str(loads)
    assert ("said" in done.stderr) is loads


def test_record_is_made_at_once_where_nothing_says_that_others_wait():
    found = importlib.util.spec_from_file_location("loaded_again", _log.__file__)
    again = importlib.util.module_from_spec(found)
    found.loader.exec_module(again)
    told = []
    again.later(lambda: told.append("made"))
    assert told == ["made"]
    assert not again.inside()


def test_record_is_made_later_while_others_wait(caplog, monkeypatch):
    reports = []
    # After any work of an earlier test, pytest's handler asks as well, and would hold the record by itself.
    monkeypatch.setattr(caplog.handler, "filters", [])
    monkeypatch.setattr(_log, "inside", lambda: True)
    monkeypatch.setattr(_log, "later", reports.append)
    _log.warning("cache", "%s of %d", "one", 2)
    assert caplog.messages == []
    [report] = reports
    report()
    assert caplog.messages == ["one of 2"]
