"""Late imports, and what a thread that may be in the midst of one can tell of itself."""

import _imp
import _thread
import contextlib
import importlib.util
import logging
import os
import sys
import threading
from types import SimpleNamespace

import pytest

from lakekey import _commands, _imports
from lakekey._imports import LOADING, amid_import, amid_locked_step, expanded, holds_a_lock, importing
from lakekey._renewal_imports import cannot_wait

BOOTSTRAP = "<frozen importlib._bootstrap>"
THREADING = threading.Thread._bootstrap.__code__.co_filename


def in_a_thread(ask):
    answers = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    thread.join()
    return answers[0]


def beneath(function, file, ask, name=""):
    """Has a function of this name and file ask, with a local variable as Python's import has it."""
    namespace = {}
    exec(compile(f"def {function}(name, ask):\n    return ask()", file, "exec"), namespace)
    return namespace[function](name, ask)


def test_fork_waits_for_late_imports_before_it_waits_for_logging(monkeypatch):
    registered = []
    monkeypatch.setattr(os, "register_at_fork", lambda **hooks: registered.append(hooks), raising=False)
    found = importlib.util.spec_from_file_location("loaded_again", _imports.__file__)
    again = importlib.util.module_from_spec(found)
    found.loader.exec_module(again)
    lock = again.LOADING
    once = {"before": lock.acquire, "after_in_parent": lock.release, "after_in_child": lock.release}
    assert registered == [once]
    for _ in range(2):
        assert again.libraries() is lock
        assert registered == [once, once]


def test_system_that_does_not_fork_is_asked_for_no_hooks(monkeypatch):
    monkeypatch.delattr(os, "register_at_fork", raising=False)
    _imports._hold_back_forks()


def test_commands_are_loaded_when_an_error_names_one():
    assert _imports.commands() is _commands


def test_home_is_what_windows_knows_where_no_variable_says_it(monkeypatch):
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path.replace("~told", "/told"))
    monkeypatch.setitem(sys.modules, "lakekey._windows_home", SimpleNamespace(home=lambda: "C:\\of"))
    found = {path: expanded(path) for path in ("~", "~/a", "~\\a", "~told/a", "~another/a", "a/~")}
    assert list(found.values()) == ["C:\\of", "C:\\of/a", "C:\\of\\a", "/told/a", "~another/a", "a/~"]


def test_import_is_amid_only_in_the_thread_that_imports():
    assert not amid_import()
    with LOADING:
        assert amid_import()
        assert holds_a_lock()
        assert not in_a_thread(amid_import)


def test_lock_that_others_need_counts_only_in_the_thread_that_has_it():
    for lock in (logging._lock, threading._active_limbo_lock):
        assert not holds_a_lock()
        with lock:
            assert holds_a_lock()
    with logging._lock:  # the other cannot be held while a thread starts
        assert not in_a_thread(holds_a_lock)


def test_thread_that_is_not_quite_started_or_about_to_end_counts_as_one_that_holds_a_lock():
    found = []

    class Asking(threading.Thread):
        def _set_ident(self):
            found.append(("starts", holds_a_lock()))
            threading.current_thread()  # too early, so that it is a dummy for a while
            found.append(("starts, with a dummy", holds_a_lock()))
            super()._set_ident()

        def run(self):
            found.append(("runs", holds_a_lock()))

        def _delete(self):
            super()._delete()
            found.append(("ends", holds_a_lock()))

    thread = Asking()
    thread.start()
    thread.join()
    assert found == [("starts", True), ("starts, with a dummy", True), ("runs", False), ("ends", True)]


def test_thread_that_python_does_not_know_holds_no_lock():
    found, done = [], threading.Event()

    def ask():
        found.append(holds_a_lock())
        threading.current_thread()
        found.append(holds_a_lock())
        done.set()

    _thread.start_new_thread(ask, ())
    assert done.wait(30)
    assert found == [False, False]


def test_program_without_threads_holds_none_of_their_locks(monkeypatch):
    monkeypatch.delitem(sys.modules, "threading")
    assert not holds_a_lock()


def test_import_under_way_is_known_by_its_package(monkeypatch):
    found = []

    class Finder:
        def find_spec(self, name, path, target=None):
            if name.startswith("half_way"):
                found.append([importing({root}) for root in ("half_way", "another", "")])
                found.append([cannot_wait(), importing({"requests", name})])

    monkeypatch.setattr(sys, "meta_path", [Finder(), *sys.meta_path])
    with contextlib.suppress(ImportError):
        importlib.import_module("half_way.there")
    assert found == [[True, False, False], [False, True]]


@pytest.mark.parametrize(
    ("function", "file", "name", "found"),
    [
        ("_find_and_load", BOOTSTRAP, "requests", True),
        ("_find_and_load", BOOTSTRAP, "requests.adapters", True),
        ("_find_and_load", BOOTSTRAP, "json", True),
        ("_find_and_load", BOOTSTRAP, "turtle", False),
        ("_find_and_load", BOOTSTRAP, "of_the_program", False),
        ("_find_and_load", "program.py", "requests", False),
        ("_find_spec", BOOTSTRAP, "requests", False),
    ],
)
def test_renewal_is_not_waited_for_amid_the_import_of_what_it_may_import(function, file, name, found):
    assert beneath(function, file, cannot_wait, name) is found
    assert beneath(function, file, lambda: importing({"requests", "json"}), name) is found


@pytest.mark.parametrize(
    ("function", "file", "found"),
    [
        ("_get_module_lock", BOOTSTRAP, True),
        ("cb", BOOTSTRAP, True),
        ("_find_and_load", BOOTSTRAP, False),
        ("cb", "program.py", False),
    ],
)
def test_lookup_of_a_lock_of_imports_is_waited_out_only_while_that_is_held(function, file, found):
    assert not beneath(function, file, amid_locked_step)
    _imp.acquire_lock()
    try:
        assert beneath(function, file, amid_locked_step) is found
        assert beneath(function, file, cannot_wait, "of_the_program") is found
    finally:
        _imp.release_lock()


@pytest.mark.parametrize(
    ("function", "file", "found"),
    [("_stop", THREADING, True), ("_shutdown", THREADING, True), ("run", THREADING, False), ("_stop", "a.py", False)],
)
def test_end_of_a_thread_is_waited_out_only_while_its_lock_is_held(monkeypatch, function, file, found):
    lock = _thread.allocate_lock()
    with monkeypatch.context() as patched:
        patched.setattr(threading, "_shutdown_locks_lock", lock, raising=False)
        free = beneath(function, file, amid_locked_step)
        with lock:
            held = beneath(function, file, amid_locked_step)
    assert (free, held) == (False, found)
