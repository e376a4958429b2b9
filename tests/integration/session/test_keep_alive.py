"""Sessions that are not used are kept alive: renewed ahead of their end, politely, by one host at a time."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

import lakekey
from lakekey.cli import keep_alive as keep_alive_command
from lakekey.cli import main
from lakekey.errors import ConfigurationError
from lakekey.session import end_notices
from lakekey.session import keep_alive_outcomes as outcomes
from lakekey.session.keep_alive import LOCK, keep_alive, round_of
from support.processes import LAKEKEY
from support.processes import lakekey as command
from support.sessions import Machine

DAY = 86400.0
PAGE = (Path(__file__).parents[3] / "docs/guides/keep-alive.md").read_text(encoding="utf-8")


@pytest.fixture
def machine(oidc_server, bare_machine, monkeypatch, attended):
    """A machine with the profile ``prod``, whose session was renewed a while ago."""
    monkeypatch.setenv("BROWSER", "false")
    config = bare_machine / ".databrickscfg"
    config.write_text(f"[prod]\nhost = {oidc_server.host}\nca_file = {oidc_server.ca_file}\n")
    config.chmod(0o600)
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(config))
    monkeypatch.setenv("LAKEKEY_CACHE_DIR", str(bare_machine / "cache"))
    machine = Machine(oidc_server, bare_machine / "cache")
    machine.sign_in()
    oidc_server.reset()
    return machine


def age(machine, days, **fields):
    """Makes the session one that was renewed some days ago."""
    token = machine.stored().refresh_token
    about = {"refresh_token": token, "identity": "ada@example.com", **fields}
    machine.store(left=3600 - days * DAY, **about)


def test_a_session_that_was_not_used_for_a_day_is_renewed(machine):
    age(machine, 1.1)
    before = machine.stored().refresh_token
    done = lakekey.keep_alive()
    (kept,) = done.sessions
    assert (kept.state, kept.profile, kept.identity) == ("renewed", "prod", "ada@example.com")
    assert machine.token_requests() == 1
    assert machine.stored().refresh_token != before
    machine.assert_session_is_whole()
    assert [each.state for each in keep_alive().sessions] == ["not due"]
    assert machine.token_requests() == 1


def test_session_in_use_is_renewed_for_its_refresh_tokens_sake(machine):
    age(machine, 0.01, refresh_expires_at=time.time() + 60, session_ends_at=time.time() + DAY)
    before = machine.stored()
    assert before.expires_at > time.time()
    assert [each.state for each in keep_alive().sessions] == ["renewed"]
    assert machine.token_requests() == 1
    assert machine.stored().refresh_token != before.refresh_token


def test_lifetimes_come_from_the_configuration_where_the_server_tells_none(machine, bare_machine):
    with open(bare_machine / ".databrickscfg", "a") as file:
        file.write("refresh_token_lifetime_in_minutes = 10080\nabsolute_session_lifetime_in_minutes = 43200\n")
    age(machine, 2, refresh_expires_at=0.0, session_ends_at=0.0)
    (kept,) = keep_alive().sessions
    assert kept.state == "not due"
    assert kept.lapses_at.timestamp() == pytest.approx(time.time() + 5 * DAY, abs=60)
    assert kept.ends_at.timestamp() == pytest.approx(time.time() + 28 * DAY, abs=60)
    age(machine, 2, refresh_expires_at=time.time() + DAY, session_ends_at=0.0)
    assert [each.state for each in keep_alive().sessions] == ["renewed"]  # though the server has told one of the two


def test_a_session_that_is_over_says_so_and_is_not_tried_again(machine):
    age(machine, 2)
    machine.server.revoke_all()
    (kept,) = keep_alive().sessions
    assert (kept.state, kept.error) == ("sign in again", "login_required")
    assert [each.state for each in keep_alive().sessions] == ["sign in again"]
    assert machine.token_requests() == 1


def test_a_server_in_trouble_is_left_alone_and_nothing_is_lost(machine):
    age(machine, 2)
    with machine.server.fault("token", "status", status=503, times=None):
        (kept,) = keep_alive().sessions
        assert (kept.state, kept.error) == ("failed", "token_endpoint")
        assert [each.state for each in keep_alive().sessions] == ["busy"]  # it has just failed
        assert machine.token_requests() == 1
    machine.server.settle()
    assert machine.stored().refresh_token


def fill(machine, number, *, left=-2 * DAY):
    """Sessions of other people at the same workspace, each due."""
    others = []
    for count in range(number):
        other = Machine(machine.server, machine.directory, user=f"user-{count}@example.com")
        other.store(left=left, refresh_token=f"a token of {count}", identity=f"user-{count}@example.com")
        others.append(other)
    return others


@pytest.mark.parametrize(("asked", "pause"), [("20", 20.0), ("600", 60.0), ("0", 0.5)])
def test_a_workspace_that_fails_again_and_again_is_left_alone_for_the_round(machine, asked, pause):
    fill(machine, 6)
    pauses = []
    with machine.server.fault("token", "status", status=429, headers={"Retry-After": asked}, times=None):
        done = keep_alive(rate=120, pause=pauses.append)
    states = [each.state for each in done.sessions]
    assert (states.count("failed"), machine.token_requests()) == (3, 3)
    assert pauses == [pause] * 3


def test_workspace_that_answers_again_is_not_left_alone(machine):
    for number in range(5):
        Machine(machine.server, machine.directory, user=f"user-{number}@example.com").sign_in(left=-2 * DAY)
    age(machine, 0)
    machine.server.reset()
    machine.server.fault("token", "status", status=503, times=2)
    machine.server.fault("token", "status", status=503, times=2, skip=1)
    states = [each.state for each in keep_alive(pause=lambda _: None).sessions if each.state != "not due"]
    assert states == ["failed", "failed", "renewed", "failed", "failed"]


@pytest.mark.parametrize(("rate", "pause"), [({"rate": 30}, 2.0), ({}, 1.0)])
def test_renewals_keep_to_a_rate(machine, rate, pause):
    fill(machine, 4)
    age(machine, 2)
    pauses = []
    keep_alive(**rate, pause=pauses.append)
    assert pauses == [pause] * 4


def test_a_round_ends_where_it_is_told_to(machine):
    fill(machine, 4)
    keep_alive(pause=lambda _: True)
    assert machine.token_requests() == 1


def test_one_round_at_a_time_is_made(machine, caplog):
    caplog.set_level("INFO", "lakekey.keep_alive")
    age(machine, 2)
    with machine.cache.lock(LOCK) as held:
        assert held
        done = keep_alive()
    assert done.sessions == []
    assert f"process {os.getpid()}" in done.held_by
    assert machine.token_requests() == 0
    assert f"{done.held_by} keeps the sessions of {machine.directory} alive" in caplog.text


def test_round_that_did_something_says_what(machine, caplog):
    caplog.set_level("INFO", "lakekey.keep_alive")
    age(machine, 2)
    keep_alive()
    assert "1 sessions looked at: 1 renewed" in caplog.text
    caplog.clear()
    keep_alive()
    assert "looked at" not in caplog.text


def test_nothing_is_made_where_there_is_nothing(bare_machine):
    assert keep_alive() == ([], None)
    assert not (bare_machine / "cache").exists()


def test_a_session_that_ends_soon_is_a_warning_ahead_of_time_and_once(machine, caplog):
    age(machine, 0.1, session_ends_at=time.time() + 3.5 * DAY)
    keep_alive()
    age(machine, 0.1, session_ends_at=time.time() + 2 * DAY)
    keep_alive(warn=DAY)
    assert "sign in again" not in caplog.text
    keep_alive()
    keep_alive()
    (record,) = [each for each in caplog.records if each.name == "lakekey.keep_alive"]
    assert record.levelname == "WARNING"
    assert "prod: the session of ada@example.com ends at " in record.getMessage()
    assert record.getMessage().endswith(f"entry {machine.entry_id[:12]}")


def test_warning_is_given_once_a_day_by_all_processes(machine):
    age(machine, 0.1, session_ends_at=time.time() + 1.5 * DAY, logged_in_at=time.time() - 9 * DAY)

    def warns():
        done = command("keep-alive", "--once", "--json")
        assert done.returncode == 0, done.stderr
        return "the person has to sign in again before" in done.stderr

    assert [warns(), warns()] == [True, False]
    machine.cache.store.write_note("keep-alive", str(time.time() - DAY).encode())
    assert [warns(), warns()] == [True, False]
    age(machine, 0.1, session_ends_at=time.time() + 1.5 * DAY, logged_in_at=time.time() + 1)  # signed in since
    assert warns()


def test_session_that_is_over_is_reported_once_more_and_then_no_longer(machine, caplog):
    age(machine, 0.1, session_ends_at=time.time() - 1, logged_in_at=time.time() - 9 * DAY)
    for last in (DAY, 0.5):  # seconds since the last round that reported something
        end_notices._given.clear()  # as in another process
        machine.cache.store.write_note("keep-alive", str(time.time() - last).encode())
        keep_alive()
    assert caplog.text.count("has to sign in again before") == 1


def test_a_reusable_token_ends_when_it_ends(machine):
    ends = time.time() + 5 * DAY
    age(machine, 1, refresh_expires_at=ends, rotates=False)
    (kept,) = keep_alive().sessions
    assert kept.ends_at.timestamp() == pytest.approx(ends, abs=1)


def test_sessions_of_a_round_are_told_one_after_the_other(machine):
    age(machine, 0.1)
    fill(machine, 3, left=3000)
    each = round_of()
    assert next(each).state == "not due"
    with machine.cache.lock(LOCK) as held:
        assert not held  # the round is not over
    assert len(list(each)) == 3


def test_table_has_the_first_sessions_and_says_how_many_there_were(machine, monkeypatch, capsys):
    age(machine, 0.1)
    fill(machine, 3, left=3000)
    monkeypatch.setattr(keep_alive_command, "_ROWS", 2)
    assert main(["keep-alive", "--once"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert sum("not due" in line for line in lines) == 2
    assert lines[-1] == "There were 2 more; with --json all are printed."


def test_profiles_and_entries_can_be_chosen(machine):
    fill(machine, 2)
    age(machine, 2)
    machine.server.reset()
    assert [each.entry for each in keep_alive("prod").sessions] == [machine.entry_id]
    assert [each.entry for each in keep_alive(machine.entry_id[:12]).sessions] == [machine.entry_id]
    assert machine.token_requests() == 1
    with pytest.raises(ConfigurationError):
        keep_alive("nowhere")


def test_service_principals_are_none_of_its_business(machine):
    service = Machine(machine.server, machine.directory, service=True)
    service.store(left=-2 * DAY)
    assert len(keep_alive().sessions) == 1


# -- the command ----------------------------------------------------------------------------------------------------


def test_one_round_by_the_command_line(machine):
    age(machine, 2)
    done = command("keep-alive", "--once", "--json")
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["held_by"] is None
    (session,) = said["sessions"]
    assert (session["state"], session["entry"]) == ("renewed", machine.entry_id)
    again = command("keep-alive", "--once", "prod")
    assert "not due" in again.stdout
    machine.server.revoke_all()
    age(machine, 2)
    assert command("keep-alive", "--once", "prod").returncode == 3


def test_the_page_shows_the_commands_own_columns(machine):
    age(machine, 2)
    done = command("keep-alive", "--once")
    (shown,) = re.findall(r"^\$ lakekey keep-alive --once\n(.*)$", PAGE, re.MULTILINE)
    assert re.split(r"  +", done.stdout.splitlines()[0].strip()) == re.split(r"  +", shown)
    listed = re.findall(r"^\| `([\w ]+)` \|", PAGE, re.MULTILINE)
    assert listed == [
        outcomes.RENEWED,
        outcomes.NOT_DUE,
        outcomes.BUSY,
        outcomes.SIGN_IN,
        outcomes.FAILED,
        outcomes.NO_PROFILE,
    ]


def test_it_runs_on_until_it_is_told_to_end(machine):
    age(machine, 2)
    process = subprocess.Popen([LAKEKEY, "keep-alive", "--json"], stdout=subprocess.PIPE, text=True)
    said = ""
    while not said.rstrip().endswith("\n}"):
        said += process.stdout.readline()
    assert json.loads(said)["sessions"][0]["state"] == "renewed"
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    process.stdout.close()


def test_the_unit_that_it_prints_runs_it(machine):
    done = command("keep-alive", "--print-unit", "prod", "two words")
    assert done.returncode == 0, done.stderr
    (started,) = re.findall(r"^ExecStart=(.*)$", done.stdout, re.MULTILINE)
    assert started == f'"{LAKEKEY}" keep-alive --once "prod" "two words"'
    assert "OnCalendar=hourly" in done.stdout


def test_the_pages_program_keeps_them_alive(machine):
    age(machine, 2)
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    exec(program, {})
    assert machine.token_requests() == 1
