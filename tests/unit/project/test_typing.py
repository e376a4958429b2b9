"""The public names as a type checker of a user's program sees them."""

import re
import subprocess
import sys
import typing
from pathlib import Path

import pytest

from lakekey.configuration import arguments, settings, validation
from lakekey.configuration.settings import SETTINGS
from lakekey.configuration.target import Target, resolve

PROGRAM = Path(__file__).resolve().parents[2] / "typing" / "api.py"
WRONG = {
    number
    for number, line in enumerate(PROGRAM.read_text(encoding="utf-8").splitlines(), 1)
    if line.endswith("# error")
}


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
    fields = {*typing.get_type_hints(settings.Given), *typing.get_type_hints(validation.Resolved)}
    assert set(vars(resolve(None, {}, host="https://h.example"))) == fields == set(typing.get_type_hints(Target))


@pytest.mark.timeout(240)
def test_mypy_accepts_right_programs_and_finds_each_wrong_line(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", str(tmp_path), str(PROGRAM)],
        capture_output=True, text=True, check=False, cwd=tmp_path,
    )  # fmt: skip
    assert {int(number) for number in re.findall(r"api\.py:(\d+): error", done.stdout)} == WRONG, done.stdout
