"""Foreign code runs in every thread at any moment, and may ask for a header: no renewal waits for itself."""

import sys

import pytest

AT_ONCE = 2.0


@pytest.mark.parametrize(
    "way",
    ["profiler", "profiler everywhere", "collector", "log handler", "log handler first", "dictConfig", "threads' lock"],
)
def test_a_renewal_ends_though_foreign_code_asks_in_its_midst(machine, way):
    with machine.child("asks_inside", way) as child:
        end = child.result()
    assert end["ok"], end
    assert sum(end["got"].values()) >= 1, end
    assert set(end["got"]) <= {"header", "LockTimeout"}, end
    machine.assert_session_is_whole()
    assert machine.token_requests() == 1


@pytest.mark.parametrize("way", ["log handler", "log handler first", "dictConfig", "threads' lock"])
def test_code_in_the_callers_thread_gets_a_header(machine, way):
    with machine.child("asks_inside", way) as child:
        end = child.result()
    assert end["got"].get("header", 0) >= 1, end


def test_a_finalizer_inside_the_renewal_gets_an_error_of_ours_at_once(machine):
    with machine.child("asks_inside", "collector") as child:
        end = child.result()
    assert end["got"] == {"LockTimeout": 1}
    assert end["seconds"] < AT_ONCE + 5


@pytest.mark.parametrize(
    "way",
    [
        "import",
        "import of Python's own",
        "lock of imports",
        pytest.param(
            "end of a thread", marks=pytest.mark.skipif(sys.version_info >= (3, 13), reason="no lock there since 3.13")
        ),
    ],
)
def test_code_over_a_lock_of_pythons_that_the_renewal_needs_gets_an_error_of_ours(machine, way):
    with machine.child("asks_inside", way) as child:
        end = child.result()
    assert end["ok"], end
    assert end["got"] == {"LockTimeout": 1}
    machine.assert_session_is_whole()


def test_records_and_warnings_of_foreign_code_inside_a_renewal_wait_for_no_handler_that_asks(machine):
    with machine.child("asks_inside", "logs inside") as child:
        end = child.result()
    assert end["ok"], end
    assert end["got"]["header"] >= 1, end
    assert {"program", "program.connection", "py.warnings"} <= set(end["shipped"])
    machine.assert_session_is_whole()


@pytest.mark.parametrize("how", ["asks", "raises"])
def test_a_signal_at_any_line_of_a_renewal_neither_hangs_nor_loses(machine, how):
    with machine.child("struck_at", how, "2", {"asks": "3", "raises": "13"}[how]) as child:
        end = child.result()
    assert end["struck"] > 30, end
    assert end["failed"] == 0, end
    assert end["asked"] in ([], ["header"]), end
    machine.assert_session_is_whole()


@pytest.mark.parametrize("point", [1, 20, 60, 100, 150, 220, 300, 400])
def test_a_signal_in_the_midst_of_the_first_renewals_imports_neither_hangs_nor_loses(machine, point):
    with machine.child("struck_at", "asks", str(point), "1", "cold") as child:
        end = child.result()
    assert (end["struck"], end["failed"]) == (1, 0), end
    assert set(end["asked"]) <= {"header", "LockTimeout"}, end
    machine.assert_session_is_whole()
