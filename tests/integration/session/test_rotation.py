"""Refresh tokens that are single-use, reusable, or not sent again: which one is stored, and what becomes of a dead one."""

import json
import logging
import os
import subprocess
import sys
import threading

import pytest

from lakekey import CacheWriteFailed, LoginRequired
from lakekey.cache.stores.file import FileStore
from support.sessions import PATIENCE
from support.tiny_client import TinyClient

pytestmark = pytest.mark.usefixtures("unattended")


def age(machine, left=-60):
    """The stored access token grows old."""
    entry = machine.stored()
    return machine.store(left=left, access_token=entry.access_token, refresh_token=entry.refresh_token)


def refresh_by(machine, provider, turns=4):
    """The refresh tokens that are stored after each of several refreshes."""
    stored = []
    for _ in range(turns):
        age(machine)
        provider.invalidate(machine.stored().access_token)
        machine.assert_session_is_whole()
        stored.append(machine.stored().refresh_token)
    assert machine.token_requests() == turns
    return stored


def test_single_use_refresh_tokens_are_replaced_at_every_refresh(machine):
    assert len(set(refresh_by(machine, machine.provider()))) == 4


def test_a_reusable_refresh_token_is_used_again(machine):
    machine.server.set_rotation(single_use=False)
    first = machine.stored().refresh_token
    assert set(refresh_by(machine, machine.provider())) == {first}


def test_an_answer_without_a_refresh_token_keeps_the_old_one(machine):
    """RFC 6749 §6; one peer drops it, and the session with it."""
    machine.server.set_rotation(single_use=False)
    first = machine.stored().refresh_token
    with machine.server.fault("token", "edit", times=None, remove=["refresh_token"]):
        assert set(refresh_by(machine, machine.provider())) == {first}


def test_a_server_may_change_its_mind(machine):
    provider = machine.provider()
    machine.server.set_rotation(single_use=False)
    reusable = refresh_by(machine, provider, turns=2)
    machine.server.reset()
    rotated = refresh_by(machine, provider, turns=2)
    assert reusable[0] == reusable[1]
    assert len({*reusable, *rotated}) == 3


def test_a_new_process_uses_the_rotated_token_and_not_the_spent_one(machine):
    """One peer never writes the rotated token back, so that its next process ends the session."""
    for turn in range(3):
        assert machine.fresh_process()["ok"]
        assert machine.token_requests() == turn + 1
        machine.assert_session_is_whole()
        age(machine)


# Durable before it is used

_WATCHED = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
from lakekey.providers.provider import Provider
from lakekey.oauth.transport import Transport
from lakekey.configuration.target import resolve

steps, names = [], {}

def watched(owner, name, step):
    function = getattr(owner, name)
    def wrapper(*arguments, **named):
        result = function(*arguments, **named)
        steps.append(step(*arguments, result))
        return result
    setattr(owner, name, wrapper)

def opened(path, *rest):
    *_, descriptor = rest
    names[descriptor] = os.path.basename(path)
    return "open"

def kind(name):
    return "temporary" if ".entry." in name else "entry" if name.endswith(".entry") else name

settings = json.loads(sys.stdin.readline())
provider = Provider(resolve(None, {}, **settings))
provider._source._session.cache
watched(os, "open", opened)
watched(os, "fsync", lambda descriptor, _: "fsync " + kind(names[descriptor]))
watched(os, "replace", lambda source, target, _: "replace " + kind(os.path.basename(target)))
watched(Transport, "post_form", lambda *_: "answer")
provider.headers()
steps.append("header")
steps = [step for step in steps if step != "open"]
print(json.dumps(steps[steps.index("answer"):]))
"""


def test_the_rotated_token_is_on_disk_before_its_access_token_is_handed_out(machine):
    settings = {"host": machine.server.host, "ca_file": machine.server.ca_file, "store": f"file:{machine.directory}"}
    child = subprocess.run(
        [sys.executable, "-c", _WATCHED, "."],
        input=json.dumps(settings) + "\n",
        env=machine.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
    )
    assert child.returncode == 0, child.stderr
    # The data before the name, the name before the directory, and all of it before anybody has the token.
    synced = ["fsync entries"] if os.name == "posix" else []  # Windows cannot sync a directory
    assert json.loads(child.stdout) == ["answer", "fsync temporary", "replace entry", *synced, "header"]
    machine.assert_session_is_whole()


def test_an_answer_that_cannot_be_stored_is_kept_and_stored_before_anything_else_is_sent(machine, monkeypatch):
    provider = machine.provider()
    spent = machine.stored().refresh_token

    def disk_full(*_, **__):
        raise CacheWriteFailed("cannot write to the token cache: No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(FileStore, "put", disk_full)
        for _ in range(3):
            with pytest.raises(CacheWriteFailed):
                provider.headers()
    assert machine.stored().refresh_token == spent
    assert machine.token_requests() == 1, "another answer would have been lost as well"
    # A sibling may leave a note meanwhile: what counts is that the spent token is still the stored one.
    machine.store(left=-60, refresh_token=spent)
    assert provider.headers()
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


# A dead refresh token


def kill_session(machine):
    """Ends the session at the server, and answers with the dead token."""
    machine.server.revoke_all()
    return machine.stored().refresh_token


def test_all_processes_learn_of_a_dead_token_by_one_request(machine):
    kill_session(machine)
    ends = machine.ends_of_a_queue(3)
    assert [end["error"] for end in ends] == ["LoginRequired"] * 3, ends
    late = machine.fresh_process()
    assert late["error"] == "LoginRequired"
    assert "lakekey login" in late["message"]
    assert "invalid" in late["message"] or "revoked" in late["message"], "it says what the server said"
    assert machine.token_requests() == 1


def test_a_dead_token_is_dropped_and_the_rest_of_the_entry_is_kept(machine):
    dead = kill_session(machine)
    before = machine.stored()
    with pytest.raises(LoginRequired):
        machine.provider().headers()
    after = machine.stored()
    assert after.refused.code == "login_required"
    assert dead not in after.refused.message
    assert after.generation == before.generation + 1
    assert after == before._replace(refresh_token="", refused=after.refused, generation=after.generation)


def test_signing_in_again_replaces_a_refused_session(machine):
    kill_session(machine)
    with pytest.raises(LoginRequired):
        machine.provider().headers()
    machine.sign_in()
    provider = machine.provider()
    assert provider.headers()
    assert machine.stored().refused is None
    machine.assert_session_is_whole()


def test_a_live_access_token_is_served_on_though_the_refresh_token_was_refused(machine, caplog):
    kill_session(machine)
    age(machine, left=600)
    with machine.server.hold("token") as hold:
        provider = machine.provider()
        serving = provider.headers()
        provider.headers()
        hold.wait()
    while machine.stored().refused is None:
        assert provider.headers() == serving
    assert [provider.headers() for _ in range(20)] == [serving] * 20
    assert machine.provider().headers() == serving, "a new process is served as well"
    assert machine.token_requests() == 1
    ours = [record for record in caplog.records if record.name.startswith("lakekey.")]
    warnings = [record for record in ours if record.levelno >= logging.WARNING]
    assert {record.name for record in warnings} <= {"lakekey.session", "lakekey.provider"}
    assert len(warnings) <= 2, "said once where it was found out, and once to the profile"


# A process got past the lock, as it can happen on a network file system


def while_in_flight(machine, provider, sibling):
    """Does something between the read of the entry and the answer to the refresh. Returns the outcome."""
    outcome = []

    def ask():
        try:
            outcome.append(provider.headers()["Authorization"])
        except LoginRequired as error:
            outcome.append(error)

    with machine.server.hold("token", when="before") as hold:
        thread = threading.Thread(target=ask)
        thread.start()
        hold.wait()
        sibling()
        hold.release()
        thread.join()
    return outcome[0]


def test_the_loser_of_a_race_adopts_the_winners_token(machine):
    winner = TinyClient(machine.server).login()  # of a sign-in of its own: the old one's family dies by the reuse

    def sibling():
        machine.store(left=3000, access_token=winner["access_token"], refresh_token=winner["refresh_token"])

    machine.server.fault("token", "status", status=400, body={"error": "invalid_grant"})
    outcome = while_in_flight(machine, machine.provider(), sibling)
    assert outcome == f"Bearer {winner['access_token']}"
    assert machine.stored().refused is None
    machine.assert_session_is_whole()


def test_the_loser_goes_on_from_a_newer_refresh_token_whose_access_token_has_expired(machine):
    winner = TinyClient(machine.server).login()

    def sibling():
        machine.store(left=-5, access_token=winner["access_token"], refresh_token=winner["refresh_token"])

    machine.server.reset()
    machine.server.fault("token", "status", status=400, body={"error": "invalid_grant"})
    outcome = while_in_flight(machine, machine.provider(), sibling)
    assert outcome == f"Bearer {machine.stored().access_token}"
    assert machine.token_requests() == 2
    assert machine.stored().refused is None
    machine.assert_session_is_whole()


def test_only_the_very_token_that_was_refused_is_dropped(machine):
    """A sibling that only left a note has not won; one that signed in again has a generation that begins again."""
    winner = TinyClient(machine.server).login()

    def sibling():
        stored = machine.cache.read(machine.entry_id)
        machine.cache.delete(machine.entry_id, replaces=stored.envelope)
        machine.store(left=3000, access_token=winner["access_token"], refresh_token=winner["refresh_token"])

    age(machine)
    age(machine)
    machine.server.fault("token", "status", status=400, body={"error": "invalid_grant"})
    outcome = while_in_flight(machine, machine.provider(), sibling)
    assert outcome == f"Bearer {winner['access_token']}"
    assert machine.stored().generation == 1
    machine.assert_session_is_whole()


def test_a_session_that_was_signed_out_of_meanwhile_is_not_brought_back_as_refused(machine):
    def sibling():
        stored = machine.cache.read(machine.entry_id)
        machine.cache.delete(machine.entry_id, replaces=stored.envelope)

    machine.server.fault("token", "status", status=400, body={"error": "invalid_grant"})
    outcome = while_in_flight(machine, machine.provider(), sibling)
    assert isinstance(outcome, LoginRequired)
    assert machine.cache.list() == []


def test_an_answer_supersedes_what_came_in_past_the_lock(machine):
    """Ours is the server's newest: the token that the other one stored is the one that we have just spent."""

    def sibling():
        stored = machine.stored()
        machine.store(left=-60, access_token="foreign", refresh_token=stored.refresh_token)

    outcome = while_in_flight(machine, machine.provider(), sibling)
    assert outcome == f"Bearer {machine.stored().access_token}"
    assert machine.token_requests() == 1
    machine.assert_session_is_whole()


# The one window that no client can close


@pytest.mark.parametrize("kind", ["drop", "truncated", "html"])
def test_an_answer_lost_on_the_way_ends_in_a_clean_sign_in(machine, kind):
    machine.server.fault("token", kind, processed=True)
    with pytest.raises(LoginRequired):
        machine.provider().headers()
    assert machine.token_requests() == 2, "the token was tried once more, and never again"
    assert machine.stored().refused is not None
    assert machine.fresh_process()["error"] == "LoginRequired"
    assert machine.token_requests() == 2


@pytest.mark.parametrize("kind", ["drop", "truncated", "html"])
def test_an_answer_lost_on_the_way_costs_nothing_with_reusable_tokens(machine, kind):
    machine.server.set_rotation(single_use=False)
    machine.server.fault("token", kind, processed=True)
    assert machine.provider().headers()
    machine.assert_session_is_whole()
