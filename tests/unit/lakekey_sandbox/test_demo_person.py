"""Whether a browser is opened for the demo: only where a person would see it."""

import os

import pytest

from lakekey.configuration import presence
from lakekey.login import seat
from lakekey_sandbox.demo_person import is_at_a_browser

DESKTOP = {"PATH": os.environ["PATH"], "BROWSER": "true"}


@pytest.fixture(autouse=True)
def a_desktop(monkeypatch):
    monkeypatch.setattr(presence, "_has_terminal", lambda: True)
    monkeypatch.setattr(seat, "_kernel_release", lambda: "")
    exists = os.path.exists
    marks = ("/.dockerenv", "/run/.containerenv")  # since the tests may run in a container
    monkeypatch.setattr(os.path, "exists", lambda path: path not in marks and exists(path))


@pytest.mark.parametrize(
    "place", [{}, {"WSL_DISTRO_NAME": "Ubuntu"}, {"SSH_TTY": "/dev/pts/1", "LAKEKEY_INTERACTIVE": "browser"}]
)
def test_person_at_a_desktop_gets_the_browser(place):
    assert is_at_a_browser({**DESKTOP, **place})


@pytest.mark.parametrize(
    "place",
    [
        {"CI": "true"},
        {"SSH_TTY": "/dev/pts/1"},
        {"CODESPACES": "true"},
        {"LAKEKEY_INTERACTIVE": "never"},
        {"LAKEKEY_INTERACTIVE": "paste"},
        {"BROWSER": "none"},
        {"BROWSER": "a-browser-that-is-not-here"},
        {"BROWSER": ""},
    ],
)
def test_no_wait_where_no_browser_would_be_seen(place):
    assert not is_at_a_browser({**DESKTOP, **place})


def test_no_wait_without_a_terminal(monkeypatch):
    monkeypatch.setattr(presence, "_has_terminal", lambda: False)
    assert not is_at_a_browser(DESKTOP)
