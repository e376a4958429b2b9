"""What IPython shows of an interruption of ours, and what is kept of it."""

import gc
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
