"""What IPython shows of an interruption of ours, and what is kept of it."""

import gc
import linecache
import os
import sys
import weakref

import pytest

from lakekey import _cells


class Secret:
    """What a frame holds."""


def interrupt(held):
    """Its frame holds the secret."""
    raise KeyboardInterrupt


def test_interruption_that_is_forgotten_leaves_its_frames_at_once():
    secret = Secret()
    frame = weakref.ref(secret)
    gc.disable()
    try:
        try:
            interrupt(secret)
        except KeyboardInterrupt as interruption:
            _cells.shorten(interruption)
            interruption.__traceback__ = interruption.__traceback__.tb_next  # this function's own frame goes on
        del secret
        assert frame() is None
    finally:
        gc.enable()


def test_interruption_is_shown_while_it_is_handled_and_as_the_last_one(monkeypatch):
    with pytest.raises(KeyboardInterrupt) as caught:
        interrupt(None)
    _cells.shorten(caught.value)
    monkeypatch.setattr(sys, "last_value", caught.value, raising=False)
    shown = caught.value._render_traceback_()
    assert shown == _cells.shown(caught.value)
    monkeypatch.delattr(sys, "last_value")
    try:
        raise caught.value
    except KeyboardInterrupt as interruption:
        assert interruption._render_traceback_()[-1] == "KeyboardInterrupt"


def test_interruption_that_ipython_does_not_show_now_is_left_to_it(monkeypatch):
    interruption = KeyboardInterrupt()
    _cells.shorten(interruption)
    monkeypatch.setattr(sys, "last_value", KeyboardInterrupt(), raising=False)
    with pytest.raises(LookupError):
        interruption._render_traceback_()


OURS = os.path.join(os.path.dirname(_cells.__file__), "session", "x.py")
STANDARD = os.path.join(os.path.dirname(os.__file__), "x.py")
INSTALLED = os.path.join(os.path.dirname(os.__file__), "site-packages", "x.py")
IPYTHON = os.path.join(os.sep, "notebook", "IPython", "core", "x.py")
CELL, CALLBACK = "cell-of-a-test", "callback-of-a-test"


def error_through(*files, text=""):
    """An error with a frame of each file."""

    def call():
        raise ValueError(text)

    for file in reversed(files):
        namespace = {"call": call}
        exec(compile("def f():\n    call()", file, "exec"), namespace)
        call = namespace["f"]
    with pytest.raises(ValueError) as caught:
        call()
    error = caught.value
    error.__traceback__ = error.__traceback__.tb_next  # without this file's own frame
    last = error.__traceback__
    for _ in files[1:]:
        last = last.tb_next
    last.tb_next = None
    return error


def test_frames_of_ours_and_what_they_run_in_the_standard_library_are_left_out():
    error = error_through(STANDARD, CELL, IPYTHON, OURS, STANDARD, INSTALLED, STANDARD, OURS, CALLBACK, text="said")
    shown = [STANDARD, CELL, INSTALLED, STANDARD, CALLBACK]
    assert _cells.shown(error) == [*(f'  File "{file}", line 2, in f' for file in shown), "ValueError: said"]


def test_line_of_a_cell_is_shown_where_it_is_known(monkeypatch):
    monkeypatch.setitem(linecache.cache, CELL, (13, None, ["def f():\n", "    call()\n"], CELL))
    error = error_through(CELL, CALLBACK)
    assert _cells.shown(error) == [
        f'  File "{CELL}", line 2, in f', "    call()", f'  File "{CALLBACK}", line 2, in f', "ValueError",
    ]  # fmt: skip
    monkeypatch.delitem(sys.modules, "linecache")
    assert _cells.shown(error) == [*(f'  File "{file}", line 2, in f' for file in (CELL, CALLBACK)), "ValueError"]
