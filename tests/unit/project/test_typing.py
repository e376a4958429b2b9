"""The public names as a type checker of a user's program sees them."""

import inspect
import typing

import pytest

from lakekey.configuration import arguments, settings, validation
from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.target import Target, resolve


def test_arguments_are_the_settings_and_the_file():
    assert list(typing.get_type_hints(arguments.Settings)) == [*SETTINGS, "config_file"]


@pytest.mark.parametrize("name", SETTINGS)
def test_argument_takes_what_its_setting_takes(name):
    takes = set(typing.get_args(typing.get_type_hints(arguments.Settings)[name]))
    assert {str, type(None)} <= takes
    of_its_own = {"port": int, "seconds": float, "minutes": float, "switch": bool}.get(SETTINGS[name].kind)
    assert of_its_own is None or of_its_own in takes
    assert (SETTINGS[name].kind in ("path", "scopes")) == any(typing.get_origin(each) for each in takes)


def test_target_has_each_setting_that_is_ours_with_its_type():
    given = typing.get_type_hints(settings.Given)
    assert list(given) == [name for name, setting in SETTINGS.items() if not setting.delegated]
    of_its_own = {"scopes": tuple[str, ...], "port": int, "seconds": float, "minutes": float, "switch": bool}
    assert given == {name: of_its_own.get(SETTINGS[name].kind, str) | None for name in given}


def test_target_has_what_is_given_and_what_it_comes_to():
    fields = {*settings.Given.__annotations__, *validation.Resolved.__annotations__}
    shown = {name for each in Target.__mro__ for name in inspect.get_annotations(each)}
    assert set(vars(resolve(None, {}, host="https://h.example"))) == fields == shown
