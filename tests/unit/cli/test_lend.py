import argparse
import contextlib
import json
import os
import re
import sys
from types import SimpleNamespace

import pytest

from lakekey import _commands
from lakekey.cli import lend
from lakekey.cli.lend import _assignment, usual_shell
from lakekey.cli.serving import databricks_program, metadata_service
from lakekey.configuration.target import resolve


@pytest.mark.parametrize(
    ("platform", "environ", "shell"),
    [
        ("linux", {}, "sh"),
        ("darwin", {}, "sh"),
        ("win32", {}, "powershell"),
        ("win32", {"MSYSTEM": "MINGW64"}, "sh"),  # Git's shell
    ],
)
def test_variables_are_written_for_the_systems_own_shell(monkeypatch, platform, environ, shell):
    monkeypatch.setattr(sys, "platform", platform)
    assert usual_shell(environ) == shell


@pytest.mark.parametrize("mark", ["'", "\u2018", "\u2019", "\u201a", "\u201b"])
def test_none_of_the_five_quotes_of_powershell_ends_the_text(mark):
    assert _commands.in_powershell(f"a{mark}; b") == f"'a{mark}{mark}; b'"
    assert _assignment("NAME", f"a{mark}; b", "powershell") == f"$env:NAME = 'a{mark}{mark}; b'"


@pytest.fixture
def lent(monkeypatch, capsys):
    """Lends a session at these settings, by a command of lakekey; returns the variables of the tool that gets it."""
    token = SimpleNamespace(access_token="dose-of-lending")
    monkeypatch.setattr(lend, "_ready", lambda _: SimpleNamespace(token=lambda: token))
    started = []
    monkeypatch.setattr(lend, "_run", lambda _, environ: started.append(environ))

    def lent(command, **settings):
        target = resolve(environ={}, client_id="sp", client_secret="dose-of-principal", **settings)
        monkeypatch.setattr(lend, "target_for_others", lambda *_: target)
        command(argparse.Namespace(profile="job", token=True, json=True, shell=None, words=["tool"]))
        found = started[-1] if started else json.loads(capsys.readouterr().out)
        return {name: found.get(f"DATABRICKS_{name}") for name in ("HOST", "ACCOUNT_ID", "WORKSPACE_ID")}

    return lent


@pytest.mark.parametrize("command", [lend.run, lend.env])
def test_session_is_lent_with_its_workspace_and_account(monkeypatch, lent, command):
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "999")
    monkeypatch.setenv("DATABRICKS_ACCOUNT_ID", "another")
    host = "https://spog.example.com"
    assert lent(command, host=f"{host}/?o=123", account_id="acc-9") == {
        "HOST": host, "ACCOUNT_ID": "acc-9", "WORKSPACE_ID": "123",
    }  # fmt: skip
    assert lent(command, host=host) == {"HOST": host, "ACCOUNT_ID": None, "WORKSPACE_ID": None}


UNIFIED = "https://spog.example.com"
PROGRAM = "/of/ours/databricks"
#: How each shell takes a variable, and takes one back.
FORMS = {
    "sh": (r"export (\w+)=(.*)", "unset {}"),
    "fish": (r"set -gx (\w+) '(.*)'", "set -eg {}"),
    "powershell": (r"\$env:(\w+) = '(.*)'", "$env:{} = $null"),
    "cmd": (r'set "(\w+)=(.+)"', 'set "{}="'),
}
ASKING_US = ("DATABRICKS_AUTH_TYPE", "DATABRICKS_CLI_PATH", "DATABRICKS_CONFIG_PROFILE")
PLACE = ("DATABRICKS_HOST", "DATABRICKS_ACCOUNT_ID", "DATABRICKS_WORKSPACE_ID")
ALL = (*PLACE, *ASKING_US, "DATABRICKS_TOKEN", "LAKEKEY_LENT")
ALL += ("LAKEKEY_CACHE_DIR", "LAKEKEY_KEY_FILE", "DATABRICKS_CONFIG_FILE", "DATABRICKS_METADATA_SERVICE_URL")


@pytest.fixture
def shell(tmp_path, monkeypatch, capsys):
    """Does in this environment what a shell would with the output of ``lakekey env``; returns where it then leads to."""
    monkeypatch.setattr(databricks_program, "place", lambda: PROGRAM)
    monkeypatch.setattr(databricks_program, "program", lambda: PROGRAM)
    monkeypatch.setattr(lend, "_ready", lambda _: SimpleNamespace(token=lambda: SimpleNamespace(access_token="dose-9")))
    file = tmp_path / "profiles"
    file.write_text(
        f"[a]\nhost = {UNIFIED}\naccount_id = acc-1\nworkspace_id = 11\n[b]\nhost = {UNIFIED}\nworkspace_id = 12\n"
        "[c]\nhost = https://other.example.com\n",
        encoding="utf-8",
    )
    for name in ALL:
        monkeypatch.setenv(name, "")  # so that what the commands set ends with the test
        monkeypatch.delenv(name)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))

    def shell(profile, syntax="sh", *, token=False):
        lend.env(argparse.Namespace(profile=profile, token=token, json=False, shell=syntax))
        form, removal = FORMS[syntax]
        removals = {removal.format(name): name for name in ALL}
        for line in capsys.readouterr().out.splitlines():
            if line in removals:
                monkeypatch.delenv(removals[line], raising=False)
            else:
                monkeypatch.setenv(*re.fullmatch(form, line).groups())
        return tuple(os.environ.get(name) for name in PLACE)

    return shell


@pytest.mark.parametrize("syntax", FORMS)
def test_second_profile_is_lent_in_the_shell_that_has_the_first(shell, syntax):
    assert shell("a", syntax) == (UNIFIED, "acc-1", "11")
    assert shell("b", syntax) == (UNIFIED, None, "12")
    assert os.environ["DATABRICKS_CONFIG_PROFILE"] == "b"
    assert shell("c", syntax) == ("https://other.example.com", None, None)
    assert shell(None, syntax) == ("https://other.example.com", None, None)


def test_variables_of_a_person_go_before_the_profile_that_is_lent(shell, monkeypatch):
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "77")
    monkeypatch.setenv("DATABRICKS_AUTH_TYPE", "databricks-cli")
    monkeypatch.setenv("DATABRICKS_CLI_PATH", "/usr/bin/databricks")
    assert shell("b") == (UNIFIED, None, "77")
    assert os.environ["DATABRICKS_CLI_PATH"] == PROGRAM
    assert shell("b") == (UNIFIED, None, "77")


def test_token_that_is_lent_is_the_one_that_the_tools_use_in_a_shell_that_asked_for_them(shell):
    shell("a")
    assert shell("b", token=True) == (UNIFIED, None, "12")
    assert os.environ["DATABRICKS_TOKEN"] == "dose-9"
    assert not [name for name in ASKING_US if name in os.environ]


def test_profile_is_lent_in_the_shell_that_has_the_token_of_another(shell):
    shell("a", token=True)
    assert shell("b") == (UNIFIED, None, "12")
    assert "DATABRICKS_TOKEN" not in os.environ


def test_profile_that_the_person_names_afterwards_is_lent_at_its_own_host(shell, monkeypatch):
    shell("a")
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "c")
    assert shell(None) == ("https://other.example.com", None, None)
    shell("a")
    monkeypatch.setenv("DATABRICKS_CONFIG_PROFILE", "c")
    assert shell("c") == ("https://other.example.com", None, None)


def test_profile_that_has_changed_is_lent_as_it_is_now(shell, tmp_path):
    assert shell("c") == ("https://other.example.com", None, None)
    (tmp_path / "profiles").write_text("[c]\nhost = https://new.example.com\n", encoding="utf-8")
    assert shell("c") == ("https://new.example.com", None, None)


def test_variable_that_a_person_has_set_since_goes_before_the_next_profile(shell, monkeypatch):
    shell("a")
    monkeypatch.setenv("DATABRICKS_WORKSPACE_ID", "77")
    assert shell("b") == (UNIFIED, None, "77")


@pytest.mark.parametrize("host", ["https://own.example.com", "own.example.com", "https://own.example.com/"])
def test_host_of_a_person_stays_theirs_in_any_spelling(shell, monkeypatch, host):
    monkeypatch.setenv("DATABRICKS_HOST", host)
    assert shell("c")[0] == shell("c")[0] == "https://own.example.com"


def test_profile_is_lent_inside_a_command_that_has_another(shell, monkeypatch):
    service = SimpleNamespace(url="http://127.0.0.1:9/a", serve_forever=lambda **_: None, shutdown=lambda: None)
    monkeypatch.setattr(metadata_service, "MetadataService", lambda _: contextlib.nullcontext(service))

    def inside(_, environ):
        with monkeypatch.context() as within:
            within.setattr(os, "environ", environ)
            return lend._target("c").host

    monkeypatch.setattr(lend, "_run", inside)
    assert lend.run(argparse.Namespace(profile="a", token=False, words=["tool"])) == "https://other.example.com"


def test_program_that_reads_json_is_told_what_to_unset(shell, capsys):
    shell("a", token=True)
    lend.env(argparse.Namespace(profile="b", token=False, json=True, shell=None))
    told = json.loads(capsys.readouterr().out)
    assert {name for name, value in told.items() if value is None} == {"DATABRICKS_ACCOUNT_ID", "DATABRICKS_TOKEN"}
    assert told["DATABRICKS_WORKSPACE_ID"] == "12"


def test_relative_paths_count_from_the_directory_that_they_were_meant_for(shell, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", "cache")
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", "profiles")
    for _ in range(2):
        shell("a")
        assert os.environ["LAKEKEY_CACHE_DIR"] == str(tmp_path / "cache")
        assert os.environ["DATABRICKS_CONFIG_FILE"] == str(tmp_path / "profiles")


def test_command_is_lent_the_profile_that_is_named_and_not_the_one_of_the_shell(shell, monkeypatch):
    started = []
    monkeypatch.setattr(lend, "_run", lambda _, environ: started.append(environ))
    shell("a")
    for profile in ("b", "a"):
        lend.run(argparse.Namespace(profile=profile, token=True, words=["tool"]))
    found = [tuple(each.get(name) for name in (*PLACE, "DATABRICKS_CONFIG_PROFILE")) for each in started]
    assert found == [(UNIFIED, None, "12", None), (UNIFIED, "acc-1", "11", "a")]
