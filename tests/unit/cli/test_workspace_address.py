"""The question for an address: what is asked besides, and what each answer is checked with."""

import argparse

import pytest

from lakekey.cli import prompt, workspace_address
from lakekey.errors import ConfigurationError

CONSOLE = "https://accounts.cloud.databricks.com"
WORKSPACE = "https://dbc-1.cloud.databricks.com"
REFUSED = "https://accounts-refused.cloud.databricks.com"


@pytest.fixture
def conversation(monkeypatch):
    """Gives these answers; returns how many were asked for, and each host and account that was looked at."""

    def hold(*answers, account_id=None):
        left, checked = list(answers), []

        def check(host, arguments):
            checked.append((host, arguments.account_id))
            if host == REFUSED:
                raise ConfigurationError("it does not answer")

        monkeypatch.setattr(prompt, "ask", lambda question: left.pop(0))
        monkeypatch.setattr(workspace_address, "_check", check)
        arguments = argparse.Namespace(account_id=account_id, ca_file=None)
        assert workspace_address.ask(arguments) in answers
        assert left == []
        return [*checked, arguments.account_id]

    return hold


def test_account_is_taken_from_the_address_of_a_console_and_not_asked_for(conversation):
    assert conversation(f"{CONSOLE}/login?account_id=a-1") == [(CONSOLE, "a-1"), "a-1"]


def test_account_is_asked_for_where_the_address_of_a_console_names_none(conversation):
    assert conversation(f"{CONSOLE}/login", "a-1") == [(CONSOLE, "a-1"), "a-1"]


def test_account_that_was_given_counts_before_that_of_the_address(conversation):
    assert conversation(f"{CONSOLE}/?account_id=a-1", account_id="a-2") == [(CONSOLE, "a-2"), "a-2"]


@pytest.mark.parametrize("refused", [(f"{REFUSED}/?account_id=a-1",), (REFUSED, "a-1")])
def test_account_of_an_address_that_was_refused_is_not_that_of_the_next(conversation, refused):
    looked_at = [(REFUSED, "a-1"), (CONSOLE, "a-2"), "a-2"]
    assert conversation(*refused, f"{CONSOLE}/?account_id=a-2") == looked_at
    assert conversation(*refused, WORKSPACE) == [(REFUSED, "a-1"), (WORKSPACE, None), None]
