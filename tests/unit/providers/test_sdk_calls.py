"""Code that runs inside a call to the SDK is told from other code."""

import contextvars
import weakref

import pytest

from lakekey.providers.sdk_calls import call_of, is_inside_call_of

ONE, OTHER = object(), object()


def test_code_is_inside_the_calls_that_are_under_way_and_no_other():
    assert not is_inside_call_of(ONE)
    with call_of(ONE):
        assert is_inside_call_of(ONE)
        assert not is_inside_call_of(OTHER)
        with call_of(OTHER):
            assert is_inside_call_of(ONE)
            assert is_inside_call_of(OTHER)
        assert is_inside_call_of(ONE)
        assert not is_inside_call_of(OTHER)
    assert not is_inside_call_of(ONE)


def test_call_that_fails_has_ended():
    with pytest.raises(ZeroDivisionError), call_of(ONE):
        raise ZeroDivisionError
    assert not is_inside_call_of(ONE)


def test_what_inherits_the_context_of_a_call_is_inside_it_only_while_it_lasts():
    with call_of(ONE):
        inherited = contextvars.copy_context()
        assert inherited.run(is_inside_call_of, ONE)
    assert not inherited.run(is_inside_call_of, ONE)


def test_call_that_has_ended_keeps_nothing_of_its_source():
    class Source:
        pass

    source = Source()
    alive = weakref.ref(source)
    with call_of(source):
        assert is_inside_call_of(source)
    del source
    assert alive() is None
