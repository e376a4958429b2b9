"""What ``lakekey login`` says of a profile and of what was given beside it."""

import argparse

import pytest

from lakekey.cli import login
from lakekey.cli.options import TARGET_OPTIONS
from lakekey.cli.provider import target_of

CONSOLE = "https://accounts.cloud.databricks.com"


@pytest.fixture
def told(tmp_path, monkeypatch, capsys):
    """What is said after a sign-in with some options, on one line."""
    file = tmp_path / "profiles"
    file.write_text(f"[acc]\nhost = {CONSOLE}\naccount_id = a-1\n[bare]\nhost = {CONSOLE}\n", encoding="utf-8")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))

    def told(profile, **options):
        given = {**{name: None for name, _, _ in TARGET_OPTIONS}, **options}
        arguments = argparse.Namespace(profile=profile, debug=False, **given)
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
