"""Which profile and which account a sign-in is for, by the address that was given."""

import argparse

import pytest

from lakekey.cli import setup
from lakekey.errors import ConfigurationError

CONSOLE = "https://accounts.cloud.databricks.com"
NONE_GIVEN = {"profile": None, "host": None, "account_id": None, "config_file": None, "json": True, "no_save": False}


@pytest.fixture
def given(tmp_path):
    """The arguments of a command line, with a file of profiles that has one for an account console."""
    file = tmp_path / "profiles"
    file.write_text(f"[acc]\nhost = {CONSOLE}\naccount_id = a-1\n[bare]\nhost = {CONSOLE}\n", encoding="utf-8")
    return lambda **options: argparse.Namespace(**{**NONE_GIVEN, "config_file": str(file), **options})


def test_address_of_another_account_than_the_profiles_is_refused(given):
    with pytest.raises(ConfigurationError, match=f"already exists, for account a-1 of {CONSOLE} ") as caught:
        setup.refuse_another_host(given(profile="acc", host=f"{CONSOLE}/?account_id=b-2"))
    assert caught.value.profile == "acc"


@pytest.mark.parametrize(
    ("profile", "query", "account"),
    [
        ("acc", "?account_id=a-1", None),
        ("acc", "", None),
        ("acc", "?account_id=b-2", "a-1"),
        ("bare", "?account_id=b-2", None),
        ("none", "?account_id=b-2", None),
    ],
)
def test_address_that_contradicts_no_account_of_the_profiles_is_taken(given, profile, query, account):
    setup.refuse_another_host(given(profile=profile, host=f"{CONSOLE}/{query}", account_id=account))


@pytest.mark.parametrize(("option", "account"), [(None, "b-2"), ("c-3", "c-3")])
def test_new_profile_of_a_console_is_signed_in_to_at_the_account_that_its_address_names(given, option, account):
    arguments = given(profile="new", host=f"{CONSOLE}/login?account_id=b-2", account_id=option)
    plan = setup.plan(arguments)
    assert plan is not None
    assert (plan.name, arguments.host, arguments.account_id) == ("new", CONSOLE, account)
