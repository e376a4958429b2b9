"""Every row that status shows can be removed by what the row shows."""

import contextlib
import json
import os
import signal
import subprocess

import pytest

from lakekey.cache.entry import Entry
from lakekey.cache.opening import open_cache
from support.processes import LAKEKEY
from support.processes import lakekey as run
from support.waiting import until

ADA, GRACE = "ada@example.com", "grace@example.com"


@pytest.fixture
def sessions(box):
    assert run("login", "me").returncode == 0
    assert run("token", "job").returncode == 0


@pytest.fixture
def many(sessions):
    """Ten more sessions, behind the others in the order of their names, than are signed out of at a time."""
    cache = open_cache()
    names = [f"{number:02x}".rjust(64, "f") for number in range(10)]
    for number, name in enumerate(names):
        about = {"host": f"https://dbc-{number}.cloud.databricks.com", "auth_type": "oauth-m2m", "client_id": "app"}
        assert cache.put(name, Entry(about, access_token="t"), replaces=None)
    return names


def rows():
    return json.loads(run("status", "--json").stdout)["sessions"]


@pytest.mark.parametrize("grant", ["external-browser", "oauth-m2m"])
def test_row_is_removed_by_its_entry(sessions, grant):
    (row,) = [each for each in rows() if each["auth_type"] == grant]
    done = json.loads(run("logout", row["entry"][:12], "--json").stdout)
    assert done["removed"]
    assert [each["auth_type"] for each in rows()] == [{"external-browser", "oauth-m2m"}.difference({grant}).pop()]
    assert done["revocation"] == ("revoked" if grant == "external-browser" else None)


def test_service_principal_is_removed_without_its_secret(box, sessions, tmp_path):
    (tmp_path / "databrickscfg").write_text("")
    done = run("logout", "--host", box.host, "--client-id", box.client_id)
    assert done.returncode == 0, done.stderr
    assert [each["auth_type"] for each in rows()] == ["external-browser"]


def test_row_whose_profile_is_gone_or_leads_elsewhere_names_no_profile(box, sessions, tmp_path):
    assert {each["profile"] for each in rows()} == {"me", "job"}
    (tmp_path / "databrickscfg").write_text("[me]\nhost = https://dbc-1.cloud.databricks.com\n")
    found = rows()
    assert {each["profile"] for each in found} == {None}
    for row in found:
        assert run("logout", row["entry"][:12]).returncode == 0
    assert rows() == []


def test_logout_names_the_other_session_of_a_profile(box, sessions):
    assert run("login", "me", "--user", ADA).returncode == 0
    done = run("logout", "me")
    assert "Signed out of" in done.stdout
    (row,) = [each for each in rows() if each["auth_type"] == "external-browser"]
    assert f"another session of {ADA} at {box.host}: lakekey logout {row['entry'][:12]}" in done.stdout


def test_all_sessions_end_at_once(sessions):
    done = json.loads(run("logout", "--all", "--json").stdout)
    assert len(done["sessions"]) == 2
    assert rows() == []
    assert run("logout", "--all").stdout == "There was no session.\n"


def test_session_that_waits_for_its_lock_lets_the_next_one_end_meanwhile(sessions):
    cache = open_cache()
    held, other = sorted(each["entry"] for each in rows())
    with contextlib.ExitStack() as lock:
        assert lock.enter_context(cache.lock(held))
        with subprocess.Popen([LAKEKEY, "logout", "--all", "--json"], stdout=subprocess.PIPE) as process:
            until(lambda: other not in cache.list(), pause=0.05)
            left = cache.list()
            lock.close()
            done = json.loads(process.stdout.read())
    assert left == [held]
    assert len(done["sessions"]) == 2
    assert cache.list() == []


def test_session_that_is_held_stops_none_of_the_others_however_many(many):
    cache = open_cache()
    held = cache.list()[0]
    with contextlib.ExitStack() as lock:
        assert lock.enter_context(cache.lock(held))
        with subprocess.Popen([LAKEKEY, "logout", "--all", "--json"], stdout=subprocess.PIPE) as process:
            until(lambda: cache.list() == [held], pause=0.05)
            lock.close()
            done = json.loads(process.stdout.read())
    assert len(done["sessions"]) == 12
    assert cache.list() == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_the_wait_for_a_session_that_is_held(many, number):
    cache = open_cache()
    (held,) = [each["entry"] for each in rows() if each["auth_type"] == "external-browser"]
    with cache.lock(held) as ours:
        assert ours
        with subprocess.Popen([LAKEKEY, "logout", "--all", "--json"], stdout=subprocess.PIPE) as process:
            until(lambda: cache.list() == [held], pause=0.05)
            process.send_signal(number)
            said = json.loads(process.communicate(timeout=30)[0])  # the lock is waited for twice as long
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert (len(said["sessions"]), said["error"]) == (11, "interrupted")
    assert cache.list() == [held]


def test_what_ends_when_the_reader_has_gone_is_told_on_standard_error(many):
    cache = open_cache()
    with subprocess.Popen(
        [LAKEKEY, "logout", "--all"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        process.stdout.close()
        said = process.stderr.read()
    assert process.returncode == 1
    assert said.count("lakekey: signed out of https://") == 12 - len(cache.list()) > 0


def test_session_that_is_held_keeps_no_other_from_ending_and_the_key_stays(sessions, monkeypatch, unattended):
    (held,) = [each["entry"] for each in rows() if each["auth_type"] == "external-browser"]
    monkeypatch.setenv("LAKEKEY_LOCK_TIMEOUT", "1")
    with open_cache().lock(held) as ours:
        assert ours
        done = run("logout", "--all", "--forget-key", "--json")
    assert done.returncode == 1
    assert "lakekey: me: " in done.stderr
    said = json.loads(done.stdout)
    assert (len(said["sessions"]), said["key_forgotten"]) == (1, False)
    assert [each["entry"] for each in rows()] == [held]


def test_forget_key_leaves_no_secret_behind(sessions, tmp_path):
    cache = os.environ["LAKEKEY_CACHE_DIR"]
    assert os.path.exists(f"{cache}/master.key")
    done = run("logout", "--all", "--forget-key")
    assert done.returncode == 0, done.stderr
    left = [name for _, _, names in os.walk(cache) for name in names if not name.endswith((".lock", ".holder"))]
    assert left == []
    assert run("logout", "--all", "--forget-key").stdout.splitlines()[:2] == [
        "There was no session.",
        "There was no key.",
    ]
    assert run("token", "job").returncode == 0  # and a new key is made with the next session


def test_forget_key_without_all_is_a_usage_error(sessions):
    assert run("logout", "me", "--forget-key").returncode == 2
    assert len(rows()) == 2


def test_ambiguous_or_unknown_entry_is_a_usage_error(sessions):
    assert run("logout", "ffffffffffff").returncode == 2
    assert len(rows()) == 2
