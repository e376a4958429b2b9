"""A late import that fails since another release of lakekey, or none, is in the place of the one that runs."""

import copy
import importlib
import sys

import pytest

import lakekey
from lakekey.errors import ConfigurationError, raise_if_replaced
from lakekey.providers import provider


def gone():
    importlib.import_module("lakekey.session.gone")


def moved():
    from lakekey.errors import gone  # noqa: F401


def moved_out_of_the_package():
    from lakekey import gone  # noqa: F401


def used_as_it_is_loaded():
    lakekey.errors.gone  # noqa: B018


def of_the_package():
    lakekey.gone  # noqa: B018


def of_another_library():
    importlib.import_module("lakekeyed")


def without_a_name():
    raise ImportError("from lakekey")


def of_an_object():
    lakekey.LakekeyError("no").gone  # noqa: B018


def raised_by(work):
    with pytest.raises((ImportError, AttributeError)) as caught:
        work()
    return copy.copy(caught.value)  # as each caller of shared work gets one


@pytest.mark.parametrize("work", [gone, moved, moved_out_of_the_package, used_as_it_is_loaded, of_the_package])
def test_import_of_ours_that_fails_says_to_restart(work):
    error = raised_by(work)
    with pytest.raises(ConfigurationError, match=r"was changed or removed .* \(restart this program\)") as caught:
        raise_if_replaced(error)
    assert caught.value.__cause__ is error


def begun(*, name, text):
    """As Python tells a circular import."""
    error = ImportError(text, name=name) if name else AttributeError(text)

    def work():
        raise error

    return work


PARTIAL = "partially initialized module 'lakekey.session' (most likely due to a circular import)"
CIRCULAR = [
    begun(name=None, text=f"{PARTIAL[:46]} has no attribute 'x' {PARTIAL[47:]}"),
    begun(
        name=None, text="cannot access submodule 'x' of module 'lakekey.session' (most likely due to a circular import)"
    ),
    begun(name="lakekey.session", text=f"cannot import name 'x' from {PARTIAL}"),
]


@pytest.mark.parametrize("work", [of_another_library, without_a_name, of_an_object, *CIRCULAR])
def test_what_is_not_an_import_of_ours_is_left_to_the_caller(work):
    raise_if_replaced(raised_by(work))


def test_first_task_that_waits_after_that_says_to_restart(monkeypatch):
    monkeypatch.delattr("lakekey.providers.in_thread", raising=False)
    monkeypatch.setitem(sys.modules, "lakekey.providers.in_thread", None)
    provider._threads.cache_clear()
    with pytest.raises(ConfigurationError, match="restart this program"):
        provider._threads()
