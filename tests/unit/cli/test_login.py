"""What ``lakekey login`` says of a profile and of what was given beside it."""

import argparse
import datetime as dt
import json
import types

import pytest

from lakekey.cli import login
from lakekey.cli.options import TARGET_OPTIONS
from lakekey.cli.provider import target_of
from lakekey.errors import KeyUnavailable, StoreUnavailable

CONSOLE = "https://accounts.cloud.databricks.com"


def options_of(profile, options):
    given = {**{name: None for name, _, _ in TARGET_OPTIONS}, **options}
    return argparse.Namespace(profile=profile, debug=False, **given)


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """What is said after a sign-in with some options, on one line."""
    file = tmp_path / "profiles"
    file.write_text(f"[acc]\nhost = {CONSOLE}\naccount_id = a-1\n[bare]\nhost = {CONSOLE}\n", encoding="utf-8")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))

    def told(profile, **options):
        arguments = options_of(profile, options)
        login._tell_next(arguments, target_of(arguments), None)
        return " ".join(capsys.readouterr().out.split())

    return told


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({"host": f"{CONSOLE}/?account_id=b-2"}, f"--host '{CONSOLE}/?account_id=b-2' --replace"),
        ({"account_id": "b-2", "user": "ada@example.com"}, "--user ada@example.com --account-id b-2 --replace"),
    ],
)
def test_profile_that_leads_to_the_session_only_with_what_was_given_is_told_how_to_lead_there(told, options, change):
    assert told("bare", **options) == (
        f"The profile bare alone does not lead to this session. To have it lead here: lakekey profiles add bare {change}"
    )


@pytest.mark.parametrize(
    "options", [{}, {"account_id": "a-1"}, {"host": f"{CONSOLE}/?account_id=a-1"}, {"ca_file": "/dev/null"}]
)
def test_profile_that_leads_to_the_session_by_itself_is_the_next_step(told, options):
    assert told("acc", **options) == "Next: lakekey token acc"


@pytest.mark.parametrize("error", [KeyUnavailable, StoreUnavailable])
def test_sealed_secret_of_the_profile_that_cannot_be_opened_does_not_end_the_sign_in(told, monkeypatch, error):
    def resolve(*_args, **_settings):
        raise error("it cannot be opened", hint="open it")

    monkeypatch.setattr(login, "resolve", resolve)
    assert told("acc", user="ada@example.com").endswith("lakekey profiles add acc --user ada@example.com --replace")


class SignedIn:
    """What the facts of a sign-in are read from: session, provider and token in one."""

    scopes = ("all-apis",)
    expires_at = dt.datetime(2031, 1, 2, tzinfo=dt.UTC)

    def __init__(self, target):
        self.target = target
        self.cache = types.SimpleNamespace(
            store=types.SimpleNamespace(where="memory"), ring=types.SimpleNamespace(source="file")
        )

    def identity(self):
        return "ada"


@pytest.mark.parametrize(
    ("profile", "options", "named"),
    [
        ("bare", {"account_id": "b-2"}, None),
        ("acc", {"account_id": "b-2"}, None),
        ("acc", {"account_id": "a-1"}, "acc"),
        ("acc", {}, "acc"),
    ],
)
def test_json_names_a_profile_only_if_it_leads_to_the_session(told, capsys, profile, options, named):
    arguments = options_of(profile, options)
    here = SignedIn(target_of(arguments))
    login._print_facts(arguments, here, here, here, None)
    facts = json.loads(capsys.readouterr().out)
    assert (facts["profile"], facts["host"]) == (named, CONSOLE)
