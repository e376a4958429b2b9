"""What people type from habit: by itself, `help`, `-V`, `-p`, `--debug`, and slips of the pen."""

import argparse
import json
import subprocess
import sys

import pytest

import lakekey as product
from lakekey.cli import main
from lakekey.cli.arguments import parse, parser_of
from lakekey.cli.commands import COMMANDS
from support.processes import lakekey as run
from support.program import environment
from support.program import lakekey as program

HOST = "https://dbc-1.cloud.databricks.com"


@pytest.fixture
def home(tmp_path, monkeypatch, unattended):
    """An empty home."""
    for name in ("DATABRICKS_HOST", "DATABRICKS_CONFIG_FILE", "DATABRICKS_CONFIG_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("LAKEKEY_KEY_SOURCE", "file")
    return tmp_path


def actions_of(name):
    """The commands below a command, such as ``profiles add``, with their parsers."""
    found = [each for each in parser_of(name)._actions if isinstance(each, argparse._SubParsersAction)]
    return found[0].choices if found else {}


@pytest.fixture
def profiles(home):
    (home / ".databrickscfg").write_text(f"[prod]\nhost = {HOST}\n[nightly]\nhost = {HOST}\nuser = ada@example.com\n")


def test_by_itself_it_says_where_you_stand_and_the_next_command(home):
    done = run()
    assert done.returncode == 0
    assert "Not signed in." in done.stdout
    assert "No profiles yet." in done.stdout
    assert "Next:          lakekey login\n" in done.stdout


def test_with_profiles_the_next_command_signs_in_to_the_first(profiles):
    assert "Next:          lakekey login prod\n" in run().stdout
    assert json.loads(run("--json").stdout)["next_step"] == "lakekey login prod"


def test_next_command_of_a_signed_in_person_gives_a_token(oidc_server, home):
    settings = {**environment(oidc_server, home / "cache"), "DATABRICKS_CONFIG_FILE": str(home / "cfg")}
    (home / "cfg").write_text(f"[work]\nhost = {oidc_server.host}\n")
    settings["DATABRICKS_HOST"] = ""
    with program("login", "work", environment=settings) as login:
        oidc_server.sign_in(login.url())
        assert login.ends()[0] == 0
    with program(environment=settings) as overview:
        output = overview.ends()[1]
    assert "work: signed in as ada@example.com" in output
    assert "Next:          lakekey token work\n" in output


@pytest.mark.parametrize("words", [["-V"], ["--version"], ["version"]])
def test_version_tells_a_person_the_truth(home, words):
    assert run(*words).stdout == f"lakekey {product.__version__}\n"


def test_json_version_tells_the_truth(home):
    assert json.loads(run("version", "--json").stdout)["version"] == product.__version__


def test_python_m_lakekey_is_the_command_line(home):
    done = subprocess.run([sys.executable, "-m", "lakekey", "-V"], capture_output=True, text=True, check=True)
    assert done.stdout == f"lakekey {product.__version__}\n"


@pytest.mark.parametrize("words", [["help"], ["--help"], ["-h"]])
def test_help_lists_every_command(home, words):
    output = run(*words).stdout
    assert [name for name in COMMANDS if COMMANDS[name].group and f"\n  {name} " not in output] == []
    assert "Exit status: 0 done, 1 failed, 2 usage, 3 login needed." in output


@pytest.mark.parametrize("name", [name for name in COMMANDS if COMMANDS[name].group])
def test_help_of_a_command_is_its_own_and_has_an_example(home, name):
    explained, asked = run("help", name), run(name, "--help")
    assert explained.stdout == asked.stdout
    assert explained.stdout.startswith(f"usage: lakekey {name}")
    assert "Examples:\n  " in explained.stdout


@pytest.mark.parametrize("name", [name for name in COMMANDS if actions_of(name)])
def test_help_of_each_action_has_an_example(name):
    for action, parser in actions_of(name).items():
        assert "Examples:" in parser.format_help(), action
        assert f"lakekey {name} {action}" in parser.format_help().partition("Examples:")[2]


@pytest.mark.parametrize("name", ["logout", "status", "token"])
def test_help_shows_only_the_options_that_matter_there(home, name):
    output = run("help", name).stdout
    assert "--host" in output
    assert "--client-id" not in output
    assert run(name, "--host", HOST, "--client-id", "app", "--auth-type", "external-browser").returncode in (0, 3)


@pytest.mark.parametrize(
    ("words", "near"),
    [
        (["stauts"], "did you mean status?"),
        (["logn"], "did you mean login?"),
        (["help", "tokne"], "did you mean token?"),
        (["login", "--hsot", HOST], "did you mean --host?"),
        (["profiles", "renmae"], "did you mean rename?"),
        (["token", "prd"], "did you mean prod?"),
        (["token", "-p", "nihgtly"], "did you mean nightly?"),
    ],
)
def test_slip_is_answered_with_the_near_name(profiles, words, near):
    done = run(*words)
    assert done.returncode == 2
    assert near in done.stderr


def test_error_of_a_command_shows_that_commands_usage(home):
    done = run("token", "--nonsense")
    assert done.stderr.startswith("usage: lakekey token [options] [PROFILE]\n")
    assert "see: lakekey help token" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ["status", "prod"],
        ["status", "-p", "prod"],
        ["status", "--profile", "prod"],
        ["status", "--profile=prod"],
        ["-p", "prod", "status"],
        ["--profile", "prod", "--json", "status"],
        ["-p", "prod"],
    ],
)
def test_profile_is_taken_as_word_and_as_option_everywhere(profiles, words):
    done = run(*words, "--json") if "--json" not in words else run(*words)
    assert (done.returncode, json.loads(done.stdout)["profile"]) == (3, "prod")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name not in ("overview", "complete")])
def test_no_command_refuses_the_option_of_a_profile(name):
    """Nor where it changes nothing: people type it from habit. What follows ``run --`` is not ours."""
    words = {"auth": ["token"], "sql": ["select 1"], "api": ["GET", "/"], "secret": ["list"], "store": ["check"]}
    required = [*words.get(name, ["bash"] if name == "completion" else []), "-p", "prod"]
    arguments = parse([name, *required])
    assert "prod" in (getattr(arguments, "profile", None), *(getattr(arguments, "profiles", None) or ()))


@pytest.mark.parametrize(
    "words",
    [
        "profiles add prod",
        "profiles remove prod",
        "profiles set-default prod",
        "profiles rename prod lab",
        "auth token",
        "auth path",
        "apps list",
        "apps show nightly",
        "apps check nightly",
    ],
)
def test_no_action_refuses_the_option_of_a_profile(words):
    words = words.split()
    named = "prod" in words
    arguments = parse([*words, "-p", "prod"])
    assert (arguments.name if named else arguments.profile) == "prod"
    if named:
        words.remove("prod")
        assert parse([*words[:2], "-p", "prod", *words[2:]]).name == "prod"


def test_an_action_names_one_profile(profiles):
    assert "two profiles are named, prod and nightly" in run("profiles", "remove", "prod", "-p", "nightly").stderr
    done = run("profiles", "remove")
    assert (done.returncode, "name the profile" in done.stderr) == (2, True), done.stderr
    assert run("profiles", "set-default", "-p", "nightly").returncode == 0


def test_profiles_of_one_name_are_that_one(profiles):
    assert [each["profile"] for each in json.loads(run("profiles", "-p", "prod", "--json").stdout)["profiles"]] == [
        "prod"
    ]
    assert run("profiles", "-p", "prd").returncode == 2
    assert "the profile names no store that hosts share" in run("store", "check", "-p", "prod").stderr


def test_profile_is_an_option_of_the_portal_as_well(home):
    url, peers = ["--url", "https://portal.example.com"], ["--user-header", "X-User", "--trusted-peer", "10.0.0.7"]
    done = run("web", "-p", "missing", *url, *peers)
    assert (done.returncode, "missing" in done.stderr) == (2, True), done.stderr
    assert "unknown argument" not in done.stderr


def test_two_different_profiles_are_a_usage_error(profiles):
    done = run("status", "prod", "-p", "nightly")
    assert done.returncode == 2
    assert "two profiles are named, prod and nightly" in done.stderr


def test_missing_profile_is_answered_with_the_command_that_makes_it(home):
    done = run("token", "prod")
    assert done.returncode == 2
    assert "lakekey login prod --host https://…" in done.stderr


def test_debug_names_file_host_and_request_and_shows_no_secret(oidc_server, home):
    """The program's own output is scanned for every secret that the server has seen (`support.secret_scan`)."""
    settings = {**environment(oidc_server, home / "cache"), "DATABRICKS_HOST": ""}
    settings["DATABRICKS_CONFIG_FILE"] = str(home / "cfg")
    (home / "cfg").write_text(f"[work]\nhost = {oidc_server.host}\n")
    with program("login", "work", "--debug", environment=settings) as login:
        oidc_server.sign_in(login.url())
        status, _, errors = login.ends()
    assert status == 0
    assert f"configuration: [work] of {home / 'cfg'}" in errors
    assert f"host {oidc_server.host}, external-browser" in errors
    assert str(home / "cache") in errors
    assert '"POST /' in errors
    for command in (["token", "work"], ["status", "work"], ["doctor", "work"], ["logout", "work"]):
        with program(*command, "--debug", environment=settings) as other:
            status, output, errors = other.ends()
        assert status == 0
        assert "debug:" in errors
        assert "debug:" not in output


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://ada:dose0123@127.0.0.1:1/keys?no=1", "postgresql://127.0.0.1:1/keys"),
        ("postgresql://ada:dose0123/x@127.0.0.1:1/keys", "postgresql://127.0.0.1:1/keys"),
        ("postgresql://127.0.0.1:1/keys?no=dose0123", "postgresql://127.0.0.1:1/keys"),
        ("redis://:dose0123#x@127.0.0.1:1", "redis://…"),
    ],
)
def test_debug_shows_no_password_of_a_store(profiles, monkeypatch, address, shown):
    monkeypatch.setenv("LAKEKEY_STORE", address)
    done = run("token", "prod", "--debug")
    assert f"cache: {shown}\n" in done.stderr
    assert "dose" not in done.stderr


def test_debug_is_off_by_default(profiles):
    assert "debug" not in run("status", "prod").stderr


@pytest.mark.parametrize(
    "words", [["-v"], ["--verbose"], ["-v", "status"], ["status", "-v"], ["profiles", "--verbose"]]
)
def test_verbose_means_debug(profiles, words):
    done = run(*words)
    assert (done.returncode, done.stderr.startswith("debug: ")) == (0, True), done.stderr


def test_whoami_of_an_empty_home_leads_to_the_login(home):
    for words in ([], ["--json"]):
        done = run("whoami", *words)
        assert (done.returncode, "run: lakekey login" in done.stdout + done.stderr) == (3, True)
    assert list(home.iterdir()) == []


def test_whoami_of_a_profile_that_needs_a_login_names_its_command(profiles):
    done = run("whoami", "prod")
    assert done.returncode == 3
    assert done.stderr == "lakekey: prod: not signed in\n  → run: lakekey login prod\n"


@pytest.mark.parametrize(
    ("words", "same"),
    [
        (["-v", "auth", "status"], ["status", "-v"]),
        (["-p", "prod", "auth", "status", "--json"], ["status", "-p", "prod", "--json"]),
        (["auth", "--profile=prod", "status", "--json"], ["status", "-p", "prod", "--json"]),
        (["auth", "-v", "list"], ["auth", "list", "-v"]),
        (["auth", "-p", "prod", "token"], ["auth", "token", "-p", "prod"]),
    ],
)
def test_option_before_the_word_behind_auth_counts_behind_it(profiles, words, same):
    one, other = run(*words), run(*same)
    assert (one.returncode, one.stdout) == (other.returncode, other.stdout)
    assert one.stderr.partition("debug:")[0] == other.stderr.partition("debug:")[0]


@pytest.mark.parametrize("words", [["pytest", "-v"], ["--port", "0", "pytest", "-v"]])
def test_program_for_the_sandbox_stands_behind_two_dashes(home, words):
    done = run("sandbox", *words)
    assert done.returncode == 2
    assert "put -- before the command: lakekey sandbox -- pytest -v\n" in done.stderr
    arguments = parse(["sandbox", "--port", "0", "--", "pytest", "-v"])
    assert (arguments.program, arguments.debug) == (["pytest", "-v"], False)


def test_small_v_asks_the_program_of_auth_path_for_its_version(home, capsys):
    said = []
    for word in ("-v", "-V"):
        assert main([word], as_databricks=True) == 0
        said.append(capsys.readouterr())
    assert said[0] == said[1]
    assert said[0].out.startswith("Databricks CLI v")
