"""Whether a person is there."""

import sys

import pytest

from lakekey.configuration.presence import why_unattended
from lakekey.errors import ConfigurationError


class Stream:
    """A standard stream that is a terminal, is none, or is closed."""

    def __init__(self, terminal):
        self.terminal = terminal

    def isatty(self):
        if self.terminal is None:
            raise ValueError("I/O operation on closed file")
        return self.terminal


@pytest.fixture
def terminal(monkeypatch):
    """Sets whether standard input and standard error are terminals."""

    def set_to(stdin, stderr):
        monkeypatch.setattr(sys, "stdin", Stream(stdin))
        monkeypatch.setattr(sys, "stderr", Stream(stderr))

    set_to(True, True)
    return set_to


def test_a_terminal_is_a_person(terminal):
    assert why_unattended({}) is None


@pytest.mark.parametrize(("stdin", "stderr"), [(True, False), (False, True), (None, True)])
def test_one_terminal_is_enough(terminal, stdin, stderr):
    terminal(stdin, stderr)
    assert why_unattended({}) is None


def test_no_terminal_is_unattended(terminal):
    terminal(False, False)
    assert why_unattended({}) == "a run without a terminal"


def test_closed_or_missing_streams_are_not_a_terminal(terminal, monkeypatch):
    terminal(None, None)
    assert why_unattended({}) == "a run without a terminal"
    monkeypatch.setattr(sys, "stdin", None)
    assert why_unattended({}) == "a run without a terminal"


@pytest.mark.parametrize("variable", ["CI", "AIRFLOW_CTX_DAG_ID", "DATABRICKS_RUNTIME_VERSION"])
def test_a_schedulers_variable_is_unattended_also_on_a_terminal(terminal, variable):
    assert why_unattended({variable: "true"})


@pytest.mark.parametrize("value", ["", "0", "false", "False"])
def test_variable_that_says_no_counts_as_unset(terminal, value):
    assert why_unattended({"CI": value}) is None


def test_never_means_unattended_whatever_the_terminal_says(terminal):
    assert why_unattended({"LAKEKEY_INTERACTIVE": "never"}) == "a run with LAKEKEY_INTERACTIVE=never"


def test_browser_means_a_person_is_present_whatever_else_is_set(terminal):
    terminal(False, False)
    assert why_unattended({"LAKEKEY_INTERACTIVE": " Browser ", "CI": "1"}) is None


def test_any_other_word_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="'perhaps'") as caught:
        why_unattended({"LAKEKEY_INTERACTIVE": "perhaps"})
    assert "never" in caught.value.hint
