"""What Windows denies while another process has a file open: it is tried again, seen here, and the answer is kept."""

import pytest

from support import wine

pytestmark = pytest.mark.timeout(600)

# Holds a file as a program does that shares nothing (0), all but deleting (3, as Python's own `open`), or as we do.
HOLDS = """
import _winapi, os, sys
from lakekey._shared_opening import open_to_read
from support.reports import report, wait_for_word
path, sharing = sys.argv[1:]
if sharing == "ours":
    descriptor = open_to_read(path)
else:
    handle = _winapi.CreateFile(path, _winapi.GENERIC_READ, int(sharing), 0, _winapi.OPEN_EXISTING, 0, 0)
report("holds")
wait_for_word()
os._exit(0)
"""
# Asks for a header, and reports the first denial of each call as the operating system gives it.
ASKS = """
import _winapi, collections, os
import lakekey
from support.reports import outcome, report
denials = collections.Counter()
def watched(owner, name):
    real = getattr(owner, name)
    def call(*arguments):
        try:
            return real(*arguments)
        except PermissionError as error:
            denials[name] += 1
            if denials[name] == 1:
                report("denied", by=name, winerror=error.winerror)
            raise
    setattr(owner, name, call)
watched(os, "replace")
watched(_winapi, "CreateFile")
end = outcome(lambda: bool(lakekey.provider().headers()))
report("result", denials=denials, **end)
"""
MOVES = """
import os, sys
from support.reports import outcome, report
path = sys.argv[1]
def move():
    os.rename(path, path + ".away")
    os.unlink(path + ".away")
report("result", **outcome(move))
"""


@pytest.fixture
def entry(machine):
    """The path of the session's entry, as Windows names it."""
    return wine.windows(machine.entries / f"{machine.entry_id}.entry")


def test_answer_is_kept_while_the_entry_cannot_be_replaced(machine, entry):
    with machine.python(HOLDS, entry, "3") as holder:
        holder.until("holds")
        with machine.python(ASKS) as asker:
            assert asker.until("denied")["by"] == "replace"
            machine.server.settle()
            assert machine.token_requests() == 1  # the answer is here, and its refresh token is the only one that lives
            holder.go_on()
            end = asker.result()
    assert end["ok"], end
    assert end["denials"]["replace"] >= 1
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


def test_entry_that_cannot_be_opened_for_a_moment_is_read_when_it_is_free(machine, entry):
    with machine.python(HOLDS, entry, "0") as holder:
        holder.until("holds")
        with machine.python(ASKS) as asker:
            assert asker.until("denied") == {"event": "denied", "by": "CreateFile", "winerror": 32}
            holder.go_on()
            end = asker.result()
    assert end["ok"], end
    assert end["denials"]["CreateFile"] >= 1
    machine.assert_session_is_whole()


@pytest.mark.parametrize(("sharing", "moved"), [("ours", True), ("3", False)], ids=["ours", "another program"])
def test_file_that_we_read_may_be_renamed_and_deleted_meanwhile(machine, entry, sharing, moved):
    with machine.python(HOLDS, entry, sharing) as holder:
        holder.until("holds")
        with machine.python(MOVES, entry) as mover:
            assert mover.result()["ok"] is moved
        holder.go_on()


def test_file_of_profiles_that_another_program_has_open_is_read_when_it_is_free(machine, tmp_path):
    path = tmp_path / "databrickscfg"
    path.write_text(f"[work]\nhost = {machine.server.host}\n")
    environ = {"DATABRICKS_CONFIG_FILE": wine.windows(path), "DATABRICKS_CONFIG_PROFILE": "work"}
    with machine.python(HOLDS, wine.windows(path), "0") as holder:
        holder.until("holds")
        with machine.python(ASKS, **environ) as asker:
            assert asker.until("denied") == {"event": "denied", "by": "CreateFile", "winerror": 32}
            holder.go_on()
            end = asker.result()
    assert end["ok"], end
    assert end["denials"]["CreateFile"] >= 1
