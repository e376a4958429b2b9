"""Log records by part of the product; none makes a program load `logging` but a warning."""

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
