"""What a terminal of any width shows: colours where wanted, tables or blocks, states in words."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from lakekey import _terminal
from lakekey.cache.opening import open_cache
from lakekey.cli.output import ends_in_words
from support.processes import lakekey as run
from support.program import environment as program_environment
from support.servers.oidc_server import OidcServer
from support.terminal import Terminal

WIDTHS = (40, 80, 140)
_COLOUR = re.compile(r"\x1b\[\d+m")


@pytest.fixture
def box(lakekey_environment, monkeypatch, tmp_path):
    """A workspace with a signed-in person and a service principal."""
    box = lakekey_environment
    for name in ("DATABRICKS_HOST", "DATABRICKS_WAREHOUSE_ID", "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm-256color")
    file = tmp_path / "databrickscfg"
    file.write_text(
        f"[me]\nhost = {box.host}\nauth_type = external-browser\nwarehouse_id = sandbox\n\n"
        f"[本番]\nhost = {box.host}\nclient_id = {box.client_id}\nclient_secret = {box.client_secret}\n"
    )
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(file))
    assert run("login", "me").returncode == 0
    assert run("token", "本番").returncode == 0
    return box


def shown(*arguments, columns=80, **variables):
    with Terminal(*arguments, environment={**os.environ, **variables}, columns=columns) as terminal:
        status = terminal.ends()
        return status, terminal.screen, terminal.raw.decode()


def is_one_word(line):
    """Whether nothing in a line but its last word could go to the next."""
    return " " not in re.split(" {2,}", line.strip())[-1]


LOOKING = ("", "status", "status me", "profiles", "keys", "doctor me")
LEAVING = ("logout me", "logout me", "logout --all", "status")


@pytest.mark.parametrize("columns", WIDTHS)
def test_tables_and_sentences_fit_the_terminal(box, columns):
    """A line is longer only where one word is, or a command that a person copies."""
    for command in (*LOOKING, *LEAVING):
        status, screen, _ = shown(*command.split(), columns=columns)
        assert status == 0
        too_wide = [line for line in screen.splitlines() if _terminal.columns(line) > columns and not is_one_word(line)]
        assert [line for line in too_wide if not re.match(r"Next: +lakekey ", line)] == [], command
        assert box.host in screen or command in ("", "keys", *LEAVING), command


# Command lines that fail, each with the step to copy that it names.
FAILING = [
    ("token nowhere", "lakekey profiles"),
    ("token me --nonsense", "lakekey help token"),
    ("stauts", "lakekey help"),
    ("run me", "lakekey run PROFILE -- COMMAND …"),
    ("profiles add dev", "lakekey profiles add dev --host https://…"),
    ("logout me --forget-key", "lakekey logout --all --forget-key"),
    ("sql", "lakekey help sql"),
    ("login me --host https://other.example.com", "lakekey profiles add me --host https://other.example.com --replace"),
]


@pytest.mark.parametrize("columns", WIDTHS)
def test_errors_and_their_next_steps_fit_the_terminal(box, columns):
    """A line is longer only where one word is, or the command that a person copies, which stands on one line."""
    for words, step in FAILING:
        status, screen, _ = shown(*words.split(), columns=columns)
        assert status in (2, 3), screen
        assert " → " in screen
        assert re.search(rf"(^ +|→ |: |; |, ){re.escape(step)}$", screen, re.MULTILINE), screen
        for line in screen.splitlines():
            fits = _terminal.columns(line) <= columns or is_one_word(line.replace("→ ", "  "))
            assert fits or line.strip("→ ").startswith("lakekey "), (words, line)


def test_errors_are_one_line_and_one_step_in_a_pipe(box):
    for words, step in FAILING:
        error = [line for line in run(*words.split()).stderr.splitlines() if not line.startswith(("usage: ", " " * 7))]
        assert [line[:4] for line in error] == ["lake", "  → "], (words, error)
        assert error[1].endswith(step), error


def test_narrow_terminal_shows_a_block_for_each_session(box):
    narrow, wide = shown("status", columns=60)[1], shown("status", columns=160)[1]
    assert re.search(r"^profile +me$", narrow, re.MULTILINE)
    assert len(re.findall(r"^entry +[0-9a-f]{12}$", narrow, re.MULTILINE)) == 2
    assert re.match(r"PROFILE +HOST +IDENTITY +GRANT +STATE", wide)


@pytest.mark.parametrize("columns", WIDTHS)
def test_doctor_ends_with_its_sum(box, columns):
    status, screen, raw = shown("doctor", "me", columns=columns)
    assert status == 0
    assert re.fullmatch(r"(\d+ warnings?, )?\d+ ok", screen.strip().splitlines()[-1])
    assert "\x1b[32mok" in raw


def test_colours_are_for_terminals_that_want_them(box):
    assert _COLOUR.search(shown("status")[2])
    assert not _COLOUR.search(shown("status", NO_COLOR="1")[2])
    assert not _COLOUR.search(shown("status", TERM="dumb")[2])
    assert "\x1b" not in run("status").stdout
    assert "\x1b" not in run("doctor", "me").stdout


def test_piped_table_is_a_table_whatever_its_width(box):
    assert re.match(r"PROFILE +HOST +IDENTITY", run("status").stdout)


def test_identity_of_a_service_principal_is_shown(box):
    assert json.loads(run("status", "本番", "--json").stdout)["identity"] == box.client_id
    assert box.client_id in run("status", "本番").stdout


def test_letters_of_two_columns_keep_the_table_aligned(box):
    lines = run("profiles").stdout.splitlines()[:3]
    places = {_terminal.columns(line[: line.index("https://")]) for line in lines[1:]}
    assert places == {_terminal.columns(lines[0][: lines[0].index("HOST")])}


def test_session_near_its_end_says_the_day(box):
    cache = open_cache()
    name = json.loads(run("status", "me", "--json").stdout)["entry"]
    stored = cache.read(name)
    ends = time.time() + 3600
    entry = stored.entry._replace(session_ends_at=ends, logged_in_at=ends - 90000)
    assert cache.put(name, entry, replaces=stored.envelope)
    assert ends_in_words(ends, time.time()) in run("status").stdout
    assert json.loads(run("status", "me", "--json").stdout)["state"] == "signed in"


@pytest.mark.parametrize(("days", "words"), [(0.001, r"ends \d\d:\d\d"), (3, r"ends \w+day"), (40, r"ends \d+ \w+")])
def test_end_is_said_as_a_person_says_it(days, words):
    noon = time.mktime((2026, 11, 25, 12, 0, 0, 0, 0, -1))
    assert re.fullmatch(words, ends_in_words(noon + days * 86400, noon))


@pytest.mark.parametrize("command", [("status", "me"), ("keys",)])
def test_times_are_the_persons_own_with_their_zone(box, monkeypatch, command):
    monkeypatch.setenv("TZ", "XYZ-5")
    times = re.findall(r"  (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d .*)", run(*command).stdout)
    assert times
    assert all(re.search(r" XYZ \((in \d+ \w+|\d+ \w+ ago)\)$", each) for each in times), times


@pytest.mark.parametrize("command", ["profiles", ""])
def test_terminal_gets_no_control_characters_and_no_direction_marks(box, tmp_path, command):
    (tmp_path / "databrickscfg").write_text(f"[evil\x1b[2J\u202e]\nhost = {box.host}\n")
    raw = shown(*command.split(), columns=140)[2]
    assert "\x1b[2J" not in raw
    assert "\u202e" not in raw
    assert r"evil\x1b[2J\u202e" in raw


def test_answer_of_a_workspace_commands_no_terminal(box):
    name = json.dumps({"name": "evil\x9b2J\u202e"})
    assert run("api", "post", "/api/2.1/jobs/create", "-p", "本番", "--data", name).returncode == 0
    at_a_terminal = shown("api", "get", "/api/2.1/jobs/list", "-p", "本番", columns=140)[2]
    assert "evil" in at_a_terminal
    assert not {"\x9b", "\u202e"} & set(at_a_terminal)


def test_wait_counts_down_says_how_to_stop_and_links_the_address(box):
    environment = {**os.environ, "LAKEKEY_INTERACTIVE": "browser", "BROWSER": "none"}
    with Terminal("login", "me", "--timeout", "4", environment=environment) as terminal:
        terminal.shows(r"4 s left, Ctrl-C ends it")
        terminal.shows(r"3 s left")
        assert terminal.ends() == 1
        raw = terminal.raw.decode()
    assert re.search(r"\x1b\]8;id=\d+;https://\S+/authorize\S+?\x1b\\https://", raw)
    assert "lakekey login me --timeout 300" in raw


def test_wait_is_plain_where_the_terminal_is_dumb(box):
    environment = {**os.environ, "LAKEKEY_INTERACTIVE": "browser", "BROWSER": "none", "TERM": "dumb"}
    with Terminal("login", "me", "--timeout", "1", environment=environment) as terminal:
        assert terminal.ends() == 1
        assert b"\x1b" not in terminal.raw
        assert "s left" not in terminal.screen
        assert "You have 1 s; Ctrl-C ends it." in terminal.screen


def over_ssh(**variables):
    ssh = {"SSH_CONNECTION": "10.0.0.1 50000 10.0.0.2 22", "LAKEKEY_INTERACTIVE": "auto", "BROWSER": ""}
    return {**os.environ, **ssh, **variables}


@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("way", ["browser", "ssh"])
def test_wait_counts_down_on_one_line_of_any_width(box, columns, way):
    """A line that the terminal breaks in two is not written over, but left behind with every second."""
    environment = over_ssh(NO_COLOR="1") if way == "ssh" else {**os.environ, "LAKEKEY_INTERACTIVE": "browser"}
    environment["BROWSER"] = "" if way == "ssh" else "none"
    with Terminal("login", "me", "--timeout", "60", environment=environment, columns=columns) as terminal:
        first = int(terminal.shows(r"(\d+) s left, Ctrl-C ends it")[1])
        terminal.shows(f"{first - 1} s left, Ctrl-C ends it")
        if way == "ssh":
            assert re.search(r"\bpaste\s+it\s+here\b", terminal.screen)
            terminal.types("hello")
            terminal.shows(r"there\s+is\s+no\s+code\s+in\s+it.*s left, Ctrl-C ends it")
        terminal.process.send_signal(signal.SIGINT)
        assert terminal.ends() == 130
        counted = re.findall(r"\r\x1b\[K([^\r\n]*s left[^\r\n]*?)(?=\r)", terminal.raw.decode())
    assert len(counted) >= 2
    assert all(len(line) < columns for line in counted)
    assert terminal.raw.decode().endswith("\r\x1b[Klakekey: interrupted\r\n")


def test_wait_does_not_write_over_what_is_typed(box):
    with Terminal("login", "me", "--timeout", "4", environment=over_ssh()) as terminal:
        terminal.shows("s left, Ctrl-C ends it")
        terminal.presses("half an address")
        terminal.shows("half an address")
        assert terminal.ends() == 1
    assert "s left" not in terminal.screen.rpartition("half an address")[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP], ids=["SIGTERM", "SIGHUP"])
def test_terminal_is_left_as_it_was_by_a_wait_that_a_signal_ends(box, number):
    with Terminal("login", "me", "--timeout", "60", environment=over_ssh()) as terminal:
        terminal.shows("s left, Ctrl-C ends it")
        assert not terminal.echoes()
        terminal.process.send_signal(number)
        assert terminal.process.wait(60) == -number
        assert terminal.echoes()


def test_wait_for_a_code_that_is_typed_elsewhere_counts_down(monkeypatch, tmp_path):
    with OidcServer(device_flow=True) as server:
        variables = program_environment(server, tmp_path / "cache")
        environment = over_ssh(**variables | {"LAKEKEY_INTERACTIVE": "auto", "BROWSER": "", "TERM": "xterm"})
        with Terminal("login", environment=environment, columns=40) as terminal:
            first = int(terminal.shows(r"(\d+) s left, Ctrl-C ends it")[1])
            terminal.shows(f"{first - 1} s left, Ctrl-C ends it")
            terminal.process.send_signal(signal.SIGINT)
            assert terminal.ends() == 130


LOADED = """
import sys
from lakekey.cli import main
status = main(sys.argv[1:])
print(*sorted(name for name in sys.modules if name.partition(".")[0] == "rich"), file=sys.stderr)
sys.exit(status)
"""


@pytest.mark.parametrize(
    "words", [["token", "me"], ["token", "me", "--json"], ["status", "--json"], ["auth", "token", "-p", "me"]]
)
def test_what_programs_read_is_printed_without_the_library_for_people(box, words):
    done = subprocess.run(
        [sys.executable, "-c", LOADED, *words], capture_output=True, text=True, timeout=60, check=True
    )
    assert "rich" not in done.stderr
    with Terminal("-c", LOADED, "status", environment=os.environ, program=sys.executable) as terminal:
        assert terminal.ends() == 0
        assert "rich.console" in terminal.screen.splitlines()[-1].split()


def test_table_is_the_same_in_a_pipe_where_no_console_is_loaded_as_in_a_terminal(box):
    """The one is laid out by us and the other by rich, also where a letter takes two columns."""
    piped = subprocess.run(
        [sys.executable, "-c", LOADED, "profiles"], capture_output=True, text=True, timeout=60, check=True
    )
    assert "rich.console" not in piped.stderr.split()
    assert "本番" in piped.stdout
    _, screen, _ = shown("profiles", columns=200)
    assert piped.stdout.splitlines() == [line.rstrip() for line in screen.splitlines()]
