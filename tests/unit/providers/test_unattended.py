"""The line that says which identity an unattended run signs in as."""

import logging

import pytest

from lakekey.cache.entry import Entry
from lakekey.configuration.target import resolve
from lakekey.providers.unattended import announce

HOST = "https://acme.cloud.databricks.com"
ROBOT = {"client_id": "robot", "client_secret": "dose-of-a-principal"}


@pytest.fixture
def announced(caplog):
    def lines(entry=None, **settings):
        with caplog.at_level(logging.INFO, "lakekey.automation"):
            announce(resolve(environ={}, host=HOST, **settings), entry)
        return [record.getMessage().partition(" as ")[2] for record in caplog.records]

    return lines


@pytest.mark.parametrize(
    ("settings", "identity", "who"),
    [
        (ROBOT, None, "robot (oauth-m2m)"),
        ({"auth_type": "pat", "token": "dapi"}, None, "the identity that the SDK's strategy finds (pat)"),
        ({}, "ada@example.com", "ada@example.com, with a person's session (external-browser)"),
        ({"user": "grace"}, None, "grace, with a person's session (external-browser)"),
        ({"user": "grace"}, "grace@example.com", "grace@example.com, with a person's session (external-browser)"),
        ({}, None, "a person, with a person's session (external-browser)"),
    ],
)
def test_identity_is_named_as_far_as_it_is_known(monkeypatch, announced, settings, identity, who):
    monkeypatch.setenv("CI", "true")
    assert announced(Entry({}, identity=identity), **settings) == [who]


def test_nothing_is_reported_where_a_person_is_present(attended, announced):
    assert announced(**ROBOT) == []


def test_run_without_an_entry_is_named_by_its_settings(unattended, announced):
    assert announced(**ROBOT) == ["robot (oauth-m2m)"]
