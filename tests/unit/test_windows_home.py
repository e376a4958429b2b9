"""Where ``~`` is, also for an account whose variables do not say it."""

import getpass
import os
from pathlib import PurePath

import pytest

from lakekey._imports import expanded
from lakekey.configuration import databrickscfg

VARIABLES = ("HOME", "USERPROFILE", "HOMEDRIVE", "HOMEPATH")


def account_home():
    if os.name == "posix":
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_dir
    return rf"C:\users\{getpass.getuser()}"


@pytest.fixture
def bare_account(monkeypatch):
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.usefixtures("bare_account")
def test_home_is_the_accounts_own_where_no_variable_names_it():
    assert PurePath(expanded("~")) == PurePath(account_home())
    assert PurePath(databrickscfg.location(None)) == PurePath(account_home(), ".databrickscfg")
    assert PurePath(expanded(os.path.join("~", "a", "b"))) == PurePath(account_home(), "a", "b")


@pytest.mark.usefixtures("bare_account")
@pytest.mark.parametrize("path", ["~no-such-user/a", "a~", "./~", ""])
def test_other_paths_stay_as_they_are(path):
    assert expanded(path) == path


def test_home_is_the_one_that_the_variable_names(bare_machine):
    assert PurePath(expanded("~/a")) == PurePath(bare_machine, "a")
