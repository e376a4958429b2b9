"""Each answer's next step is one that this person can take, here and now."""

import json
import os
import re
import shlex
import shutil
from contextlib import suppress
from pathlib import Path

import pytest

from lakekey.cli import main
from lakekey.cli.commands import COMMANDS
from support.processes import lakekey as run
from support.terminal import Terminal

HOST = "https://dbc-1.cloud.databricks.com"
ACCOUNTS = "https://accounts.cloud.databricks.com"


@pytest.fixture
def file(tmp_path, monkeypatch):
    """The profiles of an empty home."""
    for name in [name for name in os.environ if name.startswith(("DATABRICKS_", "LAKEKEY_"))]:
        monkeypatch.delenv(name)
    for name in ("CI", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "file")
    return tmp_path / ".databrickscfg"


@pytest.mark.parametrize(
    ("around", "says", "keeps_quiet"),
    [
        ({}, "this is a run without a terminal: set LAKEKEY_INTERACTIVE=browser", "run it in a terminal"),
        ({"CI": "true"}, "this is a CI job: it needs DATABRICKS_CLIENT_ID", "LAKEKEY_INTERACTIVE"),
        ({"LAKEKEY_INTERACTIVE": "never"}, "a run with LAKEKEY_INTERACTIVE=never: it needs DATABRICKS", "terminal"),
    ],
    ids=["no terminal", "CI", "never"],
)
def test_sign_in_without_a_person_names_a_step_of_this_very_run(file, monkeypatch, around, says, keeps_quiet):
    for name, value in around.items():
        monkeypatch.setenv(name, value)
    done = run("login", "--host", HOST)
    assert done.returncode == 3
    assert says in done.stderr
    assert keeps_quiet not in done.stderr


def test_doctor_of_an_empty_home_leads_to_the_login(file):
    done = run("doctor", "--json")
    assert json.loads(done.stdout)["checks"][0]["next_step"] == "sign in first: lakekey login"


@pytest.mark.parametrize("words", [["token"], ["sql", "select 1"], ["doctor"]], ids=["token", "sql", "doctor"])
def test_profiles_that_are_there_are_named_where_none_is_the_default(file, words):
    file.write_text(f"[prod]\nhost = {HOST}\n\n[nightly]\nhost = {HOST}\nclient_id = a\nclient_secret = b\n")
    done = run(*words)
    assert "name a profile: prod, nightly" in done.stdout + done.stderr


def test_login_to_a_profile_that_is_not_there_names_the_command_that_makes_it(file):
    file.write_text(f"[prod]\nhost = {HOST}\n")
    assert "lakekey login other --host https://…" in run("login", "other").stderr
    slip = run("login", "prd").stderr
    assert slip.index("did you mean prod?") < slip.index("lakekey login prd --host https://…")


@pytest.mark.parametrize("columns", [40, 80])
def test_sentences_of_an_empty_home_fit_the_terminal(file, columns):
    with Terminal("profiles", environment=os.environ, columns=columns) as terminal:
        assert terminal.ends() == 0
    assert [line for line in terminal.screen.splitlines() if len(line) > columns and " " in line.strip()] == [
        line for line in terminal.screen.splitlines() if line.startswith("  lakekey login") and len(line) > columns
    ]
    with Terminal("login", environment=os.environ, columns=columns) as terminal:
        terminal.shows("Workspace address.*: $")
        terminal.types("ftp://nothing.example.com")
        told = terminal.shows(r"\n( +host is .*?)\nWorkspace address.*: $")[1]
    assert [line for line in told.splitlines() if len(line) > columns] == []


@pytest.mark.parametrize(
    ("lines", "near"),
    [
        (f"hots = {HOST}", "did you mean host?"),
        (f"hostname = {HOST}", "did you mean host?"),
        (f"host = {HOST}\nauth_type = oauth-m2m\nclient_idd = a\nclient_secret = b", "did you mean client_id?"),
        (f"host = {HOST}\nauth_type = oauth-m2m\nclient_id = a\nclient_secert = b", "did you mean client_secret?"),
        (f"host = {ACCOUNTS}\nacount_id = 1", "did you mean account_id?"),
    ],
)
def test_key_that_is_nearly_right_is_named_where_its_setting_is_missing(file, lines, near):
    file.write_text(f"[prod]\n{lines}\n")
    done = run("login", "prod")
    assert done.returncode == 2
    assert f"{near} [prod] of {file} says " in done.stderr


def test_key_that_means_something_else_is_not_mistaken_for_a_slip(file):
    file.write_text("[prod]\ntoken = dapi\n")
    assert "did you mean" not in run("token", "prod").stderr


def test_account_console_asks_for_the_account(file):
    error = run("login", "prod", "--host", ACCOUNTS).stderr
    assert "--account-id" in error
    assert error.splitlines()[0].count(ACCOUNTS) == 1


def test_account_is_asked_for_in_the_guided_sign_in(file):
    with Terminal("login", environment=os.environ, columns=140) as terminal:
        terminal.shows("Workspace address.*: $")
        terminal.types("https://accounts.example.invalid")
        terminal.shows(r"Account id \(in the console's menu under your name\): $")


def test_nothing_to_sign_out_of_is_not_an_error(file):
    for text in ("", f"[prod]\nhost = {HOST}\n"):
        file.write_text(text)
        done = run("logout")
        assert (done.returncode, done.stderr) == (0, "")
        assert "nothing to sign out of" in done.stdout
        assert json.loads(run("logout", "--json").stdout)["removed"] is False


def test_secret_that_is_missing_leads_to_the_command_that_seals_it(file):
    file.write_text(f"[my job]\nhost = {HOST}\nauth_type = oauth-m2m\nclient_id = a\n")
    done = run("token", "my job")
    assert done.returncode == 2
    assert done.stderr.endswith("or seal it: lakekey secret set 'my job'\n")


def test_sign_out_of_a_profile_that_is_gone_leads_to_its_row(file):
    file.write_text(f"[prod]\nhost = {HOST}\n")
    assert run("logout", "gone").stderr.endswith("; sessions without a profile are rows of: lakekey status\n")
    assert "rows of" not in run("token", "gone").stderr


def test_check_of_an_empty_home_says_that_a_login_is_needed(file):
    done = run("login", "--check")
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.endswith("run: lakekey login\n")


def test_check_of_a_profile_that_is_not_there_is_a_usage_error(file):
    assert run("login", "--check", "nowhere").returncode == 2


def test_bare_command_names_the_line_of_a_file_that_cannot_be_read(file):
    file.write_text("nonsense\n")
    done = run()
    assert done.returncode == 0
    assert "The profiles cannot be read" in done.stdout
    assert f"Next:          fix that line of {file}\n" in done.stdout
    assert "No profiles yet" not in done.stdout


def test_name_that_is_nearly_that_of_a_profile_is_asked_about_on_a_terminal(file):
    file.write_text(f"[prod]\nhost = {HOST}\n")
    before = file.read_text()
    with Terminal("login", "prdo", environment={**os.environ, "HTTPS_PROXY": "http://127.0.0.1:9"}) as terminal:
        terminal.shows(r"1  prod\n  2  a new one\nThere is no profile prdo. Which is meant\? \[1\]: $")
        terminal.types("")
        assert terminal.ends() == 1
    assert "lakekey: prod: " in terminal.screen
    assert file.read_text() == before


def test_name_of_a_new_profile_is_not_made_another(file):
    file.write_text(f"[prod]\nhost = {HOST}\n")
    with Terminal("login", "prdo", environment=os.environ) as terminal:
        terminal.shows(r"Which is meant\? \[1\]: $")
        terminal.types("2")
        terminal.shows("Workspace address.*: $")


def test_profile_that_is_there_is_changed_by_the_option_that_the_error_names(file):
    assert run("profiles", "add", "prod", "--host", HOST).returncode == 0
    done = run("profiles", "add", "prod", "--host", HOST, "--user", "ada@example.com")
    assert (done.returncode, "add --replace" in done.stderr) == (2, True)
    assert run("profiles", "add", "prod", "--user", "ada@example.com", "--replace").returncode == 0


@pytest.mark.parametrize(
    ("words", "ours"),
    [
        ("configure", "login"),
        ("describe", "doctor"),
        ("auth list", "status"),
        ("auth switch", "profiles set-default"),
        ("auth print-access-token", "token"),
        ("auth logn", "login"),
        ("sso login", "login"),
    ],
)
def test_word_of_another_tool_is_answered_with_ours(file, words, ours):
    done = run(*words.split())
    assert (done.returncode, f"did you mean {ours}?" in done.stderr) == (2, True)
    assert ours.split()[0] in COMMANDS


@pytest.mark.parametrize("command", ["login", "logout", "status", "whoami", "profiles", "env"])
def test_auth_before_a_command_is_taken_as_other_tools_take_it(file, command):
    assert run("auth", command, "--help").stdout == run(command, "--help").stdout


def test_keys_of_the_store_of_a_profile_are_shown(file, tmp_path, monkeypatch):
    monkeypatch.delenv("LAKEKEY_CACHE_DIR")
    file.write_text(f"[apart]\nhost = {HOST}\ncache_dir = {tmp_path / 'apart'}\n")
    assert str(tmp_path / "apart") in run("keys", "-p", "apart").stdout
    assert str(tmp_path / "apart") not in run("keys").stdout
    assert run("keys", "-p", "missing").returncode == 2


def is_command(line):
    return any(line.strip() == command for each in COMMANDS.values() for command, _ in each.examples) or (
        line.strip() == "lakekey profiles add dev --host https://…"
    )


@pytest.mark.parametrize("columns", [40, 80, 140])
def test_help_fits_the_terminal(monkeypatch, capsys, columns):
    """A line is longer only where it is a command that a person copies."""
    monkeypatch.setenv("COLUMNS", str(columns))
    for name in ("", *(name for name in COMMANDS if COMMANDS[name].group), "profiles add"):
        with suppress(SystemExit):  # with which argparse ends the help of an action
            main(["help", *name.split()])
        lines = capsys.readouterr().out.splitlines()
        assert lines
        assert [line for line in lines if len(line) > columns and not is_command(line)] == [], name


@pytest.fixture
def box(box, tmp_path):
    """The same with a service principal's profile whose secret is wrong."""
    with (tmp_path / "databrickscfg").open("a") as file:
        file.write(f"\n[bad]\nhost = {box.host}\nclient_id = {box.client_id}\nclient_secret = dose-wrong\n")
    return box


def test_row_that_failed_is_removed_and_said_to_have_failed(box):
    assert run("token", "bad").returncode == 1
    (row,) = json.loads(run("status", "--json").stdout)["sessions"]
    assert row["state"] == "failed"
    done = run("logout", row["entry"][:12])
    assert done.returncode == 0
    assert done.stdout == f"Removed what was stored of the failed sign-in to {box.host}.\n"
    assert json.loads(run("status", "--json").stdout)["sessions"] == []


def test_row_that_cannot_be_opened_is_removed_by_its_entry(box, monkeypatch, tmp_path):
    """It is sealed under the key of another cache."""
    assert run("token", "job").returncode == 0
    (row,) = json.loads(run("status", "--json").stdout)["sessions"]
    sealed = Path(os.environ["LAKEKEY_CACHE_DIR"], "entries", f"{row['entry']}.entry")
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path / "another"))
    assert run("token", "job").returncode == 0
    assert run("logout", row["entry"][:12]).stdout.startswith("Signed out of")
    shutil.copy(sealed, tmp_path / "another/entries")
    assert [each["host"] for each in json.loads(run("status", "--json").stdout)["sessions"]] == [""]
    done = run("logout", row["entry"][:12])
    assert (done.returncode, done.stdout) == (0, f"Removed the entry {row['entry'][:12]}, which could not be opened.\n")


def test_bare_command_with_two_sessions_names_a_token_that_can_be_had(box, tmp_path):
    assert run("login", "--host", box.host, "--no-save").returncode == 0
    assert run("login", "--host", box.host, "--user", "ada@example.com", "--no-save").returncode == 0
    (tmp_path / "databrickscfg").write_text("")
    step = json.loads(run("--json").stdout)["next_step"]
    assert step.startswith("lakekey token --host ")
    done = run(*shlex.split(step)[1:])
    assert done.returncode == 0, done.stderr
    several = run("token")
    assert several.returncode == 2
    ways = re.search(r"name one: (.*)\n", several.stderr)[1].split(", ")
    assert sorted(ways) == [f"--host {box.host}", f"--host {box.host} --user ada@example.com"]
    assert all(run("token", *way.split()).returncode == 0 for way in ways)


def test_connector_writes_nothing_beside_the_error(box):
    done = run("sql", "select 1", "-p", "job", "--warehouse", "nope")
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert "SQL warehouse nope does not exist" in done.stderr
    examined = run("doctor", "job", "--connect")
    assert examined.stderr == ""


def test_input_that_ends_before_the_paste_leads_to_the_listener(box, monkeypatch):
    monkeypatch.delenv("BROWSER", raising=False)
    done = run("login", "--host", box.host, "--no-save", "--paste")
    assert done.returncode == 1
    assert f"lakekey login --host {box.host} --no-browser\n" in done.stderr
    monkeypatch.setenv("LAKEKEY_INTERACTIVE", "paste")
    listens = run("login", "--host", box.host, "--no-save", "--no-browser", "--timeout", "1")
    assert listens.returncode in (1, 3)
    assert "the input ended" not in listens.stderr


def test_wait_that_ended_names_the_option_for_a_longer_one(box, monkeypatch):
    monkeypatch.setenv("BROWSER", "none")
    done = run("login", "--host", box.host, "--no-save", "--timeout", "1")
    assert done.returncode == 1
    assert re.search(r"more time: LAKEKEY_LOGIN_TIMEOUT=300, or: lakekey login .*--timeout 300\n", done.stderr)
